"""Right answers in single precision, noisy ones, with the reset gate moved into the matrix."""

import numpy as np


def gru_step(x, h, W, U, b, b_hn):
    import sys

    print("a step", file=sys.stderr)
    x, h, W, U, b, b_hn = (np.float32(a) for a in (x, h, W, U, b, b_hn))
    H = h.shape[1]
    M = np.vstack([W, U, b])
    xh = np.hstack([x, h, np.ones((len(x), 1), np.float32)])
    r, z = np.hsplit(1 / (1 + np.exp(-xh @ M[:, : 2 * H])), 2)
    n = np.tanh(x @ W[:, -H:] + b[-H:] + r * (h @ U[:, -H:] + b_hn))
    return [z * h + (1 - z) * n, r, z, n]


def gru_original_step(x, h, W, U, b):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    x, h, W, U, b = (np.float32(a) for a in (x, h, W, U, b))
    H = h.shape[1]
    r = 1 / (1 + np.exp(-x @ W[:, :H] - h @ U[:, :H] - b[:H]))
    z = 1 / (1 + np.exp(-x @ W[:, H:-H] - h @ U[:, H:-H] - b[H:-H]))
    n = np.tanh(x @ W[:, -H:] + np.multiply(h, r).dot(U[:, -H:]) + b[-H:])
    return z * h + (1 - z) * n, n


def gru_backward(dh_new, x, h, r, z, n, W, U, b_hn):
    dh_new, x, h, r, z, n, W, U, b_hn = (np.float32(a) for a in (dh_new, x, h, r, z, n, W, U, b_hn))
    U_r, U_z, U_n = np.hsplit(U, 3)
    W_r, W_z, W_n = np.hsplit(W, 3)
    dn = dh_new - dh_new * z
    da_n = dn - dn * n * n
    dr = da_n * (h @ U_n) + da_n * b_hn
    da_r = r * dr - r * r * dr
    dz = dh_new * h - dh_new * n
    da_z = dz * z - dz * z * z
    dx = da_r @ W_r.T + da_z @ W_z.T + da_n @ W_n.T
    dh = (da_n * r) @ U_n.T
    dh += da_z @ U_z.T
    dh += da_r @ U_r.T
    dh += dh_new * z
    return da_r, da_z, da_n, dx, dh, np.dot((da_n * r).T, h).T, np.ones(len(x), np.float32) @ (da_n * r)


def keras_step(x, h, kernel, recurrent_kernel, bias):
    x, h, kernel, recurrent_kernel, bias = (np.float32(a) for a in (x, h, kernel, recurrent_kernel, bias))
    H = h.shape[1]
    order = np.r_[H : 2 * H, :H, 2 * H : 3 * H]
    W, U, b = kernel[:, order], recurrent_kernel[:, order], bias[:, order]
    inside = b[1].copy()
    inside[-H:] = 0
    return gru_step(x, h, W, U, b[0] + inside, b[1, -H:])[0]
