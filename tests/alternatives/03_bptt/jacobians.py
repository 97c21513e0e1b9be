"""Right answers the long way round: explicit Jacobians, one sequence at a time, lists in place of arrays."""

import numpy as np


def cross_entropy(os, targets):
    total, dos = 0.0, np.zeros(os.shape)
    for t, n in np.ndindex(*targets.shape):
        o = os[t, n] - os[t, n].max()
        p = np.exp(o) / np.exp(o).sum()
        total += np.log(np.exp(o).sum()) - o[targets[t, n]]
        for k in range(len(p)):
            dos[t, n, k] = (p[k] - (k == targets[t, n])) / targets.size
    return total / targets.size, dos


def step_backward(dh, x, h_old, h, W, U):
    dx, dh_old = np.zeros(x.shape), np.zeros(h.shape)
    dW, dU, db = np.zeros(W.shape), np.zeros(U.shape), np.zeros(len(U))
    for n in range(len(x)):
        da = np.diag(1 - h[n] ** 2) @ dh[n]
        dx[n], dh_old[n] = W @ da, U @ da
        dW += np.outer(x[n], da)
        dU += np.outer(h_old[n], da)
        db += da
    return [dx, dh_old, dW, dU, db]


def bptt(dhs, dh_last, xs, hs, h0, W, U):
    # The total derivative of each state as a sum over all later outputs: no carry, O(T²).
    steps, batch, hidden = hs.shape
    das = np.zeros(hs.shape)
    dh0 = np.zeros(h0.shape)
    for n in range(batch):
        for source in range(steps):
            back = dhs[source, n] + (dh_last[n] if source == steps - 1 else 0)
            for t in range(source, -1, -1):
                da = (1 - hs[t, n] ** 2) * back
                das[t, n] += da
                back = U @ da
            dh0[n] += back
    before = [h0, *hs[:-1]]
    dW = sum(xs[t].T @ das[t] for t in range(steps))
    dU = sum(before[t].T @ das[t] for t in range(steps))
    return das @ W.T, dh0, dW, dU, das.reshape(-1, hidden).sum(0)


def readout_backward(dos, hs, V):
    flat_h, flat_o = hs.reshape(-1, hs.shape[-1]), dos.reshape(-1, dos.shape[-1])
    return (flat_o @ V.T).reshape(hs.shape), flat_h.T @ flat_o, flat_o.sum(0)


def gradient_descent(W, b, loss_and_gradients, learning_rate, epochs):
    if epochs == 0:
        return W, b, []
    loss, dW, db = loss_and_gradients(W, b)
    moved = (W - learning_rate * dW, b - learning_rate * db)
    last_W, last_b, losses = gradient_descent(*moved, loss_and_gradients, learning_rate, epochs - 1)
    return last_W, last_b, [loss, *losses]
