"""Activation functions, each with its derivative written in terms of its own output.

With y = φ(a), backpropagation needs φ'(a); for the functions here φ'(a) is a function of y, so a needs no keeping.
modReLU, which has a parameter and acts on several numbers at once, stands apart.
"""

from collections.abc import Callable

from rnncore.backend import Array, array_namespace, sigmoid

__all__ = ["ACTIVATIONS", "Function", "activation_pair", "mod_relu", "mod_relu_backward"]

Function = Callable[[Array], Array]
"""From an array to one of the same shape."""


def _tanh(a: Array) -> Array:
    return array_namespace(a).tanh(a)


def _relu(a: Array) -> Array:
    xp = array_namespace(a)
    return xp.maximum(a, xp.zeros_like(a))


ACTIVATIONS: dict[str, tuple[Function, Function]] = {
    "tanh": (_tanh, lambda y: 1 - y * y),
    "relu": (_relu, lambda y: array_namespace(y).astype(y > 0, y.dtype)),
    "sigmoid": (sigmoid, lambda y: y * (1 - y)),
    "identity": (lambda a: a, lambda y: array_namespace(y).ones_like(y)),
}
"""Name → (φ, φ' as a function of y = φ(a)). At a = 0 the derivative of relu is taken as 0."""


def activation_pair(operation: str, name: str) -> tuple[Function, Function]:
    """Look up (φ, φ'); ValueError naming `operation` and the known names."""
    if name not in ACTIVATIONS:
        raise ValueError(f"{operation}: activation must be one of {', '.join(ACTIVATIONS)}, received {name!r}")
    return ACTIVATIONS[name]


def mod_relu(z: Array, b: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    """modReLU: z with its modulus |z| turned into relu(|z| + b), its direction kept; and a cache.

    z is (…, 1, H) for H real numbers, or (…, 2, H) for H complex ones: real parts, imaginary parts; b (H,).

        y = relu(|z| + b) z / |z|

    At z = 0, where there is no direction, y = 0. At |z| + b = 0 the derivative is the one from above, so that b = 0 is
    the identity everywhere.

    Paper: M. Arjovsky, A. Shah, Y. Bengio, Unitary evolution recurrent neural networks, arXiv 1511.06464, 2016.
    """
    xp = array_namespace(z)
    square = xp.sum(z * z, axis=-2, keepdims=True)
    zero = xp.astype(square == 0, z.dtype)
    modulus = xp.sqrt(square + zero)  # 1 in place of 0, so that nothing is divided by zero
    on = xp.astype(modulus - zero + b >= 0, z.dtype)
    scale = on * (1 + b / modulus)
    return scale * z, (z / modulus, scale, on)


def mod_relu_backward(dy: Array, cache: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    """The derivative of `mod_relu`: gradients of z, and of b for each row (…, H).

    Along the direction of z the modulus changes, at slope 1; across it y turns with z, at slope |y| / |z|.
    """
    direction, scale, on = cache
    along = array_namespace(dy).sum(dy * direction, axis=-2, keepdims=True)
    db = on * along
    return scale * (dy - along * direction) + db * direction, db[..., 0, :]
