"""Cells of images, by torch's convolution, and ConvLSTM2D of Keras."""

import os

from torch import sigmoid, tanh
from torch.nn.functional import conv2d


def convolved(x, kernel):
    """Channels last, as ours; torch has them first."""
    y = conv2d(x.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1), padding="same")
    return y.permute(0, 2, 3, 1)


def gates(cell, x, h):
    """x * W + h * U + b, gate by gate."""
    W, U, b = cell.W.chunk(4, 3), cell.U.chunk(4, 3), cell.b.chunk(4)
    return (convolved(x, w) + convolved(h, u) + bias for w, u, bias in zip(W, U, b, strict=True))


def conv_lstm(cell, x, h, c):
    i, f, g, o = gates(cell, x, h)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return sigmoid(o) * tanh(c), c


def peephole_conv_lstm(cell, x, h, c):
    i, f, g, o = gates(cell, x, h)
    p_i, p_f, p_o = cell.p.chunk(3, 2)
    c = sigmoid(f + p_f * c) * c + sigmoid(i + p_i * c) * tanh(g)
    return sigmoid(o + p_o * c) * tanh(c), c


def conv_gru(cell, x, h):
    (W_r, W_z, W_n), (b_r, b_z, b_n), (U_r, U_z) = cell.W.chunk(3, 3), cell.b.chunk(3), cell.U.chunk(2, 3)
    r = sigmoid(convolved(x, W_r) + convolved(h, U_r) + b_r)
    z = 1 - sigmoid(convolved(x, W_z) + convolved(h, U_z) + b_z)  # the paper's z
    n = tanh(convolved(x, W_n) + convolved(r * h, cell.U_n) + b_n)
    return ((1 - z) * h + z * n,)


STEPS = {"ConvLSTM": conv_lstm, "PeepholeConvLSTM": peephole_conv_lstm, "ConvGRU": conv_gru}


def keras_conv_lstm(cell):
    os.environ["KERAS_BACKEND"] = "torch"  # read when keras is imported first
    import keras

    assert keras.backend.backend() == "torch"
    k, _, channels, _ = cell.W.shape
    hidden_size = cell.U.shape[2]
    layer = keras.layers.ConvLSTM2D(hidden_size, k, padding="same", dtype="float64")
    layer.build((None, None, *cell.image, channels))
    layer.set_weights([w.detach().cpu().numpy() for w in (cell.W, cell.U, cell.b)])

    def step(x, h, c):
        _, (h, c) = layer.cell(x, [h, c])
        return h, c

    return step


LIBRARY = {"ConvLSTM": keras_conv_lstm}
