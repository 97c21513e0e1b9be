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
# # Exercise 11: patterns
#
# One recurrent network can be wired in several ways: a sequence in and one answer out, one vector in and a sequence
# out, a tag for every input, one sequence in and another out. The cell is the same in all of them. What differs is
# where the inputs enter, and where the loss sits. Five functions, 21 points, and an open task for 2 more. At the end
# two of them run. NumPy is all you need.
#
# **Notation**, as in chapter 11. $T$ steps, $B$ sequences, $D$ inputs, $H$ hidden units, $K$ outputs or classes; arrays are
# time-major, `xs` is $(T, B, D)$; vectors are rows. A step is $h_t = \tanh(x_t W + h_{t-1} U + b)$, the readout
# $o_t = h_t V + c$. In the code `xs[0]` is the first step. A name with a `d` in front is the gradient of the loss $L$ with
# respect to what is behind it and has its shape; these are total derivatives.
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

check = load("11_patterns")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-many-to-one", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. Many-to-one: one answer at the end (4 points)
#
# A recurrent layer has read $B$ sequences of $T$ steps; its states are `hs` $(T, B, H)$. Each sequence belongs to one of $K$
# classes, `targets` $(B,)$, whole numbers from 0 to $K - 1$. The answer is read off the **last** state: scores
# $o = h_T V + c$, shape $(B, K)$, and with $p = \mathrm{softmax}(o)$
#
# $$L = -\frac1B \sum_n \log p_{n, k^*_n}, \qquad \frac{\mathrm dL}{\mathrm do_{n,k}} = \frac{p_{n,k} - [k = k^*_n]}{B}.$$
#
# Write `many_to_one(hs, targets, V, c)` with `V` $(H, K)$ and `c` $(K,)$. It returns
#
# - `loss`, one number (1 point);
# - `dhs`, shape $(T, B, H)$ (2 points): what arrives at each state *from the readout*, ready to be given to a `bptt`. What
#   the recurrence sends back from state to state is the business of `bptt`, not of this function;
# - `dV` $(H, K)$ and `dc` $(K,)$ (½ point each).
#
# *By hand:* $T = 2$, $B = 1$, $H = 1$, $K = 2$. States $5$, then $0$; $V = (1, -1)$, $c = (0, 0)$; target 1. The scores are $(0, 0)$ whatever
# the first state is, so $L = \ln 2$ and $\mathrm dL/\mathrm do = (\tfrac12, -\tfrac12)$. Hence `dhs` is $0$, then $\tfrac12 \cdot 1 + (-\tfrac12)(-1) = 1$; `dV` is
# $(0, 0)$ and `dc` is $(\tfrac12, -\tfrac12)$.
#
# *Hint.* The scores are small here; still, $\log p_k = z_k - \log \sum_j e^{z_j}$ with $z = o - \max_k o_k$ never overflows.
# `targets[:, None] == np.arange(K)` has the shape of the scores and is true at the right classes.


