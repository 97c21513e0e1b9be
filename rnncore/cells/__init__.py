"""Recurrent cells, one short file each. `CELLS` maps each public name to its class."""

from rnncore.cell import Cell
from rnncore.cells.coupled_lstm import CoupledLSTM
from rnncore.cells.elman import Elman
from rnncore.cells.gru import GRU, GRUOriginal
from rnncore.cells.jordan import Jordan
from rnncore.cells.lstm import LSTM
from rnncore.cells.lstm_1997 import LSTM1997
from rnncore.cells.peephole_lstm import PeepholeLSTM
from rnncore.cells.projected_lstm import ProjectedLSTM

__all__ = [
    "CELLS",
    "GRU",
    "LSTM",
    "LSTM1997",
    "CoupledLSTM",
    "Elman",
    "GRUOriginal",
    "Jordan",
    "PeepholeLSTM",
    "ProjectedLSTM",
]

CELLS: dict[str, type[Cell]] = {
    cell.__name__: cell
    for cell in (Elman, Jordan, LSTM1997, LSTM, PeepholeLSTM, CoupledLSTM, ProjectedLSTM, GRUOriginal, GRU)
}
