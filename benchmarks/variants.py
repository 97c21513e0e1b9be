"""`make variants`: every chapter, solution and training test under other arithmetic, as other computers have it.

    python variants.py                                   # all of it; about an hour and a half on two cores
    python variants.py --pages 06-lstm 10-lengths        # some chapters
    python variants.py --variants Haswell "nudge 1"      # some variants

An assertion that compares numbers is kept with both sides; its room is the distance to its bound. Over the variants,
seeds among them, that distance should be at least three of its standard deviations.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import machine
import numpy as np
from numpy._core._multiarray_umath import __cpu_dispatch__
from runs import measured_on

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
PAGES = sorted(path.stem for path in (ROOT / "book").glob("[0-9]*.md"))
SOLUTIONS = sorted(path.stem for path in (ROOT / "solutions").glob("*.py"))
TRAINING = ["tests/test_training.py", "tests/test_models.py", "tests/test_optim.py", "tests/test_benchmarks.py"]
KERNELS = ("Prescott", "Haswell", "SkylakeX", "Zen")
VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    **{kernel: {"OPENBLAS_CORETYPE": kernel} for kernel in KERNELS},
    "no SIMD": {"NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)},
    "two threads": {"OPENBLAS_NUM_THREADS": "2"},
    **{f"nudge {k}": {"RNNCORE_NUDGE": str(k)} for k in (1, 2, 3)},
    **{f"seed {k}": {"RNNCORE_SEED": str(k)} for k in (1, 2, 3)},
}
ROOM, MOST = 3.0, 1000.0


def environment(variant: str) -> dict[str, str]:
    """Of a process under this variant; one thread, unless it is about threads."""
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(FOLDER)} | VARIANTS[variant]


def run_page(page: str, variant: str) -> dict[str, Any]:
    """One chapter; see `page.run`."""
    command = [sys.executable, "page.py", str(ROOT / "book" / f"{page}.md")]
    done = subprocess.run(command, cwd=FOLDER, env=environment(variant), capture_output=True, text=True)
    if done.returncode:
        return {"error": done.stderr[-2000:], "failed": [], "asserted": {}, "quoted": {}, "printed": [], "seconds": 0.0}
    return json.loads(done.stdout)


def run_command(command: list[str], variant: str) -> dict[str, Any]:
    """A solution or a file of tests: whether it passes, and what it says if not."""
    done = subprocess.run(command, cwd=ROOT, env=environment(variant), capture_output=True, text=True)
    error = (done.stdout + done.stderr)[-2000:] if done.returncode else ""
    return {"error": error, "failed": [], "asserted": {}, "quoted": {}, "printed": []}


def jobs(pages: list[str], rest: bool) -> Iterator[tuple[str, Any]]:
    """What is to be run: name → a function of the variant."""
    for page in pages:
        yield page, lambda variant, page=page: run_page(page, variant)
    for name in SOLUTIONS if rest else []:
        yield (
            f"solutions/{name}",
            lambda v, n=name: run_command([sys.executable, "-m", "nudge", f"solutions/{n}.py"], v),
        )
    for path in TRAINING if rest else []:
        command = [sys.executable, "-m", "pytest", "-p", "nudge", "-q", "-x", path]
        yield path, lambda variant, command=command: run_command(command, variant)


def room(entries: list[dict[str, Any]]) -> dict[str, Any]:
    """Of one comparison, how far it stays from its bound: in all variants the value nearest to it counts."""
    signs = {"<": 1, "<=": 1, ">": -1, ">=": -1}
    if entries[0]["sign"] not in signs:
        return {}
    nearest = [min(entry["sides"], key=lambda s: signs[entry["sign"]] * (s[1] - s[0])) for entry in entries]
    sides = np.array(nearest)
    distance = signs[entries[0]["sign"]] * (sides[:, 1] - sides[:, 0])
    spread = float(distance.std(ddof=1)) if np.isfinite(distance).all() and len(distance) > 1 else 0.0
    room = float(distance.mean() / spread) if spread > 0 else MOST
    ranges = [[float(side.min()), float(side.max())] for side in sides.T]
    return {"left": ranges[0], "right": ranges[1], "least": float(distance.min()), "room": min(room, MOST)}


def summary(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Of one page over its variants: what failed, how much room each comparison has, and the range of each quote."""
    asserted = {key: [v["asserted"][key] for v in found.values() if key in v["asserted"]] for key in _keys(found)}
    rooms = {key: made for key, entries in asserted.items() if (made := room(entries))}
    quotes = {name for v in found.values() for name in v["quoted"]}
    values = {name: [v["quoted"][name] for v in found.values() if name in v["quoted"]] for name in sorted(quotes)}
    return {
        "failed": {name: [v["error"]] * bool(v["error"]) + v["failed"] for name, v in found.items() if _bad(v)},
        "asserted": rooms,
        "quoted": {name: [min(seen), max(seen)] for name, seen in values.items()},
    }


