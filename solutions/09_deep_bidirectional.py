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
# # Exercise 9: deep and bidirectional networks
#
# You stack layers one on another, you run one from the end of each sequence to its beginning, and you send the gradient
# back through both directions to the inputs. Four functions, 18 points, and an open task for 2 more. At the end a
# picture shows which outputs your networks let depend on which inputs. NumPy is all you need.
#
# **Notation**, as in chapter 9. $T$ steps, $B$ sequences, $D$ inputs, $H$ hidden units; arrays are time-major, `xs` is
# $(T, B, D)$; vectors are rows. Every layer here is Elman's,
#
# $$h_t = \tanh(x_t W + h_{t-1} U + b), \qquad W\ (D, H), \quad U\ (H, H), \quad b\ (H,).$$
#
# **Lengths.** Where a function is given `lengths`, an array $(B,)$ of whole numbers from 1 to $T$, sequence `n` consists of
# `xs[:lengths[n], n]`. What stands behind it in `xs` is *padding*: numbers that mean nothing, and not zeros.
#
# **How it is marked.** Below each function stands a cell that begins with `check`. Run it as often as you like: it
# calls your function on random inputs of several shapes, prints what it found, and returns your points. Each output
# earns its points when all its elements are right, to about five digits. Loops, `einsum`, another order: all are
# welcome, and a function may call those that you wrote above it. Return NumPy arrays (lists of them will do, and float32
# as well as float64); where one of several outputs is not written yet, return None for it. A function that changes its
# arguments earns nothing: they belong to the caller. If a cell runs for a minute, interrupt it: Kernel → Interrupt.

# %% nbgrader={"grade": false, "grade_id": "setup", "locked": true, "schema_version": 3, "solution": false, "task": false}
import matplotlib.pyplot as plt
import numpy as np

from rnngrade.checks import load

check = load("09_deep_bidirectional")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-turn-round", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. Turn each sequence round (3 points)
#
# A layer that reads from the end needs the sequences backwards: each from its own last step to its first. The padding
# stays where it is, behind the sequence, as it was.
#
# Write `turn_round(xs, lengths)` with `xs` $(T, B, D)$ and `lengths` $(B,)$. It returns `turned` $(T, B, D)$ (3 points).
#
# *By hand:* $T = 4$, two sequences of lengths 4 and 2, one number a step (P and Q are padding):
#
# | | `xs` | `turned` |
# |---|---|---|
# | sequence 0, length 4 | 1, 2, 3, 4 | 4, 3, 2, 1 |
# | sequence 1, length 2 | 5, 6, P, Q | 6, 5, P, Q |
#
# *Hint.* A loop over the sequences is fine. Turned round twice, a batch is what it was: a test that you can make yourself.


# %% nbgrader={"grade": false, "grade_id": "turn-round", "locked": false, "schema_version": 3, "solution": true, "task": false}
def turn_round(xs, lengths):
    """Each sequence from its own end: xs (T, B, D), lengths (B,) → turned (T, B, D)."""
    ### BEGIN SOLUTION
    turned = xs.copy()
    for n, length in enumerate(lengths):
        turned[:length, n] = xs[:length, n][::-1]
    return turned
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-turn-round", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.turn_round(turn_round)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-stack", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. A stack (4 points)
#
# $L$ layers, one on another. The first reads the inputs; each other one reads, step by step, the states of the layer
# below it. Every layer has weights and an initial state of its own:
#
# $$h^{(l)}_t = \tanh\bigl(h^{(l-1)}_t W^{(l)} + h^{(l)}_{t-1} U^{(l)} + b^{(l)}\bigr), \qquad h^{(0)}_t = x_t .$$
#
# Write `stack(xs, h0s, layers)`. All sequences have the full length $T$ here.
#
# | argument | |
# |---|---|
# | `xs` | inputs, $(T, B, D)$ |
# | `h0s` | list of $L$ initial states, each $(B, H)$, that of the lowest layer first |
# | `layers` | list of $L$ tuples `(W, U, b)`, the lowest layer first: `W` is $(D, H)$ in the first and $(H, H)$ in all others |
#
# It returns, in this order,
#
# - `ys` $(T, B, H)$: the states of the top layer (3 points);
# - `lasts` $(B, K)$ with $K = L \cdot H$: the final states of all layers side by side, the lowest layer's first (1 point).
#
# *By hand:* $L = 2$, one sequence, one step, one unit everywhere, all weights 1, biases and initial states 0, $x_1 = 0.5$.
# Then $h^{(1)}_1 = \tanh 0.5 = 0.4621$ and $h^{(2)}_1 = \tanh 0.4621 = 0.4318$; `ys` is $0.4318$, `lasts` is $(0.4621, 0.4318)$.
#
# *Hint.* You can finish a layer for all $T$ steps before you begin the next.


