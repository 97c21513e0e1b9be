"""Initial values of weight matrices (NumPy arrays, drawn from a seeded generator)."""

from typing import Any

import numpy as np

from rnncore.backend import check_dtype, check_finite, check_whole

__all__ = [
    "chrono",
    "gates",
    "glorot_uniform",
    "he_normal",
    "identity",
    "isometry",
    "normal",
    "orthogonal",
    "reservoir",
    "uniform",
]


def glorot_uniform(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns), uniform in ±√(6 / (rows + columns)): variance 2 / (rows + columns).

    Paper: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    _check("glorot_uniform", rng, rows, columns, dtype)
    bound = np.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, (rows, columns)).astype(dtype)


def orthogonal(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns) with orthonormal rows or columns, whichever are fewer; uniform over such matrices.

    The Q factor of a Gaussian matrix, each column's sign set by the diagonal of R: without that it is not uniform.

    Paper: A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, 2014.
    """
    _check("orthogonal", rng, rows, columns, dtype)
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q if rows >= columns else q.T).astype(dtype)


def gates(
    rng: np.random.Generator, input_size: int, hidden_size: int, count: int, *, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (D, count·H), U (H, count·H), b (count·H,): for each gate a Glorot-uniform W, an orthogonal U and a zero b."""
    W = [glorot_uniform(rng, input_size, hidden_size, dtype=dtype) for _ in range(count)]
    U = [orthogonal(rng, hidden_size, hidden_size, dtype=dtype) for _ in range(count)]
    return np.concatenate(W, axis=1), np.concatenate(U, axis=1), np.zeros(count * hidden_size, dtype=dtype)


def he_normal(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns), Gaussian with variance 2 / rows: keeps the size of what passes through a ReLU.

    Paper: K. He et al., Delving deep into rectifiers, 2015.
    """
    _check("he_normal", rng, rows, columns, dtype)
    deviation = float(np.sqrt(2 / rows))
    return rng.normal(0.0, deviation, (rows, columns)).astype(dtype)


def identity(size: int, *, scale: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """`scale` times the identity (size, size)."""
    _sizes("identity", size, size, dtype)
    return check_finite("identity", "scale", scale) * np.eye(size, dtype=dtype)


def isometry(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns) that changes a vector's length alone: the identity, or `orthogonal` where the two differ."""
    _check("isometry", rng, rows, columns, dtype)
    return identity(rows, dtype=dtype) if rows == columns else orthogonal(rng, rows, columns, dtype=dtype)


def chrono(rng: np.random.Generator, size: int, t_max: int, *, dtype: Any = np.float32) -> np.ndarray:
    """Biases (size,) of forget gates that remember over times of all scales: log u, u uniform in [1, t_max - 1].

    A gate σ(log u) = 1 - 1 / (1 + u) forgets within 1 + u steps or so: 2 to `t_max`, the longest dependency expected,
    an integer from 2.

    Paper: C. Tallec, Y. Ollivier, Can recurrent neural networks warp time?, arXiv 1804.11188, 2018.
    """
    _check("chrono", rng, size, size, dtype)
    return np.log(rng.uniform(1, check_whole("chrono", "t_max", t_max, 2) - 1, size)).astype(dtype)


def uniform(rng: np.random.Generator, low: float, high: float, *shape: int, dtype: Any = np.float32) -> np.ndarray:
    """A vector (n,) or matrix (rows, columns) of values uniform in `low` … `high`."""
    _check("uniform", rng, shape[0], shape[-1], dtype)
    return rng.uniform(low, high, shape).astype(dtype)


def normal(
    rng: np.random.Generator, rows: int, columns: int, *, std: float = 1.0, dtype: Any = np.float32
) -> np.ndarray:
    """(rows, columns), Gaussian of mean 0 and standard deviation `std`."""
    _check("normal", rng, rows, columns, dtype)
    return (check_finite("normal", "std", std, 0) * rng.standard_normal((rows, columns))).astype(dtype)


def reservoir(
    rng: np.random.Generator,
    size: int,
    *,
    spectral_radius: float = 0.9,
    sparsity: float = 0.0,
    dtype: Any = np.float32,
) -> np.ndarray:
    """(size, size) of Gaussian entries, a share `sparsity` of them zero, scaled to `spectral_radius`.

    The spectral radius is the largest modulus of an eigenvalue. Where so few entries are left that it is zero whatever
    the scale, they stay as drawn.

    Paper: H. Jaeger, The "echo state" approach to analysing and training recurrent neural networks, GMD Report 148,
    2001.
    """
    _check("reservoir", rng, size, size, dtype)
    wanted = check_finite("reservoir", "spectral_radius", spectral_radius, 0)
    zeros = round(check_finite("reservoir", "sparsity", sparsity, 0, 1) * size * size)
    weights = rng.standard_normal(size * size)
    weights[rng.permutation(size * size)[:zeros]] = 0
    weights = weights.reshape(size, size)
    radius = np.abs(np.linalg.eigvals(weights)).max()
    return (weights * (wanted / radius if radius else 1)).astype(dtype)


def _check(operation: str, rng: Any, rows: int, columns: int, dtype: Any) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{operation}: rng must be a np.random.Generator, received a {type(rng).__name__}")
    _sizes(operation, rows, columns, dtype)


def _sizes(operation: str, rows: int, columns: int, dtype: Any) -> None:
    for size in (rows, columns):
        check_whole(operation, "each size", size, 1)
    check_dtype(operation, dtype)
