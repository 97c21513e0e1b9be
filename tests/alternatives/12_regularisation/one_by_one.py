"""Right answers one row, one unit, one symbol at a time; the normalisation's derivative as a whole Jacobian."""

import numpy as np


def variational_dropout(xs, dys, uniform, rate, training):
    ys, dxs = xs.copy(), dys.copy()
    if not training:
        return ys, dxs
    for n in range(xs.shape[1]):
        for d in range(xs.shape[2]):
            factor = 0.0 if uniform[0, n, d] < rate else 1 / (1 - rate)
            ys[:, n, d] *= factor
            dxs[:, n, d] *= factor
    return ys, dxs


def zoneout(h_old, h_new, uniform, rate, training):
    h = h_new.copy()
    for n, i in np.ndindex(*h.shape):
        stays = float(uniform[n, i] < rate) if training else rate
        h[n, i] += stays * (h_old[n, i] - h_new[n, i])
    return h


def layer_norm(a, gain, bias, epsilon, dy):
    y, da, size = [], [], a.shape[1]
    dgain, dbias = np.zeros(size), np.zeros(size)
    for row, above in zip(a, dy, strict=True):
        sigma = np.sqrt(np.var(row) + epsilon)
        n = (row - np.mean(row)) / sigma
        jacobian = (np.eye(size) - 1 / size - np.outer(n, n) / size) / sigma
        y.append(gain * n + bias)
        da.append(jacobian @ (gain * above))
        dgain += above * n
        dbias += above
    return y, da, dgain, dbias


def batch_norm(xs, gain, bias, mean, variance, momentum, epsilon, training):
    ys, new_mean, new_variance = np.empty_like(xs), mean.copy(), variance.copy()
    for t, d in np.ndindex(*mean.shape):
        column = xs[t, :, d]
        m, v = mean[t, d], variance[t, d]
        if training:
            m, v = np.mean(column), np.var(column)
            new_mean[t, d] += momentum * (m - mean[t, d])
            new_variance[t, d] += momentum * (np.var(column, ddof=1) - variance[t, d])
        ys[t, :, d] = (column - m) * gain[d] / (v + epsilon) ** 0.5 + bias[d]
    return [ys, new_mean, new_variance]


def tied_gradient(ks, hs, dys, E, back):
    dE, dc = np.zeros(E.shape), np.zeros(len(E))
    dhs = np.zeros(hs.shape)
    for t, n in np.ndindex(*ks.shape):
        for k in range(len(E)):
            dE[k] += dys[t, n, k] * hs[t, n]
            dhs[t, n] += dys[t, n, k] * E[k]
            dc[k] += dys[t, n, k]
    dxs = back(dhs)
    for t, n in np.ndindex(*ks.shape):
        dE[ks[t, n]] += dxs[t, n]
    return dE, dc


def early_stopping(losses, patience):
    best, lowest, waited = 0, float("inf"), 0
    for epoch, loss in enumerate(losses):
        if loss < lowest:
            best, lowest, waited = epoch, loss, 0
        else:
            waited += 1
        if waited == patience:
            return best, epoch
    return best, len(losses) - 1
