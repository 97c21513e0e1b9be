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
# # Exercise 5: gradients that vanish and explode
#
# You measure how a gradient shrinks or grows on its way back through time, and write the three tools that keep it in
# bounds: a matrix scaled to a spectral radius, an orthogonal start, and clipping. Five functions, 19 points, and an
# open task for 2 more. At the end they are put to work together. NumPy is all you need.
#
# **Notation**, as in chapter 5. $T$ steps, $H$ hidden units. Vectors are rows. The network is Elman's,
# $h_t = \tanh(x_t W + h_{t-1} U + b)$, and its step has the Jacobian
#
# $$J_t = \frac{\partial h_t}{\partial h_{t-1}} = \mathrm{diag}(1 - h_t^2)\, U^\top, \qquad
# (J_t)_{ij} = \frac{\partial h_{t,i}}{\partial h_{t-1,j}} = (1 - h_{t,i}^2)\, U_{ji},$$
#
# an $(H, H)$ matrix. Row $i$ belongs to a unit of the new state, column $j$ to one of the old state. A gradient, which is a row, goes
# back through a step as $\mathrm dL/\mathrm dh_{t-1} = (\mathrm dL/\mathrm dh_t)\, J_t$. In code `hs[0]` is $h_1$ and `hs[-1]` is $h_T$; one
# sequence at a time, no batch axis.
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

check = load("05_gradients")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-step-jacobians", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 1. The Jacobian of each step (3 points)
#
# Write `step_jacobians(hs, U)`. The states `hs` are $(T, H)$, `U` is $(H, H)$. It returns the Jacobians of all steps as one array of shape
# $(T, H, H)$: `[t]` is the Jacobian of the step that *made* `hs[t]`. Neither the inputs nor $h_0$ are needed: the slope of
# tanh is known from its own value.
#
# *By hand:* one step, two units, $h = (0.6,\ 0)$. The slopes are $(0.64,\ 1)$. With
# $U = \begin{pmatrix} 0.5 & 0 \\ 1 & 2 \end{pmatrix}$,
# $U^\top = \begin{pmatrix} 0.5 & 1 \\ 0 & 2 \end{pmatrix}$, the first slope multiplies the first row and the second the second:
# $J = \begin{pmatrix} 0.32 & 0.64 \\ 0 & 2 \end{pmatrix}$.
#
# *Hint.* `np.diag(slopes) @ U.T` makes one of them. Without a loop: an array of shape $(T, H, 1)$ times one of shape $(H, H)$ is an
# array of shape $(T, H, H)$.


# %% nbgrader={"grade": false, "grade_id": "step-jacobians", "locked": false, "schema_version": 3, "solution": true, "task": false}
def step_jacobians(hs, U):
    """Jacobians of all steps of Elman's network: hs (T, H), U (H, H) → (T, H, H)."""
    ### BEGIN SOLUTION
    slopes = 1 - hs**2
    return slopes[:, :, None] * U.T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-step-jacobians", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.step_jacobians(step_jacobians)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-jacobian-products", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 2. Back over many steps (5 points)
#
# What did the state of $k$ steps ago do to the last one? By the chain rule
#
# $$P_k = \frac{\mathrm dh_T}{\mathrm dh_{T-k}} = J_T\, J_{T-1} \cdots J_{T-k+1}, \qquad P_0 = I,$$
#
# a product of $k$ Jacobians, the newest on the left. A gradient row comes from the left, and meets the last step first.
#
# Write `jacobian_products(hs, U)` with `hs` $(T, H)$ and `U` $(H, H)$. It returns, for all lags $k = 0, 1, \dots, T$,
#
# - `products`, shape $(T + 1, H, H)$: `products[k]` is $P_k$, so that the last one leads back to $h_0$ (3 points);
# - `norms`, shape $(T + 1,)$: `norms[k]` is $\lVert P_k \rVert$, the largest singular value: the most that a gradient can be lengthened on
#   its way over $k$ steps (2 points).
#
# *By hand:* one unit, $U = (0.5)$, two steps, $h_1 = 0.6$, $h_2 = 0.8$. Then $J_1 = 0.64 \cdot 0.5 = 0.32$ and $J_2 = 0.36 \cdot 0.5 = 0.18$;
# `products` holds 1, 0.18 and $0.18 \cdot 0.32 = 0.0576$, and `norms` is the same three numbers.
#
# *Hint.* Each product is the one before with one more factor: which, and on which side? Order matters: $AB \ne BA$. `np.linalg.norm(P, 2)` is
# the largest singular value of a matrix; without the 2 it is something else. For a stack of matrices there is `axis=(1, 2)`.


