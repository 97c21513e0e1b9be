"""The recurrent network of rectified linear units that starts at the identity (Le, Jaitly and Hinton 2015)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.activations import ACTIVATIONS, Function
from rnncore.cells.elman import SimpleCell

__all__ = ["IRNN"]


@dataclass(frozen=True)
class IRNN(SimpleCell):
    """Elman's cell with ReLU and a recurrent matrix that starts at the identity: at first it only ever adds up.

        h' = relu(x W + h U + b)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    The step is that of `Elman` with activation="relu"; torch.nn.RNN with nonlinearity="relu" is this cell with
    W = weight_ih.T, U = weight_hh.T and b = bias_ih + bias_hh. What makes it an IRNN is `init`: with U = I and
    x W + b = 0 a state h ≥ 0 stays as it is, and so does its gradient.

    Paper: Q. V. Le, N. Jaitly, G. E. Hinton, A simple way to initialize recurrent networks of rectified linear units,
    arXiv 1504.00941, 2015.
    """

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        scale: float = 1.0,
        input_std: float = 0.001,
        dtype: Any = np.float32,
    ) -> Self:
        """Gaussian W of standard deviation `input_std`, U `scale` times the identity, zero b, as in the paper: a scale
        of 1 for long memories, below it (the paper tries 0.01) for short ones."""
        return cls(
            W=init.normal(rng, input_size, hidden_size, std=input_std, dtype=dtype),
            U=init.identity(hidden_size, scale=scale, dtype=dtype),
            b=np.zeros(hidden_size, dtype=dtype),
        )

    @property
    def _functions(self) -> tuple[Function, Function]:
        return ACTIVATIONS["relu"]
