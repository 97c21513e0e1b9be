"""Synthetic tasks: their definitions, element by element."""

import math

import numpy as np
import pytest
import torch

from rnncore.tasks import REBER, adding, copy, echo, is_reber, latch, mackey_glass, parity, reber, reverse, sine
from rnncore.testing import assert_close
from tests.conftest import refuses

TASKS = {
    "sine": sine,
    "echo": lambda rng, steps, batch, **options: echo(rng, steps, batch, delay=2, **options),
    "parity": parity,
    "reverse": reverse,
    "mackey_glass": mackey_glass,
}
every_task = pytest.mark.parametrize("name", TASKS)


@pytest.mark.parametrize("period", [20.0, 7])
def test_sine(period, rng):
    inputs, targets = sine(rng, 9, 4, period=period, dtype=np.float64)
    assert inputs.shape == targets.shape == (9, 4, 1)
    assert_close(targets[:-1], inputs[1:], rtol=0, atol=0)
    w = 2 * math.pi / period
    for b in range(4):  # a sine is fixed by two of its values: x[t+1] = 2 cos(w) x[t] - x[t-1], and by its amplitude
        x = inputs[:, b, 0]
        assert_close(targets[1:, b, 0], 2 * math.cos(w) * x[1:] - x[:-1], atol=1e-12)
        amplitude = x[0] ** 2 + ((x[1] - x[0] * math.cos(w)) / math.sin(w)) ** 2
        assert amplitude == pytest.approx(1, rel=1e-12)
    assert len(set(inputs[0, :, 0])) == 4


def test_sine_inputs_and_targets_share_no_memory(rng):
    assert not np.shares_memory(*sine(rng, 5, 2))


@pytest.mark.parametrize("delay", [0, 1, 3, 8, 9])
def test_echo(delay, rng):
    inputs, targets = echo(rng, 8, 50, delay=delay)
    assert inputs.shape == (8, 50, 1)
    assert targets.shape == (8, 50)
    assert set(np.unique(inputs)) == {0, 1}
    assert np.issubdtype(targets.dtype, np.integer)
    for t in range(8):
        expected = inputs[t - delay, :, 0] if t >= delay else np.zeros(50)
        np.testing.assert_array_equal(targets[t], expected)
    assert abs(inputs.mean() - 0.5) < 5 * 0.5 / math.sqrt(inputs.size)


def test_latch(rng):
    inputs, targets = latch(rng, 40, 500, dtype=np.float64)
    assert inputs.shape == (40, 500, 2)
    np.testing.assert_array_equal(inputs[0], np.stack([2 * targets - 1, np.zeros(500)], axis=1))
    assert not inputs[1:, :, 0].any()
    noise = inputs[1:, :, 1]
    assert abs(noise.mean()) < 5 / math.sqrt(noise.size)
    assert abs(noise.var() - 1) < 5 * math.sqrt(2 / noise.size)
    assert set(targets) == {0, 1}
    assert abs(targets.mean() - 0.5) < 5 * 0.5 / math.sqrt(500)


def test_latch_has_a_symbol(rng):
    with pytest.raises(ValueError, match="latch: steps must be"):
        latch(rng, 0, 3)


@every_task
def test_seeds_reproduce(name):
    a, b, c = (TASKS[name](np.random.default_rng(seed), 6, 3) for seed in (0, 0, 1))
    assert_close(a, b, rtol=0, atol=0)
    assert (a[0] != c[0]).any()


@every_task
@pytest.mark.parametrize(("steps", "batch"), [(0, 3), (3, 0), (0, 0)])
def test_nothing(name, steps, batch, rng):
    inputs, targets = TASKS[name](rng, steps, batch)
    assert inputs.shape[:2] == targets.shape[:2] == (steps, batch)


@every_task
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtypes(name, dtype, rng):
    assert TASKS[name](rng, 3, 2, dtype=dtype)[0].dtype == dtype


@every_task
def test_tasks_refuse(name, rng):
    for size in (-1, 2.5, True, "3", None):
        with refuses(ValueError, f"{name}: steps must be an integer from 0, received {size!r}"):
            TASKS[name](rng, size, 2)
        with refuses(ValueError, f"{name}: batch must be an integer from 0, received {size!r}"):
            TASKS[name](rng, 3, size)
    for dtype in (int, np.float16, torch.float32):
        with refuses(TypeError, f"{name}: dtype must be float32 or float64, received {dtype}"):
            TASKS[name](rng, 3, 2, dtype=dtype)
    with refuses(TypeError, f"{name}: rng must be a np.random.Generator, received a int"):
        TASKS[name](0, 3, 2)


def test_options_are_refused(rng):
    for period in (0, -1, math.nan, math.inf):
        with refuses(ValueError, f"sine: period must be a positive number of steps, received {period}"):
            sine(rng, 3, 2, period=period)
    with refuses(ValueError, "echo: delay must be an integer from 0, received -1"):
        echo(rng, 3, 2, delay=-1)


