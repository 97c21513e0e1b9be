"""Right answers one sequence and one number at a time, in lists; the joint is crossed with Jacobians."""

import numpy as np


def many_to_one(hs, targets, V, c):
    steps, batch, hidden = hs.shape
    loss, dhs, dV, dc = 0.0, np.zeros(hs.shape), np.zeros(V.shape), np.zeros(len(c))
    for n in range(batch):
        scores = [sum(hs[-1, n, i] * V[i, k] for i in range(hidden)) + c[k] for k in range(len(c))]
        z = sum(np.exp(score) for score in scores)
        loss += (np.log(z) - scores[targets[n]]) / batch
        for k, score in enumerate(scores):
            d = (np.exp(score) / z - (k == targets[n])) / batch
            dhs[steps - 1, n] += d * V[:, k]
            dV[:, k] += d * hs[-1, n]
            dc[k] += d
    return loss, dhs, dV, dc


def delayed_tagging(os, targets, delay):
    steps, batch, _ = os.shape
    answers, loss, dos = (steps - delay) * batch, 0.0, np.zeros(os.shape)
    for t in range(steps - delay):  # of the inputs
        for n in range(batch):
            scores = os[t + delay, n]
            z = np.exp(scores).sum()
            loss += np.log(z) - scores[targets[t, n]]
            dos[t + delay, n] = np.exp(scores) / z
            dos[t + delay, n, targets[t, n]] -= 1
    return loss / answers, dos / answers


def one_to_many(x, steps, E, e, W, U, b, V, c):
    ys, last = np.zeros((steps, len(x), len(c))), []
    for n, vector in enumerate(x):
        h, u = vector @ E + e, np.zeros(len(c))
        for t in range(steps):
            h = np.tanh(u @ W + h @ U + b)
            ys[t, n] = u = h @ V + c
        last.append(h)
    return ys, last


def encoder_decoder(xs, us, h0, encoder, decoder, V, c):
    handed, ys = [], []
    for n in range(len(h0)):
        h = h0[n]
        for x in xs[:, n]:
            h = np.tanh(x @ encoder[0] + h @ encoder[1] + encoder[2])
        handed.append(h)
        said = []
        for u in us[:, n]:
            h = np.tanh(u @ decoder[0] + h @ decoder[1] + decoder[2])
            said.append(h @ V + c)
        ys.append(said)
    return handed, np.swapaxes(ys, 0, 1)


def encoder_decoder_backward(dhs, xs, us, h0, es, hs, encoder, decoder, bptt):
    # The gradient of s as a sum over the decoder's outputs; the weights from the function that is given.
    ds = np.zeros(h0.shape)
    for n in range(len(h0)):
        jacobian = np.eye(h0.shape[1])
        for t in range(len(hs)):
            jacobian = jacobian @ decoder[1] @ np.diag(1 - hs[t, n] ** 2)  # (i, j): how unit j moves with unit i of s
            ds[n] += jacobian @ dhs[t, n]
    nothing = np.zeros(h0.shape)
    dW, dU, db = bptt(dhs, nothing, us, hs, es[-1], *decoder)[2:]
    arrives = np.zeros(es.shape)
    arrives[-1] += ds
    dxs, _, *rest = bptt(arrives, nothing, xs, es, h0, *encoder)
    return [ds, dW, dU, db, dxs, *rest]
