"""The echo state network's reservoir (Jaeger 2001)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_finite
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["EchoState"]


@dataclass(frozen=True)
class EchoState(AffineCell):
    """A reservoir: a large random network that is not trained, whose units leak; only a readout of it is fitted.

        h' = (1 - α) h + α tanh(x W + h U + b)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,), all of them fixed; the leak rate α is `leak_rate`.
    State: (h,). Output: h.

    W, U and b are fixed arrays: no leaves of the tree, so that an optimiser passes them by, and a gradient of this
    cell holds none for them. Gradients still flow to inputs and state, so what lies below can be trained. The readout
    is a linear map of h, found by least squares. reservoirpy's Reservoir is this cell with Win = W.T, W = U.T,
    bias = b and lr = α. No feedback from the readout, no noise. Jaeger's first reservoirs have α = 1; this form of the
    leak is that of M. Lukoševičius, A practical guide to applying echo state networks, 2012.

    Paper: H. Jaeger, The "echo state" approach to analysing and training recurrent neural networks, GMD Report 148,
    2001.
    """

    W: Array = tree.fixed()
    U: Array = tree.fixed()
    b: Array = tree.fixed()
    leak_rate: float = tree.static(default=1.0)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        spectral_radius: float = 0.9,
        input_scale: float = 1.0,
        bias_scale: float = 0.0,
        leak_rate: float = 1.0,
        sparsity: float = 0.0,
        dtype: Any = np.float32,
    ) -> Self:
        """W uniform in ±input_scale, b in ±bias_scale; Gaussian U of which a share `sparsity` is zero, scaled to
        `spectral_radius` (see `init.reservoir`).

        ValueError for a scale or radius below 0, or a sparsity or leak rate outside 0 … 1.
        """
        for name, value in {"input_scale": input_scale, "bias_scale": bias_scale}.items():
            check_finite("EchoState", name, value, 0)
        return cls(
            W=init.uniform(rng, -input_scale, input_scale, input_size, hidden_size, dtype=dtype),
            U=init.reservoir(rng, hidden_size, spectral_radius=spectral_radius, sparsity=sparsity, dtype=dtype),
            b=init.uniform(rng, -bias_scale, bias_scale, hidden_size, dtype=dtype),
            leak_rate=leak_rate,
        )

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(1)
        object.__setattr__(self, "leak_rate", check_finite("EchoState", "leak_rate", self.leak_rate, 0, 1))

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Array]:
        y = array_namespace(wx).tanh(wx + uh)
        return ((1 - self.leak_rate) * state[0] + self.leak_rate * y,), y

    def pointwise_backward(self, dstate: State, cache: Array) -> tuple[Array, Array, State, Others]:
        (dh,) = dstate
        da = self.leak_rate * dh * (1 - cache * cache)
        return da, da, ((1 - self.leak_rate) * dh,), {}

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        return dprojected @ self.W.T, self  # nothing of it is trained
