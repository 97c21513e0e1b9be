"""The LSTM with working memory connections (Landi et al. 2021)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import Others, Product
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["WMCLSTM"]


@dataclass(frozen=True)
class WMCLSTM(MemoryCell):
    """LSTM whose gates see the whole cell state through a matrix and a tanh: peepholes that cannot swamp a gate.

        a_i, a_f, a_g, a_o = split(x W + h U + b)
        m_i, m_f = split(tanh(c V))
        i = σ(a_i + m_i),  f = σ(a_f + m_f),  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        o = σ(a_o + tanh(c' V_o))
        h' = o ⊙ tanh(c')

    Shapes: x (B, D), h and c (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order i f g o; V (H, 2H), in the order
    i f; V_o (H, H). State: (h, c). Output: h.

    torchrecurrent.WMCLSTMCell is this cell with V | V_o = weight_mh.T and b = bias_ih + bias_hh; its bias_mh, a bias
    inside each of the three tanh, is zero here, as in the paper. (Its docstring leaves out the tanh; its code has it.)

    Paper: F. Landi, L. Baraldi, M. Cornia, R. Cucchiara, Working memory connections for LSTM, Neural Networks 144,
    arXiv 2109.00020, 2021.
    """

    V: Array
    V_o: Array

    gates = 4
    forget_gate = 1

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
        """As LSTM.init; Glorot-uniform V and V_o, each gate drawn for itself."""
        weights = cls._weights(rng, input_size, hidden_size, forget_bias, dtype)
        V_i, V_f, V_o = (init.glorot_uniform(rng, hidden_size, hidden_size, dtype=dtype) for _ in range(3))
        return cls(*weights, np.concatenate([V_i, V_f], axis=1), V_o)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("WMCLSTM", "V", self.V, (hidden_size, 2 * hidden_size), self.W)
        check_array("WMCLSTM", "V_o", self.V_o, (hidden_size, hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c) = array_namespace(wx), state
        i, f, g, o = split(wx + uh, 4)
        m = xp.tanh(c @ self.V)
        m_i, m_f = split(m, 2)
        i, f, g = sigmoid(i + m_i), sigmoid(f + m_f), xp.tanh(g)
        c_new = f * c + i * g
        m_o, tanh_c = xp.tanh(c_new @ self.V_o), xp.tanh(c_new)
        o = sigmoid(o + m_o)
        return (o * tanh_c, c_new), (c, c_new, i, f, g, o, m, m_o, tanh_c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        c, c_new, i, f, g, o, m, m_o, tanh_c = cache
        do = dh * tanh_c * o * (1 - o)
        dm_o = do * (1 - m_o * m_o)
        dc = dc + dh * o * (1 - tanh_c * tanh_c) + dm_o @ self.V_o.T
        di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
        dm = concat(di, df) * (1 - m * m)
        da = concat(di, df, dg, do)
        return da, da, (0, dc * f + dm @ self.V.T), {"V": Product(c, dm), "V_o": Product(c_new, dm_o)}
