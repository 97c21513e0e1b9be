"""Losses against torch.nn.functional."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from rnncore.losses import mean_squared_error, softmax_cross_entropy
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, refuses, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_shape = pytest.mark.parametrize("shape", [(), (3,), (5, 3), (5, 3, 2)])
TIGHT = {"rtol": 1e-12, "atol": 1e-14}


def with_gradient(loss, prediction):
    """The value of a torch loss and its gradient, as NumPy arrays."""
    x = torch.tensor(prediction, requires_grad=True)
    value = loss(x)
    value.backward()
    return value.detach().numpy()[()], x.grad.numpy()


@every_backend
@every_shape
def test_mean_squared_error(shape, backend, rng):
    predictions, targets = np.asarray(rng.standard_normal(shape)), np.asarray(rng.standard_normal(shape))
    expected = with_gradient(lambda x: functional.mse_loss(x, torch.tensor(targets)), predictions)
    assert_close(mean_squared_error(*to(backend, (predictions, targets))), to(backend, expected), **TIGHT)


@every_backend
@every_shape
@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
def test_softmax_cross_entropy(shape, scale, dtype, backend, rng):
    logits, targets = scale * rng.standard_normal((*shape, 4)), np.asarray(rng.integers(0, 4, shape)).astype(dtype)

    def loss(x):
        return functional.cross_entropy(x.reshape(-1, 4), torch.tensor(targets).reshape(-1).long())

    expected = with_gradient(loss, logits)
    assert_close(softmax_cross_entropy(*to(backend, (logits, targets))), to(backend, expected), **TIGHT)


@every_backend
def test_extreme_logits(backend):
    logits, targets = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]), np.array([1, 1])
    expected = (np.float64((2e4 + np.log(2)) / 2), np.array([[1.0, -1, 0], [0, -0.5, 0.5]]) / 2)
    assert_close(softmax_cross_entropy(*to(backend, (logits, targets))), to(backend, expected), **TIGHT)


def test_gradients_are_those_of_central_differences(rng):
    x, y, k = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 3, 4)), rng.integers(0, 4, (5, 3))
    check_gradients(lambda p: mean_squared_error(p, y)[0], x, mean_squared_error(x, y)[1], rng)
    check_gradients(lambda p: softmax_cross_entropy(p, k)[0], x, softmax_cross_entropy(x, k)[1], rng)


@every_backend
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_of_nothing_the_loss_is_zero(shape, backend):
    x, k = np.zeros((*shape, 4)), np.zeros(shape, int)
    for loss, targets in ((mean_squared_error, x), (softmax_cross_entropy, k)):
        assert_close(loss(*to(backend, (x, targets))), to(backend, (np.float64(0), x)), rtol=0, atol=0)


def test_float32_stays_float32(rng):
    x, k = rng.standard_normal((5, 4)).astype(np.float32), rng.integers(0, 4, 5)
    for loss, targets in ((mean_squared_error, x[::-1]), (softmax_cross_entropy, k)):
        assert [a.dtype for a in loss(x, targets)] == [np.float32, np.float32]


def test_mean_squared_error_refuses():
    x = np.zeros((5, 3))
    for prediction, targets, error, message in [
        (x, x[:, :1], ValueError, "targets must have shape (5, 3), received (5, 1)"),
        (x, x.tolist(), TypeError, "targets must be an array of shape (5, 3), received a list"),
        (x, np.float32(x), TypeError, "targets has dtype float32, but float64 was wanted"),
        (x, torch.tensor(x), TypeError, "targets is an array of torch, but numpy was wanted"),
        (x.tolist(), x, TypeError, "predictions must be an array, received a list"),
        (x.astype(int), x.astype(int), TypeError, "predictions must hold floating-point numbers, received dtype int"),
    ]:
        with refuses(error, f"mean_squared_error: {message}"):
            mean_squared_error(prediction, targets)


def test_softmax_cross_entropy_refuses():
    x, k = np.zeros((5, 3, 4)), np.zeros((5, 3), int)
    for logits, targets, error, message in [
        (x, k + 4, ValueError, "targets must lie in 0 … 3, received 4 … 4"),
        (x, k - 1, ValueError, "targets must lie in 0 … 3, received -1 … -1"),
        (x, k.astype(float), TypeError, "targets must be whole numbers, received dtype float64"),
        (x, k.astype(bool), TypeError, "targets must be whole numbers, received dtype bool"),
        (
            x,
            k[:4],
            ValueError,
            "targets must have the shape of logits without its last axis, received logits (5, 3",
        ),
        (x, k[..., None], ValueError, "and targets (5, 3, 1)"),
        (x, k.tolist(), TypeError, "expected arrays of one library"),
        (x, torch.tensor(k), TypeError, "expected arrays of one library"),
        (x.tolist(), k, TypeError, "logits must be an array, received a list"),
        (k[..., None], k, TypeError, "logits must hold floating-point numbers, received dtype int"),
        (np.array(1.0), np.array(0), ValueError, "received logits () and targets ()"),
    ]:
        with refuses(error, "softmax_cross_entropy: ", message):
            softmax_cross_entropy(logits, targets)
