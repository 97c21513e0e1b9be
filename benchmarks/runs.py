"""Long measurements as lists of small runs: in parallel, with a progress bar, taken up again where they stopped."""

import argparse
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib.metadata import version
from pathlib import Path
from typing import Any

import machine
import numpy as np
from threadpoolctl import threadpool_limits
from tqdm import tqdm

Run = dict  # the names and numbers that make a run what it is; a result is a run with what came out


def measure(
    kind: str,
    settings: dict,
    runs: Sequence[Run],
    wanted: Sequence[Run],
    function: Callable[[dict, Run], dict],
    table: Callable[[dict], str],
    processes: int,
) -> dict:
    """`function(settings, run)` for each wanted run without a result so far; the document, also kept in results/.

    Each process has one thread. Results of other settings, or of runs that are not among `runs`, are dropped. The
    file is written anew with every result.
    """
    document = {**machine.described(), "numpy": version("numpy"), "settings": settings, "results": []}
    path = machine.RESULTS / f"{machine.name_of(kind, document)}.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    if kept.get("settings") == json.loads(json.dumps(settings)):
        document["results"] = [r for r in kept["results"] if any(run.items() <= r.items() for run in runs)]
    done = document["results"]
    left = [run for run in wanted if not any(run.items() <= result.items() for result in done)]
    pool = ProcessPoolExecutor(processes, initializer=_one_thread)
    try:
        futures = [pool.submit(function, settings, run) for run in left]
        for future in tqdm(as_completed(futures), total=len(left), unit="run"):
            done.append(future.result())
            done.sort(key=json.dumps)
            _write(path, document, table)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    return document


def _one_thread() -> None:
    threadpool_limits(1)
    os.environ["PJRT_NPROC"] = "1"  # XLA's, which it makes when it is first asked for something


def _write(path: Path, document: dict, table: Callable[[dict], str]) -> None:
    head = {key: value for key, value in document.items() if key != "results"}
    rows = ",\n".join("  " + json.dumps(result) for result in document["results"])
    new = path.with_suffix(".new")
    new.write_text(json.dumps(head, indent=1)[:-2] + ',\n "results": [\n' + rows + "\n ]\n}\n")
    new.replace(path)
    path.with_suffix(".md").write_text(table(document))


def by_rate(results: Sequence[Run], chosen: Run, value: Callable[[Run], Any]) -> dict[float, list[Any]]:
    """The value of each chosen run, in order of size, for each learning rate."""
    found: dict[float, list[Any]] = {}
    for result in results:
        if chosen.items() <= result.items():
            found.setdefault(result["rate"], []).append(value(result))
    return {rate: sorted(values) for rate, values in found.items()}


def measured_on(document: dict) -> str:
    """The machine and the day, for the head of a table."""
    return (
        f"{document['cpu']}, {document['cores']} cores, {document['system']}; {document['date']}; "
        f"NumPy {document['numpy']}."
    )


def options(description: str | None) -> argparse.ArgumentParser:
    """A parser of the options that all measurements have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="processes; as many as cores unless told")
    return parser


def generator(*parts: object) -> np.random.Generator:
    """A generator of its own for each run, the same wherever and in whatever order it is made."""
    return np.random.default_rng([int.from_bytes(str(part).encode(), "big") % 2**63 for part in parts])
