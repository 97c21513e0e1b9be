"""Optimisers and clipping against torch."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from rnncore import Dense, tree
from rnncore.optim import SGD, Adam, Momentum, RMSprop, clip_by_global_norm, clip_by_value, global_norm
from rnncore.testing import assert_close
from tests.conftest import BACKENDS, CUDA, problem, refuses, to

every_backend = pytest.mark.parametrize("backend", BACKENDS)
OPTIMISERS = {
    "SGD": (SGD(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
    "Adam": (Adam(), lambda p: torch.optim.Adam(p, lr=1e-3)),
    "Adam-options": (Adam(0.1, 0.5, 0.8, 1e-3), lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.5, 0.8), eps=1e-3)),
    "AdamW": (
        Adam(0.1, weight_decay=0.3),
        lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.3),
    ),
    "Momentum": (Momentum(0.1), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
    "Nesterov": (
        Momentum(0.1, 0.7, nesterov=True),
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.7, nesterov=True),
    ),
    "RMSprop": (RMSprop(), lambda p: torch.optim.RMSprop(p)),
    "RMSprop-options": (
        RMSprop(0.1, 0.5, 1e-2),
        lambda p: torch.optim.RMSprop(p, lr=0.1, alpha=0.5, eps=1e-2),
    ),
    "Adam-no-memory": (Adam(0.1, 0, 0), lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.0, 0.0))),
}


@pytest.fixture
def model(rng):
    return {"cell": problem("Elman").cell, "readout": Dense(rng.standard_normal((4, 2)), rng.standard_normal(2))}


def gradients_like(model, rng):
    return tree.map(lambda w: rng.standard_normal(w.shape), model)


@every_backend
@pytest.mark.parametrize("name", OPTIMISERS)
def test_twenty_steps_are_those_of_torch(name, backend, model, rng):
    ours, theirs = OPTIMISERS[name]
    weights = [torch.tensor(w, requires_grad=True) for _, w in tree.leaves(model)]
    reference = theirs(weights)
    gradients = [gradients_like(model, rng) for _ in range(20)]
    before = to(backend, model)
    parameters, state = before, ours.init(before)
    for g in gradients:
        for w, (_, d) in zip(weights, tree.leaves(g), strict=True):
            w.grad = torch.tensor(d)
        reference.step()
        parameters, state = ours.update(parameters, to(backend, g), state)
    expected = (w.detach().numpy() for w in weights)
    assert_close(parameters, to(backend, tree.map(lambda _: next(expected), model)), rtol=1e-12, atol=1e-12)
    assert_close(before, to(backend, model), rtol=0, atol=0)  # nothing is changed in place


@every_backend
@pytest.mark.parametrize("max_norm", [0.5, 3, np.float64(0.1), 1e9])
def test_clipping_is_that_of_torch(max_norm, backend, model, rng):
    gradients = gradients_like(model, rng)
    weights = [torch.zeros_like(torch.tensor(g)) for _, g in tree.leaves(gradients)]
    for w, (_, g) in zip(weights, tree.leaves(gradients), strict=True):
        w.grad = torch.tensor(g)
    norm = torch.nn.utils.clip_grad_norm_(weights, max_norm).item()
    mend = (norm + 1e-6) / norm if norm > max_norm else 1  # torch divides by norm + 1e-6
    expected = iter([w.grad.numpy() * mend for w in weights])
    clipped, before = clip_by_global_norm(to(backend, gradients), max_norm)
    assert_close(clipped, to(backend, tree.map(lambda _: next(expected), gradients)), rtol=1e-12, atol=1e-12)
    assert before == pytest.approx(norm, rel=1e-12)
    assert global_norm(clipped) == pytest.approx(min(norm, max_norm), rel=1e-12)


def test_norms_by_hand():
    assert global_norm((np.array([3.0]), {"a": np.array([[4.0], [12.0]])})) == 13
    assert global_norm(()) == 0
    zeros = (np.zeros(3),)
    assert clip_by_global_norm(zeros, 1.0) == (zeros, 0.0)
    huge = np.full(4, 1e30, np.float32)  # its square is beyond float32
    clipped, norm = clip_by_global_norm(huge, 2.0)
    assert norm == pytest.approx(2e30, rel=1e-6)
    assert_close(clipped, np.ones(4, np.float32), rtol=1e-6)


@pytest.mark.parametrize("number", [float, np.float64, np.float32])
def test_float32_stays_float32(number):
    p = np.ones(3, np.float32)
    for optimiser in (
        SGD(number(0.1)),
        Momentum(number(0.1), number(0.9), nesterov=True),
        RMSprop(number(0.1), number(0.9), number(1e-8)),
        Adam(number(0.1), number(0.9), number(0.99), number(1e-8), number(0.1)),
    ):
        state = optimiser.init(p)
        for _ in range(2):
            p, state = optimiser.update(p, p, state)
        means = [part for part in state if not isinstance(part, int)]
        assert {leaf.dtype for _, leaf in tree.leaves((p, means))} == {np.dtype(np.float32)}
    assert clip_by_global_norm(p, number(0.1))[0].dtype == np.float32


@pytest.mark.parametrize("bad", [0, -0.1, math.nan, math.inf, "0.1", None])
def test_rates_are_positive_numbers(bad):
    for call, name in [
        (lambda: SGD(bad), "SGD: learning_rate"),
        (lambda: Adam(bad), "Adam: learning_rate"),
        (lambda: Momentum(bad), "Momentum: learning_rate"),
        (lambda: RMSprop(bad), "RMSprop: learning_rate"),
        (lambda: RMSprop(epsilon=bad), "RMSprop: epsilon"),
        (lambda: clip_by_value((np.ones(2),), bad), "clip_by_value: limit"),
        (lambda: Adam(epsilon=bad), "Adam: epsilon"),
        (lambda: clip_by_global_norm((np.ones(2),), bad), "clip_by_global_norm: max_norm"),
    ]:
        with refuses(ValueError, f"{name} must be a positive number, received {bad!r}"):
            call()


@pytest.mark.parametrize("bad", [1, -0.1, math.nan, 2, "0.9", None])
@pytest.mark.parametrize(
    ("kind", "name"), [(Adam, "beta1"), (Adam, "beta2"), (RMSprop, "decay"), (Momentum, "momentum")]
)
def test_means_forget(kind, name, bad):
    with refuses(ValueError, f"{kind.__name__}: {name} must lie in [0, 1), received {bad!r}"):
        kind(learning_rate=0.1, **{name: bad})


@pytest.mark.parametrize("bad", [-0.1, math.nan, math.inf, "0.1", None])
def test_weight_decay_is_not_negative(bad):
    with refuses(ValueError, "Adam: weight_decay must", f"received {bad!r}"):
        Adam(weight_decay=bad)


@every_backend
def test_clipping_by_value(backend, model, rng):
    gradients = tree.map(lambda w: 3 * rng.standard_normal(w.shape), model)
    expected = tree.map(lambda g: np.maximum(np.minimum(g, 1.5), -1.5), gradients)
    assert_close(clip_by_value(to(backend, gradients), 1.5), to(backend, expected), rtol=0, atol=0)


@every_backend
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_no_factor_mends_nan(bad, backend):
    gradients = to(backend, {"a": np.ones(2), "b": np.array([1.0, bad])})
    with refuses(ValueError, f"clip_by_global_norm: the gradient's norm must be finite, received {abs(bad)}"):
        clip_by_global_norm(gradients, 1.0)


@pytest.mark.parametrize("optimiser", [SGD(0.1), Momentum(0.1), RMSprop(), Adam()])
def test_gradients_of_another_form_are_refused(optimiser, model):
    name, state = type(optimiser).__name__, optimiser.init(model)
    for wrong in (model["cell"], {"cell": model["cell"]}, list(model.values()), None):
        with refuses(ValueError, f"{name}.update: gradients must have the form of the parameters, a dict"):
            optimiser.update(model, wrong, state)
    pair, state = (np.ones((3, 2)),), optimiser.init((np.ones((3, 2)),))
    with refuses(ValueError, f"{name}.update: gradients 0 must have shape (3, 2), received (2,)"):
        optimiser.update(pair, (np.ones(2),), state)  # would broadcast
    with refuses(TypeError, f"{name}.update: gradients 0 has dtype float32, but float64 was wanted"):
        optimiser.update(pair, (np.ones((3, 2), np.float32),), state)
    with refuses(TypeError, f"{name}.update: gradients 0 is an array of torch, but numpy was wanted"):
        optimiser.update(pair, (torch.ones(3, 2),), state)


def test_adam_refuses_a_state_of_another_model(model):
    with refuses(TypeError, "Adam.update: state must be an AdamState, received a tuple"):
        Adam().update(model, model, ())
    with refuses(TypeError, "Momentum.update: state must be a MomentumState, received a AdamState"):
        Momentum(0.1).update(model, model, Adam().init(model))
    with refuses(TypeError, "RMSprop.update: state must be an RMSpropState, received a tuple"):
        RMSprop().update(model, model, ())
    with refuses(ValueError, "Adam.update: state.m must have the form of the parameters, a dict"):
        Adam().update(model, model, Adam().init(model["cell"]))
    narrow = dataclasses.replace(model["readout"], V=model["readout"].V[:, :1], c=model["readout"].c[:1])
    with refuses(ValueError, "Adam.update: state.m V must have shape (4, 2), received (4, 1)"):
        Adam().update(model["readout"], model["readout"], Adam().init(narrow))


@pytest.mark.parametrize("device", ["cpu", *(["cuda"] if CUDA else [])])
def test_parameters_stay_on_their_device(device):
    p = torch.ones(3, device=device)
    for optimiser in (SGD(0.1), Momentum(0.1), RMSprop(), Adam()):
        assert optimiser.update(p, p, optimiser.init(p))[0].device == p.device
