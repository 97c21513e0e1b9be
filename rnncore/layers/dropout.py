"""Dropout (Srivastava et al. 2014), and the variational form for sequences (Gal and Ghahramani 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array, check_floating, device
from rnncore.layers.layer import check_rate, check_rng

__all__ = ["Dropout", "dropout_mask"]


def dropout_mask(rng: np.random.Generator, shape: tuple[int, ...], rate: float, like: Array) -> Array:
    """0 with probability p = rate, else 1 / (1 - p), so that the mean is 1; of the library, dtype and device of `like`.

    Drawn with NumPy: one seed gives one mask, whatever the library and the dtype.
    """
    kept = (rng.random(shape) >= rate) / (1 - rate)
    return array_namespace(like).asarray(kept, dtype=like.dtype, device=device(like))


@dataclass(frozen=True, eq=False)
class Dropout:
    """In training each unit is zero with probability p, and the others are scaled so that the mean stays.

        y = m ⊙ x / (1 - p),    m = 0 with probability p, else 1

    Shapes: x and y (T, B, …), or any. Without `rng` (evaluation) y = x.

    Ordinary dropout draws a mask for every step. With `variational` one mask is drawn for each sequence and serves all
    of its steps: the mask lacks the first axis, that of time.

    Papers: N. Srivastava et al., Dropout: a simple way to prevent neural networks from overfitting, JMLR 15, 2014;
    variational: Y. Gal, Z. Ghahramani, A theoretically grounded application of dropout in recurrent neural networks,
    2016.
    """

    rate: float = tree.static()
    variational: bool = tree.static(default=False)

    def __post_init__(self) -> None:
        check_rate("Dropout", "rate", self.rate)

    def forward(self, xs: Array, rng: np.random.Generator | None = None) -> tuple[Array, Any]:
        """xs → ys of the same shape, and a cache for `backward`."""
        check_floating("Dropout.forward", "xs", xs)
        check_rng("Dropout.forward", rng)
        if rng is None or not self.rate:
            return xs, (xs, None)
        mask = dropout_mask(rng, tuple(xs.shape[1:] if self.variational else xs.shape), self.rate, xs)
        return xs * mask, (xs, mask)

    def backward(self, dys: Array, cache: Any) -> tuple[Array, Self]:
        """The gradient of the input; there are no parameters."""
        if not isinstance(cache, tuple) or len(cache) != 2:
            raise TypeError(f"Dropout.backward: cache must be what forward returned last, received a {type(cache)}")
        xs, mask = cache
        check_array("Dropout.backward", "dys", dys, tuple(xs.shape), xs)
        return (dys if mask is None else dys * mask), self
