"""The cells with oracles in tests/oracles/wider_lstm.py: their special cases, options and first values."""

import dataclasses

import numpy as np
import pytest
import torch

from rnncore import CELLS, LSTM, PeepholeLSTM, TimeDependentMCLSTM
from rnncore.testing import assert_close
from tests.conftest import agree, problem, refuses

every_mass_cell = pytest.mark.parametrize("name", ["MCLSTM", "TimeDependentMCLSTM"])


# -- one cell as a special case of another


def test_residual_lstm_without_its_shortcut_is_a_peephole_lstm():
    p = problem("ResLSTM")
    cell = dataclasses.replace(p.cell, R=np.eye(4), S=0 * p.cell.S)
    agree(cell, PeepholeLSTM(cell.W, cell.U, cell.b, cell.p), p)


def test_lstm_without_working_memory_connections_is_lstm():
    p = problem("WMCLSTM")
    cell = dataclasses.replace(p.cell, V=0 * p.cell.V, V_o=0 * p.cell.V_o)
    agree(cell, LSTM(cell.W, cell.U, cell.b), p)


def test_a_memory_controller_that_repeats_the_output_makes_an_lstm():
    p = problem("MemoryControllerLSTM")
    W, U, b = (np.concatenate([a[..., :16], a[..., 12:16]], axis=-1) for a in (p.cell.W, p.cell.U, p.cell.b))
    h, v, c = p.state
    lstm = LSTM(W[:, :16], U[:, :16], b[:16])
    agree(lstm, dataclasses.replace(p.cell, W=W, U=U, b=b), dataclasses.replace(p, state=(v, c)), (h, v, c))


def test_mclstm_is_time_dependent_with_gates_that_see_nothing():
    p = problem("MCLSTM", {"mass_size": 2})
    W, U, b, R = p.cell.W, p.cell.U, p.cell.b, p.cell.R
    wide = TimeDependentMCLSTM(
        np.hstack([W, np.zeros((3, 16))]), np.hstack([U, np.zeros((4, 16))]), np.concatenate([b, R.reshape(-1)])
    )
    assert wide.mass_size == p.cell.mass_size == 2
    agree(p.cell, wide, p)


# -- the mass-conserving LSTM


@every_mass_cell
def test_mass_is_neither_made_nor_lost(name):
    p = problem(name, {"mass_size": 2}, T=20)
    masses = p.xs[:, :, 3:]
    ys, (_, c), _ = p.cell.forward(p.xs, p.state)
    assert_close(c.sum(1) + ys.sum((0, 2)), p.state[1].sum(1) + masses.sum((0, 2)), rtol=1e-12, atol=1e-12)


@every_mass_cell
def test_positive_masses_stay_positive(name):
    p = problem(name)
    ys, (_, c), _ = p.cell.forward(np.abs(p.xs))
    assert (ys > 0).all()
    assert (c > 0).all()


@every_mass_cell
def test_little_mass_flows_out_of_a_new_cell(name, rng):
    cell = CELLS[name].init(rng, 3, 4, mass_size=2, dtype=np.float64)
    assert cell.input_shape == (5,)
    assert_close(cell.b[:12], np.repeat([-3.0, 0.0, 0.0], 4))
    identity = cell.R if name == "MCLSTM" else cell.b[12:].reshape(4, 4)
    assert_close(identity, np.eye(4))
    assert_close(CELLS[name].init(rng, 3, 4, output_bias=1.5).b[:4], np.full(4, 1.5, np.float32))


@every_mass_cell
def test_mass_cells_refuse(name, rng):
    kind = CELLS[name]
    with refuses(ValueError, f"{name}: mass_size must be an integer from 1, received 0"):
        kind.init(rng, 3, 4, mass_size=0)
    with refuses(ValueError, f"{name}: output_bias must be a finite number, received nan"):
        kind.init(rng, 3, 4, output_bias=np.nan)
    cell = kind.init(rng, 3, 4)
    rest = {"R": cell.R} if name == "MCLSTM" else {}
    for count in (4, 7):  # no gate for a mass; a part of one
        with refuses(ValueError, f"{name}: U must have shape (H, G·H)", f"received (4, {count})"):
            kind(cell.W[:, :count], cell.U[:, :count], cell.b[:count], **rest)


def test_the_redistribution_is_a_softmax():
    cell = problem("MCLSTM").cell
    assert_close(cell.effective().R, torch.softmax(torch.tensor(cell.R), 1).numpy())
