"""Right answers one number at a time, and the way back by recursion over what is left of the sequence."""

import numpy as np


def count_parameters(input_size, hidden_size):
    D, H = input_size, hidden_size
    return sum(np.zeros(s).size for s in ((D, H), (H, H), (H,))), *(
        n * D * H + n * H * H + n * H + extra for n, extra in ((4, 0), (3, 0), (4, 3 * H))
    )


def lstm_step(x, h_old, c_old, W, U, b):
    import math

    def sigma(a):
        return 1 / (1 + math.exp(-a)) if a > 0 else math.exp(a) / (1 + math.exp(a))

    out = np.zeros((6, *h_old.shape))
    for n, j in np.ndindex(*h_old.shape):
        a = [x[n] @ W[:, k] + h_old[n] @ U[:, k] + b[k] for k in range(j, len(b), len(U))]
        i, f, g, o = sigma(a[0]), sigma(a[1]), math.tanh(a[2]), sigma(a[3])
        c = f * c_old[n, j] + i * g
        out[:, n, j] = o * math.tanh(c), c, i, f, g, o
    return list(out)


def peephole_step(x, h_old, c_old, W, U, b, p):
    from math import exp, tanh

    def sigma(a):
        return 1 / (1 + exp(-a))

    H = len(U)
    hs, cs = np.zeros(h_old.shape), np.zeros(h_old.shape)
    for n, j in np.ndindex(*h_old.shape):
        a = [x[n] @ W[:, k] + h_old[n] @ U[:, k] + b[k] for k in range(j, 4 * H, H)]
        old = c_old[n, j]
        c = sigma(a[1] + p[H + j] * old) * old + sigma(a[0] + p[j] * old) * tanh(a[2])
        hs[n, j], cs[n, j] = sigma(a[3] + p[2 * H + j] * c) * tanh(c), c
    return hs, cs


def lstm_step_backward(dh, dc, c_old, c, gates):
    import math

    H = c.shape[1]
    out = np.zeros((5, *c.shape))
    for n, j in np.ndindex(*c.shape):
        i, f, g, o = gates[n, j], gates[n, H + j], gates[n, 2 * H + j], gates[n, 3 * H + j]
        th = math.tanh(c[n, j])
        total = dc[n, j] + dh[n, j] * o * (1 - th) * (1 + th)
        out[:, n, j] = (
            total * g * i * (1 - i),
            total * c_old[n, j] * f * (1 - f),
            total * i * (1 - g * g),
            dh[n, j] * th * o * (1 - o),
            total * f,
        )
    return tuple(out)


def lstm_backward(dhs, dh_last, dc_last, cs, gates, c0, U):
    if len(cs) == 0:
        nothing = [np.zeros((0, *c0.shape))] * 4
        return *nothing, dh_last, dc_last
    before = cs[-2] if len(cs) > 1 else c0
    *das, dc = lstm_step_backward(dhs[-1] + dh_last, dc_last, before, cs[-1], gates[-1])
    dh = np.hstack(das) @ np.transpose(U)
    *earlier, dh0, dc0 = lstm_backward(dhs[:-1], dh, dc, cs[:-1], gates[:-1], c0, U)
    return *(np.concatenate([e, da[None]]) for e, da in zip(earlier, das, strict=True)), dh0, dc0
