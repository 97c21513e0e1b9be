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
# # Exercise 7: the gated recurrent unit
#
# You write one step of the GRU, one step of the other GRU that shares its name, the way back through a step, and a step
# with weights in the layout of another library. Four functions, 20 points, and an open task for 2 more. At the end the
# first and the third train a network. NumPy is all you need.
#
# **Notation**, as in chapter 7. $B$ sequences, $D$ inputs, $H$ hidden units; vectors are rows, $\odot$ multiplies element
# by element, $\sigma(a) = 1 / (1 + e^{-a})$. The weights of the three gates lie side by side in the order **r z n**: `W` is
# $(D, 3H)$, and its columns `W[:, :H]` are those of the reset gate $r$, `W[:, H:2*H]` those of the update gate $z$,
# `W[:, 2*H:]` those of the candidate $n$. `U` $(H, 3H)$ and `b` $(3H,)$ are laid out in the same way; $U_r$ is the first
# third of the columns of `U`, and so on. The state before the step is `h` $(B, H)$, the one after it `h_new`.
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

check = load("07_gru")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-gru-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. One step (5 points)
#
# The GRU of torch and cuDNN. The reset gate acts *after* the product with $U_n$, and on the bias `b_hn` of that product too:
#
# $$r = \sigma(x W_r + b_r + h U_r), \qquad z = \sigma(x W_z + b_z + h U_z),$$
# $$n = \tanh\bigl(x W_n + b_n + r \odot (h U_n + b_{hn})\bigr), \qquad h_{\text{new}} = (1 - z) \odot n + z \odot h.$$
#
# Write `gru_step(x, h, W, U, b, b_hn)` with `x` $(B, D)$, `h` $(B, H)$, `b_hn` $(H,)$ and the others as above. It returns, in
# this order, `h_new` (1 point), `r` (1), `z` (1) and `n` (2), all $(B, H)$.
#
# *By hand:* one sequence, $D = H = 1$, `x` 1, `h` 2. Let `W` be $(0, 0, 1)$, `U` $(0, 0, 1)$ and `b` $(0, \ln 3, 0)$, and
# `b_hn` $-1$. Then $r = \sigma(0) = \tfrac12$ and $z = \sigma(\ln 3) = \tfrac34$; the candidate is
# $n = \tanh(1 + \tfrac12 (2 - 1)) = \tanh 1.5 \approx 0.9051$, and $h_{\text{new}} \approx \tfrac14 \cdot 0.9051 + \tfrac34 \cdot 2 = 1.7263$.
#
# *Hint.* Make the two products for all gates at once, `x @ W + b` and `h @ U`, and cut each into its three parts. Do not add
# the two before you have cut them: $r$ has to get in between.


# %% nbgrader={"grade": false, "grade_id": "gru-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gru_step(x, h, W, U, b, b_hn):
    """One step, reset after the product: x (B, D), h (B, H) → h_new, r, z, n, all (B, H)."""
    ### BEGIN SOLUTION
    H = h.shape[1]
    wx = x @ W + b
    uh = h @ U
    r = 1 / (1 + np.exp(-(wx[:, :H] + uh[:, :H])))
    z = 1 / (1 + np.exp(-(wx[:, H : 2 * H] + uh[:, H : 2 * H])))
    n = np.tanh(wx[:, 2 * H :] + r * (uh[:, 2 * H :] + b_hn))
    h_new = (1 - z) * n + z * h
    return h_new, r, z, n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-gru-step", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.gru_step(gru_step)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-gru-original-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. The other GRU (3 points)
#
# The GRU of the paper as it was published, which Keras calls `reset_after=False`. The gates $r$ and $z$ are those of part 1. But the reset gate
# acts on the state *before* the product, and there is no `b_hn`:
#
# $$n = \tanh\bigl(x W_n + b_n + (r \odot h)\, U_n\bigr), \qquad h_{\text{new}} = (1 - z) \odot n + z \odot h.$$
#
# Write `gru_original_step(x, h, W, U, b)` with the same shapes: `U` $(H, 3H)$ has all three gates. It returns `h_new` (1 point)
# and `n` (2 points), both $(B, H)$.
#
# *By hand:* one sequence, $D = 1$, $H = 2$, all of `x` and `b` zero. Let $h = (1, 1)$, $r = (1, 0)$, and $U_n$ have the rows $(0, 5)$
# and $(7, 0)$. Before the product: $(r \odot h) U_n = (1, 0)\,U_n = (0, 5)$. After it, as in part 1:
# $r \odot (h U_n) = (1, 0) \odot (7, 5) = (7, 0)$. Here $r$ silences the unit that *sends*, there the one that *receives*.