# %% nbgrader={"grade": false, "grade_id": "jacobian-products", "locked": false, "schema_version": 3, "solution": true, "task": false}
def jacobian_products(hs, U):
    """dh_T/dh_{T-k} for k = 0 … T: hs (T, H), U (H, H) → products (T + 1, H, H), norms (T + 1,)."""
    ### BEGIN SOLUTION
    product = np.eye(len(U))
    products = [product]
    for h in hs[::-1]:
        product = product @ ((1 - h**2)[:, None] * U.T)
        products.append(product)
    norms = np.linalg.norm(products, 2, axis=(1, 2))
    return np.stack(products), norms
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-jacobian-products", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check.jacobian_products(jacobian_products)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-scale-to-radius", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 3. A matrix of a given spectral radius (3 points)
#
# The spectral radius $\rho(A)$ of a square matrix is the largest *modulus* of an eigenvalue. Eigenvalues may be complex, even though $A$ is
# real; the modulus of $\alpha + i\beta$ is $\sqrt{\alpha^2 + \beta^2}$. If $A$ is multiplied by a number $c$, so are its eigenvalues.
#
# Write `scale_to_radius(A, radius)` with `A` $(H, H)$ and a positive number `radius`. It returns, in this order,
#
# - `before`, one number: the spectral radius of $A$ (1 point);
# - `scaled`, shape $(H, H)$: $A$ times the positive number that makes its spectral radius `radius` (2 points).
#
# *By hand:* $A = \begin{pmatrix} 0 & 2 \\ -2 & 0 \end{pmatrix}$ has the eigenvalues $2i$ and $-2i$. So `before` is 2; for a radius of 1, `scaled` is
# $\begin{pmatrix} 0 & 1 \\ -1 & 0 \end{pmatrix}$.
#
# *Hint.* `np.linalg.eigvals(A)`; `np.abs` of a complex number is its modulus. No matrix here has a spectral radius of zero.


# %% nbgrader={"grade": false, "grade_id": "scale-to-radius", "locked": false, "schema_version": 3, "solution": true, "task": false}
def scale_to_radius(A, radius):
    """A (H, H), radius → the spectral radius of A, and A scaled to that of `radius` (H, H)."""
    ### BEGIN SOLUTION
    before = np.abs(np.linalg.eigvals(A)).max()
    return before, A * (radius / before)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-scale-to-radius", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check.scale_to_radius(scale_to_radius)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-orthogonal", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 4. An orthogonal start (4 points)
#
# From a matrix of Gaussian numbers make one whose columns have length 1 and stand at right angles to each other, so that no direction
# is preferred. Take the factor $Q$ of $A = QR$. The factors are unique only up to signs: with any column of $Q$ and the same row of $R$
# turned round, the product is the same. So demand that **the diagonal of $R$ be positive**, and turn round the columns of $Q$ where it is not.
#
# Write `orthogonal(gaussian)`. The argument has shape $(D, H)$, any two sizes; the result `Q` has the same shape.
#
# - Not wider than tall, $D \ge H$: the factor $Q$ of `gaussian` itself, orthonormal *columns*, $(D, H)$.
# - Wider than tall, $D < H$: there cannot be $H$ orthogonal columns of $D$ numbers. Do the same with the transpose, and transpose what
#   comes out: orthonormal *rows*.
#
# *By hand:* $\begin{pmatrix} 3 \\ 4 \end{pmatrix} = \begin{pmatrix} 0.6 \\ 0.8 \end{pmatrix} (5)$, so $Q = \begin{pmatrix} 0.6 \\ 0.8 \end{pmatrix}$. `np.linalg.qr` finds
# $\begin{pmatrix} -0.6 \\ -0.8 \end{pmatrix} (-5)$, equally good as a factorisation, and not what is asked. For the row $(3\ \ 4)$ the result is the row
# $(0.6\ \ 0.8)$.
#
# *Hint.* `q, r = np.linalg.qr(a)` for $(m, n)$ with $m \ge n$ returns $(m, n)$ and $(n, n)$. `np.diag(r)` is the diagonal. The entries of
# `gaussian` are to be taken as they come; none of the columns depend on each other.


# %% nbgrader={"grade": false, "grade_id": "orthogonal", "locked": false, "schema_version": 3, "solution": true, "task": false}
def orthogonal(gaussian):
    """From Gaussian numbers (D, H): orthonormal columns, or rows where these are fewer, (D, H)."""
    ### BEGIN SOLUTION
    tall = gaussian if gaussian.shape[0] >= gaussian.shape[1] else gaussian.T
    q, r = np.linalg.qr(tall)
    q = q * np.where(np.diag(r) < 0, -1, 1)
    return q if tall is gaussian else q.T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-orthogonal", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.orthogonal(orthogonal)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-clip", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## 5. Clip, and keep the direction (4 points)
#
# All gradients of a network, laid end to end, are one long vector $g$. If its length is beyond a bound $\kappa$, shorten it to $\kappa$; if not, leave it
# alone:
#
# $$g \leftarrow g \cdot \min\Bigl(1, \frac{\kappa}{\lVert g \rVert}\Bigr), \qquad
# \lVert g \rVert = \sqrt{\textstyle\sum g_i^2} \quad \text{over all elements of all arrays.}$$
#
# Write `clip_by_global_norm(gradients, bound)`. `gradients` is a list of three arrays, `dW` $(D, H)$, `dU` $(H, H)$ and `db` $(H,)$; `bound` is
# a positive number. It returns the three clipped arrays, in the same order: `dW` (1½ points), `dU` (1½), `db` (1).
#
# *By hand:* the arrays $(3)$, $(4)$ and $(0)$ have the global norm 5. With bound 1 they become $(0.6)$, $(0.8)$, $(0)$; with bound 10 they stay.
#
# *Hint.* The gradients you are given may be all zeros. Then they come back as zeros: mind the division.


