"""Recurrent cells, one short file each. `CELLS` maps each public name to its class."""

from rnncore.cell import Cell
from rnncore.cells.elman import Elman
from rnncore.cells.gru import GRU, GRUOriginal
from rnncore.cells.jordan import Jordan
from rnncore.cells.lstm import LSTM

__all__ = ["CELLS", "GRU", "LSTM", "Elman", "GRUOriginal", "Jordan"]

CELLS: dict[str, type[Cell]] = {cell.__name__: cell for cell in (Elman, Jordan, LSTM, GRU, GRUOriginal)}
