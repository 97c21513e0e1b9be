"""Layer normalisation, products and depth within a step: LayerNorm*, MultiplicativeLSTM, T*, RHN, NAS."""

import torch
import torchrecurrent
from torch import relu, sigmoid, tanh
from torch.nn.functional import layer_norm

from tests.oracles import loaded


def columns(cell, count):
    """The weights of each gate: W (D, H), U (H, H), b (H,)."""
    return zip(cell.W.chunk(count, 1), cell.U.chunk(count, 1), cell.b.chunk(count), strict=True)


def norm(a, gain, bias, cell):
    """torch's layer normalisation over the last axis."""
    return layer_norm(a, gain.shape, gain, bias, cell.epsilon)


def layer_norm_elman(cell, x, h):
    return (tanh(norm(torch.cat([x, h], 1) @ torch.cat([cell.W, cell.U]), cell.gain, cell.b, cell)),)


def layer_norm_gru(cell, x, h):
    (W_r, W_z, W_n), (U_r, U_z, U_n) = cell.W.chunk(3, 1), cell.U.chunk(3, 1)
    H = len(U_n)
    W, U = torch.cat([W_r, W_z], 1), torch.cat([U_r, U_z], 1)
    rz = norm(x @ W, cell.gain_x[: 2 * H], cell.b[: 2 * H], cell) + norm(h @ U, cell.gain_h[: 2 * H], None, cell)
    r, z = sigmoid(rz).chunk(2, 1)
    n_x = norm(x @ W_n, cell.gain_x[2 * H :], cell.b[2 * H :], cell)
    n_h = norm(h @ U_n, cell.gain_h[2 * H :], cell.b_hn, cell)
    return ((1 - z) * tanh(n_x + r * n_h) + z * h,)


def layer_norm_lstm(cell, x, h, c):
    zero = torch.zeros_like(cell.b)
    i, f, g, o = (norm(x @ cell.W, cell.gain_x, cell.b, cell) + norm(h @ cell.U, cell.gain_h, zero, cell)).chunk(4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(norm(c, cell.gain_c, cell.b_c, cell)), c


def multiplicative_lstm(cell, x, h, c):
    *W, W_m = cell.W.chunk(5, 1)
    *b, b_m = cell.b.chunk(5)
    m = (x @ W_m + b_m) * (h @ cell.U)
    i, f, g, o = (x @ w + m @ v + e for w, v, e in zip(W, cell.V.chunk(4, 1), b, strict=True))
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def trnn(cell, x, h):
    (W_z, W_f), (b_z, b_f) = cell.W.chunk(2, 1), cell.b.chunk(2)
    f = sigmoid(x @ W_f + b_f)
    return (f * h + (1 - f) * (x @ W_z + b_z),)


def window(cell, x, v):
    """The three affine maps of x and the input before it, whose product is v."""
    parts = zip(cell.W.chunk(3, 1), v.chunk(3, 1), cell.b.chunk(3), strict=True)
    return (x @ W + before + b for W, before, b in parts)


def tgru(cell, x, h, v):
    z, f, o = window(cell, x, v)
    return sigmoid(f) * h + z * tanh(o), x @ cell.V


def tlstm(cell, x, _, c, v):
    z, f, o = window(cell, x, v)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * z
    return c * tanh(o), c, x @ cell.V


def rhn(cell, x, s):
    for layer, (U, b) in enumerate(zip((cell.U, *cell.Us), (cell.b, *cell.bs), strict=True)):
        a = s @ U + b + (x @ cell.W if layer == 0 else 0)
        n, t, *c = a.chunk(2 if cell.coupled else 3, 1)
        s = tanh(n) * sigmoid(t) + s * (sigmoid(*c) if c else sigmoid(-t))
    return (s,)


LEAVES = [0, 2, 5, 7, 4, 6, 1, 3]  # of NASCell, in the order of our columns


def nas(cell, x, h, c):
    parts = dict(zip(LEAVES, columns(cell, 8), strict=True))
    x_part = {k: x @ W + b for k, (W, _, b) in parts.items()}
    h_part = {k: h @ U for k, (_, U, _) in parts.items()}
    a = {k: x_part[k] + h_part[k] for k in LEAVES}
    first = tanh(sigmoid(a[0]) * relu(a[1]))
    second = tanh(sigmoid(a[2]) + relu(x_part[3] * h_part[3]))
    third = tanh(tanh(a[4]) * sigmoid(a[5]))
    fourth = sigmoid(tanh(a[6]) + sigmoid(a[7]))
    c = tanh(first + c) * second
    return tanh(c * tanh(third + fourth)), c


STEPS = {
    "LayerNormElman": layer_norm_elman,
    "LayerNormGRU": layer_norm_gru,
    "LayerNormLSTM": layer_norm_lstm,
    "MultiplicativeLSTM": multiplicative_lstm,
    "TRNN": trnn,
    "TGRU": tgru,
    "TLSTM": tlstm,
    "RHN": rhn,
    "NAS": nas,
}


def multiplicative_lstm_torchrecurrent(cell):
    """Its m comes first, and each of its three products has a bias."""
    D, H = cell.W.shape[0], len(cell.U)
    module = loaded(
        torchrecurrent.MultiplicativeLSTMCell(D, H),
        weight_ih=cell.W.roll(H, 1).T,
        weight_hh=cell.U.T,
        weight_mh=cell.V.T,
        bias_ih=cell.b.roll(H),
        bias_hh=0 * cell.b[:H],
        bias_mh=0 * cell.b[H:],
    )
    return lambda x, *state: module(x, state)


def trnn_torchrecurrent(cell):
    module = loaded(torchrecurrent.TRNNCell(len(cell.W), cell.W.shape[1] // 2), weight_ih=cell.W.T, bias_ih=cell.b)
    return lambda x, h: (module(x, h),)


LIBRARY = {"MultiplicativeLSTM": multiplicative_lstm_torchrecurrent, "TRNN": trnn_torchrecurrent}
