"""Optimisers and clipping, over any tree of parameters.

Nothing is changed in place: `update` returns new parameters and a new state, so a training run can be stopped, kept
and resumed as plain data.
"""

import math
import numbers
from dataclasses import dataclass
from functools import reduce
from typing import Any, NamedTuple, cast

from rnncore import tree
from rnncore.backend import Array, array_namespace, check_array, check_finite, is_jax, traced

__all__ = ["SGD", "Adam", "Diverged", "Momentum", "RMSprop", "clip_by_global_norm", "clip_by_value", "global_norm"]


class Diverged(ValueError):
    """A loss, or the norm of a gradient, is no finite number any more."""


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
        return tree.map(lambda p, g: p - _number(self.learning_rate) * g, parameters, gradients), state


class MomentumState(NamedTuple):
    """The velocity v."""

    v: Any


@dataclass(frozen=True)
class Momentum:
    """Gradient descent with momentum, plain or Nesterov's.

        v ← μ v + g
        θ ← θ - η v,   Nesterov: θ ← θ - η (g + μ v)

    As in torch, the rate η is not in v; in Sutskever's form it is.

    Papers: B. T. Polyak, Some methods of speeding up the convergence of iteration methods, 1964; I. Sutskever et al.,
    On the importance of initialization and momentum in deep learning, 2013.
    """

    learning_rate: float
    momentum: float = 0.9
    nesterov: bool = tree.static(default=False)

    def __post_init__(self) -> None:
        _positive("Momentum", "learning_rate", self.learning_rate)
        _fraction("Momentum", "momentum", self.momentum)

    def init(self, parameters: Any) -> MomentumState:
        """A velocity of zero."""
        return MomentumState(_zeros(parameters))

    def update(self, parameters: Any, gradients: Any, state: MomentumState) -> tuple[Any, MomentumState]:
        """New parameters, and the new state."""
        _check_update("Momentum", parameters, gradients, state, MomentumState)
        rate, mu = _number(self.learning_rate), _number(self.momentum)
        v = tree.map(lambda v, g: mu * v + g, state.v, gradients)
        if self.nesterov:
            return tree.map(lambda p, v, g: p - rate * (g + mu * v), parameters, v, gradients), MomentumState(v)
        return tree.map(lambda p, v: p - rate * v, parameters, v), MomentumState(v)


class RMSpropState(NamedTuple):
    """The running mean v of the gradient's square."""

    v: Any


@dataclass(frozen=True)
class RMSprop:
    """Each gradient over the root of the running mean of its square.

        v ← α v + (1 - α) g²
        θ ← θ - η g / (√v + ε)

    Source: T. Tieleman, G. Hinton, Lecture 6.5: rmsprop, Coursera, 2012.
    """

    learning_rate: float = 1e-2
    decay: float = 0.99
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _positive("RMSprop", "learning_rate", self.learning_rate)
        _positive("RMSprop", "epsilon", self.epsilon)
        _fraction("RMSprop", "decay", self.decay)

    def init(self, parameters: Any) -> RMSpropState:
        """A mean of zero."""
        return RMSpropState(_zeros(parameters))

    def update(self, parameters: Any, gradients: Any, state: RMSpropState) -> tuple[Any, RMSpropState]:
        """New parameters, and the new state."""
        _check_update("RMSprop", parameters, gradients, state, RMSpropState)
        rate, decay, epsilon = _number(self.learning_rate), _number(self.decay), _number(self.epsilon)
        v = tree.map(lambda v, g: decay * v + (1 - decay) * g * g, state.v, gradients)

        def move(p: Array, v: Array, g: Array) -> Array:
            return p - rate * g / (array_namespace(v).sqrt(v) + epsilon)

        return tree.map(move, parameters, v, gradients), RMSpropState(v)


class AdamState(NamedTuple):
    """Adam's step count t and its running means m of the gradient and v of its square."""

    t: int
    m: Any
    v: Any


@dataclass(frozen=True)
class Adam:
    """Adam, with the paper's bias correction; with `weight_decay` it is AdamW.

        m ← β₁ m + (1 - β₁) g,    v ← β₂ v + (1 - β₂) g²
        θ ← θ - η m̂ / (√v̂ + ε) - η λ θ,   m̂ = m / (1 - β₁ᵗ),  v̂ = v / (1 - β₂ᵗ)

    The decay λ acts on every parameter, biases too, and past the means: not on g.

    Papers: D. P. Kingma, J. Ba, Adam: a method for stochastic optimization, 2015; I. Loshchilov, F. Hutter, Decoupled
    weight decay regularization, 2019.
    """

    learning_rate: float = 1e-3
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    weight_decay: float = 0.0

    def __post_init__(self) -> None:
        _positive("Adam", "learning_rate", self.learning_rate)
        _positive("Adam", "epsilon", self.epsilon)
        _fraction("Adam", "beta1", self.beta1)
        _fraction("Adam", "beta2", self.beta2)
        check_finite("Adam", "weight_decay", self.weight_decay, 0)

    def init(self, parameters: Any) -> AdamState:
        """Means of zero, at step 0."""
        zeros = _zeros(parameters)
        return AdamState(0, zeros, zeros)

    def update(self, parameters: Any, gradients: Any, state: AdamState) -> tuple[Any, AdamState]:
        """New parameters, and the new state."""
        _check_update("Adam", parameters, gradients, state, AdamState)
        t, beta1, beta2, epsilon = state.t + 1, _number(self.beta1), _number(self.beta2), _number(self.epsilon)
        m = tree.map(lambda m, g: beta1 * m + (1 - beta1) * g, state.m, gradients)
        v = tree.map(lambda v, g: beta2 * v + (1 - beta2) * g * g, state.v, gradients)
        size, correction = _number(self.learning_rate) / _unbiased(beta1, t), _unbiased(beta2, t)
        kept = 1 - _number(self.learning_rate) * _number(self.weight_decay)

        def move(p: Array, m: Array, v: Array) -> Array:
            return kept * p - size * m / (array_namespace(v).sqrt(v / correction) + epsilon)

        return tree.map(move, parameters, m, v), AdamState(t, m, v)


