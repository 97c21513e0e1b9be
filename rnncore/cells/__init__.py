"""Recurrent cells, one short file each. `CELLS` maps each public name to its class."""

from rnncore.cell import Cell
from rnncore.cells.elman import Elman
from rnncore.cells.jordan import Jordan

__all__ = ["CELLS", "Elman", "Jordan"]

CELLS: dict[str, type[Cell]] = {cell.__name__: cell for cell in (Elman, Jordan)}
