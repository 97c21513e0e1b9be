"""Right answers in einsum and in closed form."""

import numpy as np


def step_jacobians(hs, U):
    return np.einsum("ti,ji->tij", 1 - hs * hs, U)


def jacobian_products(hs, U):
    steps, units = hs.shape
    products = np.zeros((steps + 1, units, units))
    products[0] = np.eye(units)
    for k in range(1, steps + 1):
        products[k] = np.einsum("im,m,jm->ij", products[k - 1], 1 - hs[steps - k] ** 2, U)
    return products, np.linalg.svd(products, compute_uv=False)[:, 0]


def scale_to_radius(A, radius):
    values, _ = np.linalg.eig(A)
    before = np.sqrt(np.max(values.real**2 + values.imag**2))
    return float(before), radius * A / before


def orthogonal(gaussian):
    # A = QR with a positive diagonal is the Cholesky factorisation of AᵀA.
    rows, columns = gaussian.shape
    a = gaussian.T if columns > rows else gaussian
    q = np.linalg.solve(np.linalg.cholesky(np.einsum("ki,kj->ij", a, a)), a.T)
    return q if columns > rows else q.T


def clip_by_global_norm(gradients, bound):
    flat = np.concatenate([g.ravel() for g in gradients])
    factor = bound / max(bound, np.sqrt(np.einsum("i,i", flat, flat)))
    return tuple(factor * g for g in gradients)
