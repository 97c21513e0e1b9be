"""Embeddings: one row of numbers for each of K symbols."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import (
    Array,
    add_rows,
    array_namespace,
    check_array,
    check_dtype,
    check_floating,
    check_whole,
    check_within,
    take_rows,
)

__all__ = ["Embedding", "check_indices"]


@dataclass(frozen=True, eq=False)
class Embedding:
    """Whole numbers become rows of a matrix: the product of a one-hot vector with E, without making it.

        y = E[k],    ∂L/∂E[j] = Σ_{k = j} ∂L/∂y

    Shapes: k (…) of whole numbers 0 … K - 1, E (K, D), y (…, D).

    The symbol `padding`, where there is one, becomes zeros, and its row bears no gradient: padding_idx of
    torch.nn.Embedding, which has zeros in that row. Whole numbers have no gradient: `backward` gives None for them.

    Paper: Y. Bengio, R. Ducharme, P. Vincent, C. Jauvin, A neural probabilistic language model, JMLR 3, 2003.
    """

    E: Array
    padding: int | None = tree.static(default=None)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        symbols: int,
        size: int,
        *,
        padding: int | None = None,
        dtype: Any = np.float32,
    ) -> Self:
        """Standard normal rows, as in torch; zeros for `padding`."""
        for count in (symbols, size):
            check_whole("Embedding", "each size", count, 1)
        check_dtype("Embedding", dtype)
        E = rng.standard_normal((symbols, size)).astype(dtype)
        layer = cls(E, padding)
        if padding is not None:
            E[padding] = 0
        return layer

    def __post_init__(self) -> None:
        check_floating("Embedding", "E", self.E)
        check_array("Embedding", "E", self.E, ("K", "D"), self.E)
        if self.padding is not None and check_whole("Embedding", "padding", self.padding, 0) >= self.E.shape[0]:
            raise ValueError(f"Embedding: padding must lie in 0 … {self.E.shape[0] - 1}, received {self.padding}")

    def forward(self, ks: Array) -> tuple[Array, Array]:
        """ks (…) → ys (…, D), and a cache for `backward`."""
        check_indices("Embedding.forward", "ks", ks, self.E)
        xp = array_namespace(ks)
        rows = take_rows(self.E, xp.reshape(ks, (-1,)))
        return self._without_padding(xp.reshape(rows, (*ks.shape, self.E.shape[1])), ks), ks

    def backward(self, dys: Array, cache: Array) -> tuple[None, Self]:
        """None for the input, and the gradient of E: each row's is the sum over all its uses."""
        check_indices("Embedding.backward", "cache", cache, self.E)
        check_array("Embedding.backward", "dys", dys, (*cache.shape, self.E.shape[1]), self.E)
        xp, (K, D) = array_namespace(dys), self.E.shape
        ks = xp.reshape(cache, (-1,))
        rows = xp.reshape(self._without_padding(dys, cache), (*ks.shape, D))
        return None, type(self)(add_rows(rows, ks, K), self.padding)

    def _without_padding(self, rows: Array, ks: Array) -> Array:
        if self.padding is None:
            return rows
        xp = array_namespace(rows)
        return xp.where((ks == self.padding)[..., None], xp.zeros_like(rows), rows)


def check_indices(operation: str, name: str, ks: Array, E: Array) -> None:
    """Refuse what are no rows of E (K, D): TypeError, or ValueError for a number outside 0 … K - 1."""
    try:
        xp = array_namespace(ks, E)
    except TypeError as error:
        raise TypeError(f"{operation}: {name} and E: {error}") from None
    if not xp.isdtype(ks.dtype, "integral"):
        raise TypeError(f"{operation}: {name} must be whole numbers, received dtype {ks.dtype}")
    check_within(operation, name, ks, E.shape[0])
