"""Cells that torch.nn lacks, against their equations written once more as a plain loop, differentiated by autograd."""

import numpy as np
import pytest
import torch
from torch import sigmoid, tanh

from rnncore import tree
from rnncore.testing import assert_close
from tests.conftest import problem

ROUNDING = {"rtol": 1e-12, "atol": 1e-12}


def gates(cell, x, h, count):
    return (x @ cell.W + cell.b + h @ cell.U).chunk(count, dim=1)


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


@pytest.mark.parametrize("name", STEPS)
def test_cell_is_its_equations(name):
    p = problem(name, backend="torch-cpu")
    point = tree.map(lambda a: a.clone().requires_grad_(), p.point)
    cell, xs, state = point
    ys = []
    for x in xs:
        state = STEPS[name](cell, x, *state)
        ys.append(state[0])
    ys = torch.stack(ys)
    actual, final, _ = p.cell.forward(p.xs, p.state)
    assert_close((actual, final), tree.map(torch.Tensor.detach, (ys, state)), **ROUNDING)
    loss = (ys * p.dys).sum() + sum((s * d).sum() for s, d in zip(state, p.dstate, strict=True))
    expected = iter(torch.autograd.grad(loss, [leaf for _, leaf in tree.leaves(point)]))
    assert_close(p.gradient(), tree.map(lambda _: next(expected), p.point), **ROUNDING)


@pytest.mark.parametrize("projection_size", [2, 3])
def test_projected_lstm_is_that_of_torch(projection_size):
    p = problem("ProjectedLSTM", {"projection_size": projection_size})
    cell = p.cell
    module = torch.nn.LSTM(*cell.W.shape[:1], cell.R.shape[0], proj_size=projection_size, dtype=torch.float64)
    weights = {"weight_ih": cell.W.T, "weight_hh": cell.U.T, "bias_ih": cell.b, "bias_hh": 0 * cell.b}
    with torch.no_grad():
        for name, value in (weights | {"weight_hr": cell.R.T}).items():
            getattr(module, f"{name}_l0").copy_(torch.tensor(value))
    points = [torch.tensor(a, requires_grad=True) for a in (p.xs, p.state[0][None], p.state[1][None])]
    ys, final = module(points[0], (points[1], points[2]))
    loss = (ys * torch.tensor(p.dys)).sum() + sum(
        (s[0] * torch.tensor(d)).sum() for s, d in zip(final, p.dstate, strict=True)
    )
    loss.backward()

    actual, state, _ = cell.forward(p.xs, p.state)
    assert_close((actual, state), tree.map(lambda a: a.detach().numpy(), (ys, (final[0][0], final[1][0]))), **ROUNDING)
    grads, dxs, dstate = p.gradient()
    names = {"W": "weight_ih_l0", "U": "weight_hh_l0", "b": "bias_ih_l0", "R": "weight_hr_l0"}
    for field, name in names.items():
        assert_close(getattr(grads, field), np.ascontiguousarray(getattr(module, name).grad.numpy().T), **ROUNDING)
    dx, dh, dc = (point.grad.numpy() for point in points)
    assert_close((dxs, dstate), (dx, (dh[0], dc[0])), **ROUNDING)
