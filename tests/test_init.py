"""Initial values: what their distributions promise."""

import math

import numpy as np
import pytest

from rnncore import init
from rnncore.testing import assert_close
from tests.conftest import refuses

DRAWN = {
    "orthogonal": init.orthogonal,
    "glorot_uniform": init.glorot_uniform,
    "he_normal": init.he_normal,
    "isometry": init.isometry,
    "uniform": lambda rng, rows, columns, dtype: init.uniform(rng, -1, 2, rows, columns, dtype=dtype),
    "normal": init.normal,
    "reservoir": lambda rng, rows, columns, dtype: init.reservoir(rng, columns, dtype=dtype),
    "chrono": lambda rng, rows, columns, dtype: init.chrono(rng, columns, 30, dtype=dtype),
}
SHAPES = [(5, 3), (3, 5), (4, 4), (1, 1), (1, 6), (200, 50), (64, 64)]


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_orthogonal(rows, columns, rng):
    q = init.orthogonal(rng, rows, columns, dtype=np.float64)
    assert q.shape == (rows, columns)
    gram = q.T @ q if rows >= columns else q @ q.T
    assert_close(gram, np.eye(min(rows, columns)), rtol=0, atol=1e-14 * max(rows, columns))


def test_orthogonal_is_uniform(rng):
    """Under Haar measure on O(n) the trace has mean 0 and variance 1; so the mean of m traces lies within 5/√m.

    Without the sign of R's diagonal the mean trace is far from 0: LAPACK's Householder vectors leave their mark.
    """
    for rows, columns in ((4, 4), (4, 3), (3, 4)):
        draws = [init.orthogonal(rng, rows, columns, dtype=np.float64) for _ in range(2000)]
        assert abs(np.mean([np.trace(q) for q in draws])) < 5 / math.sqrt(len(draws))
    signs = [init.orthogonal(rng, 1, 1)[0, 0] for _ in range(2000)]
    assert abs(np.mean(signs)) < 5 / math.sqrt(len(signs))


def test_glorot_uniform(rng):
    """The sample variance of N uniform values has relative standard deviation √(0.8 / N)."""
    rows, columns = 200, 300
    w = init.glorot_uniform(rng, rows, columns, dtype=np.float64)
    assert w.shape == (rows, columns)
    assert np.var(w) == pytest.approx(2 / (rows + columns), rel=5 * math.sqrt(0.8 / w.size))
    bound = math.sqrt(6 / (rows + columns))
    assert 0.999 * bound < np.abs(w).max() <= bound
    assert abs(w.mean()) < 5 * bound / math.sqrt(3 * w.size)


def test_he_normal_keeps_the_size_behind_a_relu(rng):
    """The sample variance of N Gaussian values has relative standard deviation √(2 / N)."""
    w = init.he_normal(rng, 400, 300, dtype=np.float64)
    assert np.var(w) == pytest.approx(2 / 400, rel=5 * math.sqrt(2 / w.size))
    x = np.maximum(rng.standard_normal((2000, 400)), 0)
    assert np.mean((x @ w) ** 2) == pytest.approx(1, rel=0.05)


def test_isometry(rng):
    assert_close(init.isometry(rng, 3, 3), np.eye(3, dtype=np.float32), rtol=0, atol=0)
    for rows, columns in ((3, 5), (5, 3)):
        p = init.isometry(rng, rows, columns, dtype=np.float64)
        assert_close(p @ p.T if rows < columns else p.T @ p, np.eye(3), rtol=0, atol=1e-14)
        assert (np.abs(p) > 1e-9).all()


def test_chrono(rng):
    """The sample mean of N uniform values in an interval of length L has standard deviation L / √(12 N)."""
    b = init.chrono(rng, 1000, 21, dtype=np.float64)
    u = np.exp(b)
    assert b.shape == (1000,)
    assert 1 <= u.min() < 1.2
    assert 19.8 < u.max() <= 20
    assert abs(u.mean() - 10.5) < 5 * 19 / math.sqrt(12 * 1000)
    assert_close(init.chrono(rng, 3, 2), np.zeros(3, np.float32), rtol=0, atol=0)  # a time of 2 steps at most
    for t_max in (1, 2.5, None, True):
        with refuses(ValueError, f"chrono: t_max must be an integer from 2, received {t_max!r}"):
            init.chrono(rng, 3, t_max)


