"""What layers that change one cell have in common."""

from abc import abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncore.backend import Array, check_array
from rnncore.cell import Cell
from rnncore.layers.layer import Recurrent, check_rng, final_backward
from rnncore.recurrence import State

__all__ = ["OverCell"]


@dataclass(frozen=True, eq=False)
class OverCell(Recurrent):
    """A layer whose state and output are those of its cell; abstract."""

    cell: Cell

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            raise TypeError(f"{type(self).__name__}: cell must be a cell, received a {type(self.cell).__name__}")

    def initial_state(self, batch_size: int) -> State:
        """The cell's own."""
        return self.cell.initial_state(batch_size)

    def forward(
        self,
        xs: Array,
        state: State | None = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, State, Any]:
        """Outputs, final state and a tape; arguments as in `Cell.forward`, and `rng` in training."""
        operation = f"{type(self).__name__}.forward"
        check_rng(operation, rng)
        check_array(operation, "xs", xs, ("T", "B", *self.cell.input_shape), self.cell._like)
        state = self.initial_state(xs.shape[1]) if state is None else state
        self.cell._check_state(operation, "state", state, xs.shape[1])
        return self._run(xs, state, rng, (lengths, reverse, checkpoint))

    @abstractmethod
    def _run(self, xs: Array, state: State, rng: np.random.Generator | None, how: Any) -> tuple[Array, State, Any]:
        """`forward` of what is checked; how: lengths, reverse and checkpoint."""

    def final(self, state: State) -> Array:
        """The cell's output in this state."""
        return state[0]

    def final_backward(self, dfinal: Array, state: State) -> State:
        """A gradient of state[0] alone."""
        return tuple(final_backward(self.cell, dfinal, state))
