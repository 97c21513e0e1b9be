"""What took too long for a chapter: results of `make lags` and `make zoo`, kept with the machine that measured them."""

import json
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def measured(kind: str) -> dict[str, Any]:
    """The newest results of a kind: machine, settings, and one row for each run."""
    kept = [json.loads(path.read_text()) for path in sorted(RESULTS.glob(f"{kind}-*.json"))]
    if not kept:
        raise FileNotFoundError(f"there are no results of that kind in {RESULTS}: run make {kind}")
    return max(kept, key=lambda document: document["date"])
