"""JANET, the LSTM with a forget gate alone (van der Westhuizen and Lasenby 2018)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_finite, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["JANET"]


@dataclass(frozen=True)
class JANET(AffineCell):
    """JANET, just another network: an LSTM of which only the forget gate is left.

        s, a_g = split(x W + h U + b)
        f = σ(s),  g = tanh(a_g)
        h' = f ⊙ h + (1 - σ(s - β)) ⊙ g

    Shapes: x (B, D), h (B, H); W (D, 2H), U (H, 2H), b (2H,), gates in the order s g. State: (h,). Output: h.

    β lets in more than is forgotten; it is given, and 1 as in the paper unless told. The paper's cell state c is its
    output h, so that one state is enough. torchrecurrent's JANETCell is this cell with W = weight_ih.T,
    U = weight_hh.T and b = bias_ih + bias_hh, but it keeps c beside h, and trains β.

    Paper: J. van der Westhuizen, J. Lasenby, The unreasonable effectiveness of the forget gate, arXiv 1804.04849, 2018.
    """

    beta: float = tree.static(default=1.0)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        beta: float = 1.0,
        forget_bias: float = 1.0,
        t_max: int | None = None,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero b, but `forget_bias` for s.

        With `t_max`, the longest dependency expected, the bias of s is `init.chrono` instead, as in the paper.
        """
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        b[:hidden_size] = check_finite("JANET", "forget_bias", forget_bias)
        if t_max is not None:
            b[:hidden_size] = init.chrono(rng, hidden_size, t_max, dtype=dtype)
        return cls(W, U, b, beta)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(2)
        check_finite("JANET", "beta", self.beta)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        s, g = split(wx + uh, 2)
        f, i, g = sigmoid(s), sigmoid(self.beta - s), array_namespace(wx).tanh(g)
        return (f * h + i * g,), (h, f, i, g)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        h, f, i, g = cache
        ds = dh * (h * f * (1 - f) - g * i * (1 - i))
        da = concat(ds, dh * i * (1 - g * g))
        return da, da, (dh * f,), {}
