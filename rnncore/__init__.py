"""Recurrent networks by hand: every cell, forward and backward, proven, on NumPy and torch arrays."""

from rnncore import init, losses, optim, tasks, testing, tree
from rnncore.cell import AffineCell, Cell
from rnncore.cells import (
    CELLS,
    GRU,
    LSTM,
    LSTM1997,
    CoupledLSTM,
    Elman,
    GRUOriginal,
    Jordan,
    PeepholeLSTM,
    ProjectedLSTM,
)
from rnncore.layers import Dense

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "LSTM1997",
    "AffineCell",
    "Cell",
    "CoupledLSTM",
    "Dense",
    "Elman",
    "GRUOriginal",
    "Jordan",
    "PeepholeLSTM",
    "ProjectedLSTM",
    "init",
    "losses",
    "optim",
    "tasks",
    "testing",
    "tree",
]

__version__ = "0.1.0"
