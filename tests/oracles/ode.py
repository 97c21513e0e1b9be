"""Cells that are steps of a differential equation: antisymmetric, oscillating, with two time scales, liquid."""

import torch
import torchrecurrent
from ncps.torch import CfCCell, LTCCell
from ncps.wirings import FullyConnected
from torch import sigmoid, tanh
from torch.nn.functional import softplus

from tests.oracles import loaded


def antisymmetric_rnn(cell, x, h):
    W_h = cell.U.T  # the paper's: it multiplies columns
    A = W_h - W_h.T - cell.gamma * torch.eye(len(W_h), dtype=W_h.dtype)
    return (h + cell.epsilon * tanh((A @ h.T + cell.W.T @ x.T).T + cell.b),)


def gated_antisymmetric_rnn(cell, x, h):
    (V_z, V_h), (b_z, b_h) = cell.W.chunk(2, dim=1), cell.b.chunk(2)
    A = (cell.U - cell.U.T).T - cell.gamma * torch.eye(len(cell.U), dtype=h.dtype)
    z = sigmoid(h @ A.T + x @ V_z + b_z)
    return (h + cell.epsilon * z * tanh(h @ A.T + x @ V_h + b_h),)


def cornn(cell, x, y, z):
    drive = tanh(torch.cat([y, z, x], dim=1) @ torch.cat([cell.U, cell.U_z, cell.W]) + cell.b)
    z = z + cell.dt * drive - cell.dt * cell.gamma * y - cell.dt * cell.epsilon * z
    return y + cell.dt * z, z


def unicornn(cell, x, y, z):
    dt = cell.dt * (0.5 + 0.5 * tanh(cell.c / 2))
    z = z - dt * (tanh(cell.w * y + x @ cell.W + cell.b) + cell.alpha * y)
    return y + dt * z, z


def lem(cell, x, y, z):
    (V_1, V_2, V_z, V_y), (b_1, b_2, b_z, b_y) = cell.W.chunk(4, dim=1), cell.b.chunk(4)
    W_1, W_2, W_z = cell.U.chunk(3, dim=1)
    dt = cell.dt * sigmoid(y @ W_1 + x @ V_1 + b_1)
    dt_bar = cell.dt * sigmoid(y @ W_2 + x @ V_2 + b_2)
    z = (1 - dt) * z + dt * tanh(y @ W_z + x @ V_z + b_z)
    return (1 - dt_bar) * y + dt_bar * tanh(z @ cell.U_y + x @ V_y + b_y), z


def ltc(cell, x, h):
    """Each step solves (h' - h) / δ = -(1/τ + f) h' + f A for h'."""
    x, delta = x[:, :-1], x[:, -1:].abs() / cell.unfolds
    for _ in range(cell.unfolds):
        f = sigmoid(torch.cat([x, h], dim=1) @ torch.cat([cell.W, cell.U]) + cell.b)
        h = (h / delta + f * cell.A) / (1 / delta + softplus(cell.leak) + f)
    return (h,)


def ltc_synapse(cell, x, h):
    """Synapse after synapse, from one neuron or input to all neurons."""
    x, delta = x[:, :-1], x[:, -1:].abs() / cell.unfolds
    for _ in range(cell.unfolds):
        current, conductance = softplus(cell.leak) * cell.rest, softplus(cell.leak)
        sensory, between = (cell.W, cell.mu_x, cell.sigma_x, cell.E_x), (cell.U, cell.mu, cell.sigma, cell.E)
        for v, parameters in ((x, sensory), (h, between)):
            for v_j, w, mu, sigma, E in zip(v.T, *parameters, strict=True):
                open_now = softplus(w) * sigmoid(sigma * (v_j[:, None] - mu))
                current, conductance = current + open_now * E, conductance + open_now
        c = softplus(cell.capacity) / delta
        h = (c * h + current) / (c + conductance)
    return (h,)


def closed_form_heads(cell, x, h):
    a = torch.cat([x, h], dim=1) @ torch.cat([cell.W, cell.U]) + cell.b
    for V, c in zip(cell.V, cell.c, strict=True):
        a = (1.7159 * tanh(0.666 * a)) @ V + c
    return a


def cfc(cell, x, h):
    x, t = x[:, :-1], x[:, -1:].abs()
    g, h, p, q = closed_form_heads(cell, x, h).chunk(4, dim=1)
    old = sigmoid(-(p * t + q))
    return (old * tanh(g) + (1 - old) * tanh(h),)


def cfc_no_gate(cell, x, h):
    x, t = x[:, :-1], x[:, -1:].abs()
    g, h, p, q = closed_form_heads(cell, x, h).chunk(4, dim=1)
    return (tanh(g) + tanh(h) * sigmoid(p * t + q),)


def cfc_pure(cell, x, h):
    x, t = x[:, :-1], x[:, -1:].abs()
    f = closed_form_heads(cell, x, h)
    return (cell.A * (1 - f / torch.exp(t * (cell.w_tau.abs() + f.abs()))),)


STEPS = {
    "AntisymmetricRNN": antisymmetric_rnn,
    "GatedAntisymmetricRNN": gated_antisymmetric_rnn,
    "CoRNN": cornn,
    "UnICORNN": unicornn,
    "LEM": lem,
    "LTC": ltc,
    "LTCSynapse": ltc_synapse,
    "CfC": cfc,
    "CfCNoGate": cfc_no_gate,
    "CfCPure": cfc_pure,
}