# %% nbgrader={"grade": false, "grade_id": "stack", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stack(xs, h0s, layers):
    """Elman layers, each on the states of the one below: → ys (T, B, H) of the top, lasts (B, L·H) of all."""
    ### BEGIN SOLUTION
    below, lasts = xs, []
    for (W, U, b), h in zip(layers, h0s, strict=True):
        hs = []
        for x in below:
            h = np.tanh(x @ W + h @ U + b)
            hs.append(h)
        lasts.append(h)
        below = np.stack(hs)
    return below, np.concatenate(lasts, axis=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-stack", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.stack(stack)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-bidirectional", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. Two directions (6 points)
#
# Two layers read the same inputs: `ahead` from the first step to the last, `back` from each sequence's own last step to
# its first. Each has its own weights and initial state. At step $t$ their states stand side by side:
#
# $$\overrightarrow h_t = \tanh(x_t \overrightarrow W + \overrightarrow h_{t-1} \overrightarrow U + \overrightarrow b), \qquad
# \overleftarrow h_t = \tanh(x_t \overleftarrow W + \overleftarrow h_{t+1} \overleftarrow U + \overleftarrow b), \qquad
# y_t = [\,\overrightarrow h_t, \overleftarrow h_t\,].$$
#
# In a sequence of length $\ell$ the layer `back` begins at step $\ell$: what stands there for $\overleftarrow h_{\ell+1}$ is its initial state.
#
# Write `bidirectional(xs, lengths, ahead, back)` with `xs` $(T, B, D)$, `lengths` $(B,)$; `ahead` and `back` are tuples
# `(W, U, b, h0)` of arrays $(D, H)$, $(H, H)$, $(H,)$ and $(B, H)$. It returns, in this order,
#
# - `ys` $(T, B, K)$ with $K = 2H$: $\overrightarrow h_t$ first, then $\overleftarrow h_t$; zeros in the padding (4 points);
# - `final` $(B, K)$: for each direction the state in which it has read the *whole* sequence, `ahead` first (2 points).
#
# *By hand:* one sequence, $T = 3$, its length 2, one unit a direction, all weights 1, biases and initial states 0, inputs
# $0.5, 0$ and then padding. Ahead: $\tanh 0.5 = 0.4621$, $\tanh 0.4621 = 0.4318$. Back, from step 2: $\tanh 0 = 0$, then
# $\tanh 0.5 = 0.4621$. So `ys` is $(0.4621, 0.4621), (0.4318, 0), (0, 0)$ and `final` is $(0.4318, 0.4621)$.
#
# *Hint.* Either turn the inputs round, run ahead and turn the states back; or let the loop run from $T - 1$ down to 0 and
# leave the state of a sequence as it is while $t \ge$ its length: `np.where(valid, new, old)`.


# %% nbgrader={"grade": false, "grade_id": "bidirectional", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bidirectional(xs, lengths, ahead, back):
    """Two Elman layers, one from each end: xs (T, B, D), lengths (B,) → ys (T, B, 2H), final (B, 2H)."""
    ### BEGIN SOLUTION
    T, B = xs.shape[:2]
    steps = np.arange(T)[:, None] + np.zeros(B, dtype=int)  # (T, B)
    valid = (steps < lengths)[..., None]  # (T, B, 1)
    source = np.where(steps < lengths, lengths - 1 - steps, steps)[..., None]

    def turn(array):
        return np.take_along_axis(array, source, axis=0)

    halves, lasts = [], []
    for (W, U, b, h), from_end in ((ahead, False), (back, True)):
        inputs = turn(xs) if from_end else xs
        hs = []
        for t in range(T):
            new = np.tanh(inputs[t] @ W + h @ U + b)
            h = np.where(valid[t], new, h)
            hs.append(h)
        hs = np.stack(hs)
        halves.append(turn(hs) if from_end else hs)
        lasts.append(h)
    ys = np.concatenate(halves, axis=-1) * valid
    final = np.concatenate(lasts, axis=-1)
    return ys, final
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-bidirectional", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.bidirectional(bidirectional)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-bidirectional-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Back to the inputs (5 points)
#
# Both directions have read $x_t$, so both send a gradient to it. Each sends it against its own way of reading: what
# `ahead` made is walked through from the last step to the first, what `back` made from the first to the last.
#
# Write `bidirectional_backward(dys, lengths, hs_ahead, hs_back, ahead, back)`:
#
# | argument | shape | |
# |---|---|---|
# | `dys` | $(T, B, 2H)$ | gradient of the loss with respect to `ys`, from above. In the padding it means nothing: there it must have no effect |
# | `lengths` | $(B,)$ | |
# | `hs_ahead`, `hs_back` | $(T, B, H)$ each | the two halves of `ys`: `hs_back[t]` is the state that `back` had when it had read `xs[t]`; zeros in the padding |
# | `ahead`, `back` | | tuples `(W, U, b, h0)` as before |
#
# It returns, in this order,
#
# - `dxs` $(T, B, D)$: $\mathrm dL/\mathrm dx_t$, zeros in the padding (3 points);
# - `dh0_ahead` and `dh0_back`, $(B, H)$ each: the gradients of the two initial states (1 point each).
#
# The final states go nowhere else: what reaches the loss reaches it through `ys`.
#
# *Hint.* For one direction it is the loop of chapter 3: add up what comes from above and what was carried, multiply by
# $1 - h_t^2$, send it through $W^\top$ to the input and through $U^\top$ to the state before, in that direction's order of
# reading. At a step in the padding nothing happens: no gradient, and what is carried stays as it is.


# %% nbgrader={"grade": false, "grade_id": "bidirectional-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bidirectional_backward(dys, lengths, hs_ahead, hs_back, ahead, back):
    """Gradient of two directions: dys (T, B, 2H) → dxs (T, B, D), dh0_ahead (B, H), dh0_back (B, H)."""
    ### BEGIN SOLUTION
    T, _, H = hs_ahead.shape
    valid = (np.arange(T)[:, None] < lengths)[..., None]  # (T, B, 1)
    from_first, from_last = range(T), range(T - 1, -1, -1)
    dxs, carries = 0.0, []
    for (W, U, _, h0), hs, dhs, steps in (
        (ahead, hs_ahead, dys[..., :H], from_last),
        (back, hs_back, dys[..., H:], from_first),
    ):
        das, carry = np.zeros_like(hs), np.zeros_like(h0)
        for t in steps:
            das[t] = (dhs[t] + carry) * (1 - hs[t] ** 2) * valid[t]
            carry = np.where(valid[t], das[t] @ U.T, carry)
        dxs = dxs + das @ W.T
        carries.append(carry)
    return dxs, *carries
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-bidirectional-backward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.bidirectional_backward(bidirectional_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-reach", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Who sees whom
#
# Nothing to write, nothing to earn: your own networks, with one input after the other moved a little. Each picture has a
# row for every output step and a column for every input step, and is dark where that output did not move at all. A
# stack sees the past, whatever its depth. Two directions see everything; but a sequence of 8 steps sees nothing of the
# padding behind it.


# %% nbgrader={"grade": false, "grade_id": "reach", "locked": true, "schema_version": 3, "solution": false, "task": false}
def moved_by(network, T=12, eps=1e-4):
    """Size of the change of y_t when x_s moves: (T, T), row t, column s."""
    xs = np.random.default_rng(1).standard_normal((T, 1, 1))
    before, moved = network(xs), np.zeros((T, T))
    for s in range(T):
        nudged = xs.copy()
        nudged[s] += eps
        moved[:, s] = np.abs(network(nudged) - before).max(axis=(1, 2)) / eps
    return moved


def look():
    rng, H = np.random.default_rng(2), 6
    layers = [(rng.standard_normal((D, H)), 0.4 * rng.standard_normal((H, H)), np.zeros(H)) for D in (1, H, H, 1)]
    h0, both = np.zeros((1, H)), [(*layers[i], np.zeros((1, H))) for i in (0, 3)]
    networks = {
        "stack of three": lambda xs: stack(xs, [h0] * 3, layers[:3])[0],
        "two directions": lambda xs: bidirectional(xs, np.array([12]), *both)[0],
        "two directions, length 8": lambda xs: bidirectional(xs, np.array([8]), *both)[0],
    }
    pictures = {name: moved_by(network) for name, network in networks.items()}
    _, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
    for ax, (name, moved) in zip(axes, pictures.items(), strict=True):
        ax.imshow(np.log10(moved + 1e-5), cmap="cividis", vmin=-4, vmax=1)
        ax.set(title=name, xlabel="input step", ylabel="output step")
    plt.show()
    for name, moved in pictures.items():
        print(f"{name}: {int((moved > 0).sum())} of {moved.size} pairs of steps are connected")


try:
    look()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: between the first mark and the last (2 points, marked by hand)
#
# Sequences of zeros and ones. At every step say whether it lies between marks: whether a 1 stands at this step or
# before it, *and* a 1 at this step or after it. Solve this with no training at all: choose by hand the weights of your
# `bidirectional`, with one unit in each direction, and a readout of two weights and a bias whose sign is the answer.
# Test it on a random batch with different lengths and nonsense in the padding.
#
# Then prove that no stack of layers in one direction can do it, however deep and wide it is.
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *A latch.* One unit with $W = U = 10$, $b = 0$, $h_0 = 0$: as long as only zeros come, $\tanh(0) = 0$ stays exactly 0.
# The first 1 makes it $\tanh(10) \approx 1$, and from then on $\tanh(10 h + 10 x) \approx 1$ holds it. So `ahead` says
# “there has been one”, and `back`, with the same weights, “there will be one, or there is”. Other weights do as well,
# if $U > 1$ is large enough to hold the state near 1 and $b = 0$.
#
# *Readout.* $y_t = \overrightarrow h_t + \overleftarrow h_t - 1.5$: positive where both are near 1, and else at most
# $-0.5$. In code, `ys.sum(axis=-1) > 1.5` at the steps of each sequence. It is right at every step of a random batch;
# the padding has no effect, since `back` begins at each sequence's own end.
#
# *Proof.* In a stack in one direction $y_t$ is a function of $x_1, \dots, x_t$ alone: layer by layer, $h^{(l)}_t$ is
# made from $h^{(l)}_{t-1}$ and $h^{(l-1)}_t$. Take the two sequences $1, 0, 0$ and $1, 0, 1$. At step 2 the inputs so
# far are the same, so is the output; but the right answer is no in the first, yes in the second. One of them is wrong.
#
# **Marking**
#
# - ½ point: a unit that latches, with its weights.
# - ½ point: a readout that is positive only where both are set.
# - ½ point: tested with several lengths and padding that is not zero.
# - ½ point: two sequences with the same past and another future.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
