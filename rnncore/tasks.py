"""Synthetic tasks, drawn from a seeded generator: each returns (inputs, targets), time-major.

Tasks with sequences of unequal length return the lengths as well; there padding is zeros.
"""

from typing import Any

import numpy as np

from rnncore.backend import check_dtype, check_finite, check_whole

__all__ = ["REBER", "adding", "copy", "echo", "is_reber", "latch", "mackey_glass", "parity", "reber", "reverse", "sine"]

REBER = "BTSXPVE"
"""The seven letters of Reber's grammar; a letter's place is its class and the place of its 1 in the inputs."""

_GRAMMAR = {  # state → (letter, next state), each with equal chance
    0: (("B", 1),),
    1: (("T", 2), ("P", 3)),
    2: (("S", 2), ("X", 4)),
    3: (("T", 3), ("V", 5)),
    4: (("X", 3), ("S", 6)),
    5: (("P", 4), ("V", 6)),
    6: (("E", 7),),
}
_END = 7


def sine(
    rng: np.random.Generator, steps: int, batch: int, *, period: float = 20.0, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the next value of a sine whose phase is drawn anew for each sequence.

    Shapes: inputs and targets (T, B, 1); inputs[t] = sin(2π t / period + phase), targets[t] = inputs[t + 1].
    One value does not tell whether the curve rises or falls; two do.
    """
    _check("sine", rng, dtype, steps=steps, batch=batch)
    if not (period > 0 and np.isfinite(period)):
        raise ValueError(f"sine: period must be a positive number of steps, received {period}")
    phase = rng.uniform(0, 2 * np.pi, batch)
    curve = np.sin(2 * np.pi * np.arange(steps + 1)[:, None] / period + phase).astype(dtype)[..., None]
    return curve[:-1], curve[1:].copy()  # so that a change of the one is none of the other


def echo(
    rng: np.random.Generator, steps: int, batch: int, *, delay: int, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Say each bit again `delay` steps later.

    Shapes: inputs (T, B, 1), each 0 or 1 with equal chance; targets (T, B), whole numbers:
    targets[t] = inputs[t - delay], and 0 for t < delay.
    """
    _check("echo", rng, dtype, steps=steps, batch=batch, delay=delay)
    bits = rng.integers(0, 2, (steps, batch))
    targets = np.zeros_like(bits)
    targets[delay:] = bits[: max(0, steps - delay)]
    return bits.astype(dtype)[..., None], targets


def latch(
    rng: np.random.Generator, steps: int, batch: int, *, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Say at the end which of two symbols came first; between them there is noise.

    Shapes: inputs (T, B, 2): the symbol, -1 or 1 with equal chance, at the first step and 0 after it; and noise, 0 at
    the first step and standard normal after it; targets (B,), 0 for -1 and 1 for 1. T must be 1 at least.

    Paper: Y. Bengio, P. Simard, P. Frasconi, Learning long-term dependencies with gradient descent is difficult, 1994
    (there with other inputs).
    """
    _check("latch", rng, dtype, steps=steps, batch=batch)
    check_whole("latch", "steps", steps, 1)
    symbols, inputs = rng.integers(0, 2, batch), np.zeros((steps, batch, 2), dtype=dtype)
    inputs[0, :, 0], inputs[1:, :, 1] = 2 * symbols - 1, rng.standard_normal((steps - 1, batch))
    return inputs, symbols


def adding(
    rng: np.random.Generator, steps: int, batch: int, *, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Add two marked numbers far apart.

    Shapes: inputs (T, B, 2): a number, uniform in [0, 1), and a mark; targets (B, 1): the sum of the two numbers with
    mark 1, one of them in the first half of the sequence and one in the second. To say 1 always gives a mean squared
    error of 1/6, the variance of the sum. T must be 2 at least.

    Paper: S. Hochreiter, J. Schmidhuber, Long short-term memory, 1997 (there in another dress); Q. V. Le et al., 2015.
    """
    _check("adding", rng, dtype, steps=steps, batch=batch)
    check_whole("adding", "steps", steps, 2)
    numbers, marks = rng.uniform(0, 1, (steps, batch)), np.zeros((steps, batch))
    half, columns = steps // 2, np.arange(batch)
    marks[rng.integers(0, half, batch), columns] = 1
    marks[rng.integers(half, steps, batch), columns] = 1
    inputs = np.stack([numbers, marks], axis=-1).astype(dtype)
    return inputs, np.sum(inputs[..., 0] * inputs[..., 1], axis=0)[:, None]


def copy(
    rng: np.random.Generator, delay: int, batch: int, *, symbols: int = 8, length: int = 10, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Read `length` symbols, wait, and say them again when asked to.

    Shapes: inputs (T, B, symbols + 2), one-hot, with T = delay + 2·length: the symbols 1 … `symbols`, then blanks (0),
    then, `delay` steps after the last symbol, one signal (`symbols` + 1) and blanks; targets (T, B), whole numbers:
    blank but for the last `length` steps, which hold the symbols in their order. `delay` is 1 at least.

    Paper: M. Arjovsky, A. Shah, Y. Bengio, Unitary evolution recurrent neural networks, 2016.
    """
    _check("copy", rng, dtype, delay=delay, batch=batch)
    for name, value in (("delay", delay), ("symbols", symbols), ("length", length)):
        check_whole("copy", name, value, 1)
    said = rng.integers(1, symbols + 1, (length, batch))
    read = np.zeros((delay + 2 * length, batch), dtype=said.dtype)
    targets = np.zeros_like(read)
    read[:length], read[length + delay - 1], targets[-length:] = said, symbols + 1, said
    return np.eye(symbols + 2, dtype=dtype)[read], targets


def parity(
    rng: np.random.Generator, steps: int, batch: int, *, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Say after each bit whether the number of ones so far is odd.

    Shapes: inputs (T, B, 1), each 0 or 1 with equal chance; targets (T, B), 0 or 1: the sum of the bits so far mod 2.
    Every bit turns the answer, so nothing may be forgotten.
    """
    _check("parity", rng, dtype, steps=steps, batch=batch)
    bits = rng.integers(0, 2, (steps, batch))
    return bits.astype(dtype)[..., None], np.cumsum(bits, axis=0) % 2


def reverse(
    rng: np.random.Generator, steps: int, batch: int, *, symbols: int = 8, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Read a sequence of symbols to its end; the answer is the same sequence from its end.

    Shapes: inputs (T, B, symbols), one-hot; targets (T, B), whole numbers 0 … symbols - 1: targets[t] is the symbol of
    step T - 1 - t. The task of an encoder and a decoder, since no answer is known before its end.
    """
    _check("reverse", rng, dtype, steps=steps, batch=batch)
    check_whole("reverse", "symbols", symbols, 1)
    read = rng.integers(0, symbols, (steps, batch))
    return np.eye(symbols, dtype=dtype)[read], read[::-1].copy()


def reber(
    rng: np.random.Generator, batch: int, *, embedded: bool = True, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predict which letters may follow in strings of Reber's grammar.

    Shapes: inputs (T, B, 7), the letters of `REBER` one-hot; targets (T, B, 7), 1 for each letter that the grammar
    allows next; lengths (B,). The last letter of a string is no input, since nothing follows.

    `embedded` strings are B, then T or P, a string of the grammar, the same T or P again, E: the letter before last is
    told only by the second one, however long the string between.

    Papers: A. S. Reber, Implicit learning of artificial grammars, 1967; S. Hochreiter, J. Schmidhuber, 1997.
    """
    _check("reber", rng, dtype, batch=batch)
    strings = [_embedded(rng) if embedded else _string(rng) for _ in range(batch)]
    lengths = np.array([len(letters) - 1 for letters, _ in strings], dtype=np.int64)
    shape = (int(lengths.max(initial=0)), batch, len(REBER))
    inputs, targets = np.zeros(shape, dtype=dtype), np.zeros(shape, dtype=dtype)
    for b, (letters, allowed) in enumerate(strings):
        for t in range(len(letters) - 1):
            inputs[t, b, REBER.index(letters[t])] = 1
            for letter in allowed[t + 1]:
                targets[t, b, REBER.index(letter)] = 1
    return inputs, targets, lengths


def is_reber(letters: str, *, embedded: bool = True) -> bool:
    """Is this a string of Reber's grammar?"""
    if embedded:
        framed = len(letters) >= 4 and letters[0] == "B" and letters[-1] == "E" and letters[1] == letters[-2]
        return framed and letters[1] in "TP" and is_reber(letters[2:-2], embedded=False)
    state = 0
    for letter in letters:
        state = dict(_GRAMMAR.get(state, ())).get(letter, -1)
    return state == _END


def mackey_glass(
    rng: np.random.Generator, steps: int, batch: int, *, delay: float = 17.0, dtype: Any = np.float32
) -> tuple[np.ndarray, np.ndarray]:
    """Predict the next value of a chaotic series, one unit of time further on.

        dx/dt = 0.2 x(t - delay) / (1 + x(t - delay)¹⁰) - 0.1 x(t)

    Shapes: inputs and targets (T, B, 1), targets[t] = inputs[t + 1]. Each sequence starts from a past of its own,
    drawn from [0.5, 1.5] and constant, and its first 300 units of time are dropped. Integrated by the fourth-order
    Runge-Kutta method with step 1/10, the delayed value half-way taken as the mean of its neighbours. Chaotic from a
    delay of 17.

    Paper: M. C. Mackey, L. Glass, Oscillation and chaos in physiological control systems, 1977.
    """
    _check("mackey_glass", rng, dtype, steps=steps, batch=batch)
    check_finite("mackey_glass", "delay", delay, 0.1)
    per_unit, dropped, step = 10, 300, 0.1
    lag = round(delay * per_unit)
    x = np.empty((lag + 1 + (dropped + steps) * per_unit, batch))
    x[: lag + 1] = rng.uniform(0.5, 1.5, batch)

    def slope(now: np.ndarray, past: np.ndarray) -> np.ndarray:
        return np.asarray(0.2 * past / (1 + past**10) - 0.1 * now)

    for t in range(lag, len(x) - 1):
        past, ahead = x[t - lag], x[t - lag + 1]
        between = (past + ahead) / 2
        k1 = slope(x[t], past)
        k2 = slope(x[t] + step / 2 * k1, between)
        k3 = slope(x[t] + step / 2 * k2, between)
        k4 = slope(x[t] + step * k3, ahead)
        x[t + 1] = x[t] + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
    curve = x[lag + dropped * per_unit :: per_unit].astype(dtype)[..., None]
    return curve[:-1], curve[1:].copy()


def _string(rng: np.random.Generator) -> tuple[str, list[str]]:
    """A string of the grammar, and for each of its letters those that could have stood there."""
    letters, allowed, state = "", [], 0
    while state != _END:
        choices = _GRAMMAR[state]
        letter, state = choices[int(rng.integers(len(choices)))]
        letters += letter
        allowed.append("".join(choice for choice, _ in choices))
    return letters, allowed


def _embedded(rng: np.random.Generator) -> tuple[str, list[str]]:
    letters, allowed = _string(rng)
    branch = "TP"[int(rng.integers(2))]
    return f"B{branch}{letters}{branch}E", ["B", "TP", *allowed, branch, "E"]


def _check(operation: str, rng: Any, dtype: Any, **sizes: int) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{operation}: rng must be a np.random.Generator, received a {type(rng).__name__}")
    check_dtype(operation, dtype)
    for name, size in sizes.items():
        check_whole(operation, name, size, 0)
