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
# # Exercise 4: streams and truncation
#
# A series that is too long for one backward pass is cut into streams, the streams into chunks, and the way back ends
# where a chunk begins. The state goes on. You write all of it: the cutting, the truncated backward pass, a window that
# slides, and the loop that trains. Four functions, 20 points, and an open task for 2 more. At the end they learn a
# rhythm. NumPy is all you need.
#
# **Notation**, as in chapters 3 and 4. $T$ steps, $B$ sequences or streams side by side, $D$ inputs, $H$ hidden units;
# arrays are time-major, `xs` is $(T, B, D)$; vectors are rows. The network is
#
# $$a_t = x_t W + h_{t-1} U + b, \qquad h_t = \tanh(a_t).$$
#
# In code steps count from 0: `hs[t]` is the state after `xs[t]`, and the state before `xs[0]` is `h0`. A name with a
# `d` in front is the gradient of the loss with respect to what is behind it; with truncation, the part of it that is
# left.
#
# **How it is marked.** Below each function stands a cell that begins with `check`. Run it as often as you like: it
# calls your function on random inputs of several shapes, prints what it found, and returns your points. Each output
# earns its points when all its elements are right, to about five digits. Loops, `einsum`, another order: all are
# welcome. Return NumPy arrays (lists of them will do, and float32 as well as float64); where one of several outputs is
# not written yet, return None for it. A function that changes its arguments earns nothing: they belong to the caller.
# If a cell runs for a minute, interrupt it: Kernel → Interrupt.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from rnngrade.checks import load

check = load("04_truncated_bptt")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-streams", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. One series, many streams (4 points)
#
# A series of $S$ steps is to be read as $B$ streams side by side, in chunks of $k$ steps, and at each step the network
# has to say what comes next. So the input at place $s$ of the series has as its target what stands at place $s + 1$.
#
# - Each stream is an *unbroken* piece of the series of $N k$ steps. Stream 0 begins at place 0, stream 1 where stream 0
#   ends, and so on.
# - $N$ is as large as the series allows. Every input needs a target, also the last one. What is left over at the end of
#   the series is not used.
# - Chunk $n$ holds the steps $n k$ to $n k + k - 1$ of every stream. So row $b$ of chunk $n + 1$ goes on where row $b$
#   of chunk $n$ ended.
#
# Write `streams(series, B, k)` with `series` $(S, D)$. It returns `xs` and `targets`, both of shape $(N, k, B, D)$
# (2 points each): `xs[n, t, b]` is the input at step $t$ of chunk $n$ in stream $b$.
#
# *By hand:* `series` counts 0, 1, …, 13 ($S = 14$, $D = 1$), $B = 2$, $k = 3$. Then $N = 2$, the streams are 0…5 and
# 6…11, and their inputs and targets are
#
# | | stream 0 | stream 1 | targets of stream 0 | targets of stream 1 |
# |---|---|---|---|---|
# | chunk 0 | 0 1 2 | 6 7 8 | 1 2 3 | 7 8 9 |
# | chunk 1 | 3 4 5 | 9 10 11 | 4 5 6 | 10 11 12 |
#
# In the array the steps of a chunk stand one below another: `xs[0, :, :, 0]` is `[[0, 6], [1, 7], [2, 8]]`. The 13 of
# the series is left over. With $S = 12$ there would be no target for 11, so that $N$ would be 1.
#
# *Hint.* `reshape` never moves a number past another. Reshape to the order in which the numbers stand in the series
# (stream, then chunk, then step), and only then exchange axes, with `transpose`. In the reports, *step* is the number
# of the chunk, and *time step* the step within it.


