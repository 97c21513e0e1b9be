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
# # Exercise 3: backpropagation through time
#
# You write the backward pass of Elman's network, piece by piece: the loss, one step, the whole sequence, the readout,
# and the loop that learns. Five functions, 22 points, and an open task for 2 more. At the end the first four train a
# network. NumPy is all you need.
#
# **Notation**, as in chapter 3. $T$ steps, $B$ sequences, $D$ inputs, $H$ hidden units, $K$ outputs; arrays are
# time-major, `xs` is $(T, B, D)$; vectors are rows. The network is
#
# $$a_t = x_t W + h_{t-1} U + b, \qquad h_t = \tanh(a_t), \qquad o_t = h_t V + c.$$
#
# A name with a `d` in front is the gradient of the loss $L$ with respect to what is behind it: `dU` holds
# $\mathrm dL / \mathrm dU$ and has the shape of `U`. These are total derivatives: they count every path from there to $L$.
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

check = load("03_bptt")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-cross-entropy", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. The loss and where it pushes (3 points)
#
# At every step of every sequence the network gives $K$ scores $o_t$, and the right class is $k^*_t$. With
# $p_t = \mathrm{softmax}(o_t)$ the loss is the mean over all $N = T \cdot B$ positions,
#
# $$L = -\frac1N \sum_{t, n} \log p_{t, n, k^*_{t,n}},
# \qquad \frac{\mathrm dL}{\mathrm do_{t,n,k}} = \frac{p_{t,n,k} - [k = k^*_{t,n}]}{N}.$$
#
# Write `cross_entropy(os, targets)` with `os` $(T, B, K)$ and `targets` $(T, B)$, whole numbers from 0 to $K - 1$. It returns
#
# - `loss`, one number (1 point);
# - `dos`, shape $(T, B, K)$ (2 points).
#
# *By hand:* one position, two classes, scores $(0, 0)$, target 1. Then $p = (\tfrac12, \tfrac12)$, $L = \ln 2 \approx 0.6931$, and
# the gradient is $(\tfrac12, -\tfrac12)$: push the right score up and the other one down.
#
# *Hint.* `targets[..., None] == np.arange(K)` has the shape of `os` and is true at the right classes. Some scores are in
# the thousands. Subtract the largest of each step and sequence, $z = o - \max_k o_k$; then
# $\log p_k = z_k - \log \sum_j e^{z_j}$, without ever forming $\log(p_k)$, since $p_k$ may round to 0.


