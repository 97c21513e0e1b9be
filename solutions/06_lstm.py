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
# # Exercise 6: long short-term memory
#
# You write the LSTM: what it costs, one step, a step with peepholes, one step back, and the whole way back through
# time. Five functions, 21 points, and an open task for 2 more. At the end two of them train a network that keeps a sign
# in mind for forty steps. NumPy is all you need.
#
# **Notation**, as in chapter 6. $T$ steps, $B$ sequences, $D$ inputs, $H$ units; arrays are time-major, `xs` is
# $(T, B, D)$; vectors are rows. $\sigma(a) = 1/(1 + e^{-a})$ is the logistic function, $\odot$ multiplies element by
# element. One step of an LSTM is
#
# $$[\,a_i, a_f, a_g, a_o\,] = x_t W + h_{t-1} U + b,$$
#
# $$i_t = \sigma(a_i), \quad f_t = \sigma(a_f), \quad g_t = \tanh(a_g), \quad o_t = \sigma(a_o),$$
#
# $$c_t = f_t \odot c_{t-1} + i_t \odot g_t, \qquad h_t = o_t \odot \tanh(c_t).$$
#
# `W` is $(D, 4H)$, `U` is $(H, 4H)$ and `b` is $(4H,)$. The product has $4H$ columns: the first $H$ of them are $a_i$, the
# next $H$ are $a_f$, then come $a_g$ and $a_o$. A name with a `d` in front is the gradient of the loss $L$ with respect to
# what is behind it, and these are total derivatives: they count every path from there to $L$. The exceptions are what is
# handed on along *one* path: `dc` and `dc_old` in 4, `dhs`, `dh_last` and `dc_last` in 5. They count only the paths named
# there.
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

check = load("06_lstm")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-count-parameters", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. What the gates cost (2 points)
#
# Write `count_parameters(input_size, hidden_size)`. It returns four whole numbers, ½ point each: how many parameters
# these cells have, with $D$ inputs and $H$ units (no output layer).
#
# - `elman`: $h_t = \tanh(x_t W + h_{t-1} U + b)$.
# - `lstm`: the equations above.
# - `coupled`: an LSTM whose input gate is not computed but taken as $i_t = 1 - f_t$. No peepholes.
# - `peephole`: the LSTM above, in which the three gates see the cell state as well. Inside each of the three logistic
#   functions stands one more term, $p \odot c$, with a vector $p$ of $H$ numbers for each gate.
#
# Each affine map has *one* bias vector. States are computed, not learnt: they don't count.
#
# *By hand:* one input, one unit. Elman has 3 parameters, one each in $W$, $U$ and $b$; the LSTM 12, the coupled one 9,
# the one with peepholes 15.


# %% nbgrader={"grade": false, "grade_id": "count-parameters", "locked": false, "schema_version": 3, "solution": true, "task": false}
def count_parameters(input_size, hidden_size):
    """Parameters of four cells: elman, lstm, coupled, peephole."""
    ### BEGIN SOLUTION
    block = input_size * hidden_size + hidden_size * hidden_size + hidden_size
    elman = block
    lstm = 4 * block
    coupled = 3 * block
    peephole = lstm + 3 * hidden_size
    return elman, lstm, coupled, peephole
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-count-parameters", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check.count_parameters(count_parameters)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-lstm-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. One step (4 points)
#
# Write `lstm_step(x, h_old, c_old, W, U, b)` with `x` $(B, D)$, `h_old` and `c_old` $(B, H)$. It returns, in this order,
#
# - the new states `h` and `c` (1 point each);
# - what the gates and the candidate were, after their $\sigma$ or tanh: `i`, `f`, `g`, `o` (½ point each).
#
# All six are $(B, H)$.
#
# *By hand:* one input, one unit, all weights 0, all biases 0, $c_{t-1} = 2$. Then all gates are $\tfrac12$ and $g = 0$, so
# $c = \tfrac12 \cdot 2 + 0 = 1$ and $h = \tfrac12 \tanh 1 \approx 0.381$.
#
# *Hint.* `np.split(a, 4, axis=1)` cuts an array of $4H$ columns into four of $H$.


