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
# # Exercise 10: sequences of different lengths
#
# A batch holds sequences of several lengths. You keep the padding out of the final state, out of the loss and out of
# its gradient; then you lay the batch out so that there is no padding, and run a network over it. Four functions,
# 19 points, and an open task for 2 more. NumPy is all you need.
#
# **Notation**, as in chapter 10. $T$ steps, $B$ sequences, $D$ inputs, $H$ hidden units, $K$ classes; arrays are time-major,
# `xs` is $(T, B, D)$; vectors are rows. `lengths` is an array $(B,)$ of whole numbers, and sequence `n` consists of the steps
# `0 … lengths[n] - 1`, `xs[:lengths[n], n]`. Whatever stands behind it, in inputs, states, scores or targets, is *padding*:
# numbers that mean nothing. They are not zeros here, and no result may depend on them.
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

check = load("10_lengths")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-last-valid", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. The last valid state (3 points)
#
# A layer has run over the whole array, padding and all, and left its states. The state that sums up a sequence is the one
# after its own last step.
#
# Write `last_valid(hs, lengths, h0)` with `hs` $(T, B, H)$, where `hs[t]` is the state after step `t`, `lengths` $(B,)$ and
# the initial state `h0` $(B, H)$. It returns `last` $(B, H)$ (3 points). Lengths go from 0 to $T$: of a sequence of length 0
# nothing has been read, so its state is still that of `h0`.
#
# *By hand:* $T = 3$, one unit, three sequences with states
#
# | | `hs` | length | `h0` | `last` |
# |---|---|---|---|---|
# | sequence 0 | 0.1, 0.2, 0.3 | 3 | 0.9 | 0.3 |
# | sequence 1 | 0.4, 0.5, 0.6 | 1 | 0.8 | 0.4 |
# | sequence 2 | 0.5, 0.2, 0.1 | 0 | 0.7 | 0.7 |
#
# *Hint.* `hs[i, j]` with two arrays of indices, each $(B,)$, picks one state per sequence. What does Python make of an
# index of $-1$?


# %% nbgrader={"grade": false, "grade_id": "last-valid", "locked": false, "schema_version": 3, "solution": true, "task": false}
def last_valid(hs, lengths, h0):
    """State after the last valid step: hs (T, B, H), lengths (B,), h0 (B, H) → last (B, H)."""
    ### BEGIN SOLUTION
    last = hs[lengths - 1, np.arange(len(lengths))]
    return np.where((lengths > 0)[:, None], last, h0)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-last-valid", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.last_valid(last_valid)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-masked-loss", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. A loss that does not see the padding (5 points)
#
# At every step of every sequence there are $K$ scores $o_{t,n}$ and a right class $k^*_{t,n}$. The *mask* $m_{t,n}$ is 1 where step
# $t$ belongs to sequence $n$ and 0 in the padding. With $p = \mathrm{softmax}(o)$ the loss is the mean over the valid positions, of
# which there are $N = \sum_{t,n} m_{t,n}$, the sum of all lengths:
#
# $$L = -\frac1N \sum_{t,n} m_{t,n} \log p_{t,n,k^*_{t,n}}, \qquad
# \frac{\mathrm dL}{\mathrm do_{t,n,k}} = \frac{m_{t,n}}{N} \bigl(p_{t,n,k} - [k = k^*_{t,n}]\bigr).$$
#
# Write `masked_loss(os, targets, lengths)` with `os` $(T, B, K)$, `targets` $(T, B)$, whole numbers from 0 to $K - 1$, in the
# padding too, and `lengths` $(B,)$ from 1 to $T$. It returns `loss`, one number (2 points), and `dos` $(T, B, K)$ (3 points).
#
# *By hand:* $T = 2$, two sequences of lengths 2 and 1, two classes. All valid scores are $(0, 0)$ but those of sequence 0 at
# step 0, $(\ln 3, 0)$, whose $p$ is $(\tfrac34, \tfrac14)$; all valid targets are 0. Then $N = 3$ and
# $L = -\tfrac13(\ln\tfrac34 + 2\ln\tfrac12) = 0.5580$. `dos` at step 0 of sequence 0 is $(-\tfrac1{12}, \tfrac1{12})$; at the only
# padded position it is $(0, 0)$.
#
# *Hint.* `np.arange(T)[:, None] < lengths` is the mask, $(T, B)$. The scores are small: exp will not overflow.


