"""Small models: the patterns in which a recurrent network meets its inputs and outputs.

Each is a frozen dataclass of layers, so a tree of parameters, with the two verbs:

    ys, cache = model.forward(…)          dxs, grads = model.backward(dys, cache)

`layer` stands for anything recurrent: a cell, a `Stack`, a `Bidirectional`, …; readouts are layers without a state.
With `rng` the layers are trained (dropout draws its masks); without it they are evaluated.
"""

import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np

from rnncore import recurrence, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole, concat, device
from rnncore.cell import Cell
from rnncore.layers.layer import (
    Layer,
    LayerTape,
    check_lengths,
    check_tape,
    final,
    final_backward,
    initial_state,
    is_recurrent,
    run,
    run_backward,
)

__all__ = ["EncoderDecoder", "ManyToMany", "ManyToOne", "OneToMany"]


@dataclass(frozen=True, eq=False)
class ManyToOne:
    """A sequence in, one vector out: classification, regression.

        y = readout(h_n),    h_n the output after the last valid step n of each sequence

    Shapes: x (T, B, …), y (B, K). With a `Bidirectional` layer h_n is the final output of both directions.
    """

    layer: Layer
    readout: Layer

    def __post_init__(self) -> None:
        _check_recurrent("ManyToOne", "layer", self.layer)

    def forward(
        self, xs: Array, lengths: Iterable[int] | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Array, LayerTape]:
        """xs (T, B, …) → y (B, K), and a cache for `backward`."""
        _, state, tape = run(self.layer, xs, lengths=lengths, rng=rng)
        y, _, above = run(self.readout, final(self.layer, state), rng=rng)
        return y, LayerTape(tree.form(self), (tape, state, above))

    def backward(self, dy: Array, cache: LayerTape) -> tuple[Array, Self]:
        """Gradients of xs and of the parameters, from that of y."""
        tape, state, above = check_tape(self, cache)
        dh, _, readout = run_backward(self.readout, dy, above)
        dxs, _, layer = run_backward(self.layer, None, tape, final_backward(self.layer, dh, state))
        return dxs, type(self)(layer, readout)


@dataclass(frozen=True, eq=False)
class ManyToMany:
    """A sequence in, a sequence of the same length out, each output at the step of its input: tagging, frames of video.

        y_t = readout(h_t)

    Shapes: x (T, B, …), y (T, B, K), zeros in the padding.
    """

    layer: Layer
    readout: Layer

    def forward(
        self, xs: Array, lengths: Iterable[int] | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Array, LayerTape]:
        """xs (T, B, …) → ys (T, B, K), and a cache for `backward`."""
        lengths = check_lengths("ManyToMany.forward", "xs", xs, lengths)
        hs, _, tape = run(self.layer, xs, lengths=lengths, rng=rng)
        ys, _, above = run(self.readout, hs, lengths=lengths, rng=rng)
        return ys, LayerTape(tree.form(self), (tape, above))

    def backward(self, dys: Array, cache: LayerTape) -> tuple[Array, Self]:
        """Gradients of xs and of the parameters, from that of ys."""
        tape, above = check_tape(self, cache)
        dhs, _, readout = run_backward(self.readout, dys, above)
        dxs, _, layer = run_backward(self.layer, dhs, tape)
        return dxs, type(self)(layer, readout)


