"""Training: the loop, and that nothing of it is lost; files."""

import contextlib
import dataclasses
import errno
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from typing import NamedTuple

import numpy as np
import pytest
import torch

from rnncore import (
    LSTM,
    LSTM1997,
    BatchNorm,
    Bidirectional,
    CoupledLSTM,
    Dense,
    Elman,
    EncoderDecoder,
    LearnedState,
    ManyToMany,
    ManyToOne,
    Stack,
    Zoneout,
    optim,
    tasks,
    training,
    tree,
)
from rnncore.losses import mean_squared_error, softmax_cross_entropy
from rnncore.testing import assert_close
from rnncore.training import Interrupted, ProgressLine, fit, load, save
from tests.conftest import BACKENDS, refuses, to

STEPS, EVERY = 12, 5
OPTIMISERS = [name for name in optim.__all__ if hasattr(getattr(optim, name), "update")]
EXACT = {"rtol": 0, "atol": 0}


def a_model(seed=0, hidden=3):
    """All that is hard to resume: masks, running averages, a learned state."""
    rng = np.random.default_rng(seed)
    below = LearnedState.init(Zoneout(LSTM.init(rng, 1, hidden), 0.2))
    middle = BatchNorm.init(hidden)
    above = Bidirectional(Elman.init(rng, hidden, 2), Elman.init(rng, hidden, 2))
    return Stack((below, middle, above, Dense.init(rng, 4, 2)), dropout=0.3)


def batches(rng):
    return tasks.echo(rng, 6, 4, delay=2)


def train(model=None, *, steps=STEPS, seed=1, optimiser=None, loss=softmax_cross_entropy, batches=batches, **options):
    rng = options.pop("rng", None) or np.random.default_rng(seed)
    options = {"every": EVERY, "clip": 1.0, "progress": None} | options
    return fit(model or a_model(), loss, batches, optimiser or optim.Adam(0.01), steps=steps, rng=rng, **options)


def everything(model, history):
    """The model with its fixed arrays, and the history, as arrays to be compared exactly."""
    return [leaf for _, leaf in tree.leaves(model, and_fixed=True)], np.array(history)


class Fault:
    """A function that raises at one of its calls, else does what it did."""

    def __init__(self, function, call, error):
        self.function, self.left, self.error = function, call, error

    def __call__(self, *arguments, **options):
        self.left -= 1
        if self.left == 0:
            raise self.error
        return self.function(*arguments, **options)


# -- the loop


@pytest.mark.parametrize("backend", BACKENDS)
def test_fit_is_the_loop_by_hand(backend):
    def draw(rng):
        return to(backend, batches(rng))

    model, optimiser, rng = to(backend, a_model()), optim.Adam(0.01), np.random.default_rng(1)
    found, history = train(model, batches=draw)
    state, losses = optimiser.init(model), []
    for _ in range(STEPS):
        xs, targets = draw(rng)
        ys, _, tape = model.forward(xs, rng=rng)
        loss, dys = softmax_cross_entropy(ys, targets)
        _, _, grads = model.backward(dys, tape)
        clipped, _ = optim.clip_by_global_norm(grads, 1.0)
        model, state = optimiser.update(model, clipped, state)
        model = tree.with_fixed_of(model, grads)
        losses.append(float(loss))
    assert_close(everything(found, history), everything(model, losses), **EXACT)
    assert (np.abs(np.array(tree_of(model, "variance")) - 1) > 1e-3).all()  # the running averages have moved


def tree_of(model, name):
    return next(leaf.tolist() for path, leaf in tree.leaves(model, and_fixed=True) if path.endswith(name))


def test_it_learns():
    cell, readout = (kind.init(np.random.default_rng(0), *sizes) for kind, *sizes in ((LSTM, 1, 8), (Dense, 8, 2)))
    _, history = train(Stack((cell, readout)), steps=200, optimiser=optim.Adam(0.02))
    assert np.mean(history[-10:]) < 0.1 * np.mean(history[:10])


