"""The dense layer: an affine map of the last axis."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, check_floating

__all__ = ["Dense"]


@dataclass(frozen=True, eq=False)
class Dense:
    """y = x V + c, at every step alike: the readout of a recurrent network.

    Shapes: x (…, H), V (H, K), c (K,), y (…, K).
    """

    V: Array
    c: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, output_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform V, zero c."""
        return cls(init.glorot_uniform(rng, input_size, output_size, dtype=dtype), np.zeros(output_size, dtype=dtype))

    def __post_init__(self) -> None:
        check_floating("Dense", "V", self.V)
        check_array("Dense", "V", self.V, ("H", "K"), self.V)
        check_array("Dense", "c", self.c, (self.V.shape[1],), self.V)

    def forward(self, xs: Array) -> tuple[Array, Array]:
        """xs (…, H) → ys (…, K), and a cache for `backward`."""
        check_array("Dense.forward", "xs", xs, (*_free(xs), self.V.shape[0]), self.V)
        return xs @ self.V + self.c, xs

    def backward(self, dys: Array, cache: Array) -> tuple[Array, Self]:
        """Gradients of the input (…, H) and of the parameters, from that of the output (…, K)."""
        check_array("Dense.backward", "cache", cache, (*_free(cache), self.V.shape[0]), self.V)
        check_array("Dense.backward", "dys", dys, (*cache.shape[:-1], self.V.shape[1]), self.V)
        xp = array_namespace(dys)
        rows, drows = xp.reshape(cache, (-1, self.V.shape[0])), xp.reshape(dys, (-1, self.V.shape[1]))
        return dys @ self.V.T, type(self)(V=rows.T @ drows, c=xp.sum(drows, axis=0))


def _free(xs: Any) -> tuple[str, ...]:
    """Names for the leading axes of xs, of which there must be one at least."""
    return tuple(f"N{i}" for i in range(max(1, len(getattr(xs, "shape", ())) - 1)))
