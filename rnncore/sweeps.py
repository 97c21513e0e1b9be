"""Many trainings that differ in their seed and their learning rate: what a claim about training rests on."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rnncore import engines
from rnncore.backend import check_whole
from rnncore.optim import Diverged
from rnncore.training import step

__all__ = ["Sweep", "sweep"]


@dataclass(frozen=True)
class Sweep:
    """Trainings of R learning rates from S seeds.

    losses (R, S, steps): nan from where a run diverged. kept: by the number of steps, models[rate][seed] after so many
    steps; of a run that diverged the last model before.
    """

    rates: tuple[float, ...]
    seeds: tuple[int, ...]
    losses: np.ndarray
    kept: dict[int, list[list[Any]]]

    @property
    def models(self) -> list[list[Any]]:
        """models[rate][seed], at the end."""
        return self.kept[max(self.kept)]

    def scores(self, score: Callable[[Any], float]) -> np.ndarray:
        """`score(model)` of all models, (R, S); inf for a run that diverged."""
        found = np.array([[float(score(model)) for model in models] for models in self.models])
        return np.where(np.isnan(self.losses[..., -1:]).any(-1) | np.isnan(found), np.inf, found)

    def best(self, score: Callable[[Any], float]) -> tuple[float, list[Any], np.ndarray]:
        """The rate whose median score over the seeds is lowest (the smaller rate of two alike); its models and scores.

        To choose a rate is to train: what is then reported is to be measured on other data than `score` reads.
        """
        scores = self.scores(score)
        best = min(range(len(self.rates)), key=lambda i: (np.median(scores[i]), self.rates[i]))
        return self.rates[best], self.models[best], scores[best]


def sweep(
    make: Callable[[np.random.Generator], Any],
    loss: Callable[..., tuple[Any, Any]],
    batches: Callable[[np.random.Generator], tuple[Any, Any]],
    optimiser: Callable[[float], Any],
    *,
    rates: Sequence[float],
    seeds: int | Iterable[int],
    steps: int,
    clip: float | None = None,
    keep: Iterable[int] = (),
) -> Sweep:
    """Train from every seed with every learning rate. One run is, to rounding,

        rng = np.random.default_rng(seed)
        model, losses = fit(make(rng), loss, batches, optimiser(rate), steps=steps, rng=rng, clip=clip)

    so that all rates see the same start and the same batches. Under `rnncore.engine("xla")` all runs go side by side
    through one compiled program, as JAX arrays, many times faster; `loss` and the model must then be written against
    the array API, as all of `rnncore` is.

    Args:
        make: makes a model from a generator, of one form for all seeds.
        loss, batches, clip: as of `fit`. The batches of all steps are of one shape; lengths may differ.
        optimiser: makes an optimiser from a learning rate, such as `optim.Adam`.
        rates: learning rates.
        seeds: how many, 0 … seeds - 1; or which.
        steps: how many steps each run takes.
        keep: after how many steps the models are kept, too, beside those at the end.

    Raises:
        TypeError, ValueError: what `fit` refuses. A run that diverges is no error.
    """
    check_whole("sweep", "steps", steps, 1)
    chosen = tuple(range(check_whole("sweep", "seeds", seeds, 1)) if isinstance(seeds, int) else seeds)
    marks = {check_whole("sweep", "each of keep", k, 0) for k in keep} | {steps}
    if not chosen or not rates or max(marks) > steps:
        raise ValueError(
            f"sweep: wanted are seeds, rates, and steps to keep of at most {steps}, "
            f"received seeds {list(chosen)}, rates {list(rates)} and keep {sorted(marks)}"
        )
    optimisers = [optimiser(rate) for rate in rates]
    run = _one_by_one
    if engines.compiling():
        from rnncore.compiled_sweep import side_by_side as run
    losses, kept = run(make, loss, batches, optimisers, chosen, steps, clip, sorted(marks))
    return Sweep(tuple(map(float, rates)), chosen, losses, kept)


def _one_by_one(
    make: Any,
    loss: Any,
    batches: Any,
    optimisers: list[Any],
    seeds: tuple[int, ...],
    steps: int,
    clip: float | None,
    keep: list[int],
) -> tuple[np.ndarray, dict[int, list[list[Any]]]]:
    """Losses (R, S, steps) and kept models, one run after the other."""
    losses = np.full((len(optimisers), len(seeds), steps), np.nan)
    kept: dict[int, list[list[Any]]] = {k: [[] for _ in optimisers] for k in keep}
    for i, optimiser in enumerate(optimisers):
        for j, seed in enumerate(seeds):
            rng = np.random.default_rng(seed)
            model = make(rng)
            state, diverged = optimiser.init(model), False
            for t in range(steps + 1):
                if t in kept:
                    kept[t][i].append(model)
                if t < steps and not diverged:
                    try:  # numbers beyond the dtype are no surprise here
                        with np.errstate(over="ignore", invalid="ignore"):
                            losses[i, j, t], model, state = step(model, state, loss, batches, optimiser, rng, clip)
                    except Diverged:
                        diverged = True
    return losses, kept
