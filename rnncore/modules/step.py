"""torch.nn.RNNCell, LSTMCell and GRUCell with the hand-written backward."""

from abc import abstractmethod

from torch import Tensor, nn

from rnncore import cells
from rnncore.backend import check_array
from rnncore.cell import Cell
from rnncore.modules.function import Followed, pair, run, without_autocast
from rnncore.modules.weights import elman, gru, lstm, weights
from rnncore.recurrence import State

__all__ = ["GRUCell", "LSTMCell", "RNNCell"]


class Step(Followed, nn.RNNCellBase):
    """One step of a cell; abstract. Constructor, parameters and their first values are those of torch.nn."""

    @abstractmethod
    def cell(self) -> Cell:
        """The cell, made of the module's parameters."""

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return weights(self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)

    def _run(self, given: Tensor, state: State | None) -> State:
        """The new state, (B, …) or without B, as the input was given."""
        name, D = type(self).__name__, self.input_size
        self._refuse_proxies(given)
        if not isinstance(given, Tensor) or given.ndim not in (1, 2):
            received = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
            raise ValueError(f"{name}: input must have shape (B, {D}) or ({D},), received {received}")
        like, cell = self.weight_ih, self.cell()
        given, batch = without_autocast(given, like), given.shape[:-1]
        check_array(name, "input", given, (*batch, D), like)
        if state is not None:
            state = without_autocast(state, like)
            for i, (part, shape) in enumerate(zip(state, cell.state_shapes, strict=True)):
                check_array(name, f"hx[{i}]" if len(state) > 1 else "hx", part, (*batch, *shape), like)
        if batch:
            return run(cell, given[None], state)[1]
        alone = None if state is None else tuple(part[None] for part in state)
        return tuple(part[0] for part in run(cell, given[None, None], alone)[1])


class RNNCell(Step, nn.RNNCell):
    """torch.nn.RNNCell: the same arguments, parameters and results; the cell is `rnncore.Elman`."""

    def cell(self) -> cells.Elman:
        """The cell, made of the module's parameters."""
        return elman(*self._weights(), self.nonlinearity)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state (B, H), as torch.nn.RNNCell."""
        h: Tensor = self._run(input, None if hx is None else (hx,))[0]
        return h


class LSTMCell(Step, nn.LSTMCell):
    """torch.nn.LSTMCell: the same arguments, parameters and results; the cell is `rnncore.LSTM`."""

    def cell(self) -> cells.LSTM:
        """The cell, made of the module's parameters."""
        return lstm(*self._weights())

    def forward(self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """The new h and c, each (B, H), as torch.nn.LSTMCell."""
        h, c = self._run(input, pair("LSTMCell", hx))
        return h, c


class GRUCell(Step, nn.GRUCell):
    """torch.nn.GRUCell: the same arguments, parameters and results; the cell is `rnncore.GRU`."""

    def cell(self) -> cells.GRU:
        """The cell, made of the module's parameters."""
        return gru(*self._weights())

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """The new state (B, H), as torch.nn.GRUCell."""
        h: Tensor = self._run(input, None if hx is None else (hx,))[0]
        return h
