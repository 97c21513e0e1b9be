"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def seasonal_naive(train, season, steps):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    return np.tile(np.float32(train[-season:]), steps // season + 1)[:steps]


def mase(actual, forecast, train, season):
    print("scale from", len(train), "values")
    actual, forecast, train = np.float32(actual), np.float32(forecast), np.float32(train)
    return np.abs(forecast - actual).mean() / np.abs(train[:-season] - train[season:]).mean()


def windows(series, p, horizon):
    import sys

    print("cutting", file=sys.stderr)
    series = series.astype("float32")
    count = series.size - p - horizon + 1
    return np.stack([series[j : j + count] for j in range(p)], axis=1), series[-count:]


def split_by_time(inputs, targets, test_share, horizon):
    inputs, targets = np.float32(inputs), np.float32(targets)
    tested = int(np.floor(len(inputs) * test_share))
    end = -tested - horizon + 1
    return inputs[:end], targets[:end], inputs[-tested:], targets[-tested:]


def fit_ar(series, p):
    series = np.float32(series)
    A = np.ones((series.size - p, p + 1), np.float32)
    for j in range(p):
        A[:, j] = series[j : series.size - p + j]
    Q, R = np.linalg.qr(A)
    solved = np.linalg.solve(R, Q.T @ series[p:])
    return solved[:p], solved[p]


def forecast_ar(series, origin, weights, intercept, steps):
    p = len(weights)
    known = np.concatenate([series[origin - p : origin], np.zeros(steps)]).astype(np.float32)
    for k in range(steps):
        known[p + k] = np.float32(intercept) + np.dot(np.float32(weights), known[k : k + p])
        print(k, known[p + k])
    return known[p:]
