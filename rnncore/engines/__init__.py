"""Who runs a cell over the steps of a sequence: the loop in Python, the cell's own kernel, or a compiler.

An engine is an object with two functions, `scan` and `scan_backward`; see `rnncore.engines.loop`, which is the meaning
of the others. `Cell.scan` asks `chosen` for one, and that is all a cell has to do with them.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np

from rnncore.backend import Array, check_whole, is_jax
from rnncore.engines import loop

__all__ = ["chosen", "compiling", "engine"]

_after: int | None = None  # how many runs of a form on NumPy arrays are not compiled; None: all


def chosen(cell: Any, rows: Array, sizes: tuple[int, ...]) -> Any:
    """The engine for a run of `cell` over packed rows (N, …), sizes[t] of them at step t."""
    if isinstance(rows, np.ndarray):
        if _after is not None:
            from rnncore.engines import xla

            if program := xla.PROGRAMS.of(cell, rows, sizes, _after):
                return program
        return cell.kernel or loop
    if is_jax(rows):
        from rnncore.engines import xla

        return xla.TRACED
    return loop


def compiling() -> bool:
    """Whether runs of NumPy arrays are compiled."""
    return _after is not None


class engine:  # noqa: N801 (a function, and a context)
    """Which engine runs cells of NumPy arrays, and torch modules on the CPU; from here on, or in a `with` block.

        rnncore.engine("xla")           # from here on
        with rnncore.engine("xla"):     # in this block
            model = fit(model, …)

    Results are the same to rounding. JAX arrays are always compiled, and torch tensors elsewhere never.

    Args:
        name: "numpy", as it is unless told: NumPy, step by step; "xla": both loops, there and back, compiled by JAX,
            which has to be installed (`pip install 'rnncore[jax]'`).
        after: how many runs of a form (cell, sizes, dtype) are left to NumPy before it is compiled, which takes about a
            second: a run that comes once is not worth it. What is compiled is kept for the next time.

    Raises:
        ValueError: another name, or `after` no whole number from 0.
        ImportError: JAX is not installed.
    """

    def __init__(self, name: str, *, after: int = 2) -> None:
        global _after
        check_whole("engine", "after", after, 0)
        if name not in ("numpy", "xla"):
            raise ValueError(f'engine: name must be "numpy" or "xla", received {name!r}')
        if name == "xla" and find_spec("jax") is None:
            raise ImportError("engine: xla wants JAX: pip install 'rnncore[jax]'")
        self._before, _after = _after, after if name == "xla" else None

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        global _after
        _after = self._before
