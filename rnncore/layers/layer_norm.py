"""Layer normalisation (Ba, Kiros and Hinton 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array, check_dtype, check_floating, check_whole
from rnncore.normalisation import check_epsilon, layer_norm, layer_norm_backward

__all__ = ["LayerNorm"]


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """Each vector is shifted and scaled to mean 0 and variance 1 over its own units; then gain and bias.

        y = g ⊙ (x - μ) / √(σ² + ε) + b,    μ, σ² mean and variance of x over its last axis

    Shapes: x and y (…, D), gain g and bias b (D,). No other step and no other sequence takes part, so training and
    evaluation are alike. torch.nn.LayerNorm(D) is this layer.

    Paper: J. L. Ba, J. R. Kiros, G. E. Hinton, Layer normalization, arXiv:1607.06450, 2016.
    """

    gain: Array
    bias: Array
    epsilon: float = tree.static(default=1e-5)

    @classmethod
    def init(cls, size: int, *, epsilon: float = 1e-5, dtype: Any = np.float32) -> Self:
        """Gain one, bias zero."""
        check_whole("LayerNorm", "size", size, 1)
        check_dtype("LayerNorm", dtype)
        return cls(np.ones(size, dtype=dtype), np.zeros(size, dtype=dtype), epsilon)

    def __post_init__(self) -> None:
        check_floating("LayerNorm", "gain", self.gain)
        check_array("LayerNorm", "gain", self.gain, ("D",), self.gain)
        check_array("LayerNorm", "bias", self.bias, tuple(self.gain.shape), self.gain)
        check_epsilon("LayerNorm", self.epsilon)

    def forward(self, xs: Array) -> tuple[Array, Any]:
        """xs (…, D) → ys (…, D), and a cache for `backward`."""
        check_array("LayerNorm.forward", "xs", xs, (*_free(xs), *self.gain.shape), self.gain)
        ys, cache = layer_norm(xs, self.gain, self.bias, self.epsilon)
        return ys, (tuple(xs.shape), cache)

    def backward(self, dys: Array, cache: Any) -> tuple[Array, Self]:
        """Gradients of the input and of the parameters."""
        if not isinstance(cache, tuple) or len(cache) != 2:
            raise TypeError(f"LayerNorm.backward: cache must be what forward returned last, received a {type(cache)}")
        shape, inner = cache
        check_array("LayerNorm.backward", "dys", dys, shape, self.gain)
        dxs, dgain, dbias = layer_norm_backward(dys, self.gain, inner)
        leading = tuple(range(len(dys.shape) - 1))
        xp = array_namespace(dys)
        return dxs, type(self)(xp.sum(dgain, axis=leading), xp.sum(dbias, axis=leading), self.epsilon)


def _free(xs: Any) -> tuple[str, ...]:
    """Names for the leading axes of xs."""
    return tuple(f"N{i}" for i in range(len(getattr(xs, "shape", (0,))) - 1))
