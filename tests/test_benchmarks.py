"""The long measurements: what they train, what they count, and that a run is neither lost nor made twice."""

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import lags
import learning
import numpy as np
import pytest
import runs
import zoo

from rnncore import CELLS, Dense, tree
from rnncore.testing import check_gradients

TASKS = {
    "adding": learning.adding(6),
    "copying": learning.copying(2, symbols=3, length=4),
    "parity": learning.parity(5),
}
SMALL = {**zoo.SETTINGS, "parameters": 200, "updates": 3, "batch": 4}


def as_json(settings: dict) -> dict:
    return json.loads(json.dumps(settings))


def lived(network: learning.Network, rng: np.random.Generator) -> learning.Network:
    """In float64, with biases that are not zero."""
    wide = tree.convert(lambda array: array.astype(np.float64), network)
    return tree.map(lambda array: array + rng.normal(0, 0.3, array.shape), wide)


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("cell", ["LSTM", "ConvGRU", "GRUD"])
def test_gradient_is_that_of_the_loss(name: str, cell: str) -> None:
    rng, task = np.random.default_rng(0), TASKS[name]
    network = lived(learning.network(rng, cell, 3, task), rng)
    xs, targets = task.draw(rng, 3)
    xs = xs.astype(np.float64)
    targets = targets.astype(np.float64) if name == "adding" else targets
    gradient = learning.gradient(network, task, xs, targets)[1]
    check_gradients(lambda moved: learning.gradient(moved, task, xs, targets)[0], network, gradient, rng)


@pytest.mark.parametrize("name", TASKS)
def test_the_best_guess_leaves_all_of_its_loss(name: str) -> None:
    rng, task = np.random.default_rng(1), TASKS[name]
    outputs = task.sizes[1]
    guess = {"adding": [1.0], "copying": [-1e9, 0, 0, 0, -1e9], "parity": [0, 0]}[name]
    network = learning.network(rng, "Elman", 2, task)
    network = replace(network, readout=Dense(np.zeros((2, outputs), np.float32), np.array(guess, np.float32)))
    left = learning.loss_left(network, task, rng, batch=20_000)
    assert left == pytest.approx(1, abs=0.03 if name == "adding" else 1e-6)  # float32


@cache
def zoo_rows() -> list[dict]:
    """All results of the zoo that are kept, of whatever machine."""
    kept = [json.loads(path.read_text()) for path in runs.machine.RESULTS.glob("zoo-*.json")]
    return [row for document in kept if document["settings"] == as_json(zoo.SETTINGS) for row in document["results"]]


@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_is_measured_at_its_largest_size(cell: str) -> None:
    """If not: `python benchmarks/zoo.py --cells …`."""
    rows = zoo_rows()
    for name in zoo.SETTINGS["tasks"]:
        task = zoo.task_of(zoo.SETTINGS, name)
        hidden = learning.hidden_size(cell, task, zoo.SETTINGS["parameters"])
        size = learning.count(learning.network(np.random.default_rng(0), cell, hidden, task))
        assert size <= zoo.SETTINGS["parameters"]
        found = [row for row in rows if (row["cell"], row["task"]) == (cell, name)]
        assert {(row["rate"], row["seed"]) for row in found} == set(itertools.product(zoo.RATES, zoo.SEEDS))
        assert {(row["hidden"], row["parameters"]) for row in found} == {(hidden, size)}


def test_largest_size_is_the_largest() -> None:
    task = zoo.task_of(zoo.SETTINGS, "copying")
    for parameters, hidden in ((96, 5), (95, 4)):  # H (6 + H + 1) and 6 (H + 1) numbers: 96 for 5, 78 for 4
        assert learning.hidden_size("Elman", task, parameters) == hidden
    with pytest.raises(ValueError, match="no hidden size with 19 parameters"):
        learning.hidden_size("Elman", task, 19)


@pytest.mark.parametrize("path", sorted(runs.machine.RESULTS.glob("lags-*.json")), ids=lambda path: path.stem)
def test_kept_ladders_are_complete(path: Path) -> None:
    kept = json.loads(path.read_text())
    assert {result["network"] for result in kept["results"]} == set(lags.NETWORKS)
    assert kept["settings"] == as_json(lags.SETTINGS)
    for result in kept["results"]:
        learnt = [any(map(any, found.values())) for found in result["updates"].values()]
        assert [int(lag) for lag in result["updates"]] == [8 * 2**i for i in range(len(learnt))]
        assert all(learnt[:-1])
        assert not learnt[-1] or list(result["updates"])[-1] == str(lags.SETTINGS["longest"])


@pytest.mark.parametrize("name", lags.NETWORKS)
def test_network_of_a_ladder_starts_as_it_is_called(name: str) -> None:
    H = 16 if "chrono" not in name else 200  # so many that the range of the biases shows, whatever is drawn
    cell = lags.built(np.random.default_rng(2), name, H, 100).layer
    if "uniform" in name:
        assert max(np.abs(array).max() for array in (cell.W, cell.U, cell.b)) <= 0.25
        assert np.abs(cell.b).max() > 0.1
    if "orthogonal" in name:
        assert np.allclose(cell.U @ cell.U.T, np.eye(H), atol=1e-6)
    if name == "IRNN":
        assert np.array_equal(cell.U, np.eye(H))
    if "forget bias" in name:
        assert np.all(cell.b[H : 2 * H] == float(name[-1]))
    if "chrono" in name:
        keep = cell.b[H : 2 * H]
        assert 0 <= keep.min() < 2
        assert 3 < keep.max() <= np.log(100)
        assert np.array_equal(cell.b[:H], -keep)


