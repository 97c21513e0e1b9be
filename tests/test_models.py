"""Models: each exact, ragged, on every backend; and each the pattern that it says."""

import dataclasses

import numpy as np
import pytest
import torch

from rnncore import (
    GRU,
    LSTM,
    BatchNorm,
    Bidirectional,
    Dense,
    Dropout,
    EncoderDecoder,
    Jordan,
    LearnedState,
    ManyToMany,
    ManyToOne,
    OneToMany,
    Stack,
    Zoneout,
    models,
    tree,
)
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, TORCH, refuses, to

T, B, D, H, K, N = 5, 4, 3, 4, 2, 3
LENGTHS = [3, 0, 5, 1]
ROUNDING = {"rtol": 1e-11, "atol": 1e-11}


def cell(kind, D=D, H=H):
    return kind.init(np.random.default_rng(0), D, H, dtype=np.float64)


def dense(D=H, K=K):
    return Dense.init(np.random.default_rng(0), D, K, dtype=np.float64)


def both(kind, D=D, merge="concat"):
    return Bidirectional(cell(kind, D), cell(kind, D), merge)


def sequence(rng, *shape):
    return rng.standard_normal((*shape, D))


@dataclasses.dataclass(frozen=True)
class Example:
    """A model, what its inputs are (arrays that it is differentiated by, then options), and what makes it ragged."""

    model: object
    inputs: tuple = ((T, B, D),)
    more: tuple = ()
    ragged: dict = dataclasses.field(default_factory=lambda: {"lengths": LENGTHS})


PAIR = {"inputs": ((T, B, D), (3, B, D)), "ragged": {"lengths": LENGTHS, "target_lengths": [2, 3, 0, 1]}}
VECTOR = {"inputs": ((B, N),), "more": (T,)}
EXAMPLES = {
    "ManyToOne": Example(ManyToOne(cell(LSTM), dense())),
    "ManyToOne-Jordan": Example(ManyToOne(cell(Jordan), dense())),
    "ManyToOne-both": Example(ManyToOne(both(GRU), dense(2 * H))),
    "ManyToOne-deep": Example(
        ManyToOne(Stack((both(LSTM), both(GRU, 2 * H, "add")), 0.3), Stack((Dropout(0.5), dense())))
    ),
    "ManyToOne-learned": Example(ManyToOne(LearnedState.init(Zoneout(cell(LSTM), 0.3)), dense())),
    "ManyToMany": Example(ManyToMany(cell(GRU), dense())),
    "ManyToMany-deep": Example(
        ManyToMany(Stack((BatchNorm.init(D, dtype=np.float64), both(LSTM), cell(GRU, 2 * H)), 0.3, True), dense())
    ),
    "OneToMany": Example(OneToMany(dense(N, H), cell(LSTM, D), dense(H, D)), **VECTOR),
    "OneToMany-Jordan": Example(OneToMany(dense(N, H), cell(Jordan, D), dense(H, D)), **VECTOR),
    "OneToMany-no-feedback": Example(OneToMany(dense(N, H), cell(GRU), dense(), feedback=False), **VECTOR),
    "EncoderDecoder": Example(EncoderDecoder(cell(LSTM), cell(LSTM), dense()), **PAIR),
    "EncoderDecoder-deep": Example(
        EncoderDecoder(
            Stack((cell(LSTM), Dropout(0.3), cell(GRU, H))),
            LearnedState.init(Stack((cell(LSTM), Dropout(0.3), cell(GRU, H)))),
            dense(),
        ),
        **PAIR,
    ),
}
every_model = pytest.mark.parametrize("name", EXAMPLES)
every_backend = pytest.mark.parametrize("backend", BACKENDS)
training = pytest.mark.parametrize("seed", [None, 7], ids=["evaluation", "training"])
raggedly = pytest.mark.parametrize("ragged", [False, True], ids=["full", "ragged"])


@dataclasses.dataclass(frozen=True)
class Run:
    """A model with random parameters and inputs, and a gradient that arrives at all of its outputs."""

    model: object
    inputs: tuple
    dys: object
    options: dict
    seed: int | None
    more: tuple

    def forward(self, model, inputs):
        rng = {} if self.seed is None else {"rng": np.random.default_rng(self.seed)}
        return model.forward(*inputs, *self.more, **self.options, **rng)

    def loss(self, point):
        return (self.forward(*point)[0] * self.dys).sum()

    @property
    def point(self):
        return self.model, self.inputs

    def gradient(self):
        dxs, grads = self.model.backward(self.dys, self.forward(*self.point)[1])
        return grads, dxs if isinstance(dxs, tuple) else (dxs,)


