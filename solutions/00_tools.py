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
# # Exercise 0: tools
#
# You write the tools with which every network of this course is built and tested: sequences in one array, letters as
# numbers, and a check that finds the wrong line in a gradient. Five functions, 20 points, and an open task for 2 more.
# At the end they look for a mistake that somebody else has made. NumPy is all you need.
#
# **Notation**, as in chapter 0. $T$ time steps, $B$ sequences side by side, $D$ numbers per step, $K$ classes. Time comes
# first: a batch of sequences is an array `xs` of shape $(T, B, D)$, and `xs[t]` is what all sequences show at step $t$.
# $\lVert a \rVert$ is the length of an array, whatever its shape: the root of the sum of the squares of all its elements.
#
# **How it is marked.** Below each function stands a cell that begins with `check`. Run it as often as you like: it
# calls your function on random inputs of several shapes, prints what it found, and returns your points. An output that
# is right in every element, to about five digits, earns its points. How you get there is your affair: loops, `einsum`,
# another order. Return NumPy arrays or numbers (lists of them will do, and float32 as well as float64). A function that
# changes its arguments earns nothing: they belong to the caller. If a cell runs for a minute, interrupt it:
# Kernel → Interrupt.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from rnngrade.checks import load

check = load("00_tools")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-time-major", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. Time first (2 points)
#
# Recordings arrive one by one. Each is an array of shape $(T, D)$: $T$ steps, $D$ numbers per step. Lay $B$ of them side
# by side.
#
# Write `time_major(sequences)`. `sequences` is a list of $B$ arrays of shape $(T, D)$. Return one array `xs` of shape
# $(T, B, D)$ with `xs[t, n]` equal to `sequences[n][t]`.
#
# *By hand:* two recordings with three steps of one number each, `[[1], [2], [3]]` and `[[4], [5], [6]]`, give
# `[[[1], [4]], [[2], [5]], [[3], [6]]]`: first what both show at step 0, then at step 1, then at step 2.
#
# *Hint.* The right shape is not enough: `reshape` makes it too, and mixes the sequences. `np.stack` takes an `axis`.