# %% nbgrader={"grade": false, "grade_id": "masked-loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_loss(os, targets, lengths):
    """Mean cross-entropy over valid positions: os (T, B, K), targets (T, B) → loss, dos (T, B, K)."""
    ### BEGIN SOLUTION
    T, _, K = os.shape
    mask = (np.arange(T)[:, None] < lengths)[..., None]  # (T, B, 1)
    N = mask.sum()
    log_p = os - np.log(np.exp(os).sum(axis=-1, keepdims=True))
    right = targets[..., None] == np.arange(K)
    loss = -(log_p * right * mask).sum() / N
    dos = (np.exp(log_p) - right) * mask / N
    return loss, dos
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-masked-loss", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.masked_loss(masked_loss)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-pack", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. Pack (4½ points)
#
# Sort the sequences, the longest first. Then those that are still running at a step stand at the top, and those that have
# ended, below them. Write down, step after step, the inputs of those that are still running: what comes out has no padding.
#
# Write `pack(xs, lengths)` with `xs` $(T, B, D)$ and `lengths` $(B,)$ from 1 to $T$; the longest is $T$ long. It returns, in this
# order,
#
# - `packed` $(N, D)$, $N$ the sum of all lengths: first step 0 of all sequences in sorted order, then step 1 of those that
#   have one, and so on (2½ points);
# - `sizes` $(T,)$, how many sequences are running at each step (1 point);
# - `order` $(B,)$: `order[0]` is the number of the longest sequence in the batch, `order[1]` that of the next one. Of sequences of
#   the same length the one that comes first in the batch comes first (1 point).
#
# *By hand:* $T = 3$, three sequences of lengths 1, 3, 2 with the inputs a; b, c, d; e, f. Then `order` is 1, 2, 0, `sizes`
# is 3, 2, 1, and `packed` is b, e, a, c, f, d.
#
# *Hint.* `np.argsort(…, kind="stable")` sorts upwards and keeps what is equal in its order. Sort by something that is
# small for long sequences.


# %% nbgrader={"grade": false, "grade_id": "pack", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pack(xs, lengths):
    """Lay a batch out without padding: xs (T, B, D), lengths (B,) → packed (N, D), sizes (T,), order (B,)."""
    ### BEGIN SOLUTION
    order = np.argsort(-lengths, kind="stable")
    rows, sizes = [], []
    for t in range(len(xs)):
        running = order[lengths[order] > t]
        rows.append(xs[t, running])
        sizes.append(len(running))
    packed = np.concatenate(rows)
    return packed, np.array(sizes), order
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-pack", "locked": true, "points": 4.5, "schema_version": 3, "solution": false, "task": false}
check.pack(pack)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-run-packed", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Run what is packed, and unpack (6½ points)
#
# Run Elman's network, $h_t = \tanh(x_t W + h_{t-1} U + b)$, over a packed batch. At step `t` only the first `sizes[t]` sequences
# of the sorted batch take part. The others have ended, and their state stays what it was after their own last step.
#
# Write `run_packed(packed, sizes, order, h0, W, U, b)`: `packed` $(N, D)$, `sizes` $(T,)$ and `order` $(B,)$ as above, `W` $(D, H)$,
# `U` $(H, H)$, `b` $(H,)$. The initial state `h0` $(B, H)$ is in the batch's own order: `h0[n]` belongs to sequence `n` of the
# batch as it was before sorting. So are both results, in this order:
#
# - `hs` $(T, B, H)$: the states, zeros in the padding (4 points);
# - `last` $(B, H)$: the state of each sequence after its own last step (2½ points).
#
# *Hint.* Sort the state once, at the beginning. `a[order]` brings the rows of `a` from the batch's order into the sorted
# one; `b[order] = a` writes rows that are sorted to where they belong.