def example(name, ragged=False, seed=None, backend="numpy"):
    """A random `Run` of an example."""
    rng, e = np.random.default_rng(1), EXAMPLES[name]
    model = tree.map(lambda p: 0.6 * rng.standard_normal(p.shape), e.model)
    inputs = tuple(rng.standard_normal(shape) for shape in e.inputs)
    if name.startswith("OneToMany"):
        seed = None  # nothing random in it
    ys, _ = model.forward(*inputs, *e.more)
    model, inputs, dys = to(backend, (model, inputs, rng.standard_normal(ys.shape)))
    return Run(model, inputs, dys, e.ragged if ragged else {}, seed, e.more)


def test_every_model_has_an_example():
    assert {name.partition("-")[0] for name in EXAMPLES} == set(models.__all__)
    assert all(type(e.model).__name__ == name.partition("-")[0] for name, e in EXAMPLES.items())


@every_model
@raggedly
@training
def test_gradients_are_those_of_central_differences(name, ragged, seed, rng):
    p = example(name, ragged, seed)
    check_gradients(p.loss, p.point, p.gradient(), rng)


@every_model
@raggedly
@training
@pytest.mark.parametrize("backend", TORCH)
def test_gradients_are_those_of_autograd_and_torch_is_numpy(name, ragged, seed, backend):
    p, q = (example(name, ragged, seed, b) for b in ("numpy", backend))
    found = q.forward(*q.point)[0], q.gradient()
    assert_close(found, to(backend, (p.forward(*p.point)[0], p.gradient())), **ROUNDING)
    point = tree.map(lambda a: a.clone().requires_grad_(), q.point)
    slopes = torch.autograd.grad(q.loss(point), [leaf for _, leaf in tree.leaves(point)], allow_unused=True)
    known = iter(slopes)
    expected = tree.map(lambda a: torch.zeros_like(a) if (g := next(known)) is None else g, q.point)
    assert_close(q.gradient(), expected, **ROUNDING)


@every_model
def test_ragged_is_each_sequence_alone(name):
    p = example(name, ragged=True)
    ys, _ = p.forward(*p.point)
    grads, dxs = p.gradient()
    total = tree.map(np.zeros_like, p.model)
    many = len(ys.shape) == 3
    for b in range(B):
        row = slice(b, b + 1)
        n = dict(zip(p.options, (lengths[b] for lengths in p.options.values()), strict=True))
        ends = [n["lengths"], n.get("target_lengths")][: len(p.inputs)]
        end = n.get("target_lengths", n["lengths"]) if many else None
        inputs = tuple(x[:e, row] if x.ndim == 3 else x[row] for x, e in zip(p.inputs, ends, strict=True))
        if p.more and not end:
            continue  # no step at all
        alone = dataclasses.replace(
            p,
            inputs=inputs,
            dys=p.dys[:end, row] if many else p.dys[row],
            options={},
            more=(end,) if p.more else (),
        )
        y, _ = alone.forward(*alone.point)
        g, dx = alone.gradient()
        assert_close(ys[:end, row] if many else ys[row], y, **ROUNDING)
        for whole, part, e in zip(dxs, dx, ends, strict=True):
            assert_close(whole[:e, row] if whole.ndim == 3 else whole[row], part, **ROUNDING)
            assert (whole[e:, b] == 0).all() if whole.ndim == 3 else True
        if many:
            assert (ys[end:, b] == 0).all()
        total = tree.map(lambda a, g: a + g, total, g)
    assert_close(grads, total, **ROUNDING)


@every_model
@training
@every_backend
def test_padding_has_no_influence(name, seed, backend):
    p = example(name, True, seed)
    ends = list(p.options.values())
    filled = tuple(np.copy(x) for x in p.inputs)
    for x, n in zip(filled, ends, strict=True):
        if x.ndim == 3:
            x[np.arange(len(x))[:, None] >= np.array(n)] = np.nan
    dys = np.copy(p.dys)
    if dys.ndim == 3:
        dys[np.arange(len(dys))[:, None] >= np.array(ends[-1])] = np.nan
    one, other = (
        dataclasses.replace(p, **dict(zip(("model", "inputs", "dys"), to(backend, (p.model, *values)), strict=True)))
        for values in ((p.inputs, p.dys), (filled, dys))
    )
    values = [(q.forward(*q.point)[0], q.gradient()) for q in (one, other)]
    assert_close(*values, rtol=0, atol=0)


# -- what each of them is


def test_many_to_one_reads_the_last_valid_output():
    p = example("ManyToOne", ragged=True)
    hs, _, _ = p.model.layer.forward(p.inputs[0], lengths=LENGTHS)
    last = np.stack([hs[n - 1, b] if n else np.zeros(H) for b, n in enumerate(LENGTHS)])
    assert_close(p.forward(*p.point)[0], last @ p.model.readout.V + p.model.readout.c)


