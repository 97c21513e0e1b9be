"""Layer normalisation against torch's, and what it promises."""

import numpy as np
import pytest
import torch

from rnncore.normalisation import check_epsilon, layer_norm, layer_norm_backward
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, refuses, to

SHAPES = [(4,), (3, 5), (2, 3, 7), (6, 1), (0, 4)]


def gradients(dy, gain, cache):
    """Of a, gain and bias, the rows of the latter two summed."""
    da, *rows = layer_norm_backward(dy, gain, cache)
    return da, *(r.reshape(-1, r.shape[-1]).sum(0) for r in rows)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("epsilon", [1e-5, 0.3])
@pytest.mark.parametrize("shape", SHAPES)
def test_it_is_that_of_torch(shape, epsilon, backend, rng):
    a, dy = rng.standard_normal((2, *shape))
    gain, bias = rng.standard_normal((2, shape[-1]))
    ta, tgain, tbias = points = [torch.tensor(v, requires_grad=True) for v in (a, gain, bias)]
    ty = torch.nn.functional.layer_norm(ta, shape[-1:], tgain, tbias, epsilon)
    expected = torch.autograd.grad(ty, points, torch.tensor(dy))
    expected = tuple(value.detach().numpy() for value in (ty, *expected))

    a, gain, bias, dy, expected = to(backend, (a, gain, bias, dy, expected))
    y, cache = layer_norm(a, gain, bias, epsilon)
    assert_close((y, *gradients(dy, gain, cache)), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(shape, rng):
    a, dy = rng.standard_normal((2, *shape))
    gain, bias = rng.standard_normal((2, shape[-1]))

    def loss(point):
        return (layer_norm(*point, 0.1)[0] * dy).sum()

    _, cache = layer_norm(a, gain, bias, 0.1)
    check_gradients(loss, (a, gain, bias), gradients(dy, gain, cache), rng)


def test_values():
    """The row 1 2 3 has mean 2 and variance 2/3; ε = 1/3 makes that one."""
    a, gain, bias = np.array([[1.0, 2.0, 3.0]]), np.array([1.0, 1.0, 2.0]), np.array([0.0, 10.0, 0.0])
    y, _ = layer_norm(a, gain, bias, 1 / 3)
    assert_close(y, np.array([[-1.0, 10.0, 2.0]]))
    assert_close(layer_norm(a, gain, None, 1 / 3)[0], np.array([[-1.0, 0.0, 2.0]]))


@pytest.mark.parametrize("width", [1, 4])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_without_variance_gives_the_bias(width, dtype, rng):
    gain, bias = rng.standard_normal((2, width)).astype(dtype)
    dy = np.ones((3, width), dtype=dtype)
    y, cache = layer_norm(np.full((3, width), 1e4, dtype=dtype), gain, bias, 1e-5)
    assert_close(y, np.broadcast_to(bias, y.shape), rtol=0, atol=0)
    da, dgain, dbias = layer_norm_backward(dy, gain, cache)
    assert_close((dgain, dbias), (0 * dy, dy), rtol=0, atol=0)
    expected = (gain - gain.mean()) / np.sqrt(dtype(1e-5)) * dy  # all that is left of the derivative
    assert_close(da, expected, rtol=1e-5, atol=1e-12 if dtype == np.float64 else 1e-4)


def test_neither_shift_nor_scale_of_a_row_matters(rng):
    a, gain, bias = rng.standard_normal((5, 6)), *rng.standard_normal((2, 6))
    y, _ = layer_norm(a, gain, bias, 1e-12)
    assert_close(layer_norm(3 * a + 7, gain, bias, 9e-12)[0], y)


@pytest.mark.parametrize("epsilon", [0, 0.0, -1e-5, np.nan, np.inf, "1", None, 1j])
def test_epsilon_is_positive(epsilon):
    with refuses(ValueError, f"LayerNorm: epsilon must be a positive number, received {epsilon!r}"):
        check_epsilon("LayerNorm", epsilon)
    assert type(check_epsilon("LayerNorm", np.float64(1e-5))) is float
