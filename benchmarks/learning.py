"""A cell under a linear readout, how it is trained, and the tasks that it is tried on."""

import bisect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log, prod
from typing import Any

import numpy as np

from rnncore import CELLS, Cell, Dense, losses, optim, tasks, tree


@dataclass(frozen=True)
class Task:
    """What is drawn, at how many of the last steps an answer is asked for, and what the best guess costs.

    Attributes:
        draw: (rng, batch) → inputs (T, B, D), targets of the steps asked for.
        sizes: D, and the readout's outputs.
        asked: the last so many steps.
        loss: of `rnncore.losses`.
        guess: the loss of one who knows the task and hears nothing.
    """

    draw: Callable[[np.random.Generator, int], tuple[np.ndarray, np.ndarray]]
    sizes: tuple[int, int]
    asked: int
    loss: Callable[..., tuple[Any, Any]]
    guess: float


def adding(steps: int) -> Task:
    """The sum of two marked numbers, at the end."""

    def draw(rng: np.random.Generator, batch: int) -> tuple[np.ndarray, np.ndarray]:
        xs, targets = tasks.adding(rng, steps, batch)
        return xs, targets[None]

    return Task(draw, (2, 1), 1, losses.mean_squared_error, 1 / 6)


def copying(delay: int, symbols: int = 4, length: int = 5) -> Task:
    """Symbols, said again after a delay."""

    def draw(rng: np.random.Generator, batch: int) -> tuple[np.ndarray, np.ndarray]:
        xs, targets = tasks.copy(rng, delay, batch, symbols=symbols, length=length)
        return xs, targets[-length:]

    return Task(draw, (symbols + 2, symbols + 2), length, losses.softmax_cross_entropy, log(symbols))


def parity(steps: int) -> Task:
    """At each step whether the number of ones so far is odd."""
    return Task(lambda rng, batch: tasks.parity(rng, steps, batch), (1, 2), steps, losses.softmax_cross_entropy, log(2))


@dataclass(frozen=True)
class Network:
    """A cell and what is read from it."""

    cell: Cell
    readout: Dense


def network(rng: np.random.Generator, name: str, hidden: int, task: Task, **options: Any) -> Network:
    """A new one, with the cell's defaults but for `options`."""
    inputs, outputs = task.sizes
    cell = CELLS[name].init(rng, inputs, hidden, **options)
    return Network(cell, Dense.init(rng, _width(cell), outputs))


def _width(cell: Cell) -> int:
    """Numbers in one output of the cell."""
    ys, _, _ = cell.forward(np.zeros((1, 1, *cell.input_shape), np.float32))
    return prod(ys.shape[2:])


def count(network: Any) -> int:
    """Numbers in all arrays of a cell or network, those that are not trained among them."""
    return sum(array.size for _, array in tree.leaves(network, and_fixed=True))


def hidden_size(name: str, task: Task, parameters: int) -> int:
    """The largest hidden size with at most so many parameters, cell and readout together."""

    def size(hidden: int) -> int:
        """Of the next smaller network where the cell cannot have this one."""
        try:
            return count(network(np.random.default_rng(0), name, hidden, task)) if hidden else 0
        except ValueError:
            return size(hidden - 1)

    beyond = 1
    while size(beyond) <= parameters:
        beyond *= 2
    best = bisect.bisect_right(range(beyond), parameters, key=size) - 1
    while best and size(best) == size(best - 1):
        best -= 1
    if not best:
        raise ValueError(f"{name} has no hidden size with {parameters} parameters")
    return best


def entered(cell: Cell, xs: np.ndarray) -> np.ndarray:
    """Inputs (T, B, D) as the cell wants them: on every pixel of an image, or with ones behind them, which are the
    time since the last step, the mask of what was observed, or a mass."""
    shape = cell.input_shape
    if len(shape) > 1:
        return np.broadcast_to(xs[:, :, None, None, :], (*xs.shape[:2], *shape)).copy()
    return np.concatenate([xs, np.ones((*xs.shape[:2], shape[0] - xs.shape[2]), xs.dtype)], axis=2)


def outputs(network: Network, task: Task, xs: np.ndarray) -> tuple[np.ndarray, tuple[Any, ...]]:
    """What the network says at the steps asked for, and what the way back needs."""
    hs, _, tape = network.cell.forward(entered(network.cell, xs))
    ys, cache = network.readout.forward(hs[-task.asked :].reshape(task.asked, xs.shape[1], -1))
    return ys, (hs, tape, cache)


def gradient(network: Network, task: Task, xs: np.ndarray, targets: np.ndarray) -> tuple[float, Network]:
    """The loss, and its gradient."""
    ys, (hs, tape, cache) = outputs(network, task, xs)
    loss, dys = task.loss(ys, targets)
    dasked, readout = network.readout.backward(dys, cache)
    dhs = np.zeros_like(hs)
    dhs[-task.asked :] = dasked.reshape(task.asked, *hs.shape[1:])
    return float(loss), Network(network.cell.backward(dhs, tape)[-1], readout)


def training(
    network: Network, task: Task, rng: np.random.Generator, *, rate: float, batch: int = 32, clip: float = 1.0
) -> Iterator[Network]:
    """Adam with clipping, one network after each update; FloatingPointError where the loss or its gradient is
    no number any more."""
    optimiser = optim.Adam(rate)
    memory = optimiser.init(network)
    while True:
        loss, grads = gradient(network, task, *task.draw(rng, batch))
        norm = optim.global_norm(grads)
        if not (np.isfinite(loss) and np.isfinite(norm)):
            raise FloatingPointError(f"the loss is {loss}, the norm of its gradient {norm}")
        grads, _ = optim.clip_by_global_norm(grads, clip)
        network, memory = optimiser.update(network, grads, memory)
        yield network


def loss_left(network: Network, task: Task, rng: np.random.Generator, batch: int = 1000) -> float:
    """The loss on fresh sequences, as a part of that of the best guess."""
    xs, targets = task.draw(rng, batch)
    return float(task.loss(outputs(network, task, xs)[0], targets)[0]) / task.guess
