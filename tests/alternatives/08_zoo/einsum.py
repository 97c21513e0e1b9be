"""Right answers in einsum, and the quadratic equation."""

import numpy as np


def mgu_step(x, h, W, U, b, U_n):
    H = h.shape[1]
    f = 0.5 + 0.5 * np.tanh((x @ W[:, :H] + b[:H] + np.einsum("bg,gh->bh", h, U)) / 2)
    n = np.tanh(x @ W[:, H:] + b[H:] + np.einsum("bg,bg,gh->bh", f, h, U_n))
    return h + f * (n - h)


def coupled_lstm_step(x, h, c, W, U, b):
    H = h.shape[1]
    a = np.hstack([x, h, np.ones((len(x), 1))]) @ np.vstack([W, U, b])
    f, o = (0.5 + 0.5 * np.tanh(a[:, k * H : (k + 1) * H] / 2) for k in (0, 2))
    g = np.tanh(a[:, H : 2 * H])
    new = g + f * (c - g)
    return o * np.tanh(new), new


def indrnn_forward(xs, h0, W, u, b):
    wx = np.einsum("tbd,dh->tbh", xs, W) + b
    hs = np.empty_like(wx)
    for t in range(len(wx)):
        s = wx[t] + np.einsum("bg,gh->bh", hs[t - 1] if t else h0, np.diag(u))
        hs[t] = s * (s > 0)
    return hs, hs[-1]


def indrnn_backward(dhs, dh_last, xs, hs, h0, W, u):
    deltas, carry = np.empty_like(hs), dh_last
    for t in range(len(hs) - 1, -1, -1):
        deltas[t] = np.where(hs[t] > 0, dhs[t] + carry, 0)
        carry = np.einsum("bh,h->bh", deltas[t], u)
    before = np.concatenate([h0[None], hs[:-1]])
    return (
        np.einsum("tbh,dh->tbd", deltas, W),
        carry,
        np.einsum("tbd,tbh->dh", xs, deltas),
        np.einsum("tbh,tbh->h", before, deltas),
        np.einsum("tbh->h", deltas),
    )


def fair_size(parameters, gates, inputs, outputs):
    p, q = gates * (inputs + 1) + outputs, outputs - parameters  # gates H² + p H + q = 0
    hidden = int((-p + np.sqrt(p * p - 4 * gates * q)) / (2 * gates) + 1e-9)
    return np.array(hidden), -(gates * hidden**2 + p * hidden + q)
