"""Unitary and orthogonal cells, by dense complex matrices and torch's matrix exponential."""

import torch
from torch import diag, relu


def complex_state(h):
    return torch.complex(*h.chunk(2, dim=-1))


def real_state(z):
    return torch.cat([z.real, z.imag], dim=-1)


def mod_relu(z, b):
    return relu(z.abs() + b) * torch.sgn(z)


def exp_rnn(cell, x, h):
    return (mod_relu(x @ cell.W + h @ torch.linalg.matrix_exp(cell.A - cell.A.T), cell.b),)


def unitary_step(cell, x, h, U):
    """Vectors as columns."""
    z = complex_state(cell.W).T @ (x.T + 0j) + U @ complex_state(h).T
    return (real_state(mod_relu(z.T, cell.b)),)


def unitary_rnn(cell, x, h):
    H = cell.b.shape[0]
    n = torch.arange(H, dtype=cell.b.dtype)
    F = torch.exp(-2j * torch.pi * torch.outer(n, n) / H) / H**0.5
    D1, D2, D3 = (diag(torch.exp(1j * theta)) for theta in cell.theta)
    columns = [complex_state(v)[:, None] for v in cell.v]
    R1, R2 = (torch.eye(H) - 2 * v @ v.conj().T / (v.conj().T @ v) for v in columns)
    return unitary_step(cell, x, h, D3 @ R2 @ F.conj() @ D2 @ (cell.P.T + 0j) @ R1 @ F @ D1)


def eunn(cell, x, h):
    H = cell.b.shape[0]
    angles = zip(cell.theta, cell.phi, strict=True)
    U = diag(torch.exp(1j * cell.omega))
    for layer in range(cell.layers):
        for i in range(layer % 2, H - 1, 2):
            theta, phi = next(angles)
            block = torch.stack([torch.cos(theta), -torch.sin(theta), torch.sin(theta), torch.cos(theta)]) + 0j
            block = torch.stack([torch.exp(1j * phi), torch.ones_like(phi) + 0j])[:, None] * block.reshape(2, 2)
            U = U @ torch.block_diag(torch.eye(i), block, torch.eye(H - i - 2))
    return unitary_step(cell, x, h, U)


STEPS = {"ExpRNN": exp_rnn, "UnitaryRNN": unitary_rnn, "EUNN": eunn}
