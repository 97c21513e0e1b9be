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
# # Exercise 2: a network with memory
#
# You write the networks of chapter 2 with your own hands: one step of Elman's network, the loop over a sequence, the
# readout, Jordan's variant, and a network that listens to itself. Six functions, 20 points, and an open task for 2
# more. NumPy is all you need.
#
# **Notation.** $T$ time steps, $B$ sequences side by side, $D$ inputs, $H$ hidden units, $K$ outputs. Time comes first:
# a batch of sequences is an array `xs` of shape $(T, B, D)$, so `xs[t]` is what all sequences show at step $t$. Vectors
# are rows, and `x @ W` maps $(B, D)$ to $(B, H)$.
#
# **How it is marked.** Below each function stands a cell that begins with `check`. Run it as often as you like: it
# calls your function on random inputs of several shapes, prints what it found, and returns your points. An output that
# is right in every element, to about five digits, earns its points. How you get there is your affair: loops, `einsum`,
# another order. Return NumPy arrays (lists of them will do, and float32 as well as float64). A function that changes
# its arguments earns nothing: they belong to the caller. If a cell runs for a minute, interrupt it: Kernel → Interrupt.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from rnngrade.checks import load

check = load("02_elman")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-elman-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. One step (3 points)
#
# The new state mixes what is seen now with what was kept from before, and squashes the sum:
#
# $$a_t = x_t W + h_{t-1} U + b, \qquad h_t = \tanh(a_t).$$
#
# Write `elman_step(x, h, W, U, b)`. It returns $h_t$, of shape $(B, H)$.
#
# | argument | shape | |
# |---|---|---|
# | `x` | $(B, D)$ | inputs of this step |
# | `h` | $(B, H)$ | state after the last step |
# | `W` | $(D, H)$ | input to hidden |
# | `U` | $(H, H)$ | hidden to hidden |
# | `b` | $(H,)$ | bias |
#
# *By hand:* with one sequence, one input and one unit, $x = 2$, $h = 0.5$, $W = 1$, $U = -2$, $b = 0$, the sum is
# $2 - 1 = 1$ and the new state is $\tanh 1 \approx 0.7616$.
#
# *Hint.* $U$ is square, so `h @ U.T` runs as well as `h @ U`. Row $i$ of $U$ holds what unit $i$ sends out, column $j$
# what unit $j$ receives.


# %% nbgrader={"grade": false, "grade_id": "elman-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def elman_step(x, h, W, U, b):
    """One step of Elman's network: x (B, D), h (B, H) → new state (B, H)."""
    ### BEGIN SOLUTION
    a = x @ W + h @ U + b
    return np.tanh(a)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-elman-step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.elman_step(elman_step)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-elman-forward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. The whole sequence (4 points)
#
# The same step, with the same weights, once for every $t = 1, \dots, T$; each step starts from the state left by the step
# before. The first starts from $h_0$.
#
# Write `elman_forward(xs, h0, W, U, b)`. It returns two arrays:
#
# - `hs`, shape $(T, B, H)$, with `hs[t]` the state *after* `xs[t]` has been read (3 points);
# - `h_last`, shape $(B, H)$, the state after the whole sequence (1 point).
#
# `xs` is $(T, B, D)$ and `h0` is $(B, H)$. The initial state is not always zero. You may call your `elman_step`, and
# then an error there counts here too.
#
# *Hint.* Python counts from 0, so `hs[0]` is the $h_1$ of the formula: the first state that has seen something.


# %% nbgrader={"grade": false, "grade_id": "elman-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def elman_forward(xs, h0, W, U, b):
    """Elman's network over a sequence: xs (T, B, D), h0 (B, H) → hs (T, B, H), h_last (B, H)."""
    ### BEGIN SOLUTION
    h = h0
    hs = []
    for x in xs:
        h = np.tanh(x @ W + h @ U + b)
        hs.append(h)
    return np.stack(hs), h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-elman-forward", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.elman_forward(elman_forward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-readout", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. The readout (3 points)
#
# At each step, the state is turned into a probability for each of $K$ classes:
#
# $$o_t = h_t V + c, \qquad p_{t,k} = \frac{e^{o_{t,k}}}{\sum_j e^{o_{t,j}}}.$$
#
# Write `readout(hs, V, c)` with `hs` $(T, B, H)$, `V` $(H, K)$, `c` $(K,)$. It returns the probabilities, shape
# $(T, B, K)$. For every step and every sequence they sum to 1.
#
# *Hint.* Some of the test's scores are in the thousands, and $e^{1000}$ is infinite in floating point. The softmax does
# not change when the same number is subtracted from all scores of one step and sequence: subtract the largest of them.


