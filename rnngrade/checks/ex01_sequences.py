"""Exercise 01: baselines, a fair measure, windows, a split by time, and autoregression."""

from typing import Any

import numpy as np

from rnngrade.exercise import Draw, Exercise, Graded, Mistake, Output

OLDEST_FIRST = "the oldest value of a window comes first"


def _values(draw: Draw, count: int, level: float = 0.0) -> np.ndarray:
    return level + draw.rng.standard_normal(count)


# -- seasonal naive


def _seasonal_arguments(draw: Draw) -> dict[str, Any]:
    season = draw.sizes["D"]
    return {
        "train": _values(draw, 3 * season + (1, 2, 1, 2)[draw.case]),
        "season": season,
        "steps": (season - 1, season + 2, 2 * season + 1, season)[draw.case],
    }


def _seasonal_oracle(train: Any, season: int, steps: int) -> Any:
    """Step back by whole seasons until the time is known."""
    times = []
    for t in range(len(train), len(train) + steps):
        while t >= len(train):
            t -= season
        times.append(t)
    return train[times]


# -- MASE


def _mase_arguments(draw: Draw) -> dict[str, Any]:
    season, length = (draw.sizes["D"], draw.sizes["D"], draw.sizes["D"], 1)[draw.case], draw.sizes["T"]
    count = season + length
    actual, too_high = _values(draw, count, 5.0), _values(draw, count)
    more = draw.sizes["B"] + 1
    more += more == length  # as many errors of the forecast as of the naive one: sums would do for means
    train = _values(draw, 2 * season + more, 5.0)
    # Forecasts too high on the average, a training part that rises: signs that are left in are seen in the result.
    too_high *= np.sign(too_high.mean())
    rises = np.mean(train[season:] - train[:-season]) > 0
    return {
        "actual": actual,
        "forecast": actual + too_high,
        "train": train if rises else train[::-1].copy(),
        "season": season,
    }


def _mase_oracle(actual: Any, forecast: Any, train: Any, season: int) -> float:
    errors = [abs(a - f) for a, f in zip(actual.tolist(), forecast.tolist(), strict=True)]
    naive = [abs(train[t] - train[t - season]) for t in range(season, len(train))]
    return float((sum(errors) / len(errors)) / (sum(naive) / len(naive)))


# -- windows


def _windows_arguments(draw: Draw) -> dict[str, Any]:
    p, horizon = draw.sizes["D"], (3, 1, 2, 4)[draw.case]
    count = draw.sizes["B"] + p  # windows: more than p of them, so that two of them share no value
    return {"series": _values(draw, count + p + horizon - 1), "p": p, "horizon": horizon}


def _windows_oracle(series: Any, p: int, horizon: int) -> tuple[Any, Any]:
    """Every run of p + horizon values holds a window at its beginning and its target at its end."""
    runs = np.lib.stride_tricks.sliding_window_view(series, p + horizon)
    return runs[:, :p].copy(), runs[:, -1].copy()


# -- split


def _split_arguments(draw: Draw) -> dict[str, Any]:
    p, horizon, tested = draw.sizes["D"], (3, 1, 2, 4)[draw.case], draw.sizes["B"]
    count = p + horizon + tested + draw.sizes["T"] + draw.sizes["K"]
    inputs, targets = _windows_oracle(_values(draw, count + p + horizon - 1), p, horizon)
    share = round((tested + (0.3, 0.7, 0.7, 0.3)[draw.case]) / count, 3)
    return {"inputs": inputs, "targets": targets, "test_share": share, "horizon": horizon}


def _split_oracle(inputs: Any, targets: Any, test_share: float, horizon: int) -> tuple[Any, ...]:
    """By the times themselves: window i is complete at time i, and its target at time i + horizon."""
    complete, known = np.arange(len(targets)), np.arange(len(targets)) + horizon
    tested = complete >= len(targets) - int(np.floor(test_share * len(targets)))
    trained = known <= complete[tested][0]
    return inputs[trained], targets[trained], inputs[tested], targets[tested]


# -- autoregression


def _fit_arguments(draw: Draw) -> dict[str, Any]:
    p = (3, 2, 4, 3)[draw.case]
    series = np.zeros(4 * p + 8 + draw.sizes["T"])
    for t, noise in enumerate(_values(draw, len(series), 0.8)):
        series[t] = noise + (0.5 * series[t - 1] - 0.3 * series[t - 2] if t > 1 else 0.0)
    return {"series": series, "p": p}