def test_learnt_is_a_mean_over_batches_that_follow_each_other() -> None:
    history = np.array([0.7, 0.0, 0.7, 0.1, 0.0, 0.0, 0.9])
    assert lags.learnt(history, 2, 0.2) == 5  # 0.1 and 0.0; no two before them
    assert lags.learnt(history, 1, 0.2) == 2
    assert lags.learnt(history, 3, 0.02) is None
    assert lags.learnt(np.array([0.1, 0.0, np.nan, np.nan]), 2, 0.01) is None  # it diverged


@pytest.mark.parametrize(
    ("found", "rate"),
    [
        ({0.03: [90, None, 80], 0.01: [700, 800, 900]}, 0.01),
        ({0.03: [90, 80, 300], 0.01: [70, 100, 200]}, 0.03),
        ({0.03: [90, 80, 300], 0.01: [70, 90, 400]}, 0.01),
        ({0.03: [None, None], 0.01: [None, None]}, 0.01),
    ],
)
def test_best_rate_is_that_at_which_most_learn(found: dict, rate: float) -> None:
    for order in (found, dict(reversed(found.items()))):
        assert lags.best(order) == (rate, found[rate])


def test_a_ladder_ends_where_nothing_is_learnt(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, far = [], {0.03: 16, 0.01: 256, 0.003: 512, 0.001: 256}

    def needed(settings: dict, name: str, lag: int, rate: float) -> list[int | None]:
        tried.append((lag, rate))
        return [round(1000 * rate * lag) if lag <= far[rate] else None, None]

    monkeypatch.setattr(lags, "updates_needed", needed)
    found = lags.run(lags.SETTINGS, {"network": "GRU"})["updates"]
    assert list(found) == ["8", "16", "32", "64", "128", "256", "512"]
    assert [len(rates) for rates in found.values()] == [4, 4, 4, 3, 3, 3, 1]
    assert tried[-1] == (512, 0.001)  # the best at 256, since it took the fewest updates; here it ends
    assert found["16"]["0.03"] == [480, None]


def test_a_run_does_not_depend_on_those_before_it() -> None:
    wanted = [
        {"cell": cell, "task": task, "hidden": 3, "rate": 0.01, "seed": 1}
        for cell in ("GRU", "MinimalRNN")
        for task in SMALL["tasks"]
    ]
    results = [zoo.run(SMALL, run) for run in wanted]
    assert results[::-1] == [zoo.run(SMALL, run) for run in wanted[::-1]]
    assert len({result["left"] for result in results}) == len(results)


def doubled(settings: dict, run: runs.Run) -> dict:
    if run["n"] == settings["breaks at"]:
        raise RuntimeError("broken")
    return run | {"twice": 2 * run["n"]}


def test_measurement_is_taken_up_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs.machine, "RESULTS", tmp_path)
    order = [{"n": n} for n in range(4)]

    def measure(settings: dict, wanted: list[dict]) -> list[dict]:
        runs.measure("try", settings, order, wanted, doubled, lambda document: "", 1)
        (path,) = tmp_path.glob("try-*.json")
        return json.loads(path.read_text())["results"]

    with pytest.raises(RuntimeError, match="broken"):
        measure({"breaks at": 2}, order)
    assert measure({"breaks at": 2}, order[:2]) == [{"n": 0, "twice": 0}, {"n": 1, "twice": 2}]
    (path,) = tmp_path.glob("try-*.json")
    document = json.loads(path.read_text())
    document["results"][1]["twice"] = "kept"
    path.write_text(json.dumps(document))
    assert measure({"breaks at": 2}, [order[1], order[3]]) == [
        {"n": 0, "twice": 0},
        {"n": 1, "twice": "kept"},
        {"n": 3, "twice": 6},
    ]
    assert measure({"breaks at": 0}, [order[3]]) == [{"n": 3, "twice": 6}]  # of other settings nothing is kept


def test_the_script_for_a_gpu_runs_anywhere():
    """Tiny, and on the CPU; the table is made of all rows."""
    done = subprocess.run(
        [sys.executable, "gpu.py", "--dry"], cwd=Path(zoo.__file__).parent, capture_output=True, text=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    right, fast = ([row for row in rows if key in row] for key in ("ok", "way"))
    assert {(row["library"], row["dtype"]) for row in right} >= {("torch", "float32"), ("torch", "bfloat16")}
    assert [row for row in right if not row["ok"]] == []
    assert [row for row in fast if "error" in row] == []
    assert {row["cell"] for row in fast} == {"LSTM", "GRU", "Elman", "MGU"}
    assert f"{len(right)} of {len(right)} within rounding" in done.stdout
    assert "| LSTM | 2 | 8 | 3 |" in done.stdout
