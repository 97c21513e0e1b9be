# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown] nbgrader={"grade": false, "grade_id": "introduction", "locked": true, "schema_version": 3, "solution": false, "task": false}
# # Exercise 1: sequences, baselines and windows
#
# You write the tools with which every forecast of this course is judged: a baseline, a measure, windows and targets, a
# split that does not leak, and a linear model that forecasts step by step. Six functions, 20 points, and an open task
# for 2 more. At the end they forecast two years of airline passengers. NumPy is all you need.
#
# **Notation**, as in chapter 1. A *series* is an array of shape $(T,)$, one number per time step, the oldest first. A
# *window* is $p$ values in a row, again the oldest first. $B$ windows, one below another, are an array $(B, p)$; where a
# check speaks of $D$, the inputs of a network, it is this $p$. Steps are counted from 0, as in Python.
#
# **How it is marked.** Below each function stands a cell that begins with `check`. Run it as often as you like: it
# calls your function on random inputs of several sizes, prints what it found, and returns your points. Each output
# earns its points when all its elements are right, to about five digits. Loops, slices, fancy indices: all are
# welcome. Return NumPy arrays (lists of them will do, and float32 as well as float64); where one of several outputs is
# not written yet, return None for it. A function that changes its arguments earns nothing: they belong to the caller.
# If a cell runs for a minute, interrupt it: Kernel → Interrupt.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from rnngrade.checks import load

check = load("01_sequences")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-seasonal-naive", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. The same as last year (2 points)
#
# The baseline to beat: next January will be like the last January that we know.
#
# Write `seasonal_naive(train, season, steps)`. `train` $(T,)$ is all that is known, `season` the number of steps after
# which things repeat (12 for monthly values), and $T$ is at least `season`. It returns `forecasts`, shape `(steps,)`, for the
# `steps` time steps that follow `train`: each is the *last known* value at a distance of whole seasons. `steps` may be
# smaller than the season or larger; then the last season is repeated as often as needed.
#
# *By hand:* `train` = 1, 2, 3, 4, 5, 6, 7 with a season of 3. The last season is 5, 6, 7, so seven steps are
# 5, 6, 7, 5, 6, 7, 5, and two steps are 5, 6.
#
# *Hint.* `np.arange(steps) % season` counts 0, 1, …, `season` − 1, 0, 1, … .


# %% nbgrader={"grade": false, "grade_id": "seasonal-naive", "locked": false, "schema_version": 3, "solution": true, "task": false}
def seasonal_naive(train, season, steps):
    """The last season of train (T,), repeated over the time steps after it: (steps,)."""
    ### BEGIN SOLUTION
    last = train[-season:]
    return last[np.arange(steps) % season]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-seasonal-naive", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.seasonal_naive(seasonal_naive)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-mase", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. How good is a forecast? (3 points)
#
# An error of 30 thousand passengers: is that much? Measure it by the error that the seasonal naive forecast made, one
# season ahead, within the training part. With the season $m$, a training part $x_0, \dots, x_{T-1}$ and $n$ forecasts
# $\hat y_k$ of the values $y_k$,
#
# $$\mathrm{MASE} = \frac{\frac1n \sum_{k=0}^{n-1} |y_k - \hat y_k|}
# {\frac1{T - m} \sum_{t=m}^{T-1} |x_t - x_{t-m}|}.$$
#
# It has no unit. Below 1 the forecast is better than the naive one was on the training part; 0 is perfect.
#
# Write `mase(actual, forecast, train, season)`; `actual` and `forecast` are $(n,)$, `train` is $(T,)$ with $T > m$. It
# returns one number.
#
# *By hand:* `train` = 1, 3, 2, 6, season 2. The differences are $2 - 1 = 1$ and $6 - 3 = 3$, the scale is 2. Values
# 4, 8 and forecasts 5, 5 have the errors 1 and 3, on average 2. The MASE is $2 / 2 = 1$.
#
# *Hint.* `train[season:]` and `train[:-season]` have the same length; what lies side by side is one season apart.


