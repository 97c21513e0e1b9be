"""Losses against torch.nn.functional."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from rnncore.losses import binary_cross_entropy, mean_squared_error, softmax_cross_entropy, valid
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
@every_shape
@pytest.mark.parametrize("scale", [1, 1e4])
def test_binary_cross_entropy(shape, scale, backend, rng):
    logits, targets = np.asarray(scale * rng.standard_normal(shape)), np.asarray(rng.uniform(0, 1, shape))

    def loss(x):
        return functional.binary_cross_entropy_with_logits(x, torch.tensor(targets))

    for t in (targets, np.round(targets)):
        targets = t
        expected = with_gradient(loss, logits)
        assert_close(binary_cross_entropy(*to(backend, (logits, targets))), to(backend, expected), **TIGHT)


@every_backend
def test_a_sure_logit_costs_nothing_or_all_of_itself(backend):
    logits, targets = np.array([1e4, 1e4, -1e4, -1e4, 0.0]), np.array([1.0, 0.0, 0.0, 1.0, 1.0])
    expected = (np.float64((2e4 + np.log(2)) / 5), np.array([0, 1, 0, -1, -0.5]) / 5)
    assert_close(binary_cross_entropy(*to(backend, (logits, targets))), to(backend, expected), **TIGHT)


# -- masks

MASKED = {
    "mean_squared_error": (mean_squared_error, lambda rng: rng.standard_normal((5, 4, 3)), (5, 4, 3)),
    "binary_cross_entropy": (binary_cross_entropy, lambda rng: rng.uniform(0, 1, (5, 4, 3)), (5, 4, 3)),
    "softmax_cross_entropy": (softmax_cross_entropy, lambda rng: rng.integers(0, 3, (5, 4)), (5, 4, 3)),
}
every_loss = pytest.mark.parametrize("name", MASKED)


@every_loss
@every_backend
def test_padding_has_no_part_in_loss_mean_or_gradient(name, backend, rng):
    loss, draw, shape = MASKED[name]
    x, targets, lengths = rng.standard_normal(shape), draw(rng), [3, 0, 5, 1]
    mask = np.arange(5)[:, None] < np.array(lengths)
    value, slope = loss(x[mask], targets[mask])  # what is left when padding is taken out
    expected = np.zeros(shape)
    expected[mask] = slope
    fills = (np.nan, np.inf, 1e300) if targets.dtype == np.float64 else (-1, 99, 3)
    for fill, target in zip((np.nan, np.inf, -np.inf), fills, strict=True):
        x[~mask], targets[~mask] = fill, target
        found = loss(*to(backend, (x, targets)), to(backend, mask))
        assert_close(found, to(backend, (value, expected)), **TIGHT)
    assert_close(valid(lengths, 5, to(backend, x)), to(backend, mask))


@every_loss
def test_a_mask_may_have_fewer_axes_or_none(name, rng):
    loss, draw, shape = MASKED[name]
    x, targets = rng.standard_normal(shape), draw(rng)
    some = np.array([True, False, True, True, False])
    value, slope = loss(x[some], targets[some])
    expected = np.zeros(shape)
    expected[some] = slope
    assert_close(loss(x, targets, some), (value, expected), **TIGHT)
    assert_close(loss(x, targets, np.ones(targets.shape, bool)), loss(x, targets), **TIGHT)
    assert_close(loss(x, targets, np.zeros(5, bool)), (np.float64(0), np.zeros(shape)), rtol=0, atol=0)


@every_loss
def test_masked_gradients_are_those_of_central_differences(name, rng):
    loss, draw, shape = MASKED[name]
    x, targets, mask = rng.standard_normal(shape), draw(rng), rng.random(shape[:2]) < 0.5
    check_gradients(lambda p: loss(p, targets, mask)[0], x, loss(x, targets, mask)[1], rng)


@every_loss
def test_masks_that_do_not_fit_are_refused(name, rng):
    loss, draw, shape = MASKED[name]
    x, targets = rng.standard_normal(shape), draw(rng)
    for mask, error, message in [
        (np.ones((5, 3), bool), ValueError, "mask must have leading axes of (5, 4"),
        (np.ones((4, 5), bool), ValueError, "received (4, 5)"),
        (np.ones((5, 4)), TypeError, "mask must hold truth values, received dtype float64"),
        (np.ones((5, 4), int), TypeError, "mask must hold truth values, received dtype int64"),
        (torch.ones(5, 4, dtype=bool), TypeError, "mask: expected arrays of one library"),
        ([True] * 5, TypeError, "mask: expected arrays of one library"),
    ]:
        with refuses(error, f"{name}: ", message):
            loss(x, targets, mask)
    with refuses(ValueError, "softmax_cross_entropy: targets must lie in 0 … 2, received"):
        softmax_cross_entropy(x, np.full((5, 4), 3), np.eye(5, 4, dtype=bool))
    for steps, lengths in ((5, [6]), (5, [-1]), (5, [1.5])):
        with refuses(ValueError, "valid: "):
            valid(lengths, steps, x)


@every_backend
def test_extreme_logits(backend):
    logits, targets = np.array([[1e4, -1e4, 0.0], [-1e4, 1e4, 1e4]]), np.array([1, 1])
    expected = (np.float64((2e4 + np.log(2)) / 2), np.array([[1.0, -1, 0], [0, -0.5, 0.5]]) / 2)
    assert_close(softmax_cross_entropy(*to(backend, (logits, targets))), to(backend, expected), **TIGHT)


def test_gradients_are_those_of_central_differences(rng):
    x, y, k = rng.standard_normal((5, 3, 4)), rng.standard_normal((5, 3, 4)), rng.integers(0, 4, (5, 3))
    check_gradients(lambda p: mean_squared_error(p, y)[0], x, mean_squared_error(x, y)[1], rng)
    check_gradients(lambda p: softmax_cross_entropy(p, k)[0], x, softmax_cross_entropy(x, k)[1], rng)
    t = rng.uniform(0, 1, x.shape)
    check_gradients(lambda p: binary_cross_entropy(p, t)[0], x, binary_cross_entropy(x, t)[1], rng)


@every_backend
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0,)])
def test_of_nothing_the_loss_is_zero(shape, backend):
    x, k = np.zeros((*shape, 4)), np.zeros(shape, int)
    for loss, targets in ((mean_squared_error, x), (softmax_cross_entropy, k), (binary_cross_entropy, x)):
        assert_close(loss(*to(backend, (x, targets))), to(backend, (np.float64(0), x)), rtol=0, atol=0)


def test_float32_stays_float32(rng):
    x, k = rng.standard_normal((5, 4)).astype(np.float32), rng.integers(0, 4, 5)
    for loss, targets in ((mean_squared_error, x[::-1]), (softmax_cross_entropy, k), (binary_cross_entropy, 0 * x)):
        assert [a.dtype for a in loss(x, targets, np.arange(5) < 3)] == [np.float32, np.float32]
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


def test_binary_cross_entropy_refuses():
    x = np.zeros((5, 3))
    for targets, error, message in [
        (x + 1.5, ValueError, "targets must lie in [0, 1]"),
        (x - 0.5, ValueError, "targets must lie in [0, 1]"),
        (x * np.nan, ValueError, "targets must lie in [0, 1]"),
        (x[0], ValueError, "targets must have shape (5, 3), received (3,)"),
        (x.astype(int), TypeError, "targets has dtype int64, but float64 was wanted"),
    ]:
        with refuses(error, f"binary_cross_entropy: {message}"):
            binary_cross_entropy(x, targets)


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