@pytest.mark.parametrize("kind", ["array", "tuple", "dict"])
def test_batches_may_be_arrays_tuples_or_dicts(kind):
    rng = np.random.default_rng(0)
    cells = [LSTM.init(rng, 1, 3), LSTM.init(rng, 1, 3)]
    pair = EncoderDecoder(*cells, Dense.init(rng, 3, 1))
    one = ManyToOne(cells[0], Dense.init(rng, 3, 1))

    def draw(rng):
        xs, us, y = (rng.standard_normal(shape).astype(np.float32) for shape in ((5, 2, 1), (4, 2, 1), (2, 1)))
        mask = np.array([True, False])
        return {
            "array": (xs, y),
            "tuple": ((xs, us), (us, mask[None, :].repeat(4, 0))),
            "dict": ({"xs": xs, "lengths": [5, 2]}, {"targets": y, "mask": mask}),
        }[kind]

    _, history = train(pair if kind == "tuple" else one, steps=2, loss=mean_squared_error, batches=draw)
    assert len(history) == 2
    inputs, targets = draw(np.random.default_rng(1))
    start = pair if kind == "tuple" else one
    forward = start.forward(**inputs) if kind == "dict" else start.forward(*inputs) if kind == "tuple" else None
    ys, _ = forward or start.forward(inputs)
    loss = {"array": lambda: mean_squared_error(ys, targets), "tuple": lambda: mean_squared_error(ys, *targets)}
    assert history[0] == float(loss.get(kind, lambda: mean_squared_error(ys, **targets))()[0])


def test_no_steps_change_nothing():
    model = a_model()
    assert train(model, steps=0) == (model, [])


# -- interruption


def uninterrupted(**options):
    return everything(*train(**options))


@pytest.mark.parametrize("at", [1, EVERY, EVERY + 1, STEPS])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, MemoryError, SystemExit])
@pytest.mark.parametrize("place", ["batches", "loss", "optimiser", "progress"])
def test_what_was_stopped_anywhere_goes_on_as_if_it_had_not(place, error, at, tmp_path):
    path, optimiser = tmp_path / "run.npz", optim.Adam(0.01)
    wanted = uninterrupted()
    faults = {
        "batches": lambda: {"batches": Fault(batches, at, error("stop"))},
        "loss": lambda: {"loss": Fault(softmax_cross_entropy, at, error("stop"))},
        "optimiser": lambda: {"optimiser": Faulty(optimiser, Fault(optimiser.update, at, error("stop")))},
        "progress": lambda: {"progress": Fault(lambda *_: None, at, error("stop"))},
    }
    with pytest.raises(error) as caught:
        train(checkpoint=path, **faults[place]())
    done = at if place == "progress" else at - 1
    if error is KeyboardInterrupt:
        assert isinstance(caught.value, Interrupted)
        assert len(caught.value.history) == done
        assert_close(everything(caught.value.model, caught.value.history), uninterrupted(steps=done), **EXACT)
    assert os.listdir(tmp_path) == ["run.npz"]
    shown = []
    resumed = train(a_model(5), seed=99, checkpoint=path, progress=lambda *a: shown.append(a))
    assert_close(everything(*resumed), wanted, **EXACT)
    assert [a[:2] for a in shown] == [(step, STEPS) for step in range(done + 1, STEPS + 1)]
    assert_close(everything(*train(a_model(5), seed=99, checkpoint=path)), wanted, **EXACT)  # at its end already


@dataclasses.dataclass
class Faulty:
    """An optimiser with another `update`."""

    optimiser: object
    update: object

    def init(self, parameters):
        return self.optimiser.init(parameters)


def test_interruption_without_a_file_hands_over_the_model():
    with pytest.raises(Interrupted, match="interrupted after 7 steps") as caught:
        train(loss=Fault(softmax_cross_entropy, 8, KeyboardInterrupt()))
    assert_close(everything(caught.value.model, caught.value.history), uninterrupted(steps=7), **EXACT)


# Interrupted on its way out of a `with`, Python leaves the closing of the file to the collector, which says so.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("line", range(1, 1000, 19))
def test_interruption_at_any_line(line, tmp_path):
    """A KeyboardInterrupt from anywhere in training.py and optim.py, from the writing too."""
    path, left = tmp_path / "run.npz", line

    def trace(frame, event, argument):
        nonlocal left
        if not frame.f_code.co_filename.endswith(("training.py", "optim.py")):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                raise KeyboardInterrupt
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        with contextlib.suppress(KeyboardInterrupt):
            train(checkpoint=path, steps=4, every=1)
    finally:
        sys.settrace(old)
    assert left <= 0
    assert_close(everything(*train(checkpoint=path, steps=4)), uninterrupted(steps=4), **EXACT)


