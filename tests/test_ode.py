"""What the cells that are steps of a differential equation promise: stability, limits, time."""

import dataclasses

import numpy as np
import pytest
import torch

from rnncore import CELLS, LTC, CfC, CfCPure, CoRNN, LTCSynapse, tree
from rnncore.backend import sigmoid, softplus
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, problem, refuses
from tests.oracles.ode import cfc_of_ncps, lem_module
from tests.test_oracles import ROUNDING, compare

ANTISYMMETRIC = ["AntisymmetricRNN", "GatedAntisymmetricRNN"]
TIMED = ["LTC", "LTCSynapse", "CfC", "CfCNoGate", "CfCPure"]
OPTIONS = {
    "AntisymmetricRNN": ["epsilon", "gamma"],
    "GatedAntisymmetricRNN": ["epsilon", "gamma"],
    "CoRNN": ["dt", "gamma", "epsilon"],
    "UnICORNN": ["dt", "alpha"],
    "LEM": ["dt"],
}
every_option = pytest.mark.parametrize(("name", "option"), [(name, o) for name in OPTIONS for o in OPTIONS[name]])


# -- options


@every_option
@pytest.mark.parametrize("value", [-0.1, np.nan, np.inf, "1", None])
def test_an_option_that_is_no_number_from_zero_is_refused(name, option, value, rng):
    with refuses(ValueError, f"{name}: {option} must be a finite number from 0, received {value!r}"):
        CELLS[name].init(rng, 3, 4, **{option: value})


@every_option
def test_an_option_matters_and_does_not_widen(name, option):
    p = problem(name)
    other = dataclasses.replace(p.cell, **{option: np.float64(0.7)})
    assert np.abs(p.cell.forward(p.xs, p.state)[0] - other.forward(p.xs, p.state)[0]).max() > 1e-3
    narrow, xs, state = tree.convert(np.float32, (other, p.xs, p.state))
    assert narrow.forward(xs, state)[0].dtype == np.float32


@pytest.mark.parametrize("unfolds", [0, -1, 1.5, True, None])
@pytest.mark.parametrize("name", ["LTC", "LTCSynapse"])
def test_unfolds_that_are_no_number_of_steps_are_refused(name, unfolds, rng):
    with refuses(ValueError, f"{name}: unfolds must be an integer from 1, received {unfolds!r}"):
        CELLS[name].init(rng, 3, 4, unfolds=unfolds)


# -- antisymmetric networks


@pytest.mark.parametrize("name", ANTISYMMETRIC)
def test_eigenvalues_lie_at_minus_gamma(name):
    cell = problem(name, {"gamma": 0.3}, H=5).cell
    M = cell.effective().U
    assert_close(np.linalg.eigvals(M).real, np.full(5, -0.3))
    assert np.abs(np.linalg.eigvals(M).imag).max() > 0.5


@pytest.mark.parametrize("name", ANTISYMMETRIC)
def test_a_first_step_does_not_grow(name, rng):
    for hidden_size in (1, 2, 7, 50):
        cell = CELLS[name].init(rng, 3, hidden_size, dtype=np.float64)
        assert np.linalg.norm(np.eye(hidden_size) + cell.epsilon * cell.effective().U, 2) <= 1


@pytest.mark.parametrize("name", ANTISYMMETRIC)
def test_a_strictly_triangular_matrix_is_enough(name):
    p = problem(name)
    triangular = dataclasses.replace(p.cell, U=np.triu(p.cell.U - p.cell.U.T, 1))
    assert_close(triangular.forward(p.xs, p.state)[:2], p.cell.forward(p.xs, p.state)[:2])
    grads = p.gradient()[0]
    assert_close(grads.U, -grads.U.T, rtol=0, atol=0)


# -- oscillators


def test_cornn_with_implicit_damping():
    p = problem("CoRNN", {"implicit": True})
    check_gradients(p.loss, p.point, p.gradient(), np.random.default_rng(0))
    cell, x, (y, z) = p.cell, p.xs[0], p.state
    (y_new, z_new), _ = cell.step(x, p.state)
    force = np.tanh(x @ cell.W + y @ cell.U + z @ cell.U_z + cell.b) - cell.gamma * y
    assert_close(z_new - z, cell.dt * (force - cell.epsilon * z_new), **ROUNDING)
    assert_close(y_new - y, cell.dt * z_new, **ROUNDING)


@pytest.mark.parametrize("implicit", [False, True])
def test_cornn_approaches_a_damped_oscillator(implicit):
    """Without input and weights: y'' = -γ y - ε y', from y = 1 at rest; the error is of first order in Δt."""
    gamma, epsilon, time = 4.0, 1.0, 2.0
    omega = np.sqrt(gamma - epsilon**2 / 4)
    exact = np.exp(-epsilon * time / 2) * (np.cos(omega * time) + epsilon / 2 / omega * np.sin(omega * time))
    errors = []
    for steps in (1000, 2000):
        zeros = np.zeros((1, 1))
        cell = CoRNN(zeros, zeros, zeros[0], zeros, time / steps, gamma, epsilon, implicit)
        _, (y, _), _ = cell.forward(np.zeros((steps, 1, 1)), (zeros + 1, zeros))
        errors.append(abs(y[0, 0] - exact))
    assert errors[0] < 5e-3
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_unicornn_can_be_undone():
    p = problem("UnICORNN", T=20)
    cell = p.cell
    _, (y, z), _ = cell.forward(p.xs, p.state)
    step = cell.dt * sigmoid(cell.c)
    for x in p.xs[::-1]:
        y = y - step * z
        z = z + step * (np.tanh(x @ cell.W + cell.w * y + cell.b) + cell.alpha * y)
    assert_close((y, z), p.state, rtol=1e-9, atol=1e-9)