# %% nbgrader={"grade": false, "grade_id": "mase", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mase(actual, forecast, train, season):
    """Mean absolute error of forecast (n,), in units of the seasonal naive one on train (T,): one number."""
    ### BEGIN SOLUTION
    error = np.mean(np.abs(actual - forecast))
    scale = np.mean(np.abs(train[season:] - train[:-season]))
    return error / scale
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-mase", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.mase(mase)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-windows", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. Windows and targets (4 points)
#
# A feed-forward network takes a fixed number of inputs. So a series is cut into windows: $p$ values in a row, and as
# the target the value `horizon` steps after the last of them. Horizon 1 is the very next value. Each window begins one
# step after the one before it, so windows overlap; the first begins with `series[0]`, and the last is the one whose target is
# the last value of the series.
#
# Write `windows(series, p, horizon)` with `series` $(T,)$ and whole numbers $p \ge 1$, `horizon` $\ge 1$,
# $p + \text{horizon} \le T$. It returns, in this order,
#
# - `inputs` $(B, p)$: row $i$ is window $i$, its oldest value first (2 points);
# - `targets` $(B,)$: `targets[i]` belongs to row $i$ (2 points).
#
# How many windows there are, $B$, you find out yourself.
#
# *By hand:* the series 10, 11, 12, 13, 14, 15 with $p = 3$ and horizon 2. The windows are (10, 11, 12) and
# (11, 12, 13), the targets 14 and 15. With horizon 1 there are three: (10, 11, 12) → 13, (11, 12, 13) → 14 and
# (12, 13, 14) → 15.
#
# *Hint.* If window $i$ begins at time $i$, where does it end? Where is its target? For which $i$ is that $T - 1$?


# %% nbgrader={"grade": false, "grade_id": "windows", "locked": false, "schema_version": 3, "solution": true, "task": false}
def windows(series, p, horizon):
    """Cut series (T,) into overlapping windows: inputs (B, p), targets (B,)."""
    ### BEGIN SOLUTION
    starts = np.arange(len(series) - p - horizon + 1)
    inputs = series[starts[:, None] + np.arange(p)]
    targets = series[starts + p + horizon - 1]
    return inputs, targets
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-windows", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.windows(windows)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-split-by-time", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. A split that does not leak (4 points)
#
# The test imitates the day on which the model goes to work: everything before that day may be learnt from, nothing
# after it. You are given what `windows` has made, in the order of time.
#
# Write `split_by_time(inputs, targets, test_share, horizon)` with `inputs` $(B, p)$ and `targets` $(B,)$.
#
# - The *test part* is the last `int(test_share * B)` windows: rounded down. (`test_share` lies between 0 and 1, and is such that
#   there is at least one.)
# - The first test forecast is made at the time of the last value in the first test window. The *training part* is all the
#   windows whose target lies at that time or earlier. With horizon 1 these are all the windows before the test
#   part; with a longer horizon a few in between belong to neither. (There is always at least one for training.)
#
# It returns, in this order, `train_inputs`, `train_targets`, `test_inputs`, `test_targets` (1 point each), all in the
# order of time. That test windows and training windows have values in common does no harm: the past is known.
#
# *By hand:* the series 0, 1, 2, …, 9 with $p = 3$ and horizon 2 has six windows, beginning with 0, 1, …, 5. A
# test share of 0.4 makes two test windows ($0.4 \cdot 6 = 2.4$): (4, 5, 6) → 8 and (5, 6, 7) → 9. The first test forecast is
# made at time 6. Training windows are (0, 1, 2) → 4, (1, 2, 3) → 5 and (2, 3, 4) → 6. The window (3, 4, 5) → 7 is in neither part: at
# time 6 nobody knows the 7.
#
# *Hint.* If the first test window has the number $f$, its last value is at time $f + p - 1$. The target of window $i$
# is at time $i + p + \text{horizon} - 1$.


# %% nbgrader={"grade": false, "grade_id": "split-by-time", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_by_time(inputs, targets, test_share, horizon):
    """Split windows (B, p) and targets (B,): train_inputs, train_targets, test_inputs, test_targets."""
    ### BEGIN SOLUTION
    test_count = int(test_share * len(targets))
    first = len(targets) - test_count
    known = first - horizon + 1
    return inputs[:known], targets[:known], inputs[first:], targets[first:]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-split-by-time", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.split_by_time(split_by_time)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-fit-ar", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. Autoregression (3 points)