# %% nbgrader={"grade": false, "grade_id": "lstm-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lstm_step(x, h_old, c_old, W, U, b):
    """One step: x (B, D), h_old and c_old (B, H) → h, c, i, f, g, o, each (B, H)."""
    ### BEGIN SOLUTION
    a_i, a_f, a_g, a_o = np.split(x @ W + h_old @ U + b, 4, axis=1)
    i = 1 / (1 + np.exp(-a_i))
    f = 1 / (1 + np.exp(-a_f))
    g = np.tanh(a_g)
    o = 1 / (1 + np.exp(-a_o))
    c = f * c_old + i * g
    h = o * np.tanh(c)
    return h, c, i, f, g, o
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-lstm-step", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.lstm_step(lstm_step)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-peephole-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. Gates that look at the cell (3 points)
#
# With the output gate shut, $h_t$ says nothing of $c_t$, and so no gate knows what the cell holds. *Peepholes* let them
# look. Each unit's gates see that unit's cell state, through one weight each:
#
# $$i_t = \sigma(a_i + p_i \odot c_{t-1}), \qquad f_t = \sigma(a_f + p_f \odot c_{t-1}), \qquad
# o_t = \sigma(a_o + p_o \odot c_t).$$
#
# The output gate is computed last and sees the *new* cell state. All else is as in 2; the candidate sees no cell state.
#
# Write `peephole_step(x, h_old, c_old, W, U, b, p)`, where `p` $(3H,)$ holds $p_i$, $p_f$, $p_o$ one after another. It
# returns `h` (1 point) and `c` (2 points), both $(B, H)$.
#
# *By hand:* one unit, all of $W$, $U$, $b$ zero, $c_{t-1} = 2$, $p_i = 5$, $p_f = -1$, $p_o = 3$. Then
# $f = \sigma(-2) \approx 0.119$, $g = 0$, $c \approx 0.238$, $o = \sigma(3 \cdot 0.238) \approx 0.671$ and $h \approx 0.157$.


# %% nbgrader={"grade": false, "grade_id": "peephole-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def peephole_step(x, h_old, c_old, W, U, b, p):
    """One step with peepholes p (3H,): x (B, D), h_old and c_old (B, H) → h, c, each (B, H)."""
    ### BEGIN SOLUTION
    a_i, a_f, a_g, a_o = np.split(x @ W + h_old @ U + b, 4, axis=1)
    p_i, p_f, p_o = np.split(p, 3)
    i = 1 / (1 + np.exp(-(a_i + p_i * c_old)))
    f = 1 / (1 + np.exp(-(a_f + p_f * c_old)))
    c = f * c_old + i * np.tanh(a_g)
    o = 1 / (1 + np.exp(-(a_o + p_o * c)))
    h = o * np.tanh(c)
    return h, c
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-peephole-step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.peephole_step(peephole_step)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-lstm-step-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. One step back (6 points)
#
# A step of the LSTM of 2 has been made. Two gradients arrive: `dh`, by all paths that begin at $h_t$, and `dc`, by the path
# that begins at $c_t$ and leads along the cell state to the next step. But $c_t$ also reaches the loss through $h_t$, and
# that is not in `dc` yet: you add it.
#
# Write `lstm_step_backward(dh, dc, c_old, c, gates)`:
#
# | argument | shape | |
# |---|---|---|
# | `dh`, `dc` | $(B, H)$ | the two gradients that arrive |
# | `c_old`, `c` | $(B, H)$ | cell state before and after the step |
# | `gates` | $(B, 4H)$ | $i$, $f$, $g$, $o$ side by side, as they were *after* their $\sigma$ or tanh |
#
# It returns, in this order, `da_i`, `da_f`, `da_g`, `da_o`, the gradients with respect to what stood *inside* the four
# functions (1 point each), and `dc_old` (2 points), what goes to $c_{t-1}$ along the cell state. All are $(B, H)$. (Weights
# get theirs from the four as in chapter 3, by one product each; that is not asked here.)
#
# *By hand:* one unit, $c_{t-1} = 0$, $i = f = o = \tfrac12$, $g = 0$, so $c = 0$; let $dh = 2$ and $dc = 3$. The slope of tanh
# at 0 is 1, so through $h$ come $2 \cdot \tfrac12 \cdot 1 = 1$, and the cell gets $3 + 1 = 4$. Then
# $da_g = 4 \cdot \tfrac12 \cdot 1 = 2$, $dc_{\text{old}} = 4 \cdot \tfrac12 = 2$, and the other three are 0: each is
# multiplied with $g$, $c_{t-1}$ or $\tanh c$.
#
# *Hint.* $\sigma' = \sigma (1 - \sigma)$ and $\tanh' = 1 - \tanh^2$: both can be had from what the functions gave. Write down
# for each of $i, f, g, o$ what it was multiplied with on the way forward. Write `dc = dc + …`, for `dc += …` would change the
# array of the caller.


