"""The residual LSTM (Kim, El-Khamy and Lee 2017)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import Others, Product, gathered
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["ResLSTM"]


@dataclass(frozen=True)
class ResLSTM(MemoryCell):
    """LSTM with a shortcut: the input joins the projected cell state before the output gate, past all memory.

        a_i, a_f, a_g, a_o = split(x W + h U + b);  p_i, p_f, p_o = split(p)
        i = σ(a_i + p_i ⊙ c),  f = σ(a_f + p_f ⊙ c),  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        o = σ(a_o + p_o ⊙ c')
        h' = o ⊙ (tanh(c') R + x S)

    Shapes: x (B, D), h and c (B, H); W (D, 4H), U (H, 4H), b (4H,), gates in the order i f g o; p (3H,), in the order
    i f o; R (H, H), S (D, H). State: (h, c). Output: h.

    Where D = H the paper takes the identity for S. Its projection may also narrow h; here h is as wide as c.
    torchrecurrent.ResLSTMCell is this cell with R = weight_proj.T, S = weight_res.T, p = weight_ph and
    b = bias_ih + bias_hh.

    Paper: J. Kim, M. El-Khamy, J. Lee, Residual LSTM: design of a deep recurrent architecture for distant speech
    recognition, Interspeech, arXiv 1701.03360, 2017.
    """

    p: Array
    R: Array
    S: Array

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
        """As LSTM.init; zero peepholes; Glorot-uniform R and S."""
        return cls(
            *cls._weights(rng, input_size, hidden_size, forget_bias, dtype),
            np.zeros(3 * hidden_size, dtype=dtype),
            init.glorot_uniform(rng, hidden_size, hidden_size, dtype=dtype),
            init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype),
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("ResLSTM", "p", self.p, (3 * hidden_size,), self.W)
        check_array("ResLSTM", "R", self.R, (hidden_size, hidden_size), self.W)
        check_array("ResLSTM", "S", self.S, (self.W.shape[0], hidden_size), self.W)

    def project(self, xs: Array) -> Array:
        return xs @ concat(self.W, self.S) + concat(self.b, 0 * self.S[0])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c) = array_namespace(wx), state
        i, f, g, o, shortcut = split(wx, 5)
        i_h, f_h, g_h, o_h = split(uh, 4)
        p_i, p_f, p_o = split(self.p, 3)
        i, f, g = sigmoid(i + i_h + p_i * c), sigmoid(f + f_h + p_f * c), xp.tanh(g + g_h)
        c_new = f * c + i * g
        o, tanh_c = sigmoid(o + o_h + p_o * c_new), xp.tanh(c_new)
        shown = tanh_c @ self.R + shortcut
        return (o * shown, c_new), (c, c_new, i, f, g, o, tanh_c, shown)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        c, c_new, i, f, g, o, tanh_c, shown = cache
        p_i, p_f, p_o = split(self.p, 3)
        dshown, do = dh * o, dh * shown * o * (1 - o)
        dc = dc + dshown @ self.R.T * (1 - tanh_c * tanh_c) + do * p_o
        di, df, dg = dc * g * i * (1 - i), dc * c * f * (1 - f), dc * i * (1 - g * g)
        dwx = concat(di, df, dg, do, dshown)
        others = {"p": concat(di * c, df * c, do * c_new), "R": Product(tanh_c, dshown)}
        return dwx, dwx[:, : self.U.shape[1]], (0, dc * f + di * p_i + df * p_f), others

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dWS, count = xs.T @ dprojected, self.W.shape[1]
        db = array_namespace(xs).sum(dprojected[:, :count], axis=0)
        dxs = dprojected @ concat(self.W, self.S).T
        return dxs, gathered(self, residues, W=dWS[:, :count], b=db, S=dWS[:, count:])
