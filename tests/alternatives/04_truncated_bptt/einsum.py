"""Right answers in einsum and by index arithmetic: all gradients of activations first, then each weight's gradient."""

import numpy as np


def streams(series, B, k):
    N = (len(series) - 1) // k // B
    places = np.arange(B * N * k).reshape(B, N, k)
    places = np.moveaxis(places, 0, 2)
    return series[places], np.take(series, places + 1, axis=0)


def tbptt(xs, h0, W, U, b, dhs, dh_last, k):
    before = [h0]
    for x in xs:
        before.append(np.tanh(np.einsum("bd,dh->bh", x, W) + np.einsum("bg,gh->bh", before[-1], U) + b))
    before = np.array(before)
    hs = before[1:]
    das = np.empty(hs.shape)
    dh = dhs[-1] + dh_last
    for t in range(len(xs) - 1, -1, -1):
        das[t] = dh * (1 - hs[t]) * (1 + hs[t])
        dh = dhs[t - 1] + (0 if t % k == 0 else np.einsum("bh,gh->bg", das[t], U))
    return (
        hs,
        np.einsum("tbh,dh->tbd", das, W),
        np.einsum("tbd,tbh->dh", xs, das),
        np.einsum("tbg,tbh->gh", before[:-1], das),
        np.einsum("tbh->h", das),
    )


def sliding(dhs, xs, hs, h0, W, U, k1, k2):
    steps = len(xs)
    das = np.zeros(hs.shape)
    visits = 0
    t = 0
    while t < steps:
        new = list(range(t, min(t + k1, steps)))
        t += k1
        dh = 0
        for s in range(new[-1], new[-1] - k2, -1):
            if s < 0:
                break
            visits += 1
            da = (dh + dhs[s] * (s in new)) * (1 - hs[s] * hs[s])
            das[s] += da
            dh = np.einsum("bh,gh->bg", da, U)
    before = np.concatenate([h0[None], hs[:-1]])
    return (
        np.einsum("tbd,tbh->dh", xs, das),
        np.einsum("tbg,tbh->gh", before, das),
        np.einsum("tbh->h", das),
        visits / steps,
    )


def train_stream(W, U, h0, xs, targets, chunk_gradients, learning_rate, epochs):
    W, U, losses = W.copy(), U.copy(), []
    for _ in range(epochs):
        h = h0
        losses.append([])
        for inputs, wanted in zip(xs, targets, strict=True):
            loss, dW, dU, h = chunk_gradients(W, U, h, inputs, wanted)
            W -= learning_rate * dW
            U -= learning_rate * dU
            losses[-1].append(loss)
    return W, U, h, np.array(losses)
