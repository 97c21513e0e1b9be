"""The cells with oracles in tests/oracles/light_gates.py: their special cases, options and first values."""

import numpy as np
import pytest
import torch
import torchrecurrent

from rnncore import BRC, NBRC, MiRU1, MiRU2, TauGRU
from rnncore.testing import assert_close
from tests.conftest import agree, problem, refuses
from tests.oracles.light_gates import module, reordered

# -- one cell as a special case of another


def test_miru2_without_its_coefficients_is_elman():
    p = problem("Elman")
    cell = p.cell
    agree(cell, MiRU2(cell.W, cell.U, cell.b, update_coefficient=0, reset_coefficient=1), p)


def test_nbrc_with_a_diagonal_matrix_is_brc():
    p = problem("BRC")
    w_a, w_c = np.split(p.cell.w, 2)
    agree(p.cell, NBRC(p.cell.W, np.hstack([np.diag(w_a), np.diag(w_c)]), p.cell.b), p)


# -- bistability


@pytest.mark.parametrize("factor", [0.7, 1.5])
def test_a_bistable_cell_has_two_rest_states_where_it_feeds_back_enough(factor):
    b = np.array([np.arctanh(factor - 1), 0.0, 0.0])  # a = factor, c = ½, and nothing comes in
    cell = BRC(W=np.zeros((1, 3)), b=b, w=np.zeros(2))
    _, (h,), _ = cell.forward(np.zeros((400, 2, 1)), (np.array([[0.01], [-0.01]]),))
    rest = 0.0 if factor < 1 else 0.858559
    assert_close(h, np.array([[rest], [-rest]]), rtol=1e-6, atol=1e-6)
    assert_close(h, np.tanh(factor * h))


def test_a_new_bistable_cell_listens_to_itself(rng):
    assert_close(BRC.init(rng, 3, 4).w, np.ones(8, np.float32))


# -- options


@pytest.mark.parametrize("delay", [1, 3, 7])
def test_tau_gru_is_the_layer_of_torchrecurrent(delay):
    p = problem("TauGRU", {"delay": delay}, backend="torch-cpu")
    weights = reordered([2, 3, 0, 1], p.cell.W, torch.cat([p.cell.U, p.cell.U_z], 1), p.cell.b)
    layer = torchrecurrent.tauGRU(3, 4, delay=delay)
    layer.cells[0] = module(torchrecurrent.tauGRUCell, p.cell, **weights)
    expected, _ = layer(p.xs)
    ys, final, _ = p.cell.forward(p.xs)
    assert_close(ys, expected.detach(), rtol=1e-12, atol=1e-12)
    past = torch.cat([torch.zeros(delay + 1, 4, 4, dtype=ys.dtype), ys]).flip(0)
    assert_close(torch.stack(final), past[: delay + 1], rtol=0, atol=0)


@pytest.mark.parametrize("delay", [0, 1.5, None])
def test_tau_gru_refuses_a_delay(delay, rng):
    with refuses(ValueError, f"TauGRU: delay must be an integer from 1, received {delay!r}"):
        TauGRU.init(rng, 3, 4, delay=delay)


@pytest.mark.parametrize(
    ("kind", "name"), [(MiRU1, "update_coefficient"), (MiRU2, "update_coefficient"), (MiRU2, "reset_coefficient")]
)
def test_miru_refuses_coefficients(kind, name, rng):
    for value in (-0.1, 1.1, np.nan, "1", None):
        with refuses(ValueError, f"{kind.__name__}: {name} must be a finite number in 0 … 1, received {value!r}"):
            kind.init(rng, 3, 4, **{name: value})


@pytest.mark.parametrize("kind", [MiRU1, MiRU2])
def test_miru_mixes_by_its_update_coefficient(kind, rng):
    h = rng.standard_normal((2, 4)).astype(np.float32)
    x = rng.standard_normal((2, 3)).astype(np.float32)
    states = {}
    for value in (0, 1, np.float64(0.25)):
        cell = kind.init(np.random.default_rng(0), 3, 4, update_coefficient=value)
        (states[float(value)],), _ = cell.step(x, (h,))
    assert_close(states[1.0], h, rtol=0, atol=0)
    assert_close(states[0.25], (h + 3 * states[0.0]) / 4, rtol=1e-6, atol=1e-6)
