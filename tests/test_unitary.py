"""What unitary cells promise: matrices that keep norms, states and gradients that neither vanish nor explode."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from rnncore import CELLS, EUNN, ExpRNN, UnitaryRNN, tree
from rnncore.activations import mod_relu, mod_relu_backward
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, problem, refuses, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)
CASES = [("ExpRNN", {}), ("UnitaryRNN", {}), ("EUNN", {}), ("EUNN", {"layers": 7})]
every_case = pytest.mark.parametrize(("name", "options"), CASES, ids=str)


# -- the matrix


@every_backend
@every_case
def test_the_matrix_is_orthogonal(name, options, backend):
    for H in (1, 2, 3, 4, 5, 40):
        cell = problem(name, options, H=H, backend=backend).cell
        U = np.asarray(cell.matrix().cpu() if backend != "numpy" else cell.matrix())
        assert U.shape == (cell.parts * H, cell.parts * H)
        assert_close(U.T @ U, np.eye(len(U)), rtol=0, atol=1e-13)
        assert_close(U @ U.T, np.eye(len(U)), rtol=0, atol=1e-13)


@every_case
def test_the_matrix_of_a_new_cell_is_orthogonal_in_float32(name, options, rng):
    for H in (1, 4, 100):
        U = CELLS[name].init(rng, 3, H, **options).matrix()
        assert U.dtype == np.float32
        assert np.abs(U.T @ U - np.eye(len(U))).max() < 3e-6


@pytest.mark.parametrize(("name", "options"), CASES[1:], ids=str)
def test_complex_matrices_are_complex(name, options, rng):
    """Multiplying by i before is multiplying by i after."""
    H = 5
    U = problem(name, options, H=H).cell.matrix()
    i = np.block([[np.zeros((H, H)), np.eye(H)], [-np.eye(H), np.zeros((H, H))]])
    assert_close(i @ U, U @ i, rtol=0, atol=1e-14)


def test_exp_rnn_turns(rng):
    """Its determinant is 1, whatever A; a new cell turns units in pairs, by the angles that stand in A."""
    for H in (1, 2, 5):
        assert np.linalg.det(problem("ExpRNN", H=H).cell.matrix()) == pytest.approx(1)
    for angles, low, high in (("cayley", -1, 0), ("henaff", -math.pi, math.pi)):
        cell = ExpRNN.init(rng, 3, 201, angles=angles, dtype=np.float64)
        s = np.diag(cell.A, 1)[::2]
        assert low < s.min() < 0.9 * low + 0.1 * high
        assert 0.1 * low + 0.9 * high < s.max() < high
        U = cell.matrix()
        assert_close((U[0, 0], U[0, 1], U[1, 0]), (np.cos(s[0]), np.sin(s[0]), -np.sin(s[0])), rtol=0, atol=1e-14)
        assert_close(np.sort(np.angle(np.linalg.eigvals(U))), np.sort([*s, *-s, 0]), rtol=0, atol=1e-13)
    u = 2 * np.arctan(-s[s < 0])  # the square root in its docstring is a tangent
    assert_close(s[s < 0], -np.sqrt((1 - np.cos(u)) / (1 + np.cos(u))))
    with refuses(ValueError, "ExpRNN: angles must be one of cayley, henaff, received 'hennaf'"):
        ExpRNN.init(rng, 3, 4, angles="hennaf")


def test_exp_rnn_sees_the_antisymmetric_part_alone(rng):
    p = problem("ExpRNN")
    symmetric = p.cell.A + p.cell.A.T
    shifted = dataclasses.replace(p.cell, A=p.cell.A + symmetric)
    assert_close(shifted.matrix(), p.cell.matrix(), rtol=0, atol=1e-14)
    dA = p.gradient()[0].A
    assert_close(dA, -dA.T, rtol=0, atol=0)


def test_numbers_of_parameters(rng):
    """7 H for the uRNN's matrix, and for an EUNN of H layers H²: as many as all unitary matrices need."""
    for H in (1, 2, 5, 6):
        cell = UnitaryRNN.init(rng, 3, H)
        assert cell.theta.size + cell.v.size == 7 * H
        assert_close(np.sort(cell.P, axis=0), np.sort(np.eye(H, dtype=np.float32), axis=0), rtol=0, atol=0)
        cell = EUNN.init(rng, 3, H, layers=H)
        assert cell.theta.size + cell.phi.size + cell.omega.size == H**2


def test_an_eunn_of_two_layers_by_hand():
    """F_1 F_2 of three units, without phases: first 2 and 3 are turned, then 1 and 2."""
    c, s = math.cos(0.3), math.sin(0.3)
    cell = EUNN(np.zeros((1, 6)), np.zeros(3), np.array([0.3, math.pi / 2]), np.zeros(2), np.zeros(3))
    expected = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]])
    assert_close(cell.matrix()[:3, :3].T, expected, rtol=0, atol=1e-15)
    assert_close(cell.matrix()[:3, 3:], np.zeros((3, 3)), rtol=0, atol=0)


@pytest.mark.parametrize("layers", [0, -1, 2.5, True])
def test_eunn_refuses(layers, rng):
    with refuses(ValueError, f"EUNN: layers must be an integer from 1, received {layers!r}"):
        EUNN.init(rng, 3, 4, layers=layers)