# %% nbgrader={"grade": false, "grade_id": "many-to-one", "locked": false, "schema_version": 3, "solution": true, "task": false}
def many_to_one(hs, targets, V, c):
    """One class per sequence, read off the last state: hs (T, B, H), targets (B,) → loss, dhs, dV, dc."""
    ### BEGIN SOLUTION
    scores = hs[-1] @ V + c
    shifted = scores - scores.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    right = targets[:, None] == np.arange(len(c))
    loss = -log_p[right].mean()
    dscores = (np.exp(log_p) - right) / len(targets)
    dhs = np.zeros_like(hs)
    dhs[-1] = dscores @ V.T
    dV = hs[-1].T @ dscores
    dc = dscores.sum(axis=0)
    return loss, dhs, dV, dc
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-many-to-one", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.many_to_one(many_to_one)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-delayed-tagging", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. Many-to-many, in step and a little late (4 points)
#
# A tagger says one tag for every input. With `delay` $= d$ it may wait: what it says at step $t$ is its answer to the input
# of step $t - d$, so that it has seen $d$ inputs more. With $d = 0$ it answers at once. At the first $d$ steps nothing is asked of
# it, and for the last $d$ inputs no answer comes any more: neither has a part in the loss. There remain
# $N = (T - d) \cdot B$ answers, and
#
# $$L = -\frac1N \sum_{t,n} \log p_{t,n,k^*}, \qquad p_t = \mathrm{softmax}(o_t), \quad k^* = \text{the tag of input } t - d,$$
#
# the sum over all steps $t$ that have an answer to give. The gradient at such a step is $(p_{t,n,k} - [k = k^*]) / N$.
#
# Write `delayed_tagging(os, targets, delay)` with the scores `os` $(T, B, K)$, `targets` $(T, B)$, where `targets[t]` is the tag
# of the input of step `t`, and `delay` a whole number, $0 \le d < T$. It returns
#
# - `loss`, one number (2 points);
# - `dos`, shape $(T, B, K)$ (2 points), zero where nothing is asked.
#
# *By hand:* $T = 3$, $B = 1$, $K = 2$, $d = 2$; only the last step has an answer to give, that to the first input, and $N = 1$. With `os[2]` $= (0, 0)$ and
# `targets[0]` $= 0$ the loss is $\ln 2$, and `dos` is $(0, 0)$, $(0, 0)$, $(-\tfrac12, \tfrac12)$.
#
# *Hint.* Which steps of `os` count, and which of `targets`? Both are slices of length $T - d$; mind what a slice `[:-d]` is when
# $d = 0$. On the shapes that remain it is the cross-entropy of exercise 3.


# %% nbgrader={"grade": false, "grade_id": "delayed-tagging", "locked": false, "schema_version": 3, "solution": true, "task": false}
def delayed_tagging(os, targets, delay):
    """Tags said `delay` steps after their input: os (T, B, K), targets (T, B) → loss, dos (T, B, K)."""
    ### BEGIN SOLUTION
    answers = os[delay:]
    wanted = targets[: len(targets) - delay]
    shifted = answers - answers.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    right = wanted[..., None] == np.arange(os.shape[-1])
    loss = -log_p[right].mean()
    dos = np.zeros_like(os)
    dos[delay:] = (np.exp(log_p) - right) / wanted.size
    return loss, dos
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-delayed-tagging", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.delayed_tagging(delayed_tagging)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-one-to-many", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. One-to-many: a vector in, a sequence out (4 points)
#
# What is known at the start is one vector $x$ for each sequence: a class, a seed, the summary of a picture. It becomes the
# state before the first step, by an affine map *without* a tanh, and is seen nowhere else. From then on the network listens
# to itself: each step reads the output of the step before. At the first step nothing has been said yet, and it reads zeros.
#
# $$h_0 = x E + e, \qquad u_1 = 0, \quad u_t = y_{t-1}, \qquad
# h_t = \tanh(u_t W + h_{t-1} U + b), \qquad y_t = h_t V + c.$$
#
# Write `one_to_many(x, steps, E, e, W, U, b, V, c)` with `x` $(B, D)$, `E` $(D, H)$, `e` $(H,)$, `W` $(K, H)$, since outputs are read, `U` $(H, H)$, `b` $(H,)$, `V` $(H, K)$,
# `c` $(K,)$, and `steps` the number $T$ of outputs wanted, at least 1. It returns
#
# - `ys` $(T, B, K)$: $y_1$ to $y_T$ (3 points);
# - `h_last` $(B, H)$: the state $h_T$ (1 point).
#
# *By hand:* all sizes 1, $x = 1$, $E = 2$, $e = -1$, $U = 0$, $b = 0$, $W = 1$, $V = 1$, $c = 3$. Then $h_0 = 1$; the first step reads 0 and forgets the state,
# so $h_1 = \tanh(0) = 0$ and $y_1 = 3$; the second reads 3, so $h_2 = \tanh(3) \approx 0.9951$ and $y_2 \approx 3.9951$.
#
# *Hint.* Two things go round the loop, $h$ and $u$. Step first, then read out.


