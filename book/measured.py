"""What took too long for a chapter: results of `make lags` and `make zoo`, kept with the machine that measured them."""

import json
from pathlib import Path
from statistics import median
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def measured(kind: str) -> dict[str, Any]:
    """The largest results of a kind, the newest of them: machine, settings, and one row for each run."""
    kept = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{kind}-*.json"))]
    if not kept:
        raise FileNotFoundError(f"there are no results of that kind in {RESULTS}: run make {kind}")
    return max(kept, key=lambda document: (len(document["results"]), document["date"]))


def longest_lags() -> dict[str, list[int]]:
    """Of `make lags`: network → the longest lag that each start learned, at the better learning rate."""
    found: dict[str, dict[float, list[int]]] = {}
    for run in measured("lags")["results"]:
        found.setdefault(run["network"], {}).setdefault(run["rate"], []).append(run["longest"])
    return {
        name: sorted(max(rates.values(), key=lambda lags: (median(lags), sum(lags)))) for name, rates in found.items()
    }
