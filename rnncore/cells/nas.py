"""The recurrent cell that neural architecture search found (Zoph and Le 2016)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.activations import ACTIVATIONS
from rnncore.backend import Array, array_namespace, concat, sigmoid, split
from rnncore.cell import Others
from rnncore.cells.lstm import MemoryCell
from rnncore.recurrence import State

__all__ = ["NAS"]


@dataclass(frozen=True)
class NAS(MemoryCell):
    """The cell that a search over trees with eight leaves found best for language: nobody designed its equations.

        x_0, …, x_7 = x W + b;  h_0, …, h_7 = h U;  a_k = x_k + h_k
        p = tanh(c + tanh(σ(a_0) ⊙ relu(a_1)))
        q = tanh(σ(a_2) + relu(x_3 ⊙ h_3))
        r = tanh(tanh(tanh(a_4) ⊙ σ(a_5)) + σ(tanh(a_6) + σ(a_7)))
        c' = p ⊙ q
        h' = tanh(c' ⊙ r)

    Shapes: x (B, D), h and c (B, H); W (D, 8H), U (H, 8H), b (8H,), leaves in the order 0 2 5 7 4 6 1 3: those of one
    function side by side. State: (h, c). Output: h.

    This is NASCell of TensorFlow, which its authors published (kernel and recurrent_kernel with their leaves in the
    order above, no biases: its default); with biases, TensorFlow adds that of leaf 3 to h_3, this cell to x_3.
    torchrecurrent's NASCell has relu(x_3 + h_3) instead.

    Paper: B. Zoph, Q. V. Le, Neural architecture search with reinforcement learning, arXiv 1611.01578, 2016.
    """

    gates = 8

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, each leaf drawn for itself; zero b."""
        return cls(*init.gates(rng, input_size, hidden_size, cls.gates, dtype=dtype))

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        xp, (_, c), size = array_namespace(wx), state, self.U.shape[0]
        relu, _ = ACTIVATIONS["relu"]
        x3, h3 = wx[..., 7 * size :], 1.0 * uh[..., 7 * size :]  # a view would keep all of uh
        a = wx[..., : 7 * size] + uh[..., : 7 * size]
        s = sigmoid(a[..., : 4 * size])
        t = xp.tanh(a[..., 4 * size : 6 * size])
        u, v = relu(a[..., 6 * size :]), relu(x3 * h3)
        (s0, s2, s5, s7), (t4, t6) = split(s, 4), split(t, 2)

        p_in, q = xp.tanh(s0 * u), xp.tanh(s2 + v)
        r_tanh, r_gate = xp.tanh(t4 * s5), sigmoid(t6 + s7)
        p, r = xp.tanh(c + p_in), xp.tanh(r_tanh + r_gate)
        c_new = p * q
        h = xp.tanh(c_new * r)
        return (h, c_new), (x3, h3, s, t, u, v, p_in, r_tanh, r_gate, p, q, r, c_new, h)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        _, relu_derivative = ACTIVATIONS["relu"]
        dh, dc = dstate
        x3, h3, s, t, u, v, p_in, r_tanh, r_gate, p, q, r, c_new, h = cache
        (s0, _, s5, _), (t4, _) = split(s, 4), split(t, 2)
        dh = dh * (1 - h * h)
        dc = dc + dh * r
        dr = dh * c_new * (1 - r * r)
        dp = dc * q * (1 - p * p)

        dp_in = dp * (1 - p_in * p_in)
        dq = dc * p * (1 - q * q)
        dr_tanh = dr * (1 - r_tanh * r_tanh)
        dr_gate = dr * r_gate * (1 - r_gate)

        ds = concat(dp_in * u, dq, dr_tanh * t4, dr_gate) * s * (1 - s)
        dt = concat(dr_tanh * s5, dr_gate) * (1 - t * t)
        du, dv = dp_in * s0 * relu_derivative(u), dq * relu_derivative(v)
        return concat(ds, dt, du, dv * h3), concat(ds, dt, du, dv * x3), (0, dp), {}
