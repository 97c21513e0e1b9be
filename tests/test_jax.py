"""Layers, models, losses and optimisers of JAX arrays, compiled, with lengths that are traced: as those of NumPy's."""

import dataclasses
import importlib

import numpy as np
import pytest

from rnncore import losses, optim, tree
from rnncore.linalg import expm, expm_backward
from rnncore.testing import assert_close
from tests import test_layers, test_models, test_optim
from tests.conftest import KINDS, LAYOUTS, LENGTHS, problem

jax = pytest.importorskip("jax", reason="JAX is not installed")
jnp = jax.numpy
arrays, register = (getattr(importlib.import_module("rnncore.jax"), name) for name in ("arrays", "register"))
ROUNDING = {"rtol": 1e-10, "atol": 1e-11}


@pytest.fixture(autouse=True)
def _wide():
    with jax.enable_x64(True):
        yield


def on_numpy(found):
    return tree.convert(np.asarray, found)


@test_layers.every_layer
def test_layers_are_those_of_numpy_and_of_autodiff(name):
    """In training, ragged and backwards; the lengths are an argument of what is compiled."""
    p = test_layers.example(name, LAYOUTS["ragged-reversed"], seed=7)
    q = dataclasses.replace(p, **{f: arrays(getattr(p, f)) for f in ("layer", "xs", "state", "dys", "dstate")})

    def run(layer, xs, state, lengths):
        at = dataclasses.replace(q, layer=layer, xs=xs, state=state, options={**p.options, "lengths": lengths})
        slopes = jax.grad(at.loss)(at.point)
        return at.forward(layer, xs, state)[:2], at.gradient(), tuple(slopes)

    outputs, by_hand, slopes = jax.jit(run)(q.layer, q.xs, q.state, jnp.asarray(LENGTHS))
    expected = p.forward(p.layer, p.xs, p.state)[:2], p.gradient()
    assert_close(on_numpy((outputs, by_hand)), expected, **ROUNDING)
    found = [np.asarray(leaf) for _, leaf in tree.leaves(slopes)]
    assert_close(found, [leaf for _, leaf in tree.leaves(expected[1])], **ROUNDING)


@test_models.every_model
def test_models_are_those_of_numpy(name):
    p = test_models.example(name, ragged=True, seed=7)
    q = dataclasses.replace(p, model=arrays(p.model), inputs=arrays(p.inputs), dys=arrays(p.dys))

    def run(model, inputs, options):
        at = dataclasses.replace(q, model=model, inputs=inputs, options=options)
        return at.forward(*at.point)[0], at.gradient()

    found = jax.jit(run)(q.model, q.inputs, {key: jnp.asarray(n) for key, n in p.options.items()})
    assert_close(on_numpy(found), (p.forward(*p.point)[0], p.gradient()), **ROUNDING)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_lengths_may_be_traced(layout):
    """Cut and in segments, too; outputs beyond the end are zeros, not what the steps there would give."""
    p = problem("LSTM", None, LAYOUTS[layout])

    def run(cell, xs, state, lengths):
        more = {**p.layout, "lengths": lengths} if "lengths" in p.layout else p.layout
        ys, final, tape = cell.forward(xs, state, **more, checkpoint=2)
        return ys, final, cell.backward(p.dys, tape, p.dstate, 3)

    expected = run(p.cell, p.xs, p.state, LENGTHS)
    p = dataclasses.replace(p, dys=jnp.asarray(p.dys), dstate=arrays(p.dstate))
    found = jax.jit(run)(arrays(p.cell), jnp.asarray(p.xs), arrays(p.state), jnp.asarray(LENGTHS))
    assert_close(on_numpy(found), expected, **ROUNDING)


@pytest.mark.parametrize(("name", "options"), KINDS)
def test_every_cell_is_that_of_numpy(name, options):
    """Ragged, backwards and cut, in one program: what a cell does before and after its loop is traced too."""
    p = problem(name, options)

    def run(cell, xs, state, dys, dstate, lengths):
        ys, final, tape = cell.forward(xs, state, lengths, True)
        return ys, final, cell.backward(dys, tape, dstate, 2)

    given = p.cell, p.xs, p.state, p.dys, p.dstate
    found = jax.jit(run)(*map(arrays, given), jnp.asarray(LENGTHS))
    assert_close(on_numpy(found), run(*given, LENGTHS), **ROUNDING)


@pytest.mark.parametrize("size", [0.1, 3.0, 400.0, 1e7])
def test_exponential_of_a_traced_matrix(size, rng):
    a, dy = (size / 4 * (m - m.T) for m in rng.standard_normal((2, 4, 4)))

    def both(a, dy):
        y, cache = expm(a)
        return y, expm_backward(dy, cache)

    found = on_numpy(jax.jit(both)(a, dy))
    if size > 62_000:
        assert np.isnan(found[0]).all()
    else:
        assert_close(found, both(a, dy), **ROUNDING)


