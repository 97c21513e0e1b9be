"""Activation functions, each with its derivative written in terms of its own output.

With y = φ(a), backpropagation needs φ'(a); for the functions here φ'(a) is a function of y, so a needs no keeping.
"""

from collections.abc import Callable

from rnncore.backend import Array, array_namespace, sigmoid

__all__ = ["ACTIVATIONS", "Function", "activation_pair"]

Function = Callable[[Array], Array]
"""From an array to one of the same shape."""


def _tanh(a: Array) -> Array:
    return array_namespace(a).tanh(a)


def _relu(a: Array) -> Array:
    return array_namespace(a).maximum(a, 0.0)


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
