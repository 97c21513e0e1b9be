"""Cells that know how much time has passed: limits, gates and solvers, initial values, errors."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from rnncore import GRUD, LSTM, ODELSTM, GRUOriginal, PeepholeLSTM, PhasedLSTM, tree
from rnncore.testing import assert_close, check_gradients
from tests.conftest import problem, refuses
from tests.oracles.irregular import gru_d

# -- GRU-D


def observed(p, share=0.5, seed=0):
    """A problem with a mask of zeros and ones, and elapsed times that are not negative."""
    x, _, delta = np.split(p.xs, 3, axis=-1)
    m = 1.0 * (np.random.default_rng(seed).random(x.shape) < share)
    return dataclasses.replace(p, xs=np.concatenate([x, m, np.abs(delta)], axis=-1))


def test_gru_d_with_everything_observed_is_the_gru():
    p = observed(problem("GRUD"), share=1)
    cell = dataclasses.replace(p.cell, b_h=-np.abs(p.cell.b_h), W_h=-np.abs(p.cell.W_h))  # γ_h = 1
    gru = GRUOriginal(cell.W, cell.U, cell.b + cell.V.sum(axis=0), cell.U_n)
    ys, (h, last), _ = cell.forward(p.xs, p.state)
    expected, final, _ = gru.forward(p.xs[..., :3], p.state[:1])
    assert_close((ys, h), (expected, final[0]))
    assert_close(last, p.xs[-1, :, :3])


def test_what_stands_for_a_missing_value_does_not_matter():
    p = observed(problem("GRUD"))
    missing = np.concatenate([p.xs[..., 3:6] == 0, np.zeros((5, 4, 6), dtype=bool)], axis=-1)
    zeros, nans = (dataclasses.replace(p, xs=np.where(missing, value, p.xs)) for value in (0, np.nan))
    outputs = [q.cell.forward(q.xs, q.state)[:2] for q in (zeros, nans)]
    assert_close(*outputs, rtol=0, atol=0)
    assert_close(zeros.gradient(), nans.gradient(), rtol=0, atol=0)
    assert (zeros.gradient()[1][missing] == 0).all()


def test_a_missing_value_decays_to_the_mean():
    p = problem("GRUD", {"mean": [0.5, -2.0, 1.0]}, T=1)
    cell = dataclasses.replace(p.cell, W_h=0 * p.cell.W_h, b_h=0 * p.cell.b_h, w_x=np.ones(3), b_x=np.zeros(3))
    (h, last), ones = p.state, np.ones((4, 3))

    def gru(x_hat, m):
        return GRUOriginal(cell.W, cell.U, cell.b + m * cell.V.sum(axis=0), cell.U_n).step(x_hat, (h,))[0][0]

    for delta, share in [(0.0, 1.0), (math.log(2), 0.5), (1e3, 0.0)]:
        (new, kept), _ = cell.step(np.concatenate([p.xs[0, :, :3], 0 * ones, delta * ones], axis=1), p.state)
        assert_close((new, kept), (gru(share * last + (1 - share) * np.array([0.5, -2.0, 1.0]), 0), last))


def test_gradients_with_means(rng):
    """The parameters of other tests are random, but what is not trained is as `init` left it: a mean of zero."""
    p = problem("GRUD", {"mean": 0.7})
    assert (p.cell.mean == 0.7).all()
    check_gradients(p.loss, p.point, p.gradient(), rng)
    cell = tree.convert(torch.tensor, p.cell)
    x, *state = (torch.tensor(a) for a in (p.xs[0], *p.state))
    new, _ = p.cell.step(p.xs[0], p.state)
    assert_close(new, tuple(s.numpy() for s in gru_d(cell, x, *state)))


def test_gru_d_decays_from_the_start(rng):
    cell = GRUD.init(rng, 5, 6, mean=np.arange(5))
    assert (cell.W_h > 0).all()
    assert (cell.w_x > 0).all()
    assert_close(cell.mean, np.arange(5, dtype=np.float32), rtol=0, atol=0)
    with refuses(ValueError, "broadcast"):
        GRUD.init(rng, 5, 6, mean=np.arange(4))


# -- Phased LSTM


def a_phased_cell(rng, open_ratio=0.4, leak=0.01):
    """Of two units: periods 10 and 4, the second shifted by 1."""
    cell = PhasedLSTM.init(rng, 3, 2, open_ratio=open_ratio, leak=leak, dtype=np.float64)
    return dataclasses.replace(cell, log_period=np.log([10.0, 4.0]), shift=np.array([0.0, 1.0]))


@pytest.mark.parametrize(
    ("phase", "k"),
    [(0, 0), (0.05, 0.25), (0.1, 0.5), (0.2, 1), (0.3, 0.5), (0.39, 0.05), (0.5, 0.005), (0.9, 0.009)],
)
def test_the_time_gate_opens_and_closes_in_rhythm(phase, k, rng):
    cell, x, (h, c) = a_phased_cell(rng), rng.standard_normal((1, 3)), rng.standard_normal((2, 1, 2))
    full, _ = PeepholeLSTM(cell.W, cell.U, cell.b, cell.p).step(x, (h, c))
    for cycle in (0, 1, 7, -3):
        times = (phase + 1e-9 + cycle) * np.array([10.0, 4.0]) + np.array([0, 1])
        for unit, time in enumerate(times):
            before = np.array([[time - 2.5]])
            new, _ = cell.step(np.concatenate([x, [[2.5]]], axis=1), (h, c, before))
            for i, old in enumerate((h, c)):
                expected = k * full[i][0, unit] + (1 - k) * old[0, unit]
                assert new[i][0, unit] == pytest.approx(expected, abs=1e-6)
            assert new[2] == pytest.approx(time)


def test_without_leak_a_closed_unit_keeps_its_state_exactly(rng):
    cell = a_phased_cell(rng, leak=0.0)
    state = (*rng.standard_normal((2, 1, 2)), np.array([[7.0]]))  # phases 0.7 and 0.5
    new, cache = cell.step(np.array([[1.0, 2.0, 3.0, 0.0]]), state)
    assert_close(new, state, rtol=0, atol=0)
    _, dstate, grads = cell.step_backward((*np.ones((2, 1, 2)), np.zeros((1, 1))), cache)
    assert_close(dstate, (*np.ones((2, 1, 2)), np.zeros((1, 1))), rtol=0, atol=0)
    assert_close(grads, tree.map(lambda a: 0 * a, cell), rtol=0, atol=0)


def test_periods_are_drawn_uniformly_in_their_logarithm(rng):
    """Of n uniform values the mean lies within 5 / √(12 n) of the middle, in units of the interval."""
    cell = PhasedLSTM.init(rng, 2, 200, periods=(math.e, math.e**5), open_ratio=0.1, dtype=np.float64)
    share = (cell.log_period - 1) / 4
    assert (share >= 0).all()
    assert (share <= 1).all()
    assert abs(share.mean() - 0.5) < 5 / math.sqrt(12 * 200)
    shift = cell.shift / np.exp(cell.log_period)
    assert (shift >= 0).all()
    assert (shift <= 1).all()
    assert abs(shift.mean() - 0.5) < 5 / math.sqrt(12 * 200)
    assert_close(1 / (1 + np.exp(-cell.open_logit)), np.full(200, 0.1))


@pytest.mark.parametrize(
    ("options", "fragments"),
    [
        ({"leak": -0.1}, ("leak must be a finite number in 0 … 1", "-0.1")),
        ({"leak": 1.5}, ("leak must be a finite number in 0 … 1", "1.5")),
        ({"leak": np.nan}, ("leak must be a finite number", "nan")),
        ({"open_ratio": 0}, ("open_ratio must lie between 0 and 1", "0")),
        ({"open_ratio": 1.0}, ("open_ratio must lie between 0 and 1", "1.0")),
        ({"periods": (0, 3)}, ("periods must be positive and in order", "(0, 3)")),
        ({"periods": (3, 2)}, ("periods must be positive and in order", "(3, 2)")),
        ({"periods": (1, "2")}, ("each of periods must be a finite number", "'2'")),
    ],
)
def test_phased_lstm_refuses(options, fragments, rng):
    with refuses(ValueError, "PhasedLSTM: ", *fragments):
        PhasedLSTM.init(rng, 3, 4, **options)


# -- ODE-LSTM


@pytest.mark.parametrize("solver", ["euler", "heun", "rk4"])
def test_when_no_time_passes_ode_lstm_is_lstm(solver):
    p = problem("ODELSTM", {"solver": solver})
    p.xs[..., -1] = 0
    expected = LSTM(p.cell.W, p.cell.U, p.cell.b).forward(p.xs[..., :-1], p.state)[:2]
    assert_close(p.cell.forward(p.xs, p.state)[:2], expected)


@pytest.mark.parametrize(("solver", "order"), [("euler", 1), ("heun", 2), ("rk4", 4)])
def test_twice_the_steps_divide_the_error_by_two_to_the_order(solver, order):
    p = problem("ODELSTM", {"solver": solver}, T=1)
    p.xs[..., -1] = 1.0

    def h(solver, unfolds):
        cell = dataclasses.replace(p.cell, solver=solver, unfolds=unfolds)
        return cell.forward(p.xs, p.state)[0]

    exact = h("rk4", 512)
    errors = [np.abs(h(solver, unfolds) - exact).max() for unfolds in (16, 32)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


def test_a_constant_slope_is_solved_exactly():
    p = problem("ODELSTM")
    cell = dataclasses.replace(p.cell, P=0 * p.cell.P, p=0 * p.cell.p)
    lstm = LSTM(cell.W, cell.U, cell.b).step(p.xs[0, :, :-1], p.state)[0]
    new, _ = cell.step(p.xs[0], p.state)
    assert_close(new, (lstm[0] + p.xs[0, :, -1:] * cell.q, lstm[1]))


def test_ode_lstm_refuses(rng):
    with refuses(ValueError, "ODELSTM: solver must be one of euler, heun, rk4, received 'dopri5'"):
        ODELSTM.init(rng, 3, 4, solver="dopri5")
    for unfolds in (0, 1.5, True):
        with refuses(ValueError, f"ODELSTM: unfolds must be an integer from 1, received {unfolds!r}"):
            ODELSTM.init(rng, 3, 4, unfolds=unfolds)
