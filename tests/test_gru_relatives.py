"""The relatives of the GRU: their initial values, and what is theirs alone."""

import dataclasses

import numpy as np
import pytest
import torch
import torchrecurrent

from rnncore import CELLS, CFN, JANET, FastGRNN, FastRNN, IntersectionRNN, tree
from rnncore.testing import assert_close, check_gradients
from tests.conftest import problem, refuses
from tests.oracles.gru_relatives import torchrecurrent_cell
from tests.test_oracles import compare

WITH_INPUT = ["IntersectionRNN", "MUT1", "MUT2"]  # x itself takes part: as x P


@pytest.mark.parametrize("name", WITH_INPUT)
def test_an_input_as_wide_as_the_state_is_taken_as_it_is(name, rng):
    p = problem(name, D=4, H=4)
    assert_close(p.cell.P, np.eye(4), rtol=0, atol=0)
    check_gradients(p.loss, p.point, p.gradient(), rng)
    assert "P" not in dict(tree.leaves(p.cell))
    P = CELLS[name].init(rng, 2, 3, dtype=np.float64).P
    assert_close(P @ P.T, np.eye(2), atol=1e-14)


def test_intersection_rnn_is_that_of_torchrecurrent_where_the_sizes_agree():
    p = problem("IntersectionRNN", D=4, H=4, backend="torch-cpu")
    module = torchrecurrent_cell(torchrecurrent.IntersectionRNNCell, p.cell)
    point = (), *tree.map(lambda a: a.clone().requires_grad_(), p.point[1:])
    expected = compare(p, lambda x, y, h: module(x, h), point)
    assert_close(p.gradient()[1:], expected[1:])


def test_the_old_output_of_an_intersection_rnn_has_no_influence():
    p = problem("IntersectionRNN")
    other = dataclasses.replace(p, state=(p.state[0] + 1, p.state[1]))
    assert_close(p.cell.forward(p.xs, p.state)[:2], p.cell.forward(p.xs, other.state)[:2], rtol=0, atol=0)
    assert_close(p.gradient()[2][0], 0 * p.state[0], rtol=0, atol=0)


def test_closed_gates_of_an_intersection_rnn_pass_the_input_on_and_keep_the_state(rng):
    cell = IntersectionRNN.init(rng, 3, 3, forget_bias=1e3, dtype=np.float64)
    x, y, h = rng.standard_normal((3, 2, 3))
    assert_close(cell.step(x, (y, h))[0], (x, h), rtol=0, atol=1e-15)


def test_initial_values(rng):
    b = CFN.init(rng, 3, 2).b
    assert_close(b, np.float32([1, 1, -1, -1, 0, 0]), rtol=0, atol=0)
    fast, gated = FastRNN.init(rng, 3, 2), FastGRNN.init(rng, 3, 2)
    assert (fast.alpha, fast.beta, gated.zeta, gated.nu) == (-3, 3, 1, -4)
    assert (fast.b == 1).all()
    assert (gated.b == 1).all()
    assert {a.shape for a in (fast.alpha, fast.beta, gated.zeta, gated.nu)} == {()}


def test_a_cfn_without_input_comes_to_rest_at_zero(rng):
    cell = CFN.init(rng, 3, 4, dtype=np.float64)
    ys, _, _ = cell.forward(np.zeros((2000, 2, 3)), (rng.standard_normal((2, 4)),))
    size = np.abs(ys).max(axis=(1, 2))
    assert (np.diff(size) <= 0).all()
    assert size[-1] < 1e-12


def test_janet_forgets_by_chrono(rng):
    b = JANET.init(rng, 3, 500, t_max=11, dtype=np.float64).b
    times = 1 + np.exp(b[:500])  # in which σ(b) forgets
    assert 2 <= times.min() < 2.2
    assert 10.8 < times.max() <= 11
    assert (b[500:] == 0).all()
    with refuses(ValueError, "chrono: t_max must be an integer from 2, received 1"):
        JANET.init(rng, 3, 4, t_max=1)


def test_beta_lets_more_in_than_is_forgotten(rng):
    """With s = 0 and g large: h' = ½ h + 1 - σ(-β)."""
    x, h = np.ones((1, 1)), np.array([[0.3]])
    for beta in (0.0, 1.0, 2.5):
        cell = JANET(W=np.array([[0.0, 99.0]]), U=np.zeros((1, 2)), b=np.zeros(2), beta=beta)
        ((new,), _) = cell.step(x, (h,))
        assert_close(new, np.array([[0.15 + 1 / (1 + np.exp(-beta))]]))
        p = problem("JANET", {"beta": beta})
        check_gradients(p.loss, p.point, p.gradient(), rng)


@pytest.mark.parametrize(
    ("name", "option"),
    [("JANET", "beta"), ("FastRNN", "alpha"), ("FastRNN", "beta"), ("FastGRNN", "zeta"), ("FastGRNN", "nu")],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, "1", None])
def test_init_refuses_what_is_no_number(name, option, value, rng):
    with refuses(ValueError, f"{name}: {option} must be a finite number, received {value!r}"):
        CELLS[name].init(rng, 3, 4, **{option: value})


def test_a_tape_of_another_beta_is_refused():
    p = problem("JANET")
    tape = dataclasses.replace(p.cell, beta=2.0).forward(p.xs)[2]
    with refuses(ValueError, "JANET.backward: tape", "beta=2.0", "beta=1.0"):
        p.cell.backward(p.dys, tape)


def test_ran_without_squashing_adds_up_its_inputs():
    """c' = i ⊙ u + f ⊙ c with h' = c': with all gates at ½, h_T = Σ_t ½^(T - t + 1) u_t."""
    p = problem("RAN", {"activation": "identity"}, T=3)
    zero, H = 0 * p.cell.U, 4
    W = np.concatenate([np.zeros((3, 2 * H)), p.cell.W[:, 2 * H :]], axis=1)
    cell = dataclasses.replace(p.cell, W=W, U=zero, b=0 * p.cell.b)
    u = p.xs @ W[:, 2 * H :]
    ys, (h, c), _ = cell.forward(p.xs)
    assert_close(h, u[0] / 8 + u[1] / 4 + u[2] / 2)
    assert_close((h, ys[-1]), (c, c), rtol=0, atol=0)


def test_where_torchrecurrent_differs_from_fastrnns_paper():
    """A new FastRNN keeps its state there only if told, and the gate of FastGRNN is a tanh unless told."""
    theirs = torchrecurrent.FastRNNCell(3, 4)
    assert (theirs.alpha.item(), theirs.beta.item()) == (3, -3)
    p = problem("FastGRNN", backend="torch-cpu")
    weights = {"b_h": 0 * p.cell.b, "zeta": p.cell.zeta[None], "nu": p.cell.nu[None]}
    (x, *_), (h,) = p.xs, p.state
    (ours,), _ = p.cell.step(x, (h,))
    with torch.no_grad():
        told, untold = (
            torchrecurrent_cell(torchrecurrent.FastGRNNCell, p.cell, **weights, **options)(x, h)
            for options in ({"nonlinearity": "sigmoid"}, {})
        )
    assert_close(ours, told)
    assert (ours - untold).abs().max() > 0.1
