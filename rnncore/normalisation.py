"""Layer normalisation of the last axis, and its derivative."""

from rnncore.backend import Array, array_namespace

__all__ = ["layer_norm", "layer_norm_backward"]


def layer_norm(a: Array, gain: Array, bias: Array, epsilon: float) -> tuple[Array, tuple[Array, Array]]:
    """y = g ⊙ (a - μ) / √(σ² + ε) + b, μ and σ² being mean and variance over the last axis of a (…, N); and a cache."""
    xp = array_namespace(a)
    centred = a - xp.mean(a, axis=-1, keepdims=True)
    scale = 1 / xp.sqrt(xp.mean(centred * centred, axis=-1, keepdims=True) + epsilon)
    normal = centred * scale
    return gain * normal + bias, (normal, scale)


def layer_norm_backward(dy: Array, gain: Array, cache: tuple[Array, Array]) -> tuple[Array, Array, Array]:
    """The derivative of `layer_norm`: gradients of a (…, N), and of gain and bias as rows (…, N), to be summed."""
    xp = array_namespace(dy)
    normal, scale = cache
    d = dy * gain
    along = normal * xp.mean(d * normal, axis=-1, keepdims=True)  # what the scale takes back
    return (d - xp.mean(d, axis=-1, keepdims=True) - along) * scale, dy * normal, dy
