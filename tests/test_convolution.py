"""Convolution by patches against torch's, and its adjoint."""

import numpy as np
import pytest
import torch

from rnncore.convolution import convolve, convolve_backward, patches, patches_backward
from rnncore.testing import assert_close
from tests.conftest import BACKENDS, to

every_shape = pytest.mark.parametrize("shape", [(2, 5, 4, 3), (1, 1, 1, 2), (3, 1, 6, 1), (2, 2, 7, 2), (0, 3, 2, 2)])
every_size = pytest.mark.parametrize("size", [1, 3, 5, 7])
every_backend = pytest.mark.parametrize("backend", BACKENDS)


def torch_convolution(x, kernel):
    y = torch.nn.functional.conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), padding=len(kernel) // 2)
    return y.permute(0, 2, 3, 1)


def test_patches_of_an_image(rng):
    x = np.arange(1.0, 7).reshape(1, 2, 3, 1)
    corner, middle = patches(x, 3)[0, 0, 0], patches(x, 3)[0, 1, 1]
    assert corner.tolist() == [0, 0, 0, 0, 1, 2, 0, 4, 5]
    assert middle.tolist() == [1, 2, 3, 4, 5, 6, 0, 0, 0]
    x = rng.standard_normal((2, 3, 4, 5))
    assert_close(patches(x, 3)[:, 1, 2], x[:, 0:3, 1:4].reshape(2, 45), rtol=0, atol=0)


@every_shape
@every_size
@every_backend
def test_convolution_is_that_of_torch(shape, size, backend, rng):
    x, kernel = rng.standard_normal(shape), rng.standard_normal((size, size, shape[-1], 4))
    dy = rng.standard_normal((*shape[:3], 4))
    tx, tkernel = (torch.tensor(a, requires_grad=True) for a in (x, kernel))
    expected = torch_convolution(tx, tkernel)
    (expected * torch.tensor(dy)).sum().backward()
    x, kernel, dy = to(backend, (x, kernel, dy))
    actual = convolve(x, kernel), convolve_backward(dy, kernel)
    expected = expected.detach().numpy(), tx.grad.numpy()
    assert_close(actual, to(backend, expected), rtol=1e-12, atol=1e-12)


@every_shape
@every_size
def test_patches_backward_is_the_adjoint_of_patches(shape, size, rng):
    x, d = rng.integers(-9, 9, shape), rng.integers(-9, 9, (*shape[:3], size * size * shape[3]))
    assert (patches(x, size) * d).sum() == (x * patches_backward(d, size)).sum()
