"""The liquid time-constant network with synapses, as its authors' code has it (Hasani et al. 2021)."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_floating, check_whole, concat, sigmoid, softplus
from rnncore.cell import Cell, gathered
from rnncore.recurrence import State

__all__ = ["LTCSynapse", "synapses", "synapses_backward"]

SENSORY = ("W", "mu_x", "sigma_x", "E_x")
RECURRENT = ("U", "mu", "sigma", "E")
POSITIVE = ("W", "U", "leak", "capacity")


def synapses(v: Array, w: Array, mu: Array, sigma: Array, E: Array) -> tuple[Array, Array]:
    """From v (B, J), for each of H neurons: Σ_j r_ji E_ji and Σ_j r_ji, with r_ji = w_ji σ(sigma_ji (v_j - mu_ji))."""
    xp = array_namespace(v)
    r = w * sigmoid(sigma * (v[:, :, None] - mu))
    return xp.sum(r * E, axis=1), xp.sum(r, axis=1)


def synapses_backward(
    dn: Array, dq: Array, v: Array, w: Array, mu: Array, sigma: Array, E: Array
) -> tuple[Array, tuple[Array, ...]]:
    """The derivative of `synapses`: gradient of v, and of w, mu, sigma and E summed over the batch (1, J, H)."""
    xp, dn, dq = array_namespace(v), dn[:, None, :], dq[:, None, :]
    distance = v[:, :, None] - mu
    gate = sigmoid(sigma * distance)
    dgate = dn * E + dq  # with w = 1
    da = dgate * w * gate * (1 - gate)
    dw, dmu, dsigma, dE = (
        xp.sum(d, axis=0, keepdims=True) for d in (dgate * gate, -da * sigma, da * distance, dn * w * gate)
    )
    return xp.sum(da * sigma, axis=2), (dw, dmu, dsigma, dE)


@dataclass(frozen=True)
class LTCSynapse(Cell):
    """Liquid time-constant neurons joined by synapses: each opens with the potential before it, and pulls the one
    behind it towards its own E.

    An input (x, Δt) brings the time since the step before, in which K = `unfolds` semi-implicit Euler steps of
    c dh_i/dt = leak_i (rest_i - h_i) + Σ_j s_ji (E_x_ji - h_i) + Σ_j r_ji (E_ji - h_i) are made:

        δ = Δt / K
        s_ji = W_ji σ(sigma_x_ji (x_j - mu_x_ji))
        K times:
            r_ji = U_ji σ(sigma_ji (h_j - mu_ji))
            n_i = leak_i rest_i + Σ_j s_ji E_x_ji + Σ_j r_ji E_ji
            q_i = leak_i + Σ_j s_ji + Σ_j r_ji
            h_i = (capacity_i h_i + δ n_i) / (capacity_i + δ q_i)

    with the softplus of W, U, leak and capacity in their places: these are positive.

    Shapes: x (B, D), Δt (B, 1), h (B, H); W, mu_x, sigma_x, E_x (D, H); U, mu, sigma, E (H, H); leak, rest and
    capacity (H,). State: (h,). Output: h.

    Of a negative Δt the magnitude counts. ncps' LTCCell, fully wired and without its maps of inputs and outputs, is
    this cell with implicit_param_constraints (without, it clips the four after each step of training) and epsilon = 0
    (it adds epsilon to the denominator). Every gate sees one pair of neurons, so there is no matrix product: a step
    costs B (D + K H) H logistic functions, and `backward` computes them again instead of keeping them. LTC is the cell
    of the paper's equation.

    Errors: ValueError where `unfolds` is not an integer from 1.

    Paper: R. Hasani, M. Lechner, A. Amini, D. Rus, R. Grosu, Liquid time-constant networks, arXiv 2006.04439, 2021.
    """

    W: Array
    mu_x: Array
    sigma_x: Array
    E_x: Array
    U: Array
    mu: Array
    sigma: Array
    E: Array
    leak: Array
    rest: Array
    capacity: Array
    unfolds: int = tree.static(default=6)

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        unfolds: int = 6,
        dtype: Any = np.float32,
    ) -> Self:
        """Uniform in the ranges of ncps: W, U and leak, as they act, in 0.001 … 1, capacity in 0.4 … 0.6, rest in ±0.2,
        sigma in 3 … 8, mu in 0.3 … 0.8; E is 1 for two synapses in three, else -1."""

        def uniform(low: float, high: float, *shape: int) -> Array:
            return init.uniform(rng, low, high, *shape, dtype=dtype)

        def positive(low: float, high: float, *shape: int) -> Array:
            return np.log(np.expm1(uniform(low, high, *shape)))  # what has this softplus

        def synapses_from(size: int) -> tuple[Array, Array, Array, Array]:
            shape = size, hidden_size
            E = np.where(uniform(0, 3, *shape) < 1, -1, 1).astype(dtype)
            return positive(0.001, 1, *shape), uniform(0.3, 0.8, *shape), uniform(3, 8, *shape), E

        return cls(
            **dict(zip(SENSORY, synapses_from(input_size), strict=True)),
            **dict(zip(RECURRENT, synapses_from(hidden_size), strict=True)),
            leak=positive(0.001, 1, hidden_size),
            rest=uniform(-0.2, 0.2, hidden_size),
            capacity=positive(0.4, 0.6, hidden_size),
            unfolds=unfolds,
        )

    def __post_init__(self) -> None:
        check_floating("LTCSynapse", "W", self.W)
        check_array("LTCSynapse", "W", self.W, ("D", "H"), self.W)
        inputs, neurons = self.W.shape
        shapes = dict.fromkeys(SENSORY, (inputs, neurons)) | dict.fromkeys(RECURRENT, (neurons, neurons))
        for name, shape in (shapes | dict.fromkeys(("leak", "rest", "capacity"), (neurons,))).items():
            check_array("LTCSynapse", name, getattr(self, name), shape, self.W)
        check_whole("LTCSynapse", "unfolds", self.unfolds, 1)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (self.W.shape[0] + 1,)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.leak.shape,)

    def effective(self) -> Self:
        return dataclasses.replace(self, **{name: softplus(getattr(self, name)) for name in POSITIVE})

    def effective_backward(self, grads: Self) -> Self:
        return dataclasses.replace(
            grads, **{name: getattr(grads, name) * sigmoid(getattr(self, name)) for name in POSITIVE}
        )

    def project(self, xs: Array) -> Array:
        x, dt = xs[:, :-1], xs[:, -1:]
        return concat(x, array_namespace(xs).where(dt < 0, -dt, dt))

    def advance(self, projected: Array, state: State) -> tuple[State, Any]:
        x, delta, (h,) = projected[:, :-1], projected[:, -1:] / self.unfolds, state
        n_x, q_x = synapses(x, *_values(self, SENSORY))
        steps = []
        for _ in range(self.unfolds):
            n, q = synapses(h, *_values(self, RECURRENT))
            n, q = n + n_x + self.leak * self.rest, q + q_x + self.leak
            divisor = self.capacity + delta * q
            new = (self.capacity * h + delta * n) / divisor
            steps.append((h, n, q, divisor, new))
            h = new
        return (h,), (x, delta, steps)

    def retreat(self, dstate: State, cache: Any) -> tuple[Array, State, Any]:
        (dh,), (x, delta, steps), xp = dstate, cache, array_namespace(dstate[0])
        dn_sum, dq_sum, dcapacity, ddelta, drecurrent = 0, 0, 0, 0, (0, 0, 0, 0)
        for h, n, q, divisor, new in reversed(steps):
            dh = dh / divisor  # of the numerator; -dh · new is that of the divisor
            dn, dq = delta * dh, -delta * dh * new
            ddelta = ddelta + xp.sum(dh * (n - new * q), axis=-1, keepdims=True)
            dcapacity = dcapacity + dh * (h - new)
            dn_sum, dq_sum = dn_sum + dn, dq_sum + dq
            dv, between = synapses_backward(dn, dq, h, *_values(self, RECURRENT))
            drecurrent = tuple(total + d for total, d in zip(drecurrent, between, strict=True))
            dh = dh * self.capacity + dv
        dx, dsensory = synapses_backward(dn_sum, dq_sum, x, *_values(self, SENSORY))
        residue = {
            **dict(zip(SENSORY, dsensory, strict=True)),
            **dict(zip(RECURRENT, drecurrent, strict=True)),
            "leak": dn_sum * self.rest + dq_sum,
            "rest": dn_sum * self.leak,
            "capacity": dcapacity,
        }
        return concat(dx, ddelta / self.unfolds), (dh,), residue

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        dt, dx, ddt = xs[:, -1:], dprojected[:, :-1], dprojected[:, -1:]
        return concat(dx, array_namespace(xs).where(dt < 0, -ddt, ddt)), gathered(self, residues)


def _values(cell: LTCSynapse, names: tuple[str, ...]) -> list[Array]:
    return [getattr(cell, name) for name in names]
