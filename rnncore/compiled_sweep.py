"""A sweep as one compiled program: all of its trainings side by side, by `jax.vmap` over models and optimisers.

Batches are drawn by NumPy, step by step and seed by seed, as one run alone would draw them, and so is all that a model
draws for itself: `_Recorded` finds out what that is, and `_Replayed` hands it out in the program.
"""

from copy import deepcopy
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, tree_util

from rnncore import optim, tree
from rnncore.jax import register
from rnncore.training import gradient, updated

__all__ = ["side_by_side"]

CHUNK = 64  # steps of one call of the program
AT_ONCE = 1 << 26  # bytes of batches that are drawn before they are used


def side_by_side(
    make: Any,
    loss: Any,
    batches: Any,
    optimisers: list[Any],
    seeds: tuple[int, ...],
    steps: int,
    clip: float | None,
    keep: list[int],
) -> tuple[np.ndarray, dict[int, list[list[Any]]]]:
    """Losses (R, S, steps) and kept models of all runs; see `rnncore.sweep`."""
    rngs = [np.random.default_rng(seed) for seed in seeds]
    models = [make(rng) for rng in rngs]
    _check_forms(models)
    calls = _calls(models[0], loss, batches, deepcopy(rngs[0]))
    dtype = next(leaf.dtype for _, leaf in tree.leaves(models[0], and_fixed=True))
    register((models, optimisers))
    states = [[optimiser.init(model) for model in models] for optimiser in optimisers]
    started = _stacked([_stacked(models)] * len(optimisers)), _stacked([_stacked(s) for s in states])
    rates = _stacked([tree_util.tree_map(lambda number: np.asarray(number, dtype), o) for o in optimisers])
    waiting = [_draw(batches, rngs, calls)]
    drawn = sum(np.asarray(leaf).nbytes for leaf in tree_util.tree_leaves(waiting))
    size = max(1, min(CHUNK, steps, AT_ONCE // max(1, drawn)))
    losses, kept, done = [], {}, 0
    with jax.enable_x64(dtype == np.float64):
        runs = started, np.zeros((len(optimisers), len(seeds)), bool)
        for mark in keep:
            while done < mark:
                count = min(size, mark - done)
                waiting += [_draw(batches, rngs, calls) for _ in range(count - len(waiting))]
                batch = _stacked(waiting + waiting[:1] * (size - count))
                runs, found = _train(runs, rates, batch, count, loss, clip)
                losses.append(np.asarray(found)[:, :, :count])
                waiting, done = [], done + count
            trained = tree_util.tree_map(np.asarray, runs[0][0])
            kept[mark] = [[_at(trained, models[0], i, j) for j in range(len(seeds))] for i in range(len(optimisers))]
    return np.concatenate(losses, axis=2), kept


@partial(jax.jit, static_argnames=("loss", "clip"))
def _train(runs: Any, rates: Any, batches: Any, count: Any, loss: Any, clip: float | None) -> Any:
    """`count` steps of all runs (R, S), from batches (steps, S, …): what they are then, and losses (R, S, steps)."""

    def one(started: Any, diverged: Any, optimiser: Any, batch: Any) -> Any:
        (model, state), (inputs, targets, draws) = started, batch
        value, grads = gradient(model, loss, inputs, targets, _Replayed(draws))
        bad = diverged | ~jnp.isfinite(value) | ~jnp.isfinite(optim.global_norm(grads))
        if clip is not None:
            grads, _ = optim.clip_by_global_norm(grads, clip)
        new = updated(model, grads, optimiser, state)
        kept = tree_util.tree_map(lambda old, new: jnp.where(bad, old, new).astype(old.dtype), started, new)
        return (kept, bad), jnp.where(bad, jnp.nan, value)

    seeds = jax.vmap(one, in_axes=(0, 0, None, 0))
    every: Any = jax.vmap(seeds, in_axes=(0, 0, 0, None))

    def step(t: Any, carry: Any) -> Any:
        runs, losses = carry
        runs, values = every(*runs, rates, tree_util.tree_map(lambda a: a[t], batches))
        return runs, losses.at[:, :, t].set(values)

    length = tree_util.tree_leaves(batches)[0].shape[0]
    losses = jnp.zeros((*runs[1].shape, length), jnp.result_type(float))
    return lax.fori_loop(0, count, step, (runs, losses))


# -- what is drawn


NAMES = [n for n in dir(np.random.Generator) if n[0] != "_" and n not in ("bit_generator", "spawn")]


def _draw(batches: Any, rngs: list[np.random.Generator], calls: list[Any]) -> Any:
    """One step's inputs, targets and draws of the model, for all seeds."""
    found = []
    for rng in rngs:
        inputs, targets = batches(rng)
        found.append((inputs, targets, [getattr(rng, name)(*args, **more) for name, args, more in calls]))
    return _stacked(found)


def _calls(model: Any, loss: Any, batches: Any, rng: np.random.Generator) -> list[Any]:
    """What a model asks of a generator in one step; on the way, all that `fit` would refuse is refused."""
    inputs, targets = batches(rng)
    recorded = _Recorded(rng.bit_generator)
    gradient(model, loss, inputs, targets, recorded)
    return recorded.calls


class _Recorded(np.random.Generator):
    """A generator that writes down what it is asked for."""

    def __init__(self, bit_generator: Any) -> None:
        super().__init__(bit_generator)
        self.calls: list[Any] = []


class _Replayed(np.random.Generator):
    """A generator that gives out what was drawn before."""

    def __init__(self, draws: list[Any]) -> None:
        super().__init__(np.random.PCG64(0))
        self.draws = iter(draws)


def _recording(name: str) -> Any:
    def draw(self: _Recorded, *args: Any, **more: Any) -> Any:
        self.calls.append((name, args, more))
        return getattr(np.random.Generator, name)(self, *args, **more)

    return draw


for _name in NAMES:
    setattr(_Recorded, _name, _recording(_name))
    setattr(_Replayed, _name, lambda self, *args, **more: next(self.draws))


# -- trees


def _stacked(trees: list[Any]) -> Any:
    return tree_util.tree_map(lambda *leaves: np.stack(leaves), *trees)


def _at(trained: Any, like: Any, i: int, j: int) -> Any:
    """The model (i, j) of a stack (R, S, …), with arrays of NumPy as those of `like`."""
    return tree_util.tree_map(lambda a, b: np.array(a[i, j], np.asarray(b).dtype), trained, like)


def _check_forms(models: list[Any]) -> None:
    """Refuse models of several forms; ValueError."""
    first = tree.form(models[0])
    for other in map(tree.form, models[1:]):
        if other != first:
            raise ValueError(
                f"sweep: make must give models of one form, received {tree.described(first)} "
                f"and {tree.described(other)}"
            )
