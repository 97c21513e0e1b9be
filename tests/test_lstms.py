"""What layer-normalised, multiplicative, strongly-typed, highway and searched cells promise one by one."""

import dataclasses

import numpy as np
import pytest
import torch
import torchrecurrent

from rnncore import CELLS, RHN, TRNN, tree
from rnncore.testing import assert_close
from tests.conftest import problem, refuses
from tests.oracles import loaded
from tests.oracles.lstms import LEAVES, STEPS
from tests.test_oracles import compare

ROUNDING = {"rtol": 1e-12, "atol": 1e-12}
NORMALISED = ["LayerNormElman", "LayerNormGRU", "LayerNormLSTM"]


# -- layer normalisation


@pytest.mark.parametrize("name", NORMALISED)
def test_gains_are_one_and_biases_zero_at_first(name, rng):
    for path, leaf in tree.leaves(CELLS[name].init(rng, 3, 4)):
        if path not in ("W", "U"):
            forget = slice(4, 8) if (name, path) == ("LayerNormLSTM", "b") else slice(0)
            expected = np.full_like(leaf, float("gain" in path))
            expected[forget] = 1
            assert_close(leaf, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", NORMALISED)
def test_the_scale_of_the_weights_does_not_matter(name):
    p = problem(name)
    cell = dataclasses.replace(p.cell, epsilon=1e-13)
    scaled = dataclasses.replace(cell, W=8 * p.cell.W, U=8 * p.cell.U)
    assert_close(scaled.forward(p.xs, p.state)[0], cell.forward(p.xs, p.state)[0], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(("name", "block"), [("LayerNormGRU", (8, 12)), ("LayerNormLSTM", (16,))])
def test_what_is_normalised_together(name, block):
    """A number added to the sums of one normalisation changes nothing; added to some of them it does."""
    p = problem(name)

    def shifted(start, stop):
        W = p.cell.W.copy()
        W[:, start:stop] += 0.5
        return np.abs(
            dataclasses.replace(p.cell, W=W).forward(p.xs, p.state)[0] - p.cell.forward(p.xs, p.state)[0]
        ).max()

    for start, stop in zip((0, *block), block, strict=False):
        assert shifted(start, stop) < 1e-12
        assert shifted(start, stop - 1) > 1e-3


@pytest.mark.parametrize("name", NORMALISED)
@pytest.mark.parametrize("epsilon", [0, -1.0, np.nan, "1", None])
def test_epsilon_is_checked(name, epsilon, rng):
    with refuses(ValueError, f"{name}: epsilon must be a positive number, received {epsilon!r}"):
        CELLS[name].init(rng, 3, 4, epsilon=epsilon)


@pytest.mark.parametrize("name", NORMALISED)
def test_an_epsilon_of_numpy_does_not_widen(name, rng):
    cell = CELLS[name].init(rng, 3, 4, epsilon=np.float64(1e-3))
    assert cell.forward(np.ones((2, 1, 3), dtype=np.float32))[0].dtype == np.float32


# -- strongly typed


@pytest.mark.parametrize("name", ["TGRU", "TLSTM"])
def test_strongly_typed_is_that_of_torchrecurrent(name):
    """Its state has the input before the first where ours has the product of that with V."""
    p = problem(name, backend="torch-cpu")
    D, H = p.cell.W.shape[0], p.state[0].shape[1]
    module = loaded(
        getattr(torchrecurrent, name + "Cell")(D, H),
        weight_ih=p.cell.W.T,
        weight_hh=p.cell.V.T,
        bias_ih=0.25 * p.cell.b,
        bias_hh=0.75 * p.cell.b,
    )
    before = torch.linspace(-1, 1, 4 * D, dtype=torch.float64).reshape(4, D).requires_grad_()
    xs, memory = p.xs.clone().requires_grad_(), p.state[-2].clone().requires_grad_()
    ys, state = [], (memory, before)
    for x in xs:
        out = module(x, state)
        y, state = out if name == "TLSTM" else (out[0], out)
        ys.append(y)
    ys = torch.stack(ys)
    loss = (ys * p.dys).sum() + (state[0] * p.dstate[-2]).sum()
    parameters = [*module.parameters(), xs, memory, before]
    dW, dV, db, _, dxs, dmemory, dbefore = torch.autograd.grad(loss, parameters)

    actual, final, tape = p.cell.forward(p.xs, (*p.state[:-1], before.detach() @ p.cell.V))
    assert_close((actual, *final[-2:]), (ys.detach(), state[0].detach(), p.xs[-1] @ p.cell.V), **ROUNDING)
    dstate = tuple(torch.zeros_like(d) for d in p.dstate)
    dstate = (*dstate[:-2], p.dstate[-2], dstate[-1])
    dx, dold, grads = p.cell.backward(p.dys, tape, dstate)
    assert_close((dx, dold[-2], dold[-1] @ p.cell.V.T), (dxs, dmemory, dbefore), **ROUNDING)
    first = before.detach().T @ dold[-1]  # V made the first v, outside of this run
    assert_close((grads.W, grads.V + first, grads.b), (dW.T, dV.T, db), **ROUNDING)


def test_trnn_is_a_running_mean():
    """Where the gate is always 3/4, each step lays a quarter of its z on three quarters of the state."""
    cell = TRNN(W=np.array([[1.0, 0.0]]), b=np.array([0.0, np.log(3.0)]))
    ys, _, _ = cell.forward(np.array([[[4.0]], [[8.0]], [[0.0]]]))
    assert_close(ys[:, 0, 0], np.array([1.0, 2.75, 2.0625]))


# -- recurrent highway


@pytest.mark.parametrize("options", [{"depth": 1}, {"depth": 4}, {"coupled": False}, {"depth": 1, "coupled": False}])
def test_rhn_is_its_equations(options):
    p = problem("RHN", options, backend="torch-cpu")
    point = tree.map(lambda a: a.clone().requires_grad_(), p.point)
    expected = compare(p, lambda x, s: STEPS["RHN"](point[0], x, s), point)
    assert_close(p.gradient(), expected, **ROUNDING)


def test_rhn_carries_at_first(rng):
    cell = RHN.init(rng, 3, 4, depth=5, transform_bias=-30.0, dtype=np.float64)
    h = rng.standard_normal((2, 4))
    ys, _, _ = cell.forward(rng.standard_normal((6, 2, 3)), (h,))
    assert_close(ys, np.broadcast_to(h, ys.shape), atol=1e-10)
    for b in (RHN.init(rng, 3, 4).b, *RHN.init(rng, 3, 4).bs):
        assert np.array_equal(b, [0, 0, 0, 0, -2, -2, -2, -2])


def test_an_uncoupled_rhn_can_be_the_coupled_one():
    """With c = -t in every layer, for σ(-t) = 1 - σ(t)."""
    p = problem("RHN")

    def with_carry(a):
        n, t = np.split(a, 2, axis=-1)
        return np.concatenate([n, t, -t], axis=-1)

    other = RHN(
        *map(with_carry, (p.cell.W, p.cell.U, p.cell.b)),
        tuple(map(with_carry, p.cell.Us)),
        tuple(map(with_carry, p.cell.bs)),
        coupled=False,
    )
    assert_close(other.forward(p.xs, p.state)[:2], p.cell.forward(p.xs, p.state)[:2])


def test_rhn_refuses(rng):
    cell = RHN.init(rng, 3, 4)
    for depth in (0, -1, 1.5, True, None):
        with refuses(ValueError, f"RHN: depth must be an integer from 1, received {depth!r}"):
            RHN.init(rng, 3, 4, depth)
    with refuses(ValueError, "RHN: transform_bias must be a finite number, received nan"):
        RHN.init(rng, 3, 4, transform_bias=np.nan)
    for coupled in (None, 1, "no"):
        with refuses(ValueError, f"RHN: coupled must be True or False, received {coupled!r}"):
            dataclasses.replace(cell, coupled=coupled)
    for Us in (cell.Us[:1], list(cell.Us), cell.U):
        with refuses(ValueError, "RHN: Us and bs must be tuples of as many arrays"):
            dataclasses.replace(cell, Us=Us)
    with refuses(ValueError, "RHN.backward: tape must be of"):
        x = np.ones((2, 1, 3), dtype=np.float32)
        cell.backward(None, RHN.init(rng, 3, 4, depth=2).forward(x)[2])


# -- neural architecture search


def test_nas_of_torchrecurrent_adds_in_the_fourth_leaf():
    """It is this cell where the fourth leaf sees the state alone, times one; it is not where it sees the input."""
    p = problem("NAS", backend="torch-cpu")
    H = p.state[0].shape[1]
    leaf = slice(LEAVES.index(3) * H, None)
    W, b = p.cell.W.clone(), p.cell.b.clone()
    W[:, leaf], b[leaf] = 0, 1
    places = [LEAVES.index(k) for k in range(8)]

    def difference(cell, b):
        def ordered(a):
            return torch.cat([a.chunk(8, -1)[place] for place in places], -1)

        weights = {"weight_ih": ordered(cell.W).T, "weight_hh": ordered(cell.U).T, "bias_ih": ordered(b)}
        module = loaded(torchrecurrent.NASCell(len(W), H), **weights, bias_hh=0 * b)
        with torch.no_grad():
            h, c = module(p.xs[0], p.state)
        state, _ = cell.step(p.xs[0], p.state)
        return max((h - state[0]).abs().max(), (c - state[1]).abs().max())

    zero = b.clone()
    zero[leaf] = 0
    assert difference(dataclasses.replace(p.cell, W=W, b=b), zero) < 1e-14
    assert difference(p.cell, p.cell.b) > 0.01
