"""The GRU for inputs with missing values (Che et al. 2018)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_floating, concat, split
from rnncore.cell import Cell, Product, gathered
from rnncore.cells.gru import cut, gru_original, gru_original_backward
from rnncore.recurrence import State

__all__ = ["GRUD"]


@dataclass(frozen=True)
class GRUD(Cell):
    """GRU-D: a missing value decays from its last observation to its mean, and the state decays with it.

        x, m, δ = split(input)
        γ_x = exp(-max(0, δ ⊙ w_x + b_x)),  γ_h = exp(-max(0, δ W_h + b_h))
        x̂ = m ⊙ x + (1 - m) ⊙ (γ_x ⊙ l + (1 - γ_x) ⊙ mean)
        l' = m ⊙ x + (1 - m) ⊙ l
        h' = GRUOriginal(x̂, γ_h ⊙ h)  with m V added to x̂ W + b

    Shapes: input (B, 3D), of which x are the values, m is 1 where a value was observed and 0 where it is missing, and δ
    is the time since each variable was last observed; h (B, H), l (B, D); W and V (D, 3H), U (H, 2H), b (3H,), gates in
    the order r z n; U_n (H, H); W_h (D, H), b_h (H,), w_x and b_x (D,); mean (D,), not trained. State: (h, l).
    Output: h.

    What x holds where m is 0 does not matter, not even nan. l is the last observed value; before the first one it is
    what the initial state says: give the means there if they are not zero. Zeros in `mean` are right for standardised
    inputs. As in GRUOriginal z = 1 keeps the old state; the paper writes 1 - z for z. The authors' Keras code differs
    from the paper: there the candidate is mixed with h, not with γ_h ⊙ h, and 1 - m stands for m.

    A cell of four hooks: neither x̂ nor γ_h ⊙ h is known before the loop.

    Paper: Z. Che, S. Purushotham, K. Cho, D. Sontag, Y. Liu, Recurrent neural networks for multivariate time series
    with missing values, Scientific Reports 8, 2018 (arXiv 1606.01865, 2016).
    """

    W: Array
    U: Array
    b: Array
    U_n: Array
    V: Array
    W_h: Array
    b_h: Array
    w_x: Array
    b_x: Array
    mean: Array = tree.fixed()

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        mean: Any = 0.0,
        dtype: Any = np.float32,
    ) -> Self:
        """As GRUOriginal.init; Glorot-uniform V, and W_h and w_x without their signs: a decay that starts negative is
        cut off by the max, and so gets no gradient. `mean`: a number, or (D,)."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        V, _, _ = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        return cls(
            *(W, U[:, : 2 * hidden_size].copy(), b, U[:, 2 * hidden_size :].copy(), V),
            W_h=np.abs(init.glorot_uniform(rng, input_size, hidden_size, dtype=dtype)),
            b_h=np.zeros(hidden_size, dtype=dtype),
            w_x=np.abs(init.glorot_uniform(rng, 1, input_size, dtype=dtype)[0]),
            b_x=np.zeros(input_size, dtype=dtype),
            mean=np.full(input_size, mean, dtype=dtype),
        )

    def __post_init__(self) -> None:
        check_floating("GRUD", "W", self.W)
        check_array("GRUD", "W", self.W, ("D", "3·H"), self.W)
        check_array("GRUD", "U", self.U, ("H", "2·H"), self.W)
        D, H = self.W.shape[0], self.U.shape[0]
        shapes = {"W": (D, 3 * H), "U": (H, 2 * H), "b": (3 * H,), "U_n": (H, H), "V": (D, 3 * H)}
        shapes |= {"W_h": (D, H), "b_h": (H,), "w_x": (D,), "b_x": (D,), "mean": (D,)}
        for name, shape in shapes.items():
            check_array("GRUD", name, getattr(self, name), shape, self.W)

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (3 * self.W.shape[0],)

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return (self.U.shape[:1], self.W.shape[:1])

    def project(self, xs: Array) -> Array:
        xp = array_namespace(xs)
        x, m, delta = split(xs, 3)
        x = xp.where(m == 0, xp.zeros_like(x), x)
        return concat(m @ self.V + self.b, x, m, self._decay(delta)[0])

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        h, last = state
        mv, x, m, gamma_x, gamma_h = self._parts(projected)
        imputed = self.mean + gamma_x * (last - self.mean)
        x_hat, h_hat = imputed + m * (x - imputed), gamma_h * h
        new, cache = gru_original(x_hat @ self.W + mv, h_hat @ self.U, h_hat, lambda rh: rh @ self.U_n)
        return (new, last + m * (x - last)), (h, last, x, m, gamma_x, gamma_h, imputed, x_hat, cache)

    def retreat(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, State, dict[str, Product]]:
        dh, dlast = dstate
        h, last, x, m, gamma_x, gamma_h, imputed, x_hat, gru_cache = cache
        h_hat, r, _, _ = gru_cache
        da, dh_hat = gru_original_backward(dh, gru_cache, lambda dn: dn @ self.U_n.T)
        dr_dz, dn = cut(da)
        dx_hat, dh_hat = da @ self.W.T, dh_hat + dr_dz @ self.U.T
        dx, dm = m * (dx_hat + dlast), dx_hat * (x - imputed) + dlast * (x - last)
        dimputed = (1 - m) * dx_hat
        dprojected = concat(da, dx, dm, dimputed * (last - self.mean), dh_hat * h)
        dlast = (1 - m) * dlast + dimputed * gamma_x
        residue = {"W": Product(x_hat, da), "U": Product(h_hat, dr_dz), "U_n": Product(r * h_hat, dn)}
        return dprojected, (dh_hat * gamma_h, dlast), residue

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        xp = array_namespace(xs)
        _, m, delta = split(xs, 3)
        da, dx, dm, dgamma_x, dgamma_h = self._parts(dprojected)
        _, derivative = self._decay(delta)
        D = delta.shape[-1]
        dx_decay, dh_decay = dgamma_x * derivative[:, :D], dgamma_h * derivative[:, D:]
        ddelta = dx_decay * self.w_x + dh_decay @ self.W_h.T
        grads = gathered(
            self,
            residues,
            b=xp.sum(da, axis=0),
            V=m.T @ da,
            W_h=delta.T @ dh_decay,
            b_h=xp.sum(dh_decay, axis=0),
            w_x=xp.sum(delta * dx_decay, axis=0),
            b_x=xp.sum(dx_decay, axis=0),
        )
        return concat(dx, dm + da @ self.V.T, ddelta), grads

    def _decay(self, delta: Array) -> tuple[Array, Array]:
        """γ_x and γ_h side by side (N, D + H) at elapsed times δ (N, D), and the derivatives of exp(-max(0, ·))."""
        xp = array_namespace(delta)
        a = concat(delta * self.w_x + self.b_x, delta @ self.W_h + self.b_h)
        zeros = xp.zeros_like(a)
        gamma = xp.exp(-xp.where(a > 0, a, zeros))
        return gamma, xp.where(a > 0, -gamma, zeros)

    def _parts(self, projected: Array) -> tuple[Array, ...]:
        """What `project` puts side by side: m V + b (N, 3H), x, m and γ_x (N, D), γ_h (N, H)."""
        D, G = self.W.shape
        x, m, gamma_x = split(projected[:, G : G + 3 * D], 3)
        return projected[:, :G], x, m, gamma_x, projected[:, G + 3 * D :]
