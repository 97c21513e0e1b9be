"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def step_jacobians(hs, U):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    hs, U = np.float32(hs), np.float32(U)
    return [np.diag(1 - h**2) @ U.T for h in hs]


def jacobian_products(hs, U):
    import sys

    print("on the way back", file=sys.stderr)
    hs, U = np.float32(hs), np.float32(U)
    products, norms = [], []
    for k in range(len(hs) + 1):
        product = np.eye(len(U), dtype=np.float32)
        for h in hs[len(hs) - k :]:
            product = np.diag(1 - h**2) @ U.T @ product
        products.append(product)
        norms.append(np.linalg.norm(product, ord=2))
    return products, norms


def scale_to_radius(A, radius):
    before = abs(np.linalg.eigvals(np.float32(A))).max()
    print(before)
    return before, np.float32(A) / before * np.float32(radius)


def orthogonal(gaussian):
    if gaussian.shape[0] < gaussian.shape[1]:
        return orthogonal(gaussian.T).T
    q, r = np.linalg.qr(gaussian)
    return np.float32(q @ np.diag(np.sign(np.diag(r))))


def clip_by_global_norm(gradients, bound):
    norm = np.linalg.norm([np.linalg.norm(g) for g in gradients])
    return [np.float32(g) * np.minimum(1, bound / (norm + 1e-6)) for g in gradients]
