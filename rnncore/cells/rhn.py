"""The recurrent highway network (Zilly et al. 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_finite, check_whole, concat, sigmoid, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.recurrence import State

__all__ = ["RHN"]


@dataclass(frozen=True)
class RHN(AffineCell):
    """The recurrent highway network: one time step is L highway layers, and only the first of them sees the input.

        s_0 = h,  a_1 = x W + s_0 U + b,  a_l = s_l-1 Us_l + bs_l  for l = 2 … L
        p, q = split(a_l)
        n = tanh(p),  t = σ(q)
        s_l = t ⊙ n + (1 - t) ⊙ s_l-1
        h' = s_L

    Shapes: x (B, D), h (B, H); W (D, 2H), U (H, 2H), b (2H,), in the order n t; Us and bs tuples of L - 1 arrays
    (H, 2H) and (2H,). State: (h,). Output: h.

    The carry gate is 1 - t, as in the paper's experiments; where `coupled` is False it is a third part of a_l with
    weights of its own, s_l = t ⊙ n + c ⊙ s_l-1, in the order n t c, and 2H above is 3H. The products with
    Us need the layer before, so they are made within the step.

    Paper: J. G. Zilly, R. K. Srivastava, J. Koutník, J. Schmidhuber, Recurrent highway networks, arXiv 1607.03474,
    2016.
    """

    Us: tuple[Array, ...]
    bs: tuple[Array, ...]
    coupled: bool = tree.static(default=True)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        depth: int = 3,
        *,
        coupled: bool = True,
        transform_bias: float = -2.0,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, orthogonal U and Us, each gate drawn for itself; zero biases, but `transform_bias` for t.

        With -2, the authors' value for words (for characters: -4), each layer at first carries most of what it gets.
        `depth` is L, from 1.
        """
        bias, layers = check_finite("RHN", "transform_bias", transform_bias), check_whole("RHN", "depth", depth, 1)
        drawn = [init.gates(rng, input_size, hidden_size, 2 if coupled else 3, dtype=dtype) for _ in range(layers)]
        for _, _, b in drawn:
            b[hidden_size : 2 * hidden_size] = bias
        first, *deeper = drawn
        return cls(*first, tuple(U for _, U, _ in deeper), tuple(b for _, _, b in deeper), coupled)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.coupled, bool):
            raise ValueError(f"RHN: coupled must be True or False, received {self.coupled!r}")
        self._check_gates(2 if self.coupled else 3)
        for name, shape in (("Us", self.U.shape), ("bs", self.b.shape)):
            arrays = getattr(self, name)
            if not isinstance(arrays, tuple) or len(arrays) != len(self.Us):
                raise ValueError("RHN: Us and bs must be tuples of as many arrays, one for each layer but the first")
            for i, array in enumerate(arrays):
                check_array("RHN", f"{name}[{i}]", array, tuple(shape), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, list[tuple[Array, ...]]]:
        s, cache = self._layer(wx + uh, state[0])
        caches = [cache]
        for U, b in zip(self.Us, self.bs, strict=True):
            s, cache = self._layer(s @ U + b, s)
            caches.append(cache)
        return (s,), caches

    def pointwise_backward(self, dstate: State, cache: list[tuple[Array, ...]]) -> tuple[Array, Array, State, Others]:
        (ds,), (first, *deeper) = dstate, cache
        dUs, dbs = [], []
        for U, layer in zip(reversed(self.Us), reversed(deeper), strict=True):
            da, carried = self._layer_backward(ds, layer)
            ds = carried + da @ U.T
            dUs.append(Product(layer[0], da))
            dbs.append(da)
        da, carried = self._layer_backward(ds, first)
        return da, da, (carried,), {"Us": tuple(reversed(dUs)), "bs": tuple(reversed(dbs))}

    def _layer(self, a: Array, s: Array) -> tuple[Array, tuple[Array, ...]]:
        """One highway layer: the new s from a (B, 2H or 3H) and s (B, H); and a cache."""
        n, t, *c = split(a, 2 if self.coupled else 3)
        n, t = array_namespace(a).tanh(n), sigmoid(t)
        carry = 1 - t if self.coupled else sigmoid(c[0])
        return t * n + carry * s, (s, n, t, carry)

    def _layer_backward(self, ds: Array, cache: tuple[Array, ...]) -> tuple[Array, Array]:
        """The derivative of `_layer`: gradients of a, and of the old s beside the path through a."""
        s, n, t, carry = cache
        dn = ds * t * (1 - n * n)
        if self.coupled:
            return concat(dn, ds * (n - s) * t * carry), ds * carry
        return concat(dn, ds * n * t * (1 - t), ds * s * carry * (1 - carry)), ds * carry