# %% nbgrader={"grade": false, "grade_id": "lstm-step-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lstm_step_backward(dh, dc, c_old, c, gates):
    """One step back: dh, dc, c_old, c (B, H), gates (B, 4H) → da_i, da_f, da_g, da_o, dc_old, each (B, H)."""
    ### BEGIN SOLUTION
    i, f, g, o = np.split(gates, 4, axis=1)
    tanh_c = np.tanh(c)
    dc = dc + dh * o * (1 - tanh_c**2)
    da_i = dc * g * i * (1 - i)
    da_f = dc * c_old * f * (1 - f)
    da_g = dc * i * (1 - g**2)
    da_o = dh * tanh_c * o * (1 - o)
    dc_old = dc * f
    return da_i, da_f, da_g, da_o, dc_old
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-lstm-step-backward", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.lstm_step_backward(lstm_step_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-lstm-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. Through time (6 points)
#
# Now a whole sequence. Two things are handed from step to step on the way back: what goes to $h_{t-1}$, through $U$, and
# what goes to $c_{t-1}$, along the cell state.
#
# Write `lstm_backward(dhs, dh_last, dc_last, cs, gates, c0, U)`:
#
# | argument | shape | |
# |---|---|---|
# | `dhs` | $(T, B, H)$ | `dhs[t]`: gradient that arrives at the state $h$ *after* step `t`, from its own output |
# | `dh_last`, `dc_last` | $(B, H)$ | gradients that arrive at the last $h$ and the last $c$ from elsewhere, *in addition* |
# | `cs` | $(T, B, H)$ | cell states, `cs[t]` the one *after* step `t` |
# | `gates` | $(T, B, 4H)$ | $i$, $f$, $g$, $o$ of each step side by side, after their $\sigma$ or tanh |
# | `c0` | $(B, H)$ | cell state before step 0 |
# | `U` | $(H, 4H)$ | recurrent weights |
#
# It returns six arrays of one point each, in this order: `das_i`, `das_f`, `das_g`, `das_o`, each $(T, B, H)$, the
# gradients with respect to $a_i$, $a_f$, $a_g$ and $a_o$ at each step; and `dh0` and `dc0`, each $(B, H)$, the gradients
# with respect to the initial states.
#
# *By hand:* one unit, $T = 2$, all gates $\tfrac12$ and $g = 0$ at both steps, $c_0 = 0$, so both cell states are 0 and $\tanh$
# has the slope 1. The candidate's column of $U$ holds $\tfrac12$; the others don't matter, for here all but $da_g$ are 0.
# Let `dhs` be 1 and 0, `dh_last` 2 and `dc_last` 3. The last step is the example of 4, with $dh = 0 + 2$ and $dc = 3$: it gives
# $da_g = 2$, and hands $2 \cdot \tfrac12 = 1$ to the $h$ before it and 2 to the cell state. So at step 0
# $dh = 1 + 1 = 2$, and the cell gets $2 + 2 \cdot \tfrac12 = 3$: $da_g = 3 \cdot \tfrac12 = 1.5$. `das_g` holds 1.5 and 2;
# `dh0` is $1.5 \cdot \tfrac12 = 0.75$ and `dc0` is $3 \cdot \tfrac12 = 1.5$.
#
# *Hints.* You may call `lstm_step_backward`. All four of $a_i, a_f, a_g, a_o$ were made from $h_{t-1}$, so all four send
# something back to it: side by side they are $(B, 4H)$, and one product with $U^\top$ adds up what they send. The cell
# state before step `t` is `cs[t - 1]`, and before step 0 it is `c0`.


