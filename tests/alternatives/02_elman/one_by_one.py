"""Right answers in another loop order: one sequence after the other, one number after the other, preallocated."""

import numpy as np


def elman_step(x, h, W, U, b):
    new = np.empty_like(h)
    for n in range(h.shape[0]):
        for j in range(h.shape[1]):
            total = b[j]
            for d in range(x.shape[1]):
                total += x[n, d] * W[d, j]
            for i in range(h.shape[1]):
                total += h[n, i] * U[i, j]
            new[n, j] = np.tanh(total)
    return new


def elman_forward(xs, h0, W, U, b):
    hs = np.zeros((xs.shape[0], xs.shape[1], U.shape[0]))
    for n in range(xs.shape[1]):
        h = h0[n]
        for t in range(xs.shape[0]):
            h = np.tanh(b + U.T @ h + W.T @ xs[t, n])
            hs[t, n] = h
    return hs, hs[-1].copy()


def readout(hs, V, c):
    p = np.zeros((hs.shape[0], hs.shape[1], len(c)))
    for t, n in np.ndindex(*hs.shape[:2]):
        scores = hs[t, n] @ V + c
        weights = np.exp(scores - max(scores))
        p[t, n] = weights / sum(weights)
    return p


def jordan_forward(xs, y0, W, U, b, V, c):
    ys = np.zeros((len(xs), *y0.shape))
    for n in range(len(y0)):
        previous = y0[n]
        for t in range(len(xs)):
            ys[t, n] = previous = V.T @ np.tanh(W.T @ xs[t, n] + U.T @ previous + b) + c
    return ys


def count_parameters(input_size, hidden_size, output_size, steps):
    shapes = [
        (input_size, hidden_size),
        (hidden_size, hidden_size),
        (hidden_size,),
        (hidden_size, output_size),
        (output_size,),
    ]
    return sum(np.prod(shape) for shape in shapes)


def generate(x, h0, W, U, b, V, c, steps):
    ys = np.zeros((steps, *x.shape))
    for n in range(len(x)):
        given, h = x[n], h0[n]
        for t in range(steps):
            h = np.tanh(np.concatenate([given, h]) @ np.concatenate([W, U]) + b)
            given = ys[t, n] = h @ V + c
    return ys