def _fit_oracle(series: Any, p: int) -> tuple[Any, float]:
    """By the normal equations, on centred windows."""
    inputs, targets = _windows_oracle(series, p, 1)
    centred = inputs - inputs.mean(axis=0)
    weights = np.linalg.solve(centred.T @ centred, centred.T @ (targets - targets.mean()))
    return weights, float(targets.mean() - inputs.mean(axis=0) @ weights)


def _forecast_arguments(draw: Draw) -> dict[str, Any]:
    p, steps = draw.sizes["D"], draw.sizes["K"]
    origin = p + draw.sizes["B"]
    return {
        "series": _values(draw, origin + steps + 2, 1.0),
        "origin": origin,
        "weights": draw("D", 0.5),
        "intercept": round(float(0.5 + draw.rng.random()), 3),
        "steps": steps,
    }


def _forecast_oracle(series: Any, origin: int, weights: Any, intercept: float, steps: int) -> Any:
    """By powers of the companion matrix: the window and a constant are one vector, a step is one product."""
    p = len(weights)
    step = np.eye(p + 1, k=-1)
    step[:, p - 1], step[p, p] = np.append(weights, intercept), 1.0
    start = np.append(series[origin - p : origin], 1.0)
    return np.array([(start @ np.linalg.matrix_power(step, k))[-2] for k in range(1, steps + 1)])


SEASONAL_NAIVE = Graded(
    name="seasonal_naive",
    arguments=_seasonal_arguments,
    oracle=_seasonal_oracle,
    outputs=(Output("forecasts", "steps", 2),),
    mistakes=(
        Mistake(
            "last value",
            {"last[np.arange(steps) % season]": "np.full(steps, last[-1])"},
            "the last value is repeated: that is the plain naive forecast, without a season",
        ),
        Mistake(
            "first season",
            {"train[-season:]": "train[:season]"},
            "the first season of the training part is repeated; the last one is the most recent",
        ),
        Mistake(
            "last steps",
            {"train[-season:]": "train[-steps:]", "np.arange(steps) % season": "np.arange(steps)"},
            "the last `steps` values are repeated; step 0 belongs to the time one season before it",
        ),
        Mistake(
            "one early",
            {"train[-season:]": "train[-season - 1 : -1]"},
            "each forecast is the value of season + 1 steps before it; train[-season] belongs to step 0",
        ),
        Mistake(
            "one late",
            {"train[-season:]": "train[1 - season :]", "% season": "% (season - 1)"},
            "the season is one step too short: train[-season] belongs to step 0, and train[1 - season] to step 1",
        ),
        Mistake(
            "phase of the start",
            {"np.arange(steps) % season": "np.arange(len(train), len(train) + steps) % season"},
            "the last season is begun at the place where the time modulo the season points; it begins at its beginning",
        ),
        Mistake(
            "repeat",
            {"last[np.arange(steps) % season]": "np.repeat(last, steps)[:steps]"},
            "np.repeat repeats each value before it goes on to the next; the season is repeated as a whole, as np.tile "
            "does",
        ),
        Mistake(
            "one season only",
            {"np.arange(steps) % season": "np.minimum(np.arange(steps), season - 1)"},
            "after one season the forecasts stay at its last value; the season begins again",
        ),
        Mistake(
            "reversed",
            {"train[-season:]": "train[-season:][::-1]"},
            "the last season runs backwards",
        ),
        Mistake(
            "mean of all seasons",
            {
                "last = train[-season:]": "whole = train[len(train) % season :]\n"
                "    last = whole.reshape(-1, season).mean(axis=0)"
            },
            "each forecast is the mean over all seasons; it is the value of the last one",
        ),
        Mistake(
            "drift added",
            {
                "last[np.arange(steps) % season]": "last[np.arange(steps) % season]"
                " + (1 + np.arange(steps) // season) * (last[-1] - train[-season - 1])"
            },
            "the change over the last season is added as a trend; nothing is added here",
        ),
        Mistake(
            "repeat, rounded up",
            {"last[np.arange(steps) % season]": "np.repeat(last, -(-steps // season))[:steps]"},
            "each value is repeated on the spot, as np.repeat does it; np.tile repeats the season as a whole",
        ),
        Mistake(
            "repeat, one more",
            {"last[np.arange(steps) % season]": "np.repeat(last, steps // season + 1)[:steps]"},
            "each value stands there steps // season + 1 times in a row, which is np.repeat; np.tile sets whole "
            "seasons one behind the other",
        ),
        Mistake(
            "index past the end",
            {"last[np.arange(steps) % season]": "train[np.arange(steps) - season]"},
            "from step `season` on, the index -season + k is no longer negative and counts from the beginning of "
            "train; take k % season",
        ),
        Mistake(
            "last value cut off",
            {"train[-season:]": "train[-season:-1]", "% season": "% (season - 1)"},
            "train[-season:-1] stops before the last value, so that the season is one step too short; write "
            "train[-season:]",
        ),
    ),
)

