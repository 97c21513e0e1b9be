"""Layers. One example of a layer in EXAMPLES, and the tests that hold for all of them test it."""

import dataclasses

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rnncore import (
    CELLS,
    GRU,
    LSTM,
    AffineCell,
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
from rnncore.layers.dropout import dropout_mask
from rnncore.layers.layer import final, final_backward, initial_state, is_recurrent, run, run_backward
from rnncore.recurrence import Tape
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, LAYOUTS, LENGTHS, TORCH, problem, refuses, to

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
    "Bidirectional-random": Bidirectional(cell(LSTM), Zoneout(cell(GRU), 0.5)),
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
def test_checkpointed_is_plain(name, layout, seed, window):
    plain = example(name, layout, seed).gradient(window)
    for checkpoint in (1, 2, T):
        kept = example(name, layout | {"checkpoint": checkpoint}, seed)
        assert_close(kept.gradient(window), plain, **ROUNDING)
        kept_tapes = tapes(kept.forward(*kept.full(kept.point)))
        caches = [[segment.caches for segment in tape.segments] for tape in kept_tapes]
        assert caches
        assert all(cache == [None] * -(-T // checkpoint) for cache in caches)


def tapes(found):
    """Those of all cells that ran."""
    if isinstance(found, Tape):
        yield found
    for part in getattr(found, "parts", found if isinstance(found, tuple | list) else ()):
        yield from tapes(part)


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


@pytest.mark.parametrize("name", [name for name in RECURRENT if "Bidirectional" not in repr(EXAMPLES[name])])
@every_backend
@pytest.mark.parametrize("cut", [1, 3])
def test_chunk_after_chunk_is_the_whole_sequence(name, backend, cut):
    p = example(name, backend=backend)
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


class Ahead:
    """A layer of one's own: no base class, no parameters; y_t = x_t + x_{t+1}², so that padding could leak."""

    def forward(self, xs):
        later = np.concatenate([xs[1:], xs[:1]])
        return xs + later**2, later

    def backward(self, dys, later):
        dlater = 2 * later * dys
        return dys + np.concatenate([dlater[-1:], dlater[:-1]]), ()


@every_layout
def test_a_layer_of_ones_own_needs_no_base_class(layout, rng):
    p = problem("Elman", None, layout)
    filled, read = p.xs + 0.0, layout.get("lengths", [T] * B)
    filled[np.arange(T)[:, None] >= np.array(read)] = np.nan

    def loss(point):
        ys, _, _ = Stack((Ahead(), point[0])).forward(point[1], **layout)
        return (ys * p.dys).sum()

    layer = Stack((Ahead(), p.cell))
    ys, _, tape = layer.forward(p.xs, **layout)
    dxs, _, grads = layer.backward(p.dys, tape)
    check_gradients(loss, (p.cell, p.xs), (grads.layers[1], dxs), rng)
    assert_close(layer.forward(filled, **layout)[0], ys, rtol=0, atol=0)


# stacks and directions


@pytest.mark.parametrize("lengths", [None, [3, 4, 5, 1]])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_two_layers_in_two_directions_are_those_of_torch(kind, lengths, rng):
    """Outputs, final states and all gradients of torch's, from a packed sequence."""
    theirs = getattr(torch.nn, kind)(D, H, num_layers=2, bidirectional=True).double()
    shapes = [(4, B, H)] * (2 if kind == "LSTM" else 1)
    sizes = (T, B, D), (len(shapes), *shapes[0])
    xs, initial = (torch.tensor(rng.standard_normal(s), requires_grad=True) for s in sizes)
    packed = xs
    if lengths is not None:
        packed = torch.nn.utils.rnn.pack_padded_sequence(xs, lengths, enforce_sorted=False)
    ys, final_state = theirs(packed, tuple(initial) if kind == "LSTM" else initial[0])
    if lengths is not None:
        ys, _ = torch.nn.utils.rnn.pad_packed_sequence(ys, total_length=T)
    final_state = torch.stack(final_state) if kind == "LSTM" else final_state[None]
    dys, dfinal = (torch.tensor(rng.standard_normal(tuple(a.shape))) for a in (ys, final_state))
    ((ys * dys).sum() + (final_state * dfinal).sum()).backward()

    def ours(of):
        """Our layers, made from torch's parameters or from their gradients."""
        found = {name: of(p).detach().numpy() for name, p in theirs.named_parameters()}

        def cell(suffix):
            W, U, b, c = (found[f"{name}_{suffix}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
            if kind == "LSTM":
                return LSTM(W.T, U.T, b + c if of is parameter else b)  # one bias here, the gradient of both there
            joined = np.concatenate([(b + c if of is parameter else b)[: 2 * H], b[2 * H :]])
            return GRU(W.T, U.T, joined, c[2 * H :])

        return Stack(tuple(Bidirectional(cell(f"l{i}"), cell(f"l{i}_reverse")) for i in range(2)))

    def nested(state):
        state = state.detach().numpy()
        return tuple(tuple(tuple(part[2 * i + j] for part in state) for j in range(2)) for i in range(2))

    def parameter(p):
        return p

    layer = ours(parameter)
    found, state, tape = layer.forward(xs.detach().numpy(), nested(initial), lengths)
    dxs, dstate, grads = layer.backward(dys.numpy(), tape, nested(dfinal))
    assert_close((found, state), (ys.detach().numpy(), nested(final_state)), **ROUNDING)
    assert_close((dxs, dstate), (xs.grad.numpy(), nested(initial.grad)), **ROUNDING)
    assert_close(grads, ours(lambda p: p.grad), **ROUNDING)


def test_a_stack_hands_each_output_up():
    p = example("Stack")
    below, above = p.layer.layers
    hs, first, _ = below.forward(p.xs, p.state[0], LENGTHS)
    ys, second, _ = above.forward(hs, p.state[1], LENGTHS)
    assert_close(p.layer.forward(p.xs, p.state, LENGTHS)[:2], (ys, (first, second)), rtol=0, atol=0)


def test_dropout_of_a_stack_is_between_its_layers(rng):
    masks = np.random.default_rng(5)
    p, layer = example("Stack-dropout"), EXAMPLES["Stack-dropout"]
    xs = p.xs
    for i, part in enumerate(p.layer.layers):
        if i:
            xs = xs * (masks.random(xs.shape) >= 0.4) / 0.6
        xs, _, _ = part.forward(xs, p.state[i])
    assert_close(p.layer.forward(p.xs, p.state, rng=np.random.default_rng(5))[0], xs)
    assert layer.dropout == 0.4


def test_the_directions_of_a_bidirectional_layer_meet_at_each_step():
    for merge in ("concat", "add"):
        layer, p = both(LSTM, merge=merge), example("Bidirectional")
        a, _, _ = layer.ahead.forward(p.xs, lengths=LENGTHS)
        b, _, _ = layer.back.forward(p.xs, lengths=LENGTHS, reverse=True)
        expected = a + b if merge == "add" else np.concatenate([a, b], axis=-1)
        assert_close(layer.forward(p.xs, lengths=LENGTHS)[0], expected, rtol=0, atol=0)
        turned = dataclasses.replace(layer, ahead=layer.back, back=layer.ahead) if merge == "add" else None
        if turned:
            found, _, _ = turned.forward(p.xs, lengths=LENGTHS, reverse=True)
            assert_close(found, expected)


@pytest.mark.parametrize(
    "name",
    [
        "Stack",
        "Bidirectional",
        "Bidirectional-add",
        "Bidirectional-stacks",
        "LearnedState",
        "Zoneout",
        "RecurrentDropout",
    ],
)
def test_final_output_and_its_derivative(name, rng):
    p = example(name, {"lengths": LENGTHS})
    ys, state, _ = p.forward(p.layer, p.xs, p.state)
    out = final(p.layer, state)
    for b, n in enumerate(LENGTHS):
        if n and not name.startswith("Bidirectional"):
            assert_close(out[b], ys[n - 1, b])
        if n and name == "Bidirectional":
            assert_close(out[b], np.concatenate([ys[n - 1, b, :H], ys[0, b, H:]]))
    dout = rng.standard_normal(out.shape)
    check_gradients(lambda s: (final(p.layer, s) * dout).sum(), state, final_backward(p.layer, dout, state), rng)


# dropout


@every_backend
def test_dropout_by_its_numbers(backend):
    xs = to(backend, np.ones((200, 50, 4)))
    for layer in (Dropout(0.3), Dropout(0.3, variational=True)):
        ys, cache = layer.forward(xs, rng=np.random.default_rng(0))
        ys = np.asarray(ys.cpu() if backend != "numpy" else ys)
        assert sorted(set(ys.ravel().round(9).tolist())) == [0, round(1 / 0.7, 9)]
        same = (ys == ys[:1]).all()
        assert same == layer.variational
        n = ys[:1].size if same else ys.size
        assert abs((ys == 0).mean() - 0.3) < 4 * np.sqrt(0.21 / n)  # four standard deviations
        assert abs(ys.mean() - 1) < 4 * np.sqrt(0.21 / n) / 0.7
        dys, _ = layer.backward(to(backend, 2 * np.ones_like(ys)), cache)
        assert_close(dys, to(backend, 2 * ys))
        assert_close(layer.forward(xs)[0], xs, rtol=0, atol=0)
        zero, _ = dataclasses.replace(layer, rate=0.0).forward(xs, rng=np.random.default_rng(0))
        assert_close(zero, xs, rtol=0, atol=0)
    theirs = torch.nn.functional.dropout(torch.ones(200, 50, 4), 0.3)
    assert abs((theirs == 0).double().mean().item() - 0.3) < 4 * np.sqrt(0.21 / ys.size)
    assert theirs.max().item() == pytest.approx(ys.max())


@every_backend
def test_one_seed_one_mask_for_every_library_and_dtype(backend):
    for dtype in (np.float32, np.float64):
        like = to(backend, np.zeros(1, dtype))
        mask = dropout_mask(np.random.default_rng(0), (5, 4), 0.5, like)
        assert mask.dtype == like.dtype
        expected = 2.0 * (np.random.default_rng(0).random((5, 4)) >= 0.5)
        assert_close(mask, to(backend, expected.astype(dtype)), rtol=0, atol=0)


def zoned_by_hand(cell, xs, state, masks):
    """h' = m h + (1 - m) ĥ, step by step."""
    ys = []
    for x, m in zip(xs, masks, strict=True):
        new, _ = cell.step(x, state)
        parts = np.split(m, np.cumsum([np.prod(s) for s in cell.state_shapes])[:-1].astype(int), axis=1)
        parts = [k.reshape(s.shape) for k, s in zip(parts, state, strict=True)]
        state = tuple(k * s + (1 - k) * n for k, s, n in zip(parts, state, new, strict=True))
        ys.append(state[0])
    return np.stack(ys), state


@pytest.mark.parametrize("name", CELLS)
def test_zoneout_of_any_cell(name, rng):
    p = problem(name, T=3)
    rates = tuple(0.2 + 0.3 * i for i in range(len(p.state)))
    layer = Zoneout(p.cell, rates)
    units = [int(np.prod(s)) for s in p.cell.state_shapes]
    rate = np.repeat(rates, units)
    shape = (3, len(p.xs[0]), sum(units))
    masks = np.random.default_rng(9).random(shape) < rate
    for seed, m in ((9, masks), (None, rate + np.zeros(shape))):
        r = None if seed is None else np.random.default_rng(seed)
        assert_close(layer.forward(p.xs, p.state, rng=r)[:2], zoned_by_hand(p.cell, p.xs, p.state, m), **ROUNDING)
        q = Run(layer, p.xs, p.state, p.dys, p.dstate, {"lengths": [2, 0, 3, 1], "reverse": True}, seed)
        check_gradients(q.loss, q.point, q.gradient(), rng)
    assert_close(
        Zoneout(p.cell, 0.0).forward(p.xs, p.state, rng=rng)[:2], p.cell.forward(p.xs, p.state)[:2], **ROUNDING
    )


@dataclasses.dataclass(frozen=True)
class Antisymmetric(Elman):
    """A cell whose parameters stand for others: U = A - Aᵀ."""

    def effective(self):
        return Elman(self.W, self.U - self.U.T, self.b)

    def effective_backward(self, grads):
        return dataclasses.replace(self, W=grads.W, U=grads.U - grads.U.T, b=grads.b)


@pytest.mark.parametrize("wrap", [lambda c: Zoneout(c, 0.3), lambda c: RecurrentDropout(c, 0.3)])
@training
def test_cells_whose_parameters_stand_for_others(wrap, seed, rng):
    p = problem("Elman")
    cell = Antisymmetric(p.cell.W, p.cell.U, p.cell.b)
    q = Run(wrap(cell), p.xs, p.state, p.dys, p.dstate, {"lengths": LENGTHS}, seed)
    check_gradients(q.loss, q.point, q.gradient(), rng)
    assert isinstance(q.gradient()[0].cell, Antisymmetric)


def test_zoneout_in_evaluation_is_the_mean_of_training(rng):
    p = example("Zoneout", T=1, B=1)
    many = [np.repeat(a, 20000, axis=-2) for a in (p.xs, *p.state)]
    _, state, _ = p.layer.forward(many[0], tuple(many[1:]), rng=rng)
    _, mean, _ = p.layer.forward(p.xs, p.state)
    for s, m, old in zip(state, mean, p.state, strict=True):
        assert (np.abs(s.mean(axis=0) - m[0]) < 0.02).all()
        kept = (s == old).mean(axis=0)
        assert (np.abs(kept - (0.3 if s is state[0] else 0.6)) < 0.02).all()


@pytest.mark.parametrize("name", CELLS)
def test_recurrent_dropout_of_any_affine_cell(name, rng):
    p = problem(name, T=3)
    layer = RecurrentDropout(p.cell, 0.4)
    q = Run(layer, p.xs, p.state, p.dys, p.dstate, {"lengths": [2, 0, 3, 1], "reverse": True}, 9)
    if type(p.cell.effective()).advance is not AffineCell.advance:
        with refuses(TypeError, "RecurrentDropout.forward: cell must have a product h U", f"received a {name}"):
            layer.forward(p.xs, p.state)
        return
    check_gradients(q.loss, q.point, q.gradient(), rng)
    plain = p.cell.forward(p.xs, p.state)[:2]
    assert_close(layer.forward(p.xs, p.state)[:2], plain, **ROUNDING)
    assert_close(dataclasses.replace(layer, rate=0.0).forward(p.xs, p.state, rng=rng)[:2], plain, **ROUNDING)
    # a mask of the rows of U is the same, for one sequence
    alone = np.random.default_rng(9)
    one = problem(name, T=3, B=1)
    mask = dropout_mask(np.random.default_rng(9), one.state[0].shape, 0.4, one.xs)
    masked = dataclasses.replace(one.cell, U=mask[0][:, None] * one.cell.U)
    found = RecurrentDropout(one.cell, 0.4).forward(one.xs, one.state, rng=alone)[:2]
    if one.cell.effective() is one.cell:
        assert_close(found, masked.forward(one.xs, one.state)[:2], **ROUNDING)


def test_recurrent_dropout_drops_the_same_units_at_every_step_and_loses_none():
    """With h' = h U, U = 1, a dropped unit is zero after one step; in a GRU that keeps its state, nothing is lost."""
    eye, zeros = np.eye(50), np.zeros((6, 3, 50))
    h = np.ones((3, 50))
    layer = RecurrentDropout(Elman(eye, eye, np.zeros(50), "identity"), 0.5)
    ys, _, _ = layer.forward(zeros, (h,), rng=np.random.default_rng(0))
    kept = ys[0] > 0
    assert_close(ys, 2.0 ** np.arange(1, 7)[:, None, None] * kept)
    assert 0.35 < kept.mean() < 0.65
    assert (kept[0] != kept[1]).any()  # a mask for each sequence
    gru = GRU(np.zeros((50, 150)), np.zeros((50, 150)), np.repeat([0.0, 1e3, 0.0], 50), np.zeros(50))
    ys, _, _ = RecurrentDropout(gru, 0.5).forward(zeros, (h,), rng=np.random.default_rng(0))
    assert_close(ys, np.ones((6, 3, 50)))


# embeddings and tying


@every_backend
@pytest.mark.parametrize("padding", [None, 2])
@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8])
@pytest.mark.parametrize("shape", [(), (7,), (5, 4), (0, 3)])
def test_embedding_is_that_of_torch(shape, dtype, padding, backend, rng):
    E, ks, dys = rng.standard_normal((6, 3)), np.asarray(rng.integers(0, 6, shape)), rng.standard_normal((*shape, 3))
    if padding is not None:
        E[padding] = 0
    theirs = torch.nn.Embedding(6, 3, padding_idx=padding, _weight=torch.tensor(E))
    expected = theirs(torch.tensor(ks))
    expected.backward(torch.tensor(dys))
    layer, ks, dys = to(backend, (Embedding(E, padding), ks.astype(dtype), dys))
    ys, cache = layer.forward(ks)
    dxs, grads = layer.backward(dys, cache)
    assert dxs is None
    assert_close((ys, grads.E), to(backend, (expected.detach().numpy(), theirs.weight.grad.numpy())), **ROUNDING)


def test_embedding_init():
    layer = Embedding.init(np.random.default_rng(0), 200, 50, padding=3)
    assert layer.E.dtype == np.float32
    assert (layer.E[3] == 0).all()
    assert abs(np.delete(layer.E, 3, 0).std() - 1) < 0.05


def test_tied_is_untied_with_the_gradients_added():
    p = example("Tied", {"lengths": LENGTHS})
    E, c = p.layer.embedding.E, p.layer.c
    untied = Stack((Embedding(E), p.layer.layer, Dense(E.T.copy(), c)))
    ys, state, tape = untied.forward(p.xs, ((), p.state, ()), LENGTHS)
    _, dstate, (below, layer, above) = (*(r := untied.backward(p.dys, tape, ((), p.dstate, ())))[:2], r[2].layers)
    found, dinitial = p.gradient()
    assert_close(p.forward(p.layer, p.xs, p.state)[:2], (ys, state[1]), **ROUNDING)
    assert_close((found.layer, found.c, dinitial), (layer, above.c, dstate[1]), **ROUNDING)
    assert_close(found.embedding.E, below.E + above.V.T, **ROUNDING)
    assert [path for path, _ in tree.leaves(p.layer)].count("embedding.E") == 1


# normalisation


@every_backend
@pytest.mark.parametrize("leading", [(), (4,), (5, 4)])
def test_layer_norm_is_that_of_torch(leading, backend, rng):
    gain, bias, xs, dys = (rng.standard_normal(shape) for shape in ((3,), (3,), (*leading, 3), (*leading, 3)))
    x, g, b = (torch.tensor(a, requires_grad=True) for a in (xs, gain, bias))
    expected = torch.nn.functional.layer_norm(x, (3,), g, b, eps=1e-3)
    expected.backward(torch.tensor(dys))
    layer, xs, dys = to(backend, (LayerNorm(gain, bias, 1e-3), xs, dys))
    ys, cache = layer.forward(xs)
    dxs, grads = layer.backward(dys, cache)
    wanted = tree.map(lambda a: a.detach().numpy(), (expected, x.grad, g.grad, b.grad))
    assert_close((ys, dxs, grads.gain, grads.bias), to(backend, wanted), **ROUNDING)


@every_backend
@pytest.mark.parametrize("lengths", [None, [3, 0, 5, 2]])
@pytest.mark.parametrize("per_step", [False, True])
def test_batch_norm_is_that_of_torch_on_the_valid_rows(per_step, lengths, backend, rng):
    """Three batches in training, then evaluation: outputs, gradients and running averages. Per step: a torch layer for
    each; where one sequence alone is still running torch refuses, and here its running variance stays."""
    shape = (T, D) if per_step else (D,)
    gain, bias, mean, variance = (
        rng.standard_normal(D),
        rng.standard_normal(D),
        rng.standard_normal(shape),
        rng.random(shape),
    )
    ours = to(backend, BatchNorm(gain, bias, mean, variance, 0.3, 1e-3))
    theirs = [torch.nn.BatchNorm1d(D, eps=1e-3, momentum=0.3).double() for _ in range(T if per_step else 1)]
    for i, layer in enumerate(theirs):
        layer.weight.data, layer.bias.data = torch.tensor(gain), torch.tensor(bias)
        layer.running_mean.copy_(torch.tensor(mean[i] if per_step else mean))
        layer.running_var.copy_(torch.tensor(variance[i] if per_step else variance))
    valid = np.ones((T, B), bool) if lengths is None else np.arange(T)[:, None] < np.array(lengths)
    for evaluation in (False, False, False, True):
        xs, dys = rng.standard_normal((T, B, D)), rng.standard_normal((T, B, D))
        expected = np.zeros((2, T, B, D))
        grads = np.zeros((2, D))
        for i, layer in enumerate(theirs):
            layer.train(not evaluation)
            layer.zero_grad()
            here = valid & (np.arange(T)[:, None] == i) if per_step else valid
            x = torch.tensor(xs[here], requires_grad=True)
            if len(x) < 2 and not evaluation:  # mean x: nothing but the bias is left
                expected[0][here] = bias
                grads[1] += dys[here].sum(axis=0)
                layer.running_mean.mul_(0.7).add_(0.3 * x.detach().sum(axis=0)) if len(x) else None
                continue
            y = layer(x)
            y.backward(torch.tensor(dys[here]))
            expected[0][here], expected[1][here] = y.detach().numpy(), x.grad.numpy()
            grads += np.stack([layer.weight.grad.numpy(), layer.bias.grad.numpy()])
        ys, cache = ours.forward(*to(backend, (xs,)), lengths, rng=None if evaluation else rng)
        dxs, found = ours.backward(*to(backend, (dys,)), cache)
        assert_close((ys, dxs, found.gain, found.bias), to(backend, (*expected, *grads)), **ROUNDING)
        ours = tree.with_fixed_of(ours, found)
        running = [np.stack([getattr(t, f"running_{n}").numpy() for t in theirs]) for n in ("mean", "var")]
        running = running if per_step else [r[0] for r in running]
        assert_close((ours.mean, ours.variance), to(backend, tuple(running)), **ROUNDING)


def test_batch_norm_per_step_uses_the_last_step_beyond_its_steps(rng):
    layer, xs = batch_norm(2), rng.standard_normal((4, 2, D))
    ys, _ = layer.forward(xs)
    for t, s in enumerate([0, 1, 1, 1]):
        assert_close(ys[t], (xs[t] - layer.mean[s]) / np.sqrt(layer.variance[s] + 1e-5))
    with refuses(ValueError, "BatchNorm.forward: there are statistics for 2 steps, received 4"):
        layer.forward(xs, rng=rng)
    layer.forward(xs, [2, 1], rng=rng)  # what is longer is padding


def test_batch_norm_per_step_leaves_the_statistics_of_steps_that_were_not_there(rng):
    layer, xs = batch_norm(4), rng.standard_normal((3, 2, D))
    ys, cache = layer.forward(xs, [2, 2], rng=rng)
    moved = tree.with_fixed_of(layer, layer.backward(ys, cache)[1])
    assert_close(moved.mean[:2], 0.9 * layer.mean[:2] + 0.1 * xs[:2].mean(axis=1))
    assert_close(moved.variance[:2], 0.9 * layer.variance[:2] + 0.1 * xs[:2].var(axis=1, ddof=1))
    assert_close((moved.mean[2:], moved.variance[2:]), (layer.mean[2:], layer.variance[2:]), rtol=0, atol=0)


def test_fixed_arrays_of_a_gradient_are_taken_over_wherever_they_are(rng):
    p = example("Stack-mixed", seed=7)
    grads = p.gradient()[0]
    found = tree.with_fixed_of(p.layer, grads)
    assert_close(found, p.layer, rtol=0, atol=0)
    assert_close(found.layers[1].mean, grads.layers[1].mean, rtol=0, atol=0)
    assert (found.layers[1].mean != p.layer.layers[1].mean).all()
    flat = p.xs @ p.layer.layers[0].V + p.layer.layers[0].c
    expected = 0.9 * p.layer.layers[1].mean + 0.1 * flat.mean(axis=(0, 1))
    assert_close(found.layers[1].mean, expected)


# -- what is refused


def of(name):
    """A layer, inputs and what backward needs."""
    p = example(name)
    ys, _, tape = p.layer.forward(p.xs, p.state)
    return p, ys, tape


REFUSED = {
    "Stack of none": (lambda: Stack(()), TypeError, "Stack: layers must be a tuple of one layer or more, received ()"),
    "Stack of a list": (lambda: Stack([cell(LSTM)]), TypeError, "Stack: layers must be a tuple"),
    "Stack dropout": (lambda: Stack((cell(LSTM),), 1.0), ValueError, "Stack: dropout must be a probability in [0, 1)"),
    "Stack state": (
        lambda: EXAMPLES["Stack"].forward(np.zeros((T, B, D)), (np.zeros((B, H)),)),
        TypeError,
        "Stack.forward: state must be a tuple of the states of 2 layers, received a tuple of 1",
    ),
    "Stack state list": (lambda: EXAMPLES["Stack"].forward(np.zeros((T, B, D)), []), TypeError, "received a list"),
    "Stack widths": (
        lambda: Stack((cell(LSTM), cell(LSTM))).forward(np.zeros((T, B, D))),
        ValueError,
        "LSTM.forward: xs must have shape (T, B, 3), received (5, 4, 4)",
    ),
    "state of Dense": (
        lambda: Stack((cell(LSTM), dense_layer())).forward(np.zeros((T, B, D)), (None, (np.zeros(3),))),
        TypeError,
        "Dense.forward: state must be () of a layer that has none, received a tuple",
    ),
    "lengths": (lambda: both(LSTM).forward(np.zeros((T, B, D)), lengths=[6] * 4), ValueError, "0 … 5"),
    "rng": (lambda: EXAMPLES["Stack"].forward(np.zeros((T, B, D)), rng=3), TypeError, "Stack.forward: rng"),
    "merge": (lambda: both(LSTM, merge="sum"), ValueError, "Bidirectional: merge must be"),
    "Dropout": (lambda: Dropout(1), ValueError, "Dropout: rate must be a probability in [0, 1), received 1"),
    "Dropout nan": (lambda: Dropout(np.nan), ValueError, "received nan"),
    "Dropout integers": (lambda: Dropout(0.5).forward(np.arange(3)), TypeError, "xs must hold floating-point numbers"),
    "Dropout dys": (
        lambda: Dropout(0.5).backward(np.zeros(4), Dropout(0.5).forward(np.zeros(3))[1]),
        ValueError,
        "Dropout.backward: dys must have shape (3,), received (4,)",
    ),
    "Zoneout rates": (lambda: Zoneout(cell(LSTM), (0.1,)), ValueError, "Zoneout: rates must be 2, one for each array"),
    "Zoneout rate": (lambda: Zoneout(cell(LSTM), (0.1, -1)), ValueError, "each of rates must be a probability"),
    "Zoneout layer": (lambda: Zoneout(both(LSTM), 0.1), TypeError, "Zoneout: cell must be a cell, rec"),
    "Zoneout xs": (
        lambda: EXAMPLES["Zoneout"].forward(np.zeros((T, B, 2))),
        ValueError,
        "Zoneout.forward: xs must have shape (T, B, 3), received (5, 4, 2)",
    ),
    "Zoneout state": (
        lambda: EXAMPLES["Zoneout"].forward(np.zeros((T, B, 3)), (np.zeros((B, H)),)),
        TypeError,
        "Zoneout.forward: state must be a tuple of 2 arrays, received a tuple of 1",
    ),
    "RecurrentDropout layer": (lambda: RecurrentDropout(dense_layer(), 0.1), TypeError, "cell must be a cell"),
    "RecurrentDropout state": (
        lambda: EXAMPLES["RecurrentDropout"].forward(np.zeros((T, B, 3)), (np.zeros((B, H)),)),
        TypeError,
        "RecurrentDropout.forward: state must be a tuple of 2 arrays, received a tuple of 1",
    ),
    "LearnedState of Dense": (lambda: LearnedState.init(dense_layer()), TypeError, "layer must have a state"),
    "LearnedState shape": (
        lambda: LearnedState(cell(GRU), (np.zeros(3),)),
        ValueError,
        "LearnedState: state.0 must have shape (4,), received (3,)",
    ),
    "LearnedState form": (
        lambda: LearnedState(cell(LSTM), (np.zeros(4),)),
        ValueError,
        "LearnedState: state must have leaves ['0', '1'], received ['0']",
    ),
    "Embedding high": (lambda: embedding().forward(np.array([6])), ValueError, "ks must lie in 0 … 5, received 6 … 6"),
    "Embedding low": (lambda: embedding().forward(np.array([-1])), ValueError, "received -1 … -1"),
    "Embedding float": (lambda: embedding().forward(np.zeros(3)), TypeError, "ks must be whole numbers"),
    "Embedding list": (lambda: embedding().forward([1]), TypeError, "Embedding.forward: ks and E: expected arrays"),
    "Embedding padding": (lambda: embedding(padding=6), ValueError, "Embedding: padding must lie in 0 … 5, received 6"),
    "Embedding dys": (
        lambda: embedding().backward(np.zeros((3, 2)), np.array([1, 2, 3])),
        ValueError,
        "Embedding.backward: dys must have shape (3, 3), received (3, 2)",
    ),
    "Tied": (lambda: Tied.init(dense_layer(), cell(LSTM)), TypeError, "Tied: embedding must be an Embedding"),
    "Tied stateless": (lambda: Tied.init(embedding(), dense_layer()), TypeError, "Tied: layer must have a state"),
    "Tied width": (
        lambda: Tied.init(embedding(), cell(LSTM)).forward(np.zeros((T, B), int)),
        ValueError,
        "Dense.forward: xs must have shape (N0, N1, 3), received (5, 4, 4)",
    ),
    "LayerNorm xs": (
        lambda: EXAMPLES["LayerNorm"].forward(np.zeros((5, 4))),
        ValueError,
        "LayerNorm.forward: xs must have shape (N0, 3), received (5, 4)",
    ),
    "LayerNorm epsilon": (lambda: LayerNorm.init(3, epsilon=0.0), ValueError, "epsilon must be a positive number"),
    "BatchNorm xs": (
        lambda: EXAMPLES["BatchNorm"].forward(np.zeros((4, 3))),
        ValueError,
        "BatchNorm.forward: xs must have shape (T, B, 3), received (4, 3)",
    ),
    "BatchNorm momentum": (lambda: BatchNorm.init(3, momentum=2.0), ValueError, "momentum must lie in [0, 1]"),
    "BatchNorm mean": (
        lambda: dataclasses.replace(BatchNorm.init(3), mean=np.zeros(4, np.float32)),
        ValueError,
        "BatchNorm: mean must have shape (3,), received (4,)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    call, error, message = REFUSED[case]
    with refuses(error, message):
        call()


@every_recurrent
@pytest.mark.parametrize("lengths", [None, LENGTHS])
def test_what_is_no_sequence_is_refused(name, lengths):
    layer = EXAMPLES[name]
    for xs, error in (([[1.0]], TypeError), (None, TypeError), (np.zeros(3), ValueError), (np.float64(1), ValueError)):
        with refuses(error, ".forward: ", "must", "(T, B, ", "received"):
            layer.forward(xs, lengths=lengths)


@every_recurrent
def test_tapes_are_checked(name):
    p, ys, tape = of(name)
    kind = type(p.layer).__name__
    with refuses(TypeError, f"{kind}.backward: tape must be what forward returned last, received a ndarray"):
        p.layer.backward(tape, ys)
    with refuses(TypeError, f"{kind}.backward: tape must be what forward returned last, received a NoneType"):
        p.layer.backward(p.dys, None)
    other, _, _ = of("Stack-of-one" if kind != "Stack" else "Bidirectional")
    with refuses(ValueError, ".backward: tape must be of", "received that of"):
        other.layer.backward(other.dys, tape)
    with refuses(ValueError, "dys must have shape", "received (4"):
        p.layer.backward(p.dys[1:], tape)


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