def antisymmetric_of_torchrecurrent(kind, cell):
    D, H = cell.W.shape[0], cell.U.shape[0]
    weights = {"weight_ih": cell.W.T, "weight_hh": cell.U.T, "bias_ih": cell.b, "bias_hh": 0 * cell.b[:H]}
    module = loaded(kind(D, H, epsilon=cell.epsilon, gamma=cell.gamma), **weights)
    return lambda x, h: (module(x, h),)


def cornn_of_torchrecurrent(cell):
    weights = {"weight_ih": cell.W.T, "weight_hh": cell.U.T, "weight_ch": cell.U_z.T}
    biases = {"bias_ih": cell.b, "bias_hh": 0 * cell.b, "bias_ch": 0 * cell.b}
    module = torchrecurrent.coRNNCell(*cell.W.shape, dt=cell.dt, gamma=cell.gamma, epsilon=cell.epsilon)
    module = loaded(module, **weights, **biases)
    return lambda x, *state: module(x, state)


def unicornn_of_torchrecurrent(cell):
    module = loaded(
        torchrecurrent.UnICORNNCell(*cell.W.shape, dt=cell.dt, alpha=cell.alpha),
        **{"weight_ih": cell.W.T, "weight_hh": cell.w, "weight_ch": cell.c, "bias_ih": cell.b},
    )
    return lambda x, *state: module(x, state)


def lem_module(cell):
    """torchrecurrent's cell with the weights of ours; it has our second gate first."""
    (W_1, W_2, W_z, W_y), (b_1, b_2, b_z, b_y) = cell.W.chunk(4, dim=1), cell.b.chunk(4)
    U_1, U_2, U_z = cell.U.chunk(3, dim=1)
    return loaded(
        torchrecurrent.LEMCell(cell.W.shape[0], cell.U.shape[0], dt=cell.dt),
        weight_ih=torch.cat([W_2, W_1, W_z, W_y], dim=1).T,
        weight_hh=torch.cat([U_2, U_1, U_z], dim=1).T,
        weight_ch=cell.U_y.T,
        bias_ih=torch.cat([b_2, b_1, b_z, b_y]),
        bias_hh=0 * cell.U[0],
        bias_ch=0 * b_y,
    )


def lem_of_torchrecurrent(cell):
    """It computes y' from the old z: a second call, with the new z in its place, computes what the paper says."""
    module = lem_module(cell)

    def step(x, y, z):
        _, z = module(x, (y, z))
        y, _ = module(x, (y, z))
        return y, z

    return step


def ltc_of_ncps(cell):
    D, H = cell.W.shape
    module = LTCCell(
        FullyConnected(H),
        in_features=D,
        input_mapping="none",
        output_mapping="none",
        ode_unfolds=cell.unfolds,
        epsilon=0,
        implicit_param_constraints=True,
    )
    sensory = {"w": cell.W, "mu": cell.mu_x, "sigma": cell.sigma_x, "erev": cell.E_x}
    module = loaded(
        module,
        **{"w": cell.U, "mu": cell.mu, "sigma": cell.sigma, "erev": cell.E},
        **{f"sensory_{name}": value for name, value in sensory.items()},
        **{"gleak": cell.leak, "vleak": cell.rest, "cm": cell.capacity},
        sparsity_mask=torch.ones(H, H),
        sensory_sparsity_mask=torch.ones(D, H),
    )
    return lambda x, h: module(x[:, :-1], h, x[:, -1:].abs())[:1]


def cfc_of_ncps(mode, cell):
    D, H, layers = cell.W.shape[0], cell.U.shape[0], len(cell.V)
    W, b = [torch.cat([cell.W, cell.U]), *cell.V], [cell.b, *cell.c]
    heads = ["ff1"] if mode == "pure" else ["ff1", "ff2", "time_a", "time_b"]
    weights = {f"backbone.{2 * i}.weight": W[i].T for i in range(layers)}
    weights |= {f"backbone.{2 * i}.bias": b[i] for i in range(layers)}
    for name, head, bias in zip(heads, W[-1].chunk(len(heads), dim=1), b[-1].chunk(len(heads)), strict=True):
        weights |= {f"{name}.weight": head.T, f"{name}.bias": bias}
    if mode == "pure":
        weights |= {"A": cell.A[None], "w_tau": cell.w_tau[None]}
    module = loaded(CfCCell(D, H, mode, backbone_units=len(b[0]), backbone_layers=layers), **weights)
    return lambda x, h: module(x[:, :-1], h, x[:, -1:].abs())[:1]


LIBRARY = {
    "AntisymmetricRNN": lambda cell: antisymmetric_of_torchrecurrent(torchrecurrent.AntisymmetricRNNCell, cell),
    "GatedAntisymmetricRNN": lambda cell: antisymmetric_of_torchrecurrent(
        torchrecurrent.GatedAntisymmetricRNNCell, cell
    ),
    "CoRNN": cornn_of_torchrecurrent,
    "UnICORNN": unicornn_of_torchrecurrent,
    "LEM": lem_of_torchrecurrent,
    "LTCSynapse": ltc_of_ncps,
    "CfC": lambda cell: cfc_of_ncps("default", cell),
    "CfCNoGate": lambda cell: cfc_of_ncps("no_gate", cell),
    "CfCPure": lambda cell: cfc_of_ncps("pure", cell),
}