MASE = Graded(
    name="mase",
    arguments=_mase_arguments,
    oracle=_mase_oracle,
    outputs=(Output("mase", "", 3),),
    mistakes=(
        Mistake(
            "scaled on the test part",
            {"np.abs(train[season:] - train[:-season])": "np.abs(actual[season:] - actual[:-season])"},
            "the scale is taken from the test part; it must be known before the test begins, so it comes from `train`",
        ),
        Mistake(
            "lag 1",
            {"train[season:] - train[:-season]": "train[1:] - train[:-1]"},
            "the scale compares with the value one step before; the naive forecast looks back one season",
        ),
        Mistake(
            "root mean square",
            {
                "np.mean(np.abs(actual - forecast))": "np.sqrt(np.mean((actual - forecast) ** 2))",
                "np.mean(np.abs(train[season:] - train[:-season]))": "np.sqrt(np.mean((train[season:] "
                "- train[:-season]) ** 2))",
            },
            "errors are squared and a root is taken; both means are of absolute values",
        ),
        Mistake(
            "median",
            {"np.mean(np.abs(actual": "np.median(np.abs(actual", "np.mean(np.abs(train": "np.median(np.abs(train"},
            "medians are taken, of the errors and in the scale; both are means",
        ),
        Mistake(
            "signed errors",
            {"np.abs(actual - forecast)": "actual - forecast"},
            "the errors keep their signs and cancel each other; take absolute values before the mean",
        ),
        Mistake(
            "absolute value of the mean",
            {"np.mean(np.abs(actual - forecast))": "np.abs(np.mean(actual - forecast))"},
            "the absolute value is taken after the mean, when errors have cancelled each other already",
        ),
        Mistake(
            "forecasts late by one",
            {"np.abs(actual - forecast)": "np.abs(actual[:-1] - forecast[1:])"},
            "each forecast is compared with the value before its own; forecast[k] is for actual[k]",
        ),
        Mistake(
            "forecasts early by one",
            {"np.abs(actual - forecast)": "np.abs(actual[1:] - forecast[:-1])"},
            "each forecast is compared with the value after its own; forecast[k] is for actual[k]",
        ),
        Mistake(
            "not scaled",
            {"return error / scale": "return error"},
            "the mean absolute error is returned as it is, with the unit of the series; divide it by the scale",
        ),
        Mistake(
            "upside down",
            {"error / scale": "scale / error"},
            "the ratio is upside down: small is good, so the error stands above",
        ),
        Mistake(
            "scaled by the level",
            {"np.abs(train[season:] - train[:-season])": "np.abs(train)"},
            "the scale is the mean size of the values; it is the mean absolute error of a forecast, the seasonal naive",
        ),
        Mistake(
            "wrong count",
            {
                "np.mean(np.abs(train[season:] - train[:-season]))": "np.abs(train[season:] - train[:-season]).sum() "
                "/ len(train)"
            },
            "the scale is divided by len(train); the first season has no value a season before it, so there are "
            "`season` differences fewer",
        ),
        Mistake(
            "sums",
            {"np.mean(np.abs(actual": "np.sum(np.abs(actual", "np.mean(np.abs(train": "np.sum(np.abs(train"},
            "sums are divided by each other; test and training part have different lengths, so take the means",
        ),
        Mistake(
            "rolled over",
            {"train[season:] - train[:-season]": "train - np.roll(train, season)"},
            "np.roll brings the end of the series round to its beginning, so that the first season is compared with "
            "the last; it has nothing before it and is left out",
        ),
        Mistake(
            "signed scale",
            {"np.abs(train[season:] - train[:-season])": "train[season:] - train[:-season]"},
            "the differences in the scale keep their signs and cancel each other; take absolute values before the mean",
        ),
        Mistake(
            "mean of ratios",
            {"np.abs(actual - forecast)": "np.abs((actual - forecast) / actual)"},
            "each error is divided by its value, as in a percentage error, and the scale comes on top of that",
        ),
        Mistake(
            "no absolute values",
            {
                "np.abs(actual - forecast)": "actual - forecast",
                "np.abs(train[season:] - train[:-season])": "train[season:] - train[:-season]",
            },
            "no absolute values are taken, above or below, and what has different signs cancels",
        ),
        Mistake(
            "absolute values of both means",
            {
                "np.mean(np.abs(actual - forecast))": "np.abs(np.mean(actual - forecast))",
                "np.mean(np.abs(train[season:] - train[:-season]))": "np.abs(np.mean(train[season:] "
                "- train[:-season]))",
            },
            "both absolute values are taken after the mean; first each error and each difference, then the mean",
        ),
        Mistake(
            "mean squares",
            {
                "np.abs(actual - forecast)": "(actual - forecast) ** 2",
                "np.abs(train[season:] - train[:-season])": "(train[season:] - train[:-season]) ** 2",
            },
            "squares are taken in place of absolute values, above and below",
        ),
        Mistake(
            "squares above",
            {"np.abs(actual - forecast)": "(actual - forecast) ** 2"},
            "the errors above are squared; it is their absolute values that are averaged",
        ),
        Mistake(
            "scaled by the test level",
            {"np.abs(train[season:] - train[:-season])": "np.abs(actual)"},
            "the error is divided by the mean size of the values that were forecast; the scale is made of `train`",
        ),
        Mistake(
            "summed from the start",
            {
                "np.mean(np.abs(train[season:] - train[:-season]))": "np.abs(train - np.roll(train, season)).sum() "
                "/ (len(train) - season)"
            },
            "the sum in the scale begins at t = 0, where Python reads train[t - season] from the end of the series; it "
            "begins at t = season",
        ),
    ),
)

