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
    "orthogonal",
    "spectral",
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


def uniform(rng: np.random.Generator, rows: int, columns: int, *, bound: float, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns), uniform in ±`bound`. torch.nn's recurrent modules draw all parameters so, with 1 / √H.

    ValueError where `bound` is not a finite number from 0.
    """
    _check("uniform", rng, rows, columns, dtype)
    if check_finite("uniform", "bound", bound) < 0:
        raise ValueError(f"uniform: bound must not be negative, received {bound!r}")
    return rng.uniform(-bound, bound, (rows, columns)).astype(dtype)


def he_normal(rng: np.random.Generator, rows: int, columns: int, *, dtype: Any = np.float32) -> np.ndarray:
    """(rows, columns), Gaussian with variance 2 / rows: keeps the size of what passes through a ReLU.

    Paper: K. He et al., Delving deep into rectifiers, 2015.
    """
    _check("he_normal", rng, rows, columns, dtype)
    deviation = float(np.sqrt(2 / rows))
    return rng.normal(0.0, deviation, (rows, columns)).astype(dtype)


def spectral(rng: np.random.Generator, size: int, *, radius: float, dtype: Any = np.float32) -> np.ndarray:
    """(size, size), Gaussian, scaled so that its largest eigenvalue has absolute value `radius`.

    What a reservoir is made of, and what chapter 5 turns: the powers of the matrix grow or shrink as powers of
    `radius`. ValueError where it is not a finite number from 0.
    """
    _check("spectral", rng, size, size, dtype)
    if check_finite("spectral", "radius", radius) < 0:
        raise ValueError(f"spectral: radius must not be negative, received {radius!r}")
    matrix = rng.standard_normal((size, size))
    matrix *= radius / float(np.abs(np.linalg.eigvals(matrix)).max())
    return matrix.astype(dtype)


def chrono(rng: np.random.Generator, hidden_size: int, *, longest: float, dtype: Any = np.float32) -> np.ndarray:
    """(H,) biases of a forget gate that remembers for 1 … `longest` steps: log u, u uniform in [1, longest - 1].

    With bias β the gate starts near σ(β) = u / (1 + u), whose memory lasts about u + 1 steps; the input gate's bias is
    set to -β. ValueError where `longest` is not a finite number from 2.

    Paper: C. Tallec, Y. Ollivier, Can recurrent neural networks warp time?, 2018.
    """
    _check("chrono", rng, hidden_size, hidden_size, dtype)
    if check_finite("chrono", "longest", longest) < 2:
        raise ValueError(f"chrono: longest must be a number from 2, received {longest!r}")
    return np.log(rng.uniform(1, longest - 1, hidden_size)).astype(dtype)


def identity(size: int, *, scale: float = 1.0, dtype: Any = np.float32) -> np.ndarray:
    """`scale` times the identity (size, size)."""
    _sizes("identity", size, size, dtype)
    return check_finite("identity", "scale", scale) * np.eye(size, dtype=dtype)


def _check(operation: str, rng: Any, rows: int, columns: int, dtype: Any) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{operation}: rng must be a np.random.Generator, received a {type(rng).__name__}")
    _sizes(operation, rows, columns, dtype)


def _sizes(operation: str, rows: int, columns: int, dtype: Any) -> None:
    for size in (rows, columns):
        check_whole(operation, "each size", size, 1)
    check_dtype(operation, dtype)
