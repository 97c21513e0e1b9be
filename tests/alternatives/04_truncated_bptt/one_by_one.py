"""Right answers the long way round: loss by loss, one sequence at a time, by recursion."""

import numpy as np


def streams(series, B, k):
    S, D = series.shape
    N = 0
    while B * (N + 1) * k < S:
        N += 1
    xs, targets = np.zeros((N, k, B, D)), np.zeros((N, k, B, D))
    for place in range(B * N * k):
        stream, step = divmod(place, N * k)
        chunk, t = divmod(step, k)
        xs[chunk, t, stream] = series[place]
        targets[chunk, t, stream] = series[place + 1]
    return xs, targets


def tbptt(xs, h0, W, U, b, dhs, dh_last, k):
    # Each loss is sent back by itself, as far as the first step of its chunk.
    steps, batch, _ = xs.shape
    hs = [h0]
    for t in range(steps):
        hs.append(np.array([np.tanh(xs[t, n] @ W + hs[t][n] @ U + b) for n in range(batch)]))
    dxs, dW, dU, db = np.zeros(xs.shape), np.zeros(W.shape), np.zeros(U.shape), np.zeros(b.shape)
    for n in range(batch):
        for source in range(steps):
            back = dhs[source, n] + (dh_last[n] if source + 1 == steps else 0)
            for t in range(source, source // k * k - 1, -1):
                da = np.diag(1 - hs[t + 1][n] ** 2) @ back
                back = U @ da
                dxs[t, n] += W @ da
                dW += np.outer(xs[t, n], da)
                dU += np.outer(hs[t][n], da)
                db += da
    return np.array(hs[1:]), dxs, dW, dU, db


def sliding(dhs, xs, hs, h0, W, U, k1, k2):
    # Which loss goes back how far? As far as the window that begins at the end of its piece.
    steps, batch, _ = xs.shape
    dW, dU, db = np.zeros(W.shape), np.zeros(U.shape), np.zeros(len(U))
    for source in range(steps):
        end = min(source // k1 * k1 + k1, steps)
        for n in range(batch):
            back = dhs[source, n]
            for t in range(source, max(end - k2, 0) - 1, -1):
                da = (1 - hs[t, n] ** 2) * back
                back = U @ da
                dW += np.outer(xs[t, n], da)
                dU += np.outer(hs[t - 1, n] if t else h0[n], da)
                db += da
    ends = [*range(k1, steps, k1), steps]
    return dW, dU, db, sum(end if end < k2 else k2 for end in ends) / steps


def train_stream(W, U, h0, xs, targets, chunk_gradients, learning_rate, epochs):
    def run(W, U, h, n):
        if n == len(xs):
            return W, U, h, []
        loss, dW, dU, after = chunk_gradients(W, U, h, xs[n], targets[n])
        moved = run(W - learning_rate * dW, U - learning_rate * dU, after, n + 1)
        return (*moved[:3], [loss, *moved[3]])

    losses = []
    for _ in range(epochs):
        W, U, h, row = run(W, U, h0, 0)
        losses.append(row)
    return W, U, h, losses