WINDOWS = Graded(
    name="windows",
    arguments=_windows_arguments,
    oracle=_windows_oracle,
    outputs=(Output("inputs", "B D", 2), Output("targets", "B", 2)),
    mistakes=(
        Mistake(
            "target inside the window",
            {"series[starts + p + horizon - 1]": "series[starts + p - 1]"},
            "the target is the last value of its own window: the answer is among the inputs",
        ),
        Mistake(
            "horizon off by one",
            {"series[starts + p + horizon - 1]": "series[starts + p + horizon - 2]"},
            "the target is one step too early: with horizon 1 it is the value right after the window, not its last one",
        ),
        Mistake(
            "one step too far",
            {"- horizon + 1)": "- horizon)", "series[starts + p + horizon - 1]": "series[starts + p + horizon]"},
            "the target is one step too far, and the last window is lost: with horizon 1 it is the value right after "
            "the window",
        ),
        Mistake(
            "last window dropped",
            {"- horizon + 1)": "- horizon)"},
            "the last window is missing: the last target must be the last value of the series",
        ),
        Mistake(
            "first window dropped",
            {"np.arange(len(series) - p - horizon + 1)": "np.arange(1, len(series) - p - horizon + 1)"},
            "the first window is missing: it begins with the first value of the series",
        ),
        Mistake(
            "newest first",
            {"np.arange(p)": "np.arange(p)[::-1]"},
            f"each window is turned round; {OLDEST_FIRST}",
        ),
        Mistake(
            "windows apart",
            {"np.arange(len(series) - p - horizon + 1)": "np.arange(0, len(series) - p - horizon + 1, p)"},
            "the windows follow one another without overlap; each begins one step after the one before it",
        ),
        Mistake(
            "transposed",
            {"series[starts[:, None] + np.arange(p)]": "series[starts[:, None] + np.arange(p)].T"},
            "the inputs are transposed: each window is a row",
        ),
        Mistake(
            "horizon ignored",
            {"series[starts + p + horizon - 1]": "series[starts + p]"},
            "the target is always the value right after the window, whatever the horizon is",
        ),
        Mistake(
            "last windows too many",
            {"np.arange(len(series) - p - horizon + 1)": "np.arange(len(series) - p)"},
            "there are len(series) - p windows; with a horizon above 1 the last of them have no target",
        ),
        Mistake(
            "all steps to the horizon",
            {"series[starts + p + horizon - 1]": "series[starts[:, None] + p + np.arange(horizon)]"},
            "each target holds all values up to the horizon; it is one value, that of the horizon itself",
        ),
        Mistake(
            "last windows first",
            {"np.arange(len(series) - p - horizon + 1)": "np.arange(len(series) - p - horizon + 1)[::-1]"},
            "the windows are in the wrong order, the latest in the first row",
        ),
        Mistake(
            "no horizon at all",
            {
                "np.arange(len(series) - p - horizon + 1)": "np.arange(len(series) - p)",
                "series[starts + p + horizon - 1]": "series[starts + p]",
            },
            "the horizon is ignored, in the targets and in the number of windows",
        ),
        Mistake(
            "windows without a target",
            {"starts[:, None] + np.arange(p)": "np.arange(len(series) - p + 1)[:, None] + np.arange(p)"},
            "all windows that fit into the series are kept; those whose target would lie beyond its end must go",
        ),
        Mistake(
            "horizon as stride",
            {
                "np.arange(len(series) - p - horizon + 1)": "np.arange(0, len(series) - p - horizon + 1, horizon)",
            },
            "each window begins `horizon` steps after the one before it; it begins one step after it",
        ),
        Mistake(
            "horizon from the first value",
            {"series[starts + p + horizon - 1]": "series[starts + horizon]"},
            "the horizon is counted from the first value of the window; it is counted from the last",
        ),
        Mistake(
            "windows one late",
            {"starts[:, None] + np.arange(p)": "starts[:, None] + 1 + np.arange(p)"},
            "the windows begin one step late, beside the right targets; the first begins with series[0]",
        ),
    ),
)

