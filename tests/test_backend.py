"""The array library of an array."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncore import backend
from rnncore.testing import assert_close
from tests.conftest import BACKENDS, refuses, to

every_backend = pytest.mark.parametrize("name", BACKENDS)


@every_backend
def test_sigmoid(name):
    x = np.array([[-1e4, -3.0, 0.0], [0.25, 3.0, 1e4]])
    with np.errstate(over="ignore"):
        expected = 1 / (1 + np.exp(-x))
    assert_close(backend.sigmoid(to(name, x)), to(name, expected), rtol=1e-15, atol=1e-16)


@every_backend
def test_softplus(name):
    x = np.array([[-1e4, -40.0, -3.0, 0.0], [0.25, 3.0, 40.0, 1e4]])
    expected = np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
    assert_close(backend.softplus(to(name, x)), to(name, expected), rtol=1e-15, atol=0)


@every_backend
def test_hard_sigmoid(name):
    x = np.array([[-1e8, -2.5, -1.0], [0.0, 2.0, 1e8]])
    expected = np.array([[0.0, 0.0, 0.3], [0.5, 0.9, 1.0]])
    assert_close(backend.hard_sigmoid(to(name, x)), to(name, expected), rtol=1e-15, atol=1e-16)


@every_backend
def test_sign(name):
    x = np.array([-np.inf, -2.0, -0.0, 0.0, 1e-300, 3.0])
    assert_close(backend.sign(to(name, x)), to(name, np.sign(x)), rtol=0, atol=0)


@every_backend
def test_softmax(name, rng):
    x = rng.standard_normal((2, 3, 4))
    for values in (x, 1e4 * x, x[:0], x[..., :1]):
        logarithms = torch.log_softmax(torch.tensor(values), dim=-1).numpy()
        assert_close(backend.log_softmax(to(name, values)), to(name, logarithms), rtol=1e-14, atol=1e-14)
        assert_close(backend.softmax(to(name, values)), to(name, np.exp(logarithms)), rtol=1e-14, atol=1e-14)


@every_backend
@given(parts=st.integers(1, 4), size=st.integers(0, 3), rows=st.integers(0, 3))
def test_split_and_concat_are_inverse(name, parts, size, rows):
    x = np.arange(1.0, 1 + rows * parts * size).reshape(rows, parts * size)
    pieces = backend.split(to(name, x), parts)
    assert [tuple(piece.shape) for piece in pieces] == [(rows, size)] * parts
    for i, piece in enumerate(pieces):
        assert_close(piece, to(name, x[:, i * size : (i + 1) * size]), rtol=0, atol=0)
    assert_close(backend.concat(*pieces), to(name, x), rtol=0, atol=0)


@every_backend
def test_concat_along_the_first_axis_and_take_rows(name):
    x = np.arange(6.0).reshape(3, 2)
    assert_close(backend.concat(*to(name, (x, x[:1])), axis=0), to(name, x[[0, 1, 2, 0]]), rtol=0, atol=0)
    for index in (np.array([2, 0, 2]), np.array([], dtype=np.intp)):
        assert_close(backend.take_rows(to(name, x), index), to(name, x[index]), rtol=0, atol=0)


@every_backend
@given(rows=st.integers(0, 6), count=st.integers(1, 4))
def test_add_rows_is_the_adjoint_of_take_rows(name, rows, count):
    rng = np.random.default_rng(rows)
    index, y, x = (
        rng.integers(0, count, rows),
        rng.integers(-9, 9, (rows, 2)) + 0.0,
        rng.integers(-9, 9, (count, 2)) + 0.0,
    )
    total = backend.add_rows(*to(name, (y, index)), count)
    assert_close(total, to(name, np.array([y[index == k].sum(axis=0) for k in range(count)])), rtol=0, atol=0)
    assert float((total * to(name, x)).sum()) == float((backend.take_rows(to(name, x), index) * to(name, y)).sum())


def test_split_refuses():
    with refuses(ValueError, "split: the last axis of (2, 5) does not divide into 3 equal parts"):
        backend.split(np.zeros((2, 5)), 3)


def test_array_namespace_refuses():
    for arrays in (([1.0],), (np.zeros(1), torch.zeros(1))):
        with refuses(TypeError, "expected arrays of one library (NumPy, torch or JAX), received: "):
            backend.array_namespace(*arrays)


def test_check_array():
    like = np.zeros(1)
    backend.check_array("op", "x", np.zeros((2, 3)), ("B", 3), like)
    for array, error, message in [
        (np.zeros((2, 4)), ValueError, "op: x must have shape (B, 3), received (2, 4)"),
        (np.zeros(3), ValueError, "op: x must have shape (B, 3), received (3,)"),
        ([1], TypeError, "op: x must be an array of shape (B, 3), received a list"),
        (torch.zeros(2, 3), TypeError, "op: x is an array of torch, but numpy was wanted"),
        (np.zeros((2, 3), np.float32), TypeError, "op: x has dtype float32, but float64 was wanted"),
    ]:
        with refuses(error, message):
            backend.check_array("op", "x", array, ("B", 3), like)
    masked = np.ma.masked_array(np.zeros((2, 3)), mask=np.eye(2, 3))
    with refuses(TypeError, "op: x is a masked array, whose mask would be lost; give lengths, or an array"):
        backend.check_array("op", "x", masked, ("B", 3), like)
    with refuses(ValueError, "op: x is on device meta, but cpu was wanted"):
        backend.check_array("op", "x", torch.zeros(2, device="meta"), ("B",), torch.zeros(1))


def test_subclasses_of_arrays_are_arrays(tmp_path):
    class Tensor(torch.Tensor):
        pass

    class Array(np.ndarray):
        pass

    mapped = np.memmap(tmp_path / "x", np.float64, "w+", shape=(2, 3))
    for x, like in (
        (torch.zeros(2, 3).as_subclass(Tensor), torch.zeros(1)),
        (np.zeros((2, 3)).view(Array), np.zeros(1)),
    ):
        backend.check_array("op", "x", x, ("B", 3), like)
        with refuses(ValueError, "op: x must have shape (B, 4), received (2, 3)"):
            backend.check_array("op", "x", x, ("B", 4), like)
    backend.check_array("op", "x", mapped, ("B", 3), np.zeros(1))


def test_check_floating():
    for array in (np.zeros(2), np.float32(0), torch.zeros(2)):
        backend.check_floating("op", "x", array)
    for array in (np.zeros(2, int), torch.zeros(2, dtype=torch.bool), np.zeros(2, complex)):
        with refuses(TypeError, "op: x must hold floating-point numbers, received dtype"):
            backend.check_floating("op", "x", array)
    with refuses(TypeError, "op: x must be an array, received a list"):
        backend.check_floating("op", "x", [1.0])


def test_check_finite():
    for value in (0, 0.5, np.float32(1)):
        number = backend.check_finite("op", "a", value, 0, 1)
        assert type(number) is float
        assert number == value
    assert backend.check_finite("op", "a", 1e9, 0) == 1e9
    for value in (-0.1, 1.1, np.float64(2)):
        with refuses(ValueError, f"op: a must be a finite number in 0 … 1, received {value!r}"):
            backend.check_finite("op", "a", value, 0, 1)
    with refuses(ValueError, "op: a must be a finite number from 0.5, received 0"):
        backend.check_finite("op", "a", 0, 0.5)
    for value in (np.nan, np.inf, "1", None):
        with refuses(ValueError, f"op: a must be a finite number from 0, received {value!r}"):
            backend.check_finite("op", "a", value, 0)


def test_check_whole():
    for value in (3, np.int32(3), np.array(3), torch.tensor(3)):
        assert backend.check_whole("op", "n", value, 3) == 3
    for value in (2, 3.0, np.float64(3), True, np.True_, torch.tensor(True), "3", None, np.nan, [3], np.array([3, 4])):
        with refuses(ValueError, "op: n must be an integer from 3, received "):
            backend.check_whole("op", "n", value, 3)


@every_backend
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (1, 1), (5, 40), (40, 5), (33, 16), (300, 200)])
def test_transposed_and_joined_and_affine(name, shape, rng):
    a = rng.standard_normal(shape)
    b = backend.transposed(to(name, a))
    assert_close(b, to(name, np.ascontiguousarray(a.T)), rtol=0, atol=0)
    assert_close(backend.transposed(b), to(name, a), rtol=0, atol=0)
    assert_close(
        backend.joined(list(to(name, [a, a[:1], a[:0]]))), to(name, np.concatenate([a, a[:1]])), rtol=0, atol=0
    )
    x, shift = rng.standard_normal((2, 3, shape[0])), rng.standard_normal(shape[1])
    assert_close(backend.affine(*to(name, (x, a, shift))), to(name, x @ a + shift), rtol=1e-12, atol=1e-12)
