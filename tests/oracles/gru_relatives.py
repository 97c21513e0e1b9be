"""Cells with one or two gates and one state, most of them simpler than the GRU."""

import torch
import torchrecurrent
from torch import sigmoid, tanh

from tests.oracles import loaded


def parts(cell, W, U, b):
    """Each gate's own matrices and bias, in the order of the arguments: lists of the parts of W, U and b."""
    return cell.W.chunk(W, 1), cell.U.chunk(U, 1), cell.b.chunk(b)


def mgu(cell, x, h):
    (W_f, W_n), (U_f,), (b_f, b_n) = parts(cell, 2, 1, 2)
    f = sigmoid(x @ W_f + h @ U_f + b_f)
    return ((1 - f) * h + f * tanh(x @ W_n + (f * h) @ cell.U_n + b_n),)


def li_gru(cell, x, h):
    (W_z, W_n), (U_z, U_n), (b_z, b_n) = parts(cell, 2, 2, 2)
    z = sigmoid(x @ W_z + h @ U_z + b_z)
    return (z * h + (1 - z) * torch.relu(x @ W_n + h @ U_n + b_n),)


def mut1(cell, x, h):
    (W_r, W_z), (U_r,), (b_r, b_z, b_n) = parts(cell, 2, 1, 3)
    z, r = sigmoid(x @ W_z + b_z), sigmoid(x @ W_r + h @ U_r + b_r)
    return (tanh((r * h) @ cell.U_n + tanh(x @ cell.P) + b_n) * z + h * (1 - z),)


def mut2(cell, x, h):
    (W_z, W_n), (U_r, U_z), (b_r, b_z, b_n) = parts(cell, 2, 2, 3)
    z, r = sigmoid(x @ W_z + h @ U_z + b_z), sigmoid(x @ cell.P + h @ U_r + b_r)
    return (tanh((r * h) @ cell.U_n + x @ W_n + b_n) * z + h * (1 - z),)


def mut3(cell, x, h):
    (W_r, W_z, W_n), (U_r,), (b_r, b_z, b_n) = parts(cell, 3, 1, 3)
    z, r = sigmoid(x @ W_z + tanh(h) @ cell.U_z + b_z), sigmoid(x @ W_r + h @ U_r + b_r)
    return (tanh((r * h) @ cell.U_n + x @ W_n + b_n) * z + h * (1 - z),)


def ugrnn(cell, x, h):
    (W_c, W_g), (U_c, U_g), (b_c, b_g) = parts(cell, 2, 2, 2)
    g = sigmoid(x @ W_g + h @ U_g + b_g)
    return (g * h + (1 - g) * tanh(x @ W_c + h @ U_c + b_c),)


def intersection_rnn(cell, x, y, h):
    y_in, h_in, g_y, g_h = (x @ W + h @ U + b for W, U, b in zip(*parts(cell, 4, 4, 4), strict=True))
    y = sigmoid(g_y) * (x @ cell.P) + sigmoid(-g_y) * torch.relu(y_in)
    return y, sigmoid(g_h) * h + sigmoid(-g_h) * tanh(h_in)


def ran(cell, x, h, c):
    (W_i, W_f, W_c), (U_i, U_f), (b_i, b_f, b_c) = parts(cell, 3, 2, 3)
    i, f = sigmoid(h @ U_i + x @ W_i + b_i), sigmoid(h @ U_f + x @ W_f + b_f)
    c = i * (x @ W_c + b_c) + f * c
    return tanh(c), c


def janet(cell, x, h):
    (W_f, W_c), (U_f, U_c), (b_f, b_c) = parts(cell, 2, 2, 2)
    s = h @ U_f + x @ W_f + b_f
    return (sigmoid(s) * h + (1 - sigmoid(s - 1)) * tanh(h @ U_c + x @ W_c + b_c),)


def minimal_rnn(cell, x, h):
    z = tanh(x @ cell.W + cell.b)
    u = sigmoid(h @ cell.U + z @ cell.U_z + cell.b_u)
    return (u * h + (1 - u) * z,)


def cfn(cell, x, h):
    (W_f, W_i, W), (U_f, U_i), (b_f, b_i, b) = parts(cell, 3, 2, 3)
    theta, eta = sigmoid(h @ U_f + x @ W_f + b_f), sigmoid(h @ U_i + x @ W_i + b_i)
    return (theta * tanh(h) + eta * tanh(x @ W + b),)


def fast_rnn(cell, x, h):
    return (sigmoid(cell.alpha) * tanh(x @ cell.W + h @ cell.U + cell.b) + sigmoid(cell.beta) * h,)


def fast_grnn(cell, x, h):
    b_z, b_n = cell.b.chunk(2)
    z = sigmoid(x @ cell.W + h @ cell.U + b_z)
    n = tanh(x @ cell.W + h @ cell.U + b_n)
    return ((sigmoid(cell.zeta) * (1 - z) + sigmoid(cell.nu)) * n + z * h,)


STEPS = {
    "MGU": mgu,
    "LiGRU": li_gru,
    "MUT1": mut1,
    "MUT2": mut2,
    "MUT3": mut3,
    "UGRNN": ugrnn,
    "IntersectionRNN": intersection_rnn,
    "RAN": ran,
    "JANET": janet,
    "MinimalRNN": minimal_rnn,
    "CFN": cfn,
    "FastRNN": fast_rnn,
    "FastGRNN": fast_grnn,
}


