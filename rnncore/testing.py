"""Proof by numbers: gradients against central differences, arrays against arrays."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace

__all__ = ["assert_close", "check_gradients", "check_shapes", "directional_error"]


def check_shapes(actual: Any, expected: Any) -> None:
    """Refuse a tree whose leaves differ from `expected` in shape or dtype; AssertionError names the leaf."""

    def same(name: str, a: Array, e: Array) -> None:
        if tuple(a.shape) != tuple(e.shape) or a.dtype != e.dtype:
            raise AssertionError(
                f"{name or 'array'} has shape {tuple(a.shape)} and dtype {a.dtype}, "
                f"wanted {tuple(e.shape)} and {e.dtype}"
            )

    for (name, a), (_, e) in zip(tree.leaves(actual), tree.leaves(expected), strict=True):
        same(name, a, e)


def assert_close(actual: Any, expected: Any, *, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    """Refuse a tree that differs from `expected` in form, shape, dtype or, beyond the tolerances, in any element.

    Elements agree where |actual - expected| ≤ atol + rtol · |expected|; nan agrees with nothing. AssertionError names
    the leaf and the first element that differs.
    """
    check_shapes(actual, expected)
    for (name, a), (_, e) in zip(tree.leaves(actual), tree.leaves(expected), strict=True):
        a, e = _numpy(a), _numpy(e)
        wrong = ~(np.abs(a - e) <= atol + rtol * np.abs(e))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise AssertionError(
                f"{name or 'array'} differs at {wrong.sum()} of {wrong.size} elements, first at {at}: "
                f"{a[at]!r} instead of {e[at]!r}"
            )


def check_gradients(
    function: Callable[[Any], Any],
    point: Any,
    gradient: Any,
    rng: np.random.Generator,
    *,
    directions: int = 5,
    step: float = 1e-6,
    tolerance: float = 1e-7,
) -> None:
    """Compare `gradient` of a scalar `function` at `point` with central differences along random directions.

    Along a direction v the two must agree: (f(p + ε v) - f(p - ε v)) / 2ε and ⟨gradient, v⟩, to `tolerance` relative
    to the larger of them and 1. Use float64. AssertionError with both numbers where they do not.

    Args:
        function: maps a tree of arrays to a number.
        point: a tree of float64 arrays; every leaf is varied.
        gradient: a tree of the same form.
        directions: how many random directions.
        step: ε.
    """
    check_shapes(gradient, point)
    for i in range(directions):
        numeric, exact = directional_error(function, point, gradient, rng, step)
        if not abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), abs(exact)):
            raise AssertionError(f"direction {i}: differences give {numeric!r}, the gradient {exact!r}")


def directional_error(
    function: Callable[[Any], Any], point: Any, gradient: Any, rng: np.random.Generator, step: float = 1e-6
) -> tuple[float, float]:
    """The derivative of `function` at `point` along one random direction: by central differences, and by `gradient`.

    The direction is Gaussian, scaled to unit length over all leaves together.
    """
    raw = [rng.standard_normal(tuple(leaf.shape)) for _, leaf in tree.leaves(point)]
    length = math.sqrt(sum(float((r * r).sum()) for r in raw))
    parts = iter(raw)

    def like(leaf: Array) -> Array:
        xp = array_namespace(leaf)
        return xp.asarray(next(parts) / length, dtype=leaf.dtype, device=leaf.device)

    direction = tree.map(like, point)
    ahead = float(function(tree.map(lambda p, v: p + step * v, point, direction)))
    behind = float(function(tree.map(lambda p, v: p - step * v, point, direction)))
    pairs = zip(tree.leaves(gradient), tree.leaves(direction), strict=True)
    return (ahead - behind) / (2 * step), sum(float(array_namespace(g).sum(g * v)) for (_, g), (_, v) in pairs)


def _numpy(array: Array) -> np.ndarray:
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array)
