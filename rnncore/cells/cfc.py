"""The closed-form continuous-time network (Hasani et al. 2022), in the three forms of its authors' code."""

from abc import abstractmethod
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, check_whole, concat, sigmoid, split
from rnncore.cell import Others, Product, TimedCell
from rnncore.recurrence import State

__all__ = ["CfC", "CfCNoGate", "CfCPure", "ClosedFormCell", "lecun_tanh", "lecun_tanh_slope"]


def lecun_tanh(a: Array) -> Array:
    """1.7159 tanh(0.666 a)."""
    return 1.7159 * array_namespace(a).tanh(0.666 * a)


def lecun_tanh_slope(y: Array) -> Array:
    """The derivative of `lecun_tanh` where its value is y."""
    return 0.666 * 1.7159 * (1 - (y / 1.7159) ** 2)


@dataclass(frozen=True)
class ClosedFormCell(TimedCell):
    """A cell whose new state is a function of Δt and of `heads` vectors that x and h give; abstract.

    Affine maps lead from (x, h) to the heads: the first by W, U and b, then one for each matrix in V, with its bias in
    c. Before each of these further maps comes `lecun_tanh`: so V has as many matrices as there are hidden layers.
    """

    U: Array
    V: tuple[Array, ...]
    c: tuple[Array, ...]

    heads: ClassVar[int]

    @classmethod
    def _weights(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        backbone_units: int | None,
        backbone_layers: int,
        dtype: Any,
    ) -> tuple[Array, Array, Array, tuple[Array, ...], tuple[Array, ...]]:
        """W, b, U, V and c, for hidden layers of `backbone_units`; of `hidden_size` where None."""
        check_whole(cls.__name__, "hidden_size", hidden_size, 1)
        layers = check_whole(cls.__name__, "backbone_layers", backbone_layers, 0)
        units = hidden_size if backbone_units is None else backbone_units
        widths = [units] * layers + [cls.heads * hidden_size]
        W = init.glorot_uniform(rng, input_size, widths[0], dtype=dtype)
        U = init.orthogonal(rng, hidden_size, widths[0], dtype=dtype)
        V = tuple(init.glorot_uniform(rng, *pair, dtype=dtype) for pair in pairwise(widths))
        b, *c = (np.zeros(width, dtype=dtype) for width in widths)
        return W, b, U, V, tuple(c)

    def __post_init__(self) -> None:
        super().__post_init__()
        operation, width = type(self).__name__, self.W.shape[1]
        check_array(operation, "U", self.U, ("H", width), self.W)
        if len(self.V) != len(self.c):
            raise ValueError(f"{operation}: c must have one bias for each of the {len(self.V)} in V, has {len(self.c)}")
        for i, (V, c) in enumerate(zip(self.V, self.c, strict=True)):
            check_array(operation, f"V[{i}]", V, (width, "K"), self.W)
            width = V.shape[1]
            check_array(operation, f"c[{i}]", c, (width,), self.W)
        if width != self.heads * self.U.shape[0]:
            name = f"V[{len(self.V) - 1}]" if self.V else "W"
            last = self.V[-1] if self.V else self.W
            check_array(operation, name, last, (last.shape[0], self.heads * self.U.shape[0]), self.W)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1],)

    @abstractmethod
    def solve(self, a: Array, dt: Array) -> tuple[Array, Any]:
        """The new state from the heads a (B, heads·H) and dt (B, 1) ≥ 0; and a cache."""

    @abstractmethod
    def solve_backward(self, dh: Array, cache: Any) -> tuple[Array, Array, Others]:
        """Gradients of a, of dt (B, 1), and of the parameters that `solve` uses."""

    def pointwise(self, wx: Array, dt: Array, state: State) -> tuple[State, Any]:
        (h,), layers = state, []
        a = wx + h @ self.U
        for V, c in zip(self.V, self.c, strict=True):
            layers.append(lecun_tanh(a))
            a = layers[-1] @ V + c
        new, cache = self.solve(a, dt)
        return (new,), (h, layers, cache)

    def pointwise_backward(self, dstate: State, cache: Any) -> tuple[Array, Array, State, Others]:
        h, layers, solve_cache = cache
        da, ddt, others = self.solve_backward(dstate[0], solve_cache)
        dV: tuple[Product, ...] = ()
        dc: tuple[Array, ...] = ()
        for V, y in zip(reversed(self.V), reversed(layers), strict=True):
            dV, dc = (Product(y, da), *dV), (da, *dc)
            da = (da @ V.T) * lecun_tanh_slope(y)
        return da, ddt, (da @ self.U.T,), others | {"U": Product(h, da), "V": dV, "c": dc}


