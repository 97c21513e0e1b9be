"""The light GRU (Ravanelli et al. 2018)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.activations import activation_pair
from rnncore.backend import Array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["LiGRU"]


@dataclass(frozen=True)
class LiGRU(AffineCell):
    """The light GRU: no reset gate, and a candidate that is rectified instead of squashed.

        a_z, a_n = split(x W + h U + b)
        z = σ(a_z),  n = relu(a_n)
        h' = z ⊙ h + (1 - z) ⊙ n

    Shapes: x (B, D), h (B, H); W (D, 2H), U (H, 2H), b (2H,), gates in the order z n. State: (h,). Output: h.

    The paper normalises x W over the batch, which keeps the unbounded candidate in check, and has no bias beside the
    shift of that normalisation, which is b here. The normalisation itself is not part of the cell: for it, make and
    normalise the product in layers before the cell, and give the cell W = I. torchrecurrent's LiGRUCell, without
    normalisation too, is this cell with W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh.

    Paper: M. Ravanelli, P. Brakel, M. Omologo, Y. Bengio, Light gated recurrent units for speech recognition, IEEE
    Transactions on Emerging Topics in Computational Intelligence 2, arXiv 1803.10225, 2018.
    """

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself, as in the paper; zero b."""
        return cls(*init.gates(rng, input_size, hidden_size, 2, dtype=dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(2)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        relu, _ = activation_pair("LiGRU", "relu")
        (h,) = state
        z, n = split(wx + uh, 2)
        z, n = sigmoid(z), relu(n)
        return (n + z * (h - n),), (h, z, n)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        _, derivative = activation_pair("LiGRU", "relu")
        (dh,) = dstate
        h, z, n = cache
        da = concat(dh * (h - n) * z * (1 - z), dh * (1 - z) * derivative(n))
        return da, da, (dh * z,), {}