def test_interruption_between_the_loss_and_the_step_that_it_belongs_to(tmp_path):
    path = tmp_path / "run.npz"

    def trace(frame, event, argument):
        if frame.f_code is not fit.__code__:
            return None
        if len(frame.f_locals.get("history", [])) == 3 > frame.f_locals["run"].step:
            sys.settrace(None)
            raise KeyboardInterrupt
        return trace

    old = sys.gettrace()
    sys.settrace(trace)
    try:
        with pytest.raises(Interrupted) as caught:
            train(checkpoint=path)
    finally:
        sys.settrace(old)
    assert_close(everything(caught.value.model, caught.value.history), uninterrupted(steps=2), **EXACT)
    assert_close(everything(*train(checkpoint=path)), uninterrupted(), **EXACT)


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path):
    path = tmp_path / "run.npz"
    for steps in (4, 5, STEPS):
        found = train(checkpoint=path, steps=steps, seed=1)
    assert_close(everything(*found), uninterrupted(), **EXACT)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("optimiser", [getattr(optim, name)(0.01) for name in OPTIMISERS], ids=OPTIMISERS)
def test_every_optimiser_and_backend_resumes(optimiser, backend, tmp_path):
    assert {"SGD", "Adam"} <= set(OPTIMISERS)
    path = tmp_path / "run.npz"

    def draw(rng):
        return to(backend, batches(rng))

    options = {"model": to(backend, a_model()), "batches": draw, "optimiser": optimiser}
    wanted = uninterrupted(**options)
    train(checkpoint=path, steps=5, **options)
    found = train(checkpoint=path, **options)
    assert_close(everything(*found), wanted, **EXACT)


@pytest.mark.parametrize("kind", ["PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"])
def test_every_generator_resumes(kind, tmp_path):
    path, kind = tmp_path / "run.npz", getattr(np.random, kind)
    wanted = uninterrupted(rng=np.random.Generator(kind(3)))
    train(checkpoint=path, steps=5, rng=np.random.Generator(kind(3)))
    assert_close(everything(*train(checkpoint=path, rng=np.random.Generator(kind(0)))), wanted, **EXACT)
    other = np.random.PCG64 if kind is not np.random.PCG64 else np.random.SFC64
    with refuses(ValueError, f"has a {kind.__name__} as rng, received a {other.__name__}"):
        train(checkpoint=path, rng=np.random.Generator(other(0)))


