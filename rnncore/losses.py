"""Losses. Each returns (loss, gradient of its first argument).

The gradient is that of the returned loss, which is a mean: nothing is left to divide by. With a `mask` it is the mean
over the places where the mask is true: the others have no part in the loss, nor in the number that it is divided by,
and bear no gradient, whatever stands there. For sequences of several lengths the mask is (T, B), made by `valid`.
"""

from collections.abc import Iterable
from math import prod
from typing import Any

from rnncore.backend import (
    Array,
    array_namespace,
    check_array,
    check_floating,
    check_within,
    device,
    log_softmax,
    sigmoid,
    traced,
)
from rnncore.recurrence import valid_steps

__all__ = ["binary_cross_entropy", "mean_squared_error", "softmax_cross_entropy", "valid"]


def mean_squared_error(predictions: Array, targets: Array, mask: Array | None = None) -> tuple[Array, Array]:
    """Mean of (prediction - target)² over all N elements, whatever the axes; gradient 2 (prediction - target) / N.

    Shapes: predictions and targets (…), alike; mask: their leading axes. Of nothing (N = 0) the loss is 0.
    """
    operation = "mean_squared_error"
    check_floating(operation, "predictions", predictions)
    check_array(operation, "targets", targets, tuple(predictions.shape), predictions)
    xp = array_namespace(predictions)
    counted, count = _counted(operation, mask, predictions, tuple(predictions.shape))
    if counted is not None:
        predictions, targets = (xp.where(counted, a, xp.zeros_like(a)) for a in (predictions, targets))
    difference = predictions - targets
    return xp.sum(difference * difference) / count, 2 * difference / count


def softmax_cross_entropy(logits: Array, targets: Array, mask: Array | None = None) -> tuple[Array, Array]:
    """Mean over all N positions of -log p[target], p = softmax(logits), in nats; gradient (p - one_hot) / N.

    Shapes: logits (…, K), targets (…) of whole numbers 0 … K - 1; N is the number of targets (T·B for a sequence).
    mask: leading axes of the targets; where it is false a target may be any number. Of nothing (N = 0) the loss is 0.

    Raises:
        TypeError: logits are not floating-point or targets not whole numbers; arrays of two libraries, or none.
        ValueError: shapes that do not fit, or a class outside 0 … K - 1.
    """
    operation = "softmax_cross_entropy"
    check_floating(operation, "logits", logits)
    try:
        xp = array_namespace(logits, targets)
    except TypeError as error:
        raise TypeError(f"{operation}: {error}") from None
    if len(logits.shape) < 1 or tuple(targets.shape) != tuple(logits.shape[:-1]):
        raise ValueError(
            f"{operation}: targets must have the shape of logits without its last axis, "
            f"received logits {tuple(logits.shape)} and targets {tuple(targets.shape)}"
        )
    if not xp.isdtype(targets.dtype, "integral"):
        raise TypeError(f"{operation}: targets must be whole numbers, received dtype {targets.dtype}")
    counted, count = _counted(operation, mask, logits, tuple(targets.shape))
    if counted is not None:
        targets = xp.where(counted, targets, xp.zeros_like(targets))
        logits = xp.where(counted[..., None], logits, xp.zeros_like(logits))
    classes = logits.shape[-1]
    check_within(operation, "targets", targets, classes)
    hits = xp.arange(classes, device=device(logits)) == targets[..., None]
    one_hot = xp.astype(hits, logits.dtype)
    log_p = log_softmax(logits)
    loss, slope = xp.where(hits, log_p, xp.zeros_like(log_p)), xp.exp(log_p) - one_hot
    if counted is not None:
        loss, slope = (xp.where(counted[..., None], a, xp.zeros_like(a)) for a in (loss, slope))
    return -xp.sum(loss) / count, slope / count


def binary_cross_entropy(logits: Array, targets: Array, mask: Array | None = None) -> tuple[Array, Array]:
    """Mean over all N elements of -t log p - (1 - t) log(1 - p), p = σ(logit), in nats; gradient (p - t) / N.

    Computed as max(z, 0) - z t + log(1 + e^-|z|) from the logit z: no overflow, and no log of 0.

    Shapes: logits and targets (…), alike, targets in [0, 1]; mask: their leading axes. Of nothing (N = 0) the loss is
    0.
    """
    operation = "binary_cross_entropy"
    check_floating(operation, "logits", logits)
    check_array(operation, "targets", targets, tuple(logits.shape), logits)
    xp = array_namespace(logits)
    zeros = xp.zeros_like(logits)
    counted, count = _counted(operation, mask, logits, tuple(logits.shape))
    if counted is not None:
        logits, targets = (xp.where(counted, a, zeros) for a in (logits, targets))
    if not traced(targets) and not bool(xp.all((targets >= 0) & (targets <= 1))):
        raise ValueError(f"{operation}: targets must lie in [0, 1]")
    loss = xp.where(logits > 0, logits, zeros) - logits * targets + xp.log1p(xp.exp(-xp.abs(logits)))
    slope = sigmoid(logits) - targets
    if counted is not None:
        loss, slope = (xp.where(counted, a, zeros) for a in (loss, slope))
    return xp.sum(loss) / count, slope / count


def valid(lengths: Iterable[int], steps: int, like: Array) -> Array:
    """The mask (T, B) of the steps that belong to a sequence: t < lengths[b]; of the library and device of `like`."""
    known: Any = lengths if hasattr(lengths, "shape") else list(lengths)
    return valid_steps("valid", known, steps, len(known), like)


def _counted(operation: str, mask: Array | None, like: Array, shape: tuple[int, ...]) -> tuple[Array | None, Any]:
    """The mask, of so many axes as `shape`, None for all; and how many elements of `shape` it counts, at least 1."""
    if mask is None:
        return None, max(1, prod(shape))
    try:
        xp = array_namespace(mask, like)
    except TypeError as error:
        raise TypeError(f"{operation}: mask: {error}") from None
    if not xp.isdtype(mask.dtype, "bool"):
        raise TypeError(f"{operation}: mask must hold truth values, received dtype {mask.dtype}")
    axes = len(mask.shape)
    if tuple(mask.shape) != shape[:axes]:
        raise ValueError(f"{operation}: mask must have leading axes of {shape}, received {tuple(mask.shape)}")
    counted = xp.reshape(mask, (*mask.shape, *(1,) * (len(shape) - axes)))
    count = xp.count_nonzero(mask) * prod(shape[axes:])
    return counted, xp.where(count > 0, count, 1) if traced(mask) else max(1, int(count))
