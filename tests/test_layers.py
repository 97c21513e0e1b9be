"""Layers."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncore import Dense, tree
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, refuses, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)


def dense(rng, H=4, K=3):
    return Dense(rng.standard_normal((H, K)), rng.standard_normal(K))


@every_backend
@pytest.mark.parametrize("leading", [(5,), (5, 2), (2, 3, 2), (0, 2), (3, 0)])
def test_dense_is_torch_linear(leading, backend, rng):
    layer, xs, dys = dense(rng), rng.standard_normal((*leading, 4)), rng.standard_normal((*leading, 3))
    V, c, x = (torch.tensor(a, requires_grad=True) for a in (layer.V, layer.c, xs))
    expected = torch.nn.functional.linear(x, V.T, c)
    expected.backward(torch.tensor(dys))
    layer, xs, dys = to(backend, (layer, xs, dys))
    ys, cache = layer.forward(xs)
    dxs, grads = layer.backward(dys, cache)
    wanted = tree.map(lambda a: a.detach().numpy(), (expected, x.grad, V.grad, c.grad))
    assert_close((ys, dxs, grads.V, grads.c), to(backend, wanted), rtol=1e-12, atol=1e-12)


@given(st.integers(0, 4), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4))
def test_dense_gradients_are_those_of_central_differences(T, B, H, K):
    rng = np.random.default_rng(0)
    layer, xs, dys = dense(rng, H, K), rng.standard_normal((T, B, H)), rng.standard_normal((T, B, K))
    dxs, grads = layer.backward(dys, layer.forward(xs)[1])
    check_gradients(lambda p: (p[0].forward(p[1])[0] * dys).sum(), (layer, xs), (grads, dxs), rng)


def test_dense_init():
    layers = [Dense.init(np.random.default_rng(0), 4, 3) for _ in range(2)]
    assert_close(*layers, rtol=0, atol=0)
    assert layers[0].V.shape == (4, 3)
    assert_close(layers[0].c, np.zeros(3, np.float32))


def test_dense_refuses(rng):
    layer = dense(rng)
    xs = rng.standard_normal((5, 2, 4))
    ys, cache = layer.forward(xs)
    for call, error, message in [
        (lambda: layer.forward(xs[..., :3]), ValueError, "Dense.forward: xs must have shape (N0, N1, 4), received"),
        (lambda: layer.forward(xs[0, 0]), ValueError, "Dense.forward: xs must have shape (N0, 4), received (4,)"),
        (
            lambda: layer.forward(None),
            TypeError,
            "Dense.forward: xs must be an array of shape (N0, 4), received a",
        ),
        (lambda: layer.forward(np.float32(xs)), TypeError, "Dense.forward: xs has dtype float32, but float64"),
        (lambda: layer.backward(ys[:4], cache), ValueError, "Dense.backward: dys must have shape (5, 2, 3), received"),
        (lambda: layer.backward(ys, None), TypeError, "Dense.backward: cache must be an array of shape"),
        (lambda: Dense(layer.V, layer.V), ValueError, "Dense: c must have shape (3,), received (4, 3)"),
        (lambda: Dense(layer.c, layer.c), ValueError, "Dense: V must have shape (H, K), received (3,)"),
        (lambda: Dense(layer.V.astype(int), layer.c), TypeError, "Dense: V must hold floating-point numbers"),
        (lambda: Dense.init(rng, 0, 3), ValueError, "size must be an integer from 1, received 0"),
        (lambda: Dense.init(rng, 3, 4, dtype=np.float16), TypeError, "dtype must be float32 or float64"),
    ]:
        with refuses(error, message):
            call()
