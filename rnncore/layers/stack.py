"""Layers one on top of another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, check_whole
from rnncore.layers.dropout import Dropout
from rnncore.layers.layer import (
    Layer,
    LayerTape,
    Recurrent,
    check_lengths,
    check_rate,
    check_rng,
    check_states,
    check_tape,
    final,
    final_backward,
    initial_state,
    run,
    run_backward,
)

__all__ = ["Stack"]


@dataclass(frozen=True, eq=False)
class Stack(Recurrent):
    """Layers one on top of another: each reads the outputs of the one below, over the whole sequence.

        y⁰ = x,    yˡ = layerˡ(yˡ⁻¹),    y = yᴸ

    The layers may be cells, recurrent layers (stacks too) and layers without a state, such as `Dense`, in any order.
    State: a tuple of their states, from the bottom; () of a layer without one. In training, `dropout` sets units
    between the layers to zero (not below the first nor above the last), with `variational` the same ones at every step.
    torch.nn.LSTM(num_layers=L, dropout=p) is a stack of L LSTMs with dropout p.

    Papers: J. Schmidhuber, Learning complex, extended sequences using the principle of history compression, 1992;
    dropout between layers alone: W. Zaremba, I. Sutskever, O. Vinyals, Recurrent neural network regularization, 2014.
    """

    layers: tuple[Layer, ...]
    dropout: float = tree.static(default=0.0)
    variational: bool = tree.static(default=False)

    def __post_init__(self) -> None:
        if not isinstance(self.layers, tuple) or not self.layers:
            raise TypeError(f"Stack: layers must be a tuple of one layer or more, received {self.layers!r:.80}")
        check_rate("Stack", "dropout", self.dropout)

    def initial_state(self, batch_size: int) -> tuple[Any, ...]:
        """Each layer's own."""
        check_whole("Stack.initial_state", "batch_size", batch_size, 0)
        return tuple(initial_state(layer, batch_size) for layer in self.layers)

    def forward(
        self,
        xs: Array,
        state: tuple[Any, ...] | None = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, tuple[Any, ...], LayerTape]:
        """Outputs of the top layer, the final states of all, and a tape; arguments as in `Cell.forward`."""
        states = check_states("Stack.forward", "state", state, len(self.layers))
        check_rng("Stack.forward", rng)
        lengths = check_lengths("Stack.forward", "xs", xs, lengths)
        between, finals, parts, drops = Dropout(self.dropout, self.variational), [], [], []
        for i, (layer, before) in enumerate(zip(self.layers, states, strict=True)):
            if i and self.dropout:
                xs, drop = between.forward(xs, rng)
                drops.append(drop)
            xs, after, part = run(layer, xs, before, lengths, reverse, checkpoint, rng)
            finals.append(after)
            parts.append(part)
        return xs, tuple(finals), LayerTape(tree.form(self), (parts, drops))

    def backward(
        self,
        dys: Array | None,
        tape: LayerTape,
        dstate: tuple[Any, ...] | None = None,
        window: int | None = None,
    ) -> tuple[Array, tuple[Any, ...], Self]:
        """Gradients of xs, of the initial states and of the parameters; arguments as in `Cell.backward`."""
        parts, drops = check_tape(self, tape)
        dstates = check_states("Stack.backward", "dstate", dstate, len(self.layers))
        between, dinitial, grads = Dropout(self.dropout, self.variational), [], []
        for i in reversed(range(len(self.layers))):
            dys, d, g = run_backward(self.layers[i], dys, parts[i], dstates[i], window)
            if i and self.dropout:
                dys, _ = between.backward(dys, drops[i - 1])
            dinitial.append(d)
            grads.append(g)
        return dys, tuple(dinitial[::-1]), type(self)(tuple(grads[::-1]), self.dropout, self.variational)

    def final(self, state: tuple[Any, ...]) -> Array:
        """The final output of the top layer."""
        return final(self.layers[-1], state[-1])

    def final_backward(self, dfinal: Array, state: tuple[Any, ...]) -> tuple[Any, ...]:
        """A gradient of the top layer's state alone."""
        below = tuple(tree.map(lambda s: 0 * s, s) for s in state[:-1])
        return (*below, final_backward(self.layers[-1], dfinal, state[-1]))