# %% nbgrader={"grade": false, "grade_id": "lstm-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def lstm_backward(dhs, dh_last, dc_last, cs, gates, c0, U):
    """Back through time: → das_i, das_f, das_g, das_o, each (T, B, H), and dh0, dc0, each (B, H)."""
    ### BEGIN SOLUTION
    das = np.zeros_like(gates)
    dh_next, dc_next = dh_last, dc_last
    for t in reversed(range(len(cs))):
        i, f, g, o = np.split(gates[t], 4, axis=1)
        c_old = cs[t - 1] if t > 0 else c0
        tanh_c = np.tanh(cs[t])
        dh = dhs[t] + dh_next
        dc = dc_next + dh * o * (1 - tanh_c**2)
        da_i = dc * g * i * (1 - i)
        da_f = dc * c_old * f * (1 - f)
        da_g = dc * i * (1 - g**2)
        da_o = dh * tanh_c * o * (1 - o)
        das[t] = np.concatenate([da_i, da_f, da_g, da_o], axis=1)
        dh_next = das[t] @ U.T
        dc_next = dc * f
    das_i, das_f, das_g, das_o = np.split(das, 4, axis=2)
    return das_i, das_f, das_g, das_o, dh_next, dc_next
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-lstm-backward", "locked": true, "points": 6, "schema_version": 3, "solution": false, "task": false}
check.lstm_backward(lstm_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-remembering", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## It remembers
#
# Nothing to write, nothing to earn: `lstm_step` and `lstm_backward`, put together. At the first step the network sees $+1$
# or $-1$, then forty steps of noise; at the end it has to say which it was. Guessing costs $\ln 2 \approx 0.693$. Beside the
# loss stands the forget gate of the unit that keeps most, on average over time. Look at it when the loss is low: if
# nothing else held the sign, $f^{40}$ would be left of it. So something else does. The units tell the sign to each other
# again and again, through $U$ and the other gates.


# %% nbgrader={"grade": false, "grade_id": "remembering", "locked": true, "schema_version": 3, "solution": false, "task": false}
def remember(steps=40, batch=32, hidden=8, epochs=150, learning_rate=0.3):
    rng = np.random.default_rng(6)
    sign = rng.integers(0, 2, batch)
    xs = 0.3 * rng.standard_normal((steps + 1, batch, 1))
    xs[0, :, 0] = 2 * sign - 1
    W, U = rng.standard_normal((1, 4 * hidden)), rng.standard_normal((hidden, 4 * hidden)) / np.sqrt(hidden)
    b, V = np.zeros(4 * hidden), rng.standard_normal(hidden) / np.sqrt(hidden)
    b[hidden : 2 * hidden] = 1  # the forget gates begin open
    zeros = np.zeros((batch, hidden))
    for epoch in range(epochs + 1):
        h, c, hs, cs, gates = zeros, zeros, [zeros], [], []
        for x in xs:
            h, c, *ifgo = lstm_step(x, h, c, W, U, b)
            hs.append(h)
            cs.append(c)
            gates.append(np.concatenate(ifgo, axis=1))
        gates = np.stack(gates)
        p = 1 / (1 + np.exp(-h @ V))
        loss = -np.mean(np.log(np.where(sign == 1, p, 1 - p)))
        dscore = (p - sign) / batch
        dhs = np.zeros((len(xs), batch, hidden))
        *das, _, _ = lstm_backward(dhs, np.outer(dscore, V), zeros, np.stack(cs), gates, zeros, U)
        das = np.concatenate(das, axis=2)
        gradients = [
            sum(x.T @ da for x, da in zip(xs, das, strict=True)),
            sum(h.T @ da for h, da in zip(hs, das, strict=False)),  # the last state has no next step
            das.sum(axis=(0, 1)),
            h.T @ dscore,
        ]
        norm = np.sqrt(sum(np.sum(gradient**2) for gradient in gradients))
        if epoch % 15 == 0:
            forget = gates[:, :, hidden : 2 * hidden].mean(axis=(0, 1)).max()
            print(f"epoch {epoch:4d}   loss {loss:.4f}   largest forget gate {forget:.2f}")
        rate = learning_rate * min(1, 1 / norm)
        W, U, b, V = (value - rate * gradient for value, gradient in zip((W, U, b, V), gradients, strict=True))


try:
    remember()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: the way back through a peephole (2 points, marked by hand)
#
# Your `lstm_step_backward` belongs to the step without peepholes. Derive the one for `peephole_step`: from `dh` and
# `dc`, as they arrive at $h_t$ and $c_t$, to $\mathrm da_i$, $\mathrm da_f$, $\mathrm da_g$, $\mathrm da_o$, $\mathrm
# dc_{t-1}$ and the gradients of $p_i$, $p_f$ and $p_o$, where $a_i$, $a_f$, $a_o$ are what stands inside the gates
# without the peephole. Type the formulas, and mark what is new.
#
# In which order must they be computed, and why? Test at least $\mathrm dc_{t-1}$ by central differences.
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# With $\odot$ left out, and sums over the $B$ sequences for the peepholes:
#
# $$\mathrm da_o = \mathrm dh \tanh(c_t)\, o\,(1 - o), \qquad
# \mathrm dc \leftarrow \mathrm dc + \mathrm dh\, o\,(1 - \tanh^2 c_t) + \underline{p_o\, \mathrm da_o},$$
#
# $$\mathrm da_i = \mathrm dc\, g\, i\,(1 - i), \quad \mathrm da_f = \mathrm dc\, c_{t-1}\, f\,(1 - f), \quad \mathrm da_g = \mathrm dc\, i\,(1 - g^2),$$
#
# $$\mathrm dc_{t-1} = \mathrm dc\, f + \underline{p_i\, \mathrm da_i + p_f\, \mathrm da_f},$$
#
# $$\mathrm dp_i = \sum \mathrm da_i\, c_{t-1}, \qquad \mathrm dp_f = \sum \mathrm da_f\, c_{t-1}, \qquad \mathrm dp_o = \sum \mathrm da_o\, c_t .$$
#
# *New* is what is underlined, and the three sums. *Order:* $\mathrm da_o$ first, because the output gate has read the
# new cell state, so that it is one more path from $c_t$ to the loss. Only when it is in $\mathrm dc$ can the others be
# computed; $\mathrm dc_{t-1}$ comes last. Central differences with $\varepsilon = 10^{-6}$ in float64 agree to about
# $10^{-8}$.
#
# **Marking**
#
# - ½ point: $p_o\,\mathrm da_o$ in $\mathrm dc$, and the order with its reason.
# - ½ point: both new terms of $\mathrm dc_{t-1}$.
# - ½ point: the gradients of the three peepholes, that of $p_o$ with the *new* cell state, summed over the batch.
# - ½ point: a test by differences, with peepholes that are not zero.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
