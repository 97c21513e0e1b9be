"""Functions of matrices, against torch's and against what defines them."""

import math

import numpy as np
import pytest
import torch

from rnncore.linalg import expm, expm_backward
from rnncore.testing import assert_close
from tests.conftest import BACKENDS, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)


def matrices(rng):
    """Of any norm, so with and without squarings; defective, antisymmetric and zero ones among them."""
    for scale in (0, 1e-9, 0.1, 0.5, 1, 3, 10):
        for n in (1, 2, 5, 20):
            yield scale * rng.standard_normal((n, n)) / math.sqrt(n)
    yield np.triu(np.ones((4, 4)), 1)
    yield np.array([[0.0, 30.0], [-30.0, 0.0]])
    yield np.array([[-200.0, 0.0], [0.0, 3.0]])


@every_backend
def test_expm_and_its_derivative_are_those_of_torch(backend, rng):
    for a in matrices(rng):
        dy = rng.standard_normal(a.shape)
        point = torch.tensor(a, requires_grad=True)
        expected = torch.linalg.matrix_exp(point)
        (expected * torch.tensor(dy)).sum().backward()
        y, cache = expm(to(backend, a))
        size = float(expected.detach().abs().max())
        assert_close(y / size, to(backend, expected.detach().numpy() / size), rtol=1e-12, atol=1e-13)
        dx, expected = expm_backward(to(backend, dy), cache), point.grad.numpy()
        size = np.abs(expected).max()
        assert_close(dx / size, to(backend, expected / size), rtol=1e-11, atol=1e-12)


def test_expm_of_known_matrices():
    nilpotent = np.array([[0.0, 2.0, 0.0], [0.0, 0.0, 3.0], [0.0, 0.0, 0.0]])
    assert_close(expm(nilpotent)[0], [[1, 2, 3], [0, 1, 3], [0, 0, 1]] * np.ones(1), atol=1e-14)
    turn = np.array([[0.0, -1.0], [1.0, 0.0]])
    for angle in (0.1, 1.0, math.pi, 100.0):
        expected = math.cos(angle) * np.eye(2) + math.sin(angle) * turn
        assert_close(expm(angle * turn)[0], expected, rtol=0, atol=1e-13)
    assert_close(expm(np.zeros((3, 3)))[0], np.eye(3), rtol=0, atol=0)
    assert_close(expm(np.array([[2.0]]))[0], np.array([[math.e**2]]), rtol=1e-15)


@pytest.mark.parametrize(("dtype", "rounding"), [(np.float64, 1e-15), (np.float32, 1e-6)])
def test_expm_of_an_antisymmetric_matrix_is_orthogonal(dtype, rounding, rng):
    """Each squaring doubles the rounding error."""
    for scale in (0.01, 1, 30):
        a = scale * rng.standard_normal((40, 40))
        u, cache = expm((a - a.T).astype(dtype))
        assert u.dtype == dtype
        assert np.abs(u.T @ u - np.eye(40)).max() < 5 * rounding * max(1, np.abs(a - a.T).sum(axis=0).max())
        assert expm_backward(u, cache).dtype == dtype


def test_expm_lets_nan_through():
    y, cache = expm(np.array([[np.nan, 1.0], [0.0, 1.0]]))
    assert np.isnan(y).all()
    assert np.isnan(expm_backward(np.ones((2, 2)), cache)).any()