# %% nbgrader={"grade": false, "grade_id": "gru-original-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gru_original_step(x, h, W, U, b):
    """One step, reset before the product: x (B, D), h (B, H) → h_new, n, both (B, H)."""
    ### BEGIN SOLUTION
    H = h.shape[1]
    wx = x @ W + b
    gates = 1 / (1 + np.exp(-(wx[:, : 2 * H] + h @ U[:, : 2 * H])))
    r, z = gates[:, :H], gates[:, H:]
    n = np.tanh(wx[:, 2 * H :] + (r * h) @ U[:, 2 * H :])
    h_new = (1 - z) * n + z * h
    return h_new, n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-gru-original-step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.gru_original_step(gru_original_step)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-gru-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. One step back (9 points)
#
# Back through the step of part 1. `dh_new` $(B, H)$ holds $\mathrm dL/\mathrm dh_{\text{new}}$, all that the loss has to say to the new state.
# Send it on to everything that went in. Name the three sums that stand inside $\sigma$, $\sigma$ and $\tanh$
#
# $$a_r = x W_r + b_r + h U_r, \qquad a_z = x W_z + b_z + h U_z, \qquad a_n = x W_n + b_n + r \odot q, \qquad q = h U_n + b_{hn}.$$
#
# Write `gru_backward(dh_new, x, h, r, z, n, W, U, b_hn)`; `r`, `z` and `n` $(B, H)$ are what the step computed. It returns, in this order,
#
# | output | shape | points | gradient with respect to |
# |---|---|---|---|
# | `da_r`, `da_z`, `da_n` | $(B, H)$ each | 1 each | the three sums |
# | `dx` | $(B, D)$ | 1 | the input |
# | `dh` | $(B, H)$ | 3 | the old state, along every path |
# | `dU_n` | $(H, H)$ | 1 | the last third of the columns of `U`, summed over the $B$ sequences |
# | `db_hn` | $(H,)$ | 1 | the bias inside the reset, summed over the $B$ sequences |
#
# `dW`, `db` and the rest of `dU` are not asked for: they are products and sums of `da_r`, `da_z` and `da_n`, as in chapter 3.
#
# *By hand:* $B = D = H = 1$, with `dh_new` 1, `h` 2, `r` ½, `z` ¾, `n` 0, $U = (0, 0, 1)$ and `b_hn` $-1$. The candidate has weight
# $1 - z = \tfrac14$, so `da_n` is $\tfrac14$. Moving $z$ moves $h_{\text{new}}$ by $h - n = 2$, so `da_z` is $2 \cdot \tfrac34 \cdot \tfrac14 = \tfrac38$.
# Moving $r$ moves $a_n$ by $q = 2 - 1$, so `da_r` is $\tfrac14 \cdot 1 \cdot \tfrac12 \cdot \tfrac12 = \tfrac1{16}$. And `dh` is
# $\tfrac34 + \tfrac14 \cdot \tfrac12 \cdot 1 = \tfrac78$: the part that was kept, and the part that went through the candidate.
#
# *Hints.* $\sigma'(a) = \sigma(a)\,(1 - \sigma(a))$ and $\tanh'(a) = 1 - \tanh^2(a)$. Begin with `da_n`: it is needed for `da_r`. The old state
# stands in four places of the step; `dh` is a sum of four. $q$ is not given; it costs one product to make it again.


