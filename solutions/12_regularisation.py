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
# # Exercise 12: regularisation
#
# Six small things that make a network do better on data it has not seen, or train more evenly: dropout and zoneout that
# respect time, the two normalisations, one matrix with two jobs, and knowing when to stop. Six functions, 22 points,
# and an open task for 2 more. At the end three of them run. NumPy is all you need.
#
# **Notation**, as in chapter 12. $T$ steps, $B$ sequences, $D$ inputs, $H$ hidden units, $K$ symbols; arrays are time-major,
# `xs` is $(T, B, D)$. A name with a `d` in front is the gradient of the loss $L$ with respect to what is behind it and has its
# shape. Nothing here draws random numbers: where chance is needed, the numbers are given, uniform between 0 and 1.
#
# **How it is marked.** Below each function stands a cell that begins with `check`. Run it as often as you like: it
# calls your function on random inputs of several shapes, prints what it found, and returns your points. Each output
# earns its points when all its elements are right, to about five digits. Loops, `einsum`, another order: all are
# welcome. Return NumPy arrays (lists of them will do, and float32 as well as float64); where one of several outputs is
# not written yet, return None for it. A function that changes its arguments earns nothing: they belong to the caller.
# If a cell runs for a minute, interrupt it: Kernel → Interrupt.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

from rnngrade.checks import load

check = load("12_regularisation")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-dropout", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. Dropout that respects time (3 points)
#
# In training each unit of each sequence is dropped with probability $p$, **for all steps of the sequence or for none**. What
# is kept is divided by $1 - p$, so that the mean over many masks is the plain input. In evaluation nothing is dropped and
# nothing scaled.
#
# Write `variational_dropout(xs, dys, uniform, rate, training)`:
#
# - `xs` $(T, B, D)$ goes in; `dys` $(T, B, D)$ is the gradient that arrives at what comes out;
# - `uniform` $(T, B, D)$ holds random numbers, more than are needed: use those of the first step, `uniform[0]`. A unit is
#   **kept where its number is at least** `rate`;
# - `rate` is $p$, $0 < p < 1$; `training` is True or False.
#
# It returns `ys` $(T, B, D)$ (2 points) and `dxs` $(T, B, D)$ (1 point).
#
# *By hand:* $T = 2$, $B = 1$, $D = 2$, $p = 0.5$, `uniform[0]` $= (0.2, 0.7)$. The first unit is dropped at both steps, the second kept and doubled: $(1, 3)$,
# $(2, 4)$ become $(0, 6)$, $(0, 8)$. With `training=False` they stay as they are.
#
# *Hint.* Shapes $(T, B, D)$ and $(B, D)$ go together: NumPy repeats the second for every step.


# %% nbgrader={"grade": false, "grade_id": "variational-dropout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def variational_dropout(xs, dys, uniform, rate, training):
    """One mask for each sequence, at all of its steps: xs, dys, uniform (T, B, D) → ys, dxs (T, B, D)."""
    ### BEGIN SOLUTION
    mask = (uniform[0] >= rate) / (1 - rate) if training else 1.0
    return xs * mask, dys * mask
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-variational-dropout", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.variational_dropout(variational_dropout)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-zoneout", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. Zoneout (3 points)
#
# Dropping a unit of the *state* wipes out what it has remembered. Zoneout lets it keep its old value instead: for one step
# the unit is not there, and nothing is lost. In training each unit of each sequence stays as it was with probability
# $p$; in evaluation the state is the mean of that, $p\,h_{\text{old}} + (1 - p)\,h_{\text{new}}$.
#
# Write `zoneout(h_old, h_new, uniform, rate, training)` with `h_old`, `h_new`, `uniform` $(B, H)$: the state before the step, the one that the
# cell has computed, and one random number for each unit. A unit **keeps its old value where its number is below** `rate`. Return
# the state `h` $(B, H)$ (3 points).
#
# *By hand:* one sequence, two units, $p = 0.25$; old $(1, 1)$, new $(5, 9)$, numbers $(0.1, 0.6)$. In training $(1, 9)$, in evaluation $(4, 7)$.


