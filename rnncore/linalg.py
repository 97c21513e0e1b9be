"""Functions of matrices that the array API lacks, with their derivatives."""

from typing import Any

from rnncore.backend import Array, array_namespace, device, traced

__all__ = ["expm", "expm_backward"]

_WRITTEN = 16  # squarings of a traced matrix
_LARGEST = 0.95  # norm up to which the approximant below is exact to rounding in float64


def expm(a: Array) -> tuple[Array, Any]:
    """The exponential I + A + A²/2! + … of a square matrix (n, n), and a cache for `expm_backward`.

    Scaling and squaring: exp(A) = exp(A / 2^s)^(2^s), where s makes the norm small enough for the Padé approximant of
    degree 7, a quotient q⁻¹ p of polynomials. If A is antisymmetric, q = pᵀ and the result is orthogonal to rounding.

    Where JAX traces A, and s is not known, sixteen squarings are written down, of which s are used; beyond a norm of
    62,000, which would need more, the result is nan.

    Paper: N. J. Higham, The scaling and squaring method for the matrix exponential revisited, SIAM Journal on Matrix
    Analysis and Applications 26, 2005.
    """
    xp = array_namespace(a)
    norm = xp.max(xp.sum(xp.abs(a), axis=0))
    norms = _LARGEST * 2.0 ** xp.arange(64, dtype=a.dtype, device=device(a))
    squarings = xp.count_nonzero(norm > norms)  # 0 for nan, which then comes out again
    if traced(a):
        written, a = _WRITTEN, xp.where(squarings > _WRITTEN, xp.nan, a)
    else:
        squarings = written = int(squarings)
    one, x = xp.eye(a.shape[0], dtype=a.dtype, device=device(a)), a * 0.5**squarings
    x2 = x @ x
    x4 = x2 @ x2
    x6 = x4 @ x2
    slope = 8648640 * one + 277200 * x2 + 1512 * x4 + x6
    odd, even = x @ slope, 17297280 * one + 1995840 * x2 + 25200 * x4 + 56 * x6
    q = even - odd
    roots = [xp.linalg.solve(q, even + odd)]
    for k in range(written):
        roots.append(_where(k < squarings, roots[-1] @ roots[-1], roots[-1]))
    return roots[-1], (x, x2, x4, slope, q, roots, squarings)


def expm_backward(dy: Array, cache: Any) -> Array:
    """The derivative of `expm`: the gradient of A from that of exp(A)."""
    x, x2, x4, slope, q, roots, squarings = cache
    for k, root in reversed(list(enumerate(roots[:-1]))):
        dy = _where(k < squarings, root.T @ dy + dy @ root.T, dy)
    dp = array_namespace(dy).linalg.solve(q.T, dy)
    dq = -dp @ roots[0].T
    dodd, deven = dp - dq, dp + dq
    dslope = x.T @ dodd
    dx6 = dslope + 56 * deven
    dx4 = 1512 * dslope + 25200 * deven + dx6 @ x2.T
    dx2 = 277200 * dslope + 1995840 * deven + x4.T @ dx6 + x2.T @ dx4 + dx4 @ x2.T
    dx = dodd @ slope.T + x.T @ dx2 + dx2 @ x.T
    return dx * 0.5**squarings


def _where(used: Any, a: Array, b: Array) -> Array:
    return array_namespace(a).where(used, a, b) if traced(used) else a