def _keys(found: dict[str, dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(key for v in found.values() for key in v["asserted"]))


def _bad(v: dict[str, Any]) -> bool:
    return bool(v["error"] or v["failed"])


def report(document: dict[str, Any]) -> str:
    """The table, for people."""
    lines = [
        "# The course under other arithmetic",
        "",
        f"{measured_on(document)} Made by `make variants`: {', '.join(document['variants'])}.",
        "",
        "Room is the mean distance to the bound in standard deviations over all variants, seeds among them. "
        "“least” is the smallest distance in any of them; below 0 the assertion failed there. "
        "“–”: over 1,000, or no spread.",
    ]
    for page, summed in document["pages"].items():
        lines += ["", f"## {page}", ""]
        for variant, failed in summed["failed"].items():
            lines += [f"- **{variant}**: {' '.join(what.split())[-300:]}" for what in failed]
        lines += [""] if summed["failed"] else []
        if summed["asserted"]:
            lines += ["| asserted (cell: comparison) | left | right | least | room |", "|:--|--:|--:|--:|--:|"]
            for key, made in summed["asserted"].items():
                text = key.replace("|", "\\|")
                numbers = [
                    _range(made["left"]),
                    _range(made["right"]),
                    f"{made['least']:.3g}",
                    f"{made['room']:.1f}" if made["room"] < MOST else "–",
                ]
                lines.append(f"| `{text}` | {' | '.join(numbers)} |")
        if summed["quoted"]:
            lines += ["", "| quoted | range |", "|:--|:--|"]
            lines += [f"| {name} | {_range(seen)} |" for name, seen in summed["quoted"].items()]
    return "\n".join(lines) + "\n"


def _range(seen: list[Any]) -> str:
    low, high = (f"{value:.4g}" if isinstance(value, int | float) else str(value) for value in seen)
    return low if low == high else f"{low} … {high}"


def tight(document: dict[str, Any]) -> list[str]:
    """Comparisons with less than `ROOM`, of floating-point numbers."""
    return [
        f"{page} {key}: room {made['room']:.1f}, left {_range(made['left'])}, right {_range(made['right'])}"
        for page, summed in document["pages"].items()
        for key, made in summed["asserted"].items()
        if made["room"] < ROOM
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", nargs="*", default=None, choices=PAGES, help="chapters only, these")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--keep", action="store_true", help="write the table to results/, page by page")
    parser.add_argument("--dump", type=Path, help="write everything that was found to this file")
    asked = parser.parse_args()
    work = [(n, v, job) for n, job in jobs(asked.pages or PAGES, asked.pages is None) for v in asked.variants]
    head = machine.described() | {"numpy": version("numpy"), "variants": asked.variants}
    found: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(asked.j) as pool:
        for (name, variant, _), result in zip(work, pool.map(lambda item: item[2](item[1]), work), strict=True):
            found.setdefault(name, {})[variant] = result
            print(f"{name:24} {variant:12} {'FAILED' if _bad(result) else 'ok'}", flush=True)
            if len(found[name]) == len(asked.variants):
                document = head | {"pages": {page: summary(results) for page, results in found.items()}}
                if asked.keep:
                    machine.write("variants", document, report(document))
                if asked.dump:
                    asked.dump.write_text(json.dumps(found))
    for name, summed in document["pages"].items():
        for variant, failed in summed["failed"].items():
            for what in failed:
                print(f"\n{name}, {variant}: {what}")
    print("\nLess room than three standard deviations:", *tight(document), sep="\n  ")
    sys.exit(any(summed["failed"] for summed in document["pages"].values()))


if __name__ == "__main__":
    main()
