"""Cells with one state and few gates."""

import torch
import torchrecurrent
from torch import sigmoid, tanh

from tests.oracles import loaded


def parts(cell, x, count):
    """x W + b, gate by gate, each with its own matrix."""
    return [x @ W + b for W, b in zip(cell.W.chunk(count, 1), cell.b.chunk(count), strict=True)]


def sgrn(cell, x, h):
    keep = sigmoid(cell.b + x @ cell.W + h @ cell.U)
    take = 1 - keep
    return (tanh(take * (cell.b + x @ cell.W) + keep * h),)


def sgu_gates(cell, x, h):
    x_g, x_z = parts(cell, x, 2)
    return tanh((x_g * h) @ cell.U_g), torch.clamp((x_z + h @ cell.U) / 5 + 0.5, 0, 1)


def sgu(cell, x, h):
    z_g, z = sgu_gates(cell, x, h)
    return (torch.lerp(h, torch.log(1 + torch.exp(z_g * h)), z),)


def dsgu(cell, x, h):
    z_g, z = sgu_gates(cell, x, h)
    return (torch.lerp(h, sigmoid((z_g * h) @ cell.U_o), z),)


def atr(cell, x, h):
    p, q = cell.b + x @ cell.W, h @ cell.U
    return (p / (1 + torch.exp(-p - q)) + h / (1 + torch.exp(q - p)),)


def star(cell, x, h):
    z, k = parts(cell, x, 2)
    k = sigmoid(k + h @ cell.U)
    return (tanh((1 - k) * h + k * tanh(z)),)


def light_ru(cell, x, h):
    n, f = parts(cell, x, 2)
    f = sigmoid(f + h @ cell.U)
    return ((1 - f) * h + f * tanh(n),)


def miru1(cell, x, h):
    r, n = parts(cell, x, 2)
    r = sigmoid(r + h @ cell.U)
    return (torch.lerp(tanh(n + (h * r) @ cell.U_n), h, cell.update_coefficient),)


def miru2(cell, x, h):
    n = tanh(cell.b + x @ cell.W + (h * cell.reset_coefficient) @ cell.U)
    return (torch.lerp(n, h, cell.update_coefficient),)


def tau_gru(cell, x, h, *past):
    (g, a, u, z), (U_g, U_a, U_u) = parts(cell, x, 4), cell.U.chunk(3, 1)
    candidate = tanh(u + h @ U_u) + sigmoid(a + h @ U_a) * tanh(z + past[-1] @ cell.U_z)
    return torch.lerp(h, candidate, sigmoid(g + h @ U_g)), h, *past[:-1]


def brc(cell, x, h):
    (x_a, x_c, x_n), (w_a, w_c) = parts(cell, x, 3), cell.w.chunk(2)
    a, c = 1 + tanh(x_a + w_a * h), sigmoid(x_c + w_c * h)
    return (c * h + (1 - c) * tanh(x_n + a * h),)


def nbrc(cell, x, h):
    (x_a, x_c, x_n), (U_a, U_c) = parts(cell, x, 3), cell.U.chunk(2, 1)
    a, c = 1 + tanh(x_a + h @ U_a), sigmoid(x_c + h @ U_c)
    return (c * h + (1 - c) * tanh(x_n + a * h),)


STEPS = {
    "SGRN": sgrn,
    "SGU": sgu,
    "DSGU": dsgu,
    "ATR": atr,
    "STAR": star,
    "LightRU": light_ru,
    "MiRU1": miru1,
    "MiRU2": miru2,
    "TauGRU": tau_gru,
    "BRC": brc,
    "NBRC": nbrc,
}


def module(kind, cell, **weights):
    """A cell of torchrecurrent with these weights by its names, those of ours where not given, and zero bias_hh."""
    made = kind(cell.W.shape[0], cell.state_shapes[0][0])
    if "weight_hh" not in weights:
        weights["weight_hh"] = cell.U.T
    known = {"weight_ih": cell.W.T, "bias_ih": cell.b, "bias_hh": torch.zeros_like(made.bias_hh)}
    return loaded(made, **(known | weights))


def single(kind, cell, **weights):
    """Such a cell whose state is one array."""
    made = module(kind, cell, **weights)
    return lambda x, h: (made(x, h),)


def reordered(order, W, U, b):
    """The weights of such a cell, from ours with the gates in another order."""
    W, U, b = (torch.cat([array.chunk(len(order), -1)[i] for i in order], -1) for array in (W, U, b))
    return {"weight_ih": W.T, "weight_hh": U.T, "bias_ih": b}


class HardSigmoid(torch.nn.Module):
    """torch.nn.Hardsigmoid in double precision: its own derivative has 1/6 in single."""

    def forward(self, a):
        return torch.clamp(a / 6 + 0.5, 0, 1)


def library_sgu(kind, cell, **others):
    """Its hard sigmoid is a / 6 + 1/2 and ours a / 5 + 1/2: its z gets 6/5 of our weights."""
    scale = torch.tensor([1, 1.2], dtype=torch.float64).repeat_interleave(cell.U.shape[0])
    U = torch.cat([cell.U_g, cell.U], 1)
    weights = {"weight_ih": (cell.W * scale).T, "weight_hh": (U * scale).T, "bias_ih": cell.b * scale}
    return single(lambda D, H: kind(D, H, gate_nonlinearity=HardSigmoid()), cell, **weights, **others)


def library_miru1(cell):
    return single(torchrecurrent.MiRU1Cell, cell, weight_hh=torch.cat([cell.U, cell.U_n], 1).T)


def library_tau_gru(cell):
    u_z_g_a = reordered([2, 3, 0, 1], cell.W, torch.cat([cell.U, cell.U_z], 1), cell.b)
    made = module(torchrecurrent.tauGRUCell, cell, **u_z_g_a)
    return lambda x, *state: (made(x, state[0], state[-1]), *state[:-1])


LIBRARY = {
    "SGRN": lambda cell: single(torchrecurrent.SGRNCell, cell),
    "SGU": lambda cell: library_sgu(torchrecurrent.SGUCell, cell),
    "DSGU": lambda cell: library_sgu(torchrecurrent.DSGUCell, cell, weight_ho=cell.U_o.T),
    "ATR": lambda cell: single(torchrecurrent.ATRCell, cell),
    "STAR": lambda cell: single(torchrecurrent.STARCell, cell),
    "LightRU": lambda cell: single(torchrecurrent.LightRUCell, cell),
    "MiRU1": library_miru1,
    "MiRU2": lambda cell: single(torchrecurrent.MiRU2Cell, cell),
    "TauGRU": library_tau_gru,
    "BRC": lambda cell: single(torchrecurrent.BRCell, cell, weight_hh=cell.w),
    "NBRC": lambda cell: single(torchrecurrent.NBRCell, cell),
}
