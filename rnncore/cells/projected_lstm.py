"""The LSTM with a recurrent projection (Sak, Senior and Beaufays 2014)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, check_array, check_finite
from rnncore.cell import AffineCell, Others, Product
from rnncore.cells.lstm import lstm, lstm_backward
from rnncore.recurrence import State

__all__ = ["ProjectedLSTM"]


@dataclass(frozen=True)
class ProjectedLSTM(AffineCell):
    """LSTM whose output is projected to P numbers before it comes back: U costs P rows instead of H.

        a_i, a_f, a_g, a_o = split(x W + h U + b)
        i, f, o = σ(a_i), σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = (o ⊙ tanh(c')) R

    Shapes: x (B, D), h (B, P), c (B, H); W (D, 4H), U (P, 4H), b (4H,), gates in the order i f g o; R (H, P).
    State: (h, c). Output: h.

    The product with R needs c', so it is made within the step. torch.nn.LSTM with proj_size=P is this cell with
    R = weight_hr.T. The paper's cell has peepholes, and a second projection that does not come back; this one has
    neither.

    Paper: H. Sak, A. Senior, F. Beaufays, Long short-term memory based recurrent neural network architectures for
    large vocabulary speech recognition, arXiv 1402.1128, 2014.
    """

    R: Array

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        projection_size: int | None = None,
        *,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """As LSTM.init, and a Glorot-uniform R; `projection_size` is `hidden_size` unless told."""
        projection_size = hidden_size if projection_size is None else projection_size
        W, _, b = init.gates(rng, input_size, hidden_size, 4, dtype=dtype)
        U = [init.orthogonal(rng, projection_size, hidden_size, dtype=dtype) for _ in range(4)]
        b[hidden_size : 2 * hidden_size] = check_finite("ProjectedLSTM", "forget_bias", forget_bias)
        R = init.glorot_uniform(rng, hidden_size, projection_size, dtype=dtype)
        return cls(W, np.concatenate(U, axis=1), b, R)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("ProjectedLSTM", "R", self.R, ("H", self.U.shape[0]), self.W)
        check_array("ProjectedLSTM", "U", self.U, ("P", 4 * self.R.shape[0]), self.W)
        check_array("ProjectedLSTM", "W", self.W, ("D", 4 * self.R.shape[0]), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.R.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, Any]]:
        m, c, cache = lstm(wx + uh, state[1])
        return (m @ self.R, c), (m, cache)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Any]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        m, lstm_cache = cache
        da, dc = lstm_backward(dh @ self.R.T, dc, lstm_cache)
        return da, da, (0, dc), {"R": Product(m, dh)}