SPLIT = Graded(
    name="split_by_time",
    arguments=_split_arguments,
    oracle=_split_oracle,
    outputs=(
        Output("train_inputs", "B D", 1),
        Output("train_targets", "B", 1),
        Output("test_inputs", "B D", 1),
        Output("test_targets", "B", 1),
    ),
    mistakes=(
        Mistake(
            "shuffled",
            {
                "test_count = int": "order = np.random.default_rng(0).permutation(len(targets))\n"
                "    inputs, targets = inputs[order], targets[order]\n    test_count = int"
            },
            "the windows are shuffled before the split: the model is trained on neighbours of what it is tested on, "
            "before and after it",
        ),
        Mistake(
            "no gap",
            {"known = first - horizon + 1": "known = first"},
            "the training part runs right up to the test: its last targets are not known yet when the first test "
            "forecast is made",
        ),
        Mistake(
            "gap one too long",
            {"first - horizon + 1": "first - horizon"},
            "one training window too many is left out: with horizon 1 no window is lost",
        ),
        Mistake(
            "gap one too short",
            {"first - horizon + 1": "first - horizon + 2"},
            "one training window too many is kept: its target is the value right after the first test window, not yet "
            "known when the first test forecast is made",
        ),
        Mistake(
            "gap taken from the test",
            {"known = first - horizon + 1": "known = first\n    first = first + horizon - 1"},
            "the gap is cut out of the test part; it is training windows that are left out",
        ),
        Mistake(
            "no value in common",
            {"first - horizon + 1": "first - horizon + 1 - inputs.shape[1]"},
            "all windows that share a value with a test window are left out, or all whose target is not before the "
            "first value of the first test window; its last value counts: what is known then may be learnt from",
        ),
        Mistake(
            "overlap",
            {"inputs[:known], targets[:known]": "inputs, targets"},
            "the training part holds all the windows, those of the test among them",
        ),
        Mistake(
            "test first",
            {
                "inputs[:known], targets[:known], inputs[first:], targets[first:]": "inputs[test_count + horizon - 1 :]"
                ", targets[test_count + horizon - 1 :], inputs[:test_count], targets[:test_count]"
            },
            "the test part stands at the beginning: the model is trained on the future of what it is tested on",
        ),
        Mistake(
            "rounded up",
            {"int(test_share * len(targets))": "int(np.ceil(test_share * len(targets)))"},
            "the number of test windows is rounded up, as happens when the training part is the one that is rounded "
            "down",
        ),
        Mistake(
            "rounded to the nearest",
            {"int(test_share * len(targets))": "round(test_share * len(targets))"},
            "the number of test windows is rounded to the nearest whole number; it is rounded down",
        ),
        Mistake(
            "share of the training part",
            {"len(targets) - test_count": "test_count"},
            "test_share is taken as the share of the training part",
        ),
        Mistake(
            "every few windows",
            {
                "inputs[first:], targets[first:]": "inputs[:: len(targets) // test_count][:test_count], "
                "targets[:: len(targets) // test_count][:test_count]"
            },
            "the test windows are picked at regular distances from the whole series; they are the last ones",
        ),
        Mistake(
            "first test window in both",
            {"known = first - horizon + 1": "known = first + 1"},
            "the training part runs on into the test and holds its first window as well",
        ),
        Mistake(
            "test one late",
            {"len(targets) - test_count": "len(targets) - test_count + 1"},
            "the test part begins one window late, and the training part ends one late; the last "
            "int(test_share * B) windows are tested",
        ),
        Mistake(
            "first test window dropped",
            {"inputs[first:], targets[first:]": "inputs[first + 1 :], targets[first + 1 :]"},
            "the first test window is left out; the gap lies before it",
        ),
        Mistake(
            "last test window dropped",
            {"inputs[first:], targets[first:]": "inputs[first:-1], targets[first:-1]"},
            "the last window is missing from the test part; a slice that ends at -1 stops before it",
        ),
    ),
)

