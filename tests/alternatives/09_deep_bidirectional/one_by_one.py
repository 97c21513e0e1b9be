"""Right answers one sequence at a time, without padding; lists in place of arrays."""

import numpy as np


def turn_round(xs, lengths):
    T, B, _ = xs.shape
    return [[list(xs[lengths[n] - 1 - t if t < lengths[n] else t, n]) for n in range(B)] for t in range(T)]


def stack(xs, h0s, layers):
    # Step by step through all layers, not layer by layer through all steps.
    states, tops = list(h0s), []
    for x in xs:
        for level, (W, U, b) in enumerate(layers):
            x = states[level] = np.tanh(x @ W + states[level] @ U + b)
        tops.append(x)
    return tops, np.hstack(states)


def bidirectional(xs, lengths, ahead, back):
    T, B, _ = xs.shape
    H = len(ahead[2])
    ys, final = np.zeros((T, B, 2 * H)), np.zeros((B, 2 * H))
    for n in range(B):
        for (W, U, b, h0), order, columns in (
            (ahead, list(range(lengths[n])), slice(0, H)),
            (back, list(range(lengths[n]))[::-1], slice(H, 2 * H)),
        ):
            h = h0[n]
            for t in order:
                h = ys[t, n, columns] = np.tanh(xs[t, n] @ W + h @ U + b)
            final[n, columns] = h
    return [ys, final]


def bidirectional_backward(dys, lengths, hs_ahead, hs_back, ahead, back):
    T, B, H = hs_ahead.shape
    dxs, dh0_ahead, dh0_back = np.zeros((T, B, len(ahead[0]))), np.zeros((B, H)), np.zeros((B, H))
    for n in range(B):
        carry = np.zeros(H)
        for t in range(lengths[n] - 1, -1, -1):
            da = (dys[t, n, :H] + carry) * (1 - hs_ahead[t, n] ** 2)
            dxs[t, n] += ahead[0] @ da
            carry = ahead[1] @ da
        dh0_ahead[n] = carry
        carry = np.zeros(H)
        for t in range(lengths[n]):
            da = (dys[t, n, H:] + carry) * (1 - hs_back[t, n] ** 2)
            dxs[t, n] += back[0] @ da
            carry = back[1] @ da
        dh0_back[n] = carry
    return dxs, dh0_ahead, dh0_back
