"""The proof's own tools must be able to fail."""

import math

import numpy as np
import pytest
import torch

from rnncore.testing import assert_close, check_gradients, check_shapes, directional_error
from tests.conftest import BACKENDS, refuses, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)


def cubic(p):
    return (p["a"] ** 3).sum() + (p["a"][0] * p["b"]).sum()


def cubic_gradient(p):
    da = 3 * p["a"] ** 2
    da[0] += p["b"].sum()
    return {"a": da, "b": p["a"][0] + 0 * p["b"]}


@every_backend
def test_check_gradients(backend, rng):
    point = to(backend, {"a": rng.standard_normal(3), "b": rng.standard_normal((2, 2))})
    gradient = cubic_gradient(point)
    check_gradients(cubic, point, gradient, rng)
    for key in gradient:
        wrong = dict(gradient)
        wrong[key] = wrong[key] * (1 + 1e-5)
        with refuses(AssertionError, "direction 0: differences give", "the gradient", f"differs by itself: {key}"):
            check_gradients(cubic, point, wrong, rng)
    with refuses(AssertionError, "direction 0"):
        check_gradients(cubic, point, {k: v * math.nan for k, v in gradient.items()}, rng)
    with refuses(AssertionError, "received leaves ['a'], wanted ['a', 'b']"):
        check_gradients(cubic, point, {"a": gradient["a"]}, rng)


def test_keys_may_come_in_another_order(rng):
    point = {"a": rng.standard_normal(3), "b": rng.standard_normal(3)}
    gradient = cubic_gradient(point)
    turned = {key: gradient[key] for key in ("b", "a")}
    check_gradients(cubic, point, turned, rng)
    assert_close(turned, gradient)


def test_directional_error_is_exact_for_linear_functions(rng):
    v = rng.standard_normal(4)
    numeric, exact = directional_error(lambda p: p @ v, np.zeros(4), v, rng)
    assert numeric == pytest.approx(exact, rel=1e-12)
    assert directional_error(lambda p: 0.0, (), (), rng) == (0, 0)


def test_check_shapes():
    check_shapes({"a": np.zeros((2, 3))}, {"a": np.ones((2, 3))})
    for actual, expected, message in [
        (np.zeros(2), np.zeros(3), "array has shape (2,) and dtype float64, wanted (3,) and float64"),
        ((np.zeros(2),), (np.zeros(2, np.float32),), "0 has shape (2,) and dtype float64, wanted (2,) and float32"),
        (torch.zeros(2), np.zeros(2), "array has shape (2,) and dtype torch.float32, wanted (2,) and float64"),
        ((np.zeros(2),), (), "received leaves ['0'], wanted []"),
        (None, np.zeros(2), "array is a NoneType, wanted an array"),
        ((1.0,), (np.zeros(()),), "0 is a float, wanted an array"),
    ]:
        with refuses(AssertionError, message):
            check_shapes(actual, expected)


@every_backend
def test_assert_close(backend):
    a = np.array([[1.0, 2.0], [3.0, math.inf]])
    assert_close(to(backend, a), to(backend, a))
    assert_close(to(backend, a + 0.009), to(backend, a), rtol=0, atol=0.01)
    assert_close(to(backend, a * 1.009), to(backend, a), rtol=0.01, atol=0)
    for wrong, at in [
        ([[1, 2], [3.1, math.inf]], "(1, 0)"),
        ([[1, math.nan], [3, math.inf]], "(0, 1)"),
        ([[1, 2], [3, -math.inf]], "(1, 1)"),
        ([[1, 2], [3, 4]], "(1, 1)"),
    ]:
        with refuses(AssertionError, f"0.x differs at 1 of 4 elements, first at {at}: "):
            assert_close([{"x": to(backend, np.array(wrong, dtype=float))}], [{"x": to(backend, a)}])
    with refuses(AssertionError, "first at (0,)"):
        assert_close(to(backend, np.array([math.nan])), to(backend, np.array([math.nan])))


def test_integers_and_truth_values():
    assert_close(np.array([1, 2], np.uint8), np.array([1, 2], np.uint8))
    for one, other in (([1, 2], [2, 1]), ([True, False], [True, True])):
        with refuses(AssertionError, "differs at"):
            assert_close(np.array(one), np.array(other))
