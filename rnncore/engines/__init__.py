"""Who runs a cell over the steps of a sequence: the loop in Python, the cell's own kernel, or a compiler.

An engine is an object with two functions, `scan` and `scan_backward`; see `rnncore.engines.loop`, which is the meaning
of the others. `Cell.scan` asks `chosen` for one, and that is all a cell has to do with them.
"""

from typing import Any

import numpy as np

from rnncore.backend import Array, check_whole, is_jax
from rnncore.engines import loop

__all__ = ["chosen", "compiling", "engine"]

_compiled: Any = None  # the programs by which NumPy arrays are run, where that was asked for


def chosen(cell: Any, rows: Array, sizes: tuple[int, ...]) -> Any:
    """The engine for a run of `cell` over packed rows (N, …), sizes[t] of them at step t."""
    if isinstance(rows, np.ndarray):
        program = _compiled.of(cell, rows, sizes) if _compiled else None
        return program or cell.kernel or loop
    if is_jax(rows):
        from rnncore.engines import xla

        return xla.TRACED
    return loop


def compiling() -> bool:
    """Whether runs of NumPy arrays are compiled."""
    return _compiled is not None


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
            second: a run that comes once is not worth it.

    Raises:
        ValueError: another name, or `after` no whole number from 0.
        ImportError: JAX is not installed.
    """

    def __init__(self, name: str, *, after: int = 2) -> None:
        global _compiled
        check_whole("engine", "after", after, 0)
        if name not in ("numpy", "xla"):
            raise ValueError(f'engine: name must be "numpy" or "xla", received {name!r}')
        self._before = _compiled
        if name == "numpy":
            _compiled = None
            return
        try:
            from rnncore.engines import xla
        except ImportError as error:
            raise ImportError("engine: xla wants JAX: pip install 'rnncore[jax]'") from error
        _compiled = xla.Programs(after)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *error: Any) -> None:
        global _compiled
        _compiled = self._before
