"""What took too long for a chapter: results of `make lags` and `make zoo`, kept with the machine that measured them."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def measured(kind: str) -> dict[str, Any]:
    """The largest results of a kind, the newest of them: machine, settings, and one row for each run."""
    kept = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{kind}-*.json"))]
    if not kept:
        raise FileNotFoundError(f"there are no results of that kind in {RESULTS}: run make {kind}")
    return max(kept, key=lambda document: (len(document["results"]), document["date"]))


def ladders() -> dict[str, dict[int, dict[float, list[int | None]]]]:
    """Of `make lags`: network → lag → learning rate → the batches that each start took, None if it has not learnt."""
    return {
        run["network"]: {
            int(lag): {float(rate): batches for rate, batches in rates.items()} for lag, rates in run["updates"].items()
        }
        for run in measured("lags")["results"]
    }


def learnt(rates: dict[float, list[int | None]]) -> int:
    """How many starts learn at the rate at which most do."""
    return max(sum(batches is not None for batches in found) for found in rates.values())
