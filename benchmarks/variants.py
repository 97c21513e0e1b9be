"""`make variants`: every chapter, solution and training test under other arithmetic, as other computers have it.

    python variants.py                                   # all of it; about an hour and a half on two cores
    python variants.py --pages 06-lstm 10-lengths        # some of it
    python variants.py --variants Haswell "nudge 1"      # some variants

An assertion that compares numbers is kept with both sides; its room is the distance to its bound. Over the variants,
seeds among them, that distance should be at least three of its standard deviations.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias

import machine
import numpy as np
from numpy._core._multiarray_umath import __cpu_dispatch__
from runs import measured_on

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "benchmarks"
PAGES = sorted(path.stem for path in (ROOT / "book").glob("[0-9]*.md"))
SOLUTIONS = sorted(path.stem for path in (ROOT / "solutions").glob("*.py"))
TRAINING = ["tests/test_training.py", "tests/test_models.py", "tests/test_optim.py", "tests/test_benchmarks.py"]
KERNELS = {
    "Prescott": "SSE4_2",
    "Haswell": "AVX2",
    "SkylakeX": "AVX512",
    "Zen": "AVX2",
}  # and what XLA may use
VARIANTS: dict[str, dict[str, str]] = {
    "as it is": {},
    **{k: {"OPENBLAS_CORETYPE": k, "XLA_FLAGS": f"--xla_cpu_max_isa={isa}"} for k, isa in KERNELS.items()},
    "no SIMD": {"NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__)},
    "two threads": {"OPENBLAS_NUM_THREADS": "2", "PJRT_NPROC": "2"},
    **{f"nudge {k}": {"RNNCORE_NUDGE": str(k)} for k in (1, 2, 3)},
    **{f"seed {k}": {"RNNCORE_SEED": str(k)} for k in (1, 2, 3)},
}
ROOM, MOST = 3.0, 1000.0


def environment(variant: str) -> dict[str, str]:
    """Of a process under this variant; one thread, unless it is about threads."""
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "PJRT_NPROC": "1", "PYTHONPATH": str(FOLDER)} | VARIANTS[variant]


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


Job: TypeAlias = Callable[[str], dict[str, Any]]  # what a run under a variant gave


def jobs() -> dict[str, Job]:
    """All that can be run: chapters, solutions, files of tests."""

    def solution(name: str) -> Job:
        return lambda variant: run_command([sys.executable, "-m", "nudge", f"solutions/{name}.py"], variant)

    def tests(path: str) -> Job:
        # Those with a process of their own, which is not nudged, compare it with this one.
        alone = "not killed_process and not ctrl_c_while"
        command = [sys.executable, "-m", "pytest", "-p", "nudge", "-q", path, "-k", alone]
        return lambda variant: run_command(command, variant)

    return {
        **{page: lambda variant, page=page: run_page(page, variant) for page in PAGES},
        **{f"solutions/{name}": solution(name) for name in SOLUTIONS},
        **{path: tests(path) for path in TRAINING},
    }


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
    every = jobs()
    parser.add_argument("--pages", nargs="*", default=list(every), choices=list(every), help="these only")
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("-j", type=int, default=os.cpu_count(), help="processes at a time")
    parser.add_argument("--keep", action="store_true", help="write the table to results/; other pages stay")
    parser.add_argument("--dump", type=Path, help="write everything that was found to this file")
    asked = parser.parse_args()
    work = [(name, variant) for name in asked.pages for variant in asked.variants]
    document = machine.described() | {"numpy": version("numpy"), "variants": asked.variants, "pages": {}}
    path = machine.RESULTS / f"{machine.name_of('variants', document)}.json"
    kept = json.loads(path.read_text()) if asked.keep and path.exists() else {}
    old = kept.get("pages", {}) if kept.get("variants") == asked.variants else {}
    found: dict[str, dict[str, Any]] = {}
    with ThreadPoolExecutor(asked.j) as pool:
        results = pool.map(lambda item: every[item[0]](item[1]), work)
        for (name, variant), result in zip(work, results, strict=True):
            found.setdefault(name, {})[variant] = result
            print(f"{name:24} {variant:12} {'FAILED' if _bad(result) else 'ok'}", flush=True)
            if len(found[name]) == len(asked.variants):
                document["pages"][name] = summary(found[name])
                if asked.keep:
                    merged = old | document["pages"]
                    whole = document | {"pages": {page: merged[page] for page in every if page in merged}}
                    machine.write("variants", whole, report(whole))
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
