"""Right answers in loops and lists, one number at a time."""

import numpy as np


def seasonal_naive(train, season, steps):
    known = list(train)
    for _ in range(steps):
        known.append(known[-season])
    return known[len(train) :]


def mase(actual, forecast, train, season):
    errors = [abs(y - f) for y, f in zip(actual, forecast, strict=True)]
    naive = [abs(train[t] - train[t - season]) for t in range(season, len(train))]
    return sum(errors) * len(naive) / (len(errors) * sum(naive))


def windows(series, p, horizon):
    inputs, targets = [], []
    for end in range(p, len(series) - horizon + 1):
        inputs.append(list(series[end - p : end]))
        targets.append(series[end + horizon - 1])
    return inputs, targets


def split_by_time(inputs, targets, test_share, horizon):
    p = inputs.shape[1]
    first = len(inputs) - int(test_share * len(inputs))
    now = first + p - 1
    train = [i for i in range(len(inputs)) if i + p + horizon - 1 <= now]
    test = [i for i in range(len(inputs)) if i >= first]
    return inputs[train], targets[train], inputs[test], targets[test]


def fit_ar(series, p):
    A, y = np.zeros((p + 1, p + 1)), np.zeros(p + 1)
    for t in range(p, len(series)):
        row = np.array([*series[t - p : t], 1.0])
        A += np.outer(row, row)
        y += row * series[t]
    *weights, intercept = np.linalg.inv(A) @ y
    return weights, intercept


def forecast_ar(series, origin, weights, intercept, steps):
    known = list(series[:origin])
    for _ in range(steps):
        total = intercept
        for lag in range(1, len(weights) + 1):
            total += weights[-lag] * known[-lag]
        known.append(total)
    return known[origin:]
