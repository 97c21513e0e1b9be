"""Right answers in einsum, each in one expression where that is possible."""

import numpy as np


def elman_step(x, h, W, U, b):
    return np.tanh(np.einsum("bd,dh->bh", x, W) + np.einsum("bg,gh->bh", h, U) + b)


def elman_forward(xs, h0, W, U, b):
    projected = np.einsum("tbd,dh->tbh", xs, W) + b
    states = [h0]
    for wx in projected:
        states.append(np.tanh(wx + np.einsum("bg,gh->bh", states[-1], U)))
    return np.array(states[1:]), states[-1]


def readout(hs, V, c):
    o = np.einsum("tbh,hk->tbk", hs, V) + c
    o -= np.max(o, axis=2)[:, :, None]
    return np.exp(o - np.log(np.sum(np.exp(o), axis=2))[:, :, None])


def jordan_forward(xs, y0, W, U, b, V, c):
    outputs = [y0]
    for x in xs:
        hidden = np.tanh(np.einsum("bd,dh->bh", x, W) + np.einsum("bk,kh->bh", outputs[-1], U) + b)
        outputs.append(np.einsum("bh,hk->bk", hidden, V) + c)
    return np.array(outputs[1:])


def count_parameters(input_size, hidden_size, output_size, steps):
    return hidden_size * (input_size + hidden_size + 1) + (hidden_size + 1) * output_size


def generate(x, h0, W, U, b, V, c, steps):
    # The readout folded into the recurrence: x_{t+1} W = h_t (V W) + c W.
    h = np.tanh(x @ W + h0 @ U + b)
    hs = [h]
    for _ in range(steps - 1):
        h = np.tanh(h @ (V @ W + U) + c @ W + b)
        hs.append(h)
    return np.einsum("tbh,hd->tbd", np.array(hs), V) + c
