"""Batch normalisation in recurrent networks (Laurent et al. 2015, Cooijmans et al. 2016)."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np

from rnncore import tree
from rnncore.backend import (
    Array,
    array_namespace,
    check_array,
    check_dtype,
    check_finite,
    check_floating,
    check_whole,
    concat,
    take_rows,
    traced,
)
from rnncore.layers.layer import check_rng, zero_padding
from rnncore.normalisation import check_epsilon
from rnncore.recurrence import check_lengths, valid_steps

__all__ = ["BatchNorm"]


@dataclass(frozen=True, eq=False)
class BatchNorm:
    """Each unit is shifted and scaled to mean 0 and variance 1 over the batch; then gain and bias.

        y = g ⊙ (x - μ) / √(σ² + ε) + b

    Shapes: x and y (T, B, D), gain g and bias b (D,).

    In training (with `rng`, from which nothing is drawn) μ and σ² are mean and variance of x over the valid steps of
    the batch; padding has no part in them. There are two ways to count, told by the shape of `mean` and `variance`:

    - (D,), sequence-wise (Laurent): over all valid steps of all sequences together. Without `lengths` this is
      torch.nn.BatchNorm1d on the T·B rows.
    - (S, D), per step (Cooijmans): for each of the first S steps its own, over the sequences that are still running. In
      training no sequence may be longer than S; in evaluation later steps use the statistics of the last.

    In evaluation they are the running averages `mean` and `variance`, which move by the fraction `momentum` with every
    batch in training, the variance unbiased, as in torch. They are fixed arrays, and no layer is ever changed: **the
    gradient that `backward` returns holds the new ones**, as its own fixed arrays. `tree.with_fixed_of(layer, grads)`
    is the layer with them, be it alone or deep in a model; `rnncore.training.fit` does that after each update.

    Papers: S. Ioffe, C. Szegedy, Batch normalization, arXiv:1502.03167, 2015; C. Laurent et al., Batch normalized
    recurrent neural networks, arXiv:1510.01378, 2015; T. Cooijmans et al., Recurrent batch normalization,
    arXiv:1603.09025, 2016.
    """

    gain: Array
    bias: Array
    mean: Array = tree.fixed()
    variance: Array = tree.fixed()
    momentum: float = tree.static(default=0.1)
    epsilon: float = tree.static(default=1e-5)

    @classmethod
    def init(
        cls,
        size: int,
        steps: int | None = None,
        *,
        gain: float = 1.0,
        momentum: float = 0.1,
        epsilon: float = 1e-5,
        dtype: Any = np.float32,
    ) -> Self:
        """Bias zero, running mean 0 and variance 1; statistics per step for `steps` steps, or sequence-wise.

        Cooijmans et al. start from a gain of 0.1, so that tanh is not saturated.
        """
        check_whole("BatchNorm", "size", size, 1)
        check_dtype("BatchNorm", dtype)
        shape = (size,) if steps is None else (check_whole("BatchNorm", "steps", steps, 1), size)
        gains = np.full(size, check_finite("BatchNorm", "gain", gain), dtype=dtype)
        return cls(gains, 0 * gains, np.zeros(shape, dtype), np.ones(shape, dtype), momentum, epsilon)

    def __post_init__(self) -> None:
        check_floating("BatchNorm", "gain", self.gain)
        check_array("BatchNorm", "gain", self.gain, ("D",), self.gain)
        check_array("BatchNorm", "bias", self.bias, tuple(self.gain.shape), self.gain)
        leading = ("S",) if len(getattr(self.mean, "shape", ())) == 2 else ()
        check_array("BatchNorm", "mean", self.mean, (*leading, *self.gain.shape), self.gain)
        check_array("BatchNorm", "variance", self.variance, tuple(self.mean.shape), self.gain)
        check_epsilon("BatchNorm", self.epsilon)
        if not 0 <= check_finite("BatchNorm", "momentum", self.momentum) <= 1:
            raise ValueError(f"BatchNorm: momentum must lie in [0, 1], received {self.momentum!r}")

    def forward(
        self, xs: Array, lengths: Iterable[int] | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Array, Any]:
        """xs (T, B, D) → ys (T, B, D), zeros in the padding, and a cache for `backward`."""
        operation = "BatchNorm.forward"
        check_array(operation, "xs", xs, ("T", "B", *self.gain.shape), self.gain)
        check_rng(operation, rng)
        xp = array_namespace(xs)
        valid = None
        if lengths is not None:
            lengths = check_lengths(operation, lengths, *xs.shape[:2])
            valid = valid_steps(operation, lengths, xs.shape[0], xs.shape[1], xs)
        xs = zero_padding(xs, valid)
        if rng is None:
            mean, variance, count = self._at(self.mean, xs.shape[0]), self._at(self.variance, xs.shape[0]), None
            moved = (self.mean, self.variance)
        else:
            known = lengths is not None and not traced(lengths)
            longest = int(np.max(cast(Any, lengths), initial=0)) if known else xs.shape[0]
            if self._per_step and longest > (steps := self.mean.shape[0]):
                raise ValueError(f"{operation}: there are statistics for {steps} steps, received {longest}")
            ones = xp.ones_like(xs[..., :1])
            count = xp.sum(zero_padding(ones, valid), axis=self._axes, keepdims=True)
            least = xp.where(count > 0, count, xp.ones_like(count))
            mean = xp.sum(xs, axis=self._axes, keepdims=True) / least
            centred = zero_padding(xs - mean, valid)
            variance = xp.sum(centred * centred, axis=self._axes, keepdims=True) / least
            moved = (
                self._moved(self.mean, mean, count > 0),
                self._moved(self.variance, variance * least / xp.where(count > 1, count - 1, least), count > 1),
            )
            count = least
        scale = 1 / xp.sqrt(variance + self.epsilon)
        normal = zero_padding((xs - mean) * scale, valid)
        return zero_padding(self.gain * normal + self.bias, valid), (normal, scale, count, valid, moved)

    def backward(self, dys: Array, cache: Any) -> tuple[Array, Self]:
        """Gradients of the input and of the parameters; the latter's fixed arrays are the new running averages."""
        if not isinstance(cache, tuple) or len(cache) != 5:
            raise TypeError(f"BatchNorm.backward: cache must be what forward returned last, received a {type(cache)}")
        normal, scale, count, valid, moved = cache
        check_array("BatchNorm.backward", "dys", dys, tuple(normal.shape), self.gain)
        xp, dys = array_namespace(dys), zero_padding(dys, valid)
        d = dys * self.gain
        if count is not None:  # x takes part in mean and variance
            along = normal * xp.sum(d * normal, axis=self._axes, keepdims=True)
            d = d - (xp.sum(d, axis=self._axes, keepdims=True) + along) / count
        dgain, dbias = xp.sum(dys * normal, axis=(0, 1)), xp.sum(dys, axis=(0, 1))
        mean, variance = moved
        return zero_padding(d * scale, valid), type(self)(dgain, dbias, mean, variance, self.momentum, self.epsilon)

    @property
    def _per_step(self) -> bool:
        return len(self.mean.shape) == 2

    @property
    def _axes(self) -> tuple[int, ...]:
        """What the statistics are taken over: the batch, and all steps unless per step."""
        return (1,) if self._per_step else (0, 1)

    def _at(self, statistic: Array, steps: int) -> Array:
        """A running average as it applies to steps 0 … steps - 1: (1, 1, D) or (T, 1, D)."""
        if not self._per_step:
            return statistic[None, None]
        return take_rows(statistic, np.minimum(np.arange(steps), statistic.shape[0] - 1))[:, None]

    def _moved(self, running: Array, found: Array, known: Array) -> Array:
        """A running average after a batch's statistic (1, 1, D) or (T, 1, D), where that is `known`."""
        old, momentum = self._at(running, found.shape[0]), float(self.momentum)
        new = array_namespace(running).where(known, (1 - momentum) * old + momentum * found, old)
        if not self._per_step:
            return new[0, 0]
        return concat(new[: running.shape[0], 0], running[found.shape[0] :], axis=0)