# %% nbgrader={"grade": false, "grade_id": "run-packed", "locked": false, "schema_version": 3, "solution": true, "task": false}
def run_packed(packed, sizes, order, h0, W, U, b):
    """Elman over a packed batch: packed (N, D), sizes (T,), order (B,) → hs (T, B, H), last (B, H)."""
    ### BEGIN SOLUTION
    hs = np.zeros((len(sizes), *h0.shape))
    state = h0[order]
    start = 0
    for t, size in enumerate(sizes):
        x = packed[start : start + size]
        new = np.tanh(x @ W + state[:size] @ U + b)
        state = np.concatenate([new, state[size:]])
        hs[t, order[:size]] = new
        start += size
    last = np.zeros_like(h0)
    last[order] = state
    return hs, last
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-run-packed", "locked": true, "points": 6.5, "schema_version": 3, "solution": false, "task": false}
check.run_packed(run_packed)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-saved", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## What it saves
#
# Nothing to write, nothing to earn: your own packing on a batch of 64 sequences. The picture shows the sorted batch, a row for
# each sequence, and beside it how many sequences are running at each step. What is left white is what you do not compute.


# %% nbgrader={"grade": false, "grade_id": "saved", "locked": true, "schema_version": 3, "solution": false, "task": false}
def look():
    rng = np.random.default_rng(0)
    lengths = np.minimum(2 + rng.geometric(0.08, 64), 50)
    lengths[0] = T = lengths.max()
    xs = rng.standard_normal((T, 64, 3))
    packed, sizes, order = pack(xs, lengths)
    weights = rng.standard_normal((3, 8)), 0.3 * rng.standard_normal((8, 8)), np.zeros(8)
    hs, last = run_packed(packed, sizes, order, np.zeros((64, 8)), *weights)
    agree = np.allclose(last, last_valid(hs, lengths, np.zeros((64, 8))))
    print(f"{len(packed)} steps computed of {T * 64}: {len(packed) / (T * 64):.0%}")
    print("run_packed and last_valid", "agree" if agree else "do not agree", "on the final states")
    _, (left, right) = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
    left.imshow(np.any(hs[:, order] != 0, axis=2).T, cmap="Blues", aspect="auto", interpolation="nearest")
    left.set(xlabel="step", ylabel="sequence, sorted")
    right.step(np.arange(T), sizes, where="mid")
    right.set(xlabel="step", ylabel="sequences running", ylim=(0, 66))
    plt.show()


try:
    look()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: how much of the rectangle is padding? (2 points, marked by hand)
#
# $B$ sequences are drawn at random and padded to the longest of them. Before you compute anything, predict: which share
# of the rectangle is valid for $B = 1, 2, 8, 64$, if all lengths from 1 to 50 are equally likely? And if lengths are
# geometric with mean 25, so that now and then one is very long? Where does the share go as $B$ grows?
#
# Then measure it with the `sizes` of your `pack`: valid positions of 200 batches, divided by all positions. Where you
# were wrong, say why.
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Uniform.* The mean length is about half of the longest possible. The longest of $B$ uniform lengths lies on average
# at $B / (B + 1)$ of it. The valid share is therefore about $\frac{B + 1}{2B}$: 1, ¾, 0.56, 0.51. It goes to ½, and on
# average it is never worse, however large the batch.
#
# *Geometric.* Each is about exponential with mean $m$, and the longest of $B$ is on average $m\,(1 + \tfrac12 + \dots +
# \tfrac1B)$, about $m \ln B$: when $B$ sequences run, the first ends after $m/B$ steps on average, the next after
# $m/(B-1)$ more, and so on. The valid share is about $1 / (1 + \tfrac12 + \dots + \tfrac1B)$: 1, 0.67, 0.37, 0.21. It
# goes to 0, slowly.
#
# *Measured* over 200 batches, lengths drawn by `rng.integers(1, 51, B)` and `rng.geometric(1 / 25, B)`: within 0.05 of
# these numbers, with each of 60 seeds.
#
# What matters is not how different lengths are but how far the longest is from the mean. With a long tail a larger
# batch wastes more and more, and packing or buckets pay.
#
# **Marking**
#
# - ½ point: a prediction for the uniform lengths that was written down first, with a reason (right or not).
# - ½ point: ½ as the limit for uniform lengths, 0 for geometric ones; with the reason, the longest of many.
# - ½ point: measured for all eight cases.
# - ½ point: prediction and measurement are compared, and a difference explained (or a right formula).

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