# %% nbgrader={"grade": false, "grade_id": "one-to-many", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one_to_many(x, steps, E, e, W, U, b, V, c):
    """A sequence from one vector: x (B, D) → ys (steps, B, K), h_last (B, H)."""
    ### BEGIN SOLUTION
    h = x @ E + e
    u = np.zeros((len(x), len(c)))
    ys = []
    for _ in range(steps):
        h = np.tanh(u @ W + h @ U + b)
        u = h @ V + c
        ys.append(u)
    return np.stack(ys), h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-one-to-many", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.one_to_many(one_to_many)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-encoder-decoder", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Many-to-many, one after the other (4 points)
#
# Where the output can't begin before the input has ended, two networks take turns. The *encoder* reads `xs` from state `h0` and says
# nothing. Its last state $s$ is all that it hands over: it is the state before the *decoder*'s first step. The decoder has
# weights of its own, reads `us` and says something at every step. The two sequences need not be of one length: $T$ and $S$.
#
# Write `encoder_decoder(xs, us, h0, encoder, decoder, V, c)`:
#
# | argument | shape | |
# |---|---|---|
# | `xs` | $(T, B, D)$ | what the encoder reads |
# | `us` | $(S, B, K)$ | what the decoder reads: given, `us[0]` at its first step |
# | `h0` | $(B, H)$ | state before the encoder's first step |
# | `encoder` | a tuple `(W, U, b)` | $(D, H)$, $(H, H)$, $(H,)$ |
# | `decoder` | a tuple `(W, U, b)` | $(K, H)$, $(H, H)$, $(H,)$ |
# | `V`, `c` | $(H, K)$, $(K,)$ | the decoder's readout, $y = h V + c$ |
#
# Each step of either is $\tanh(\text{input} \cdot W + \text{state} \cdot U + b)$ with its own weights. Return
#
# - `s` $(B, H)$: the encoder's last state (1 point);
# - `ys` $(S, B, K)$: the decoder's outputs, `ys[t]` the one after `us[t]` (3 points). The checks call $S$ `steps`.
#
# *By hand:* all sizes 1, $T = 2$, $S = 1$; in the encoder $W = 1$, $U = 0$, $b = 0$; in the decoder $W = 0$, $U = 1$, $b = 0$; $V = 1$, $c = 0$. The encoder's last state is
# $s = \tanh(x_2)$, and the only output is $\tanh(s)$, whatever `us` and `h0` are.
#
# *Hint.* Two loops, one after the other; nothing but the state passes from the first to the second.


# %% nbgrader={"grade": false, "grade_id": "encoder-decoder", "locked": false, "schema_version": 3, "solution": true, "task": false}
def encoder_decoder(xs, us, h0, encoder, decoder, V, c):
    """One network reads xs (T, B, D), another goes on from its last state: → s (B, H), ys (S, B, K)."""
    ### BEGIN SOLUTION
    W, U, b = encoder
    s = h0
    for x in xs:
        s = np.tanh(x @ W + s @ U + b)
    W, U, b = decoder
    h = s
    ys = []
    for u in us:
        h = np.tanh(u @ W + h @ U + b)
        ys.append(h @ V + c)
    return s, np.stack(ys)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-encoder-decoder", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.encoder_decoder(encoder_decoder)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-encoder-decoder-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. Back across the joint (5 points)
