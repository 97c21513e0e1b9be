"""Compiled runs are the plain ones: JAX arrays, NumPy arrays and torch modules, for every cell."""

import dataclasses
import importlib

import numpy as np
import pytest
import torch

from rnncore import AffineCell, Elman, engine, engines, tree
from rnncore.backend import Array, array_namespace
from rnncore.testing import assert_close, check_gradients
from tests.conftest import KINDS, LAYOUTS, problem

jax = pytest.importorskip("jax", reason="JAX is not installed")
jnp = jax.numpy
arrays = importlib.import_module("rnncore.jax").arrays
ROUNDING = {"rtol": 1e-10, "atol": 1e-11}


@pytest.fixture(autouse=True)
def _wide():
    with jax.enable_x64(True):
        yield


def everything(p, window=None, **more):
    """Outputs, final state and all gradients of a problem."""
    ys, final, tape = p.cell.forward(p.xs, p.state, **p.layout, **more)
    return ys, final, *p.cell.backward(p.dys, tape, p.dstate, window)


def on_jax(p):
    return dataclasses.replace(p, **{f: arrays(getattr(p, f)) for f in ("cell", "xs", "state", "dys", "dstate")})


@pytest.mark.parametrize("name", ["Elman", "GRUD"])
def test_jax_is_numpy(name):
    """Ragged, backwards, cut, in segments: all at once, operation by operation. For all cells it is in test_jax.py."""
    p = problem(name, None, LAYOUTS["ragged-reversed"])
    found = everything(on_jax(p), 2, checkpoint=3)
    assert_close(tree.convert(np.asarray, found), everything(p, 2, checkpoint=3), **ROUNDING)


@pytest.mark.parametrize(("name", "options"), KINDS[::8])
def test_compiled_is_numpy(name, options):
    """The loops are those of JAX arrays; here they are in another layout than there: full, in one piece."""
    p = problem(name, options)
    expected = everything(p)
    with engine("xla", after=0):
        found = everything(p)
    assert_close(found, expected, **ROUNDING)
    assert all(isinstance(leaf, np.ndarray) and leaf.flags.writeable for _, leaf in tree.leaves(found))


