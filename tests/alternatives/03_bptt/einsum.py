"""Right answers in einsum: all gradients of activations first, then each weight's gradient as one product."""

import numpy as np


def cross_entropy(os, targets):
    steps, batch, _ = os.shape
    at = (np.arange(steps)[:, None], np.arange(batch), targets)
    o = os - np.max(os, axis=2)[..., None]
    p = np.exp(o)
    z = p.sum(2)
    loss = np.mean(np.log(z) - o[at])
    dos = p / z[..., None]
    dos[at] -= 1
    dos /= steps * batch
    return loss, dos


def step_backward(dh, x, h_old, h, W, U):
    da = np.einsum("bh,bh->bh", dh, 1 - h * h)
    return (
        np.einsum("bh,dh->bd", da, W),
        np.einsum("bh,gh->bg", da, U),
        np.einsum("bd,bh->dh", x, da),
        np.einsum("bg,bh->gh", h_old, da),
        np.einsum("bh->h", da),
    )


def bptt(dhs, dh_last, xs, hs, h0, W, U):
    das = np.empty_like(hs)
    dh = dhs[-1] + dh_last
    for t in range(len(hs) - 1, -1, -1):
        das[t] = dh * (1 - hs[t]) * (1 + hs[t])
        dh = np.einsum("bh,gh->bg", das[t], U) + (dhs[t - 1] if t else 0)
    before = np.concatenate([h0[None], hs[:-1]])
    return (
        np.einsum("tbh,dh->tbd", das, W),
        dh,
        np.einsum("tbd,tbh->dh", xs, das),
        np.einsum("tbg,tbh->gh", before, das),
        np.einsum("tbh->h", das),
    )


def readout_backward(dos, hs, V):
    return np.einsum("tbk,hk->tbh", dos, V), np.einsum("tbh,tbk->hk", hs, dos), np.einsum("tbk->k", dos)


def gradient_descent(W, b, loss_and_gradients, learning_rate, epochs):
    W, b = W.copy(), b.copy()
    losses = np.zeros(epochs)
    for epoch in range(epochs):
        losses[epoch], dW, db = loss_and_gradients(W, b)
        W -= learning_rate * dW
        b -= learning_rate * db
    return W, b, losses