# %% nbgrader={"grade": false, "grade_id": "time-major", "locked": false, "schema_version": 3, "solution": true, "task": false}
def time_major(sequences):
    """B sequences, each (T, D) → xs (T, B, D)."""
    ### BEGIN SOLUTION
    return np.stack(sequences, axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-time-major", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.time_major(time_major)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-one-hot", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. One of K (3 points)
#
# A network reads numbers. A letter, which is one of $K$, becomes $K$ numbers: a 1 at its own place and 0 everywhere else.
#
# Write `one_hot(classes, K)`. `classes` has shape $(T, B)$ and holds whole numbers from 0 to $K - 1$. Return an array of
# shape $(T, B, K)$ with `[t, n, k]` equal to 1 where `k` is `classes[t, n]`, and to 0 elsewhere.
#
# *By hand:* `one_hot(np.array([[2, 0]]), 3)`, one step of two sequences, is `[[[0, 0, 1], [1, 0, 0]]]`.
#
# *Hint.* Which of the rows of `np.eye(K)` belongs to class 2? An array may be indexed by an array. It may well be that
# the last class does not occur in `classes`: $K$ is what you are told. True and False are no numbers here; `astype(float)`
# makes numbers of them.


# %% nbgrader={"grade": false, "grade_id": "one-hot", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one_hot(classes, K):
    """Whole numbers 0 … K - 1 (T, B) → one-hot vectors (T, B, K)."""
    ### BEGIN SOLUTION
    return np.eye(K)[classes]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-one-hot", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.one_hot(one_hot)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-relative-error", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. How far apart (4 points)
#
# Two gradients are to be compared: the one that you derived and the one that you tried. A difference of 0.001 is nothing
# if they have length 1000, and everything if they have length 0.001. So divide by the longer of the two:
#
# $$E(a, b) = \frac{\lVert a - b \rVert}{\max(\lVert a \rVert, \lVert b \rVert)}, \qquad E(0, 0) = 0.$$
#
# Write `relative_error(a, b)`. `a` and `b` are arrays of the same shape, with one, two or three axes; each is seen as
# one long vector. Return one number.
#
# *By hand:* $a = (3, 4)$, $b = (3, 0)$. The difference is $(0, 4)$, of length 4; $a$ has length 5 and $b$ length 3. So
# $E = 4 / 5 = 0.8$.
#
# *Hint.* Nothing is added to the denominator: it would spoil the answer for gradients of size $10^{-9}$, which occur.
# Where both arrays are zero all over, there is nothing to divide by, and the answer is 0. Only there: where *one* of them is
# zero, a gradient that somebody forgot, the answer is 1. If you use `np.linalg.norm(a)`,
# give it no second argument: with one it measures something else, or refuses three axes.


# %% nbgrader={"grade": false, "grade_id": "relative-error", "locked": false, "schema_version": 3, "solution": true, "task": false}
def relative_error(a, b):
    """Length of a - b, relative to the longer of a and b; 0 where both are zero."""
    ### BEGIN SOLUTION
    size = max(np.sqrt(np.sum(a**2)), np.sqrt(np.sum(b**2)))
    if size == 0:
        return 0.0
    return np.sqrt(np.sum((a - b) ** 2)) / size
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-relative-error", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.relative_error(relative_error)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-numerical-gradient", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. A gradient by trying (6 points)
#
# A function takes an array $\theta$ and returns one number, $L(\theta)$. For each element $i$ of the array, move that element
# alone, by $\varepsilon$ up and by $\varepsilon$ down, and take the *central difference*
#
# $$g_i = \frac{L(\theta + \varepsilon e_i) - L(\theta - \varepsilon e_i)}{2 \varepsilon},$$
#
# where $e_i$ is 1 at element $i$ and 0 elsewhere.
#
# Write `numerical_gradient(function, array, eps)`:
#
# | argument | | |
# |---|---|---|
# | `function` | a function | takes an array of the shape of `array`, returns a number |
# | `array` | any shape, with any number of axes | where the gradient is wanted; in the check it has four axes, $(T, 1, B, D)$, the second of them for one layer; in the last cell of this notebook one or two |
# | `eps` | a number | $\varepsilon$ |
#
# Return an array of the shape of `array` with the difference $g_i$ at each place. Some of the `eps` used here are large, 0.1 and
# more. Then the difference is not yet the derivative, and it is the difference that is wanted: do not choose another step.
#
# *By hand:* for `function = lambda a: a[0] ** 3 + 5 * a[1]`, `array = np.array([1.0, 2.0])` and `eps = 1.0` the first number is
# $((2^3 + 10) - (0^3 + 10)) / 2 = 4$ (the derivative would be 3) and the second is $((1 + 15) - (1 + 5)) / 2 = 5$.
#
# *Hint.* `for at in np.ndindex(*array.shape)` runs through all places, and `array[at]` is the number there. Leave
# `array` as it was, to the last bit: in floating point, $x + \varepsilon - \varepsilon$ is not always $x$. And `moved = array` makes no copy.


# %% nbgrader={"grade": false, "grade_id": "numerical-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def numerical_gradient(function, array, eps):
    """Central differences of function at array, one element after the other → an array of its shape."""
    ### BEGIN SOLUTION
    gradient = np.zeros_like(array)
    moved = array.copy()
    for at in np.ndindex(*array.shape):
        moved[at] = array[at] + eps
        ahead = function(moved)
        moved[at] = array[at] - eps
        behind = function(moved)
        moved[at] = array[at]
        gradient[at] = (ahead - behind) / (2 * eps)
    return gradient
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-numerical-gradient", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.numerical_gradient(numerical_gradient)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-directional-check", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. All at once, along one direction (5 points)
#
# A network has several arrays of parameters, and a million numbers in them. Moving them one by one takes too long. Move
# all of them together instead, along one direction $v$ of length 1, and compare two numbers:
#
# $$\text{tried} = \frac{L(\theta + \varepsilon v) - L(\theta - \varepsilon v)}{2 \varepsilon}, \qquad
# \text{claimed} = \sum_i g_i v_i .$$
#
# If $g$ is the gradient, they agree as well as central differences can.
#
# Write `directional_check(function, parameters, gradients, directions, eps)`:
#
# | argument | | |
# |---|---|---|
# | `function` | a function | called as `function(W, U, b)`; returns a number |
# | `parameters` | a tuple of three arrays | `W`, `U`, `b`, of three different shapes |
# | `gradients` | a tuple of three arrays | the claimed gradients of `W`, `U`, `b`, in these shapes; they may be wrong |
# | `directions` | a tuple of three arrays | a direction in these shapes, *not* yet of length 1 |
# | `eps` | a number | $\varepsilon$; large ones occur here as well |
#
# The three arrays of `directions` together are one vector. Divide it by its length, which is the root of the sum of the squares
# of *all* its elements; then move all parameters along it. Return
#
# - `tried`, one number (3 points);
# - `claimed`, one number (2 points).
#
# *By hand:* let `W` and `U` hold one number each, and forget `b`. With $L = W U$ at $W = 2$, $U = 5$, claimed gradients 5 and 2, and the
# direction $(3, 4)$: its length is 5, so $v = (0.6, 0.8)$. Claimed is $5 \cdot 0.6 + 2 \cdot 0.8 = 4.6$. Tried with
# $\varepsilon = 1$ is $(2.6 \cdot 5.8 - 1.4 \cdot 4.2) / 2 = 4.6$.
#
# *Hint.* `zip(parameters, directions)` gives pairs. `function(*arrays)` hands the arrays of a list over one by one.


# %% nbgrader={"grade": false, "grade_id": "directional-check", "locked": false, "schema_version": 3, "solution": true, "task": false}
def directional_check(function, parameters, gradients, directions, eps):
    """Slope along a direction (tuples of arrays) → by central difference, and by the claimed gradients."""
    ### BEGIN SOLUTION
    length = np.sqrt(sum(np.sum(v**2) for v in directions))
    unit = [v / length for v in directions]
    ahead = function(*[p + eps * v for p, v in zip(parameters, unit, strict=True)])
    behind = function(*[p - eps * v for p, v in zip(parameters, unit, strict=True)])
    tried = (ahead - behind) / (2 * eps)
    claimed = sum(np.sum(g * v) for g, v in zip(gradients, unit, strict=True))
    return tried, claimed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-directional-check", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.directional_check(directional_check)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-finding", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Find the mistake
#
# Nothing to write, nothing to earn: your functions, put to work. Somebody has written a small network that says the next letter of
# a word, `net_loss`, and its gradients, `net_gradients`. The shapes fit and the loss falls when one trains with it. One line is
# wrong. Look at which arrays disagree, and by how much: the mistake is in what those have in common. To mend it, paste
# `net_gradients` into a new cell below, change the line there, and call `find()` again.


# %% nbgrader={"grade": false, "grade_id": "finding", "locked": true, "schema_version": 3, "solution": false, "task": false}
def net_outputs(xs, W, b, V, c):
    hs = np.tanh(xs @ W + b)
    scores = hs @ V + c
    p = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return hs, p / p.sum(axis=-1, keepdims=True)


def net_loss(xs, targets, W, b, V, c):
    return -np.sum(targets * np.log(net_outputs(xs, W, b, V, c)[1])) / targets[..., 0].size


def net_gradients(xs, targets, W, b, V, c):
    hs, p = net_outputs(xs, W, b, V, c)
    dscores = (p - targets) / len(targets)
    dV = np.einsum("tbh,tbk->hk", hs, dscores)
    dc = dscores.sum(axis=(0, 1))
    da = dscores @ V.T * (1 - hs**2)
    dW = np.einsum("tbd,tbh->dh", xs, da)
    db = da.sum(axis=(0, 1))
    return dW, db, dV, dc


def find():
    rng = np.random.default_rng(0)
    words = ["river", "stone", "cloud", "field"]
    letters = sorted(set("".join(words)))
    K, H = len(letters), 4
    classes = time_major([np.array([[letters.index(letter)] for letter in word]) for word in words])[..., 0]
    xs, targets = one_hot(classes[:-1], K), one_hot(classes[1:], K)
    parameters = [rng.normal(0, 0.5, shape) for shape in [(K, H), (H,), (H, K), (K,)]]
    claimed = net_gradients(xs, targets, *parameters)
    for i, name in enumerate("WbVc"):

        def loss_of(array, i=i):
            return net_loss(xs, targets, *parameters[:i], array, *parameters[i + 1 :])

        error = relative_error(claimed[i], numerical_gradient(loss_of, parameters[i], 1e-5))
        print(f"d{name}: relative error {error:.1e}   {'agrees' if error < 1e-6 else 'DISAGREES'}")


try:
    find()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: a better difference (2 points, marked by hand)
#
# A central difference is even in $\varepsilon$: $D(\varepsilon) = g + a\,\varepsilon^2 + b\,\varepsilon^4 + \dots$
# Combine $D(\varepsilon)$ and $D(2\varepsilon)$, two calls of your `numerical_gradient`, so that $g$ stays and the term
# with $\varepsilon^2$ drops out. Derive the two weights. With which power of $\varepsilon$ does the error of the
# combination begin?
#
# Then measure. For a function whose gradient you know, such as $\sum_i \tanh \theta_i$ at a random $\theta$, take the
# relative error of both formulas for $\varepsilon = 10^{-1}, 10^{-2}, \dots, 10^{-7}$. Which step is best for which,
# and why do the two differ?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Weights.* We want $\alpha D(\varepsilon) + \beta D(2\varepsilon)$ with $\alpha + \beta = 1$, so that $g$ stays, and
# $\alpha + 4\beta = 0$, so that $\varepsilon^2$ drops out: $\alpha = \tfrac43$, $\beta = -\tfrac13$. With
# $\varepsilon^4$ there remains $\tfrac43 b - \tfrac{16}3 b = -4b$. The error begins with $\varepsilon^4$. (This is
# Richardson's extrapolation.)
#
# *Measured* in float64: the central difference is best near $10^{-5}$ or $10^{-6}$, with an error of some $10^{-11}$;
# the combination near $10^{-3}$ or $10^{-4}$, with an error of some $10^{-13}$. Powers of ten are a coarse grid: a
# neighbour of these is right as well, if the table shows it.
#
# *Why.* The error has two parts. Rounding makes it grow as $u / \varepsilon$, with $u \approx 10^{-16}$, in both
# formulas alike; Taylor's makes it shrink as $\varepsilon^2$ or as $\varepsilon^4$. They meet at $\varepsilon \approx
# u^{1/3}$ and at $\varepsilon \approx u^{1/5}$, with errors near $u^{2/3}$ and $u^{4/5}$. A formula whose own error is
# small can afford a step at which rounding matters less.
#
# **Marking**
#
# - ½ point: both weights, derived from the two conditions.
# - ½ point: the order, four.
# - ½ point: a table or a plot of both errors over all seven steps, in float64.
# - ½ point: rounding against Taylor's error, and that they meet at another step.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