@dataclass(frozen=True, eq=False)
class OneToMany:
    """A vector in, a sequence out: captions, music from a seed.

        h_0 = entry(x),    h_t = cell(u_t, h_{t-1}),    y_t = readout(h_t)

    x is seen once, as the first state; it is no input of any step. What a step reads is the output before it, u_t =
    y_{t-1} and u_1 = 0, so that y must be as wide as the cell's input; or, with feedback=False, nothing: u_t = 0. Of a
    state of several arrays, entry(x) is the first, and the others are zeros.

    Shapes: x (B, N), h (B, H), y (T, B, K).
    """

    entry: Layer
    cell: Cell
    readout: Layer
    feedback: bool = tree.static(default=True)

    def __post_init__(self) -> None:
        if not isinstance(self.cell, Cell):
            raise TypeError(f"OneToMany: cell must be a cell, received a {type(self.cell).__name__}")

    def forward(self, x: Array, steps: int, lengths: Iterable[int] | None = None) -> tuple[Array, LayerTape]:
        """x (B, N) → ys (steps, B, K), zeros beyond the end of each sequence, and a cache for `backward`."""
        operation = "OneToMany.forward"
        check_whole(operation, "steps", steps, 1)
        h, _, below = run(self.entry, x)
        batch, cell, span = h.shape[0], self.cell.effective(), 1 if self.feedback else steps
        n = np.full(batch, steps) if lengths is None else recurrence.check_lengths(operation, lengths, steps, batch)
        state = (h, *self.cell.initial_state(batch)[1:])
        us = array_namespace(h).zeros((span, batch, *cell.input_shape), dtype=h.dtype, device=device(h))
        outputs, parts = [], []
        for start in range(0, steps, span):
            left = (n - start).clip(0, span)
            hs, state, tape = run(cell, us, state, left)
            us, _, above = run(self.readout, hs, lengths=left)
            outputs.append(us)
            parts.append((tape, above))
        return concat(*outputs, axis=0), LayerTape(tree.form(self), (below, cell, parts, steps))

    def backward(self, dys: Array, cache: LayerTape) -> tuple[Array, Self]:
        """Gradients of x and of the parameters, from that of ys."""
        below, cell, parts, steps = check_tape(self, cache)
        check_array("OneToMany.backward", "dys", dys, (steps, "B", "K"), cell._like)
        span, dus, dstate, total = steps // len(parts), 0, None, None
        for i, (tape, above) in reversed(list(enumerate(parts))):
            dhs, _, readout = run_backward(self.readout, dys[i * span : (i + 1) * span] + dus, above)
            dxs, dstate, grads = run_backward(cell, dhs, tape, dstate)
            dus = dxs if self.feedback else 0
            total = (grads, readout) if total is None else tree.map(operator.add, total, (grads, readout))
        (grads, readout), (dh, *_) = cast(Any, total), cast(Any, dstate)
        dx, _, entry = run_backward(self.entry, dh, below)
        return dx, type(self)(entry, self.cell.effective_backward(grads), readout, self.feedback)


@dataclass(frozen=True, eq=False)
class EncoderDecoder:
    """A sequence in, a sequence of another length out: translation.

        s = the final state of encoder(x),    y = readout(decoder(u)), the decoder starting from s

    All that the decoder learns of x is s. Its inputs u are given: in training the targets one step late (teacher
    forcing), u_1 a start symbol and u_t = target_{t-1}. To run freely, run `decoder` and `readout` step by step.

    Shapes: x (T, B, …), u (S, B, …), y (S, B, K). Encoder and decoder have states of the same form.

    Papers: K. Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, arXiv:1406.1078, 2014; I. Sutskever, O. Vinyals, Q. V. Le, Sequence to sequence learning with neural
    networks, arXiv:1409.3215, 2014.
    """

    encoder: Layer
    decoder: Layer
    readout: Layer

    def __post_init__(self) -> None:
        for name, layer in (("encoder", self.encoder), ("decoder", self.decoder)):
            _check_recurrent("EncoderDecoder", name, layer)
        have, want = (tree.form(initial_state(layer, 1)) for layer in (self.encoder, self.decoder))
        if have != want:
            raise ValueError(
                f"EncoderDecoder: encoder must have states like the decoder's, {tree.described(want)}, "
                f"received {tree.described(have)}"
            )

    def forward(
        self,
        xs: Array,
        us: Array,
        lengths: Iterable[int] | None = None,
        target_lengths: Iterable[int] | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[Array, LayerTape]:
        """xs (T, B, …) with `lengths` and us (S, B, …) with `target_lengths` → ys (S, B, K), and a cache."""
        target_lengths = check_lengths("EncoderDecoder.forward", "us", us, target_lengths)
        _, state, encoded = run(self.encoder, xs, lengths=lengths, rng=rng)
        hs, _, decoded = run(self.decoder, us, state, target_lengths, rng=rng)
        ys, _, above = run(self.readout, hs, lengths=target_lengths, rng=rng)
        return ys, LayerTape(tree.form(self), (encoded, decoded, above))

    def backward(self, dys: Array, cache: LayerTape) -> tuple[tuple[Array, Array], Self]:
        """Gradients (of xs, of us) and of the parameters, from that of ys."""
        encoded, decoded, above = check_tape(self, cache)
        dhs, _, readout = run_backward(self.readout, dys, above)
        dus, dstate, decoder = run_backward(self.decoder, dhs, decoded)
        dxs, _, encoder = run_backward(self.encoder, None, encoded, dstate)
        return (dxs, dus), type(self)(encoder, decoder, readout)


def _check_recurrent(operation: str, name: str, layer: Layer) -> None:
    if not is_recurrent(layer):
        raise TypeError(f"{operation}: {name} must have a state, received a {type(layer).__name__}")