def test_many_to_one_of_two_directions_reads_both_after_all_steps():
    p = example("ManyToOne-both")
    ahead, _, _ = p.model.layer.ahead.forward(p.inputs[0])
    back, _, _ = p.model.layer.back.forward(p.inputs[0][::-1])
    last = np.concatenate([ahead[-1], back[-1]], axis=-1)
    assert_close(p.forward(*p.point)[0], last @ p.model.readout.V + p.model.readout.c)


def test_many_to_many_reads_every_output():
    p = example("ManyToMany")
    hs, _, _ = p.model.layer.forward(p.inputs[0])
    assert_close(p.forward(*p.point)[0], hs @ p.model.readout.V + p.model.readout.c)


@pytest.mark.parametrize("name", [name for name in EXAMPLES if name.startswith("OneToMany")])
def test_one_to_many_sees_its_input_once(name):
    p = example(name)
    entry, cell, readout = p.model.entry, p.model.cell, p.model.readout
    state = (p.inputs[0] @ entry.V + entry.c, *(0 * s for s in cell.initial_state(B)[1:]))
    u, ys = np.zeros((B, D)), []
    for _ in range(T):
        state, _ = cell.step(u, state)
        ys.append(state[0] @ readout.V + readout.c)
        u = ys[-1] if p.model.feedback else u
    assert_close(p.forward(*p.point)[0], np.stack(ys))


def test_the_decoder_starts_where_the_encoder_ends():
    p = example("EncoderDecoder", ragged=True)
    xs, us = p.inputs
    for b, (n, m) in enumerate(zip(*p.options.values(), strict=True)):
        _, state, _ = p.model.encoder.forward(xs[:n, b : b + 1])
        hs, _, _ = p.model.decoder.forward(us[:m, b : b + 1], state)
        assert_close(p.forward(*p.point)[0][:m, b], hs[:, 0] @ p.model.readout.V + p.model.readout.c)


def test_models_refuse():
    one, pair = example("ManyToOne"), example("EncoderDecoder")
    vector = example("OneToMany")
    y, cache = one.forward(*one.point)
    _, of_vector = vector.forward(*vector.point)
    for call, error, *fragments in [
        (lambda: ManyToOne(dense(), dense()), TypeError, "ManyToOne: layer must have a state, received a Dense"),
        (lambda: EncoderDecoder(dense(), cell(LSTM), dense()), TypeError, "EncoderDecoder: encoder must have a state"),
        (lambda: EncoderDecoder(cell(GRU), cell(LSTM), dense()), ValueError, "encoder must have", "(float64(1, 4))"),
        (lambda: OneToMany(dense(), Stack((cell(GRU),)), dense()), TypeError, "OneToMany: cell must be a cell"),
        (lambda: one.model.forward([1.0]), TypeError, "xs must be an array of shape (T, B, 3), received a list"),
        (lambda: ManyToMany(cell(LSTM), dense()).forward([1.0]), TypeError, "xs must be an array of shape (T, B, …)"),
        (lambda: pair.model.forward(pair.inputs[0], None), TypeError, "EncoderDecoder.forward: us must be an array"),
        (lambda: one.model.forward(one.inputs[0], [1, 2]), ValueError, "lengths must have shape (4,), received (2,)"),
        (lambda: one.model.forward(one.inputs[0][0]), ValueError, "xs must have shape (T, B, 3), received (4, 3)"),
        (lambda: one.model.forward(one.inputs[0], rng=0), TypeError, "rng"),
        (lambda: one.model.backward(y, None), TypeError, "ManyToOne.backward: tape must be what forward returned last"),
        (lambda: pair.model.backward(y, cache), ValueError, "EncoderDecoder.backward: tape must be of EncoderDecoder("),
        (lambda: one.model.backward(y[:, :1], cache), ValueError, "dys must have shape (4, 2), received (4, 1)"),
        (lambda: vector.model.forward(vector.inputs[0], 0), ValueError, "OneToMany.forward: steps must be an integer"),
        (lambda: vector.model.backward(vector.dys[:4], of_vector), ValueError, "dys must have shape (5, B, K)"),
        (lambda: vector.model.forward(vector.inputs[0], 2, [3, 0, 1, 1]), ValueError, "lengths must lie in 0 … 2"),
        (
            lambda: OneToMany(dense(N, H), cell(LSTM), dense()).forward(vector.inputs[0], 3),
            ValueError,
            "xs must have shape (T, B, 3), received (1, 4, 2)",
        ),
        (
            lambda: ManyToOne(Stack((cell(LSTM), dense())), dense()).forward(one.inputs[0]),
            TypeError,
            "Dense has no state, so no final output",
        ),
    ]:  # fmt: skip
        with refuses(error, *fragments):
            call()
