"""Recurrent networks by hand: every cell, forward and backward, proven, on NumPy and torch arrays."""

from typing import TYPE_CHECKING

from rnncore import cells, init, losses, optim, tasks, testing, tree
from rnncore.cell import AffineCell, Cell, InputCell, TimedCell
from rnncore.cells import *  # noqa: F403 (all of the registry)
from rnncore.layers import Dense

if not TYPE_CHECKING:  # as in cells
    __all__ = ["AffineCell", "Cell", "Dense", "InputCell", "TimedCell"]
    __all__ += ["init", "losses", "optim", "tasks", "testing", "tree"]
    __all__ += cells.__all__

__version__ = "0.1.0"