# %% nbgrader={"grade": false, "grade_id": "clip-by-global-norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def clip_by_global_norm(gradients, bound):
    """A list of arrays dW (D, H), dU (H, H), db (H,) → the same, no longer together than `bound`."""
    ### BEGIN SOLUTION
    norm = np.sqrt(sum(np.sum(g**2) for g in gradients))
    if norm <= bound:
        return gradients
    return [g * (bound / norm) for g in gradients]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-clip-by-global-norm", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check.clip_by_global_norm(clip_by_global_norm)

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-back", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Forty steps back
#
# Nothing to write, nothing to earn: your functions, put together. A network of 32 units runs for 40 steps, with $U$ Gaussian and scaled to three
# spectral radii, and with $U$ orthogonal. The table shows the most that a gradient can keep of its length over $k$ steps. Then a gradient of
# length one is sent in at the end, the gradients of $U$ and $b$ are collected on the way back, and clipped at 1.


# %% nbgrader={"grade": false, "grade_id": "back", "locked": true, "schema_version": 3, "solution": false, "task": false}
def back(name, U, rng, steps=40):
    hidden = len(U)
    W, xs = rng.normal(0, 0.3, (1, hidden)), rng.normal(size=(steps, 1))
    hs, h = [], np.zeros(hidden)
    for x in xs:
        h = np.tanh(x @ W + h @ U)
        hs.append(h)
    hs = np.array(hs)
    products, norms = jacobian_products(hs, U)
    dh = rng.normal(size=hidden)
    dh = dh / np.linalg.norm(dh)
    before = np.concatenate([np.zeros((1, hidden)), hs[:-1]])
    das = np.array([dh @ products[steps - 1 - t] for t in range(steps)]) * (1 - hs**2)
    gradients = [xs.T @ das, before.T @ das, das.sum(axis=0)]
    clipped = clip_by_global_norm(gradients, 1.0)
    lengths = [np.sqrt(sum(np.sum(g**2) for g in arrays)) for arrays in (gradients, clipped)]
    kept = "".join(f"{norms[k]:10.1e}" for k in (1, 10, 20, 40))
    print(f"{name:>16}{kept}     {lengths[0]:8.2f} {lengths[1]:8.2f}")


try:
    print("            lag         1        10        20        40     gradient  clipped")
    for radius in (0.6, 1.0, 1.4):
        generator = np.random.default_rng(5)
        _, scaled = scale_to_radius(generator.normal(size=(32, 32)), radius)
        back(f"radius {radius}", scaled, generator)
    generator = np.random.default_rng(5)
    back("orthogonal", orthogonal(generator.normal(size=(32, 32))), generator)
except NotImplementedError:
    print("Come back when the functions above are written.")
except Exception as error:
    print(f"Not yet: {type(error).__name__}: {error}. The checks above tell which function is not right.")

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-open-task", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Open task: the mean of what was clipped (2 points, marked by hand)
#
# Clipping keeps the direction of a gradient. But training takes many, one for each batch. Does it keep the direction of
# their *mean*? Find gradients of a few batches and a bound such that the mean of the clipped ones points against the
# mean of the unclipped ones: their inner product is negative. Show it with your `clip_by_global_norm`. One weight is
# enough.
#
# What do such gradients have in common? And name a condition, on the gradients or on the bound, under which it cannot
# happen.
#
# Write the answer into the cell below; code goes into cells of your own above it.

# %% [markdown] nbgrader={"grade": true, "grade_id": "open-task", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# *Example.* One weight, three batches with the gradients $-3, 1, 1$, and the bound 1. The mean is $-\tfrac13$; clipped
# they are $-1, 1, 1$, with the mean $+\tfrac13$. Descent along the clipped gradients goes uphill, on average over the
# batches. (The other arrays of the function are zero.)
#
# *In common.* A rare large gradient on one side, and frequent small ones on the other. Clipping takes away the size of
# the rare one, and what remains is a vote. With two gradients it cannot happen: the longer one stays the longer one, or
# they become equally long.
#
# *Safe.* If the bound is not below the longest gradient, nothing is clipped. If all gradients are equally long, all are
# multiplied by the same number. If no two gradients point against each other, all inner products being at least zero,
# then neither do the two means: their product is a sum of these, with weights that are not negative. In practice one
# puts the bound above the usual lengths, so that only the exception is clipped, and looks at how often that occurs. But
# if the exception is where the loss has something to say, such as a rare class, clipping makes it quieter, and more
# batches do not help: it is a bias and not noise.
#
# **Marking**
#
# - 1 point: an example with the two means computed by the function.
# - ½ point: few large ones against many small ones.
# - ½ point: one condition that is right, with a reason.

# %% [markdown] nbgrader={"grade": false, "grade_id": "about-summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
# ## Where you stand

# %% nbgrader={"grade": false, "grade_id": "summary", "locked": true, "schema_version": 3, "solution": false, "task": false}
check.summary()