# -- states and gradients


@every_case
def test_norms_stay_over_500_steps(name, options, rng):
    """Without input and with b = 0, modReLU is the identity: state and gradient are turned, and no more."""
    cell = CELLS[name].init(rng, 3, 20, dtype=np.float64, **options)
    N = cell.state_shapes[0][0]
    state, dstate = (rng.standard_normal((2, N)),), (rng.standard_normal((2, N)),)
    ys, _, tape = cell.forward(np.zeros((500, 2, 3)), state)
    dxs, dinitial, _ = cell.backward(None, tape, dstate)
    for norm, first in [(np.linalg.norm(ys, axis=-1), state), (np.linalg.norm(dinitial[0], axis=-1), dstate)]:
        assert_close(norm, np.linalg.norm(first[0], axis=-1) + 0 * norm, rtol=1e-12)
    assert_close(dxs[0], dinitial[0] @ cell.matrix() @ cell.W.T)
    assert np.abs(ys[-1] - state[0]).max() > 0.1  # it did turn


@every_case
def test_gradients_of_the_first_input_do_not_vanish(name, options, rng):
    """With inputs as well: at b = 0 the gradient of the state is turned through all 500 steps."""
    cell = CELLS[name].init(rng, 3, 20, dtype=np.float64, **options)
    xs, dstate = rng.standard_normal((500, 2, 3)), (rng.standard_normal((2, *cell.state_shapes[0])),)
    _, _, tape = cell.forward(xs)
    _, dinitial, _ = cell.backward(None, tape, dstate)
    assert_close(np.linalg.norm(dinitial[0], axis=-1), np.linalg.norm(dstate[0], axis=-1), rtol=1e-12)


def test_the_hooks_of_a_unitary_cell_are_those_of_its_effective_one():
    p = problem("UnitaryRNN", T=1)
    projected = p.cell.project(p.xs[0])
    state, cache = p.cell.advance(projected, p.state)
    dprojected, dstate, residue = p.cell.retreat(p.dstate, cache)
    dx, grads = p.cell.gradients(p.xs[0], dprojected, [residue])
    same, step_cache = p.cell.step(p.xs[0], p.state)
    assert_close((state, (dx, dstate, grads)), (same, p.cell.step_backward(p.dstate, step_cache)), rtol=0, atol=0)


# -- modReLU


@every_backend
def test_mod_relu_values(backend):
    cases = [  # z, b, y
        (3 + 4j, -1, 2.4 + 3.2j),
        (3 + 4j, 5, 6 + 8j),
        (3 + 4j, -5.5, 0),
        (-2, 0.5, -2.5),
        (-2, -0.5, -1.5),
        (0.3j, 0, 0.3j),
        (0, 0, 0),
        (0, 1, 0),
        (0, -1, 0),
    ]
    z, b, y = (np.array(column) for column in zip(*cases, strict=True))
    z, y = (np.stack([a.real, a.imag])[None].astype(float) for a in (z, y))
    actual, _ = mod_relu(to(backend, z), to(backend, b.astype(float)))
    assert_close(actual, to(backend, y), rtol=1e-15, atol=1e-15)


@every_backend
@pytest.mark.parametrize("parts", [1, 2])
def test_mod_relu_derivative(backend, parts, rng):
    z, b, dy = rng.standard_normal((6, parts, 9)), rng.standard_normal(9), rng.standard_normal((6, parts, 9))
    z, b, dy = point = to(backend, (z, b, dy))
    dz, db = mod_relu_backward(dy, mod_relu(z, b)[1])
    check_gradients(lambda p: (mod_relu(p[0], p[1])[0] * dy).sum(), (z, b), (dz, db.sum(0)), rng)
    if backend != "numpy":
        z, b, dy = tree.map(lambda a: a.clone().requires_grad_(), point)
        moduli = z.square().sum(1).sqrt()
        (torch.relu(moduli + b)[:, None] * z / moduli[:, None] * dy).sum().backward()
        assert_close((dz, db.sum(0)), (z.grad, b.grad), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("parts", [1, 2])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_mod_relu_at_zero(parts, dtype):
    """No warning and no nan: the identity at b = 0, off below, and above without direction."""
    dy = np.ones((1, parts, 3), dtype)
    for tiny in (0.0, 1e-30, 1e-300):
        y, cache = mod_relu(np.full((1, parts, 3), tiny, dtype), np.array([0, -0.5, 0], dtype))
        assert_close(y, np.array([tiny, 0, tiny], dtype) + 0 * dy, rtol=1e-6, atol=0)
        dz, _ = mod_relu_backward(dy, cache)
        assert_close(dz, np.array([1, 0, 1], dtype) + 0 * dy, rtol=1e-6, atol=0)
        y, cache = mod_relu(np.full((1, parts, 3), tiny, dtype), np.array([1, 2, 1e4], dtype))
        for a in (y, *mod_relu_backward(dy, cache)):
            assert np.isfinite(a).all()
    y, cache = mod_relu(np.zeros((1, parts, 3), dtype), np.array([0, -1, 1], dtype))
    assert_close(mod_relu_backward(dy, cache)[1], np.zeros((1, 3), dtype), rtol=0, atol=0)