# %% nbgrader={"grade": false, "grade_id": "cross-entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_entropy(os, targets):
    """Mean cross-entropy of softmax(os): os (T, B, K), targets (T, B) → loss, dos (T, B, K)."""
    ### BEGIN SOLUTION
    shifted = os - os.max(axis=-1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    right = targets[..., None] == np.arange(os.shape[-1])
    loss = -log_p[right].sum() / targets.size
    dos = (np.exp(log_p) - right) / targets.size
    return loss, dos
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-cross-entropy", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.cross_entropy(cross_entropy)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-step-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. One step back (4 points)
#
# One step has computed $h = \tanh(x W + h_{\text{old}} U + b)$. From above comes `dh`, the gradient with respect to $h$.
# Send it on to everything that went in.
#
# Write `step_backward(dh, x, h_old, h, W, U)`. It returns, in this order,
#
# - `dx` $(B, D)$, `dh_old` $(B, H)$ (1 point each);
# - `dW` $(D, H)$, `dU` $(H, H)$ (½ point each), and `db` $(H,)$ (1 point), each summed over the $B$ sequences.
#
# `dh`, `h_old` and `h` are $(B, H)$, `x` is $(B, D)$. The bias itself is not needed.
#
# *Hint.* First the gradient with respect to $a$, the argument of tanh: since $\tanh'(a) = 1 - \tanh^2(a)$, it is `dh`
# times $1 - h^2$, element by element. All five come from it by one product or sum. The shapes leave few choices; for
# `dU` and `dh_old`, where $U$ is square, think: *who sent, who received?*


# %% nbgrader={"grade": false, "grade_id": "step-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def step_backward(dh, x, h_old, h, W, U):
    """Gradient of one step: dh (B, H) → dx (B, D), dh_old (B, H), dW (D, H), dU (H, H), db (H,)."""
    ### BEGIN SOLUTION
    da = dh * (1 - h**2)
    dx = da @ W.T
    dh_old = da @ U.T
    dW = x.T @ da
    dU = h_old.T @ da
    db = da.sum(axis=0)
    return dx, dh_old, dW, dU, db
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-step-backward", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.step_backward(step_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-bptt", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. Through time (8 points)
#
# Now the whole sequence. The state $h_t$ reaches the loss along two paths: through its own output, and through $h_{t+1}$.
# Its gradient is the sum of both. So walk from the last step to the first and carry along what each step sends back.
#
# Write `bptt(dhs, dh_last, xs, hs, h0, W, U)`:
#
# | argument | shape | |
# |---|---|---|
# | `dhs` | $(T, B, H)$ | `dhs[t]`: gradient that arrives at `hs[t]` from its own output |
# | `dh_last` | $(B, H)$ | gradient that arrives at the last state from elsewhere, *in addition* to `dhs[-1]` |
# | `xs` | $(T, B, D)$ | inputs |
# | `hs` | $(T, B, H)$ | states, `hs[t]` the one after `xs[t]` |
# | `h0` | $(B, H)$ | initial state |
# | `W`, `U` | $(D, H)$, $(H, H)$ | weights |
#
# It returns, in this order, `dxs` $(T, B, D)$ (2 points), `dh0` $(B, H)$ (1), `dW` $(D, H)$ (2), `dU` $(H, H)$ (2) and
# `db` $(H,)$ (1). The weights are the same at all steps, so their gradients are sums over all steps.
#
# *Hints.* The state before step `t` is `hs[t - 1]`, and before step 0 it is `h0`; mind that `hs[-1]` is something else
# in Python. Test a piece at a time: with $T = 1$ this is `step_backward`.


# %% nbgrader={"grade": false, "grade_id": "bptt", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bptt(dhs, dh_last, xs, hs, h0, W, U):
    """Backpropagation through time: dhs (T, B, H), dh_last (B, H) → dxs, dh0, dW, dU, db."""
    ### BEGIN SOLUTION
    dxs = np.zeros_like(xs)
    dW = np.zeros_like(W)
    dU = np.zeros_like(U)
    db = np.zeros_like(U[0])
    carry = dh_last
    for t in reversed(range(len(xs))):
        h_old = hs[t - 1] if t > 0 else h0
        dh = dhs[t] + carry
        da = dh * (1 - hs[t] ** 2)
        dxs[t] = da @ W.T
        dW += xs[t].T @ da
        dU += h_old.T @ da
        db += da.sum(axis=0)
        carry = da @ U.T
    dh0 = carry
    return dxs, dh0, dW, dU, db
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-bptt", "locked": true, "points": 8, "schema_version": 3, "solution": false, "task": false}
check.bptt(bptt)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-readout-backward", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. Back through the readout (3 points)
#
# The readout $o_t = h_t V + c$ stands between the states and the loss. It is the same $V$ and $c$ at every step.
#
# Write `readout_backward(dos, hs, V)` with `dos` $(T, B, K)$, `hs` $(T, B, H)$, `V` $(H, K)$. It returns `dhs`
# $(T, B, H)$, `dV` $(H, K)$ and `dc` $(K,)$, one point each. `dos` already carries the $1/N$ of the loss: nothing is
# left to divide by.
#
# *Hint.* `hs.reshape(-1, H)` lays all steps of all sequences one below another. Or use a loop and `+=`.


# %% nbgrader={"grade": false, "grade_id": "readout-backward", "locked": false, "schema_version": 3, "solution": true, "task": false}
def readout_backward(dos, hs, V):
    """Gradient of the readout: dos (T, B, K) → dhs (T, B, H), dV (H, K), dc (K,)."""
    ### BEGIN SOLUTION
    dhs = np.zeros_like(hs)
    dV = np.zeros_like(V)
    dc = np.zeros_like(V[0])
    for t in range(len(hs)):
        dhs[t] = dos[t] @ V.T
        dV += hs[t].T @ dos[t]
        dc += dos[t].sum(axis=0)
    return dhs, dV, dc
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-readout-backward", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.readout_backward(readout_backward)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-gradient-descent", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. The loop that learns (4 points)
#
# One *epoch* is: compute the loss and the gradients at the present parameters, then move each parameter a little
# against its gradient, $\theta \leftarrow \theta - \eta \, \mathrm dL/\mathrm d\theta$.
#
# Write `gradient_descent(W, b, loss_and_gradients, learning_rate, epochs)` for a model with two parameters. `W` is
# $(D, H)$ and `b` is $(H,)$; `loss_and_gradients(W, b)` is given to you and returns `loss, dW, db`. Return
#
# - the final `W` and `b` (1½ points each);
# - `losses` (1 point), one number per epoch: the loss *before* each update, so that `losses[0]` is that of the
#   parameters you were given.
#
# All parameters of an epoch move by gradients taken at the same point. The arrays you were given stay as they were.


# %% nbgrader={"grade": false, "grade_id": "gradient-descent", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient_descent(W, b, loss_and_gradients, learning_rate, epochs):
    """Full-batch gradient descent: W (D, H), b (H,) → W (D, H), b (H,), losses (epochs,)."""
    ### BEGIN SOLUTION
    losses = []
    for _ in range(epochs):
        loss, dW, db = loss_and_gradients(W, b)
        losses.append(loss)
        W = W - learning_rate * dW
        b = b - learning_rate * db
    return W, b, np.array(losses)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-gradient-descent", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.gradient_descent(gradient_descent)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-learning", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## It learns
#
# Nothing to write, nothing to earn: `cross_entropy`, `readout_backward` and `bptt`, put together. Sixteen units learn to say each bit of a random
# sequence again two steps later. Guessing costs $\ln 2 \approx 0.693$; yours should end far below it.


# %% nbgrader={"grade": false, "grade_id": "learning", "locked": true, "schema_version": 3, "solution": false, "task": false}
def learn(steps=12, batch=32, hidden=16, epochs=100, learning_rate=1.0):
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 2, (steps, batch))
    xs, targets = bits[..., None] - 0.5, np.concatenate([np.zeros_like(bits[:2]), bits[:-2]])
    h0 = np.zeros((batch, hidden))
    W, U = rng.standard_normal((1, hidden)), rng.standard_normal((hidden, hidden)) / np.sqrt(hidden)
    b, V, c = np.zeros(hidden), rng.standard_normal((hidden, 2)) / np.sqrt(hidden), np.zeros(2)
    for epoch in range(epochs + 1):
        h, hs = h0, []
        for x in xs:
            h = np.tanh(x @ W + h @ U + b)
            hs.append(h)
        hs = np.stack(hs)
        loss, dos = cross_entropy(hs @ V + c, targets)
        dhs, dV, dc = readout_backward(dos, hs, V)
        _, _, dW, dU, db = bptt(dhs, np.zeros_like(h0), xs, hs, h0, W, U)
        if epoch % 10 == 0:
            print(f"epoch {epoch:4d}   loss {loss:.4f}")
        W, U, b = W - learning_rate * dW, U - learning_rate * dU, b - learning_rate * db
        V, c = V - learning_rate * dV, c - learning_rate * dc