# %% nbgrader={"grade": false, "grade_id": "streams", "locked": false, "schema_version": 3, "solution": true, "task": false}
def streams(series, B, k):
    """Cut series (S, D) into B streams and these into chunks of k steps → xs, targets, each (N, k, B, D)."""
    ### BEGIN SOLUTION
    N = (len(series) - 1) // (B * k)
    used = B * N * k

    def cut(part):
        return part[:used].reshape(B, N, k, -1).transpose(1, 2, 0, 3)

    xs = cut(series)
    targets = cut(series[1:])
    return xs, targets
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-streams", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.streams(streams)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-tbptt", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. Cut the gradient, not the state (7 points)
#
# Now one batch of sequences of $T$ steps, in chunks of $k$: steps $0 … k-1$, then $k … 2k-1$, and so on; the last chunk
# is shorter where $k$ does not divide $T$, and there is only one where $k \ge T$. For each chunk in turn: run forward
# through its steps, from the state in which the last chunk ended; run back through its steps, as in chapter 3; go on to
# the next chunk. At the first step of a chunk the way back ends: nothing is sent from step $k$ to step $k-1$, from
# $2k$ to $2k-1$, and so on. The gradients of the weights are the sums over all steps of all chunks.
#
# Write `tbptt(xs, h0, W, U, b, dhs, dh_last, k)`:
#
# | argument | shape | |
# |---|---|---|
# | `xs` | $(T, B, D)$ | inputs |
# | `h0` | $(B, H)$ | initial state |
# | `W`, `U`, `b` | $(D, H)$, $(H, H)$, $(H,)$ | weights |
# | `dhs` | $(T, B, H)$ | `dhs[t]`: gradient that arrives at `hs[t]` from its own output |
# | `dh_last` | $(B, H)$ | gradient that arrives at the last state of all from elsewhere, *in addition* to `dhs[-1]` |
# | `k` | a whole number | steps of a chunk |
#
# It returns, in this order, `hs` $(T, B, H)$ (1 point), `dxs` $(T, B, D)$ (2), `dW` $(D, H)$ (1), `dU` $(H, H)$ (2) and
# `db` $(H,)$ (1).
#
# *By hand:* one sequence, one input, one unit, $W = 1$, $U = 2$, $b = 0$, all inputs and `h0` zero, so that all states
# are 0 and tanh has slope 1. Let $T = 3$, `dhs` $= 0, 0, 1$, `dh_last` $= 0$. With $k = 3$ the gradients of the inputs
# are $4, 2, 1$; with $k = 2$ the second chunk is step 2 alone, and they are $0, 0, 1$; `db` is their sum.
#
# *Hint.* One step back is: `da = dh * (1 - hs[t]**2)`; then `da @ W.T` goes to the input, `da @ U.T` to the state
# before, and `da` makes the gradients of the weights, with the input and with the state before. At the first step of a
# chunk that state is the one that was handed on. It is a number like any other: `dU` needs it, though nothing flows
# back into it.


# %% nbgrader={"grade": false, "grade_id": "tbptt", "locked": false, "schema_version": 3, "solution": true, "task": false}
def tbptt(xs, h0, W, U, b, dhs, dh_last, k):
    """BPTT truncated at steps k, 2k, …: → hs (T, B, H), dxs (T, B, D), dW (D, H), dU (H, H), db (H,)."""
    ### BEGIN SOLUTION
    hs = np.zeros((len(xs), *h0.shape))
    dxs = np.zeros_like(xs)
    dW = np.zeros_like(W)
    dU = np.zeros_like(U)
    db = np.zeros_like(b)
    h = h0
    for start in range(0, len(xs), k):
        stop = min(start + k, len(xs))
        before = h
        for t in range(start, stop):
            h = np.tanh(xs[t] @ W + h @ U + b)
            hs[t] = h
        carry = np.zeros_like(h0) if stop < len(xs) else dh_last
        for t in reversed(range(start, stop)):
            h_old = hs[t - 1] if t > start else before
            da = (dhs[t] + carry) * (1 - hs[t] ** 2)
            dxs[t] = da @ W.T
            dW += xs[t].T @ da
            dU += h_old.T @ da
            db += da.sum(axis=0)
            carry = da @ U.T
    return hs, dxs, dW, dU, db
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-tbptt", "locked": true, "points": 7, "schema_version": 3, "solution": false, "task": false}
check.tbptt(tbptt)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-sliding", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. A window that slides (5 points)
#
# With chunks, the loss at the first step of a chunk goes back through that step alone, the loss at its last step through
# $k$. Williams and Peng take two numbers instead, $k_1 \le k_2$. After every $k_1$ steps, and once more at the end of the sequence where $k_1$
# does not divide $T$, one goes back over the last $k_2$ steps, or to step 0 where there are not so many. Only the losses
# of the steps since the last time enter on the way ($k_1$ of them, or fewer at the end), so that each loss is counted
# once; further back, the way only passes through.
#
# Write `sliding(dhs, xs, hs, h0, W, U, k1, k2)`, with `dhs`, `xs`, `hs`, `h0`, `W` and `U` as before; the states `hs`
# $(T, B, H)$ are given this time. It returns, in this order, `dW` $(D, H)$ (1 point), `dU` $(H, H)$ (2) and `db` $(H,)$
# (1), each summed over all the ways back, and `cost` (1 point): how many steps back were made in all, divided by $T$.
#
# *By hand:* $T = 5$, $k_1 = 2$, $k_2 = 3$. The first way back goes through steps 1, 0, with the losses of both; the
# second through 3, 2, 1, with the losses of steps 3 and 2; the third through 4, 3, 2, with the loss of step 4 alone. So
# 8 steps back were made, and `cost` is $8/5 = 1.6$.
#
# *Hint.* Each way back begins with nothing to carry. With $k_1 = k_2 = k$ these are the weight gradients of `tbptt`
# (with `dh_last` zero).


