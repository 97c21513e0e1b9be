"""Synthetic tasks: their definitions, element by element."""

import math

import numpy as np
import pytest
import torch

from rnncore.tasks import echo, sine
from rnncore.testing import assert_close
from tests.conftest import refuses

TASKS = {"sine": sine, "echo": lambda rng, steps, batch, **options: echo(rng, steps, batch, delay=2, **options)}
every_task = pytest.mark.parametrize("name", TASKS)


@pytest.mark.parametrize("period", [20.0, 7])
def test_sine(period, rng):
    inputs, targets = sine(rng, 9, 4, period=period, dtype=np.float64)
    assert inputs.shape == targets.shape == (9, 4, 1)
    assert_close(targets[:-1], inputs[1:], rtol=0, atol=0)
    w = 2 * math.pi / period
    for b in range(4):  # a sine is fixed by two of its values: x[t+1] = 2 cos(w) x[t] - x[t-1], and by its amplitude
        x = inputs[:, b, 0]
        assert_close(targets[1:, b, 0], 2 * math.cos(w) * x[1:] - x[:-1], atol=1e-12)
        amplitude = x[0] ** 2 + ((x[1] - x[0] * math.cos(w)) / math.sin(w)) ** 2
        assert amplitude == pytest.approx(1, rel=1e-12)
    assert len(set(inputs[0, :, 0])) == 4


def test_sine_inputs_and_targets_share_no_memory(rng):
    assert not np.shares_memory(*sine(rng, 5, 2))


@pytest.mark.parametrize("delay", [0, 1, 3, 8, 9])
def test_echo(delay, rng):
    inputs, targets = echo(rng, 8, 50, delay=delay)
    assert inputs.shape == (8, 50, 1)
    assert targets.shape == (8, 50)
    assert set(np.unique(inputs)) == {0, 1}
    assert np.issubdtype(targets.dtype, np.integer)
    for t in range(8):
        expected = inputs[t - delay, :, 0] if t >= delay else np.zeros(50)
        np.testing.assert_array_equal(targets[t], expected)
    assert abs(inputs.mean() - 0.5) < 5 * 0.5 / math.sqrt(inputs.size)


@every_task
def test_seeds_reproduce(name):
    a, b, c = (TASKS[name](np.random.default_rng(seed), 6, 3) for seed in (0, 0, 1))
    assert_close(a, b, rtol=0, atol=0)
    assert (a[0] != c[0]).any()


@every_task
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (3, 0), (0, 0)])
def test_nothing(name, steps, batch, rng):
    inputs, targets = TASKS[name](rng, steps, batch)
    assert inputs.shape == (steps, batch, 1)
    assert targets.shape[:2] == (steps, batch)


@every_task
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(name, dtype, rng):
    assert TASKS[name](rng, 3, 2, dtype=dtype)[0].dtype == dtype


@every_task
def test_tasks_refuse(name, rng):
    for size in (-1, 2.5, True, "3", None):
        with refuses(ValueError, f"{name}: steps must be an integer from 0, received {size!r}"):
            TASKS[name](rng, size, 2)
        with refuses(ValueError, f"{name}: batch must be an integer from 0, received {size!r}"):
            TASKS[name](rng, 3, size)
    for dtype in (int, np.float16, torch.float32):
        with refuses(TypeError, f"{name}: dtype must be float32 or float64, received {dtype}"):
            TASKS[name](rng, 3, 2, dtype=dtype)
    with refuses(TypeError, f"{name}: rng must be a np.random.Generator, received a int"):
        TASKS[name](0, 3, 2)


def test_options_are_refused(rng):
    for period in (0, -1, math.nan, math.inf):
        with refuses(ValueError, f"sine: period must be a positive number of steps, received {period}"):
            sine(rng, 3, 2, period=period)
    with refuses(ValueError, "echo: delay must be an integer from 0, received -1"):
        echo(rng, 3, 2, delay=-1)
