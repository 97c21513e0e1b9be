"""How long can they remember? The latch task at lags of 8, 16, 32, … until a network no longer learns it: `make lags`.

For each network, lag and learning rate: ten starts, side by side in one compiled program (`rnncore.sweep`). A start has
learnt when 20 successive batches, all of them new, cost less than 0.05 on average. A rate at which none of the ten
learns climbs no further, and beyond a lag of 256 only the best rate of the rung before does. Results are kept in
`benchmarks/results/lags-….json`, and gone on with from there.
"""

import statistics
from dataclasses import replace
from functools import partial

import numpy as np
import runs

from rnncore import CELLS, Dense, ManyToOne, engine, init, losses, optim, sweep, tasks

SETTINGS = {
    "hidden": 16,
    "updates": 1000,
    "batch": 32,
    "clip": 1.0,
    "rates": (0.03, 0.01, 0.003, 0.001),
    "seeds": 10,
    "longest": 1024,
    "all rates": 256,  # the longest lag at which each rate is tried
    "learnt": (20, 0.05),  # so many batches, their mean loss
}
NETWORKS = {  # name → cell, options of its init, how it is changed at the start
    "tanh, uniform": ("Elman", {}, "uniform"),
    "ReLU, uniform": ("Elman", {"activation": "relu"}, "uniform"),
    "tanh, orthogonal": ("Elman", {}, ""),
    "ReLU, orthogonal": ("Elman", {"activation": "relu"}, ""),
    "IRNN": ("IRNN", {}, ""),
    "LSTM, forget bias 0": ("LSTM", {"forget_bias": 0.0}, ""),
    "LSTM, forget bias 1": ("LSTM", {}, ""),
    "LSTM, chrono": ("LSTM", {}, "chrono"),
    "GRU": ("GRU", {}, ""),
}


def built(rng: np.random.Generator, name: str, hidden: int, lag: int) -> ManyToOne:
    """A new network: as `init` makes it; with all weights uniform within 1 / √H, as torch starts; or with chrono
    initialisation, its gates open for times of up to the lag."""
    kind, options, start = NETWORKS[name]
    cell = CELLS[kind].init(rng, 2, hidden, **options)
    if start == "uniform":
        bound = 1 / np.sqrt(hidden)
        drawn = {part: init.uniform(rng, -bound, bound, *getattr(cell, part).shape) for part in "WUb"}
        cell = replace(cell, **drawn)
    if start == "chrono":
        keep = init.chrono(rng, hidden, lag + 1)
        cell = replace(cell, b=np.concatenate([-keep, keep, cell.b[2 * hidden :]]))  # i f g o
    return ManyToOne(cell, Dense.init(rng, hidden, 2))


def updates_needed(settings: dict, name: str, lag: int, rate: float) -> list[int | None]:
    """Of each start: the updates until it has learnt; None where they do not suffice."""
    needed: list[int | None] = []
    for updates in (settings["updates"] // 4, settings["updates"]):  # the second begins as the first, which often does
        with engine("xla", after=0):
            found = sweep(
                partial(built, name=name, hidden=settings["hidden"], lag=lag),
                losses.softmax_cross_entropy,
                partial(tasks.latch, steps=lag + 1, batch=settings["batch"]),
                optim.Adam,
                rates=[rate],
                seeds=settings["seeds"],
                steps=updates,
                clip=settings["clip"],
            )
        needed = [learnt(history, *settings["learnt"]) for history in found.losses[0]]
        if all(needed):
            break
    return needed


def learnt(history: np.ndarray, batches: int, below: float) -> int | None:
    """After how many updates the mean loss of so many successive batches was below a bound for the first time."""
    means = np.convolve(history, np.full(batches, 1 / batches), "valid")
    first = np.flatnonzero(means < below)
    return int(first[0]) + batches if first.size else None


def run(settings: dict, run: runs.Run) -> dict:
    """One ladder, up to the first lag that no start learnt at any rate: by lag and rate the updates of each start."""
    tried: dict[str, dict[str, list[int | None]]] = {}
    rates, lag = list(settings["rates"]), 8
    while rates and lag <= settings["longest"]:
        found = {rate: updates_needed(settings, run["network"], lag, rate) for rate in rates}
        tried[str(lag)] = {str(rate): updates for rate, updates in found.items()}
        rates = [rate for rate in rates if any(found[rate])]
        if lag >= settings["all rates"] and rates:
            rates = [best(found)[0]]
        lag *= 2
    return run | {"updates": tried}


def best(found: dict[float, list[int | None]]) -> tuple[float, list[int | None]]:
    """The learning rate at which most starts learn (then the one that takes fewer updates at the median, then the
    smaller one), and the updates of each start."""

    def cost(rate: float) -> tuple[int, float, float]:
        needed = [updates for updates in found[rate] if updates]
        return -len(needed), statistics.median(needed) if needed else 0.0, rate

    rate = min(found, key=cost)
    return rate, found[rate]


def table(document: dict) -> str:
    """One row a network: by lag how many of the starts learnt, at the best rate."""
    settings, lags = document["settings"], [8]
    while lags[-1] < settings["longest"]:
        lags.append(2 * lags[-1])
    text = (
        f"# How long they remember\n\n{runs.measured_on(document)} Latch task, {settings['hidden']} hidden units, at "
        f"most {settings['updates']} updates of Adam: how many of {settings['seeds']} starts learn, at the best of the "
        f"rates {', '.join(map(str, settings['rates']))} (in parentheses).\n\n"
        f"| network | {' | '.join(map(str, lags))} |\n|:--|{'--:|' * len(lags)}\n"
    )
    for result in document["results"]:
        entries = []
        for lag in lags:
            if found := result["updates"].get(str(lag)):
                rate, updates = best({float(rate): updates for rate, updates in found.items()})
                entries.append(f"{sum(map(bool, updates))} ({rate:g})")
        text += f"| {result['network']} | {' | '.join(entries + [''] * (len(lags) - len(entries)))} |\n"
    return text


def main() -> None:
    """Measure what is not measured yet."""
    arguments = runs.options(__doc__).parse_args()
    order = [{"network": name} for name in NETWORKS]
    print(table(runs.measure("lags", SETTINGS, order, order, run, table, arguments.j)))


if __name__ == "__main__":
    main()
