"""Initial values of weight matrices (NumPy arrays, drawn from a seeded generator)."""

from typing import Any

import numpy as np

from rnncore.backend import check_between, check_dtype, check_finite, check_whole

__all__ = ["gates", "glorot_uniform", "identity", "normal", "orthogonal", "reservoir", "uniform"]


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


def identity(size: int, *, scale: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """`scale` times the identity (size, size)."""
    _sizes("identity", size, size, dtype)
    return check_finite("identity", "scale", scale) * np.eye(size, dtype=dtype)


def uniform(
    rng: np.random.Generator, rows: int, columns: int, *, bound: float = 1.0, dtype: Any = np.float32
) -> np.ndarray:
    """(rows, columns), uniform in ±`bound`."""
    _check("uniform", rng, rows, columns, dtype)
    bound = check_between("uniform", "bound", bound, 0)
    return rng.uniform(-bound, bound, (rows, columns)).astype(dtype)


def normal(
    rng: np.random.Generator, rows: int, columns: int, *, std: float = 1.0, dtype: Any = np.float32
) -> np.ndarray:
    """(rows, columns), Gaussian of mean 0 and standard deviation `std`."""
    _check("normal", rng, rows, columns, dtype)
    return (check_between("normal", "std", std, 0) * rng.standard_normal((rows, columns))).astype(dtype)


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
    wanted = check_between("reservoir", "spectral_radius", spectral_radius, 0)
    zeros = round(check_between("reservoir", "sparsity", sparsity, 0, 1) * size * size)
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