def test_adding(rng):
    for steps in (2, 3, 10, 11):
        inputs, targets = adding(rng, steps, 400, dtype=np.float64)
        numbers, marks = inputs[..., 0], inputs[..., 1]
        assert (marks.sum(axis=0) == 2).all()
        assert (marks[: steps // 2].sum(axis=0) == 1).all()
        assert_close(targets[:, 0], np.array([numbers[marks[:, b] == 1, b].sum() for b in range(400)]))
        places = np.argwhere(marks.T)[:, 1].reshape(-1, 2)
        assert set(places[:, 0]) == set(range(steps // 2))
        assert set(places[:, 1]) == set(range(steps // 2, steps))
    targets = adding(rng, 2, 100_000, dtype=np.float64)[1]
    assert np.mean((targets - 1) ** 2) == pytest.approx(1 / 6, rel=0.02)
    with refuses(ValueError, "adding: steps must be an integer from 2, received 1"):
        adding(rng, 1, 3)


@pytest.mark.parametrize(("delay", "symbols", "length"), [(1, 8, 10), (5, 2, 3), (30, 1, 1)])
def test_copy(delay, symbols, length, rng):
    inputs, targets = copy(rng, delay, 50, symbols=symbols, length=length)
    assert inputs.shape == (delay + 2 * length, 50, symbols + 2)
    assert (inputs.sum(axis=-1) == 1).all()
    read = inputs.argmax(axis=-1)
    assert set(np.unique(read[:length])) == set(range(1, symbols + 1))
    assert (read[length + delay - 1] == symbols + 1).all()
    assert (np.delete(read[length:], delay - 1, axis=0) == 0).all()
    np.testing.assert_array_equal(targets[-length:], read[:length])
    assert (targets[:-length] == 0).all()
    for name in ("delay", "symbols", "length"):
        with refuses(ValueError, f"copy: {name} must be an integer from 1, received 0"):
            copy(rng, **({"delay": 3, "batch": 2} | {name: 0}))


def test_parity(rng):
    inputs, targets = parity(rng, 9, 40)
    for b in range(40):
        odd = 0
        for t in range(9):
            odd ^= int(inputs[t, b, 0])
            assert targets[t, b] == odd


def test_reverse(rng):
    inputs, targets = reverse(rng, 6, 30, symbols=5)
    assert inputs.shape == (6, 30, 5)
    np.testing.assert_array_equal(inputs.argmax(axis=-1)[::-1], targets)
    assert set(np.unique(targets)) == set(range(5))


@pytest.mark.parametrize("embedded", [False, True])
def test_reber(embedded, rng):
    inputs, targets, lengths = reber(rng, 300, embedded=embedded)
    seen = set()
    for b, n in enumerate(lengths):
        assert (inputs[:n, b].sum(axis=-1) == 1).all()
        assert (inputs[n:, b] == 0).all()
        assert (targets[n:, b] == 0).all()
        letters = "".join(REBER[i] for i in inputs[:n, b].argmax(axis=-1)) + "E"
        assert is_reber(letters, embedded=embedded)
        seen.add(letters)
        for t in range(n):
            allowed = {REBER[i] for i in np.flatnonzero(targets[t, b])}
            assert letters[t + 1] in allowed
            assert allowed == FOLLOWERS[embedded].get(letters[: t + 1], allowed)
    assert len(seen) > 50
    again = reber(np.random.default_rng(0), 300, embedded=embedded)
    assert_close(again, reber(np.random.default_rng(0), 300, embedded=embedded), rtol=0, atol=0)
    assert reber(rng, 0, embedded=embedded)[0].shape == (0, 0, 7)


def strings(longest):
    """Every string of the grammar up to this length, from a description of its own: the paths of a graph as words."""
    graph = {"a": "Tb Pc", "b": "Sb Xd", "c": "Tc Ve", "d": "Xc S.", "e": "Pd V."}
    open_ends = [("B", "a")]
    while open_ends:
        word, node = open_ends.pop()
        for letter, after in graph[node].split():
            if after == ".":
                yield word + letter + "E"
            elif len(word) < longest:
                open_ends.append((word + letter, after))


def followers(words):
    """start → the letters that follow it in some word, for starts so short that no word was cut off before."""
    after = {}
    for word in words:
        for t in range(1, min(len(word), 12)):
            after.setdefault(word[:t], set()).add(word[t])
    return after


STRINGS = {False: list(strings(18))}
STRINGS[True] = [f"B{x}{word}{x}E" for word in STRINGS[False] for x in "TP"]
FOLLOWERS = {embedded: followers(words) for embedded, words in STRINGS.items()}


@pytest.mark.parametrize("letters", ["", "B", "BTXSE", "BPVVE", "BTSSXSE", "BTXSEE", "TXSE", "BTXS", "BTEBPVVETE"])
def test_is_reber(letters):
    assert is_reber(letters, embedded=False) == (letters in STRINGS[False])
    assert not is_reber(letters)


def test_is_reber_embedded():
    assert is_reber("BTBPVVETE")
    assert not is_reber("BTBPVVEPE")
    assert not is_reber("BSBPVVESE")


def test_mackey_glass(rng):
    """Against the same equation integrated with a step ten times smaller by Euler's method, and its known range."""
    inputs, targets = mackey_glass(rng, 500, 3, dtype=np.float64)
    assert_close(targets[:-1], inputs[1:], rtol=0, atol=0)
    assert 0.2 < inputs.min() < 0.6
    assert 1.2 < inputs.max() < 1.5
    start = np.random.default_rng(5).uniform(0.5, 1.5, 1)[0]
    short, _ = mackey_glass(np.random.default_rng(5), 20, 1, dtype=np.float64)
    n, lag = 1000, 17_000
    x = [start] * (lag + 1)
    for _ in range(320 * n):
        past = x[-lag - 1]
        x.append(x[-1] + (0.2 * past / (1 + past**10) - 0.1 * x[-1]) / n)
    assert_close(short[:, 0, 0], np.array(x[lag + 300 * n : lag + 320 * n : n]), rtol=2e-2, atol=0)


@pytest.mark.parametrize("delay", [0, -1, math.nan, "17", None])
def test_mackey_glass_refuses(delay, rng):
    with refuses(ValueError, "mackey_glass: delay must", f"received {delay!r}"):
        mackey_glass(rng, 3, 2, delay=delay)