# %% nbgrader={"grade": false, "grade_id": "readout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def readout(hs, V, c):
    """Softmax readout at every step: hs (T, B, H) → probabilities (T, B, K)."""
    ### BEGIN SOLUTION
    o = hs @ V + c
    e = np.exp(o - o.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-readout", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.readout(readout)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-jordan-forward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Jordan's network (4 points)
#
# Jordan lets the *output* come back where Elman lets the hidden layer come back:
#
# $$h_t = \tanh(x_t W + y_{t-1} U + b), \qquad y_t = h_t V + c.$$
#
# Write `jordan_forward(xs, y0, W, U, b, V, c)`. It returns `ys`, shape $(T, B, K)$: the output after every step.
#
# Shapes: `xs` $(T, B, D)$, `y0` $(B, K)$, `W` $(D, H)$, `U` $(K, H)$, `b` $(H,)$, `V` $(H, K)$, `c` $(K,)$. The readout
# is linear: no tanh and no softmax on $y_t$.
#
# *Hint.* In some of the tests $K = H$, so that a wrong array fits without complaint. In one of them it does not.


# %% nbgrader={"grade": false, "grade_id": "jordan-forward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def jordan_forward(xs, y0, W, U, b, V, c):
    """Jordan's network over a sequence: xs (T, B, D), y0 (B, K) → ys (T, B, K)."""
    ### BEGIN SOLUTION
    y = y0
    ys = []
    for x in xs:
        h = np.tanh(x @ W + y @ U + b)
        y = h @ V + c
        ys.append(y)
    return np.stack(ys)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-jordan-forward", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.jordan_forward(jordan_forward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-count-parameters", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. How many numbers does it learn? (2 points)
#
# Write `count_parameters(input_size, hidden_size, output_size, steps)`: how many parameters an Elman network with the
# linear readout $o_t = h_t V + c$ has, when it reads sequences of `steps` steps. Count $W$, $U$, $b$, $V$ and $c$. It
# returns one whole number.
#
# *By hand:* one input, one unit, one output: $W$, $U$, $b$, $V$, $c$ are one number each, so 5, whatever `steps` is.


# %% nbgrader={"grade": false, "grade_id": "count-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(input_size, hidden_size, output_size, steps):
    """The number of parameters of an Elman network with a linear readout."""
    ### BEGIN SOLUTION
    cell = input_size * hidden_size + hidden_size * hidden_size + hidden_size
    output = hidden_size * output_size + output_size
    return cell + output
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-count-parameters", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.count_parameters(count_parameters)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-generate", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 6. A network that listens to itself (4 points)
#
# A network that has learnt to predict the next value can run on its own: what it predicts becomes what it reads next.
# Start from one input $x_1$ and one state $h_0$, and for $t = 1, \dots, \mathrm{steps}$ let
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad y_t = h_t V + c, \qquad x_{t+1} = y_t.$$
#
# Write `generate(x, h0, W, U, b, V, c, steps)`. It returns the predictions `ys`, shape
# $(\mathrm{steps}, B, D)$, the first of them $y_1$.
#
# Shapes: `x` $(B, D)$, `h0` $(B, H)$, `V` $(H, D)$, `c` $(D,)$: the output has the size of the input, as it must.


# %% nbgrader={"grade": false, "grade_id": "generate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def generate(x, h0, W, U, b, V, c, steps):
    """Free running: x (B, D), h0 (B, H) → predictions (steps, B, D), each of them the next step's input."""
    ### BEGIN SOLUTION
    h = h0
    ys = []
    for _ in range(steps):
        h = np.tanh(x @ W + h @ U + b)
        y = h @ V + c
        ys.append(y)
        x = y
    return np.stack(ys)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-generate", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.generate(generate)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-drawing", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## A network that draws
#
# Nothing to write, nothing to earn: your `elman_forward` and `generate` draw a figure of eight. Its two loops cross, so
# the pen's place alone does not say where to go on; the state has to know. $W$, $U$ and $b$ of 100 units stay random.
# The network reads 1,000 points of the curve, with a little noise, and $V$ and $c$ are those with which the outputs come
# nearest to the next point, by least squares (why this can be enough is in chapter 4). Then it reads 100 points more, and
# goes on without the curve, for 50 rounds of 40 points.


# %% nbgrader={"grade": false, "grade_id": "drawing", "locked": true, "schema_version": 3, "solution": false, "task": false}
def draw(hidden=100, lap=40, rounds=50):
    import matplotlib.pyplot as plt

    rng = np.random.default_rng(2)
    angle = 2 * np.pi * np.arange(1001 + lap * rounds) / lap
    curve = np.stack([np.sin(angle), np.sin(2 * angle)], axis=-1)[:, None]  # (steps, 1, 2)
    W, U = rng.normal(0, 0.5, (2, hidden)), rng.normal(0, 0.8 / np.sqrt(hidden), (hidden, hidden))
    b, h0 = rng.normal(0, 0.2, hidden), np.zeros((1, hidden))

    hs, _ = elman_forward(curve[:1000] + rng.normal(0, 0.01, (1000, 1, 2)), h0, W, U, b)
    states = np.column_stack([hs[100:, 0], np.ones(900)])
    weights = np.linalg.solve(states.T @ states + 1e-3 * np.eye(hidden + 1), states.T @ curve[101:1001, 0])
    V, c = weights[:-1], weights[-1]

    _, h = elman_forward(curve[:100], h0, W, U, b)
    ys = generate(curve[100], h, W, U, b, V, c, lap * rounds)[:, 0]
    off = np.linalg.norm(ys - curve[101 : 101 + len(ys), 0], axis=1)
    for n in (1, 2, 5, 10, rounds):
        print(f"round {n:2d}: at most {off[(n - 1) * lap : n * lap].max():.3f} from where the pen should be")
    plt.figure(figsize=(4, 3))
    plt.plot(*curve[: lap + 1, 0].T, color="lightgrey", linewidth=6, label="the curve")
    plt.plot(*ys[-lap - 1 :].T, ".-", label=f"round {rounds}")
    plt.legend(loc="upper right")


try:
    draw()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: does it fall silent? (2 points, marked by hand)
#
# Let `generate` run with $b = 0$ and $c = 0$. Do its predictions die out, or go on for ever? Predict it before you run
# anything. Near zero tanh is nearly the identity: show that then one step multiplies the state by one matrix, made of
# $U$, $V$ and $W$, and say how to read off that matrix whether small states die out.
#
# Then draw random networks ($D = 2$, $H = 10$), scale $U$ and $V$ by the same number so that some lie on either side of
# your border, and let each run for 500 steps. Where does the prediction hold, and where is it unsure?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Predicted.* From the second step on, $x_t = y_{t-1} = h_{t-1} V$. So $h_t = \tanh(h_{t-1} V W + h_{t-1} U) \approx
# h_{t-1} M$ with $M = U + VW$, which is $(H, H)$. After $k$ steps a small state has become $h M^k$. It dies out if the
# spectral radius $\rho(M)$, the largest modulus of an eigenvalue, is below 1, and leaves zero if it is above 1. The
# first input $x$ only moves the start. Scaling $U$ and $V$ by $g$ scales $M$, and with it $\rho(M)$, by $g$.
#
# *Measured.* Forty networks for each radius, 500 steps: at 0.95 and below, all predictions of the last 50 steps were
# smaller than $10^{-9}$. At 1.05 and above none died out: each network still said numbers above 0.01.
#
# *Unsure* near 1: at $\rho = 0.99$ a state still has $0.99^{500} \approx 0.7\,\%$ of its length after 500 steps, and
# just above 1 what goes on is small. And the prediction is one about small states. Above 1 it says that zero is left,
# not where the network goes: it comes to rest, swings, or wanders about, and tanh keeps it bounded. Below 1 there may
# be another place to go for a state that starts far out: of 2,000 networks with $\rho = 0.95$ six went on for ever, and
# died out when they were started a thousand times smaller.
#
# **Marking**
#
# - ½ point: $M = U + VW$, with the product in the right order.
# - ½ point: the spectral radius against 1 (not a norm, not the largest real eigenvalue).
# - ½ point: ten networks or more, with radii on both sides.
# - ½ point: unsure close to 1, where 500 steps are too few; or that only small states are spoken of, on either side.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
