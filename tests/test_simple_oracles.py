"""Relatives of the Elman cell against libraries whose cells are no torch code, or differ."""

import numpy as np
import pytest
import reservoirpy
import torch
import torchrecurrent

from rnncore.testing import assert_close
from tests.conftest import problem
from tests.oracles import loaded


@pytest.mark.parametrize("leak_rate", [1.0, 0.3])
def test_echo_state_is_that_of_reservoirpy(leak_rate):
    p = problem("EchoState", {"leak_rate": leak_rate, "bias_scale": 0.5}, T=20, B=1)
    cell = p.cell
    reservoir = reservoirpy.nodes.Reservoir(lr=leak_rate, Win=cell.W.T, W=cell.U.T, bias=cell.b, input_dim=3)
    expected = reservoir.run(p.xs[:, 0])
    assert_close(cell.forward(p.xs)[0][:, 0], expected, rtol=1e-12, atol=1e-14)


def test_scrn_of_torchrecurrent_feeds_back_a_readout():
    """Its "h" is tanh(h' U_2 + c' P_2) with our h' and c': the same layer, seen through one more.

    Over one step that can be mapped; over more it cannot, as then tanh(h') comes back where the paper has h'.
    """
    p = problem("SCRN", {"alpha": 0.6}, backend="torch-cpu")
    cell, zeros, eye = p.cell, torch.zeros(4, 4, dtype=torch.float64), torch.eye(4, dtype=torch.float64)
    theirs = loaded(
        torchrecurrent.SCRNCell(3, 4),
        alpha=torch.tensor(0.6),
        weight_ih=cell.W.T,
        weight_hh=torch.cat([cell.U.T, eye]),
        weight_ch=torch.cat([cell.P.T, zeros]),
        bias_ih=cell.b,
        bias_hh=0 * cell.b,
        bias_ch=0 * cell.b,
    )
    ours, state = p.state, p.state
    with torch.no_grad():
        for step, x in enumerate(p.xs[:2]):
            ours, _ = cell.step(x, ours)
            state = theirs(x, state)
            assert_close(state[1], ours[1], rtol=1e-7, atol=1e-7)  # it holds α in float32
            difference = np.abs((state[0] - torch.tanh(ours[0])).numpy()).max()
            assert difference < 1e-7 if step == 0 else difference > 0.01