#
# The simplest model that looks at a window is a weighted sum of it. With one weight per place and an intercept $c$,
#
# $$\hat x_t = c + \sum_{j=0}^{p-1} w_j \, x_{t-p+j},$$
#
# so that $w_0$ belongs to the oldest value of the window and $w_{p-1}$ to the newest. The best weights are those with the smallest
# sum of squared errors $\sum_{t=p}^{T-1} (x_t - \hat x_t)^2$: every value that has $p$ values before it is a target, once.
#
# Write `fit_ar(series, p)` with `series` $(T,)$. It returns `weights` $(p,)$ (2 points) and `intercept`, one number (1
# point). The random series of the check have many more values than weights, so the answer is unique. Nothing is
# centred or scaled.
#
# *By hand:* the series 1, 2, 4, 8 with $p = 1$: each value is twice the one before. The weight is 2 and the intercept 0.
#
# *Hint.* `np.linalg.lstsq(A, y, rcond=None)[0]` solves $\min_v \lVert A v - y \rVert^2$. Let each row of $A$ be a window with a 1
# behind it: that column's number is the intercept.


# %% nbgrader={"grade": false, "grade_id": "fit-ar", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fit_ar(series, p):
    """Least squares on the windows of series (T,): weights (p,), the oldest value's first, and intercept."""
    ### BEGIN SOLUTION
    rows = [np.append(series[t - p : t], 1.0) for t in range(p, len(series))]
    solved = np.linalg.lstsq(np.array(rows), series[p:], rcond=None)[0]
    return solved[:-1], solved[-1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-fit-ar", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.fit_ar(fit_ar)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-forecast-ar", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 6. Step by step into the unknown (4 points)
#
# Such a model says one step ahead. To go further, treat what it said as if it had happened: put it into the window, drop the
# oldest value, and ask again.
#
# Write `forecast_ar(series, origin, weights, intercept, steps)`:
#
# | argument | |
# |---|---|
# | `series` | $(T,)$, the whole series, with values after the origin too |
# | `origin` | whole number, at least $p$: `series[0]`, …, `series[origin - 1]` are known, all later values are not |
# | `weights` | $(p,)$, the first one for the oldest value of the window, as in `fit_ar` |
# | `intercept` | one number, added at every step |
# | `steps` | whole number, at least 1; `origin + steps` is at most $T$ |
#
# It returns `forecasts`, shape `(steps,)`: `forecasts[k]` is the forecast of `series[origin + k]`, made at the origin. The later values
# are in the array because the book compares the forecasts with them; a forecast that uses them is no forecast.
#
# *By hand:* the series 5, 1, 2, 9, 9 with origin 3, weights (1, 2) and intercept 1. The first window is (1, 2):
# $1 \cdot 1 + 2 \cdot 2 + 1 = 6$. The next is (2, 6): $2 + 12 + 1 = 15$. Two steps: 6, 15.
#
# *Hint.* `np.append(window[1:], new)` makes a new array and leaves `series` as it is. A slice of `series` is no copy: who writes
# into it writes into `series`.


# %% nbgrader={"grade": false, "grade_id": "forecast-ar", "locked": false, "schema_version": 3, "solution": true, "task": false}
def forecast_ar(series, origin, weights, intercept, steps):
    """Forecasts of series[origin], series[origin + 1], … from the values before the origin: (steps,)."""
    ### BEGIN SOLUTION
    window = series[origin - len(weights) : origin]
    forecasts = np.zeros(steps)
    for k in range(steps):
        forecasts[k] = window @ weights + intercept
        window = np.append(window[1:], forecasts[k])
    return forecasts
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-forecast-ar", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.forecast_ar(forecast_ar)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-passengers", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## In action
#
# Nothing to write, nothing to earn: thousands of airline passengers a month, January 1949 to December 1960
# (Box and Jenkins 1976), with the last two years to be forecast by your functions. The autoregression looks back 13 months and works on logarithms,
# where a growth of so many per cent a year is a straight line. It prints 2.49 for the seasonal naive forecast and 1.18 for the
# autoregression. Both are above 1: two years ahead is harder than one season ahead, and the numbers grow.


# %% nbgrader={"grade": false, "grade_id": "passengers", "locked": true, "schema_version": 3, "solution": false, "task": false}
passengers = np.fromstring(
    """
    112 118 132 129 121 135 148 148 136 119 104 118   115 126 141 135 125 149 170 170 158 133 114 140
    145 150 178 163 172 178 199 199 184 162 146 166   171 180 193 181 183 218 230 242 209 191 172 194
    196 196 236 235 229 243 264 272 237 211 180 201   204 188 235 227 234 264 302 293 259 229 203 229
    242 233 267 269 270 315 364 347 312 274 237 278   284 277 317 313 318 374 413 405 355 306 271 306
    315 301 356 348 355 422 465 467 404 347 305 336   340 318 362 348 363 435 491 505 404 359 310 337
    360 342 406 396 420 472 548 559 463 407 362 405   417 391 419 461 472 535 622 606 508 461 390 432
    """,
    sep=" ",
)


def two_years():
    import matplotlib.pyplot as plt

    origin, years = 120, 1949 + np.arange(144) / 12
    train, actual, logs = passengers[:origin], passengers[origin:], np.log(passengers)
    weights, intercept = fit_ar(logs[:origin], 13)
    forecasts = {
        "seasonal naive": seasonal_naive(train, 12, 24),
        "autoregression": np.exp(forecast_ar(logs, origin, weights, intercept, 24)),
    }
    plt.figure(figsize=(7, 3.2))
    plt.plot(years[84:], passengers[84:], "k.-", label="passengers")
    for (name, forecast), line in zip(forecasts.items(), ("--", "-"), strict=True):
        error = mase(actual, forecast, train, 12)
        print(f"{name:>15}: MASE {error:.2f}")
        plt.plot(years[origin:], forecast, line, label=f"{name}, MASE {error:.2f}")
    plt.ylabel("thousands a month")
    plt.legend()


try:
    two_years()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: from any other month (2 points, marked by hand)
#
# The cell above forecasts from one origin, the end of 1958. Would the autoregression have won from another one? Design
# an experiment that answers this with the twelve years there are: from which origins, what is fitted anew at each,
# against which opponents, what is reported. One opponent should know that the numbers grow.
#
# Carry it out with your functions. In how many of your origins does the autoregression win, and how many independent
# results are there among them?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Design.* Rolling origins, such as each month from 60 (the end of 1953) to 120. At each origin $o$ only `logs[:o]` is
# used: the weights are fitted anew, and the scale of the MASE is that of `passengers[:o]`. Forecast 24 months.
# Opponents: `seasonal_naive`, and the same with growth: the last season times the ratio of the last twelve months' sum
# to that of the twelve before, once for the first year and twice for the second. Report how often each wins, and the
# distribution of the MASE, not its mean alone.
#
# *Result* for these 61 origins. The autoregression beats the seasonal naive forecast at every one of them: its MASE
# lies between about 0.4 and 1.7, and is 0.9 on average, against 1.2 to 2.9 and 2.0. The opponent that grows is far
# stronger, 1.1 on average, and wins at about a quarter of the origins. At the end of 1958, where the cell above stands,
# the autoregression beats it too.
#
# *How independent?* Neighbouring origins share 23 of their 24 months, and most of what they were fitted to. The months
# after the first origin, 84 of them, hold three stretches of 24 that do not overlap. So this is about three results and
# not 61, all from one series: enough to say that the end of 1958 was no lucky draw, too little for a statement on other
# series.
#
# **Marking**
#
# - ½ point: nothing after an origin is used at it, neither for the weights nor for the scale.
# - ½ point: an opponent that grows, beside the seasonal naive forecast.
# - ½ point: carried out; the share of wins and the spread are reported.
# - ½ point: the origins overlap, and there are only a few independent ones (any count from 2 to 7 with its reason).

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
