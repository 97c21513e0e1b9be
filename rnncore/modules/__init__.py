"""torch modules that run and backpropagate by hand: RNN, LSTM, GRU and their cells as in torch.nn, and any cell.

They need torch, which `import rnncore` does not: `from rnncore.modules import LSTM`.
"""

from rnncore.modules.function import run
from rnncore.modules.recurrent import Recurrent
from rnncore.modules.rnn import GRU, LSTM, RNN
from rnncore.modules.step import GRUCell, LSTMCell, RNNCell

__all__ = ["GRU", "LSTM", "RNN", "GRUCell", "LSTMCell", "RNNCell", "Recurrent", "run"]
