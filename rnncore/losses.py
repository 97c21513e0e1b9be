"""Losses. Each returns (loss, gradient of its first argument).

The gradient is that of the returned loss, which is a mean: nothing is left to divide by.
"""

from math import prod

from rnncore.backend import Array, array_namespace, check_array, check_floating, device, log_softmax

__all__ = ["mean_squared_error", "softmax_cross_entropy"]


def mean_squared_error(predictions: Array, targets: Array) -> tuple[Array, Array]:
    """Mean of (prediction - target)² over all N elements, whatever the axes; gradient 2 (prediction - target) / N.

    Shapes: predictions and targets (…), alike. Of nothing (N = 0) the loss is 0.
    """
    check_floating("mean_squared_error", "predictions", predictions)
    check_array("mean_squared_error", "targets", targets, tuple(predictions.shape), predictions)
    xp = array_namespace(predictions)
    difference = predictions - targets
    count = max(1, prod(difference.shape))
    return xp.sum(difference * difference) / count, 2 * difference / count


def softmax_cross_entropy(logits: Array, targets: Array) -> tuple[Array, Array]:
    """Mean over all N positions of -log p[target], p = softmax(logits), in nats; gradient (p - one_hot) / N.

    Shapes: logits (…, K), targets (…) of whole numbers 0 … K - 1; N is the number of targets (T·B for a sequence).
    Of nothing (N = 0) the loss is 0.

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
    classes = logits.shape[-1]
    count = prod(targets.shape)
    if count and not (int(xp.min(targets)) >= 0 and int(xp.max(targets)) < classes):
        low, high = int(xp.min(targets)), int(xp.max(targets))
        raise ValueError(f"{operation}: targets must lie in 0 … {classes - 1}, received {low} … {high}")
    hits = xp.arange(classes, device=device(logits)) == targets[..., None]
    one_hot = xp.astype(hits, logits.dtype)
    log_p = log_softmax(logits)
    count = max(1, count)
    return -xp.sum(xp.where(hits, log_p, xp.zeros_like(log_p))) / count, (xp.exp(log_p) - one_hot) / count
