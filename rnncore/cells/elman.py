"""The Elman network (Elman 1990), and what its relatives share with it."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.activations import Function, activation_pair
from rnncore.backend import Array
from rnncore.cell import AffineCell, Others
from rnncore.kernels.cpu import ElmanKernel
from rnncore.recurrence import State

__all__ = ["Elman", "SimpleCell"]


@dataclass(frozen=True)
class SimpleCell(AffineCell):
    """h' = φ(x W + h U + b), for W (D, H) and U (H, H); abstract: which φ?"""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)

    @property
    @abstractmethod
    def _functions(self) -> tuple[Function, Function]:
        """φ, and φ' as a function of φ's value."""

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Array]:
        phi, _ = self._functions
        h = phi(wx + uh)
        return (h,), h

    def pointwise_backward(self, dstate: State, cache: Array) -> tuple[Array, Array, State, Others]:
        _, derivative = self._functions
        da = dstate[0] * derivative(cache)
        return da, da, (0,), {}


@dataclass(frozen=True)
class Elman(SimpleCell):
    """The Elman cell: the new state is an activation of the input and the old state.

        a = x W + h U + b
        h' = φ(a)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    φ is tanh unless told: tanh, relu, sigmoid or identity. torch.nn.RNN is this cell with W = weight_ih.T,
    U = weight_hh.T and b = bias_ih + bias_hh. Elman's own network used the logistic function, and a readout of the
    hidden state, which is `rnncore.layers.Dense` here.

    Paper: J. L. Elman, Finding structure in time, Cognitive Science 14, 1990.
    """

    activation: str = tree.static(default="tanh")

    kernel = ElmanKernel()

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        activation: str = "tanh",
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U, zero b. ValueError for a size below one or an unknown activation."""
        return cls(*init.gates(rng, input_size, hidden_size, 1, dtype=dtype), activation)

    def __post_init__(self) -> None:
        super().__post_init__()
        activation_pair("Elman", self.activation)

    @property
    def _functions(self) -> tuple[Function, Function]:
        return activation_pair("Elman", self.activation)
