"""Layer normalisation."""

import torch
from torch import sigmoid, tanh
from torch.nn.functional import layer_norm


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


STEPS = {
    "LayerNormElman": layer_norm_elman,
    "LayerNormGRU": layer_norm_gru,
    "LayerNormLSTM": layer_norm_lstm,
}
