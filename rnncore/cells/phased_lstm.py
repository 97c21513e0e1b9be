"""The LSTM whose units open in rhythm (Neil, Pfeiffer and Liu 2016), and what a memory cell with a clock is."""

import math
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array, check_finite, concat, sigmoid
from rnncore.cell import Others
from rnncore.cells.lstm import MemoryCell
from rnncore.cells.peephole_lstm import peephole_lstm, peephole_lstm_backward
from rnncore.recurrence import State

__all__ = ["PhasedLSTM", "TimedMemoryCell"]


@dataclass(frozen=True)
class TimedMemoryCell(MemoryCell):
    """A `MemoryCell` whose input has one more column, the time Δt since the last step; abstract.

    W is (D, …) and does not see Δt: `pointwise` finds it (B, 1) as the last column of wx, and `pointwise_backward`
    leaves its gradient there.
    """

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0] + 1,)

    def project(self, xs: Array) -> Array:
        return concat(super().project(xs[:, :-1]), xs[:, -1:])

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dxs, grads = super().gradients(xs[:, :-1], dprojected[:, :-1], residues)
        return concat(dxs, dprojected[:, -1:]), grads


@dataclass(frozen=True)
class PhasedLSTM(TimedMemoryCell):
    """LSTM with a time gate k: each unit is open for a part of its own period, and all but keeps its state otherwise.

        x, Δt = input
        t' = t + Δt
        h̃, c̃ = PeepholeLSTM(x, h, c)
        c' = k ⊙ c̃ + (1 - k) ⊙ c
        h' = k ⊙ h̃ + (1 - k) ⊙ h

    The gate rises, falls and leaks with the phase φ, the fraction of the period that has passed:

        φ = u - floor(u),  u = (t' - s) / τ
        k = 2 φ / r        where φ < r / 2
        k = 2 - 2 φ / r    where r / 2 ≤ φ < r
        k = α φ            elsewhere

    Shapes: input (B, D + 1), its last column Δt, h and c (B, H), t (B, 1); W (D, 4H), U (H, 4H), b (4H,), gates in the
    order i f g o; p (3H,), in the order i f o; log_period (H,), τ = exp(log_period); shift (H,), s; open_logit (H,),
    r = σ(open_logit). State: (h, c, t). Output: h.

    The times Δt, τ and s have one unit, the user's. Periods, shifts and open ratios r are trained, as the paper allows
    for; φ jumps at the start of each period, and its gradient is that of u. The output gate's peephole sees c̃, as in
    the authors' code. The leak α is given: `dataclasses.replace(cell, leak=0.0)` for use after training, as in the
    paper. tf.contrib's PhasedLSTMCell is this cell with p = 0, absolute times for t', and τ and r themselves as
    parameters; its gradient of τ leaves out the floor(u) periods that have passed. In float32 t has seven digits.

    Errors: ValueError where the leak does not lie in [0, 1].

    Paper: D. Neil, M. Pfeiffer, S.-C. Liu, Phased LSTM: accelerating recurrent network training for long or event-based
    sequences, arXiv 1610.09513, 2016.
    """

    p: Array
    log_period: Array
    shift: Array
    open_logit: Array
    leak: float = tree.static(default=0.001)

    gates = 4
    forget_gate = 1

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        periods: tuple[float, float] = (1.0, 1000.0),
        open_ratio: float = 0.05,
        leak: float = 0.001,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """As PeepholeLSTM.init; the logarithm of the periods is uniform between those of `periods`, shifts are uniform
        in 0 … τ, and every r is `open_ratio`. ValueError unless 0 < periods[0] ≤ periods[1] and 0 < open_ratio < 1."""
        W, U, b = cls._weights(rng, input_size, hidden_size, forget_bias, dtype)
        shortest, longest = (check_finite("PhasedLSTM", "each of periods", period) for period in periods)
        if not 0 < shortest <= longest:
            raise ValueError(f"PhasedLSTM: periods must be positive and in order, received {periods!r}")
        if not 0 < check_finite("PhasedLSTM", "open_ratio", open_ratio) < 1:
            raise ValueError(f"PhasedLSTM: open_ratio must lie between 0 and 1, received {open_ratio!r}")
        log_period = rng.uniform(math.log(shortest), math.log(longest), hidden_size)
        return cls(
            *(W, U, b, np.zeros(3 * hidden_size, dtype=dtype)),
            log_period=log_period.astype(dtype),
            shift=rng.uniform(0, np.exp(log_period)).astype(dtype),
            open_logit=np.full(hidden_size, math.log(open_ratio / (1 - open_ratio)), dtype=dtype),
            leak=leak,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("PhasedLSTM", "p", self.p, (3 * hidden_size,), self.W)
        for name in ("log_period", "shift", "open_logit"):
            check_array("PhasedLSTM", name, getattr(self, name), (hidden_size,), self.W)
        check_finite("PhasedLSTM", "leak", self.leak, 0, 1)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1], (1,))

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        h, c, t = state
        t = t + wx[:, -1:]
        h_new, c_new, cache = peephole_lstm(wx[:, :-1] + uh, c, self.p)
        k, gate_cache = self._time_gate(t)
        dh, dc = h_new - h, c_new - c
        return (h + k * dh, c + k * dc, t), (k, dh, dc, cache, gate_cache)

    def pointwise_backward(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc, dt = dstate
        k, h_step, c_step, lstm_cache, gate_cache = cache
        dt_gate, times = self._time_gate_backward(dh * h_step + dc * c_step, gate_cache)
        da, dc_old, dp = peephole_lstm_backward(k * dh, k * dc, self.p, lstm_cache)
        dt = dt + dt_gate
        return concat(da, dt), da, ((1 - k) * dh, (1 - k) * dc + dc_old, dt), times | {"p": dp}

    def _time_gate(self, t: Array) -> tuple[Array, tuple[Array, ...]]:
        """k (B, H) at times t (B, 1), and a cache."""
        xp = array_namespace(t)
        period, r = xp.exp(self.log_period), sigmoid(self.open_logit)
        u = (t - self.shift) / period
        phase = u - xp.floor(u)
        opened = phase < r
        slope = xp.where(phase < r / 2, 2 / r, xp.where(opened, -2 / r, self.leak))
        return xp.where(slope < 0, 2 + slope * phase, slope * phase), (period, r, u, phase, opened, slope)

    def _time_gate_backward(self, dk: Array, cache: tuple[Array, ...]) -> tuple[Array, Others]:
        """Gradients of t, and of what the gate is made of."""
        xp = array_namespace(dk)
        period, r, u, phase, opened, slope = cache
        du = dk * slope
        dt = du / period
        dr = xp.where(opened, -du * phase / r, xp.zeros_like(du))
        others = {"log_period": -du * u, "shift": -dt, "open_logit": dr * r * (1 - r)}
        return xp.sum(dt, axis=-1, keepdims=True), others
