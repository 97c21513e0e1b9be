"""The cells of torch.nn's weights: matrices that multiply from the left, and two biases."""

import torch
from torch import Tensor

from rnncore import cells

__all__ = ["elman", "gru", "lstm", "weights"]


def weights(
    weight_ih: Tensor, weight_hh: Tensor, bias_ih: Tensor | None = None, bias_hh: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """W, U and both biases, zeros where there are none."""
    if bias_ih is None or bias_hh is None:
        bias_ih = bias_hh = weight_ih.new_zeros(weight_ih.shape[0])
    return weight_ih.T, weight_hh.T, bias_ih, bias_hh


def elman(W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor, nonlinearity: str) -> cells.Elman:
    """Both biases add up."""
    return cells.Elman(W, U, b_ih + b_hh, nonlinearity)


def lstm(W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor) -> cells.LSTM:
    """Both biases add up."""
    return cells.LSTM(W, U, b_ih + b_hh)


def gru(W: Tensor, U: Tensor, b_ih: Tensor, b_hh: Tensor) -> cells.GRU:
    """The biases of r and z add up; that of n lies inside the reset."""
    gates = 2 * U.shape[0]
    b = b_ih + torch.cat([b_hh[:gates], torch.zeros_like(b_hh[gates:])])
    return cells.GRU(W, U, b, b_hh[gates:])
