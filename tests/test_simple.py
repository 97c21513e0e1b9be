"""What relatives of the Elman cell promise: values of IRNN, SCRN, clockwork, IndRNN and echo state."""

import dataclasses

import numpy as np
import pytest

from rnncore import IRNN, SCRN, Clockwork, EchoState, IndRNN, optim, tree
from rnncore.testing import assert_close
from tests.conftest import problem, refuses

# -- IRNN


def test_a_new_irnn_keeps_its_state_and_gradient(rng):
    cell = IRNN.init(rng, 3, 4, dtype=np.float64)
    assert_close(cell.U, np.eye(4), rtol=0, atol=0)
    state, dstate = (rng.uniform(1, 2, (2, 4)),), (rng.standard_normal((2, 4)),)
    ys, _, tape = cell.forward(np.zeros((500, 2, 3)), state)
    assert_close(ys[-1], state[0], rtol=0, atol=0)
    assert_close(cell.backward(None, tape, dstate)[1], dstate, rtol=0, atol=0)


def test_irnn_init(rng):
    cell = IRNN.init(rng, 300, 400, scale=0.01, input_std=0.5)
    assert_close(cell.U, np.float32(0.01) * np.eye(400, dtype=np.float32), rtol=0, atol=0)
    assert cell.W.std() == pytest.approx(0.5, rel=0.02)
    assert IRNN.init(rng, 300, 400).W.std() == pytest.approx(0.001, rel=0.02)
    with refuses(ValueError, "scale must be a finite number, received nan"):
        IRNN.init(rng, 3, 4, scale=np.nan)


# -- SCRN


def test_the_context_is_a_moving_average():
    """Of a constant input 1 it has seen 1 - α^t after t steps."""
    p = problem("SCRN", {"context_size": 2, "alpha": 0.7})
    cell = dataclasses.replace(p.cell, W=np.ones((3, 6)), b=np.zeros(6))
    _, (_, c), _ = cell.forward(np.full((5, 1, 3), 1 / 3))
    assert_close(c, np.full((1, 2), 1 - 0.7**5))


@pytest.mark.parametrize(("alpha", "wanted"), [(-0.1, "number in 0 … 1"), (1.1, "number in 0 … 1"), (None, "finite")])
def test_scrn_refuses(alpha, wanted, rng):
    with refuses(ValueError, "SCRN: alpha must be a ", wanted, f"received {alpha!r}"):
        SCRN.init(rng, 3, 4, alpha=alpha)


# -- clockwork


def test_units_move_at_multiples_of_their_periods():
    p = problem("Clockwork", T=20, H=4)
    assert p.cell.periods.tolist() == [1, 2, 4, 8]
    for start in (0, 3, -5, 2.4):
        h, t = p.state[0], np.full((4, 1), float(start))
        ys, (_, end), _ = p.cell.forward(p.xs, (h, t))
        moved = np.diff(np.concatenate([h[None], ys]), axis=0) != 0
        expected = (round(start) + np.arange(20))[:, None] % np.array([1, 2, 4, 8]) == 0
        assert (moved == expected[:, None]).all()
        assert_close(end, t + 20, rtol=0, atol=1e-12)


def test_clocks_of_one_batch_may_differ():
    p = problem("Clockwork", T=20)
    clocks = np.array([[0.0], [1.0], [2.0], [7.0]])
    ys, _, _ = p.cell.forward(p.xs, (p.state[0], clocks))
    for b, clock in enumerate(clocks):
        alone, _, _ = p.cell.forward(p.xs[:, b : b + 1], (p.state[0][b : b + 1], clock[None]))
        assert_close(ys[:, b : b + 1], alone)


def test_clocks_are_exact_far_out():
    """In float32 as far as whole numbers go: no rounding of t / T puts a unit on a step that is not its own."""
    period = 7
    cell = dataclasses.replace(problem("Clockwork", H=1).cell, periods=np.array([float(period)]))
    cell = tree.convert(np.float32, cell)
    start = 2**24 - 1000
    state = np.full((1, 1), 0.5, np.float32), np.full((1, 1), start, np.float32)
    ys, _, _ = cell.forward(np.random.default_rng(0).standard_normal((999, 1, 3), dtype=np.float32), state)
    moved = np.diff(np.concatenate([state[0].ravel(), ys.ravel()])) != 0
    assert (moved == ((start + np.arange(999)) % period == 0)).all()


