"""Right answers number by number, as lists; and in single precision."""

import numpy as np


def mgu_step(x, h, W, U, b, U_n):
    x, h, W, U, b, U_n = (a.astype(np.float32) for a in (x, h, W, U, b, U_n))
    H = h.shape[1]
    f = 1 / (1 + np.exp(-(x @ W[:, :H] + h @ U + b[:H])))
    n = np.tanh(x @ W[:, H:] + (f * h) @ U_n + b[H:])
    return [list(row) for row in h - f * h + f * n]


def coupled_lstm_step(x, h, c, W, U, b):
    B, H = h.shape
    new_h, new_c = np.zeros((B, H)), np.zeros((B, H))
    for n in range(B):
        for j in range(H):
            f, g, o = (x[n] @ W[:, k] + h[n] @ U[:, k] + b[k] for k in (j, H + j, 2 * H + j))
            keep = 1 / (1 + np.exp(-f))
            new_c[n, j] = keep * c[n, j] + np.tanh(g) - keep * np.tanh(g)
            new_h[n, j] = np.tanh(new_c[n, j]) / (1 + np.exp(-o))
    return new_h.tolist(), new_c.tolist()


def indrnn_forward(xs, h0, W, u, b):
    states = [h0]
    for x in xs:
        a = x @ W + b + states[-1] * u
        states.append((a + abs(a)) / 2)
    return states[1:], states[-1]


def indrnn_backward(dhs, dh_last, xs, hs, h0, W, u):
    T, B, H = hs.shape
    dxs, dh0, dW, du, db = np.zeros(xs.shape), np.zeros((B, H)), 0 * W, 0 * u, 0 * u
    for n in range(B):
        for j in range(H):
            from_next = dh_last[n, j]
            for t in range(T - 1, -1, -1):
                delta = dhs[t, n, j] + from_next if hs[t, n, j] > 0 else 0.0
                dxs[t, n] += delta * W[:, j]
                dW[:, j] += delta * xs[t, n]
                du[j] += delta * (hs[t - 1, n, j] if t else h0[n, j])
                db[j] += delta
                from_next = delta * u[j]
            dh0[n, j] = from_next
    return dxs, dh0, dW, du, db


def fair_size(parameters, gates, inputs, outputs):
    spare = {}
    for size in range(1, parameters // inputs + 1):  # W alone has that many for each unit
        shapes = [(inputs, gates * size), (size, gates * size), (gates * size,), (size, outputs), (outputs,)]
        spare[size] = parameters - sum(np.prod(shape) for shape in shapes)
    fits = [size for size in spare if spare[size] >= 0]
    return max(fits), spare[max(fits)]
