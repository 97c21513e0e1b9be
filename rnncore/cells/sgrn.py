"""The simple gated recurrent network (Zu and Wei 2021)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, sigmoid
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["SGRN"]


@dataclass(frozen=True)
class SGRN(AffineCell):
    """One gate and no candidate of its own: the projected input that feeds the gate is also what is taken in.

        p = x W + b
        f = σ(p + h U)
        h' = tanh((1 - f) ⊙ p + f ⊙ h)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    An Elman network has as many parameters. torchrecurrent.SGRNCell is this cell with W = weight_ih.T,
    U = weight_hh.T and b = bias_ih; its bias_hh, a second bias of the gate alone, is zero here.

    Paper: X. Zu, K. Wei, A simple gated recurrent network for detection of power quality disturbances, IET Generation,
    Transmission & Distribution 15, 2021.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, orthogonal U, zero b."""
        return cls(*init.gates(rng, input_size, hidden_size, 1, dtype=dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        f = sigmoid(wx + uh)
        h_new = array_namespace(wx).tanh((1 - f) * wx + f * h)
        return (h_new,), (h, wx, f, h_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        h, p, f, h_new = cache
        da = dstate[0] * (1 - h_new * h_new)
        df = da * (h - p) * f * (1 - f)
        return da * (1 - f) + df, df, (da * f,), {}