FIT_AR = Graded(
    name="fit_ar",
    arguments=_fit_arguments,
    oracle=_fit_oracle,
    outputs=(Output("weights", "D", 2), Output("intercept", "", 1)),
    mistakes=(
        Mistake(
            "newest first",
            {"series[t - p : t]": "series[t - p : t][::-1]"},
            f"the weights are in reversed order; {OLDEST_FIRST}, and so does its weight",
        ),
        Mistake(
            "no intercept",
            {
                "np.append(series[t - p : t], 1.0)": "np.append(series[t - p : t], 0.0)",
                "solved[:-1], solved[-1]": "solved[:-1], 0.0",
            },
            "the intercept is forgotten and the line goes through the origin; lay a 1 beside each window",
        ),
        Mistake(
            "intercept first",
            {"solved[:-1], solved[-1]": "solved[1:], solved[0]"},
            "the first of the p + 1 solved numbers is taken for the intercept; it is that of the column of ones, here "
            "the last",
        ),
        Mistake(
            "ones first",
            {"np.append(series[t - p : t], 1.0)": "np.append(1.0, series[t - p : t])"},
            "the ones stand in the first column and the intercept is read off the last; it belongs to the column of "
            "ones",
        ),
        Mistake(
            "target inside the window",
            {
                "series[t - p : t]": "series[t - p + 1 : t + 1]",
                "solved[:-1], solved[-1]": "solved[:-1], round(solved[-1], 9)",  # zero, but for rounding
            },
            "the target is the last value of its own window, so that the best forecast is to copy it: weights 0, …, 0, "
            "1",
        ),
        Mistake(
            "one step too early",
            {"range(p, len(series))": "range(p, len(series) - 1)", "series[p:]": "series[p + 1 :]"},
            "the windows end one step too early: the value right before the target is not in them",
        ),
        Mistake(
            "last value dropped",
            {"range(p, len(series))": "range(p, len(series) - 1)", "series[p:]": "series[p:-1]"},
            "the last value of the series is never a target",
        ),
        Mistake(
            "first target dropped",
            {"range(p, len(series))": "range(p + 1, len(series))", "series[p:]": "series[p + 1 :]"},
            "the first target is left out: the value after the first p is one already",
        ),
        Mistake(
            "windows apart",
            {"range(p, len(series))": "range(p, len(series), p)", "series[p:]": "series[p::p]"},
            "the windows follow one another without overlap; every value after the first p is a target",
        ),
        Mistake(
            "backwards",
            {"rows = [": "series = series[::-1]\n    rows = ["},
            "the series is read backwards: the values before are forecast from those after",
        ),
        Mistake(
            "centred",
            {"series[t - p : t]": "series[t - p : t] - series.mean()"},
            "the intercept is that of centred windows; it must fit the values as they come",
        ),
        Mistake(
            "mean as intercept",
            {"solved[:-1], solved[-1]": "solved[:-1], series.mean()"},
            "the mean of the series is returned as the intercept",
        ),
        Mistake(
            "changes",
            {"rows = [": "series = np.diff(series)\n    rows = ["},
            "the changes from step to step are fitted in place of the values",
        ),
    ),
)

