"""LSTMs of images, whose products are convolutions (Shi et al. 2015), and what cells of images share."""

from dataclasses import KW_ONLY, dataclass
from typing import Any, ClassVar, Self

import numpy as np

from rnncore import init, tree
from rnncore.backend import Array, array_namespace, check_array, check_finite, check_floating, check_whole
from rnncore.cell import Cell, Others, Product, gathered
from rnncore.cells.lstm import lstm, lstm_backward
from rnncore.cells.peephole_lstm import peephole_lstm, peephole_lstm_backward
from rnncore.convolution import convolve, convolve_backward, patches, rows
from rnncore.recurrence import State

__all__ = ["ConvLSTM", "ConvolutionalCell", "PeepholeConvLSTM", "convolution_product"]


@dataclass(frozen=True)
class ConvolutionalCell(Cell):
    """A cell of images (B, M, N, C), channels last: W and U are kernels, their products convolutions; abstract.

    The input's convolution is one matrix product for all steps before the loop, the gradient of each kernel one product
    after it. Gates lie side by side in the channels.

    Shapes: W (k, k, C, G·H), U (k, k, H, G_U·H), b (G·H,) for G gates, of which G_U see h by U; k odd.
    """

    W: Array
    U: Array
    b: Array
    _: KW_ONLY
    image: tuple[int, int] = tree.static()

    gates: ClassVar[int]
    gates_of_u: ClassVar[int]
    states: ClassVar[int] = 1  # how many arrays a state has

    def __post_init__(self) -> None:
        operation = type(self).__name__
        check_floating(operation, "W", self.W)
        check_array(operation, "W", self.W, ("k", "k", "C", "G·H"), self.W)
        check_array(operation, "U", self.U, ("k", "k", "H", "G·H"), self.W)
        (k, _, channels, _), H = self.W.shape, self.U.shape[2]
        check_array(operation, "U", self.U, (k, k, H, self.gates_of_u * H), self.W)
        check_array(operation, "W", self.W, (k, k, channels, self.gates * H), self.W)
        check_array(operation, "b", self.b, (self.gates * H,), self.W)
        if k % 2 == 0:
            raise ValueError(f"{operation}: kernel_size must be odd, received {k}")
        if not isinstance(self.image, tuple) or len(self.image) != 2:
            raise ValueError(f"{operation}: image must be a tuple (height, width), received {self.image!r}")
        for size in self.image:
            check_whole(operation, "each size of image", size, 1)

    @classmethod
    def _kernels(
        cls, rng: np.random.Generator, input_size: int, hidden_size: int, kernel_size: int, dtype: Any
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """For each gate a Glorot-uniform W (k, k, C, H), a U with orthonormal columns (k·k·H, H), and a zero b."""
        check_whole(cls.__name__, "input_size", input_size, 1)
        check_whole(cls.__name__, "hidden_size", hidden_size, 1)
        k = check_whole(cls.__name__, "kernel_size", kernel_size, 1)
        fan_in, fan_out = k * k * input_size, k * k * hidden_size
        W = [init.glorot_uniform(rng, fan_in, fan_out, dtype=dtype)[:, :hidden_size] for _ in range(cls.gates)]
        U = [init.orthogonal(rng, fan_out, hidden_size, dtype=dtype) for _ in range(cls.gates)]
        return (
            np.concatenate(W, axis=1).reshape(k, k, input_size, -1),
            np.concatenate(U, axis=1).reshape(k, k, hidden_size, -1),
            np.zeros(cls.gates * hidden_size, dtype=dtype),
        )

    @property
    def input_shape(self) -> tuple[int, ...]:
        return (*self.image, self.W.shape[2])

    @property
    def state_shapes(self) -> tuple[tuple[int, ...], ...]:
        return ((*self.image, self.U.shape[2]),) * self.states

    def project(self, xs: Array) -> Array:
        return convolve(xs, self.W) + self.b

    def gradients(self, xs: Array, dprojected: Array, residues: list[Any]) -> tuple[Array, Self]:
        xp, product = array_namespace(xs), convolution_product(xs, dprojected, self.W)
        dW = xp.reshape(product.left.T @ product.right, self.W.shape)
        db = xp.sum(dprojected, axis=(0, 1, 2))
        return convolve_backward(dprojected, self.W), gathered(self, residues, W=dW, b=db)


def convolution_product(x: Array, dy: Array, kernel: Array) -> Product:
    """The gradient of a kernel from images x (B, M, N, C) and the gradient dy (B, M, N, F) of their convolution."""
    return Product(rows(patches(x, kernel.shape[0])), rows(dy))


@dataclass(frozen=True)
class ConvLSTM(ConvolutionalCell):
    """LSTM of images: at every position an LSTM, which sees its neighbours' inputs and states.

        a_i, a_f, a_g, a_o = split(x * W + h * U + b)
        i, f, o = σ(a_i), σ(a_f), σ(a_o);  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        h' = o ⊙ tanh(c')

    Here * is the convolution of images (height M, width N, channels last) with zeros beyond the border.

    Shapes: x (B, M, N, C), h and c (B, M, N, H); W (k, k, C, 4H), U (k, k, H, 4H), k odd, b (4H,), gates in the order
    i f g o. State: (h, c). Output: h.

    Keras' ConvLSTM2D with padding="same" is this cell with W = kernel, U = recurrent_kernel, b = bias. The paper's cell
    has peepholes: PeepholeConvLSTM. A cell of four hooks: AffineCell's products are those of rows. Backpropagation
    holds k² copies of each state, `checkpoint` of `forward` bounds their number.

    Errors: ValueError for an even k, or an image that is not two positive sizes.

    Paper: X. Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting, arXiv
    1506.04214, 2015.
    """

    gates = 4
    gates_of_u = 4
    states = 2

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        image: tuple[int, int] = (5, 4),
        kernel_size: int = 3,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """For each gate a Glorot-uniform W, and a U with orthonormal columns (k·k·H, H); zero b, but `forget_bias` for
        f. `input_size` and `hidden_size` count channels, `image` is (height, width)."""
        W, U, b = cls._kernels(rng, input_size, hidden_size, kernel_size, dtype)
        b[hidden_size : 2 * hidden_size] = check_finite("ConvLSTM", "forget_bias", forget_bias)
        return cls(W, U, b, image=image)

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        h, c = state
        new, c, cache = lstm(projected + convolve(h, self.U), c)
        return (new, c), (h, cache)

    def retreat(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, State, Others]:
        dh, dc = dstate
        h, lstm_cache = cache
        da, dc = lstm_backward(dh, dc, lstm_cache)
        return da, (convolve_backward(da, self.U), dc), {"U": convolution_product(h, da, self.U)}


@dataclass(frozen=True)
class PeepholeConvLSTM(ConvolutionalCell):
    """ConvLSTM with peepholes, a weight of its own for every position and channel.

        a_i, a_f, a_g, a_o = split(x * W + h * U + b);  p_i, p_f, p_o = split(p)
        i = σ(a_i + p_i ⊙ c),  f = σ(a_f + p_f ⊙ c),  g = tanh(a_g)
        c' = f ⊙ c + i ⊙ g
        o = σ(a_o + p_o ⊙ c')
        h' = o ⊙ tanh(c')

    Here * is the convolution of images, as in ConvLSTM.

    Shapes: x (B, M, N, C), h and c (B, M, N, H); W (k, k, C, 4H), U (k, k, H, 4H), k odd, b (4H,), gates in the order
    i f g o; p (M, N, 3H), in the order i f o. State: (h, c). Output: h.

    This is the cell of the paper. Its peepholes tie it to one size of image; Keras has none, see ConvLSTM.

    Errors: as ConvLSTM.

    Paper: X. Shi et al., Convolutional LSTM network: a machine learning approach for precipitation nowcasting, arXiv
    1506.04214, 2015.
    """

    p: Array

    gates = 4
    gates_of_u = 4
    states = 2

    @classmethod
    def init(
        cls,
        rng: np.random.Generator,
        input_size: int,
        hidden_size: int,
        *,
        image: tuple[int, int] = (5, 4),
        kernel_size: int = 3,
        forget_bias: float = 1.0,
        dtype: Any = np.float32,
    ) -> Self:
        """As ConvLSTM.init; zero peepholes."""
        W, U, b = cls._kernels(rng, input_size, hidden_size, kernel_size, dtype)
        b[hidden_size : 2 * hidden_size] = check_finite("PeepholeConvLSTM", "forget_bias", forget_bias)
        return cls(W, U, b, np.zeros((*image, 3 * hidden_size), dtype=dtype), image=image)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_array("PeepholeConvLSTM", "p", self.p, (*self.image, 3 * self.U.shape[2]), self.W)

    def advance(self, projected: Array, state: State) -> tuple[State, tuple[Any, ...]]:
        h, c = state
        new, c, cache = peephole_lstm(projected + convolve(h, self.U), c, self.p)
        return (new, c), (h, cache)

    def retreat(self, dstate: State, cache: tuple[Any, ...]) -> tuple[Array, State, Others]:
        dh, dc = dstate
        h, lstm_cache = cache
        da, dc, dp = peephole_lstm_backward(dh, dc, self.p, lstm_cache)
        return da, (convolve_backward(da, self.U), dc), {"U": convolution_product(h, da, self.U), "p": dp}
