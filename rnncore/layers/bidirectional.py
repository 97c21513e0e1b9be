"""Bidirectional networks (Schuster and Paliwal 1997)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, check_whole, concat
from rnncore.layers.layer import (
    Layer,
    LayerTape,
    Recurrent,
    check_lengths,
    check_rng,
    check_states,
    check_tape,
    final,
    final_backward,
    initial_state,
    run,
    run_backward,
)

__all__ = ["Bidirectional"]


@dataclass(frozen=True, eq=False)
class Bidirectional(Recurrent):
    """Two recurrent layers on the same inputs, one reading from the first step, one from the last.

        y_t = (a_t, b_t)    or    y_t = a_t + b_t,    where a = ahead(x) and b = back(x), read in reverse

    Shapes: x (T, B, …), y (T, B, 2H) with merge="concat", (T, B, H) with merge="add". State: (that of ahead, that of
    back). With `lengths` each sequence is read backwards from its own last step. y_t knows all of the sequence, so this
    layer cannot run ahead of its inputs. Its final output is that of both directions, each after all steps: b's stands
    at t = 0.

    Paper: M. Schuster, K. K. Paliwal, Bidirectional recurrent neural networks, IEEE Transactions on Signal Processing
    45, 1997.
    """

    ahead: Layer
    back: Layer
    merge: str = tree.static(default="concat")

    def __post_init__(self) -> None:
        if self.merge not in ("concat", "add"):
            raise ValueError(f"Bidirectional: merge must be 'concat' or 'add', received {self.merge!r}")

    def initial_state(self, batch_size: int) -> tuple[Any, Any]:
        """Each direction's own."""
        check_whole("Bidirectional.initial_state", "batch_size", batch_size, 0)
        return initial_state(self.ahead, batch_size), initial_state(self.back, batch_size)

    def forward(
        self,
        xs: Array,
        state: tuple[Any, Any] | None = None,
        lengths: Iterable[int] | None = None,
        reverse: bool = False,
        checkpoint: int | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, tuple[Any, Any], LayerTape]:
        """Outputs, the final states of both directions, and a tape; arguments as in `Cell.forward`.

        With `reverse` the two directions change places: `ahead` reads from the last step.
        """
        of_ahead, of_back = check_states("Bidirectional.forward", "state", state, 2)
        check_rng("Bidirectional.forward", rng)
        lengths = check_lengths("Bidirectional.forward", "xs", xs, lengths)
        a, of_ahead, tape_ahead = run(self.ahead, xs, of_ahead, lengths, reverse, checkpoint, rng)
        b, of_back, tape_back = run(self.back, xs, of_back, lengths, not reverse, checkpoint, rng)
        tape = LayerTape(tree.form(self), (tape_ahead, tape_back, a.shape[-1]))
        return self._merged(a, b), (of_ahead, of_back), tape

    def backward(
        self,
        dys: Array | None,
        tape: LayerTape,
        dstate: tuple[Any, Any] | None = None,
        window: int | None = None,
    ) -> tuple[Array, tuple[Any, Any], Self]:
        """Gradients of xs, of both initial states and of the parameters; arguments as in `Cell.backward`."""
        tape_ahead, tape_back, width = check_tape(self, tape)
        of_ahead, of_back = check_states("Bidirectional.backward", "dstate", dstate, 2)
        da, db = (None, None) if dys is None else self._parted(dys, width)
        dxs_ahead, of_ahead, grads_ahead = run_backward(self.ahead, da, tape_ahead, of_ahead, window)
        dxs_back, of_back, grads_back = run_backward(self.back, db, tape_back, of_back, window)
        dxs = None if dxs_ahead is None else dxs_ahead + dxs_back
        return dxs, (of_ahead, of_back), type(self)(grads_ahead, grads_back, self.merge)

    def final(self, state: tuple[Any, Any]) -> Array:
        """The final outputs of both directions, merged."""
        return self._merged(final(self.ahead, state[0]), final(self.back, state[1]))

    def final_backward(self, dfinal: Array, state: tuple[Any, Any]) -> tuple[Any, Any]:
        """Gradients of both states."""
        da, db = self._parted(dfinal, final(self.ahead, state[0]).shape[-1])
        return final_backward(self.ahead, da, state[0]), final_backward(self.back, db, state[1])

    def _merged(self, a: Array, b: Array) -> Array:
        return a + b if self.merge == "add" else concat(a, b)

    def _parted(self, d: Array, width: int) -> tuple[Array, Array]:
        """The derivative of `_merged`."""
        return (d, d) if self.merge == "add" else (d[..., :width], d[..., width:])
