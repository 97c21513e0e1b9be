"""Optimisers and clipping, over any tree of parameters.

Nothing is changed in place: `update` returns new parameters and a new state, so a training run can be stopped, kept
and resumed as plain data.
"""

import math
import numbers
from dataclasses import dataclass
from typing import Any, NamedTuple

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array

__all__ = ["SGD", "Adam", "clip_by_global_norm", "global_norm"]


@dataclass(frozen=True)
class SGD:
    """Gradient descent: θ ← θ - η g."""

    learning_rate: float

    def __post_init__(self) -> None:
        _positive("SGD", "learning_rate", self.learning_rate)

    def init(self, parameters: Any) -> tuple[()]:
        """The state of plain gradient descent is empty."""
        return ()

    def update(self, parameters: Any, gradients: Any, state: tuple[()]) -> tuple[Any, tuple[()]]:
        """New parameters, and the state."""
        _check_form("SGD.update", "gradients", gradients, parameters)
        return tree.map(lambda p, g: p - float(self.learning_rate) * g, parameters, gradients), state


class AdamState(NamedTuple):
    """Adam's step count t and its running means m of the gradient and v of its square."""

    t: int
    m: Any
    v: Any


@dataclass(frozen=True)
class Adam:
    """Adam, with the paper's bias correction.

        m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²
        θ ← θ - η m̂ / (√v̂ + ε),   m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    Paper: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _positive("Adam", "learning_rate", self.learning_rate)
        _positive("Adam", "epsilon", self.epsilon)
        for name in ("beta1", "beta2"):
            value = getattr(self, name)
            if not (isinstance(value, numbers.Real) and 0 <= float(value) < 1):
                raise ValueError(f"Adam: {name} must lie in [0, 1), received {value!r}")

    def init(self, parameters: Any) -> AdamState:
        """Means of zero, at step 0."""
        zeros = tree.map(lambda p: array_namespace(p).zeros_like(p), parameters)
        return AdamState(0, zeros, zeros)

    def update(self, parameters: Any, gradients: Any, state: AdamState) -> tuple[Any, AdamState]:
        """New parameters, and the new state."""
        if not isinstance(state, AdamState):
            raise TypeError(f"Adam.update: state must be an AdamState, received a {type(state).__name__}")
        for name, other in (("gradients", gradients), ("state.m", state.m), ("state.v", state.v)):
            _check_form("Adam.update", name, other, parameters)
        t, beta1, beta2, epsilon = state.t + 1, float(self.beta1), float(self.beta2), float(self.epsilon)
        m = tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.m, gradients)
        v = tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state.v, gradients)
        size, correction = float(self.learning_rate) / (1 - beta1**t), 1 - beta2**t

        def move(p: Array, m: Array, v: Array) -> Array:
            return p - size * m / (array_namespace(v).sqrt(v / correction) + epsilon)

        return tree.map(move, parameters, m, v), AdamState(t, m, v)


def global_norm(gradients: Any) -> float:
    """Euclidean norm of all leaves seen as one long vector; summed in float64, where 1e20 squared is a number still."""

    def square(g: Array) -> float:
        xp = array_namespace(g)
        wide = xp.astype(g, xp.float64)
        return float(xp.sum(wide * wide))

    return math.sqrt(sum(square(g) for _, g in tree.leaves(gradients)))


def clip_by_global_norm(gradients: Any, max_norm: float) -> tuple[Any, float]:
    """Scale all gradients by min(1, max_norm / norm), norm being the global one; return them and the norm before.

    One factor for all leaves: the direction stays. A gradient with nan or inf in it is refused, not scaled.

    Raises:
        ValueError: `max_norm` is not a positive number, or the norm is not finite.

    Paper: R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural networks, 2013.
    """
    _positive("clip_by_global_norm", "max_norm", max_norm)
    norm = global_norm(gradients)
    if not math.isfinite(norm):
        raise ValueError(f"clip_by_global_norm: the gradient's norm is {norm}; no factor can mend that")
    if norm <= max_norm:
        return gradients, norm
    return tree.map(lambda g: g * float(max_norm / norm), gradients), norm


def _positive(operation: str, name: str, value: float) -> None:
    if not (isinstance(value, numbers.Real) and value > 0 and math.isfinite(value)):
        raise ValueError(f"{operation}: {name} must be a positive number, received {value!r}")


def _check_form(operation: str, name: str, given: Any, parameters: Any) -> None:
    have, want = dict(tree.leaves(given)), dict(tree.leaves(parameters))
    if type(given) is not type(parameters) or have.keys() != want.keys():
        raise ValueError(
            f"{operation}: {name} must have the form of the parameters, a {type(parameters).__name__} "
            f"of {', '.join(want)}; received a {type(given).__name__} of {', '.join(have)}"
        )
    for path, p in want.items():
        check_array(operation, f"{name} {path}".rstrip(), have[path], tuple(p.shape), p)
