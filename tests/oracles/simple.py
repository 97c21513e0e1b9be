"""Relatives of the Elman cell: IRNN, SCRN, clockwork, IndRNN, echo state.

torchrecurrent's SCRN is another cell (tests/test_simple_oracles.py shows how), and reservoirpy's reservoir is no torch
code: it is compared there too.
"""

import torch
import torchrecurrent
from torch import relu, sigmoid, tanh

from tests.oracles import loaded


def irnn(cell, x, h):
    return (relu(h @ cell.U + x @ cell.W + cell.b),)


def scrn(cell, x, h, c):
    K = cell.P.shape[0]
    B, A, b_c, b_h = cell.W[:, :K], cell.W[:, K:], cell.b[:K], cell.b[K:]
    c = c + (1 - cell.alpha) * (x @ B + b_c - c)
    return sigmoid(x @ A + b_h + h @ cell.U + c @ cell.P), c


def clockwork(cell, x, h, t):
    """Unit by unit, each with the units that it sees alone."""
    units = []
    for j, period in enumerate(cell.periods):
        seen = [i for i, other in enumerate(cell.periods) if other >= period]
        moved = tanh(x @ cell.W[:, j] + h[:, seen] @ cell.U[seen, j] + cell.b[j])
        on = torch.tensor([round(time) % int(period) == 0 for time in t.flatten().tolist()])
        units.append(torch.where(on, moved, h[:, j]))
    return torch.stack(units, dim=1), t + 1


def indrnn(cell, x, h):
    return (relu(x @ cell.W + cell.b + h @ torch.diag(cell.u)),)


def echo_state(cell, x, h):
    return (h + cell.leak_rate * (tanh(x @ cell.W + h @ cell.U + cell.b) - h),)


STEPS = {"IRNN": irnn, "SCRN": scrn, "Clockwork": clockwork, "IndRNN": indrnn, "EchoState": echo_state}


def torch_relu(cell):
    module = torch.nn.RNNCell(*cell.W.shape, nonlinearity="relu")
    module = loaded(module, weight_ih=cell.W.T, weight_hh=cell.U.T, bias_ih=cell.b, bias_hh=0 * cell.b)
    return lambda x, h: (module(x, h),)


def recurrent_indrnn(cell):
    module = torchrecurrent.IndRNNCell(*cell.W.shape, nonlinearity="relu")
    module = loaded(module, weight_ih=cell.W.T, vector_u=cell.u, bias_ih=cell.b, bias_hh=0 * cell.b)
    return lambda x, h: (module(x, h),)


LIBRARY = {"IRNN": torch_relu, "IndRNN": recurrent_indrnn}