FORECAST_AR = Graded(
    name="forecast_ar",
    arguments=_forecast_arguments,
    oracle=_forecast_oracle,
    outputs=(Output("forecasts", "steps", 4),),
    mistakes=(
        Mistake(
            "true future used",
            {"np.append(window[1:], forecasts[k])": "np.append(window[1:], series[origin + k])"},
            "the window takes in the true values as it moves on; at the origin they are not known, so it takes in the "
            "forecasts",
        ),
        Mistake(
            "lags reversed",
            {"window @ weights": "window[::-1] @ weights"},
            f"the weights meet the window in reversed order; {OLDEST_FIRST}, and weights[0] belongs to it",
        ),
        Mistake(
            "intercept forgotten",
            {" + intercept": ""},
            "the intercept is forgotten",
        ),
        Mistake(
            "intercept once",
            {" + intercept": " + intercept * (k == 0)"},
            "the intercept is added at the first step only; every step adds it",
        ),
        Mistake(
            "fed back without intercept",
            {"np.append(window[1:], forecasts[k])": "np.append(window[1:], forecasts[k] - intercept)"},
            "what enters the window lacks the intercept; it is the whole forecast",
        ),
        Mistake(
            "window stands still",
            {"        window = np.append(window[1:], forecasts[k])\n": ""},
            "the window never moves on, so that all forecasts are the first one",
        ),
        Mistake(
            "newest dropped",
            {"np.append(window[1:], forecasts[k])": "np.append(window[:-1], forecasts[k])"},
            "the newest value leaves the window when a forecast comes in; it is the oldest that goes",
        ),
        Mistake(
            "wrong end",
            {"np.append(window[1:], forecasts[k])": "np.append(forecasts[k], window[:-1])"},
            "the forecast enters the window at the oldest end; it is the newest value, and comes last",
        ),
        Mistake(
            "from the end of the series",
            {"series[origin - len(weights) : origin]": "series[-len(weights) :]"},
            "the forecasts begin at the end of the series; they begin at the origin, and what comes after it is not "
            "known",
        ),
        Mistake(
            "origin known",
            {"series[origin - len(weights) : origin]": "series[origin - len(weights) + 1 : origin + 1]"},
            "the first window ends with series[origin], which is the first value to be forecast",
        ),
        Mistake(
            "origin one early",
            {"series[origin - len(weights) : origin]": "series[origin - len(weights) - 1 : origin - 1]"},
            "the first window ends one step too early; series[origin - 1] is known",
        ),
        Mistake(
            "last known value first",
            {
                "return forecasts": "return np.append(series[origin - 1], forecasts[:-1])",
            },
            "the forecasts begin with the last known value, and all others are late by one",
        ),
        Mistake(
            "written into the series",
            {
                "forecasts[k] = window @ weights + intercept": "series[origin + k] = forecasts[k] = "
                "window @ weights + intercept"
            },
            "the forecasts are written into the series itself. A slice is a view: what is written into the window is "
            "written into series; take a copy",
        ),
        Mistake(
            "return inside the loop",
            {"    return forecasts": "        return forecasts"},
            "the return stands inside the loop, so that only the first step is forecast",
        ),
        Mistake(
            "from the beginning of the series",
            {"series[origin - len(weights) : origin]": "series[: len(weights)]"},
            "the first window holds the first p values of the series; it holds the last p before the origin",
        ),
        Mistake(
            "one forecast in the window",
            {
                "np.append(window[1:], forecasts[k])": "np.append(series[origin + k + 1 - len(weights) : origin + k], "
                "forecasts[k])"
            },
            "only the newest place of the window holds a forecast, and the places before it true values from after the "
            "origin; they hold the earlier forecasts",
        ),
        Mistake(
            "intercept at every place",
            {"window @ weights + intercept": "(window * weights + intercept).sum()"},
            "the intercept is added inside the sum, once for each place of the window; it is added once a step",
        ),
        Mistake(
            "intercept twice",
            {" + intercept": " + 2 * intercept"},
            "the intercept is added twice at every step",
        ),
        Mistake(
            "fed back with another intercept",
            {"np.append(window[1:], forecasts[k])": "np.append(window[1:], forecasts[k] + intercept)"},
            "what enters the window has the intercept in it twice; the forecast holds it already",
        ),
    ),
)

EXERCISE = Exercise("01_sequences", (SEASONAL_NAIVE, MASE, WINDOWS, SPLIT, FIT_AR, FORECAST_AR), by_hand=2)