@pytest.mark.parametrize("name", ["GRU", "GRUD"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_compiled_runs(name, layout):
    p = problem(name, None, LAYOUTS[layout])
    for window in (None, 2):
        expected = everything(p, window)
        with engine("xla", after=0):
            assert_close(everything(p, window), expected, **ROUNDING)


def test_what_a_compiled_run_gives_may_be_written_to():
    """Large results are JAX's own memory; the tape does not read from it."""
    rng = np.random.default_rng(0)
    cell = Elman.init(rng, 40, 50, dtype=np.float64)
    xs, dys = rng.standard_normal((7, 20, 40)), rng.standard_normal((7, 20, 50))
    *_, tape = cell.forward(xs)
    dxs, _, grads = cell.backward(dys, tape)
    with engine("xla", after=0):
        ys, (h,), tape = cell.forward(xs)
        ys.fill(np.nan), h.fill(np.nan)
        found = cell.backward(dys, tape)
        found[0].fill(np.nan)
        assert_close(cell.backward(dys, tape)[0], dxs, **ROUNDING)
    assert_close(found[2], grads, **ROUNDING)


@pytest.mark.parametrize("name", ["LSTM", "GRU", "PeepholeLSTM"])
def test_a_compiled_run_of_transposed_weights(name):
    p = problem(name)
    turned = tree.convert(lambda a: np.asfortranarray(a) if a.ndim == 2 else a, p.cell)
    expected = everything(p)
    with engine("xla", after=0):
        assert_close(everything(dataclasses.replace(p, cell=turned)), expected, **ROUNDING)
        _, _, tape = turned.forward(p.xs, p.state)
    assert any(tape.segments[0].caches[0]._turned)


@pytest.mark.parametrize("name", ["Elman", "LSTM", "GRU", "LTC", "ConvGRU"])
def test_grad_goes_through_the_hand_written_backward(name):
    p = on_jax(problem(name, None, LAYOUTS["ragged"]))

    def loss(cell, xs, state):
        ys, final, _ = cell.forward(xs, state, **p.layout)
        return jnp.sum(ys * p.dys) + sum(jnp.sum(f * d) for f, d in zip(final, p.dstate, strict=True))

    grads, dxs, dstate = jax.jit(jax.grad(loss, argnums=(0, 1, 2)))(p.cell, p.xs, p.state)
    _, _, dxs_by_hand, dstate_by_hand, grads_by_hand = everything(p)
    expected = [leaf for _, leaf in tree.leaves((grads_by_hand, dxs_by_hand, dstate_by_hand))]
    assert_close([leaf for _, leaf in tree.leaves((grads, dxs, dstate))], expected, **ROUNDING)


def test_a_derivative_of_the_backward_pass_is_that_of_autodiff():
    p = on_jax(problem("GRU"))

    def slope(xs):
        _, _, tape = p.cell.forward(xs, p.state)
        return jnp.sum(p.cell.backward(p.dys, tape, p.dstate)[0] ** 2)

    def slope_of_jax(xs):
        def run(xs):
            ys, final, _ = p.cell.forward(xs, p.state)
            return jnp.sum(ys * p.dys) + jnp.sum(final[0] * p.dstate[0])

        return jnp.sum(jax.grad(run)(xs) ** 2)

    found, expected = jax.grad(slope)(p.xs), jax.grad(slope_of_jax)(p.xs)
    assert_close(tree.convert(np.asarray, found), tree.convert(np.asarray, expected), **ROUNDING)
    step = 1e-6 * np.random.default_rng(0).standard_normal(p.xs.shape)
    numeric = (slope(p.xs + step) - slope(p.xs - step)) / 2
    assert float(numeric) == pytest.approx(float(jnp.sum(found * step)), rel=1e-6)


def test_vmap_over_cells():
    p, q = on_jax(problem("LSTM")), on_jax(problem("LSTM", seed=1))
    cells = jax.tree_util.tree_map(lambda a, b: jnp.stack([a, b]), p.cell, q.cell)
    found = jax.vmap(lambda cell: cell.forward(p.xs, p.state)[0])(cells)
    assert_close(
        tree.convert(np.asarray, found[1]), tree.convert(np.asarray, q.cell.forward(p.xs, p.state)[0]), **ROUNDING
    )


@dataclasses.dataclass(frozen=True)
class Toy(AffineCell):
    """A newcomer's cell, without a word about who runs it: h' = h + a ⊙ (tanh(x W + h U + b) - h)."""

    a: Array

    def pointwise(self, wx, uh, state):
        (h,), y = state, array_namespace(wx).tanh(wx + uh)
        return (h + self.a * (y - h),), (h, y)

    def pointwise_backward(self, dstate, cache):
        (h, y), (d,) = cache, dstate
        dz = d * self.a * (1 - y**2)
        return dz, dz, (d * (1 - self.a),), {"a": d * (y - h)}


def test_a_newcomers_cell_runs_everywhere(rng):
    numbers = rng.standard_normal
    cell = Toy(numbers((3, 4)), numbers((4, 4)) / 2, numbers(4), rng.uniform(0.2, 0.8, 4))
    xs, dys, state, lengths = numbers((6, 3, 3)), numbers((6, 3, 4)), (numbers((3, 4)),), [2, 6, 4]

    def run(convert):
        there, given, slopes, initial = (tree.convert(convert, v) for v in (cell, xs, dys, state))
        ys, final, tape = there.forward(given, initial, lengths)
        return tree.convert(np.asarray, (ys, final, *there.backward(slopes, tape)))

    expected = run(np.asarray)

    def loss(cell):
        return float((cell.forward(xs, state, lengths)[0] * dys).sum())

    check_gradients(loss, cell, expected[-1], rng)
    for library in (torch.tensor, jnp.asarray):
        assert_close(run(library), expected, **ROUNDING)
    with engine("xla", after=0):
        assert_close(run(np.asarray), expected, **ROUNDING)


def test_a_run_is_compiled_when_its_form_has_come_before():
    p, programs = problem("Elman", T=9, B=3), []
    with engine("xla", after=2):
        for _ in range(4):
            _, _, tape = p.cell.forward(p.xs, p.state)
            programs.append(tape.segments[0].caches[0])
        with engine("numpy"):
            _, _, tape = p.cell.forward(p.xs, p.state)
            assert type(tape.segments[0].caches[0]).__name__ == "ElmanKernel"
            assert not engines.compiling()
    assert [type(program).__name__ for program in programs] == ["ElmanKernel"] * 2 + ["Program"] * 2
    assert not engines.compiling()
    with engine("xla"):  # which was compiled already
        _, _, tape = p.cell.forward(p.xs, p.state)
    assert tape.segments[0].caches[0] is programs[-1]


def test_engine_refuses():
    with pytest.raises(ValueError, match='name must be "numpy" or "xla", received \'cuda\''):
        engine("cuda")
    with pytest.raises(ValueError, match="after must be an integer from 0"):
        engine("xla", after=-1)