def torchrecurrent_cell(kind, cell, W=None, U=None, b=None, b_h=None, **options):
    """A cell of torchrecurrent whose two matrices and two biases are these, of `cell` where None, b_h zero."""
    W, U, b = (getattr(cell, name) if value is None else value for name, value in {"W": W, "U": U, "b": b}.items())
    others = {name: options.pop(name) for name in [*options] if isinstance(options[name], torch.Tensor)}
    b_h = torch.zeros(U.shape[1]) if b_h is None else b_h
    module = kind(W.shape[0], U.shape[0], **options)
    return loaded(module, weight_ih=W.T, weight_hh=U.T, bias_ih=b, bias_hh=b_h, **others)


def single(*arguments, **options):
    """The step of a cell of torchrecurrent with one state, which it takes and returns bare."""
    module = torchrecurrent_cell(*arguments, **options)
    return lambda x, h: (module(x, h),)


def library_mgu(cell):
    return single(torchrecurrent.MGUCell, cell, U=torch.cat([cell.U, cell.U_n], 1))


def library_mut1(cell):
    """It has the gates in the order z r n, and trains P and a bias beside it."""
    (W_r, W_z), (b_r, b_z, b_n) = cell.W.chunk(2, 1), cell.b.chunk(3)
    W, U = torch.cat([W_z, W_r, cell.P], 1), torch.cat([cell.U, cell.U_n], 1)
    zero = torch.zeros_like(b_n)
    b, b_h = torch.cat([b_z, b_r, zero]), torch.cat([zero, b_n])
    return single(torchrecurrent.MUT1Cell, cell, W, U, b, b_h)


def library_mut2(cell):
    """It has the gates in the order z r n, and trains P."""
    (W_z, W_n), (U_r, U_z), (b_r, b_z, b_n) = cell.W.chunk(2, 1), cell.U.chunk(2, 1), cell.b.chunk(3)
    W, U = torch.cat([W_z, cell.P, W_n], 1), torch.cat([U_z, U_r, cell.U_n], 1)
    return single(torchrecurrent.MUT2Cell, cell, W, U, torch.cat([b_z, b_r, b_n]))


def library_mut3(cell):
    """It has the gates in the order z r n."""
    (W_r, W_z, W_n), (b_r, b_z, b_n) = cell.W.chunk(3, 1), cell.b.chunk(3)
    W, U = torch.cat([W_z, W_r, W_n], 1), torch.cat([cell.U_z, cell.U, cell.U_n], 1)
    return single(torchrecurrent.MUT3Cell, cell, W, U, torch.cat([b_z, b_r, b_n]))


def library_intersection_rnn(cell):
    """It is for D = H alone: it receives x P, and gets x W from that, as the rows of P are orthonormal."""
    module = torchrecurrent_cell(torchrecurrent.IntersectionRNNCell, cell, W=cell.P.T @ cell.W)
    return lambda x, y, h: module(x @ cell.P, h)


def library_ran(cell):
    """It has the gates in the order c i f, and no bias for c: the last input, always 1, makes one."""
    (W_i, W_f, W_c), (b_i, b_f, b_c) = cell.W.chunk(3, 1), cell.b.chunk(3)
    zero = torch.zeros_like(b_c)
    W = torch.cat([torch.cat([W_c, W_i, W_f], 1), torch.cat([b_c, zero, zero])[None]], 0)
    module = torchrecurrent_cell(torchrecurrent.RANCell, cell, W=W, b=torch.cat([b_i, b_f]))
    return lambda x, *state: module(torch.cat([x, torch.ones_like(x[:, :1])], 1), state)


def library_janet(cell):
    """It has h beside c, always the same, and a trained β."""
    module = torchrecurrent_cell(torchrecurrent.JANETCell, cell, beta=torch.tensor(1.0))
    return lambda x, h: module(x, (h, h))[:1]


LIBRARY = {
    "MGU": library_mgu,
    "LiGRU": lambda cell: single(torchrecurrent.LiGRUCell, cell),
    "MUT1": library_mut1,
    "MUT2": library_mut2,
    "MUT3": library_mut3,
    "UGRNN": lambda cell: single(torchrecurrent.UGRNNCell, cell),
    "IntersectionRNN": library_intersection_rnn,
    "RAN": library_ran,
    "JANET": library_janet,
    "MinimalRNN": lambda cell: single(torchrecurrent.MinimalRNNCell, cell, b_h=cell.b_u, weight_mm=cell.U_z.T),
    "CFN": lambda cell: single(torchrecurrent.CFNCell, cell),
    "FastRNN": lambda cell: single(torchrecurrent.FastRNNCell, cell, alpha=cell.alpha[None], beta=cell.beta[None]),
    "FastGRNN": lambda cell: single(
        torchrecurrent.FastGRNNCell,
        cell,
        b_h=torch.zeros_like(cell.b),
        nonlinearity="sigmoid",  # of the gate: unless told a tanh, which is not the paper's
        zeta=cell.zeta[None],
        nu=cell.nu[None],
    ),
}
