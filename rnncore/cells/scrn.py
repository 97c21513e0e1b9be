"""The structurally constrained recurrent network (Mikolov et al. 2014)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, check_array, check_finite, concat, sigmoid
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["SCRN"]


@dataclass(frozen=True)
class SCRN(AffineCell):
    """An Elman cell beside K context units that change slowly: each is a moving average of the input.

        a_c, a_h = split(x W + b)
        c' = (1 - α) a_c + α c
        h' = σ(a_h + h U + c' P)

    Shapes: x (B, D), h (B, H), c (B, K); W (D, K + H), b (K + H,), context units first; U (H, H), P (K, H).
    State: (h, c). Output: h.

    In the paper's letters W is (B, A), U is R; its cell has no b. α is the same for all units and not trained, as in
    the paper's main model; it also tries one α for each unit, trained as σ(β). Its readout sees both layers,
    y = f(h' U_y + c' V_y): c is the second part of the state here. torchrecurrent's SCRNCell is another cell: what it
    feeds back as h is tanh(h' U_2 + c' P_2), a readout of h' and c', and it trains α without keeping it in 0 … 1.

    Paper: T. Mikolov, A. Joulin, S. Chopra, M. Mathieu, M. Ranzato, Learning longer memory in recurrent neural
    networks, arXiv 1412.7753, 2014.
    """

    P: Array
    alpha: float = tree.static(default=0.95)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        context_size: int | None = None,
        *,
        alpha: float = 0.95,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W (each part for itself) and P, orthogonal U, zero b; `context_size` is `hidden_size` unless
        told (the paper's is smaller, such as 40 beside 100)."""
        context_size = hidden_size if context_size is None else context_size
        W = [init.glorot_uniform(rng, input_size, size, dtype=dtype) for size in (context_size, hidden_size)]
        return cls(
            W=np.concatenate(W, axis=1),
            U=init.orthogonal(rng, hidden_size, hidden_size, dtype=dtype),
            b=np.zeros(context_size + hidden_size, dtype=dtype),
            P=init.glorot_uniform(rng, context_size, hidden_size, dtype=dtype),
            alpha=alpha,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("SCRN", "U", self.U, (hidden_size, hidden_size), self.W)
        check_array("SCRN", "P", self.P, ("K", hidden_size), self.W)
        check_array("SCRN", "W", self.W, ("D", self.P.shape[0] + hidden_size), self.W)
        object.__setattr__(self, "alpha", check_finite("SCRN", "alpha", self.alpha, 0, 1))

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.P.shape[:1])

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, Array]]:
        K = self.P.shape[0]
        c = (1 - self.alpha) * wx[..., :K] + self.alpha * state[1]
        h = sigmoid(wx[..., K:] + uh + c @ self.P)
        return (h, c), (h, c)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Array]) -> tuple[Array, Array, State, Others]:
        dh, dc = dstate
        h, c = cache
        da = dh * h * (1 - h)
        dc = dc + da @ self.P.T
        return concat((1 - self.alpha) * dc, da), da, (0, self.alpha * dc), {"P": Product(c, da)}