# %% nbgrader={"grade": false, "grade_id": "gru-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gru_backward(dh_new, x, h, r, z, n, W, U, b_hn):
    """Gradient of gru_step: dh_new (B, H) → da_r, da_z, da_n, dx, dh, dU_n (H, H), db_hn (H,)."""
    ### BEGIN SOLUTION
    H = h.shape[1]
    U_r, U_z, U_n = U[:, :H], U[:, H : 2 * H], U[:, 2 * H :]
    q = h @ U_n + b_hn
    da_n = dh_new * (1 - z) * (1 - n**2)
    da_z = dh_new * (h - n) * z * (1 - z)
    da_r = da_n * q * r * (1 - r)
    dq = da_n * r
    dx = np.concatenate([da_r, da_z, da_n], axis=1) @ W.T
    dh = dh_new * z + da_r @ U_r.T + da_z @ U_z.T + dq @ U_n.T
    dU_n = h.T @ dq
    db_hn = dq.sum(axis=0)
    return da_r, da_z, da_n, dx, dh, dU_n, db_hn
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-gru-backward", "locked": true, "points": 9, "schema_version": 3, "solution": false, "task": false}
check.gru_backward(gru_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-keras-step", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. The same step, other people's weights (3 points)
#
# Someone trained a GRU in Keras and sends you what `get_weights()` returned. It is the GRU of part 1 (`reset_after=True`, its default),
# laid out in another way:
#
# - the order of the gates is **z r h**, where their h is our candidate $n$;
# - `kernel` $(D, 3H)$ multiplies the input, `recurrent_kernel` $(H, 3H)$ the state;
# - there are two biases for every gate: `bias` is $(2, 3H)$, `bias[0]` belongs to the product with the input and `bias[1]` to the
#   product with the state. For the gates $z$ and $r$ both are merely added; for the candidate, the second stands inside the reset, as
#   `b_hn` does;
# - as here, $z = 1$ keeps the old state.
#
# Write `keras_step(x, h, kernel, recurrent_kernel, bias)`. It returns the new state, $(B, H)$ (3 points).
#
# *Hint.* Cut into three, put the parts in our order, and you may call your `gru_step`. Or write the step anew: it is seven lines.


# %% nbgrader={"grade": false, "grade_id": "keras-step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keras_step(x, h, kernel, recurrent_kernel, bias):
    """One step with Keras's weights: x (B, D), h (B, H) → the new state (B, H)."""
    ### BEGIN SOLUTION
    wx = x @ kernel + bias[0]
    uh = h @ recurrent_kernel + bias[1]
    z, r, n = np.split(wx, 3, axis=1)
    z_h, r_h, n_h = np.split(uh, 3, axis=1)
    z = 1 / (1 + np.exp(-(z + z_h)))
    r = 1 / (1 + np.exp(-(r + r_h)))
    n = np.tanh(n + r * n_h)
    return (1 - z) * n + z * h
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-keras-step", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.keras_step(keras_step)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-learning", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## It learns to keep
#
# Nothing to write, nothing to earn: `gru_step` and `gru_backward`, put together and trained. A sequence of random signs comes in, and now and
# then a mark beside one of them; at every step the network has to say the sign that was marked last. Between two marks it must keep what it
# has. Guessing costs $\ln 2 \approx 0.693$; yours should end below 0.01. Below it stands one new sequence with all update gates, a row for
# each unit, high where it keeps. Look for a gate that is high while a plus is kept and low while a minus is: $z$ sees the state, too.


# %% nbgrader={"grade": false, "grade_id": "learning", "locked": true, "schema_version": 3, "solution": false, "task": false}
def marked_signs(rng, steps=20, batch=32):
    """Inputs (T, B, 2), a sign and a mark; targets (T, B), 1 where the sign marked last was +."""
    signs, marks = rng.choice([-1.0, 1.0], (steps, batch)), rng.random((steps, batch)) < 0.2
    marks[0] = True
    last = np.maximum.accumulate(np.where(marks, np.arange(steps)[:, None], 0), axis=0)
    return np.stack([signs, marks], axis=2), np.take_along_axis(signs, last, axis=0) > 0


def run(xs, model):
    W, U, b, b_hn, V, c = model
    hs, gates = [np.zeros((xs.shape[1], len(U)))], []
    for x in xs:
        h, *step = gru_step(x, hs[-1], W, U, b, b_hn)
        hs.append(h)
        gates.append(step)
    return hs, gates, np.stack(hs[1:]) @ V + c


def gradients(xs, targets, model):
    W, U, b, b_hn, V, _ = model
    hs, gates, os = run(xs, model)
    p = 1 / (1 + np.exp(-os))
    loss = -np.mean(np.log(np.where(targets, p, 1 - p)))
    dos = (p - targets) / targets.size
    dW, dU, db, db_hn = np.zeros_like(W), np.zeros_like(U), np.zeros_like(b), np.zeros_like(b_hn)
    carry = np.zeros_like(hs[0])
    for t in reversed(range(len(xs))):
        dh_new = dos[t][:, None] * V + carry
        da_r, da_z, da_n, _, carry, dU_n, db_hn_t = gru_backward(dh_new, xs[t], hs[t], *gates[t], W, U, b_hn)
        da = np.concatenate([da_r, da_z, da_n], axis=1)
        dW, db, db_hn = dW + xs[t].T @ da, db + da.sum(axis=0), db_hn + db_hn_t
        dU += np.concatenate([hs[t].T @ da_r, hs[t].T @ da_z, dU_n], axis=1)
    dV = np.einsum("tb,tbh->h", dos, np.stack(hs[1:]))
    return loss, (dW, dU, db, db_hn, dV, dos.sum())


def learn(updates=200, H=8, learning_rate=0.02):
    rng = np.random.default_rng(7)
    model = [0.5 * rng.standard_normal(shape) for shape in [(2, 3 * H), (H, 3 * H), 3 * H, H, H, ()]]
    sizes = [np.zeros_like(parameter) for parameter in model]
    for update in range(updates + 1):
        loss, gradient = gradients(*marked_signs(rng), model)
        if update % 25 == 0:
            print(f"update {update:4d}   loss {loss:.4f}")
        sizes = [0.9 * s + 0.1 * g**2 for s, g in zip(sizes, gradient, strict=True)]  # a rate for each weight
        steps = [learning_rate * g / (np.sqrt(s) + 1e-6) for g, s in zip(gradient, sizes, strict=True)]
        model = [parameter - step for parameter, step in zip(model, steps, strict=True)]
    return model


def show(model):
    xs, _ = marked_signs(np.random.default_rng(3), steps=40, batch=1)
    _, gates, os = run(xs, model)
    signs, marks = xs[:, 0, 0] > 0, xs[:, 0, 1] > 0
    print("signs ", "".join(np.where(signs, "+", "-")))
    print("marked", "".join(np.where(marks, "^", " ")))
    print("said  ", "".join(np.where(os[:, 0] > 0, "+", "-")))
    for unit in range(gates[0][1].shape[1]):
        z = [step[1][0, unit] for step in gates]
        print(f"z_{unit}   ", "".join("▁▂▃▄▅▆▇█"[int(7.99 * value)] for value in z))


try:
    show(learn())
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: ten million twins (2 points, marked by hand)
#
# Turn the sign of one unit of a GRU, so that its state is $-h_i$ at every step where it was $h_i$. Which numbers in
# $W$, $U$, $b$ and $b_{hn}$ of `gru_step` have to change sign, so that all other units go on as before? Derive it,
# block by block, and test it over several random steps. A readout $h V + c$ is to give the same outputs.
#
# How many GRUs with $H$ units compute the same as a given one, if the units may also change places? What does this say
# of somebody who compares two trained networks weight by weight, or takes the mean of their weights?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Signs.* Let $S$ be diagonal with $-1$ at the units to be turned and 1 elsewhere; the new state is $\tilde h = h S$,
# from the first step on.
#
# - The gates $r$ and $z$ must not change: $\tilde h \tilde U_r = h U_r$ with $\tilde U_r = S U_r$, likewise $\tilde U_z
#   = S U_z$. So row $i$ of $U_r$ and $U_z$ turns its sign; $W_r$, $W_z$, $b_r$, $b_z$ stay.
# - The candidate must turn: $\tilde n = n S$. Since tanh is odd, everything inside it has to turn: $\tilde W_n = W_n
#   S$, $\tilde b_n = b_n S$, $\tilde b_{hn} = b_{hn} S$, and $\tilde U_n = S U_n S$. Column $i$ changes sign, in $U_n$
#   also row $i$, and the number $(U_n)_{ii}$, being in both, stays.
# - Then $h_{\text{new}} = (1 - z) \odot n + z \odot h$ turns as a whole, since $r$ and $z$ only multiply. In the
#   readout $\tilde V = S V$: row $i$ turns.
#
# Over several random steps the states differ from $\pm h$ by rounding alone.
#
# *How many.* Each unit has two signs and the units have $H!$ orders: $2^H H!$ networks, if no two units are alike. For
# $H = 8$ these are $256 \cdot 40{,}320 = 10{,}321{,}920$. (An LSTM and Elman's network with tanh have as many.) Two
# trainings from different starts may have found the same function and not have one weight in common. So a distance
# between weights says little, and the mean of two good networks need not be good at all. Compare what they compute, or
# bring the units into line before.
#
# **Marking**
#
# - ½ point: rows of $U_r$ and $U_z$, and that the gates stay as they are.
# - ½ point: the candidate: column of $W_n$, $b_n$, $b_{hn}$; row and column of $U_n$; row of $V$.
# - ½ point: a test over several steps from a random state.
# - ½ point: $2^H H!$, and a consequence.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
