"""Synthetic tasks, drawn from a seeded generator: each returns (inputs, targets), time-major."""

from typing import Any

import numpy as np

from rnncore.backend import check_dtype, check_whole

__all__ = ["echo", "sine"]


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


def _check(operation: str, rng: Any, dtype: Any, **sizes: int) -> None:
    if not isinstance(rng, np.random.Generator):
        raise TypeError(f"{operation}: rng must be a np.random.Generator, received a {type(rng).__name__}")
    check_dtype(operation, dtype)
    for name, size in sizes.items():
        check_whole(operation, name, size, 0)
