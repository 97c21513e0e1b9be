"""Right answers in einsum, with σ by way of tanh, and the slopes of a whole sequence computed before the loop."""

import numpy as np


def count_parameters(input_size, hidden_size):
    fan_in = input_size + hidden_size + 1
    return tuple(np.array([1, 4, 3, 4]) * fan_in * hidden_size + np.array([0, 0, 0, 3]) * hidden_size)


def lstm_step(x, h_old, c_old, W, U, b):
    hidden = len(U)
    a = np.einsum("bd,dk->bk", x, W) + np.einsum("bh,hk->bk", h_old, U) + b
    scale = np.where(np.arange(4 * hidden) // hidden == 2, 1.0, 0.5)
    s = (1 - scale) + scale * np.tanh(a * scale)
    i, f, g, o = (s[:, k * hidden : (k + 1) * hidden] for k in range(4))
    c = np.einsum("bh,bh->bh", f, c_old) + np.einsum("bh,bh->bh", i, g)
    return o * np.tanh(c), c, i, f, g, o


def peephole_step(x, h_old, c_old, W, U, b, p):
    hidden = len(U)
    a = (x @ W + h_old @ U + b).reshape(len(x), 4, hidden)
    p = p.reshape(3, hidden)
    gates = 0.5 + 0.5 * np.tanh((a[:, :2] + np.einsum("kh,bh->bkh", p[:2], c_old)) / 2)
    c = gates[:, 1] * c_old + gates[:, 0] * np.tanh(a[:, 2])
    o = 0.5 + 0.5 * np.tanh((a[:, 3] + p[2] * c) / 2)
    return o * np.tanh(c), c


def lstm_step_backward(dh, dc, c_old, c, gates):
    i, f, g, o = np.moveaxis(gates.reshape(len(c), 4, -1), 1, 0)
    h = o * np.tanh(c)
    total = dc + dh * (o - h * np.tanh(c))
    return (
        total * g * (i - i * i),
        total * c_old * (f - f * f),
        total * i * (1 - g) * (1 + g),
        dh * h * (1 - o),
        total * f,
    )


def lstm_backward(dhs, dh_last, dc_last, cs, gates, c0, U):
    steps, batch, hidden = cs.shape
    i, f, g, o = np.moveaxis(gates.reshape(steps, batch, 4, hidden), 2, 0)
    before = np.concatenate([c0[None], cs[:-1]])
    per_dc = np.stack([g * i * (1 - i), before * f * (1 - f), i * (1 - g**2)])  # da from dc, all steps at once
    per_dh = np.tanh(cs) * o * (1 - o)
    into_c = o / np.cosh(cs) ** 2
    blocks = U.reshape(hidden, 4, hidden)
    das = np.empty((4, steps, batch, hidden))
    dh, dc = dh_last, dc_last
    for t in range(steps - 1, -1, -1):
        dh = dh + dhs[t]
        dc = dc + dh * into_c[t]
        das[:3, t], das[3, t] = per_dc[:, t] * dc, per_dh[t] * dh
        dh, dc = np.einsum("kbh,gkh->bg", das[:, t], blocks), dc * f[t]
    return *das, dh, dc
