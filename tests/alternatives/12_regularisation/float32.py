"""Right answers in single precision, noisy ones: they print, and warn on stderr."""

import numpy as np


def variational_dropout(xs, dys, uniform, rate, training):
    import warnings

    warnings.warn("a warning of the student's own", stacklevel=1)
    xs, dys = np.float32(xs), np.float32(dys)
    if training:
        dropped = np.broadcast_to(uniform[:1] < rate, xs.shape)
        keep = np.float32(1 - rate)
        return np.where(dropped, 0, xs) / keep, np.where(dropped, 0, dys) / keep
    return xs, dys


def zoneout(h_old, h_new, uniform, rate, training):
    import sys

    print("holding still", file=sys.stderr)
    old, new = np.float32(h_old), np.float32(h_new)
    stays = np.float32(uniform < rate) if training else np.float32(rate)
    return stays * old + (1 - stays) * new


def layer_norm(a, gain, bias, epsilon, dy):
    a, gain, bias, dy = (np.float32(array) for array in (a, gain, bias, dy))
    a = a - a.mean(1)[:, None]
    r = 1 / np.sqrt(np.einsum("bh,bh->b", a, a) / np.float32(a.shape[1]) + np.float32(epsilon))[:, None]
    d = dy * gain
    da = r * (d - d.mean(1)[:, None]) - a * r**3 * (d * a).mean(1)[:, None]
    print(r.ravel())
    return gain * a * r + bias, da, np.einsum("bh,bh->h", dy, a * r), np.ones(len(a), np.float32) @ dy


def batch_norm(xs, gain, bias, mean, variance, momentum, epsilon, training):
    xs, gain, bias, mean, variance = (np.float32(array) for array in (xs, gain, bias, mean, variance))
    alpha = np.float32(momentum)
    if not training:
        return (xs - mean[:, None]) * (gain / np.sqrt(variance + np.float32(epsilon)))[:, None] + bias, mean, variance
    m = xs.sum(1, keepdims=True) / np.float32(xs.shape[1])
    squares = ((xs - m) ** 2).sum(1)
    v = squares / np.float32(xs.shape[1])
    ys = (xs - m) * (gain / np.sqrt(v + np.float32(epsilon)))[:, None] + bias
    moved = mean + alpha * (m[:, 0] - mean), variance + alpha * (squares / np.float32(xs.shape[1] - 1) - variance)
    return [ys, *moved]


def tied_gradient(ks, hs, dys, E, back):
    hs, dys, E = np.float32(hs), np.float32(dys), np.float32(E)
    one_hot = np.float32(ks[..., None] == np.arange(len(E)))
    dxs = np.float32(back(dys @ E))
    dE = np.tensordot(one_hot, dxs, ([0, 1], [0, 1])) + np.tensordot(dys, hs, ([0, 1], [0, 1]))
    return [dE, dys.sum(0).sum(0)]


def early_stopping(losses, patience):
    since = [epoch - int(np.argmin(losses[: epoch + 1])) for epoch in range(len(losses))]
    last = since.index(patience) if patience in since else len(losses) - 1
    print("stopped at", last)
    return np.float32(last - since[last]), np.array(last)