# %% nbgrader={"grade": false, "grade_id": "zoneout", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zoneout(h_old, h_new, uniform, rate, training):
    """Some units keep their old value: h_old, h_new, uniform (B, H) → h (B, H)."""
    ### BEGIN SOLUTION
    if training:
        return np.where(uniform < rate, h_old, h_new)
    return rate * h_old + (1 - rate) * h_new
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-zoneout", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.zoneout(zoneout)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-layer-norm", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. Layer normalisation, there and back (5 points)
#
# Every row of `a` $(B, H)$, one sequence at one step, is shifted and scaled to mean 0 and variance 1 over its own $H$ units:
#
# $$\mu = \frac1H \sum_i a_i, \quad v = \frac1H \sum_i (a_i - \mu)^2, \quad n = \frac{a - \mu}{\sqrt{v + \varepsilon}}, \quad y = g \odot n + b .$$
#
# The gain $g$ and the bias $b$ are $(H,)$, the same for all rows. On the way back, with $\mathrm dn = g \odot \mathrm dy$ and
# means over the units of the row,
#
# $$\mathrm da = \frac{1}{\sqrt{v + \varepsilon}} \Bigl(\mathrm dn - \overline{\mathrm dn} - n \odot \overline{\mathrm dn \odot n}\Bigr).$$
#
# Write `layer_norm(a, gain, bias, epsilon, dy)` with `a` and `dy` $(B, H)$. It returns `y` $(B, H)$ (2 points), `da` $(B, H)$ (2 points), `dgain` and `dbias`
# $(H,)$, summed over the rows (½ point each).
#
# *By hand:* one row, $a = (1, 3)$, $\varepsilon = 0$, $g = (1, 2)$, $b = (0, 10)$: $\mu = 2$, $v = 1$, $n = (-1, 1)$, $y = (-1, 12)$. With $\mathrm dy = (1, 0)$ is $\mathrm dn = (1, 0)$, its mean
# $\tfrac12$, the mean of $\mathrm dn \odot n$ is $-\tfrac12$, and $\mathrm da = (1 - \tfrac12 - \tfrac12,\; 0 - \tfrac12 + \tfrac12) = (0, 0)$. Of two numbers nothing but their order survives.
#
# *Hint.* `keepdims=True`.


# %% nbgrader={"grade": false, "grade_id": "layer-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm(a, gain, bias, epsilon, dy):
    """Each row to mean 0 and variance 1: a, dy (B, H), gain, bias (H,) → y, da (B, H), dgain, dbias (H,)."""
    ### BEGIN SOLUTION
    centred = a - a.mean(axis=-1, keepdims=True)
    variance = (centred**2).mean(axis=-1, keepdims=True)
    scale = 1 / np.sqrt(variance + epsilon)
    n = centred * scale
    y = gain * n + bias
    dn = gain * dy
    shift = dn.mean(axis=-1, keepdims=True)
    stretch = (dn * n).mean(axis=-1, keepdims=True)
    da = (dn - shift - n * stretch) * scale
    dgain = (dy * n).sum(axis=0)
    dbias = dy.sum(axis=0)
    return y, da, dgain, dbias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-layer-norm", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.layer_norm(layer_norm)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-batch-norm", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Batch normalisation, step by step (4 points)
#
# Here a unit is normalised over the $B$ sequences of the batch, and in a recurrent network every step has statistics of its
# own: the first states look quite unlike the later ones. In training, with means over the batch,
#
# $$m_t = \frac1B \sum_n x_{t,n}, \qquad v_t = \frac1B \sum_n (x_{t,n} - m_t)^2, \qquad
# y_{t,n} = g \odot \frac{x_{t,n} - m_t}{\sqrt{v_t + \varepsilon}} + b .$$
#
# In evaluation an answer must not depend on who else is in the batch. There running averages `mean` and `variance` stand in
# for $m_t$ and $v_t$. Training moves them, by the fraction $\alpha$ = `momentum`; as in torch, the running variance is fed the
# *unbiased* variance of the batch:
#
# $$\text{mean}_t \leftarrow (1 - \alpha)\,\text{mean}_t + \alpha\,m_t, \qquad
# \text{variance}_t \leftarrow (1 - \alpha)\,\text{variance}_t + \alpha\,\frac{B}{B - 1}\,v_t .$$
#
# Evaluation leaves them alone.
#
# Write `batch_norm(xs, gain, bias, mean, variance, momentum, epsilon, training)` with `xs` $(T, B, D)$, `gain` and `bias` $(D,)$, `mean` and `variance` $(T, D)$. It
# returns `ys` $(T, B, D)$ (2 points) and the new averages, `new_mean` and `new_variance` $(T, D)$ (1 point each); in evaluation these are
# the old ones. The arrays you were given stay as they were.
#
# *By hand:* $T = D = 1$, $B = 2$, inputs 1 and 3, $g = 1$, $b = 0$, $\varepsilon = 0$, averages 0 and 1, $\alpha = \tfrac12$. Training: $m = 2$, $v = 1$, outputs $-1$ and 1; the new
# averages are $1$ and $\tfrac12 \cdot 1 + \tfrac12 \cdot 2 = \tfrac32$. Evaluation: outputs 1 and 3.


