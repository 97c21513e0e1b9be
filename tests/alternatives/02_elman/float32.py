"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def elman_step(x, h, W, U, b):
    import warnings

    print("one step")
    warnings.warn("a warning of the student's own", stacklevel=1)
    x, h, W, U, b = (np.asarray(a, dtype=np.float32) for a in (x, h, W, U, b))
    return np.tanh(x @ W + h @ U + b)


def elman_forward(xs, h0, W, U, b):
    import sys

    print("one sequence", file=sys.stderr)
    xs, h, W, U, b = (np.asarray(a, dtype=np.float32) for a in (xs, h0, W, U, b))
    hs = np.zeros((len(xs), *h0.shape), dtype=np.float32)
    for t in range(len(xs)):
        h = hs[t] = np.tanh(xs[t] @ W + h @ U + b)
    return hs, h


def readout(hs, V, c):
    o = hs @ V + c
    with np.errstate(over="warn", invalid="warn"):
        np.exp(o)  # a useless overflow, which NumPy warns of
    e = np.exp(o - o.max(-1)[..., None])
    return (e / e.sum(-1)[..., None]).astype(np.float32)


def jordan_forward(xs, y0, W, U, b, V, c):
    ys = np.zeros((len(xs), *y0.shape), dtype="float32")
    for t in range(len(xs)):
        ys[t] = np.tanh(xs[t] @ W + (ys[t - 1] if t else y0) @ U + b) @ V + c
    return ys


def count_parameters(input_size, hidden_size, output_size, steps):
    return float((input_size + hidden_size + 1) * hidden_size + hidden_size * output_size + output_size)


def generate(x, h0, W, U, b, V, c, steps):
    ys = []
    x, h = x.astype(np.float32), h0.astype(np.float32)
    while len(ys) < steps:
        h = np.tanh(x @ W + h @ U + b).astype(np.float32)
        x = (h @ V + c).astype(np.float32)
        ys.append(x)
    return ys
