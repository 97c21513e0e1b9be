"""What is made fast gives what the reference gives, over several chunks of steps too."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from rnncore import CELLS, memory
from rnncore.kernels import cpu
from rnncore.testing import assert_close
from tests.conftest import VARIANTS, problem

FUSED = [variant for variant in VARIANTS if CELLS[variant.values[0]].kernel]
every_variant = pytest.mark.parametrize(("name", "options"), FUSED)
T, B = 31, 40  # more than two chunks of rows
LENGTHS = np.random.default_rng(1).integers(0, T + 1, B)
LAYOUTS = {
    "plain": {},
    "ragged": {"lengths": LENGTHS},
    "ragged-reversed": {"lengths": LENGTHS, "reverse": True},
    "stairs": {"lengths": np.repeat([31, 20, 20, 4, 0], 8)},
}


def test_elman_lstm_and_gru_are_fused():
    assert {variant.values[0] for variant in FUSED} >= {"Elman", "LSTM", "GRU"}
    assert 2 * cpu.CHUNK < T * B


@every_variant
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("checkpoint", [None, 7])
def test_fused_is_the_reference(name, options, layout, window, checkpoint, monkeypatch):
    def run():
        p = problem(name, options, layout, T=T, B=B, D=3, H=6)
        ys, final, tape = p.cell.forward(p.xs, p.state, **layout, checkpoint=checkpoint)
        return ys, final, p.cell.backward(p.dys, tape, p.dstate, window)

    fused = run()
    monkeypatch.setattr(CELLS[name], "kernel", None)
    assert_close(fused, run(), rtol=1e-11, atol=1e-11)


@every_variant
def test_without_gradients_of_outputs(name, options, monkeypatch):
    def run():
        p = problem(name, options, T=T, B=B)
        _, _, tape = p.cell.forward(p.xs, p.state)
        return p.cell.backward(None, tape, p.dstate)

    fused = run()
    monkeypatch.setattr(CELLS[name], "kernel", None)
    assert_close(fused, run(), rtol=1e-11, atol=1e-11)


@every_variant
def test_arrays_in_any_order_of_memory(name, options):
    """Inputs and parameters that are views, transposed or reversed, give what their copies give."""
    p = problem(name, options, T=T, B=B, D=5, H=5)
    xs = np.asfortranarray(p.xs)[::-1]
    cell = type(p.cell)(
        **{f: np.asfortranarray(v) if isinstance(v, np.ndarray) else v for f, v in vars(p.cell).items()}
    )
    runs = []
    for c, x, s in ((p.cell, xs.copy(order="C"), p.state), (cell, xs, tuple(np.asfortranarray(s) for s in p.state))):
        ys, final, tape = c.forward(x, s)
        runs.append((ys, final, c.backward(np.asfortranarray(p.dys), tape, p.dstate)))
    assert_close(*runs, rtol=1e-12, atol=1e-12)


@every_variant
def test_a_tape_is_read_twice_and_a_state_not_written(name, options):
    p = problem(name, options, T=T, B=1)
    state, dstate = tuple(s.copy() for s in p.state), tuple(d.copy() for d in p.dstate)
    _, _, tape = p.cell.forward(p.xs, p.state)
    first, second = (p.cell.backward(p.dys, tape, p.dstate) for _ in range(2))
    assert_close(first, second, rtol=0, atol=0)
    assert_close((p.state, p.dstate), (state, dstate), rtol=0, atol=0)


# -- memory that is used again

SIZE = 3 * memory.LEAST // 8


@pytest.fixture
def no_blocks():
    memory.release()
    yield
    memory.release()


@pytest.mark.parametrize(
    "hold",
    [
        lambda a: a,
        lambda a: a[5:6],
        lambda a: a.reshape(3, -1).T[1:],
        lambda a: torch.from_numpy(a)[7:],
        lambda a: memoryview(a)[3:4],
        lambda a: np.frombuffer(a, np.uint8),
    ],
)
def test_held_memory_is_not_given_again(hold, no_blocks):
    first = memory.empty((SIZE,), np.float64)
    first[:] = 1
    address, held = first.ctypes.data, hold(first)
    del first
    others = [memory.empty((SIZE,), np.float64) for _ in range(3)]
    for other in others:
        other[:] = 2
    assert address not in {other.ctypes.data for other in others}
    values = np.asarray(held)
    assert (values == 1).all() if values.dtype == np.float64 else (values.view(np.float64) == 1).all()


def test_free_memory_is_given_again(no_blocks):
    first = memory.empty((SIZE, 1), np.float64)
    address = first.ctypes.data
    del first
    again = memory.empty((2, SIZE), np.float32)
    assert again.ctypes.data == address
    assert (again.shape, again.dtype) == ((2, SIZE), np.float32)
    small = memory.empty((SIZE // 3,), np.float64)  # far smaller: not worth a block of this size
    assert small.ctypes.data != address


def test_memory_is_limited_and_can_be_given_back(no_blocks, monkeypatch):
    monkeypatch.setattr(memory, "LIMIT", 20 * SIZE)
    held = [memory.empty((SIZE,), np.float64) for _ in range(6)]
    del held[1:]
    memory.empty((9 * SIZE,), np.float64)
    assert len(memory._blocks) == 2
    memory.release()
    assert len(memory._blocks) == 1
    held.clear()
    memory.release()
    assert memory._blocks == []


def test_threads_are_never_given_the_same_memory(no_blocks):
    def work(number):
        for _ in range(200):
            a = memory.empty((SIZE,), np.float64)
            a[:] = number
            b = memory.empty((SIZE,), np.float64)
            b[:] = -number
            if not ((a == number).all() and (b == -number).all()):
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(1, 9)))


@every_variant
def test_results_outlive_the_next_run(name, options, no_blocks):
    p = problem(name, options, T=100, B=40, H=20)
    results = []
    for _ in range(3):
        ys, _, tape = p.cell.forward(p.xs, p.state)
        results.append((ys, p.cell.backward(p.dys, tape)))
        p.cell.forward(1 + p.xs, p.state)
    assert_close(results[1:], [results[0]] * 2, rtol=0, atol=0)
