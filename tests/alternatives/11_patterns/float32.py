"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def many_to_one(hs, targets, V, c):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    h, V, c = np.float32(hs[-1]), np.float32(V), np.float32(c)
    p = np.exp(h @ V + c)
    p /= p.sum(1, keepdims=True)
    loss = -np.log(p[range(len(p)), targets]).mean()
    p[range(len(p)), targets] -= 1
    p /= np.float32(len(p))
    return loss, [np.zeros_like(h)] * (len(hs) - 1) + [p @ V.T], h.T @ p, p.sum(0)


def delayed_tagging(os, targets, delay):
    import sys

    print("late by", delay, file=sys.stderr)
    o = np.float32(os)
    d, total, answers = np.zeros_like(o), np.float32(0), 0
    for t in range(delay, len(o)):
        p = np.exp(o[t]) / np.exp(o[t]).sum(1)[:, None]
        rows, wanted = np.arange(len(p)), targets[t - delay]
        total -= np.log(p[rows, wanted]).sum()
        answers += len(p)
        p[rows, wanted] -= 1
        d[t] = p
    return total / answers, d / np.float32(answers)


def one_to_many(x, steps, E, e, W, U, b, V, c):
    x, E, e, W, U, b, V, c = (np.float32(a) for a in (x, E, e, W, U, b, V, c))
    h, said = x @ E + e, []
    for t in range(steps):
        a = h @ U + b
        if t:
            a = a + said[-1] @ W
        h = np.tanh(a)
        said += [h @ V + c]
        print(t, said[-1][0, 0])
    return said, h


def encoder_decoder(xs, us, h0, encoder, decoder, V, c):
    h, (W, U, b) = np.float32(h0), map(np.float32, encoder)
    for t in range(xs.shape[0]):
        h = np.tanh(np.float32(xs[t]) @ W + h @ U + b)
    s, ys, (W, U, b) = h, [], map(np.float32, decoder)
    for t in range(us.shape[0]):
        h = np.tanh(np.float32(us[t]) @ W + h @ U + b)
        ys.append(h @ np.float32(V) + np.float32(c))
    return [s, ys]


def encoder_decoder_backward(dhs, xs, us, h0, es, hs, encoder, decoder, bptt):
    dhs, xs, us, h0, es, hs = (np.float32(a) for a in (dhs, xs, us, h0, es, hs))
    ours = bptt(dhs, 0 * h0, us, hs, es[-1], *map(np.float32, decoder))
    theirs = bptt(0 * es, ours[1], xs, es, h0, *map(np.float32, encoder))
    return [ours[1], ours[2], ours[3], ours[4], theirs[0], theirs[2], theirs[3], theirs[4]]
