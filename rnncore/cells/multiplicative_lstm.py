"""The multiplicative LSTM (Krause et al. 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, check_array, check_finite, concat
from rnncore.cell import AffineCell, Others, Product
from rnncore.cells.lstm import lstm, lstm_backward
from rnncore.recurrence import State

__all__ = ["MultiplicativeLSTM"]


@dataclass(frozen=True)
class MultiplicativeLSTM(AffineCell):
    """LSTM on a product of input and state: each input has its own recurrent matrix, U diag(x W_m + b_m) V.

        m = (x W_m + b_m) ⊙ (h U)
        a_i, a_f, a_g, a_o = split(x W_ifgo + b_ifgo + m V)
        i, f, o = σ(a_i), σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 5H), b (5H,), in the order i f g o m; U (H, H); V (H, 4H).
    State: (h, c). Output: h.

    The product with V needs m, so it is made within the step. The paper writes no bias in m: b_m is zero at first. Its
    authors' first program has no tanh on g and h' = tanh(o ⊙ c'); their later one is an LSTM on m, as here.
    torchrecurrent's MultiplicativeLSTMCell is this cell with its m first instead of last, U = weight_hh.T,
    V = weight_mh.T, b = bias_ih plus bias_mh, and bias_hh zero.

    Paper: B. Krause, L. Lu, I. Murray, S. Renals, Multiplicative LSTM for sequence modelling, arXiv 1609.07959, 2016.
    """

    V: Array

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U and V, each gate drawn for itself; zero b, but `forget_bias` for f."""
        W, UV, b = init.gates(rng, input_size, hidden_size, 5, dtype=dtype)
        b[hidden_size : 2 * hidden_size] = check_finite("MultiplicativeLSTM", "forget_bias", forget_bias)
        return cls(W, UV[:, :hidden_size].copy(), b, UV[:, hidden_size:].copy())

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("MultiplicativeLSTM", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("MultiplicativeLSTM", "W", self.W, (self.W.shape[0], 5 * hidden_size), self.W)
        check_array("MultiplicativeLSTM", "V", self.V, (hidden_size, 4 * hidden_size), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.U.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        gates = self.V.shape[1]
        wx, factor = wx[..., :gates], wx[..., gates:]
        m = factor * uh
        h, c, cache = lstm(wx + m @ self.V, state[1])
        return (h, c), (factor, uh, m, cache)

    def pointwise_backward(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        factor, uh, m, lstm_cache = cache
        da, dc = lstm_backward(dh, dc, lstm_cache)
        dm = da @ self.V.T
        return concat(da, dm * uh), dm * factor, (0, dc), {"V": Product(m, da)}