# %% nbgrader={"grade": false, "grade_id": "batch-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm(xs, gain, bias, mean, variance, momentum, epsilon, training):
    """Statistics of the batch, per step: xs (T, B, D), mean, variance (T, D) → ys, new_mean, new_variance."""
    ### BEGIN SOLUTION
    B = xs.shape[1]
    m = xs.mean(axis=1)
    v = xs.var(axis=1)
    new_mean, new_variance = mean, variance
    if training:
        new_mean = (1 - momentum) * mean + momentum * m
        new_variance = (1 - momentum) * variance + momentum * v * B / (B - 1)
    if not training:
        m, v = mean, variance
    ys = gain * (xs - m[:, None]) / np.sqrt(v[:, None] + epsilon) + bias
    return ys, new_mean, new_variance
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-batch-norm", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.batch_norm(batch_norm)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-tied-gradient", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. One matrix, two jobs (4 points)
#
# A network reads symbols and scores symbols. Its embedding $E$ $(K, D)$ turns symbol $k$ into row $k$ of $E$; a recurrent layer turns
# these rows $x_t$ into states $h_t$, also of $D$ numbers; and the scores are $y_t = h_t E^\top + c$, with the *same* $E$:
#
# $$x_{t,n} = E[k_{t,n}], \qquad h = \text{layer}(x), \qquad y_{t,n} = h_{t,n} E^\top + c .$$
#
# Write `tied_gradient(ks, hs, dys, E, back)`:
#
# | argument | shape | |
# |---|---|---|
# | `ks` | $(T, B)$ | symbols read, whole numbers from 0 to $K - 1$; a symbol may occur many times, or never |
# | `hs` | $(T, B, D)$ | states |
# | `dys` | $(T, B, K)$ | gradient that arrives at the scores |
# | `E` | $(K, D)$ | the matrix |
# | `back` | a function | the way back through the recurrent layer: `back(dhs)` → `dxs`, both $(T, B, D)$ |
#
# It returns `dE` $(K, D)$ (3 points), the total derivative that counts both uses, and `dc` $(K,)$ (1 point). Nothing is left to divide
# by.
#
# *By hand:* $T = 2$, $B = D = 1$, $K = 2$, and a layer that copies: `back(dhs)` is `dhs`. $E = (1, 2)^\top$, symbols 0 and 0, so both states are 1. `dys` is $(1, 0)$ at both steps.
# The output's part is $\sum_t h_t\,\mathrm dy_{t,k}$: $2$ for symbol 0 and $0$ for symbol 1. `dhs` is $\mathrm dy_t E = 1$ at each step, and so is `dxs`; both go to
# row 0. Together $\mathrm dE = (4, 0)^\top$, and `dc` is $(2, 0)$.
#
# *Hint.* `np.add.at(A, ks, rows)` adds each row to `A[k]`, however often a symbol occurs.


# %% nbgrader={"grade": false, "grade_id": "tied-gradient", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tied_gradient(ks, hs, dys, E, back):
    """The gradient of an E that reads and scores: ks (T, B), hs (T, B, D), dys (T, B, K) → dE (K, D), dc (K,)."""
    ### BEGIN SOLUTION
    dE = np.einsum("tbk,tbd->kd", dys, hs)
    np.add.at(dE, ks, back(dys @ E))
    dc = dys.sum(axis=(0, 1))
    return dE, dc
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-tied-gradient", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.tied_gradient(tied_gradient)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-early-stopping", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 6. Knowing when to stop (3 points)
#
# After each epoch the loss on the validation set is taken. As long as it reaches new lows, we go on. When `patience` epochs *in a
# row* have brought no new low, we stop, and take the network of the best epoch. A new low is a loss **strictly below** all
# before it.
#
# Write `early_stopping(losses, patience)` for losses that are already known, in their order; epochs are counted from 0, and `patience` is at
# least 1. It returns
#
# - `best`, the epoch of the lowest loss among those that were run (2 points);
# - `last`, the last epoch that was run (1 point): the one at which patience ran out, or the last of `losses` if it never did.
#
# *By hand:* losses 5, 4, 6, 4, 3, 4, 7, 1 with patience 2. Epoch 1 is a new low; epochs 2 and 3 are not (an equal loss is none), and patience
# has run out: `best` is 1, `last` is 3, and nobody will ever know of the 1 at the end. With patience 3 epoch 4 comes in time;
# epochs 5 and 6 are none, 7 is: `best` and `last` are 7.