# %% nbgrader={"grade": false, "grade_id": "sliding", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sliding(dhs, xs, hs, h0, W, U, k1, k2):
    """Every k1 steps, back over the last k2: dhs (T, B, H) → dW (D, H), dU (H, H), db (H,), cost."""
    ### BEGIN SOLUTION
    dW = np.zeros_like(W)
    dU = np.zeros_like(U)
    db = np.zeros_like(U[0])
    visits = 0
    for start in range(0, len(xs), k1):
        stop = min(start + k1, len(xs))
        carry = np.zeros_like(h0)
        for t in reversed(range(max(0, stop - k2), stop)):
            h_old = hs[t - 1] if t > 0 else h0
            dh = dhs[t] + carry if t >= start else carry
            da = dh * (1 - hs[t] ** 2)
            dW += xs[t].T @ da
            dU += h_old.T @ da
            db += da.sum(axis=0)
            carry = da @ U.T
            visits += 1
    cost = visits / len(xs)
    return dW, dU, db, cost
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-sliding", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.sliding(sliding)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-train-stream", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Training on a stream (4 points)
#
# Chunk after chunk: compute the loss and the gradients of this chunk, hand the state on, move the weights, go on to the
# next chunk. After the last chunk an *epoch* is over. The next one begins at the first chunk again, and with the state
# `h0` again, since the end of a stream is not followed by its beginning. The weights go on as they are.
#
# Write `train_stream(W, U, h0, xs, targets, chunk_gradients, learning_rate, epochs)`. `xs` $(N, k, B, D)$ and `targets`
# $(N, k, B, K)$ are in chunks, as `streams` makes them; `h0` is $(B, H)$, `W` $(D, H)$, `U` $(H, H)$. Given to you is
#
# `chunk_gradients(W, U, h, xs_n, targets_n)`, which returns `loss, dW, dU, h_new`
#
# for one chunk `xs_n` $(k, B, D)$, `targets_n` $(k, B, K)$ that begins in the state `h`; `h_new` is the state at its
# end, under the weights that you passed. Call it once for each chunk and epoch. Return the final `W` and `U`, the state
# `h` after the last chunk, and `losses` (epochs, $N$), the loss of each chunk before its update (1 point each).
#
# *By hand:* one epoch, two chunks. $h_0$ and the first chunk give a loss, gradients and $h_1$; the weights move; $h_1$,
# the new weights and the second chunk give a loss, gradients and $h_2$; the weights move. `h` is $h_2$.
#
# *Hint.* Row $b$ of the state belongs to stream $b$, in every chunk. `W = W - …` makes a new array; `W -= …` would
# write into the caller's. In the reports, *step* is the number of the chunk.


# %% nbgrader={"grade": false, "grade_id": "train-stream", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_stream(W, U, h0, xs, targets, chunk_gradients, learning_rate, epochs):
    """Train on chunks, the state handed on → W (D, H), U (H, H), h (B, H), losses (epochs, N)."""
    ### BEGIN SOLUTION
    losses = np.zeros((epochs, len(xs)))
    for epoch in range(epochs):
        h = h0
        for n in range(len(xs)):
            loss, dW, dU, h = chunk_gradients(W, U, h, xs[n], targets[n])
            W = W - learning_rate * dW
            U = U - learning_rate * dU
            losses[epoch, n] = loss
    return W, U, h, losses
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-train-stream", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.train_stream(train_stream)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-learning", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## A rhythm that never ends
#
# Nothing to write, nothing to earn: your `streams`, `tbptt` and `train_stream` learn to say the next value of a series
# of 4001 steps, the sum of two swings of 24 and 7 steps. The first unit of the state is taken for the answer, so that
# there is no readout. "The same again" says that the next value is the present one; the network should end far below.


