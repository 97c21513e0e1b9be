"""Training: the loop, interrupted and resumed without loss; and trees of arrays kept in files."""

import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnncore import tree
from rnncore.backend import array_namespace, check_whole, device
from rnncore.layers.layer import options
from rnncore.optim import Diverged, clip_by_global_norm, global_norm

__all__ = ["Interrupted", "ProgressLine", "fit", "load", "save", "step"]

FORMAT = "rnncore 1"
Progress = Callable[[int, int, float], None]


class Interrupted(KeyboardInterrupt):
    """Training was interrupted: `model` and `history` are those after the last whole step."""

    def __init__(self, model: Any, history: list[float]) -> None:
        super().__init__(f"interrupted after {len(history)} steps")
        self.model, self.history = model, history


class ProgressLine:
    """A line of text on stderr that tells step, loss and the time left; written over and over in a terminal, and
    otherwise (in a file) ten times in all."""

    def __init__(self) -> None:
        self.begun: tuple[int, float] | None = None
        self.shown = -math.inf

    def __call__(self, step: int, steps: int, loss: float) -> None:
        now, terminal = time.monotonic(), sys.stderr.isatty()
        first, begin = self.begun = self.begun or (step - 1, now)
        if step < steps and (now - self.shown < 0.1 if terminal else step % max(1, steps // 10)):
            return
        self.shown = now
        left = (now - begin) / (step - first) * (steps - step)
        line = f"step {step}/{steps}  loss {loss:.4g}  {left:.0f} s left"
        print(f"\r{line:<60}" if terminal else line, end="" if terminal and step < steps else "\n", file=sys.stderr)


@dataclass(frozen=True)
class _Run:
    """All that a training run is made of after `step` steps."""

    step: int
    model: Any
    state: Any
    rng: Mapping[str, Any]


def fit(
    model: Any,
    loss: Callable[..., tuple[Any, Any]],
    batches: Callable[[np.random.Generator], tuple[Any, Any]],
    optimiser: Any,
    *,
    steps: int,
    rng: np.random.Generator,
    clip: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int = 100,
    progress: Progress | bool | None = True,
) -> tuple[Any, list[float]]:
    """Train: `steps` times, draw a batch, run forward, take the loss, run backward, clip, and update.

    Args:
        model: a model or layer; `model.forward(…, rng=rng)` and `model.backward(dys, tape)` are called. rng is left
            out where its `forward` does not ask for one.
        loss: maps outputs and targets to (loss, gradient of the outputs), such as those of `rnncore.losses`.
        batches: draws (inputs, targets) from a generator, and from nothing else. Inputs go to `forward`, targets to
            `loss`, after the outputs: an array as it is, a tuple as arguments, a dict as keyword arguments.
        optimiser: with `init` and `update`, such as `rnncore.optim.Adam`.
        steps: how many steps in all, those before a resumption among them.
        rng: everything random comes from it: batches first, then masks.
        clip: the greatest norm of the gradient, see `clip_by_global_norm`; none where None.
        checkpoint: a file. Where it exists, training goes on from it; it is written after every `every` steps, at the
            end, and when anything stops the run. A run resumed from it is, bit for bit, one that was never stopped.
        every: see there.
        progress: called with (step, steps, loss) after each step; True: a line on stderr; None or False: silence.

    Returns:
        the trained model, and the loss of each step.

    Raises:
        Interrupted: Ctrl-C, a KeyboardInterrupt that carries the model and history so far.
        Diverged: a loss, or the norm of its gradient, that is nan or infinite; a ValueError.
        ValueError: a checkpoint that is torn, or of another model or optimiser.
    """
    check_whole("fit", "steps", steps, 0)
    check_whole("fit", "every", every, 1)
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"fit: rng must be a np.random.Generator, received a {type(rng).__name__}")
    show = ProgressLine() if progress is True else progress or None
    path = None if checkpoint is None else Path(checkpoint)
    run = _Run(0, model, optimiser.init(model), rng.bit_generator.state)
    history: list[float] = []
    if path is not None and path.exists():
        run, history = _resumed(path, run)
        rng.bit_generator.state = run.rng
    try:
        while run.step < steps:
            try:
                value, model, state = step(run.model, run.state, loss, batches, optimiser, rng, clip)
            except Diverged as error:
                raise Diverged(
                    f"fit: {error} at step {run.step}; a smaller learning rate or clipping may help"
                ) from None
            history.append(value)
            run = _Run(run.step + 1, model, state, rng.bit_generator.state)
            if show:
                show(run.step, steps, value)
            if path is not None and run.step % every == 0 and run.step < steps:
                _keep(path, run, history)
        if path is not None:
            _keep(path, run, history)
    except KeyboardInterrupt as stop:
        if path is not None:
            _keep(path, run, history)
        raise Interrupted(run.model, history[: run.step]) from stop
    except BaseException:
        if path is not None:
            _keep(path, run, history)
        raise
    return run.model, history


def step(
    model: Any, state: Any, loss: Any, batches: Any, optimiser: Any, rng: np.random.Generator, clip: float | None
) -> tuple[float, Any, Any]:
    """One step of training: the loss, and the model and the optimiser's state after it; `Diverged` where there is none.

    Arguments as of `fit`, and `state`, the optimiser's.
    """
    inputs, targets = batches(rng)
    value, grads = gradient(model, loss, inputs, targets, rng)
    value = float(value)
    if not math.isfinite(value):
        raise Diverged(f"the loss is {value}")
    if not math.isfinite(norm := global_norm(grads)):
        raise Diverged(f"the gradient's norm is {norm}")
    if clip is not None:
        grads, _ = clip_by_global_norm(grads, clip)
    model, state = updated(model, grads, optimiser, state)
    return value, model, state


def gradient(model: Any, loss: Any, inputs: Any, targets: Any, rng: Any) -> tuple[Any, Any]:
    """The loss of a batch and the gradient of the model."""
    ys, *_, tape = _call(model.forward, (), inputs, **({"rng": rng} if "rng" in options(model) else {}))
    value, dys = _call(loss, (ys,), targets)
    return value, model.backward(dys, tape)[-1]


def updated(model: Any, grads: Any, optimiser: Any, state: Any) -> tuple[Any, Any]:
    """The model after an update, and the optimiser's state."""
    new, state = optimiser.update(model, grads, state)
    return tree.with_fixed_of(new, grads), state


def _call(function: Callable[..., Any], first: tuple[Any, ...], given: Any, **more: Any) -> Any:
    """`function(*first, given)`; a tuple is given as arguments, a dict as keyword arguments."""
    if isinstance(given, dict):
        return function(*first, **given, **more)
    return function(*first, *(given if isinstance(given, tuple) else (given,)), **more)


def _keep(path: Path, run: _Run, history: list[float]) -> None:
    """Write a run to a file."""
    arrays = _arrays(model=run.model, state=run.state)
    arrays["history"] = np.asarray(history[: run.step], dtype=np.float64)
    arrays["rng"] = np.asarray(json.dumps(run.rng, default=lambda array: array.tolist()))
    _write(path, arrays)


def _resumed(path: Path, start: _Run) -> tuple[_Run, list[float]]:
    """The run that a file holds, of the form of the one to start; and its history."""
    arrays = _read("fit", path)
    if "history" not in arrays or "rng" not in arrays:
        raise ValueError(f"fit: {path} holds no training run; to load a tree of arrays there is `load`")
    history, rng = arrays.pop("history").tolist(), json.loads(str(arrays.pop("rng")))
    filled = _filled("fit", path, arrays, {"model": start.model, "state": start.state})
    if rng["bit_generator"] != start.rng["bit_generator"]:
        raise ValueError(f"fit: {path} has a {rng['bit_generator']} as rng, received a {start.rng['bit_generator']}")
    return _Run(len(history), filled["model"], filled["state"], rng), history


# -- files


def save(path: str | os.PathLike[str], values: Any) -> None:
    """Write the arrays of a tree to a file (.npz, no pickle), fixed ones too: the whole of it, or nothing.

    A file of that name is replaced at one stroke; until then it stays as it was, whatever happens.
    """
    _write(Path(path), _arrays(tree=values))


def load(path: str | os.PathLike[str], like: Any) -> Any:
    """The tree in a file, of the form of `like`, in its libraries and on its devices.

    Raises:
        ValueError: the file is not whole, not one of `save`, or its tree is of another form, shape or dtype.
    """
    return _filled("load", Path(path), _read("load", Path(path)), {"tree": like})["tree"]


def _arrays(**trees: Any) -> dict[str, np.ndarray]:
    """The leaves of trees as NumPy arrays, by their paths; and what the trees are, or another might be read in them."""
    found = {"form": np.asarray(json.dumps({name: _form(values) for name, values in trees.items()}))}
    for name, values in trees.items():
        for path, leaf in tree.leaves(values, and_fixed=True):
            leaf = leaf.detach().cpu() if hasattr(leaf, "detach") else leaf
            bits = leaf.view(array_namespace(leaf).int16) if _dtype(leaf) == "bfloat16" else leaf  # NumPy has no such
            found[f"{name}/{path}"] = np.asarray(bits)
    return found


def _form(values: Any) -> str:
    return tree.described(tree.form(values)).replace("torch.", "")


def _dtype(leaf: Any) -> str:
    return str(getattr(leaf, "dtype", "")).removeprefix("torch.")


def _filled(operation: str, path: Path, arrays: dict[str, np.ndarray], like: Any) -> Any:
    """A tree like `like` with its arrays from a file."""
    forms = json.loads(str(arrays.pop("form", "{}")))  # files of version 0.1.0 had none
    places = [f"{name}/{place}" for name, part in like.items() for place, _ in tree.leaves(part, and_fixed=True)]
    if set(places) != set(arrays):
        raise ValueError(f"{operation}: {path} holds {', '.join(arrays)}; wanted {', '.join(places)}")
    values = iter([arrays[place] for place in places])

    def read(leaf: Any) -> Any:
        value, place = next(values), next(names)
        if not hasattr(leaf, "shape"):
            return type(leaf)(value[()])
        shape, dtype = tuple(leaf.shape), _dtype(leaf)
        bits = dtype == "bfloat16"
        if value.shape != shape or str(value.dtype) != ("int16" if bits else dtype):
            raise ValueError(
                f"{operation}: {place} in {path} has shape {value.shape} and dtype {value.dtype}, "
                f"wanted {shape} and {dtype}"
            )
        array = array_namespace(leaf).asarray(value, device=device(leaf))
        return array.view(leaf.dtype) if bits else array

    names = iter(places)
    filled = tree.convert(read, like)
    for name, part in like.items():
        if forms.get(name, wanted := _form(part)) != wanted:
            raise ValueError(f"{operation}: {path} holds {forms[name]}; wanted {wanted}")
    return filled


def _write(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Write to a file beside the one wanted, have it on the disk, then give it the name."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            np.savez(file, allow_pickle=False, format=np.asarray(FORMAT), **arrays)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # the new name, too, is to outlast a power cut
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _read(operation: str, path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file that `_write` wrote."""
    content = io.BytesIO(path.read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if str(arrays.pop("format")) != FORMAT:
            raise KeyError("format")
    except Exception as error:  # NumPy and zipfile have many names for it
        raise ValueError(f"{operation}: {path} is torn, or no file that rnncore wrote") from error
    return arrays
