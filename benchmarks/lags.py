"""How long can they remember? The latch task at lags of 8, 16, 32, … until a network no longer learns it: `make lags`.

For each network, seed and learning rate: a new network for each lag, trained until it names the first symbol in 99 of
100 fresh sequences, or until the updates are spent; then the ladder ends. Results are kept in
`benchmarks/results/lags-….json`, and taken up again from there.
"""

import statistics
import warnings
from dataclasses import replace
from operator import itemgetter

import learning
import numpy as np
import runs

from rnncore import init

SETTINGS = {"hidden": 16, "updates": 1000, "batch": 32, "clip": 1.0, "every": 20, "longest": 2048}
RATES = (0.01, 0.001)
SEEDS = range(3)
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


def built(rng: np.random.Generator, name: str, hidden: int, lag: int) -> learning.Network:
    """A new network: as `init` makes it; with all weights uniform within 1 / √H, as torch starts; or with chrono
    initialisation, its gates open for times of up to the lag."""
    cell, options, start = NETWORKS[name]
    network = learning.network(rng, cell, hidden, learning.latch(lag), **options)
    if start == "uniform":
        bound = 1 / np.sqrt(hidden)
        parts = {name: getattr(network.cell, name).shape for name in "WUb"}
        drawn = {name: init.uniform(rng, -bound, bound, *shape) for name, shape in parts.items()}
        return replace(network, cell=replace(network.cell, **drawn))
    if start == "chrono":
        b, keep = network.cell.b.copy(), init.chrono(rng, hidden, lag + 1)
        b[hidden : 2 * hidden] = keep  # f of the LSTM, z of the GRU
        if cell == "LSTM":
            b[:hidden] = -keep
        return replace(network, cell=replace(network.cell, b=b))
    return network


def right(network: learning.Network, task: learning.Task, rng: np.random.Generator, batch: int = 200) -> float:
    """The share of fresh sequences whose first symbol is named."""
    xs, targets = task.draw(rng, batch)
    return float(np.mean(learning.outputs(network, task, xs)[0].argmax(-1) == targets))


def updates_needed(settings: dict, name: str, lag: int, rate: float, rng: np.random.Generator) -> int | None:
    """Updates until the task is learned; None where they do not suffice."""
    task = learning.latch(lag)
    network = built(rng, name, settings["hidden"], lag)
    steps = learning.training(network, task, rng, rate=rate, batch=settings["batch"], clip=settings["clip"])
    try:
        for update in range(1, settings["updates"] + 1):
            network = next(steps)
            if update % settings["every"] == 0 and right(network, task, rng) >= 0.99:
                return update
    except FloatingPointError:
        pass
    return None


def run(settings: dict, run: runs.Run) -> dict:
    """One ladder: the updates that each lag took, up to the first that was not learned."""
    warnings.simplefilter("ignore")
    needed, lag = {}, 8
    while lag <= settings["longest"]:
        rng = runs.generator(run["network"], lag, run["rate"], run["seed"])
        updates = updates_needed(settings, run["network"], lag, run["rate"], rng)
        if updates is None:
            break
        needed[str(lag)] = updates
        lag *= 2
    return run | {"longest": max(map(int, needed), default=0), "updates": needed}


def best(results: list[dict], network: str) -> tuple[float, list[int]] | None:
    """The learning rate with which the median network remembers longest (then all together), and the longest lag of
    each seed."""
    found = runs.by_rate(results, {"network": network}, itemgetter("longest"))
    return max(found.items(), key=lambda rate: (statistics.median(rate[1]), sum(rate[1])), default=None)


def table(document: dict) -> str:
    """One row a network: the longest lag learned by each seed."""
    settings = document["settings"]
    text = (
        f"# How long they remember\n\n{runs.measured_on(document)} Latch task, {settings['hidden']} hidden units, at "
        f"most {settings['updates']} updates of Adam; lags double from 8 to {settings['longest']}.\n\n"
        f"| network | rate | longest lag learned, by seed |\n|:--|--:|:--|\n"
    )
    for network in NETWORKS:
        if found := best(document["results"], network):
            text += f"| {network} | {found[0]} | {', '.join(map(str, found[1]))} |\n"
    return text


def main() -> None:
    """Measure what is not measured yet."""
    arguments = runs.options(__doc__).parse_args()
    order = [{"network": name, "rate": rate, "seed": seed} for seed in SEEDS for rate in RATES for name in NETWORKS]
    print(table(runs.measure("lags", SETTINGS, order, order, run, table, arguments.j)))


if __name__ == "__main__":
    main()
