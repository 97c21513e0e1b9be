"""Right answers the long way round: one element at a time, Gram and Schmidt by hand, lists in place of arrays."""

import numpy as np


def step_jacobians(hs, U):
    units = range(len(U))
    return [[[(1 - h[i] ** 2) * U[j, i] for j in units] for i in units] for h in hs]


def jacobian_products(hs, U):
    # Row i is the gradient of unit i of the last state, sent back step by step as BPTT does.
    units = len(U)
    products = [[row] for row in np.eye(units)]
    for row in products:
        for h in reversed(hs):
            row.append(U @ (row[-1] * (1 - h**2)))
    products = np.array(products).swapaxes(0, 1)
    return products, [np.sqrt(np.linalg.eigvalsh(p.T @ p)[-1]) for p in products]


def scale_to_radius(A, radius):
    # The roots of the characteristic polynomial.
    before = max(abs(root) for root in np.roots(np.poly(A)))
    scaled = A.copy()
    scaled *= radius / before
    return before, scaled


def orthogonal(gaussian):
    wide = gaussian.shape[1] > gaussian.shape[0]
    made = []
    for vector in gaussian if wide else gaussian.T:
        for other in made:
            vector = vector - (vector @ other) * other
        made.append(vector / np.sqrt(vector @ vector))
    return np.array(made) if wide else np.array(made).T


def clip_by_global_norm(gradients, bound):
    total = 0.0
    for g in gradients:
        for value in g.ravel():
            total += value * value
    while total > bound**2 * (1 + 1e-12):
        gradients = [g * (bound / np.sqrt(total)) for g in gradients]
        total = bound**2
    return gradients
