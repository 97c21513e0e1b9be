"""Layers. One example of a layer in EXAMPLES, and the tests that hold for all of them test it."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncore import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Dense,
    Dropout,
    Elman,
    Embedding,
    Jordan,
    LayerNorm,
    LearnedState,
    PeepholeLSTM,
    RecurrentDropout,
    Stack,
    Tied,
    Zoneout,
    layers,
    tree,
)
from rnncore.layers.layer import initial_state, is_recurrent, run, run_backward
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, LAYOUTS, LENGTHS, TORCH, refuses, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
ROUNDING = {"rtol": 1e-11, "atol": 1e-11}
T, B, D, H = 5, 4, 3, 4


def cell(kind, D=D, H=H, **options):
    return kind.init(np.random.default_rng(0), D, H, dtype=np.float64, **options)


def dense_layer(H=H, K=2):
    return Dense.init(np.random.default_rng(0), H, K, dtype=np.float64)


def embedding(K=6, D=D, **options):
    return Embedding.init(np.random.default_rng(0), K, D, dtype=np.float64, **options)


def batch_norm(*shape):
    layer = BatchNorm.init(D, *shape, dtype=np.float64)
    rng = np.random.default_rng(1)
    shape = layer.mean.shape
    return dataclasses.replace(layer, mean=rng.standard_normal(shape), variance=rng.uniform(0.5, 2, shape))


def both(kind, D=D, merge="concat"):
    return Bidirectional(cell(kind, D), cell(kind, D, 2 if merge == "concat" else H), merge)


EXAMPLES = {
    "Dense": dense_layer(D),
    "Dropout": Dropout(0.4),
    "Dropout-variational": Dropout(0.4, variational=True),
    "Embedding": embedding(),
    "Embedding-padding": embedding(padding=2),
    "LayerNorm": LayerNorm.init(D, dtype=np.float64),
    "BatchNorm": batch_norm(),
    "BatchNorm-per-step": batch_norm(T),
    "Stack": Stack((cell(LSTM), cell(Elman, H, 2))),
    "Stack-of-one": Stack((cell(GRU),)),
    "Stack-dropout": Stack((cell(LSTM), cell(GRU, H), cell(Elman, H, 2)), 0.4),
    "Stack-variational": Stack((cell(LSTM), cell(GRU, H)), 0.4, variational=True),
    "Stack-mixed": Stack((dense_layer(D, D), batch_norm(), cell(Jordan), LayerNorm.init(H, dtype=np.float64))),
    "Stack-deep": Stack((Stack((both(LSTM), both(GRU, 6))), LearnedState.init(cell(Elman, 6)), dense_layer())),
    "Stack-of-symbols": Stack((embedding(), cell(LSTM), dense_layer())),
    "Bidirectional": both(LSTM),
    "Bidirectional-add": both(GRU, merge="add"),
    "Bidirectional-stacks": Bidirectional(Stack((cell(LSTM), cell(Elman, H))), cell(GRU)),
    "LearnedState": LearnedState.init(cell(LSTM)),
    "LearnedState-stack": LearnedState.init(Stack((cell(LSTM), Dropout(0.3), both(GRU, H)))),
    "Zoneout": Zoneout(cell(LSTM), (0.3, 0.6)),
    "Zoneout-one-rate": Zoneout(cell(Jordan), 0.4),
    "RecurrentDropout": RecurrentDropout(cell(LSTM), 0.4),
    "RecurrentDropout-GRU": RecurrentDropout(cell(GRU), 0.4),
    "RecurrentDropout-others": RecurrentDropout(cell(PeepholeLSTM), 0.4),
    "Tied": Tied.init(embedding(), Stack((cell(LSTM), dense_layer(H, D)))),
}
SYMBOLS = [name for name in EXAMPLES if "mbedding" in name or "symbols" in name or "Tied" in name]
RECURRENT = [name for name, layer in EXAMPLES.items() if is_recurrent(layer)]
every_layer = pytest.mark.parametrize("name", EXAMPLES)
every_recurrent = pytest.mark.parametrize("name", RECURRENT)
training = pytest.mark.parametrize("seed", [None, 7], ids=["evaluation", "training"])


@dataclasses.dataclass(frozen=True)
class Run:
    """A layer with random parameters, its inputs and initial state, and gradients that arrive at all it gives."""

    layer: object
    xs: object
    state: object
    dys: object
    dstate: object
    options: dict
    seed: int | None

    def forward(self, layer, xs, state):
        rng = None if self.seed is None else np.random.default_rng(self.seed)
        return run(layer, xs, state, **self.options, rng=rng)

    def loss(self, point):
        ys, state, _ = self.forward(*self.full(point))
        pairs = zip(tree.leaves(state), tree.leaves(self.dstate), strict=True)
        return (ys * self.dys).sum() + sum((s * d).sum() for (_, s), (_, d) in pairs)

    def full(self, point):
        """The point to differentiate at, with the inputs where they are symbols."""
        return point if len(point) == 3 else (point[0], self.xs, point[1])

    @property
    def point(self):
        symbols = "int" in str(self.xs.dtype)
        return (self.layer, self.state) if symbols else (self.layer, self.xs, self.state)

    def gradient(self, window=None):
        _, _, tape = self.forward(self.layer, self.xs, self.state)
        dxs, dstate, grads = run_backward(self.layer, self.dys, tape, self.dstate, window)
        return (grads, dstate) if dxs is None else (grads, dxs, dstate)


def example(name, options=None, seed=None, backend="numpy", layer=None, T=T, B=B):
    """A random `Run` of an example."""
    rng = np.random.default_rng(3)

    def draw(like):
        return 0.6 * rng.standard_normal(like.shape)

    layer = tree.map(draw, EXAMPLES[name] if layer is None else layer)
    xs = rng.integers(0, 6, (T, B)) if name in SYMBOLS else rng.standard_normal((T, B, D))
    state = tree.map(draw, initial_state(layer, B))
    ys, after, _ = run(layer, xs, state)
    values = to(backend, (layer, xs, state, draw(ys), tree.map(draw, after)))
    return Run(*values, options or {}, seed)


# -- what holds for all layers


def test_every_layer_has_an_example():
    assert {name.partition("-")[0] for name in EXAMPLES} == set(layers.__all__)
    kinds = {name.partition("-")[0]: type(layer).__name__ for name, layer in EXAMPLES.items()}
    assert [name for name, kind in kinds.items() if name != kind] == []


@every_layer
@every_layout
@training
def test_gradients_are_those_of_central_differences(name, layout, seed, rng):
    p = example(name, layout, seed)
    check_gradients(p.loss, p.point, p.gradient(), rng)


@every_layer
@every_layout
@training
@pytest.mark.parametrize("backend", TORCH)
def test_gradients_are_those_of_autograd(name, layout, seed, backend):
    p = example(name, layout, seed, backend)
    point = tree.map(lambda a: a.clone().requires_grad_(), p.point)
    leaves = [leaf for _, leaf in tree.leaves(point)]
    found = iter(torch.autograd.grad(p.loss(point), leaves, allow_unused=True))
    expected = tree.map(lambda a: torch.zeros_like(a) if (g := next(found)) is None else g, p.point)
    assert_close(p.gradient(), expected, **ROUNDING)


@every_layer
@every_layout
@training
@pytest.mark.parametrize("backend", TORCH)
def test_torch_is_numpy(name, layout, seed, backend):
    one, other = (example(name, layout, seed, b) for b in ("numpy", backend))
    expected = (*one.forward(one.layer, one.xs, one.state)[:2], *one.gradient())
    assert_close(
        (*other.forward(other.layer, other.xs, other.state)[:2], *other.gradient()), to(backend, expected), **ROUNDING
    )


@every_layer
@every_layout
def test_ragged_is_each_sequence_alone(name, layout):
    p = example(name, layout)
    ys, state, _ = p.forward(p.layer, p.xs, p.state)
    grads, *rest, dstate = p.gradient()
    total = tree.map(np.zeros_like, p.layer)
    reverse = layout.get("reverse", False)
    for b, n in enumerate(layout.get("lengths", [T] * B)):
        row, steps = slice(b, b + 1), slice(0, n)
        part = dataclasses.replace(
            p,
            xs=p.xs[steps, row],
            dys=p.dys[steps, row],
            state=tree.map(lambda s, row=row: s[row], p.state),
            dstate=tree.map(lambda s, row=row: s[row], p.dstate),
            options={"reverse": reverse},
        )
        part_ys, part_state, _ = part.forward(part.layer, part.xs, part.state)
        part_grads, *part_rest, part_dstate = part.gradient()
        alone = (part_ys, part_state, part_dstate, *part_rest)
        cut = tree.map(lambda s, row=row: s[row], (state, dstate))
        assert_close((ys[steps, row], *cut, *(r[steps, row] for r in rest)), alone, **ROUNDING)
        assert (ys[n:, b] == 0).all()
        assert all((r[n:, b] == 0).all() for r in rest)
        total = tree.map(lambda a, g: a + g, total, part_grads)
    assert_close(grads, total, **ROUNDING)


@every_layer
@every_backend
@training
@pytest.mark.parametrize("reverse", [False, True])
def test_padding_has_no_influence(name, backend, seed, reverse):
    p = example(name, {"lengths": LENGTHS, "reverse": reverse}, seed)
    padding = np.arange(T)[:, None] >= np.array(LENGTHS)
    filled = dataclasses.replace(p, xs=p.xs.copy(), dys=p.dys.copy())
    filled.xs[padding] = -9 if name in SYMBOLS else np.nan
    filled.dys[padding] = np.nan
    runs = []
    for q in (p, filled):
        q = dataclasses.replace(q, **{f: to(backend, getattr(q, f)) for f in ("layer", "xs", "state", "dys", "dstate")})
        ys, state, _ = q.forward(q.layer, q.xs, q.state)
        assert (ys[padding] == 0).all()
        gradient = q.gradient()
        kept = list(tree.leaves(gradient[0], and_fixed=True))  # running averages as well
        runs.append((ys, state, gradient, [leaf for _, leaf in kept]))
    assert_close(*runs, rtol=0, atol=0)


@every_recurrent
@every_layout
@training
@pytest.mark.parametrize("window", [None, 2])
@pytest.mark.parametrize("checkpoint", [1, 2, T])
def test_checkpointed_is_plain(name, layout, seed, window, checkpoint):
    plain, kept = (example(name, layout | more, seed) for more in ({}, {"checkpoint": checkpoint}))
    assert_close(kept.gradient(window), plain.gradient(window), **ROUNDING)


@every_recurrent
@every_layout
def test_a_window_reaches_every_layer(name, layout):
    p = example(name, layout)
    for window in (T, T + 2):
        assert_close(p.gradient(window), p.gradient(), rtol=0, atol=0)
    cut, whole = (dict(tree.leaves(p.gradient(window))) for window in (1, None))
    recurrent = [path for path in whole if path.endswith(".U")]
    assert recurrent
    assert [path for path in recurrent if np.abs(cut[path] - whole[path]).max() < 1e-6] == []


@every_recurrent
@every_backend
@pytest.mark.parametrize("cut", [1, 3])
def test_chunk_after_chunk_is_the_whole_sequence(name, backend, cut):
    p = example(name, backend=backend)
    if any(kind in repr(p.layer) for kind in ("Bidirectional", "BatchNorm")):
        return  # these look ahead
    whole = p.forward(p.layer, p.xs, p.state)[:2]
    first, state, _ = p.forward(p.layer, p.xs[:cut], p.state)
    second, state, _ = p.forward(p.layer, p.xs[cut:], state)
    assert_close((first, second, state), (whole[0][:cut], whole[0][cut:], whole[1]), **ROUNDING)


@every_recurrent
@every_layout
@training
def test_no_dys_and_no_dstate_are_zeros(name, layout, seed):
    p = example(name, layout, seed)
    for field in ("dys", "dstate"):
        zeros = dataclasses.replace(p, **{field: tree.map(np.zeros_like, getattr(p, field))})
        assert_close(dataclasses.replace(p, **{field: None}).gradient(), zeros.gradient(), rtol=0, atol=0)


@every_recurrent
def test_no_state_is_the_initial_state(name):
    p = example(name)
    given = dataclasses.replace(p, state=initial_state(p.layer, B))
    assert_close(p.forward(p.layer, p.xs, None)[:2], p.forward(p.layer, p.xs, given.state)[:2], rtol=0, atol=0)


@every_layer
@training
def test_nothing_is_kept_and_nothing_changed(name, seed):
    p = example(name, seed=seed)
    before = tree.convert(np.copy, (p.layer, p.xs, p.state, p.dys, p.dstate))
    one, two = p.gradient(), p.gradient()
    assert_close(one, two, rtol=0, atol=0)
    assert_close((p.layer, p.xs, p.state, p.dys, p.dstate), before, rtol=0, atol=0)
    other = dataclasses.replace(p, seed=None if seed is None else seed + 1)
    random = any(kind in repr(p.layer) for kind in ("Dropout", "Zoneout")) or getattr(p.layer, "dropout", 0)
    same = np.array_equal(p.forward(*p.full(p.point))[0], other.forward(*p.full(p.point))[0])
    assert same == (seed is None or not random)


@every_layer
@training
@pytest.mark.parametrize(("T", "B"), [(0, 3), (3, 0), (0, 0)])
def test_of_nothing_comes_nothing(name, seed, T, B):
    for layout in ({}, {"lengths": [0] * B}):
        p = example(name, layout, seed, T=T, B=B)
        ys, state, _ = p.forward(p.layer, p.xs, p.state)
        grads, *rest, dstate = p.gradient()
        assert_close((ys, state, dstate), (p.dys, p.state, p.dstate), rtol=0, atol=0)
        zeros = tree.map(np.zeros_like, (p.layer, p.xs))
        if name.startswith("LearnedState") or "deep" in name:
            continue  # what arrives at the final state is theirs
        assert_close((grads, *rest), zeros[: 1 + len(rest)], rtol=0, atol=0)


@every_layer
def test_float32_stays_float32(name):
    p = example(name, seed=7)
    fields = ("layer", "state", "dys", "dstate") + (() if name in SYMBOLS else ("xs",))
    p = dataclasses.replace(p, **{f: tree.convert(np.float32, getattr(p, f)) for f in fields})
    values = (*p.forward(p.layer, p.xs, p.state)[:2], p.gradient())
    assert {leaf.dtype for _, leaf in tree.leaves(values, and_fixed=True)} == {np.dtype(np.float32)}


# -- one layer after the other


def dense(rng, H=4, K=3):
    return Dense(rng.standard_normal((H, K)), rng.standard_normal(K))


@every_backend
@pytest.mark.parametrize("leading", [(5,), (5, 2), (2, 3, 2), (0, 2), (3, 0)])
def test_dense_is_torch_linear(leading, backend, rng):
    layer, xs, dys = dense(rng), rng.standard_normal((*leading, 4)), rng.standard_normal((*leading, 3))
    V, c, x = (torch.tensor(a, requires_grad=True) for a in (layer.V, layer.c, xs))
    expected = torch.nn.functional.linear(x, V.T, c)
    expected.backward(torch.tensor(dys))
    layer, xs, dys = to(backend, (layer, xs, dys))
    ys, cache = layer.forward(xs)
    dxs, grads = layer.backward(dys, cache)
    wanted = tree.map(lambda a: a.detach().numpy(), (expected, x.grad, V.grad, c.grad))
    assert_close((ys, dxs, grads.V, grads.c), to(backend, wanted), rtol=1e-12, atol=1e-12)


@given(st.integers(0, 4), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4))
def test_dense_gradients_are_those_of_central_differences(T, B, H, K):
    rng = np.random.default_rng(0)
    layer, xs, dys = dense(rng, H, K), rng.standard_normal((T, B, H)), rng.standard_normal((T, B, K))
    dxs, grads = layer.backward(dys, layer.forward(xs)[1])
    check_gradients(lambda p: (p[0].forward(p[1])[0] * dys).sum(), (layer, xs), (grads, dxs), rng)


def test_dense_init():
    layers = [Dense.init(np.random.default_rng(0), 4, 3) for _ in range(2)]
    assert_close(*layers, rtol=0, atol=0)
    assert layers[0].V.shape == (4, 3)
    assert_close(layers[0].c, np.zeros(3, np.float32))


def test_dense_refuses(rng):
    layer = dense(rng)
    xs = rng.standard_normal((5, 2, 4))
    ys, cache = layer.forward(xs)
    for call, error, message in [
        (lambda: layer.forward(xs[..., :3]), ValueError, "Dense.forward: xs must have shape (N0, N1, 4), received"),
        (lambda: layer.forward(xs[0, 0]), ValueError, "Dense.forward: xs must have shape (N0, 4), received (4,)"),
        (
            lambda: layer.forward(None),
            TypeError,
            "Dense.forward: xs must be an array of shape (N0, 4), received a",
        ),
        (lambda: layer.forward(np.float32(xs)), TypeError, "Dense.forward: xs has dtype float32, but float64"),
        (lambda: layer.backward(ys[:4], cache), ValueError, "Dense.backward: dys must have shape (5, 2, 3), received"),
        (lambda: layer.backward(ys, None), TypeError, "Dense.backward: cache must be an array of shape"),
        (lambda: Dense(layer.V, layer.V), ValueError, "Dense: c must have shape (3,), received (4, 3)"),
        (lambda: Dense(layer.c, layer.c), ValueError, "Dense: V must have shape (H, K), received (3,)"),
        (lambda: Dense(layer.V.astype(int), layer.c), TypeError, "Dense: V must hold floating-point numbers"),
        (lambda: Dense.init(rng, 0, 3), ValueError, "size must be an integer from 1, received 0"),
        (lambda: Dense.init(rng, 3, 4, dtype=np.float16), TypeError, "dtype must be float32 or float64"),
    ]:
        with refuses(error, message):
            call()
