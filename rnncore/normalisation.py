"""Layer normalisation (Ba, Kiros and Hinton 2016) and its derivative, for cells and layers alike.

    μ = mean(a),  s = 1 / √(mean((a - μ)²) + ε)
    y = gain ⊙ s (a - μ) + bias

Mean and variance are those of the last axis, of each row alone: neither batch nor time matters.
"""

import numbers
from typing import Any

from rnncore.backend import Array, array_namespace

__all__ = ["check_epsilon", "layer_norm", "layer_norm_backward"]


def layer_norm(a: Array, gain: Array, bias: Array | None, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    """y (…, N) from a (…, N), gain and bias (N,), no bias where None; and a cache.

    A row of equal entries, such as any row of one, has no variance: y is then the bias.
    """
    xp = array_namespace(a)
    centred = a - xp.mean(a, axis=-1, keepdims=True)
    variance = xp.linalg.vecdot(centred, centred)[..., None] / a.shape[-1]
    scale = 1 / xp.sqrt(variance + epsilon)
    normalised = centred * scale
    y = gain * normalised
    return (y if bias is None else y + bias), (normalised, scale)


def layer_norm_backward(dy: Array, gain: Array, cache: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """The derivative of `layer_norm`: gradients of a (…, N), and of gain and bias for each row (…, N), to be summed.

    y does not feel a shift of its row, nor (but for ε) a stretch: the gradient's parts along these two are taken out.
    """
    normalised, scale = cache
    xp, n, d = array_namespace(dy), dy.shape[-1], gain * dy
    shift = xp.linalg.vecdot(dy, gain)[..., None] / n
    stretch = xp.linalg.vecdot(d, normalised)[..., None] / n
    return (d - shift - stretch * normalised) * scale, dy * normalised, dy


def check_epsilon(operation: str, epsilon: Any) -> float:
    """ε as a float; ValueError where it is no positive finite number."""
    if not isinstance(epsilon, numbers.Real) or not 0 < float(epsilon) < float("inf"):
        raise ValueError(f"{operation}: epsilon must be a positive number, received {epsilon!r}")
    return float(epsilon)
