"""torch.nn.RNN, LSTM and GRU with the hand-written backward."""

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from rnncore import cells
from rnncore.backend import check_array
from rnncore.cell import Cell
from rnncore.modules.function import Followed, pair, run, without_autocast
from rnncore.modules.weights import elman, gru, lstm, weights
from rnncore.recurrence import State

__all__ = ["GRU", "LSTM", "RNN", "Layers"]

Sequences = Tensor | PackedSequence


class Layers(Followed, nn.RNNBase):
    """Layers of a cell, one after the other, each in one direction or in both; abstract.

    Constructor, parameters, their names and first values, `state_dict` and `flatten_parameters` are those of torch.nn.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
        *,
        mode: str = "GRU",
        proj_size: int = 0,
    ) -> None:
        options = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, proj_size
        super().__init__(mode, *options, device, dtype)

    @abstractmethod
    def cell(self, layer: int = 0, reverse: bool = False) -> Cell:
        """The cell of a layer and direction, made of the module's parameters."""

    def _weights(self, layer: int, reverse: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """W, U and the two biases of a layer and direction."""
        names = ("weight_ih", "weight_hh", *(("bias_ih", "bias_hh") if self.bias else ()))
        return weights(*(self._parameter(name, layer, reverse) for name in names))

    def _parameter(self, name: str, layer: int, reverse: bool) -> Any:
        return getattr(self, f"{name}_l{layer}_reverse" if reverse else f"{name}_l{layer}")

    def _run(self, given: Sequences, state: State | None) -> tuple[Sequences, State]:
        """Outputs and final state, in the layouts of torch.nn; the state (layers · directions, B, …)."""
        name, D, like = type(self).__name__, self.input_size, self._parameter("weight_ih", 0, False)
        self._refuse_proxies(given)
        if isinstance(given, PackedSequence):
            return self._run_packed(given, state, like)
        batched = ("B", "T") if self.batch_first else ("T", "B")
        axes = {2: ("T",), 3: batched}.get(given.ndim if isinstance(given, Tensor) else 0)
        if axes is None:
            received = f"shape {tuple(given.shape)}" if isinstance(given, Tensor) else f"a {type(given).__name__}"
            raise ValueError(
                f"{name}: input must have shape ({', '.join(batched)}, {D}) or (T, {D}), received {received}"
            )
        given = without_autocast(given, like)
        check_array(name, "input", given, (*axes, D), like)
        if len(axes) == 1:
            state = self._checked(state, (), like)
            state = None if state is None else tuple(s.unsqueeze(1) for s in state)
            ys, state = self._run_layers(given.unsqueeze(1), state)
            return ys.squeeze(1), tuple(s.squeeze(1) for s in state)
        state = self._checked(state, (given.shape[axes.index("B")],), like)
        if self.batch_first:
            ys, state = self._run_layers(given.transpose(0, 1), state)
            return ys.transpose(0, 1), state
        return self._run_layers(given, state)

    def _run_packed(self, given: PackedSequence, state: State | None, like: Tensor) -> tuple[PackedSequence, State]:
        data, sizes, order, inverse = given
        data = without_autocast(data, like)
        check_array(type(self).__name__, "input.data", data, ("N", self.input_size), like)
        state = self._checked(state, (int(sizes[0]),), like)
        xs, lengths = pad_packed_sequence(PackedSequence(data, sizes))  # longest first, as packed
        if state is not None and order is not None:
            state = tuple(s.index_select(1, order) for s in state)
        ys, state = self._run_layers(xs, state, lengths.tolist())
        if inverse is not None:
            state = tuple(s.index_select(1, inverse) for s in state)
        return PackedSequence(pack_padded_sequence(ys, lengths).data, sizes, order, inverse), state

    def _checked(self, state: State | None, batch: tuple[int, ...], like: Tensor) -> State | None:
        """A state in the caller's layout: (layers · directions, B, …), or without B."""
        if state is None:
            return None
        state = without_autocast(state, like)
        layers = self.num_layers * (2 if self.bidirectional else 1)
        for i, (part, shape) in enumerate(zip(state, self.cell().state_shapes, strict=True)):
            name = f"hx[{i}]" if len(state) > 1 else "hx"
            check_array(type(self).__name__, name, part, (layers, *batch, *shape), like)
        return state

    def _run_layers(self, xs: Tensor, state: State | None, lengths: list[int] | None = None) -> tuple[Tensor, State]:
        finals: list[State] = []
        for layer in range(self.num_layers):
            if layer and self.training:
                xs = functional.dropout(xs, self.dropout)
            outputs = []
            for reverse in (False, True) if self.bidirectional else (False,):
                initial = None if state is None else tuple(s[len(finals)] for s in state)
                ys, final = run(self.cell(layer, reverse), xs, initial, lengths, reverse)
                outputs.append(ys)
                finals.append(final)
            xs = torch.cat(outputs, -1) if self.bidirectional else outputs[0]
        return xs, tuple(torch.stack(parts) for parts in zip(*finals, strict=True))


class RNN(Layers):
    """torch.nn.RNN: the same arguments, parameters and results; the cell is `rnncore.Elman`.

    See `rnncore.modules.run` for what gradients can do. Under autocast it computes in the parameters' dtype.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: str = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"RNN: nonlinearity must be tanh or relu, received {nonlinearity!r}")
        options = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        super().__init__(*options, mode=f"RNN_{nonlinearity.upper()}")
        self.nonlinearity = nonlinearity

    def cell(self, layer: int = 0, reverse: bool = False) -> cells.Elman:
        """The cell of a layer and direction, made of the module's parameters."""
        return elman(*self._weights(layer, reverse), self.nonlinearity)

    def forward(self, input: Sequences, hx: Tensor | None = None) -> tuple[Sequences, Tensor]:
        """Outputs (T, B, directions · H) and final state (layers · directions, B, H), as torch.nn.RNN."""
        ys, (h,) = self._run(input, None if hx is None else (hx,))
        return ys, h


class LSTM(Layers):
    """torch.nn.LSTM: the same arguments, parameters and results; the cell is `rnncore.LSTM`, or `ProjectedLSTM`.

    See `rnncore.modules.run` for what gradients can do. Under autocast it computes in the parameters' dtype.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        options = input_size, hidden_size, num_layers, bias, batch_first, dropout, bidirectional, device, dtype
        super().__init__(*options, mode="LSTM", proj_size=proj_size)

    def cell(self, layer: int = 0, reverse: bool = False) -> cells.LSTM | cells.ProjectedLSTM:
        """The cell of a layer and direction, made of the module's parameters."""
        W, U, b_ih, b_hh = self._weights(layer, reverse)
        if self.proj_size:
            return cells.ProjectedLSTM(W, U, b_ih + b_hh, self._parameter("weight_hr", layer, reverse).T)
        return lstm(W, U, b_ih, b_hh)

    def forward(
        self, input: Sequences, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Sequences, tuple[Tensor, Tensor]]:
        """Outputs (T, B, directions · H) and final (h, c), each (layers · directions, B, H), as torch.nn.LSTM.

        With `proj_size` P, outputs and h have P in the place of H.
        """
        ys, (h, c) = self._run(input, pair("LSTM", hx))
        return ys, (h, c)


class GRU(Layers):
    """torch.nn.GRU: the same arguments, parameters and results; the cell is `rnncore.GRU`.

    See `rnncore.modules.run` for what gradients can do. Under autocast it computes in the parameters' dtype.
    """

    def cell(self, layer: int = 0, reverse: bool = False) -> cells.GRU:
        """The cell of a layer and direction, made of the module's parameters."""
        return gru(*self._weights(layer, reverse))

    def forward(self, input: Sequences, hx: Tensor | None = None) -> tuple[Sequences, Tensor]:
        """Outputs (T, B, directions · H) and final state (layers · directions, B, H), as torch.nn.GRU."""
        ys, (h,) = self._run(input, None if hx is None else (hx,))
        return ys, h
