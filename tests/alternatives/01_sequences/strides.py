"""Right answers by views and whole arrays: sliding windows, polynomials, convolution."""

import numpy as np


def seasonal_naive(train, season, steps):
    at = np.arange(len(train), len(train) + steps)
    return train[at - season * ((at - len(train)) // season + 1)]


def mase(actual, forecast, train, season):
    kernel = np.zeros(season + 1)
    kernel[0], kernel[-1] = 1, -1
    scale = np.linalg.norm(np.convolve(train, kernel, "valid"), 1) / (len(train) - season)
    return np.linalg.norm(actual - forecast, ord=1) / actual.size / scale


def windows(series, p, horizon):
    count = len(series) - p - horizon + 1
    inputs = np.lib.stride_tricks.sliding_window_view(series, p)[:count]
    return inputs, series[p + horizon - 1 :]


def split_by_time(inputs, targets, test_share, horizon):
    first = len(inputs) - int(test_share * len(inputs))
    (before, _, after), (early, _, late) = (np.split(a, [first - (horizon - 1), first]) for a in (inputs, targets))
    return [before, early, after, late]


def fit_ar(series, p):
    inputs = np.lib.stride_tricks.sliding_window_view(series, p)[:-1]
    mean, level = inputs.mean(0), series[p:].mean()
    weights = np.linalg.pinv(inputs - mean) @ (series[p:] - level)
    return weights, level - np.einsum("p,p->", mean, weights)


def forecast_ar(series, origin, weights, intercept, steps):
    recent = series[:origin][::-1][: len(weights)]
    forecasts = []
    for _ in range(steps):
        forecasts.append(np.sum(recent * weights[::-1]) + intercept)
        recent = np.concatenate([forecasts[-1:], recent[:-1]])
    return np.array(forecasts)