#
# The loss of function 4 sits on the decoder's outputs only. How does the encoder learn? Through $s$, and through nothing else.
#
# You need not write backpropagation through time again: it is given to you as an argument, the `bptt` of exercise 3,
#
# `bptt(dhs, dh_last, xs, hs, h0, W, U)` → `dxs, dh0, dW, dU, db`.
#
# It goes back through *one* recurrent network that has read `xs` $(T, B, D)$ from the state `h0` $(B, H)$ and has passed through the states `hs` $(T, B, H)$.
# `dhs` $(T, B, H)$ is what arrives at each state from above, and `dh_last` $(B, H)$ what arrives at the last state from elsewhere, *in addition* to `dhs[-1]`. Out comes `dh0`, the gradient of
# the state before the first step. All its arguments are wanted; where nothing arrives, give it zeros of the right shape.
#
# Write `encoder_decoder_backward(dhs, xs, us, h0, es, hs, encoder, decoder, bptt)`:
#
# | argument | shape | |
# |---|---|---|
# | `dhs` | $(S, B, H)$ | gradient that arrives at the decoder's states from their outputs |
# | `xs`, `us` | $(T, B, D)$, $(S, B, K)$ | what encoder and decoder have read |
# | `h0` | $(B, H)$ | state before the encoder's first step |
# | `es`, `hs` | $(T, B, H)$, $(S, B, H)$ | states of the encoder and of the decoder |
# | `encoder`, `decoder` | tuples `(W, U)` | $(D, H)$, $(H, H)$ and $(K, H)$, $(H, H)$ |
# | `bptt` | a function | as above |
#
# Return, in this order,
#
# - `ds` $(B, H)$: the gradient of $s$, the state that was handed over (1 point);
# - the decoder's `dW` $(K, H)$, `dU` $(H, H)$ and `db` $(H,)$ (½ point each);
# - `dxs` $(T, B, D)$ (1 point);
# - the encoder's `dW` $(D, H)$, `dU` $(H, H)$ and `db` $(H,)$ (½ point each).
#
# The checks call these `dW_decoder`, `dW_encoder` and so on. A decoder of one step and an encoder of one, all sizes 1, would
# be a network of two layers: $s = \tanh(\dots)$, $h = \tanh(\dots + s U)$; then `ds` $= (1 - h^2)\,U \cdot$ `dhs`, and what the encoder gets is `ds`, nothing more.
#
# *Hint.* Call `bptt` twice. In which order? For each call ask: what were the states, which state stood before the first step, what
# arrives from above, and what arrives at the end?


# %% nbgrader={"grade": false, "grade_id": "encoder-decoder-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def encoder_decoder_backward(dhs, xs, us, h0, es, hs, encoder, decoder, bptt):
    """From dhs (S, B, H) at the decoder: ds, the decoder's dW, dU, db, dxs, the encoder's dW, dU, db."""
    ### BEGIN SOLUTION
    _, ds, *d_decoder = bptt(dhs, np.zeros_like(h0), us, hs, es[-1], *decoder)
    dxs, _, *d_encoder = bptt(np.zeros_like(es), ds, xs, es, h0, *encoder)
    return ds, *d_decoder, dxs, *d_encoder
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-encoder-decoder-backward", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.encoder_decoder_backward(encoder_decoder_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-wirings", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Two wirings at work
#
# Nothing to write, nothing to earn. First your `one_to_many` draws: its weights are those of a slow rotation, and three
# seeds start it on three circles. Then your `many_to_one` trains a readout on a recurrent network whose weights are random
# and stay so, and learns to tell from the last state alone whether a noisy curve has fallen, stayed or risen.


# %% nbgrader={"grade": false, "grade_id": "wirings", "locked": true, "schema_version": 3, "solution": false, "task": false}
def draw_circles(steps=28, turn=0.22):
    U = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    W, b, E, e = np.zeros((2, 2)), np.zeros(2), np.eye(2), np.zeros(2)
    seeds = np.array([[0.1, 0.0], [0.0, 0.2], [-0.3, 0.0]])
    ys, _ = one_to_many(seeds, steps, E, e, W, U, b, np.eye(2), np.zeros(2))
    _, ax = plt.subplots(figsize=(3.2, 3.2))
    for n, seed in enumerate(seeds):
        ax.plot(ys[:, n, 0], ys[:, n, 1], ".-", color=f"C{n}")
        ax.plot(*seed, "o", markersize=9, color=f"C{n}")
    ax.set(aspect="equal", title="three seeds (large), 28 steps each")
    plt.show()


def curves(rng, steps, batch):
    kinds = rng.integers(0, 3, batch)
    time = np.arange(steps)[:, None]
    rise = 0.06 * (kinds - 1) * time
    return (rise + rng.normal(0, 0.3, batch) + rng.normal(0, 0.1, (steps, batch)))[..., None], kinds


