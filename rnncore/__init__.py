"""Recurrent networks by hand: every cell, forward and backward, proven, on NumPy, torch and JAX arrays."""

from typing import TYPE_CHECKING

from rnncore import cells, init, layers, losses, models, optim, tasks, testing, training, tree
from rnncore.cell import AffineCell, Cell, InputCell, TimedCell
from rnncore.cells import *  # noqa: F403 (all of the registry)
from rnncore.engines import engine
from rnncore.layers import *  # noqa: F403
from rnncore.models import *  # noqa: F403
from rnncore.sweeps import Sweep, sweep

if not TYPE_CHECKING:  # as in cells
    __all__ = ["AffineCell", "Cell", "InputCell", "Sweep", "TimedCell", "engine", "sweep"]
    __all__ += ["init", "losses", "models", "optim", "tasks", "testing", "training", "tree"]
    __all__ += [*cells.__all__, *layers.__all__, *models.__all__]


def _below(kind: type) -> list[type]:
    """A class and all that are made from it."""
    children: list[type] = kind.__subclasses__()
    return [kind, *(found for child in children for found in _below(child))]


tree.remember(
    *_below(Cell), *(vars(layers)[name] for name in layers.__all__), *(vars(models)[name] for name in models.__all__)
)

__version__ = "0.1.0"
