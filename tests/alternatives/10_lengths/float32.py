"""Right answers in single precision, by other ways of counting."""

import numpy as np


def last_valid(hs, lengths, h0):
    one_hot = (np.arange(1, len(hs) + 1)[:, None] == lengths).astype(np.float32)
    return np.einsum("tb,tbh->bh", one_hot, np.float32(hs)) + np.float32(h0) * (lengths == 0)[:, None]


def masked_loss(os, targets, lengths):
    os = os.astype(np.float32)
    steps = np.float32(lengths.sum())
    log_p = os - np.logaddexp.reduce(os, axis=2)[:, :, None]
    weights = np.float32([[t < length for length in lengths] for t in range(len(os))]) / steps
    picked = np.take_along_axis(log_p, targets[:, :, None], axis=2)[:, :, 0]
    dos = np.exp(log_p) * weights[:, :, None]
    np.put_along_axis(
        dos, targets[:, :, None], np.take_along_axis(dos, targets[:, :, None], 2) - weights[:, :, None], 2
    )
    return -(weights * picked).sum(), dos


def pack(xs, lengths):
    order = np.array([n for k in range(len(xs), 0, -1) for n in range(len(lengths)) if lengths[n] == k])
    sizes = (lengths[None] > np.arange(len(xs))[:, None]).sum(axis=1)
    return np.vstack([x[order[:k]] for x, k in zip(np.float32(xs), sizes, strict=True)]), np.float32(sizes), order


def run_packed(packed, sizes, order, h0, W, U, b):
    state = np.float32(h0)[order]
    parts = np.split(np.float32(packed), np.cumsum(sizes)[:-1])
    hs = np.zeros((len(sizes), *state.shape), np.float32)
    for t, x in enumerate(parts):
        state[: len(x)] = np.tanh(np.float32(x @ W) + state[: len(x)] @ np.float32(U) + np.float32(b))
        hs[t, : len(x)] = state[: len(x)]
    back = np.argsort(order)
    return hs[:, back], state[back]
