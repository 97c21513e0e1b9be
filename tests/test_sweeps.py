"""A sweep is `fit` from every seed at every rate, one after the other or side by side in one program."""

import dataclasses
import importlib.util

import numpy as np
import pytest

from rnncore import (
    GRU,
    LSTM,
    BatchNorm,
    Dense,
    Dropout,
    Elman,
    ManyToMany,
    ManyToOne,
    RecurrentDropout,
    Stack,
    Zoneout,
    engine,
    losses,
    optim,
    sweep,
    tasks,
    tree,
)
from rnncore.testing import assert_close
from rnncore.training import fit
from tests.conftest import refuses

WAYS = [
    "one-by-one",
    pytest.param(
        "side-by-side",
        marks=pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="JAX is not installed"),
    ),
]
every_way = pytest.mark.parametrize("way", WAYS)
WIDE = {"dtype": np.float64}
SETTING = {"rates": (0.01, 0.1), "seeds": (3, 5), "steps": 6}


@pytest.fixture
def compiled(way):
    with engine("xla" if way == "side-by-side" else "numpy"):
        yield


def readout(rng, outputs=2):
    return Dense.init(rng, 4, outputs, **WIDE)


def tagger(rng):
    return ManyToMany(Elman.init(rng, 1, 4, **WIDE), readout(rng))


def reader(rng):
    """With all that is random or moves by itself: masks, and running averages."""
    below = BatchNorm.init(3, **WIDE), Zoneout(LSTM.init(rng, 3, 4, **WIDE), 0.3)
    layers = Stack((*below, RecurrentDropout(GRU.init(rng, 4, 4, **WIDE), 0.2)), 0.3)
    return ManyToOne(layers, Stack((Dropout(0.4), readout(rng))))


def bits(rng):
    return tasks.parity(rng, 4, 3, **WIDE)


def ragged(rng):
    given = {"xs": rng.standard_normal((5, 4, 3)), "lengths": rng.integers(1, 6, 4)}
    return given, rng.integers(0, 2, 4)


CASES = {
    "plain": (tagger, losses.softmax_cross_entropy, bits, optim.Adam, {}),
    "clipped": (
        tagger,
        losses.softmax_cross_entropy,
        bits,
        lambda rate: optim.Momentum(rate, nesterov=True),
        {"clip": 0.05},
    ),
    "random": (
        reader,
        losses.softmax_cross_entropy,
        ragged,
        lambda rate: optim.Adam(rate, weight_decay=0.1),
        {"clip": 1.0},
    ),
    "RMSprop": (tagger, losses.softmax_cross_entropy, bits, optim.RMSprop, {}),
    "SGD": (tagger, losses.softmax_cross_entropy, bits, optim.SGD, {}),
}


@every_way
@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("compiled")
def test_a_sweep_is_fit_from_every_seed_at_every_rate(case, way):
    make, loss, batches, optimiser, more = CASES[case]
    found = sweep(make, loss, batches, optimiser, **SETTING, **more, keep=(0, 4))
    assert (found.rates, found.seeds, sorted(found.kept)) == ((0.01, 0.1), (3, 5), [0, 4, 6])
    exact = (
        {"rtol": 0, "atol": 0} if way == "one-by-one" else {"rtol": 1e-8, "atol": 1e-9}
    )  # Adam divides by small numbers
    with engine("numpy"):
        for i, rate in enumerate(found.rates):
            for j, seed in enumerate(found.seeds):
                for steps, models in found.kept.items():
                    rng = np.random.default_rng(seed)
                    model, history = fit(
                        make(rng), loss, batches, optimiser(rate), steps=steps, rng=rng, progress=None, **more
                    )
                    assert_close(models[i][j], model, **exact)
                    assert_close(found.losses[i, j, :steps], np.array(history), **exact)
    assert found.models is found.kept[6]


@every_way
@pytest.mark.usefixtures("compiled")
def test_a_run_that_diverges_stops_and_the_others_go_on(way):
    def make(rng):
        return ManyToMany(Elman.init(rng, 1, 4, activation="relu", **WIDE), readout(rng, 1))

    def batches(rng):
        xs = rng.standard_normal((4, 3, 1))
        return xs, xs

    found = sweep(make, losses.mean_squared_error, batches, optim.SGD, rates=(1e200, 0.01), seeds=2, steps=5)
    assert np.isnan(found.losses[0]).any(axis=-1).all()
    assert np.isfinite(found.losses[1]).all()
    assert (np.isnan(found.losses[0][:, 1:]) >= np.isnan(found.losses[0][:, :-1])).all()  # once, for good
    assert all(np.isfinite(leaf).all() for _, leaf in tree.leaves(found.models[1]))
    scores = found.scores(lambda model: model.readout.c[0])
    assert np.isinf(scores[0]).all()
    assert np.isfinite(scores[1]).all()


def test_the_best_rate_has_the_lowest_median_and_the_smaller_of_two_alike():
    found = sweep(*CASES["SGD"][:4], rates=(0.3, 0.2, 0.1), seeds=3, steps=1)
    of = {id(model): (i, j) for i, models in enumerate(found.models) for j, model in enumerate(models)}
    table = np.array([[0, 9, 9], [1, 2, 100], [2, 2, 2]])
    rate, models, scores = found.best(lambda model: table[of[id(model)]])
    assert (rate, scores.tolist()) == (0.1, [2, 2, 2])
    assert models is found.models[2]
    assert np.isinf(found.best(lambda model: np.nan)[2]).all()


@every_way
@pytest.mark.usefixtures("compiled")
def test_sweep_refuses(way):
    given = CASES["plain"][:4]
    for change, error, message in [
        ({"steps": 0}, ValueError, "sweep: steps must be an integer from 1, received 0"),
        ({"seeds": 0}, ValueError, "sweep: seeds must be an integer from 1, received 0"),
        ({"seeds": ()}, ValueError, "received seeds [], rates [0.01, 0.1] and keep [6]"),
        ({"rates": ()}, ValueError, "received seeds [3, 5], rates [] and keep [6]"),
        ({"keep": (7,)}, ValueError, "steps to keep of at most 6"),
        ({"keep": (-1,)}, ValueError, "sweep: each of keep must be an integer from 0, received -1"),
        ({"clip": -1.0}, ValueError, "clip_by_global_norm: max_norm must be a positive number"),
        ({"rates": (0.1, -1.0)}, ValueError, "Adam: learning_rate must be a positive number, received -1.0"),
    ]:
        with refuses(error, message):
            sweep(*given, **{**SETTING, **change})
    with refuses(TypeError, "Elman.forward: xs has dtype float32, but float64 was wanted"):
        sweep(tagger, given[1], lambda rng: tasks.parity(rng, 4, 3), optim.Adam, **SETTING)
    assert dataclasses.is_dataclass(sweep(*given, **{**SETTING, "steps": np.int64(1)}))


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.usefixtures("compiled")
def test_models_side_by_side_are_of_one_form(way):
    sizes = iter((4, 5))

    def make(rng):
        return ManyToMany(Elman.init(rng, 1, H := next(sizes), **WIDE), Dense.init(rng, H, 2, **WIDE))

    with refuses(ValueError, "sweep: make must give models of one form", "W=float64(1, 4)", "W=float64(1, 5)"):
        sweep(make, *CASES["plain"][1:4], **SETTING)
