"""Right answers in single precision, in noisy ones: they print, and warn on stderr."""

import numpy as np


def count_parameters(input_size, hidden_size):
    def block(peepholes=0):
        return input_size * hidden_size + hidden_size**2 + hidden_size * (1 + peepholes)

    return [float(block()), sum(block() for _ in "ifgo"), sum(block() for _ in "fgo"), 3 * block(1) + block()]


def lstm_step(x, h_old, c_old, W, U, b):
    import sys

    def sigmoid(a):
        return np.float32(1) / (np.float32(1) + np.exp(-a))

    print("one step", file=sys.stderr)
    x, h_old, c_old, W, U, b = (np.float32(v) for v in (x, h_old, c_old, W, U, b))
    H = h_old.shape[1]
    z = np.hstack([x, h_old, np.ones((len(x), 1), np.float32)]) @ np.vstack([W, U, b])
    i, f, o = sigmoid(z[:, :H]), sigmoid(z[:, H : 2 * H]), sigmoid(z[:, 3 * H :])
    g = np.tanh(z[:, 2 * H : 3 * H])
    c = f * c_old + i * g
    return [o * np.tanh(c), c, i, f, g, o]


def peephole_step(x, h_old, c_old, W, U, b, p):
    def sigmoid(a):
        return np.float32(1) / (np.float32(1) + np.exp(-a))

    x, h_old, c_old, W, U, b, p = (np.float32(v) for v in (x, h_old, c_old, W, U, b, p))
    H = h_old.shape[1]
    old, new = np.zeros((H, 4 * H), np.float32), np.zeros((H, 4 * H), np.float32)
    old[:, :H], old[:, H : 2 * H], new[:, 3 * H :] = np.diag(p[:H]), np.diag(p[H : 2 * H]), np.diag(p[2 * H :])
    z = x @ W + h_old @ U + b + c_old @ old
    c = sigmoid(z[:, H : 2 * H]) * c_old + sigmoid(z[:, :H]) * np.tanh(z[:, 2 * H : 3 * H])
    o = sigmoid((z + c @ new)[:, 3 * H :])
    return o * np.tanh(c), c


def lstm_step_backward(dh, dc, c_old, c, gates):
    import warnings

    def slope(s):
        return s * (1 - s)

    warnings.warn("a warning of the student's own", stacklevel=1)
    dh, dc, c_old, c, gates = (np.float32(v) for v in (dh, dc, c_old, c, gates))
    H = c.shape[1]
    i, f, g, o = gates[:, :H], gates[:, H : 2 * H], gates[:, 2 * H : 3 * H], gates[:, 3 * H :]
    do, dtanh = dh * np.tanh(c), dh * o
    dc = dc + dtanh / np.cosh(c) ** 2
    di, df, dg = dc * g, dc * c_old, dc * i
    return di * slope(i), df * slope(f), dg - dg * g**2, do * slope(o), dc * f


def lstm_backward(dhs, dh_last, dc_last, cs, gates, c0, U):
    H, t = cs.shape[2], len(cs)
    dh, dc, found = dh_last, dc_last, []
    while t > 0:
        t -= 1
        *das, dc = lstm_step_backward(dh + dhs[t], dc, cs[t - 1] if t else c0, cs[t], gates[t])
        found.insert(0, das)
        dh = sum(da @ np.float32(U[:, k * H : (k + 1) * H]).T for k, da in enumerate(das))
    return *([das[k] for das in found] for k in range(4)), dh, dc
