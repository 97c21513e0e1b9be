"""The gated recurrent unit (Cho et al. 2014), in the two forms that share its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore import init
from rnncore.backend import Array, array_namespace, check_array, concat, sigmoid, split
from rnncore.cell import AffineCell, Others, Product
from rnncore.kernels.cpu import GRUKernel
from rnncore.recurrence import State

__all__ = ["GRU", "GRUOriginal", "cut", "gru", "gru_backward", "gru_original", "gru_original_backward"]


def gru(wx: Array, uh: Array, b_hn: Array, h: Array) -> tuple[Array, tuple[Array, ...]]:
    """The new state from wx, uh (B, 3H) and the old h (B, H), the reset gate after the product; and a cache."""
    r, z, n = split(wx, 3)
    r_h, z_h, n_h = split(uh, 3)
    r, z, n_h = sigmoid(r + r_h), sigmoid(z + z_h), n_h + b_hn
    n = array_namespace(wx).tanh(n + r * n_h)
    return n + z * (h - n), (h, r, z, n, n_h)


def gru_backward(dh: Array, cache: tuple[Array, ...]) -> tuple[Array, Array, Array, Array]:
    """The derivative of `gru`: gradients of wx, of uh, of each row's b_hn and of the old h."""
    h, r, z, n, n_h = cache
    dn = dh * (1 - z) * (1 - n * n)
    dr = dn * n_h * r * (1 - r)
    dz = dh * (h - n) * z * (1 - z)
    dn_h = dn * r
    return concat(dr, dz, dn), concat(dr, dz, dn_h), dn_h, dh * z


@dataclass(frozen=True)
class GRU(AffineCell):
    """The GRU of torch and cuDNN: the reset gate acts after the product with U.

        r_x, z_x, n_x = split(x W + b);  r_h, z_h, n_h = split(h U)
        r = σ(r_x + r_h),  z = σ(z_x + z_h)
        n = tanh(n_x + r ⊙ (n_h + b_hn))
        h' = (1 - z) ⊙ n + z ⊙ h

    Shapes: x (B, D), h (B, H); W (D, 3H), U (H, 3H), b (3H,), gates in the order r z n; b_hn (H,). State: (h,).
    Output: h.

    torch.nn.GRU is this cell with W = weight_ih.T, U = weight_hh.T, b_hn the last third of bias_hh, and b = bias_ih
    plus the first two thirds of bias_hh. It keeps the old state where z is 1; some texts write 1 - z for z.

    Paper: K. Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, arXiv 1406.1078v1, 2014: its first version has the reset gate in this place, the published one before
    the product, as GRUOriginal.
    """

    b_hn: Array

    kernel = GRUKernel()

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U, each gate drawn for itself; zero biases."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        return cls(W, U, b, b[:hidden_size].copy())

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_gates(3)
        check_array("GRU", "b_hn", self.b_hn, (self.U.shape[0],), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        h, cache = gru(wx, uh, self.b_hn, state[0])
        return (h,), cache

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        dwx, duh, db_hn, dh = gru_backward(dstate[0], cache)
        return dwx, duh, (dh,), {"b_hn": db_hn}


def gru_original(wx: Array, uh: Array, h: Array, product: Callable[[Array], Array]) -> tuple[Array, tuple[Array, ...]]:
    """The reset gate before the product: from wx (B, 3H), uh (B, 2H) and the old h, the new h and a cache.

    `product` takes r ⊙ h to what the candidate adds to its third of wx, such as (r ⊙ h) U_n.
    """
    r_z, n = cut(wx)
    r, z = split(sigmoid(r_z + uh), 2)
    n = array_namespace(wx).tanh(n + product(r * h))
    return n + z * (h - n), (h, r, z, n)


def gru_original_backward(
    dh: Array, cache: tuple[Array, ...], adjoint: Callable[[Array], Array]
) -> tuple[Array, Array]:
    """The derivative of `gru_original`: gradients of wx (its first two thirds are that of uh) and of the old h.

    `adjoint` takes the gradient of what `product` returned to that of r ⊙ h.
    """
    h, r, z, n = cache
    dn = dh * (1 - z) * (1 - n * n)
    drh = adjoint(dn)
    dr = drh * h * r * (1 - r)
    dz = dh * (h - n) * z * (1 - z)
    return concat(dr, dz, dn), dh * z + drh * r


def cut(a: Array) -> tuple[Array, Array]:
    """The first two thirds of the last axis, r and z, and the last, n."""
    place = a.shape[-1] // 3 * 2
    return a[..., :place], a[..., place:]


@dataclass(frozen=True)
class GRUOriginal(AffineCell):
    """The GRU of the paper: the reset gate acts on the state before the product.

        r_x, z_x, n_x = split(x W + b);  r_h, z_h = split(h U)
        r = σ(r_x + r_h),  z = σ(z_x + z_h)
        n = tanh(n_x + (r ⊙ h) U_n)
        h' = (1 - z) ⊙ n + z ⊙ h

    Shapes: x (B, D), h (B, H); W (D, 3H), U (H, 2H), b (3H,), gates in the order r z n; U_n (H, H). State: (h,).
    Output: h.

    The product with U_n cannot wait for the others, so it is made step by step. Keras has this cell under
    reset_after=False.

    Paper: K. Cho et al., Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, 2014.
    """

    U_n: Array

    @classmethod
    def init(cls, rng: np.random.Generator, input_size: int, hidden_size: int, *, dtype: Any = np.float32) -> Self:
        """Glorot-uniform W and orthogonal U and U_n, each gate drawn for itself; zero b."""
        W, U, b = init.gates(rng, input_size, hidden_size, 3, dtype=dtype)
        return cls(W, U[:, : 2 * hidden_size].copy(), b, U[:, 2 * hidden_size :].copy())

    def __post_init__(self) -> None:
        super().__post_init__()
        hidden_size = self.U.shape[0]
        check_array("GRUOriginal", "U", self.U, (hidden_size, 2 * hidden_size), self.W)
        check_array("GRUOriginal", "W", self.W, (self.W.shape[0], 3 * hidden_size), self.W)
        check_array("GRUOriginal", "U_n", self.U_n, (hidden_size, hidden_size), self.W)

    def pointwise(self, wx: Array, uh: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        h, cache = gru_original(wx, uh, state[0], lambda rh: rh @ self.U_n)
        return (h,), cache

    def pointwise_backward(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, Array, State, Others]:
        h, r, _, _ = cache
        da, dh = gru_original_backward(dstate[0], cache, lambda dn: dn @ self.U_n.T)
        dr_dz, dn = cut(da)
        return da, dr_dz, (dh,), {"U_n": Product(r * h, dn)}