def tell_apart(steps=12, batch=300, hidden=40):
    rng = np.random.default_rng(11)
    W, U = rng.normal(0, 0.7, (1, hidden)), rng.normal(0, 0.9 / np.sqrt(hidden), (hidden, hidden))
    V, c = np.zeros((hidden, 3)), np.zeros(3)

    def states(xs):
        h, hs = np.zeros((xs.shape[1], hidden)), []
        for x in xs:
            h = np.tanh(x @ W + h @ U)
            hs.append(h)
        return np.stack(hs)

    (xs, kinds), (new_xs, new_kinds) = curves(rng, steps, batch), curves(rng, steps, batch)
    hs, new_hs = states(xs), states(new_xs)
    for epoch in range(401):
        loss, _, dV, dc = many_to_one(hs, kinds, V, c)
        if epoch % 100 == 0:
            right = np.mean(np.argmax(new_hs[-1] @ V + c, axis=1) == new_kinds)
            print(f"epoch {epoch:4d}   loss {loss:.3f}   new curves told rightly: {right:.2f}")
        V, c = V - 0.5 * dV, c - 0.5 * dc


for look in (draw_circles, tell_apart):
    try:
        look()
    except NotImplementedError:
        print(f"{look.__name__}: come back when its function is written.")
    except Exception as error:
        print(f"{look.__name__}: {type(error).__name__}: {error}. The checks above tell what is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: too small, or too far? (2 points, marked by hand)
#
# An encoder–decoder says short words again, and fails at words of 20 letters. There are two explanations. The *store is
# too small*: all that passes is $s$, and its $H$ numbers do not hold 20 letters. Or the *way is too long*: from an
# answer back to its letter lie 20 steps and more, and the gradient has vanished.
#
# Design an experiment that tells them apart. What do you vary while the other stays as it is, in both directions? Which
# curves does each explanation predict? How many seeds, and which outcome would fit neither? And what can
# `encoder_decoder_backward` tell about one of them *before any training*?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Vary the way, keep the load:* five letters, and pauses of 0, 5, 10, 20, 40 empty steps between the last letter and
# the first answer. *Vary the load, keep the way:* 25 steps in all, of which 2, 5, 10 or 20 carry a letter and the
# others are empty, with the answers beginning at the same step. *Vary the store:* $H$ = 16, 32, 64, 128 at 20 letters.
#
# *Predictions.* Store: pauses do no harm, letters do, and the number of letters that succeed grows with $H$. Way:
# pauses do as much harm as letters, more units do not help; a start that keeps lengths (orthogonal $U$) or gates do, at
# the same $H$. In a task that says the letters in reverse the last letters have a short way and the first ones a long
# one: if it is the way, errors grow with the distance of each letter from its answer; if it is the store, they do not
# have to.
#
# *Care.* Ten seeds for each point, all shown; the learning rate from a grid for each point; the number of updates large
# enough that the curves are flat, for “needs longer” looks like either. Beside them the share that guessing gets right.
# *Neither:* a low error in training and a high one on new words is no matter of store or way but of too few words.
#
# *Before training:* send a gradient in at the decoder's first step, `dhs` zero elsewhere, and look at the length of
# `dxs[t]` for each input step. If it is smaller by many powers of ten at the first letter than at the last, the way is
# a problem at the start of training. Of the store it says nothing. An example with $H = 32$, $T = 20$ and small inputs:
# with orthogonal matrices times 0.5, `dxs[0]` is below $10^{-5}$ of `dxs[19]`; with orthogonal matrices as they are,
# above a hundredth.
#
# **Marking**
#
# - ½ point: pauses, or another way to change the distance and not the content.
# - ½ point: the load or $H$ is changed while the distance stays.
# - ½ point: what each explanation predicts, said beforehand, and such that the curves differ.
# - ½ point: seeds and learning rates, and the length of `dxs` over the steps.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