def test_lem_of_torchrecurrent_takes_the_old_z():
    p = problem("LEM", backend="torch-cpu")
    x, (y, z) = p.xs[0], p.state
    theirs, their_z = (a.detach() for a in lem_module(p.cell)(x, (y, z)))
    (ours, our_z), _ = p.cell.step(x, (y, z))
    assert_close(their_z, our_z, **ROUNDING)
    assert (theirs - ours).abs().max() > 0.1
    closed = tree.map(torch.clone, p.cell)
    closed.W[:, :4], closed.U[:, :4], closed.b[:4] = 0, 0, -1e3  # the gate of z: it stays as it was
    assert_close(theirs, closed.step(x, (y, z))[0][0], **ROUNDING)


# -- elapsed time


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", TIMED)
def test_of_a_negative_time_the_magnitude_counts(name, backend):
    p = problem(name, backend=backend)
    sign = np.where(np.arange(4) < 3, 1.0, -1.0)
    mirror = p.xs * (torch.tensor(sign, device=p.xs.device) if backend != "numpy" else sign)
    q = dataclasses.replace(p, xs=mirror)
    assert (p.xs[..., -1] < 0).any()
    assert_close(p.cell.forward(p.xs, p.state)[:2], q.cell.forward(q.xs, q.state)[:2], rtol=0, atol=0)
    grads, dxs, dstate = p.gradient()
    other_grads, other_dxs, other_dstate = q.gradient()
    assert_close((grads, dstate), (other_grads, other_dstate), rtol=0, atol=0)
    assert_close(dxs, other_dxs * (mirror / p.xs), **ROUNDING)


@pytest.mark.parametrize("name", TIMED)
def test_at_no_time_the_gradient_is_that_of_a_little_time(name):
    p = problem(name, T=1)
    p.xs[..., -1] = 0
    later = dataclasses.replace(p, xs=p.xs.copy())
    later.xs[..., -1] = 1e-8
    dt, later_dt = (q.gradient()[1][..., -1] for q in (p, later))
    assert_close(dt, later_dt, rtol=1e-6, atol=1e-6)
    assert np.abs(dt).min() > 1e-3


@pytest.mark.parametrize("name", ["LTC", "LTCSynapse"])
def test_when_no_time_passes_a_liquid_state_stays(name):
    p = problem(name)
    p.xs[..., -1] = 0
    ys, _, _ = p.cell.forward(p.xs, p.state)
    assert_close(ys, np.broadcast_to(p.state[0], ys.shape), rtol=1e-14, atol=0)


def ltc_flow(cell, x, h):
    f = sigmoid(x @ cell.W + h @ cell.U + cell.b)
    return -(softplus(cell.leak) + f) * h + f * cell.A


def ltc_synapse_flow(cell, x, h):
    flow = softplus(cell.leak) * (cell.rest - h)
    for v, w, mu, sigma, E in (
        (x, cell.W, cell.mu_x, cell.sigma_x, cell.E_x),
        (h, cell.U, cell.mu, cell.sigma, cell.E),
    ):
        conductance = softplus(w) * sigmoid(sigma * (v[:, :, None] - mu))
        flow = flow + (conductance * (E - h[:, None, :])).sum(axis=1)
    return flow / softplus(cell.capacity)


@pytest.mark.parametrize(("name", "flow"), [("LTC", ltc_flow), ("LTCSynapse", ltc_synapse_flow)])
def test_a_liquid_cell_approaches_the_solution_of_its_equation(name, flow):
    """Against 200 steps of Runge-Kutta's fourth order; the error of K steps is of first order in 1 / K."""
    p = problem(name)
    p.xs[..., -1] = 0.8
    x, h, step = p.xs[0][:, :-1], p.state[0], 0.8 / 200
    for _ in range(200):
        k1 = flow(p.cell, x, h)
        k2 = flow(p.cell, x, h + step / 2 * k1)
        k3 = flow(p.cell, x, h + step / 2 * k2)
        k4 = flow(p.cell, x, h + step * k3)
        h = h + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    errors = []
    for unfolds in (200, 400):
        (found,), _ = dataclasses.replace(p.cell, unfolds=unfolds).step(p.xs[0], p.state)
        errors.append(np.abs(found - h).max())
    assert 1e-6 < errors[0] < 1e-2
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.05)


