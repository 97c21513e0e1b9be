"""Right answers in single precision that call one another, turning round and back."""

import numpy as np


def turn_round(xs, lengths):
    out = np.empty(xs.shape, np.float32)
    for n in range(xs.shape[1]):
        k = int(lengths[n])
        out[:, n] = np.concatenate([np.flip(xs[:k, n], 0), xs[k:, n]])
    return out


def stack(xs, h0s, layers):
    xs, lasts = np.float32(xs), []
    for h, (W, U, b) in zip(h0s, layers, strict=True):
        M, hs, h = np.vstack([W, U, b[None]]).astype(np.float32), [], np.float32(h)
        for x in xs:
            h = np.tanh(np.hstack([x, h, np.ones((len(x), 1), np.float32)]) @ M)
            hs += [h]
        xs = np.array(hs)
        lasts += [h]
    return xs, np.concatenate(lasts, 1)


def bidirectional(xs, lengths, ahead, back):
    def turn(array):
        out = array.copy()
        for n, k in enumerate(lengths):
            out[:k, n] = array[:k, n][::-1]
        return out

    def go(xs, W, U, b, h):
        hs = []
        for x in xs:
            h = np.tanh(np.float32(x @ W + h @ U + b))
            hs.append(h)
        return np.array(hs)

    # The states run on into the padding; nothing of it is looked at.
    there, turned = go(xs, *ahead), go(turn(xs), *back)
    at = np.asarray(lengths) - 1, np.arange(len(lengths))
    final = np.concatenate([there[at], turned[at]], axis=1)
    ys = np.concatenate([there, turn(turned)], axis=2)
    for n, k in enumerate(lengths):
        ys[k:, n] = 0
    return ys, final


def bidirectional_backward(dys, lengths, hs_ahead, hs_back, ahead, back):
    steps = np.arange(len(dys))[:, None]
    index = np.where(steps < lengths, lengths - 1 - steps, steps)[..., None]

    def turn(array):
        return np.take_along_axis(array, index, axis=0)

    def through(dhs, hs, W, U):
        dxs, carry = [], np.zeros(hs.shape[1:], np.float32)
        for t in range(len(hs) - 1, -1, -1):
            da = np.where((t < lengths)[:, None], (dhs[t] + carry) * (1 - hs[t] ** 2), 0)
            dxs.insert(0, np.float32(da @ W.T))
            carry = np.float32(da @ U.T)
        return np.array(dxs), carry

    H = hs_ahead.shape[2]
    one, dh0_ahead = through(dys[:, :, :H], hs_ahead, *ahead[:2])
    two, dh0_back = through(turn(dys[:, :, H:]), turn(hs_back), *back[:2])
    return one + turn(two), dh0_ahead, dh0_back
