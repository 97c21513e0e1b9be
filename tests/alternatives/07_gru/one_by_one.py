"""Right answers the long way round: one sequence and one unit at a time; the way back by one Jacobian, as lists."""

import numpy as np


def gru_step(x, h, W, U, b, b_hn):
    size = len(b_hn)
    out = [np.zeros(h.shape) for _ in range(4)]
    for i in range(len(x)):
        for j in range(size):
            wx = [x[i] @ W[:, j + k * size] + b[j + k * size] for k in range(3)]
            uh = [h[i] @ U[:, j + k * size] for k in range(3)]
            r, z = (1 / (1 + np.exp(-wx[k] - uh[k])) for k in range(2))
            n = np.tanh(wx[2] + r * (uh[2] + b_hn[j]))
            for array, value in zip(out, ((1 - z) * n + z * h[i, j], r, z, n), strict=True):
                array[i, j] = value
    return out


def gru_original_step(x, h, W, U, b):
    size = h.shape[1]
    out = [[], []]
    for i in range(len(x)):
        gates = [1 / (1 + np.exp(-(x[i] @ W[:, k] + b[k] + h[i] @ U[:, k]))) for k in range(2 * size)]
        r, z = gates[:size], gates[size:]
        reset = [a * c for a, c in zip(r, h[i], strict=True)]
        n = [np.tanh(x[i] @ W[:, k] + b[k] + reset @ U[:, k]) for k in range(2 * size, 3 * size)]
        out[0].append([(1 - z[j]) * n[j] + z[j] * h[i, j] for j in range(size)])
        out[1].append(n)
    return out


def gru_backward(dh_new, x, h, r, z, n, W, U, b_hn):
    size = h.shape[1]
    W_r, W_z, W_n = W[:, :size], W[:, size : 2 * size], W[:, 2 * size :]
    U_r, U_z, U_n = U[:, :size], U[:, size : 2 * size], U[:, 2 * size :]
    da_r, da_z, da_n, dh = (np.zeros(h.shape) for _ in range(4))
    dx, dU_n, db_hn = np.zeros(x.shape), np.zeros((size, size)), np.zeros(size)
    for i in range(len(x)):
        by_z = np.diag((h[i] - n[i]) * z[i] * (1 - z[i]))
        by_n = np.diag((1 - z[i]) * (1 - n[i] ** 2))
        by_r = by_n @ np.diag((h[i] @ U_n + b_hn) * r[i] * (1 - r[i]))
        by_q = by_n @ np.diag(r[i])
        # Entry (i, j) is how the new state's unit j moves with unit i of what is behind it.
        by_h = np.diag(z[i]) + U_r @ by_r + U_z @ by_z + U_n @ by_q
        by_x = W_r @ by_r + W_z @ by_z + W_n @ by_n
        da_r[i], da_z[i], da_n[i] = by_r @ dh_new[i], by_z @ dh_new[i], by_n @ dh_new[i]
        dh[i], dx[i] = by_h @ dh_new[i], by_x @ dh_new[i]
        dU_n += np.outer(h[i], by_q @ dh_new[i])
        db_hn += by_q @ dh_new[i]
    return [da_r, da_z, da_n, dx, dh, dU_n, db_hn]


def keras_step(x, h, kernel, recurrent_kernel, bias):
    size = h.shape[1]
    gates = []
    for k in range(2):
        part = slice(k * size, (k + 1) * size)
        a = x @ kernel[:, part] + h @ recurrent_kernel[:, part] + bias[:, part].sum(axis=0)
        gates.append(np.vectorize(lambda v: 1 / (1 + np.exp(-v)))(a))
    z, r = gates
    inside = h @ recurrent_kernel[:, 2 * size :] + bias[1, 2 * size :]
    candidate = np.tanh(x @ kernel[:, 2 * size :] + bias[0, 2 * size :] + r * inside)
    return (h - candidate) * z + candidate