try:
    learn()
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: ten thousand steps, two hundred states (2 points, marked by hand)
#
# Your `bptt` wants all the states `hs`. For a sequence of $T = 10{,}000$ steps they may not fit into memory. So keep
# only every $m$-th state on the way forward, and cut the way back into segments of $m$ steps. When a segment's turn
# comes, its states are computed again from the one that was kept.
#
# Show how `bptt`, called once per segment, gives the exact gradients of the whole sequence: in which order, what is
# `dh_last` each time, what happens to the results? Test it on random arrays against a single call. How many states are
# in memory at the same time, which $m$ makes that smallest, and what does it cost?
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Gradients.* From the last segment to the first. `dh_last` is the one that was given for the last segment, and for
# each other one the `dh0` that the segment after it has returned: what arrives at its last state from later steps. `h0`
# is the state that was kept before the segment. `dW`, `dU` and `db` of all segments are added up, the `dxs` are laid
# end to end in the order of time, and `dh0` is that of the first segment. On random arrays in float64 the two ways
# differ by rounding alone, some $10^{-15}$ of the size of the gradients. No gradient is cut off: this is not
# truncation.
#
# *Memory.* $T/m$ states that are kept, and the $m$ of the segment at work: $T/m + m$. The derivative $1 - T/m^2$ is
# zero at $m = \sqrt T$. For $T = 10{,}000$ this is $m = 100$, and $200$ states in place of $10{,}000$.
#
# *Cost.* Each step is run forward twice, once to find the kept states and once more in its segment (the last segment
# can do without). The way back is as long as before. With a way back of about twice a way forward, a training step
# takes about a third longer. The method is called gradient checkpointing.
#
# **Marking**
#
# - ½ point: last segment first, and `dh0` handed on as `dh_last`.
# - ½ point: tested against one call, all five results, on more than one segment.
# - ½ point: $T/m + m$, and $m = \sqrt T$ with its reason.
# - ½ point: the cost: one more way forward.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
