"""The GRU of images, whose products are convolutions (Ballas et al. 2015)."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from rnncore.backend import Array, check_array
from rnncore.cell import Others
from rnncore.cells.conv_lstm import ConvolutionalCell, convolution_product
from rnncore.cells.gru import cut, gru_original, gru_original_backward
from rnncore.convolution import convolve, convolve_backward
from rnncore.recurrence import State

__all__ = ["ConvGRU"]


@dataclass(frozen=True)
class ConvGRU(ConvolutionalCell):
    """GRU of images: at every position a GRU, which sees its neighbours' inputs and states.

        r_x, z_x, n_x = split(x * W + b);  r_h, z_h = split(h * U)
        r = σ(r_x + r_h),  z = σ(z_x + z_h)
        n = tanh(n_x + (r ⊙ h) * U_n)
        h' = (1 - z) ⊙ n + z ⊙ h

    Here * is the convolution of images (height M, width N, channels last) with zeros beyond the border.

    Shapes: x (B, M, N, C), h (B, M, N, H); W (k, k, C, 3H), U (k, k, H, 2H), k odd, b (3H,), gates in the order r z n;
    U_n (k, k, H, H). State: (h,). Output: h.

    The reset gate acts before the convolution, as in the paper and in GRUOriginal. As there z = 1 keeps the old state;
    the paper writes 1 - z for z, and has no bias. A cell of four hooks: AffineCell's products are those of rows.

    Errors: ValueError for an even k, or an image that is not two positive sizes.

    Paper: N. Ballas, L. Yao, C. Pal, A. Courville, Delving deeper into convolutional networks for learning video
    representations, arXiv 1511.06432, 2015.
    """

    U_n: Array

    gates = 3
    gates_of_u = 2

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        image: tuple[int, int] = (5, 4),
        kernel_size: int = 3,
        dtype: Any = np.float32,
    ) -> Self:
        """As ConvLSTM.init for W, U and U_n; zero b."""
        W, U, b = cls._kernels(rng, input_size, hidden_size, kernel_size, dtype)
        U, U_n = cut(U)
        return cls(W, U.copy(), b, U_n.copy(), image=image)

    def __post_init__(self) -> None:
        super().__post_init__()
        *sizes, _ = self.U.shape
        check_array("ConvGRU", "U_n", self.U_n, (*sizes, sizes[-1]), self.W)

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Array, ...]]:
        (h,) = state
        new, cache = gru_original(projected, convolve(h, self.U), h, lambda rh: convolve(rh, self.U_n))
        return (new,), cache

    def retreat(self, dstate: State, cache: tuple[Array, ...]) -> tuple[Array, State, Others]:
        h, r, _, _ = cache
        da, dh = gru_original_backward(dstate[0], cache, lambda dn: convolve_backward(dn, self.U_n))
        dr_dz, dn = cut(da)
        residue = {"U": convolution_product(h, dr_dz, self.U), "U_n": convolution_product(r * h, dn, self.U_n)}
        return da, (dh + convolve_backward(dr_dz, self.U),), residue