def test_uniform(rng):
    """The sample mean of N uniform values has standard deviation (high - low) / √(12 N)."""
    for shape in ((60000,), (200, 300)):
        w = init.uniform(rng, -0.5, 1.5, *shape, dtype=np.float64)
        assert w.shape == shape
        assert w.mean() == pytest.approx(0.5, abs=5 * 2 / math.sqrt(12 * w.size))
        assert -0.5 <= w.min() < -0.499
        assert 1.499 < w.max() <= 1.5


def test_identity():
    assert_close(init.identity(3, scale=-0.5, dtype=np.float64), np.diag([-0.5, -0.5, -0.5]), rtol=0, atol=0)
    assert init.identity(3, scale=np.float64(2)).dtype == np.float32


def test_normal(rng):
    """The sample variance of N Gaussian values has relative standard deviation √(2 / N)."""
    w = init.normal(rng, 200, 300, std=0.2, dtype=np.float64)
    assert np.var(w) == pytest.approx(0.2**2, rel=5 * math.sqrt(2 / w.size))
    assert abs(w.mean()) < 5 * 0.2 / math.sqrt(w.size)
    assert (init.normal(rng, 2, 3, std=0) == 0).all()
    with refuses(ValueError, "normal: std must be a finite number from 0, received -1"):
        init.normal(rng, 2, 3, std=-1)


def test_reservoir(rng):
    for size, radius, sparsity in ((1, 0.9, 0), (5, 1.3, 0.2), (100, 0.5, 0.9), (100, 0, 0)):
        u = init.reservoir(rng, size, spectral_radius=radius, sparsity=sparsity, dtype=np.float64)
        assert np.abs(np.linalg.eigvals(u)).max() == pytest.approx(radius, abs=1e-13)
        if radius:
            assert np.count_nonzero(u == 0) == round(sparsity * size * size)
    assert (init.reservoir(rng, 4, sparsity=1) == 0).all()
    for option, value, wanted in (("spectral_radius", -1, "from 0"), ("sparsity", 1.5, "in 0 … 1")):
        with refuses(ValueError, f"reservoir: {option} must be a finite number {wanted}, received {value}"):
            init.reservoir(rng, 4, **{option: value})


@pytest.mark.parametrize("dtype", [np.float32, np.float64, "float32"])
@pytest.mark.parametrize("function", DRAWN.values(), ids=DRAWN)
def test_seeds_and_dtypes(function, dtype):
    a, b, c = (function(np.random.default_rng(seed), 3, 4, dtype=dtype) for seed in (0, 0, 1))
    assert_close(a, b, rtol=0, atol=0)
    assert (a != c).all()
    assert a.dtype == dtype


@pytest.mark.parametrize("size", [0, -1, 2.5, 2.0, True, "3", None])
def test_sizes_are_whole(size, rng):
    for call, name in [
        (lambda: init.orthogonal(rng, size, 3), "orthogonal"),
        (lambda: init.orthogonal(rng, 3, size), "orthogonal"),
        (lambda: init.glorot_uniform(rng, size, 3), "glorot_uniform"),
        (lambda: init.normal(rng, 3, size), "normal"),
        (lambda: init.reservoir(rng, size), "reservoir"),
        (lambda: init.identity(size), "identity"),
        (lambda: init.he_normal(rng, 3, size), "he_normal"),
        (lambda: init.isometry(rng, size, 3), "isometry"),
        (lambda: init.chrono(rng, size, 10), "chrono"),
        (lambda: init.uniform(rng, 0, 1, size), "uniform"),
        (lambda: init.uniform(rng, 0, 1, 3, size), "uniform"),
    ]:
        with refuses(ValueError, f"{name}: each size must be an integer from 1, received {size!r}"):
            call()


@pytest.mark.parametrize("dtype", [np.float16, int, bool, complex, "nonsense"])
def test_dtypes_are_floating(dtype, rng):
    for call in (lambda: init.orthogonal(rng, 3, 3, dtype=dtype), lambda: init.identity(3, dtype=dtype)):
        with refuses(TypeError, ": dtype must be float32 or float64, received "):
            call()


@pytest.mark.parametrize("scale", [math.nan, math.inf])
def test_scale_is_finite(scale):
    with refuses(ValueError, f"identity: scale must be a finite number, received {scale}"):
        init.identity(3, scale=scale)
