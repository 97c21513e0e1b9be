"""Every cell against its equations written once more as a plain loop, and against other libraries that have it."""

import importlib
import pkgutil

import numpy as np
import pytest
import torch

from rnncore import CELLS, tree
from rnncore.testing import assert_close
from tests import oracles
from tests.conftest import problem

ROUNDING = {"rtol": 1e-12, "atol": 1e-12}
MODULES = [importlib.import_module(f"tests.oracles.{info.name}") for info in pkgutil.iter_modules(oracles.__path__)]
STEPS = {name: step for module in MODULES for name, step in module.STEPS.items()}
LIBRARY = {name: make for module in MODULES for name, make in getattr(module, "LIBRARY", {}).items()}
ELSEWHERE = {"Elman", "Jordan", "LSTM", "GRU", "ProjectedLSTM"}  # compared with torch.nn or their equations: test_cells


def run(step, xs, state):
    """Outputs and final state of a plain loop."""
    ys = []
    for x in xs:
        state = step(x, *state)
        ys.append(state[0])
    return torch.stack(ys), state


def compare(p, step, point):
    """The outputs, the final state and all gradients of a `Problem` with those of `step` under autograd."""
    _, xs, state = point
    ys, final = run(step, xs, state)
    actual, actual_final, _ = p.cell.forward(p.xs, p.state)
    assert_close((actual, actual_final), tree.map(torch.Tensor.detach, (ys, final)), **ROUNDING)
    loss = (ys * p.dys).sum() + sum((s * d).sum() for s, d in zip(final, p.dstate, strict=True))
    leaves = [leaf for _, leaf in tree.leaves(point)]
    expected = iter(torch.autograd.grad(loss, leaves, materialize_grads=True))
    return tree.map(lambda _: next(expected), point)


@pytest.mark.parametrize("name", STEPS)
def test_cell_is_its_equations(name):
    p = problem(name, backend="torch-cpu")
    point = tree.map(lambda a: a.clone().requires_grad_(), p.point)
    expected = compare(p, lambda x, *state: STEPS[name](point[0], x, *state), point)
    assert_close(p.gradient(), expected, **ROUNDING)


@pytest.mark.parametrize("name", LIBRARY)
def test_cell_is_that_of_another_library(name):
    p = problem(name, backend="torch-cpu")
    point = (), *tree.map(lambda a: a.clone().requires_grad_(), p.point[1:])
    expected = compare(p, LIBRARY[name](p.cell), point)
    assert_close(p.gradient()[1:], expected[1:], **ROUNDING)


def test_every_cell_has_an_oracle():
    missing = set(CELLS) - {*STEPS, *ELSEWHERE}
    assert not missing, f"{missing}: add the equations as a step to STEPS in a module of tests/oracles/"
    unknown = {*STEPS, *LIBRARY, *ELSEWHERE} - set(CELLS)
    assert not unknown, f"{unknown}: there is no such cell in the registry"


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
