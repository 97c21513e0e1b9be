"""Right answers by masks and index arrays, without a loop where there need be none."""

import numpy as np


def last_valid(hs, lengths, h0):
    return np.concatenate([h0[None], hs])[lengths, np.arange(len(lengths))]


def masked_loss(os, targets, lengths):
    t, n = np.nonzero(np.arange(len(os))[:, None] < lengths)
    scores, classes = os[t, n], targets[t, n]
    z = np.exp(scores)
    p = z / z.sum(1, keepdims=True)
    dos = np.zeros_like(os)
    dos[t, n] = (p - np.eye(os.shape[2])[classes]) / len(t)
    return -np.mean(np.log(p[np.arange(len(t)), classes])), dos


def pack(xs, lengths):
    order = np.lexsort((np.arange(len(lengths)), -lengths))
    mask = np.arange(len(xs))[:, None] < lengths[order]
    return xs[:, order][mask], mask.sum(axis=1), order


def run_packed(packed, sizes, order, h0, W, U, b):
    # Back to padding, then all sequences at every step, with a mask.
    mask = np.arange(len(order)) < sizes[:, None]
    xs = np.zeros((*mask.shape, packed.shape[1]))
    xs[mask] = packed
    back = np.argsort(order)
    xs, mask, h, hs = xs[:, back], mask[:, back, None], h0, []
    for x, m in zip(xs, mask, strict=True):
        h = np.where(m, np.tanh(np.einsum("bd,dh->bh", x, W) + h @ U + b), h)
        hs.append(h * m)
    return np.stack(hs), h
