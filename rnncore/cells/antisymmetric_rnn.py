"""The antisymmetric network, plain and gated (Chang et al. 2019)."""

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, concat, device, sigmoid, split
from rnncore.cell import AffineCell, Others
from rnncore.recurrence import State

__all__ = ["AntisymmetricCell", "AntisymmetricRNN", "GatedAntisymmetricRNN"]


@dataclass(frozen=True)
class AntisymmetricCell(AffineCell):
    """A cell whose steps are run with U - Uᵀ - γ I in the place of its parameter U; abstract."""

    epsilon: float = tree.static(default=0.01)
    gamma: float = tree.static(default=0.1)

    gates: ClassVar[int]

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        epsilon: float = 0.01,
        gamma: float = 0.1,
        dtype: Any = np.float32,
    ) -> Self:
        """Glorot-uniform W, each gate drawn for itself; orthogonal U; zero b.

        Then no eigenvalue of U - Uᵀ is larger than 2, and 2γ ≥ ε (γ² + 4), as with the defaults, keeps the linear
        step I + ε (U - Uᵀ - γ I) from growing.
        """
        W, U, b = init.gates(rng, input_size, hidden_size, cls.gates, dtype=dtype)
        return cls(W, U[:, :hidden_size].copy(), b, epsilon, gamma)

    def __post_init__(self) -> None:
        super().__post_init__()
        operation, hidden_size = type(self).__name__, self.U.shape[0]
        check_array(operation, "U", self.U, (hidden_size, hidden_size), self.W)
        check_array(operation, "W", self.W, (self.W.shape[0], self.gates * hidden_size), self.W)
        self._check_options(epsilon=0, gamma=0)

    def effective(self) -> Self:
        U = self.U
        eye = array_namespace(U).eye(U.shape[0], dtype=U.dtype, device=device(U))
        return dataclasses.replace(self, U=U - U.T - self.gamma * eye)

    def effective_backward(self, grads: Self) -> Self:
        return dataclasses.replace(grads, U=grads.U - grads.U.T)


@dataclass(frozen=True)
class AntisymmetricRNN(AntisymmetricCell):
    """Euler steps of an equation whose Jacobian has eigenvalues near the imaginary axis: little grows, little fades.

        M = U - Uᵀ - γ I
        h' = h + ε tanh(x W + h M + b)

    Shapes: x (B, D), h (B, H); W (D, H), U (H, H), b (H,). State: (h,). Output: h.

    ε, the step, and γ, the diffusion, are given numbers; M is made once for a sequence. The gradient of U is
    antisymmetric. The paper notes that a strictly triangular U is enough: any M has such a U, and gradient descent
    then moves M half as far. torchrecurrent's cell is this one with U = weight_hh.T, ε = 1 and γ = 0 unless told.

    Errors: ValueError where ε or γ is not a finite number from 0.

    Paper: B. Chang, M. Chen, E. Haber, E. H. Chi, AntisymmetricRNN: a dynamical system view on recurrent neural
    networks, arXiv 1902.09689, 2019.
    """

    gates = 1

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, Array]:
        a = array_namespace(wx).tanh(wx + uh)
        return (state[0] + self.epsilon * a,), a

    def pointwise_backward(self, dstate: State, cache: Array) -> tuple[Array, Array, State, Others]:
        (dh,), a = dstate, cache
        da = self.epsilon * dh * (1 - a * a)
        return da, da, (dh,), {}


@dataclass(frozen=True)
class GatedAntisymmetricRNN(AntisymmetricCell):
    """The antisymmetric network with a gate on each step's length; gate and step share the recurrent matrix.

        M = U - Uᵀ - γ I
        z_x, a = split(x W + b)
        z = σ(z_x + h M)
        h' = h + ε z ⊙ tanh(a + h M)

    Shapes: x (B, D), h (B, H); W (D, 2H), U (H, H), b (2H,), in the order z a. State: (h,). Output: h.

    All else as in AntisymmetricRNN. torchrecurrent's cell adds bias_hh to a alone, where its documentation has it in
    both; with bias_hh = 0 it is this cell.

    Errors: ValueError where ε or γ is not a finite number from 0.

    Paper: B. Chang, M. Chen, E. Haber, E. H. Chi, AntisymmetricRNN: a dynamical system view on recurrent neural
    networks, arXiv 1902.09689, 2019.
    """

    gates = 2

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, Array]]:
        z, a = split(wx, 2)
        z, a = sigmoid(z + uh), array_namespace(wx).tanh(a + uh)
        return (state[0] + self.epsilon * z * a,), (z, a)

    def pointwise_backward(self, dstate: State, cache: tuple[Array, Array]) -> tuple[Array, Array, State, Others]:
        (dh,), (z, a) = dstate, cache
        dza = self.epsilon * dh * z
        dz, da = dza * a * (1 - z), dza * (1 - a * a)
        return concat(dz, da), dz + da, (dh,), {}
