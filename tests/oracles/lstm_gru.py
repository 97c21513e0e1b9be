"""LSTMs and GRUs that torch.nn lacks."""

import torchrecurrent
from torch import sigmoid, tanh

from tests.oracles import gates, loaded


def gru_original(cell, x, h):
    (W_r, W_z, W_n), (b_r, b_z, b_n), (U_r, U_z) = cell.W.chunk(3, 1), cell.b.chunk(3), cell.U.chunk(2, 1)
    r, z = sigmoid(x @ W_r + b_r + h @ U_r), sigmoid(x @ W_z + b_z + h @ U_z)
    return ((1 - z) * tanh(x @ W_n + b_n + (r * h) @ cell.U_n) + z * h,)


def lstm_1997(cell, x, h, c):
    i, g, o = gates(cell, x, h, 3)
    c = c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def coupled_lstm(cell, x, h, c):
    f, g, o = gates(cell, x, h, 3)
    c = sigmoid(f) * c + (1 - sigmoid(f)) * tanh(g)
    return sigmoid(o) * tanh(c), c


def peephole_lstm(cell, x, h, c):
    i, f, g, o = gates(cell, x, h, 4)
    p_i, p_f, p_o = cell.p.chunk(3)
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)
    return sigmoid(o + p_o * c) * tanh(c), c


STEPS = {
    "GRUOriginal": gru_original,
    "LSTM1997": lstm_1997,
    "CoupledLSTM": coupled_lstm,
    "PeepholeLSTM": peephole_lstm,
}


def recurrent(kind, cell, **others):
    """A cell of torchrecurrent with the weights of ours; its step takes and returns a tuple."""
    D, H = cell.W.shape[0], cell.U.shape[0]
    weights = {"weight_ih": cell.W.T, "weight_hh": cell.U.T, "bias_ih": cell.b, "bias_hh": 0 * cell.b}
    module = loaded(kind(D, H), **weights, **others)
    return lambda x, *state: module(x, state)


LIBRARY = {
    "LSTM1997": lambda cell: recurrent(torchrecurrent.OriginalLSTMCell, cell),
    "PeepholeLSTM": lambda cell: recurrent(torchrecurrent.PeepholeLSTMCell, cell, weight_ph=cell.p),
}
