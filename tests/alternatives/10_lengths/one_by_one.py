"""Right answers one sequence at a time, in loops; lists in place of arrays."""

import numpy as np


def last_valid(hs, lengths, h0):
    return [hs[length - 1, n] if length else h0[n] for n, length in enumerate(lengths)]


def masked_loss(os, targets, lengths):
    N, loss, dos = sum(int(length) for length in lengths), 0.0, np.zeros(os.shape)
    for n, length in enumerate(lengths):
        for t in range(length):
            p = np.exp(os[t, n] - max(os[t, n]))
            p /= p.sum()
            loss -= np.log(p[targets[t, n]]) / N
            p[targets[t, n]] -= 1
            dos[t, n] = p / N
    return [loss, dos]


def pack(xs, lengths):
    order = sorted(range(len(lengths)), key=lambda n: -lengths[n])
    packed = [xs[t, n] for t in range(len(xs)) for n in order if t < lengths[n]]
    return packed, [sum(1 for length in lengths if length > t) for t in range(len(xs))], order


def run_packed(packed, sizes, order, h0, W, U, b):
    T, B = len(sizes), len(order)
    starts = [0, *np.cumsum(sizes)]
    hs, last = np.zeros((T, B, len(b))), np.zeros((B, len(b)))
    for place, n in enumerate(order):
        h = h0[n]
        for t in range(T):
            if place < sizes[t]:
                h = hs[t, n] = np.tanh(packed[starts[t] + place] @ W + h @ U + b)
        last[n] = h
    return hs, last
