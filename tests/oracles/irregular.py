"""Cells for irregular or incomplete sequences: the time since the last step is part of their input."""

import torch
from torch import exp, relu, sigmoid, tanh


def gru_d(cell, x, h, last):
    D, H = cell.W.shape[0], cell.U.shape[0]
    x, m, delta = x[:, :D], x[:, D : 2 * D], x[:, 2 * D :]
    gamma_x = exp(-relu(delta * cell.w_x + cell.b_x))
    gamma_h = exp(-relu(delta @ cell.W_h + cell.b_h))
    x_hat = m * x + (1 - m) * gamma_x * last + (1 - m) * (1 - gamma_x) * cell.mean
    h = gamma_h * h
    W, V, b, U = cell.W.split(H, 1), cell.V.split(H, 1), cell.b.split(H), cell.U.split(H, 1)
    r = sigmoid(x_hat @ W[0] + h @ U[0] + m @ V[0] + b[0])
    z = 1 - sigmoid(x_hat @ W[1] + h @ U[1] + m @ V[1] + b[1])  # the paper's z
    n = tanh(x_hat @ W[2] + (r * h) @ cell.U_n + m @ V[2] + b[2])
    return (1 - z) * h + z * n, m * x + (1 - m) * last


def phased_lstm(cell, x, h, c, t):
    t = t + x[:, -1:]
    x, (p_i, p_f, p_o) = x[:, :-1], cell.p.chunk(3)
    W, U, b = cell.W.chunk(4, 1), cell.U.chunk(4, 1), cell.b.chunk(4)
    a_i, a_f, a_g, a_o = (x @ w + h @ u + bias for w, u, bias in zip(W, U, b, strict=True))
    c_tilde = sigmoid(a_f + c * p_f) * c + sigmoid(a_i + c * p_i) * tanh(a_g)
    h_tilde = sigmoid(a_o + c_tilde * p_o) * tanh(c_tilde)
    tau, r_on = exp(cell.log_period), sigmoid(cell.open_logit)
    phi = torch.remainder(t - cell.shift, tau) / tau
    falling = torch.where(phi < r_on, 2 - 2 * phi / r_on, cell.leak * phi)
    k = torch.where(phi < r_on / 2, 2 * phi / r_on, falling)
    return k * h_tilde + (1 - k) * h, k * c_tilde + (1 - k) * c, t


def ode_lstm(cell, x, h, c):
    i, f, g, o = (x[:, :-1] @ cell.W + cell.b + h @ cell.U).chunk(4, 1)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    return evolved(cell, sigmoid(o) * tanh(c), x[:, -1:] / cell.unfolds), c


def evolved(cell, y, dt):
    """y after cell.unfolds steps of dt."""

    def slope(y):
        return tanh(y @ cell.P + cell.p) @ cell.Q + cell.q

    for _ in range(cell.unfolds):
        k1 = slope(y)
        if cell.solver == "euler":
            y = y + dt * k1
        elif cell.solver == "heun":
            y = y + dt * (k1 + slope(y + dt * k1)) / 2
        else:
            k2 = slope(y + dt * k1 / 2)
            k3 = slope(y + dt * k2 / 2)
            y = y + dt * (k1 + 2 * k2 + 2 * k3 + slope(y + dt * k3)) / 6
    return y


STEPS = {"GRUD": gru_d, "PhasedLSTM": phased_lstm, "ODELSTM": ode_lstm}
