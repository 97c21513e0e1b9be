"""Recurrent cells, one short file each. `CELLS` maps each public name to its class; a line here adds a cell."""

from typing import TYPE_CHECKING

from rnncore.cell import Cell
from rnncore.cells.clockwork import Clockwork
from rnncore.cells.coupled_lstm import CoupledLSTM
from rnncore.cells.echo_state import EchoState
from rnncore.cells.elman import Elman
from rnncore.cells.eunn import EUNN
from rnncore.cells.exp_rnn import ExpRNN
from rnncore.cells.gru import GRU, GRUOriginal
from rnncore.cells.indrnn import IndRNN
from rnncore.cells.irnn import IRNN
from rnncore.cells.jordan import Jordan
from rnncore.cells.lstm import LSTM
from rnncore.cells.lstm_1997 import LSTM1997
from rnncore.cells.peephole_lstm import PeepholeLSTM
from rnncore.cells.projected_lstm import ProjectedLSTM
from rnncore.cells.scrn import SCRN
from rnncore.cells.unitary_rnn import UnitaryRNN

CELLS: dict[str, type[Cell]] = {
    name: value
    for name, value in list(globals().items())
    if isinstance(value, type) and issubclass(value, Cell) and value is not Cell
}
"""Every cell imported above, by its name."""

if not TYPE_CHECKING:  # a type checker cannot follow a list that is made; without one it takes every import
    __all__ = ["CELLS", *CELLS]
