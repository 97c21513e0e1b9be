"""LSTMs with more than an LSTM has, and those that conserve mass."""

import torch
import torchrecurrent
from torch import sigmoid, softmax, tanh

from tests.oracles.light_gates import module, parts, reordered


def res_lstm(cell, x, h, c):
    (i, f, g, o), (U_i, U_f, U_g, U_o), (p_i, p_f, p_o) = parts(cell, x, 4), cell.U.chunk(4, 1), cell.p.chunk(3)
    kept = sigmoid(f + h @ U_f + p_f * c) * c
    c = kept + sigmoid(i + h @ U_i + p_i * c) * tanh(g + h @ U_g)
    return sigmoid(o + h @ U_o + p_o * c) * (tanh(c) @ cell.R + x @ cell.S), c


def wmc_lstm(cell, x, h, c):
    (i, f, g, o), (U_i, U_f, U_g, U_o), (V_i, V_f) = parts(cell, x, 4), cell.U.chunk(4, 1), cell.V.chunk(2, 1)
    kept = sigmoid(f + h @ U_f + tanh(c @ V_f)) * c
    c = kept + sigmoid(i + h @ U_i + tanh(c @ V_i)) * tanh(g + h @ U_g)
    return sigmoid(o + h @ U_o + tanh(c @ cell.V_o)) * tanh(c), c


def memory_controller_lstm(cell, x, h, v, c):
    (i, f, g, o, m), (U_i, U_f, U_g, U_o, U_m) = parts(cell, x, 5), cell.U.chunk(5, 1)
    c = sigmoid(f + v @ U_f) * c + sigmoid(i + v @ U_i) * tanh(g + v @ U_g)
    return sigmoid(o + v @ U_o) * tanh(c), sigmoid(m + v @ U_m) * tanh(c), c


def mass_gates(cell, x, c):
    """As the paper writes them, in columns: the output gate (B, H), the normalised ones (B, H, K), the masses."""
    a, m = x.tensor_split([cell.W.shape[0]], dim=1)
    H = c.shape[1]
    features = torch.cat([a, c / torch.linalg.vector_norm(c, ord=1, dim=1, keepdim=True)], dim=1)
    gates = features @ torch.cat([cell.W, cell.U]) + cell.b
    return sigmoid(gates[:, :H]), softmax(gates[:, H:].unflatten(1, (-1, H)).mT, dim=1), m


def mclstm(cell, x, h, c):
    o, i, m = mass_gates(cell, x, c)
    R = softmax(cell.R.T, dim=0)
    total = torch.einsum("jk,bk->bj", R, c) + torch.einsum("bjk,bk->bj", i, m)
    return o * total, (1 - o) * total


def time_dependent_mclstm(cell, x, h, c):
    o, i, m = mass_gates(cell, x, c)
    M = m.shape[1]
    total = torch.einsum("bjk,bk->bj", i[..., M:], c) + torch.einsum("bjk,bk->bj", i[..., :M], m)
    return o * total, (1 - o) * total


STEPS = {
    "ResLSTM": res_lstm,
    "WMCLSTM": wmc_lstm,
    "MemoryControllerLSTM": memory_controller_lstm,
    "MCLSTM": mclstm,
    "TimeDependentMCLSTM": time_dependent_mclstm,
}


def double(kind, cell, **weights):
    """Such a cell whose state is a pair."""
    made = module(kind, cell, **weights)
    return lambda x, *state: made(x, state)


def library_wmc_lstm(cell):
    V = torch.cat([cell.V, cell.V_o], 1)
    return double(torchrecurrent.WMCLSTMCell, cell, weight_mh=V.T, bias_mh=0 * V[0])


def library_res_lstm(cell):
    return double(torchrecurrent.ResLSTMCell, cell, weight_proj=cell.R.T, weight_res=cell.S.T, weight_ph=cell.p)


def library_memory_controller_lstm(cell):
    f_i_o_m_g = reordered([1, 0, 3, 4, 2], cell.W, cell.U, cell.b)
    made = module(torchrecurrent.MCLSTMCell, cell, **f_i_o_m_g)

    def step(x, h, v, c):
        h, (v, c) = made(x, (v, c))
        return h, v, c

    return step


LIBRARY = {
    "ResLSTM": library_res_lstm,
    "WMCLSTM": library_wmc_lstm,
    "MemoryControllerLSTM": library_memory_controller_lstm,
}