def global_norm(gradients: Any) -> float:
    """Euclidean norm of all leaves seen as one long vector; 1e20 has one too, whose square is beyond float32."""
    leaves = [g for _, g in tree.leaves(gradients)]
    if leaves and is_jax(leaves[0]):
        return cast(float, _scaled_norm(leaves))

    def square(g: Array) -> float:
        xp = array_namespace(g)
        wide = xp.astype(g, xp.float64)
        return float(xp.sum(wide * wide))

    return math.sqrt(sum(map(square, leaves)))


def _scaled_norm(leaves: list[Array]) -> Any:
    """`global_norm` without float64, which JAX may not have; of traced leaves it is an array."""
    xp = array_namespace(*leaves)
    largest = reduce(xp.maximum, [xp.max(xp.abs(g), initial=0) for g in leaves])
    unit = xp.where((largest > 0) & (largest < math.inf), largest, 1)
    norm = unit * xp.sqrt(sum(xp.sum((g / unit) ** 2) for g in leaves))
    return norm if traced(norm) else float(norm)


def clip_by_global_norm(gradients: Any, max_norm: float) -> tuple[Any, float]:
    """Scale all gradients by min(1, max_norm / norm), norm being the global one; return them and the norm before.

    One factor for all leaves: the direction stays. A gradient with nan or inf in it is refused, not scaled; where JAX
    traces it, it becomes nan.

    Raises:
        ValueError: `max_norm` is not a positive number.
        Diverged: the norm is not finite; a ValueError.

    Paper: R. Pascanu, T. Mikolov, Y. Bengio, On the difficulty of training recurrent neural networks, 2013.
    """
    _positive("clip_by_global_norm", "max_norm", max_norm)
    norm = global_norm(gradients)
    if traced(norm):
        xp = array_namespace(norm)
        factor = xp.where(norm <= max_norm, 1, max_norm / norm)
        return tree.map(lambda g: g * xp.astype(factor, g.dtype), gradients), norm
    if not math.isfinite(norm):
        raise Diverged(f"clip_by_global_norm: the gradient's norm must be finite, received {norm}")
    if norm <= max_norm:
        return gradients, norm
    return tree.map(lambda g: g * float(max_norm / norm), gradients), norm


def clip_by_value(gradients: Any, limit: float) -> Any:
    """Each element brought into [-limit, limit] for itself: unlike one factor for all, this turns the direction.

    Raises:
        ValueError: `limit` is not a positive number.

    Paper: T. Mikolov, Statistical language models based on neural networks, PhD thesis, Brno, 2012.
    """
    _positive("clip_by_value", "limit", limit)
    return tree.map(lambda g: array_namespace(g).clip(g, -float(limit), float(limit)), gradients)


def _number(value: Any) -> Any:
    return value if traced(value) else float(value)


def _unbiased(beta: Any, t: Any) -> Any:
    """1 - βᵗ, where βᵗ is near 1 too."""
    if not traced(t):
        return 1 - beta**t
    xp = array_namespace(t)
    return -xp.expm1(t * xp.log(xp.asarray(beta, dtype=xp.result_type(float))))


def _zeros(parameters: Any) -> Any:
    return tree.map(lambda p: array_namespace(p).zeros_like(p), parameters)


def _positive(operation: str, name: str, value: float) -> None:
    if not traced(value) and not (isinstance(value, numbers.Real) and value > 0 and math.isfinite(value)):
        raise ValueError(f"{operation}: {name} must be a positive number, received {value!r}")


def _fraction(operation: str, name: str, value: float) -> None:
    if not traced(value) and not (isinstance(value, numbers.Real) and 0 <= float(value) < 1):
        raise ValueError(f"{operation}: {name} must lie in [0, 1), received {value!r}")


def _check_update(name: str, parameters: Any, gradients: Any, state: Any, kind: type) -> None:
    """Gradients, and each part of a state of this kind but its count, must have the form of the parameters."""
    if not isinstance(state, kind):
        wanted = f"{'an' if kind.__name__[0] in 'AEIOR' else 'a'} {kind.__name__}"
        raise TypeError(f"{name}.update: state must be {wanted}, received a {type(state).__name__}")
    _check_form(f"{name}.update", "gradients", gradients, parameters)
    for part, value in state._asdict().items():  # type: ignore[attr-defined]
        if part != "t":
            _check_form(f"{name}.update", f"state.{part}", value, parameters)


def _check_form(operation: str, name: str, given: Any, parameters: Any) -> None:
    have, want = list(tree.leaves(given)), list(tree.leaves(parameters))
    if type(given) is not type(parameters) or [path for path, _ in have] != [path for path, _ in want]:
        raise ValueError(
            f"{operation}: {name} must have the form of the parameters, a {type(parameters).__name__} "
            f"of {', '.join(path for path, _ in want)}; received a {type(given).__name__} "
            f"of {', '.join(path for path, _ in have)}"
        )
    for (path, g), (_, p) in zip(have, want, strict=True):
        check_array(operation, f"{name} {path}" if path else name, g, tuple(p.shape), p)