# %% nbgrader={"grade": false, "grade_id": "early-stopping", "locked": false, "schema_version": 3, "solution": true, "task": false}
def early_stopping(losses, patience):
    """Validation losses, epoch by epoch → the best epoch, and the last one that was run."""
    ### BEGIN SOLUTION
    best = 0
    for epoch in range(len(losses)):
        if losses[epoch] < losses[best]:
            best = epoch
        if epoch - best >= patience:
            break
    return best, epoch
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-early-stopping", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.early_stopping(early_stopping)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## What a mask does to a memory
#
# Nothing to write, nothing to earn. A state that should be held for 40 steps, under three kinds of noise with $p = 0.2$, each
# from your functions: a new dropout mask at each step, one mask for the sequence, and zoneout. Each line is the mean size of what is left
# of a unit's value, in units that were 1 at the start and whose cell does nothing but hold them.


# %% nbgrader={"grade": false, "grade_id": "memory", "locked": true, "schema_version": 3, "solution": false, "task": false}
def hold(steps=40, batch=20, units=50, rate=0.2):
    rng = np.random.default_rng(12)
    start = np.ones((1, batch, units))
    fixed = rng.random(start.shape)
    kinds = {
        "a new mask each step": lambda h: (
            variational_dropout(h, h, rng.random(start.shape), rate, True)[0] * (1 - rate)
        ),
        "one mask": lambda h: variational_dropout(h, h, fixed, rate, True)[0] * (1 - rate),
        "zoneout": lambda h: zoneout(h[0], h[0], rng.random(start.shape[1:]), rate, True)[None],
    }
    plt.figure(figsize=(5, 3))
    for name, noise in kinds.items():
        h, sizes = start, [1.0]
        for _ in range(steps):
            h = noise(h)
            sizes.append(np.abs(h).mean())
        plt.plot(sizes, label=name)
    plt.xlabel("step")
    plt.ylabel("what is left")
    plt.legend()
    plt.show()


try:
    hold()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: the luck of the lowest (2 points, marked by hand)
#
# Suppose training changes nothing any more: the true loss is the same at all epochs, and the validation loss is that
# number plus noise, since the validation set is small. Early stopping picks the lowest. Predict: how far below the true
# loss is the validation loss of the epoch it picks, on average, in standard deviations of the noise? Is it more or less
# with a larger patience?
#
# Measure it with your `early_stopping`: 1,000 series of 300 independent Gaussian numbers each, with a patience of 1, 2,
# 5, 10 and 20 epochs. Then draw for each series the loss on a *test* set at the chosen epoch. What is its mean, and
# what follows for the number that goes into a report?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Predicted.* What is picked is the smallest of all epochs that were run, and the smallest of $n$ Gaussian numbers lies
# below their mean by 0.56 standard deviations for $n = 2$, 1.16 for 5, 1.54 for 10, 1.87 for 20, growing about as
# $\sqrt{2 \ln n}$. A larger patience means more epochs, hence more luck.
#
# *Measured.* About 0.75 standard deviations below for patience 1, and 1.1, 1.5, 1.8 and 2.1 for 2, 5, 10 and 20. On
# average 2.7, 4.5, 10, 19 and 37 epochs were run.
#
# *Test.* The noise of the test set has had no part in the choice, so its mean at the chosen epoch is the true loss: 0
# up to about 0.1, with 1,000 series. The number to report is the loss on the test set. The validation loss of the best
# epoch is too low by a standard deviation or two of its own noise, and if one has picked the best of several settings
# besides, by more. A larger validation set makes the noise smaller, as one over the root of its size, and with it the
# bias.
#
# In a real training the losses of neighbouring epochs have much of their noise in common, because the set is the same.
# The bias is then smaller than here, and has the same sign.
#
# **Marking**
#
# - ½ point: below the true loss, as the smallest of several.
# - ½ point: more with more patience, since more epochs are run.
# - ½ point: measured for the five patiences, with about the numbers above.
# - ½ point: the mean on the test set is unbiased; so report that.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
