"""The stackable recurrent cell (Turkoglu et al. 2019)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["STAR"]


@dataclass(frozen=True)
class STAR(AffineCell):
    """A cell to be stacked: one gate, a candidate from the input alone, and a tanh that keeps gradients in size.

        z_x, k_x = split(x W + b)
        z = tanh(z_x),  k = σ(k_x + h U)
        h' = tanh((1 - k) ⊙ h + k ⊙ z)

    Shapes: x (B, D), h (B, H); W (D, 2H), b (2H,), gates in the order z k; U (H, H). State: (h,). Output: h.

    torchrecurrent.STARCell is this cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih, its bias_hh zero (it
    adds to b's half of k). The authors' program keeps σ(f) and takes in 1 - σ(f - 1), as JANET; this is the paper's.

    Paper: M. O. Turkoglu, S. D'Aronco, J. D. Wegner, K. Schindler, Gating revisited: deep multi-layer RNNs that can be
    trained, arXiv 1911.11033, 2019.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W, each gate drawn for itself; orthogonal U; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 2, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b)

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("STAR", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("STAR", "W", self.W, (self.W.shape[0], 2 * hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (h,) = array_namespace(wx), state
        z, k = split(wx, 2)
        z, k = xp.tanh(z), sigmoid(k + uh)
        h_new = xp.tanh(h + k * (z - h))
        return (h_new,), (h, z, k, h_new)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        h, z, k, h_new = cache
        da = dstate[0] * (1 - h_new * h_new)
        dz = da * k * (1 - z * z)
        dk = da * (z - h) * k * (1 - k)
        return concat(dz, dk), dk, (da * (1 - k),), {}
