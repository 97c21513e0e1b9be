"""A language model whose output layer is its embedding (Press and Wolf 2017)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array
from rnncore.layers.dense import Dense
from rnncore.layers.embedding import Embedding
from rnncore.layers.layer import (
    Layer,
    LayerTape,
    Recurrent,
    check_lengths,
    check_tape,
    initial_state,
    is_recurrent,
    run,
    run_backward,
)

__all__ = ["Tied"]


@dataclass(frozen=True, eq=False)
class Tied(Recurrent):
    """Symbols in, scores of symbols out, with one matrix E for both ends.

        x = E[k],    h = layer(x),    y = h Eᵀ + c

    Shapes: k (T, B) of whole numbers 0 … K - 1, E (K, D), x and h (T, B, D), c (K,), y (T, B, K). State: the layer's.

    E is one array in the tree, not two that are alike: its gradient is the sum over both uses, and an optimiser moves
    it once. The layer's outputs must be as wide as E; where it is wider inside, let it end in a `Dense` (the paper's
    projection).

    Papers: O. Press, L. Wolf, Using the output embedding to improve language models, arXiv:1608.05859, 2017; H. Inan,
    K. Khosravi, R. Socher, Tying word vectors and word classifiers, arXiv:1611.01462, 2017.
    """

    embedding: Embedding
    layer: Layer
    c: Array

    @classmethod
    def init(cls, embedding: Embedding, layer: Layer) -> Self:
        """Zero c."""
        _check_embedding(embedding)
        return cls(embedding, layer, np.zeros(embedding.E.shape[0], dtype=embedding.E.dtype))

    def __post_init__(self) -> None:
        _check_embedding(self.embedding)
        check_array("Tied", "c", self.c, self.embedding.E.shape[:1], self.embedding.E)
        if not is_recurrent(self.layer):
            raise TypeError(f"Tied: layer must have a state, received a {type(self.layer).__name__}")

    @property
    def _readout(self) -> Dense:
        return Dense(self.embedding.E.T, self.c)

    def initial_state(self, batch_size: int) -> Any:
        """The layer's own."""
        return initial_state(self.layer, batch_size)

    def forward(
        self,
        xs: Array,
        state: Any = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, Any, LayerTape]:
        """Scores (T, B, K) of symbols (T, B), the layer's final state, and a tape; arguments as in `Cell.forward`."""
        lengths = check_lengths("Tied.forward", "xs", xs, lengths)
        rows, _, below = run(self.embedding, xs, lengths=lengths)
        hs, state, part = run(self.layer, rows, state, lengths, reverse, checkpoint, rng)
        ys, _, above = run(self._readout, hs, lengths=lengths)
        return ys, state, LayerTape(tree.form(self), (below, part, above))

    def backward(
        self, dys: Array | None, tape: LayerTape, dstate: Any = None, window: int | None = None
    ) -> tuple[None, Any, Self]:
        """None for the symbols, the gradients of the initial state and of the parameters."""
        below, part, above = check_tape(self, tape)
        dhs, _, readout = run_backward(self._readout, dys, above)
        dxs, dstate, layer = run_backward(self.layer, dhs, part, dstate, window)
        _, _, embedding = run_backward(self.embedding, dxs, below)
        both = Embedding(embedding.E + array_namespace(readout.V).permute_dims(readout.V, (1, 0)), embedding.padding)
        return None, dstate, type(self)(both, layer, readout.c)


def _check_embedding(embedding: Any) -> None:
    if not isinstance(embedding, Embedding):
        raise TypeError(f"Tied: embedding must be an Embedding, received a {type(embedding).__name__}")
