"""How long can they remember? The latch task at lags of 8, 16, 32, … until a network no longer learns it: `make lags`.

For each network and learning rate: ten starts a lag, side by side in one compiled program (`rnncore.sweep`), until none
of the ten learns within the updates; then the ladder ends. A start has learnt when 20 successive batches, all of them
new, cost less than 0.05 on average. Results are kept in `benchmarks/results/lags-….json`, and gone on with from there.
"""

import statistics
from dataclasses import replace
from functools import partial

import numpy as np
import runs

from rnncore import CELLS, Dense, ManyToOne, engine, init, losses, optim, sweep, tasks

SETTINGS = {"hidden": 16, "updates": 1000, "batch": 32, "clip": 1.0, "seeds": 10, "longest": 1024, "learnt": [20, 0.05]}
RATES = (0.03, 0.01, 0.003, 0.001)
NETWORKS = {  # name → cell, options of its init, how it is changed at the start
    "tanh, uniform": ("Elman", {}, "uniform"),
    "ReLU, uniform": ("Elman", {"activation": "relu"}, "uniform"),
    "tanh, orthogonal": ("Elman", {}, ""),
    "ReLU, orthogonal": ("Elman", {"activation": "relu"}, ""),
    "IRNN": ("IRNN", {}, ""),
    "LSTM, forget bias 0": ("LSTM", {"forget_bias": 0.0}, ""),
    "LSTM, forget bias 1": ("LSTM", {}, ""),
    "LSTM, chrono": ("LSTM", {}, "chrono"),
    "LSTM of 1997": ("LSTM1997", {}, ""),
    "GRU": ("GRU", {}, ""),
    "GRU, chrono": ("GRU", {}, "chrono"),
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
        b, keep = cell.b.copy(), init.chrono(rng, hidden, lag + 1)
        b[hidden : 2 * hidden] = keep  # f of the LSTM, z of the GRU
        if kind == "LSTM":
            b[:hidden] = -keep
        cell = replace(cell, b=b)
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
    """One ladder: the updates of each start at each lag, up to the first lag that none of them learnt."""
    needed: dict[str, list[int | None]] = {}
    lag = 8
    while lag <= settings["longest"]:
        needed[str(lag)] = updates_needed(settings, run["network"], lag, run["rate"])
        if not any(needed[str(lag)]):
            break
        lag *= 2
    return run | {"updates": needed}


def best(results: list[dict], network: str) -> dict[int, tuple[float, list[int | None]]]:
    """By lag: the learning rate at which most starts learn (then the one that takes fewer updates at the median, then
    the smaller one), and the updates of each start."""
    tried: dict[int, list[tuple[float, list[int | None]]]] = {}
    for result in results:
        if result["network"] == network:
            for lag, updates in result["updates"].items():
                tried.setdefault(int(lag), []).append((result["rate"], updates))
    return {lag: min(found, key=_cost) for lag, found in sorted(tried.items())}


def _cost(found: tuple[float, list[int | None]]) -> tuple[int, float, float]:
    rate, needed = found[0], [updates for updates in found[1] if updates]
    return -len(needed), statistics.median(needed) if needed else 0.0, rate


def table(document: dict) -> str:
    """One row a network: by lag how many of the starts learnt, at the best rate."""
    settings, lags = document["settings"], [8]
    while lags[-1] < settings["longest"]:
        lags.append(2 * lags[-1])
    text = (
        f"# How long they remember\n\n{runs.measured_on(document)} Latch task, {settings['hidden']} hidden units, at "
        f"most {settings['updates']} updates of Adam at the best of the rates {RATES} for each lag: how many of "
        f"{settings['seeds']} starts learn, and the rate.\n\n"
        f"| network | {' | '.join(map(str, lags))} |\n|:--|{'--:|' * len(lags)}\n"
    )
    for network in NETWORKS:
        if found := best(document["results"], network):
            entries = (f"{sum(map(bool, found[lag][1]))} ({found[lag][0]:g})" if lag in found else "" for lag in lags)
            text += f"| {network} | {' | '.join(entries)} |\n"
    return text


def main() -> None:
    """Measure what is not measured yet."""
    arguments = runs.options(__doc__).parse_args()
    order = [{"network": name, "rate": rate} for rate in RATES for name in NETWORKS]
    print(table(runs.measure("lags", SETTINGS, order, order, run, table, arguments.j)))


if __name__ == "__main__":
    main()
