"""Independent implementations of the cells, to compare with: one module for each family.

Each module has two dicts by cell name. `STEPS`: function (cell, x, *state) → state, the paper's equations written once
more, plainly, as torch code that autograd can differentiate. `LIBRARY`: function (cell) → function (x, *state) → state,
the same cell of another library with the weights of ours.
"""

import torch


def gates(cell, x, h, count):
    """The affine part of a cell, cut into its gates."""
    return (x @ cell.W + cell.b + h @ cell.U).chunk(count, dim=1)


def loaded(module, **weights):
    """A torch module in float64 with these values as its parameters, all of them."""
    module = module.double()
    parameters = dict(module.named_parameters())
    assert parameters.keys() == weights.keys(), f"wanted {list(parameters)}, received {list(weights)}"
    with torch.no_grad():
        for name, value in weights.items():
            assert parameters[name].shape == value.shape, f"{name}: wanted {parameters[name].shape}"
            parameters[name].copy_(value)
    return module
