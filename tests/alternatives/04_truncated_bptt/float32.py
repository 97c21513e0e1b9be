"""Right answers in single precision, in lists, noisy ones: they print, and warn on stderr."""

import numpy as np


def streams(series, B, k):
    length = (len(series) - 1) // (B * k) * k
    xs, targets = [], []
    for start in range(0, length, k):
        rows = [[b * length + start + t for b in range(B)] for t in range(k)]
        xs.append(np.float32(series)[rows])
        targets.append([[series[i + 1] for i in row] for row in rows])
    print(len(xs), "chunks")
    return xs, targets


def tbptt(xs, h0, W, U, b, dhs, dh_last, k):
    import sys

    print("one chunk at a time", file=sys.stderr)
    xs, h0, W, U, b, dhs, dh_last = (np.float32(a) for a in (xs, h0, W, U, b, dhs, dh_last))
    all_hs, dxs, dW, dU, db = [], [], 0, 0, 0
    while len(xs):
        hs = [h0]
        for x in xs[:k]:
            hs.append(np.tanh(x @ W + hs[-1] @ U + b))
        carry, chunk = (dh_last if len(xs) <= k else np.float32(0)), []
        for i in range(len(hs) - 1, 0, -1):
            da = (dhs[i - 1] + carry) * (1 - hs[i] ** 2)
            chunk.insert(0, da @ W.T)
            dW, dU, db = dW + xs[i - 1].T @ da, dU + hs[i - 1].T @ da, db + da.sum(0)
            carry = da @ U.T
        all_hs, dxs = all_hs + hs[1:], dxs + chunk
        h0, xs, dhs = hs[-1], xs[k:], dhs[k:]
    return all_hs, dxs, dW, dU, db


def sliding(dhs, xs, hs, h0, W, U, k1, k2):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    dhs, xs, hs, h0, W, U = (np.float32(a) for a in (dhs, xs, hs, h0, W, U))
    before = np.concatenate([h0[None], hs])
    dW, dU, db, visits = np.zeros_like(W), np.zeros_like(U), np.zeros(len(U), np.float32), np.int32(0)
    done = 0
    for t in range(len(xs)):
        if (t + 1) % k1 and t + 1 < len(xs):
            continue
        carry = np.zeros_like(h0)
        for s in range(t, max(t - k2, -1), -1):
            if s >= done:
                carry = carry + dhs[s]
            da = carry * (1 - hs[s] ** 2)
            dW, dU, db, visits = dW + xs[s].T @ da, dU + before[s].T @ da, db + da.sum(0), visits + 1
            carry = da @ U.T
        done = t + 1
    return dW, dU, db, np.float32(visits / len(xs))


def train_stream(W, U, h0, xs, targets, chunk_gradients, learning_rate, epochs):
    W, U, h = np.float32(W), np.float32(U), h0
    losses = np.zeros((epochs, len(xs)), np.float32)
    for i in range(losses.size):
        epoch, n = divmod(i, len(xs))
        if n == 0:
            h = h0
        loss, dW, dU, h = chunk_gradients(W.astype(float), U.astype(float), h, xs[n], targets[n])
        W, U = np.float32(W - learning_rate * dW), np.float32(U - learning_rate * dU)
        losses[epoch, n] = loss
        print(epoch, n, loss)
    return W, U, h, losses