# %% nbgrader={"grade": false, "grade_id": "learning", "locked": true, "schema_version": 3, "solution": false, "task": false}
def learn(B=10, k=20, hidden=16, epochs=30, learning_rate=0.3):
    rng = np.random.default_rng(4)
    s = np.arange(4001)
    series = 0.5 * np.sin(2 * np.pi * s / 24) + 0.3 * np.sin(2 * np.pi * s / 7)
    xs, targets = streams(series[:, None], B, k)
    W = rng.standard_normal((1, hidden))
    U, b = 0.9 * rng.standard_normal((hidden, hidden)) / np.sqrt(hidden), np.zeros(hidden)

    def forward(W, U, h, xs_n):
        hs = []
        for x in xs_n:
            h = np.tanh(x @ W + h @ U + b)
            hs.append(h)
        return np.stack(hs)

    def chunk_gradients(W, U, h, xs_n, targets_n):
        hs = forward(W, U, h, xs_n)
        error = hs[..., 0] - targets_n[..., 0]
        dhs = np.zeros_like(hs)
        dhs[..., 0] = 2 * error / error.size
        _, _, dW, dU, _ = tbptt(xs_n, h, W, U, b, dhs, np.zeros_like(h), k)
        return np.mean(error**2), dW, dU, hs[-1]

    _, _, _, losses = train_stream(W, U, np.zeros((B, hidden)), xs, targets, chunk_gradients, learning_rate, epochs)
    print(f"the same again   {np.mean((targets - xs) ** 2):.4f}")
    for epoch in (0, 1, 3, 9, epochs - 1):
        print(f"epoch {epoch:3d}        {np.mean(losses[epoch]):.4f}")


try:
    learn()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: where the cuts fall (2 points, marked by hand)
#
# The series above has a swing of 24 steps. Cut it into chunks of $k = 24$, and every cut falls at the same place of
# that swing, in all streams. At how many different places do the cuts fall for other $k$? Find the formula for a swing
# of $P$ steps, and test it with your `streams` on the series $s \bmod P$.
#
# Does it matter for what is learnt? Design an experiment that decides. Say what differs between the networks and what
# is the same, what is measured and on which data, over how many seeds, and which outcome would convince you that it
# matters, which that it does not. You need not carry it out.
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Places.* Cuts fall at the steps $nk$ of the series, and a stream begins at a multiple of $Nk$, which is a multiple of
# $k$ too. The multiples of $k$ meet $P / \gcd(P, k)$ different places, if there are at least so many chunks. For $P =
# 24$ that is one place for $k = 24$, two for 12, six for 20, and all 24 for 23 and 25. With `xs, _ = streams(s[:, None]
# % P, B, k)` the set of `xs[:,0].ravel()` has them.
#
# *Experiment.* The lengths 23 and 25 enclose 24: nearly the same reach and the same number of updates, and if 24 is
# worse than *both*, it is not the length. Better still, keep $k = 24$, and let the second network begin each epoch at a
# random one of the first 24 steps, so that cuts move. The same: starts, learning rate (the best of a grid, for each),
# number of updates. Measured: the error on a later stretch of the series that neither has seen, with fixed weights and
# the state handed on, *for each place of the swing*. Ten seeds or so, in pairs that share their start.
#
# *Outcome.* It matters if, in nearly all pairs, the error of the fixed cuts is larger, above all at the places just
# after the cut: their losses were never sent back over it. It does not if the differences change sign from seed to
# seed. Then one says how large a difference could have been missed. In six starts of the last cell, at its own learning
# rate, with chunks of 23, 24 and 25 steps and with 24 and cuts that move, we saw none: what an error depended on was
# the start. After all the state is handed on over the cut, and only the gradient knows of it.
#
# **Marking**
#
# - ½ point: $P / \gcd(P, k)$, with a test.
# - ½ point: a comparison in which only the place of the cuts differs, or lengths on both sides of 24.
# - ½ point: measured on unseen data, with several seeds, and the same trouble taken with the learning rate of both.
# - ½ point: both outcomes are named beforehand.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
