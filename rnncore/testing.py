"""Proof by numbers: gradients against central differences, arrays against arrays."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace

__all__ = ["assert_close", "check_gradients", "check_shapes", "directional_error"]


def check_shapes(actual: Any, expected: Any) -> None:
    """Refuse a tree that differs from `expected` in form, or in a leaf's shape or dtype; AssertionError names it."""

    def same(name: str, a: Array, e: Array) -> None:
        if not hasattr(a, "shape") or not hasattr(a, "dtype"):
            raise AssertionError(f"{name or 'array'} is a {type(a).__name__}, wanted an array")
        if tuple(a.shape) != tuple(e.shape) or str(a.dtype) != str(e.dtype):
            raise AssertionError(
                f"{name or 'array'} has shape {tuple(a.shape)} and dtype {a.dtype}, "
                f"wanted {tuple(e.shape)} and {e.dtype}"
            )

    have, want = dict(tree.leaves(actual)), dict(tree.leaves(expected))
    if have.keys() != want.keys():
        raise AssertionError(f"received leaves {list(have)}, wanted {list(want)}")
    for name, e in want.items():
        same(name, have[name], e)


def assert_close(actual: Any, expected: Any, *, rtol: float = 1e-10, atol: float = 1e-12) -> None:
    """Refuse a tree that differs from `expected` in form, shape, dtype or, beyond the tolerances, in any element.

    Elements agree where |actual - expected| ≤ atol + rtol · |expected|; inf agrees with itself, nan with
    nothing. AssertionError names the leaf and the first element that differs.
    """
    check_shapes(actual, expected)
    leaves = dict(tree.leaves(actual))
    for name, e in tree.leaves(expected):
        a, e = _numpy(leaves[name]), _numpy(e)
        with np.errstate(invalid="ignore"):  # inf - inf
            wrong = ~((a == e) | (np.isfinite(e) & (np.abs(a - e) <= atol + rtol * np.abs(e))))
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

    What is small beside 1 is not told from zero: where a gradient, or one leaf of it, is as small as `tolerance`, a
    wrong one passes. Scale the function so that every leaf's gradient is of the order of 1.

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
        if not _agree(numeric, exact, tolerance):
            wrong = ", ".join(_wrong_leaves(function, point, gradient, rng, step, tolerance)) or "no leaf alone"
            raise AssertionError(
                f"direction {i}: differences give {numeric!r}, the gradient {exact!r}; what differs by itself: {wrong}"
            )


def _agree(numeric: float, exact: float, tolerance: float) -> bool:
    return abs(numeric - exact) <= tolerance * max(1.0, abs(numeric), abs(exact))


def _wrong_leaves(
    function: Callable[[Any], Any], point: Any, gradient: Any, rng: np.random.Generator, step: float, tolerance: float
) -> list[str]:
    """The paths of the leaves along which, each moved alone, the two derivatives differ."""
    slopes, wrong = dict(tree.leaves(gradient)), []
    for path, leaf in tree.leaves(point):

        def moved(value: Array, path: str = path) -> Any:
            places = iter([place for place, _ in tree.leaves(point)])
            return function(tree.map(lambda p: value if next(places) == path else p, point))

        if not _agree(*directional_error(moved, leaf, slopes[path], rng, step), tolerance):
            wrong.append(path or "the array")
    return wrong


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
    slopes = dict(tree.leaves(gradient))
    exact = sum(float(array_namespace(v).sum(slopes[name] * v)) for name, v in tree.leaves(direction))
    return (ahead - behind) / (2 * step), exact


def _numpy(array: Array) -> np.ndarray:
    return np.asarray(array.detach().cpu() if hasattr(array, "detach") else array, dtype=np.float64)
