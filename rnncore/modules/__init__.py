"""torch modules that run and backpropagate by hand: RNN, LSTM and GRU as in torch.nn, and any cell as a module.

They need torch, which `import rnncore` does not: `from rnncore.modules import LSTM`.
"""

from rnncore.modules.function import run
from rnncore.modules.recurrent import Recurrent
from rnncore.modules.rnn import GRU, LSTM, RNN

__all__ = ["GRU", "LSTM", "RNN", "Recurrent", "run"]
