"""An initial state that is learned."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array, check_whole
from rnncore.layers.layer import (
    Layer,
    LayerTape,
    Recurrent,
    check_rng,
    check_sequences,
    check_tape,
    final,
    final_backward,
    initial_state,
    is_recurrent,
    run,
    run_backward,
)

__all__ = ["LearnedState"]


@dataclass(frozen=True, eq=False)
class LearnedState(Recurrent):
    """A recurrent layer whose initial state is a parameter, the same for every sequence.

        h₀[b] = s,    ∂L/∂s = Σ_b ∂L/∂h₀[b]

    Shapes: `state` is the layer's state without the axis of the batch: for an LSTM two arrays (H,). A state given to
    `forward` takes its place, so that a stream can go on; then s has no part in the loss.

    Paper: M. Forcada, R. Carrasco, Learning the initial state of a second-order recurrent neural network during
    regular-language inference, Neural Computation 7, 1995.
    """

    layer: Layer
    state: Any

    @classmethod
    def init(cls, layer: Layer) -> Self:
        """Start from the layer's own initial state."""
        if not is_recurrent(layer):
            raise TypeError(f"LearnedState: layer must have a state, received a {type(layer).__name__}")
        return cls(layer, tree.map(lambda s: s[0], initial_state(layer, 1)))

    def __post_init__(self) -> None:
        wanted, given = (dict(tree.leaves(s)) for s in (initial_state(self.layer, 1), self.state))
        if wanted.keys() != given.keys():
            raise ValueError(f"LearnedState: state must have leaves {list(wanted)}, received {list(given)}")
        for path, like in wanted.items():
            check_array("LearnedState", f"state.{path}", given[path], tuple(like.shape[1:]), like)

    def initial_state(self, batch_size: int) -> Any:
        """The learned state, once for each sequence."""
        check_whole("LearnedState.initial_state", "batch_size", batch_size, 0)
        return tree.map(
            lambda s: array_namespace(s).broadcast_to(s, (batch_size, *s.shape)) + array_namespace(s).zeros_like(s),
            self.state,
        )

    def forward(
        self,
        xs: Array,
        state: Any = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, LayerTape]:
        """Outputs, final state and a tape; arguments as in `Cell.forward`, but the state None is the learned one."""
        check_rng("LearnedState.forward", rng)
        check_sequences("LearnedState.forward", "xs", xs)
        learned = state is None
        if learned:
            state = self.initial_state(xs.shape[1])
        ys, state, tape = run(self.layer, xs, state, lengths, reverse, checkpoint, rng)
        return ys, state, LayerTape(tree.form(self), (tape, learned))

    def backward(
        self, dys: Array | None, tape: LayerTape, dstate: Any = None, window: int | None = None
    ) -> tuple[Array, Any, Self]:
        """Gradients of xs, of each sequence's initial state, and of the parameters, the learned state among them."""
        part, learned = check_tape(self, tape)
        dxs, dstate, grads = run_backward(self.layer, dys, part, dstate, window)
        used = 1 if learned else 0
        return dxs, dstate, type(self)(grads, tree.map(lambda d: used * array_namespace(d).sum(d, axis=0), dstate))

    def final(self, state: Any) -> Array:
        """That of the layer."""
        return final(self.layer, state)

    def final_backward(self, dfinal: Array, state: Any) -> Any:
        """That of the layer."""
        return final_backward(self.layer, dfinal, state)