def test_an_ltc_stays_between_zero_its_target_and_its_start(rng):
    p = problem("LTC", T=30)
    p.xs[..., -1] = 100 * rng.uniform(0, 1, p.xs.shape[:2])
    ys, _, _ = p.cell.forward(p.xs, p.state)
    low, high = np.minimum(p.cell.A, 0), np.maximum(p.cell.A, 0)
    assert (ys >= np.minimum(low, p.state[0])).all()
    assert (ys <= np.maximum(high, p.state[0])).all()


def test_initial_values_of_liquid_cells(rng):
    cell = LTC.init(rng, 3, 200, dtype=np.float64)
    assert_close(softplus(cell.leak), np.ones(200))
    assert set(cell.A) == {-1, 1}
    cell = LTCSynapse.init(rng, 3, 200, dtype=np.float64)
    ranges = {"leak": (0.001, 1), "rest": (-0.2, 0.2), "capacity": (0.4, 0.6), "W": (0.001, 1), "U": (0.001, 1)}
    ranges |= {"mu": (0.3, 0.8), "mu_x": (0.3, 0.8), "sigma": (3, 8), "sigma_x": (3, 8)}
    for name, (low, high) in ranges.items():
        values = getattr(cell.effective(), name)
        assert low <= values.min() < low + 0.05 * (high - low), name
        assert high >= values.max() > high - 0.05 * (high - low), name
    assert set(cell.E.ravel()) == {-1, 1}
    assert np.mean(cell.E == 1) == pytest.approx(2 / 3, abs=5 * np.sqrt(2 / 9 / cell.E.size))


# -- closed forms


MODES = {"CfC": "default", "CfCNoGate": "no_gate", "CfCPure": "pure"}


@pytest.mark.parametrize("units", [2, 7])
@pytest.mark.parametrize("layers", [0, 1, 2, 3])
@pytest.mark.parametrize("name", MODES)
def test_any_backbone_is_that_of_ncps(name, layers, units):
    p = problem(name, {"backbone_units": units, "backbone_layers": layers}, backend="torch-cpu")
    assert len(p.cell.V) == len(p.cell.c) == layers
    point = (), *tree.map(lambda a: a.clone().requires_grad_(), p.point[1:])
    expected = compare(p, cfc_of_ncps(MODES[name], p.cell), point)
    grads, *rest = p.gradient()
    assert_close(rest, list(expected[1:]), **ROUNDING)
    check_gradients(p.loss, p.point, p.gradient(), np.random.default_rng(0))
    assert len(grads.V) == len(grads.c) == layers


def test_the_time_constants_of_a_pure_closed_form_leave_zero(rng):
    cell = CfCPure.init(rng, 3, 4, dtype=np.float64)
    assert_close((cell.w_tau, cell.A), (np.zeros(4), np.ones(4)), rtol=0, atol=0)
    ys, _, tape = cell.forward(np.abs(rng.standard_normal((5, 2, 4))))
    assert (cell.backward(np.ones_like(ys), tape)[2].w_tau != 0).all()


@pytest.mark.parametrize("name", MODES)
def test_a_backbone_that_does_not_fit_is_refused(name, rng):
    heads = 1 if name == "CfCPure" else 4
    cell = CELLS[name].init(rng, 3, 5, backbone_units=7, backbone_layers=2, dtype=np.float64)
    with refuses(ValueError, f"{name}: c must have one bias for each of the 2 in V, has 1"):
        dataclasses.replace(cell, c=cell.c[:1])
    with refuses(ValueError, f"{name}: V[1] must have shape (7, {heads * 5}), received (7, 3)"):
        dataclasses.replace(cell, V=(cell.V[0], np.ones((7, 3))), c=(cell.c[0], np.ones(3)))
    with refuses(ValueError, f"{name}: V[1] must have shape (7, K), received (6, 20)"):
        dataclasses.replace(cell, V=(cell.V[0], np.ones((6, 20))))
    bare = CELLS[name].init(rng, 3, 5, backbone_layers=0, dtype=np.float64)
    with refuses(ValueError, f"{name}: W must have shape (3, {heads * 5}), received (3, 2)"):
        dataclasses.replace(bare, W=np.ones((3, 2)), b=np.ones(2), U=np.ones((5, 2)))
    for layers in (-1, 1.5, None):
        with refuses(ValueError, f"{name}: backbone_layers must be an integer from 0, received {layers!r}"):
            CELLS[name].init(rng, 3, 5, backbone_layers=layers)


def test_cfc_goes_from_one_head_to_the_other(rng):
    """With a positive weight of time and no bias: halfway at no time, at the second head after much."""
    n = 4
    cell = CfC.init(rng, 3, n, backbone_layers=0, dtype=np.float64)
    b = np.concatenate([rng.standard_normal(2 * n), np.ones(n), np.zeros(n)])
    cell = dataclasses.replace(cell, W=0 * cell.W, U=0 * cell.U, b=b)
    first, second = np.tanh(b[:n]), np.tanh(b[n : 2 * n])
    for time, expected in ((0, (first + second) / 2), (1e3, second)):
        (h,), _ = cell.step(np.array([[0.0, 0.0, 0.0, time]]), (np.zeros((1, n)),))
        assert_close(h, expected[None])