def test_slow_units_do_not_see_fast_ones():
    """One step of all units: U reaches unit j from unit i where T_i ≥ T_j alone, and so does the gradient."""
    p = problem("Clockwork", {"periods": (1, 2, 4)}, T=1, B=6, H=6)
    assert p.cell.periods.tolist() == [1, 1, 2, 2, 4, 4]
    state = p.state[0], np.zeros((6, 1))
    _, _, tape = p.cell.forward(p.xs, state)
    _, (dh, _), grads = p.cell.backward(np.eye(6)[None], tape)  # row j: the gradient of unit j, of sequence j
    seen = p.cell.periods[:, None] >= p.cell.periods
    assert ((dh.T != 0) == seen).all()
    assert ((grads.U != 0) == seen).all()
    without = dataclasses.replace(p.cell, U=np.where(seen, p.cell.U, 99.0))
    assert_close(without.forward(p.xs, state)[:2], p.cell.forward(p.xs, state)[:2], rtol=0, atol=0)


def test_units_are_shared_out_evenly(rng):
    for H, periods in {1: [1], 2: [1, 2], 3: [1, 2, 4], 5: [1, 1, 2, 4, 8], 6: [1, 1, 2, 2, 4, 8]}.items():
        assert Clockwork.init(rng, 3, H).periods.tolist() == periods
    assert Clockwork.init(rng, 3, 5, periods=iter([3, 1])).periods.tolist() == [3, 3, 3, 1, 1]


@pytest.mark.parametrize("periods", [(1, 0), (1, 2.5), (True,)])
def test_clockwork_refuses(periods, rng):
    with refuses(ValueError, f"Clockwork: each of periods must be an integer from 1, received {periods[-1]!r}"):
        Clockwork.init(rng, 3, 4, periods=periods)
    with refuses(ValueError, "Clockwork: periods must be at least one number"):
        Clockwork.init(rng, 3, 4, periods=())


# -- IndRNN


def test_units_of_an_indrnn_are_independent(rng):
    u = IndRNN.init(rng, 3, 1000).u
    assert 0 <= u.min() < 0.01
    assert 0.99 < u.max() <= 1
    p = problem("IndRNN", {"activation": "tanh"}, B=4)
    _, _, tape = p.cell.forward(p.xs, p.state)
    _, (dh,), _ = p.cell.backward(None, tape, (np.eye(4),))  # row j: the gradient of unit j, of sequence j
    assert ((dh != 0) == np.eye(4, dtype=bool)).all()


# -- echo state


def test_init_of_an_echo_state(rng):
    options = {"spectral_radius": 0.7, "input_scale": 0.2, "bias_scale": 0.1, "sparsity": 0.8}
    cell = EchoState.init(rng, 30, 100, **options, dtype=np.float64)
    assert np.abs(np.linalg.eigvals(cell.U)).max() == pytest.approx(0.7)
    assert np.count_nonzero(cell.U) == 2000
    assert 0.19 < np.abs(cell.W).max() <= 0.2
    assert 0.09 < np.abs(cell.b).max() <= 0.1
    assert (EchoState.init(rng, 3, 4).b == 0).all()


def test_an_echo_state_forgets_where_it_started(rng):
    cell = EchoState.init(rng, 3, 50, spectral_radius=0.8, leak_rate=0.5, dtype=np.float64)
    xs = rng.standard_normal((300, 1, 3))
    ends = [cell.forward(xs, (rng.standard_normal((1, 50)),))[0][-1] for _ in range(2)]
    assert_close(*ends, rtol=0, atol=1e-9)


def test_nothing_of_an_echo_state_is_trained(rng):
    p = problem("EchoState", {"leak_rate": 0.3})
    assert list(tree.leaves(p.cell)) == []
    grads, dxs, dstate = p.gradient()
    assert list(tree.leaves(grads)) == []
    assert np.abs(dxs).min() > 0
    assert np.abs(dstate[0]).min() > 0
    optimiser = optim.SGD(0.1)
    trained, _ = optimiser.update(p.cell, grads, optimiser.init(p.cell))
    for name in ("W", "U", "b"):
        assert getattr(trained, name) is getattr(p.cell, name)


@pytest.mark.parametrize(
    ("option", "value", "wanted"),
    [
        ("leak_rate", 1.5, "in 0 … 1"),
        ("sparsity", -0.5, "in 0 … 1"),
        ("spectral_radius", -1, "from 0"),
        ("input_scale", -1, "from 0"),
        ("bias_scale", -1, "from 0"),
    ],
)
def test_echo_state_refuses(option, value, wanted, rng):
    with refuses(ValueError, f"{option} must be a finite number {wanted}, received {value}"):
        EchoState.init(rng, 3, 4, **{option: value})
