"""Every cell of `CELLS` at the same number of parameters, on three tasks: `make zoo`.

Each cell is trained on each task from several seeds at two learning rates; what counts is the loss on fresh sequences,
as a part of what the best guess costs: 1 is nothing learned, 0 is everything. Results are kept in
`benchmarks/results/zoo-….json`, and taken up again from there.
"""

import statistics
import warnings

import learning
import numpy as np
import runs

from rnncore import CELLS

SETTINGS = {
    "parameters": 2000,
    "updates": 1000,
    "batch": 32,
    "clip": 1.0,
    "tasks": {"adding": {"steps": 50}, "copying": {"delay": 20}, "parity": {"steps": 20}},
}
RATES = (0.01, 0.003)
SEEDS = range(3)


def task_of(settings: dict, name: str) -> learning.Task:
    """The task of that name."""
    return getattr(learning, name)(**settings["tasks"][name])


def run(settings: dict, run: runs.Run) -> dict:
    """One training run: what is left of the loss, or None where it went off to infinity."""
    warnings.simplefilter("ignore")
    task = task_of(settings, run["task"])
    rng = runs.generator(run["cell"], run["task"], run["rate"], run["seed"])
    network = learning.network(rng, run["cell"], run["hidden"], task)
    parameters, left = learning.count(network), None
    steps = learning.training(network, task, rng, rate=run["rate"], batch=settings["batch"], clip=settings["clip"])
    try:
        for _ in range(settings["updates"]):
            network = next(steps)
        left = learning.loss_left(network, task, np.random.default_rng(1_000_000 + run["seed"]))
    except FloatingPointError:
        pass
    finite = left is not None and np.isfinite(left)
    return run | {"parameters": parameters, "left": round(left, 5) if finite else None}


def best(results: list[dict], cell: str, task: str) -> list[float] | None:
    """What is left from each seed at the learning rate with the smaller median."""
    found = runs.by_rate(
        results, {"cell": cell, "task": task}, lambda run: float("inf") if run["left"] is None else run["left"]
    )
    return min(found.values(), key=statistics.median, default=None)


def table(document: dict) -> str:
    """One row a cell: the median of what is left, with the best and the worst seed."""
    settings = document["settings"]
    names = list(settings["tasks"])
    about = ", ".join(f"{task} {arguments}" for task, arguments in settings["tasks"].items())
    text = (
        f"# The zoo\n\n{runs.measured_on(document)} "
        f"At most {settings['parameters']} parameters; {settings['updates']} updates of Adam, "
        f"the better of the rates {RATES}. Tasks: {about}.\n\nWhat is left of the loss of the best guess: median of "
        f"{len(SEEDS)} seeds (best to worst).\n\n"
        f"| cell | hidden | {' | '.join(names)} |\n|:--|--:|{'--:|' * len(names)}\n"
    )
    for cell in CELLS:
        entries = []
        for task in names:
            found = best(document["results"], cell, task)
            entries.append("" if found is None else f"{statistics.median(found):.3f} ({found[0]:.3f}–{found[-1]:.3f})")
        sizes = sorted({r["hidden"] for r in document["results"] if r["cell"] == cell})
        text += f"| {cell} | {', '.join(map(str, sizes))} | {' | '.join(entries)} |\n"
    return text


def main() -> None:
    """Measure what is not measured yet."""
    parser = runs.options(__doc__)
    parser.add_argument("--cells", nargs="*", default=list(CELLS), help="all unless told")
    arguments = parser.parse_args()
    sizes = {
        (task, cell): learning.hidden_size(cell, task_of(SETTINGS, task), SETTINGS["parameters"])
        for task in SETTINGS["tasks"]
        for cell in CELLS
    }
    order = [
        {"cell": cell, "task": task, "hidden": hidden, "rate": rate, "seed": seed}
        for seed in SEEDS
        for rate in RATES
        for (task, cell), hidden in sizes.items()
    ]
    wanted = [r for r in order if r["cell"] in arguments.cells]
    print(table(runs.measure("zoo", SETTINGS, order, wanted, run, table, arguments.j)))


if __name__ == "__main__":
    main()
