"""Initial values of weight matrices (NumPy arrays, drawn from a seeded generator)."""

from typing import Any

import numpy as np

__all__ = ["glorot_uniform", "identity", "orthogonal"]


def glorot_uniform(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns), uniform in ±√(6 / (rows + columns)): variance 2 / (rows + columns).

    Paper: X. Glorot, Y. Bengio, Understanding the difficulty of training deep feedforward neural networks, 2010.
    """
    _sizes("glorot_uniform", rows, columns, dtype)
    bound = np.sqrt(6 / (rows + columns))
    return rng.uniform(-bound, bound, (rows, columns)).astype(dtype)


def orthogonal(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns) with orthonormal rows or columns, whichever are fewer; uniform over such matrices.

    The Q factor of a Gaussian matrix, each column's sign set by the diagonal of R: without that it is not uniform.

    Paper: A. M. Saxe, J. L. McClelland, S. Ganguli, Exact solutions to the nonlinear dynamics of learning in deep
    linear neural networks, 2014.
    """
    _sizes("orthogonal", rows, columns, dtype)
    q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
    q = q * np.where(np.diag(r) < 0, -1.0, 1.0)
    return np.ascontiguousarray(q if rows >= columns else q.T).astype(dtype)


def identity(size: int, *, scale: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """`scale` times the identity (size, size)."""
    _sizes("identity", size, size, dtype)
    if not np.isfinite(scale):
        raise ValueError(f"identity: scale must be finite, received {scale}")
    return scale * np.eye(size, dtype=dtype)


def _sizes(operation: str, rows: int, columns: int, dtype: Any) -> None:
    for size in (rows, columns):
        if not isinstance(size, int | np.integer) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{operation}: sizes must be whole numbers from 1, received {size!r}")
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise TypeError(f"{operation}: dtype must be float32 or float64, received {np.dtype(dtype)}")