def test_a_killed_process_resumes(tmp_path):
    """SIGKILL while it trains and writes at every step: whatever is in the file is whole, and goes on exactly."""
    path = tmp_path / "run.npz"
    code = f"from tests.test_training import train; train(steps=100000, every=1, checkpoint={str(path)!r})"
    for _ in range(2):
        before = len(json_history(path)) if path.exists() else 0
        process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
        try:
            while not path.exists() or len(json_history(path)) < before + 3:
                assert process.poll() is None
                time.sleep(0.01)
        finally:
            process.kill()
            process.wait()
    done = len(json_history(path))
    assert_close(everything(*train(checkpoint=path, steps=done + 2)), uninterrupted(steps=done + 2), **EXACT)


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_while_it_trains(tmp_path):
    path = tmp_path / "run.npz"
    code = f"""if True:
        from tests.test_training import train
        def tell(step, steps, loss):
            if step == 3:
                print("ready", flush=True)
        train(steps=100000, every=100000, checkpoint={str(path)!r}, progress=tell)"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=-1, stderr=-1, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert "Interrupted: interrupted after" in errors
    done = len(json_history(path))
    assert f"interrupted after {done} steps" in errors
    assert_close(everything(*train(checkpoint=path, steps=done)), uninterrupted(steps=done), **EXACT)


def json_history(path):
    with np.load(path) as file:
        return file["history"]


# -- failures


def test_a_loss_that_is_no_number_stops_before_it_does_harm(tmp_path):
    calls = []

    def loss(ys, targets):
        calls.append(1)
        value, slope = softmax_cross_entropy(ys, targets)
        return value * (np.nan if len(calls) == 4 else 1), slope

    with refuses(ValueError, "fit: the loss is nan at step 3"):
        train(loss=loss, checkpoint=tmp_path / "run.npz")
    assert_close(everything(*train(checkpoint=tmp_path / "run.npz")), uninterrupted(), **EXACT)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_a_gradient_that_is_no_number_stops_with_a_finite_loss(clip, tmp_path):
    calls = []

    def loss(ys, targets):
        calls.append(1)
        value, slope = softmax_cross_entropy(ys, targets)
        return value, slope * (np.nan if len(calls) == 4 else 1)

    with refuses(optim.Diverged, "fit: the gradient's norm is nan at step 3; a smaller learning rate"):
        train(loss=loss, clip=clip, checkpoint=tmp_path / "run.npz")
    model, history = train(steps=3, clip=clip, checkpoint=tmp_path / "run.npz")
    assert len(history) == 3
    assert all(np.isfinite(leaf).all() for _, leaf in tree.leaves(model))


def test_fit_refuses(tmp_path):
    for options, error, message in [
        ({"steps": -1}, ValueError, "fit: steps must be an integer from 0, received -1"),
        ({"steps": 2.5}, ValueError, "fit: steps must be an integer from 0, received 2.5"),
        ({"every": 0}, ValueError, "fit: every must be an integer from 1, received 0"),
        ({"rng": 7}, TypeError, "fit: rng must be a np.random.Generator, received a int"),
        ({"clip": -1.0}, ValueError, "clip_by_global_norm: max_norm must be a positive number"),
        ({"checkpoint": tmp_path / "no" / "run.npz"}, FileNotFoundError, "no"),
    ]:
        with refuses(error, message):
            train(**options)


def test_a_file_of_another_run_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "run.npz"
    train(checkpoint=path, steps=2)
    before = path.read_bytes()
    for options, message in [
        ({"model": a_model(hidden=4)}, "model/layers.0.layer.cell.W in"),
        ({"model": a_model().layers[0]}, "holds model/"),
        ({"model": tree.convert(np.float64, a_model())}, "dtype float32, wanted (1, 12) and float64"),
        ({"optimiser": optim.SGD(0.1)}, "wanted model/"),
    ]:
        with refuses(ValueError, "fit: ", message):
            train(checkpoint=path, **options)
    save(tmp_path / "tree.npz", a_model())
    with refuses(ValueError, "fit: ", "tree.npz holds no training run"):
        train(checkpoint=tmp_path / "tree.npz")
    assert path.read_bytes() == before


# -- files


class Pair(NamedTuple):
    t: int
    m: object


def values():
    rng = np.random.default_rng(0)
    parts = {"file": rng.standard_normal(3), "": np.float32([1, 2]), "a b/ä": np.zeros((0, 2))}
    return [a_model(), Pair(3, rng.standard_normal((2, 3))), (), parts, 2.5, np.arange(3), np.array(True)]


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_is_saved_is_loaded(backend, tmp_path):
    kept = values()
    kept[:2] = to(backend, kept[0]), Pair(3, to(backend, kept[1].m))
    like = tree.convert(lambda a: 0 * a, kept[:-1])
    save(tmp_path / "kept", kept)
    found = load(tmp_path / "kept", [*like, np.array(False)])
    parts = [(values[0], values[1].m, values[3], values[5:]) for values in (found, kept)]
    assert_close(*parts, **EXACT)
    assert (found[1].t, found[4]) == (3, 2.5)
    assert isinstance(found[1], Pair)
    assert isinstance(found[1].t, int)
    assert_close(everything(found[0], [])[0], everything(kept[0], [])[0], **EXACT)
    assert os.listdir(tmp_path) == ["kept"]
    for array in (np.float64(1.5), np.arange(3.0)):
        save(tmp_path / "one", array)
        assert_close(np.asarray(load(tmp_path / "one", 0 * np.asarray(array))), np.asarray(array), **EXACT)


def test_files_are_without_pickle_and_readable_by_all(tmp_path):
    path = tmp_path / "kept.npz"
    save(path, a_model())
    with np.load(path, allow_pickle=False) as file:
        assert str(file["format"]) == "rnncore 1"
        assert "tree/layers.1.mean" in file.files
    umask = os.umask(0)
    os.umask(umask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~umask
    with pytest.raises(ValueError, match="pickle"):
        save(tmp_path / "no.npz", {"a": np.array([object()])})
    assert os.listdir(tmp_path) == ["kept.npz"]


@pytest.mark.parametrize("call", ["np.savez", "os.fsync", "Path.replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_writing_that_fails_leaves_the_old_file(call, error, tmp_path, monkeypatch):
    path = tmp_path / "kept.npz"
    save(path, np.arange(3.0))
    before = path.read_bytes()

    def fail(*arguments, **options):
        if call == "np.savez":
            arguments[0].write(b"half")
        raise error

    owner = {"np": training.np, "os": training.os, "Path": training.Path}[call.partition(".")[0]]
    with monkeypatch.context() as patch:
        patch.setattr(owner, call.partition(".")[2], fail)
        with pytest.raises(type(error)):
            save(path, np.ones(100))
    assert path.read_bytes() == before
    assert os.listdir(tmp_path) == ["kept.npz"]
    save(path, np.ones(100))
    assert_close(load(path, np.zeros(100)), np.ones(100), **EXACT)


@pytest.mark.parametrize("call", ["np.savez", "os.fsync"])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize("lasting", [False, True], ids=["once", "for good"])
def test_a_run_whose_file_cannot_be_written_loses_nothing_that_was(call, error, lasting, tmp_path, monkeypatch):
    path, wanted = tmp_path / "run.npz", uninterrupted()
    train(checkpoint=path, steps=3)
    owner, name = {"np": training.np, "os": training.os}[call[:2]], call.partition(".")[2]
    whole, left = getattr(owner, name), [1]

    def fail(*arguments, **options):
        left[0] -= 1
        if lasting or left[0] == 0:
            raise error("no")
        return whole(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(owner, name, fail)
        with pytest.raises(error):
            train(checkpoint=path, every=1)
    assert os.listdir(tmp_path) == ["run.npz"]
    assert len(json_history(path)) == (3 if lasting else 4)
    assert_close(everything(*train(checkpoint=path)), wanted, **EXACT)


def test_a_torn_or_altered_file_is_refused(tmp_path):
    path, torn = tmp_path / "kept.npz", tmp_path / "torn.npz"
    model = {"a": np.arange(40.0), "b": np.ones((3, 2))}
    save(path, model)
    whole = path.read_bytes()
    for size in range(0, len(whole), 3):
        torn.write_bytes(whole[:size])
        with refuses(ValueError, "load: ", "torn.npz is torn, or no file that rnncore wrote"):
            load(torn, model)
    accepted, places = 0, range(0, len(whole), 5)
    for at in places:
        torn.write_bytes(whole[:at] + bytes([whole[at] ^ 0x5A]) + whole[at + 1 :])
        with contextlib.suppress(ValueError):  # and no other error
            assert_close(load(torn, model), model, **EXACT)  # a date or the like: whatever is loaded is right
            accepted += 1
    assert accepted < len(places) / 3


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def test_a_foreign_file_is_refused(tmp_path):
    path = tmp_path / "foreign.npz"
    like = np.zeros(3)

    def pickled(path):
        np.savez(path, a=np.array([object()]))

    def of_another_format(path):
        np.savez(path, format=np.array("rnncore 2"), **{"tree/": like})

    def zipped(path):
        with zipfile.ZipFile(path, "w") as file:
            file.writestr("format", "rnncore 1")

    for write in [
        lambda p: p.write_bytes(b""),
        lambda p: p.write_text("not a file of arrays"),
        lambda p: p.write_bytes(npy(like)),
        lambda p: np.savez(p, a=like),
        lambda p: p.write_text(json.dumps({"a": 1})),
        lambda p: torch.save(like, p),
        pickled,
        of_another_format,
        zipped,
    ]:
        write(path)
        before = path.read_bytes()
        with refuses(ValueError, "load: ", "foreign.npz is torn, or no file that rnncore wrote"):
            load(path, like)
        with refuses(ValueError, "fit: ", "foreign.npz is torn, or no file that rnncore wrote"):
            train(checkpoint=path)
        assert path.read_bytes() == before
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "none", like)


def test_load_refuses_another_form(tmp_path):
    path = tmp_path / "kept.npz"
    save(path, {"a": np.zeros((2, 3))})
    for like, *messages in [
        ({"b": np.zeros((2, 3))}, "holds tree/a; wanted tree/b"),
        ({"a": np.zeros((3, 2))}, "tree/a in", "has shape (2, 3) and dtype float64, wanted (3, 2) and float64"),
        ({"a": np.zeros((2, 3), np.float32)}, "wanted (2, 3) and float32"),
        ({"a": torch.zeros(2, 3)}, "wanted (2, 3) and float32"),
    ]:
        with refuses(ValueError, "load: ", *messages):
            load(path, like)


def test_a_file_is_of_one_class_and_its_options(tmp_path, rng):
    """Also where all arrays have the same names and shapes."""
    path, cell = tmp_path / "kept.npz", LSTM1997.init(rng, 3, 4)
    save(path, cell)
    with refuses(ValueError, "load: ", "holds LSTM1997(W=float32(3, 12)", "wanted CoupledLSTM(W=float32(3, 12)"):
        load(path, CoupledLSTM(cell.W, cell.U, cell.b))
    save(path, to("torch-cpu", Elman.init(rng, 3, 4)))
    with refuses(ValueError, "activation='tanh'", "activation='relu'"):
        load(path, Elman.init(rng, 3, 4, activation="relu"))
    assert isinstance(load(path, Elman.init(rng, 3, 4)).W, np.ndarray)  # another library is no other form


def test_a_run_is_not_resumed_with_another_model(tmp_path):
    def start(activation, optimiser=None):
        rng = np.random.default_rng(0)
        model = ManyToMany(Elman.init(rng, 1, 4, activation=activation), Dense.init(rng, 4, 2))
        given = model, softmax_cross_entropy, lambda rng: tasks.parity(rng, 4, 3), optimiser or optim.Adam(0.01)
        return fit(*given, steps=3, rng=rng, checkpoint=tmp_path / "run.npz", progress=None)

    start("tanh")
    with refuses(ValueError, "fit: ", "activation='tanh'", "activation='relu'"):
        start("relu")
    with refuses(ValueError, "fit: "):
        start("tanh", optim.RMSprop(0.01))
    assert len(start("tanh", optim.Adam(0.1))[1]) == 3  # another rate is none


def test_files_without_a_form_are_read(tmp_path, rng):
    path, cell = tmp_path / "kept.npz", LSTM1997.init(rng, 3, 4)
    save(path, cell)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files if name != "form"}
    np.savez(path, **arrays)
    assert_close(load(path, cell), cell, **EXACT)


def test_bfloat16_is_kept_bit_for_bit(tmp_path, rng):
    model = tree.convert(lambda a: torch.tensor(a).bfloat16(), Elman.init(rng, 3, 4))
    save(tmp_path / "kept.npz", model)
    found = load(tmp_path / "kept.npz", tree.convert(torch.zeros_like, model))
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(tree.leaves(found), tree.leaves(model), strict=True))
    assert found.W.dtype == torch.bfloat16
    with refuses(ValueError, "tree/W in", "dtype int16, wanted (3, 4) and float32"):
        load(tmp_path / "kept.npz", Elman.init(rng, 3, 4))


# -- progress


@pytest.mark.parametrize("terminal", [False, True])
def test_the_progress_line(terminal, capsys, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(training.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(training.sys.stderr, "isatty", lambda: terminal, raising=False)
    show = ProgressLine()
    for step in range(3, 101):
        show(step, 100, 1 / step)
        now[0] += 0.05
    text = capsys.readouterr().err
    lines = text.replace("\r", "\n").strip().split("\n")
    assert lines[-1].split() == ["step", "100/100", "loss", "0.01", "0", "s", "left"]
    assert "step 50/100  loss 0.02  2 s left" in text if not terminal else text.count("\n") == 1
    assert len(lines) == (10 if not terminal else 39)  # at most ten a second


def test_progress_is_shown_unless_silenced(capsys):
    train(steps=2, progress=True)
    assert re.search(r"step 2/2  loss \d\.\d+", capsys.readouterr().err)
    for silent in (None, False):
        train(steps=2, progress=silent)
    assert capsys.readouterr() == ("", "")
