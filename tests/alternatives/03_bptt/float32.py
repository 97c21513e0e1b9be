"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def cross_entropy(os, targets):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    o = (os - os.max(axis=-1, keepdims=True)).astype(np.float32)
    log_p = o - np.log(np.exp(o).sum(axis=-1, keepdims=True))
    one_hot = np.eye(os.shape[-1], dtype=np.float32)[targets]
    return -(log_p * one_hot).sum(-1).mean(), (np.exp(log_p) - one_hot) / np.float32(targets.size)


def step_backward(dh, x, h_old, h, W, U):
    import sys

    print("one step back", file=sys.stderr)
    dh, x, h_old, h, W, U = (a.astype("float32") for a in (dh, x, h_old, h, W, U))
    da = dh - dh * h * h
    return da.dot(W.T), da.dot(U.T), x.T.dot(da), h_old.T.dot(da), da.sum(0)


def bptt(dhs, dh_last, xs, hs, h0, W, U):
    dhs, carry, xs, hs, h0, W, U = (np.float32(a) for a in (dhs, dh_last, xs, hs, h0, W, U))
    dW, dU, db = np.zeros_like(W), np.zeros_like(U), np.zeros(U.shape[1], np.float32)
    dxs, t = [], len(xs)
    while t > 0:
        t -= 1
        da = (dhs[t] + carry) * (1 - hs[t] ** 2)
        dxs.insert(0, da @ W.T)
        dW, db = dW + xs[t].T @ da, db + da.sum(0)
        dU = dU + (hs[t - 1] if t else h0).T @ da
        carry = da @ U.T
    return dxs, carry, dW, dU, db


def readout_backward(dos, hs, V):
    dos, hs, V = np.float32(dos), np.float32(hs), np.float32(V)
    return dos @ V.T, np.tensordot(hs, dos, ([0, 1], [0, 1])), dos.sum((0, 1))


def gradient_descent(W, b, loss_and_gradients, learning_rate, epochs):
    W, b, losses = np.float32(W), np.float32(b), []
    for epoch in range(epochs):
        loss, dW, db = loss_and_gradients(W.astype(float), b.astype(float))
        W, b = np.float32(W - learning_rate * dW), np.float32(b - learning_rate * db)
        losses.append(loss)
        print(epoch, loss)
    return W, b, losses