@pytest.mark.parametrize("masked", [False, True])
def test_losses_are_those_of_numpy(masked, rng):
    logits, classes, chances = rng.standard_normal((5, 4, 3)), rng.integers(0, 3, (5, 4)), rng.uniform(0, 1, (5, 4, 3))
    given = [
        (losses.mean_squared_error, logits, chances),
        (losses.softmax_cross_entropy, logits, classes),
        (losses.binary_cross_entropy, logits, chances),
    ]

    def run(lengths, like):
        mask = (losses.valid(lengths, 5, like),) if masked else ()
        return [loss(convert(a), convert(b), *mask) for loss, a, b in given]

    convert = np.asarray
    expected = run(LENGTHS, logits)
    convert = jnp.asarray
    eager = run(LENGTHS, jnp.asarray(logits))
    compiled = jax.jit(run)(jnp.asarray(LENGTHS), jnp.asarray(logits))
    none = jax.jit(lambda n: losses.mean_squared_error(jnp.ones((5, 4)), jnp.zeros((5, 4)), losses.valid(n, 5, n > 9)))
    for found in (eager, compiled):
        assert_close(on_numpy(found), expected, **ROUNDING)
    assert float(none(jnp.zeros(4, int))[0]) == 0


@pytest.mark.parametrize("name", test_optim.OPTIMISERS)
@pytest.mark.parametrize("compiled", [False, True])
def test_optimisers_are_those_of_numpy(name, compiled, rng):
    """With clipping; compiled, the numbers of the optimiser are traced, and so is the count of its steps."""
    optimiser, _ = test_optim.OPTIMISERS[name]
    model = problem("Elman").cell
    gradients = [tree.map(lambda w: 3 * rng.standard_normal(w.shape), model) for _ in range(5)]

    def step(optimiser, model, gradient, state):
        clipped, norm = optim.clip_by_global_norm(gradient, 2.0)
        return *optimiser.update(model, clipped, state), norm

    expected, state, norms = model, optimiser.init(model), []
    for gradient in gradients:
        expected, state, norm = step(optimiser, expected, gradient, state)
        norms.append(norm)
    found = arrays(model)
    if compiled:
        register(optimiser)
        step = jax.jit(step)
    state = optimiser.init(found)
    for gradient, norm in zip(gradients, norms, strict=True):
        found, state, known = step(optimiser, found, arrays(gradient), state)
        assert float(known) == pytest.approx(norm, rel=1e-14)
    assert_close(on_numpy(found), expected, rtol=1e-12, atol=1e-13)


def test_clipping_in_float32_of_what_has_no_square():
    with jax.enable_x64(False):
        clipped, norm = optim.clip_by_global_norm([jnp.array([3e20, 4e20])], 1.0)
        assert norm == pytest.approx(5e20)
        assert np.asarray(clipped[0]) == pytest.approx([0.6, 0.8])
        assert optim.global_norm([jnp.zeros(0), jnp.zeros(2)]) == 0
        with pytest.raises(optim.Diverged, match="must be finite, received inf"):
            optim.clip_by_global_norm([jnp.array([jnp.inf])], 1.0)
        traced, _ = jax.jit(lambda g: optim.clip_by_global_norm(g, 1.0))([jnp.array([jnp.inf, 1.0])])
        assert np.isnan(np.asarray(traced[0])).any()


@pytest.mark.parametrize("name", ["Elman", "LSTM", "GRU", "LayerNormLSTM", "LTC"])
def test_bfloat16_stays_bfloat16(name):
    p = problem(name, None, LAYOUTS["ragged"])
    cell, xs, state, dys, dstate = (
        tree.convert(lambda a: jnp.asarray(a, jnp.bfloat16), arrays(v))
        for v in (p.cell, p.xs, p.state, p.dys, p.dstate)
    )

    def both_ways(cell, xs, state, dys, dstate):
        ys, final, tape = cell.forward(xs, state, **p.layout)
        return ys, final, cell.backward(dys, tape, dstate)

    found = jax.jit(both_ways)(cell, xs, state, dys, dstate)
    assert {str(leaf.dtype) for _, leaf in tree.leaves(found)} == {"bfloat16"}
    expected = both_ways(p.cell, p.xs, p.state, p.dys, p.dstate)
    for (path, a), (_, b) in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        assert np.linalg.norm(np.asarray(a, np.float64) - b) < 0.05 * (1 + np.linalg.norm(b)), path