@dataclass(frozen=True)
class TimeGatedCell(ClosedFormCell):
    """A closed-form cell with four heads, of which two make a weight that time moves from 0 to 1 or back; abstract."""

    gate: ClassVar[bool]  # whether the second head takes the place of the first, or adds to it

    heads = 4

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        backbone_units: int | None = None,
        *,
        backbone_layers: int = 1,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W and V, (semi-)orthogonal U, zero b and c; `backbone_units` is `hidden_size` unless told."""
        return cls(*cls._weights(rng, input_size, hidden_size, backbone_units, backbone_layers, dtype))

    def solve(self, a: Array, dt: Array) -> tuple[Array, Any]:
        n, (_, _, t_a, t_b) = a.shape[-1] // 4, split(a, 4)
        f = array_namespace(a).tanh(a[:, : 2 * n])
        f1, f2 = split(f, 2)
        s = sigmoid(t_a * dt + t_b)
        way = f2 - f1 if self.gate else f2
        return f1 + s * way, (dt, t_a, f, s, way)

    def solve_backward(self, dh: Array, cache: Any) -> tuple[Array, Array, Others]:
        dt, t_a, f, s, way = cache
        df2 = dh * s
        df1 = dh - df2 if self.gate else dh
        dt_b = dh * way * s * (1 - s)
        da = concat(concat(df1, df2) * (1 - f * f), dt_b * dt, dt_b)
        return da, array_namespace(dh).sum(dt_b * t_a, axis=-1, keepdims=True), {}


@dataclass(frozen=True)
class CfC(TimeGatedCell):
    """Closed-form continuous-time cell: what a liquid time-constant cell solves step by step, in one formula; the
    state moves from one head to another as time passes.

        a = x W + h U + b
        a = 1.7159 tanh(0.666 a) V[i] + c[i], for each i in turn
        f1, f2, t_a, t_b = split(a)
        s = σ(t_a Δt + t_b)
        h' = (1 - s) ⊙ tanh(f1) + s ⊙ tanh(f2)

    Shapes: x (B, D), Δt (B, 1), h (B, H); W (D, K), U (H, K), b (K,); V[0] (K, K), …, V[n - 1] (K, 4H), with biases
    c[0] (K,), …, c[n - 1] (4H,), for n hidden layers (the backbone) of K units; K = 4H where n = 0. State: (h,).
    Output: h.

    An input (x, Δt) ends with the time since the step before; of a negative Δt the magnitude counts. The old state
    acts through the heads alone. In the paper's equation, σ(-f t) ⊙ g + (1 - σ(-f t)) ⊙ h, there is no t_b, but in its
    authors' code and in ncps there is. ncps' CfCCell (mode "default") is this cell with its first weight [W; U].T and
    the heads ff1, ff2, time_a, time_b in the columns of the last matrix; it has 128 backbone units unless told, here
    there are H.

    Errors: ValueError where V and c differ in number.

    Paper: R. Hasani, M. Lechner, A. Amini, L. Liebenwein, A. Ray, M. Tschaikowski, G. Teschl, D. Rus, Closed-form
    continuous-time neural networks, arXiv 2106.13898, 2022.
    """

    gate = True


@dataclass(frozen=True)
class CfCNoGate(TimeGatedCell):
    """CfC whose second head adds to the first, instead of taking its place.

        a = x W + h U + b
        a = 1.7159 tanh(0.666 a) V[i] + c[i], for each i in turn
        f1, f2, t_a, t_b = split(a)
        s = σ(t_a Δt + t_b)
        h' = tanh(f1) + s ⊙ tanh(f2)

    Shapes: x (B, D), Δt (B, 1), h (B, H); W, U, b, V and c as in CfC. State: (h,). Output: h.

    All else as in CfC. ncps has it under mode "no_gate".

    Errors: ValueError where V and c differ in number.

    Paper: R. Hasani, M. Lechner, A. Amini, L. Liebenwein, A. Ray, M. Tschaikowski, G. Teschl, D. Rus, Closed-form
    continuous-time neural networks, arXiv 2106.13898, 2022.
    """

    gate = False


@dataclass(frozen=True)
class CfCPure(ClosedFormCell):
    """The approximate solution of the liquid time-constant equation itself: the state decays towards A.

        f = x W + h U + b
        f = 1.7159 tanh(0.666 f) V[i] + c[i], for each i in turn
        h' = A - A ⊙ f ⊙ exp(-Δt (|w_tau| + |f|))

    Shapes: x (B, D), Δt (B, 1), h (B, H); W (D, K), U (H, K), b (K,); V[n - 1] (K, H), c[n - 1] (H,), the others as in
    CfC; K = H where n = 0; A and w_tau (H,). State: (h,). Output: h.

    This is the cell of ncps under mode "pure", with ff1 = f. The paper's approximation has (h₀ - A) f(-x) in the place
    of -A f, h₀ being the initial state, and no magnitudes. The derivative of |w_tau| at 0 is taken as 1; ncps takes 0
    and starts from there, so that its w_tau is never trained.

    Errors: ValueError where V and c differ in number.

    Paper: R. Hasani, M. Lechner, A. Amini, L. Liebenwein, A. Ray, M. Tschaikowski, G. Teschl, D. Rus, Closed-form
    continuous-time neural networks, arXiv 2106.13898, 2022.
    """

    A: Array
    w_tau: Array

    heads = 1

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        backbone_units: int | None = None,
        *,
        backbone_layers: int = 1,
        dtype: Any = np.float32,
    ) -> Self:
        """As CfC.init; A = 1 and w_tau = 0, as ncps."""
        W, b, U, V, c = cls._weights(rng, input_size, hidden_size, backbone_units, backbone_layers, dtype)
        return cls(W, b, U, V, c, np.ones(hidden_size, dtype=dtype), np.zeros(hidden_size, dtype=dtype))

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("A", "w_tau"):
            check_array("CfCPure", name, getattr(self, name), self.U.shape[:1], self.W)

    def solve(self, a: Array, dt: Array) -> tuple[Array, Any]:
        xp, w = array_namespace(a), self.w_tau
        rate = xp.where(w < 0, -w, w) + xp.abs(a)
        decay = xp.exp(-dt * rate)
        return self.A - self.A * a * decay, (dt, a, rate, decay)

    def solve_backward(self, dh: Array, cache: Any) -> tuple[Array, Array, Others]:
        (dt, a, rate, decay), xp = cache, array_namespace(dh)
        dproduct = -dh * self.A * decay  # of a, and with a of the exponent
        dexponent = dproduct * a
        drate = -dt * dexponent
        others = {"A": dh - dh * a * decay, "w_tau": xp.where(self.w_tau < 0, -drate, drate)}
        return dproduct + xp.where(a < 0, -drate, drate), -xp.sum(rate * dexponent, axis=-1, keepdims=True), others
