"""`rnncore` against torch.nn, torchrecurrent and Equinox, side by side on the CPU: training, inference, memory.

`python benchmarks/run.py` measures in fresh processes, with one thread and with two; where OpenBLAS takes a CPU with
AVX-512 for a lesser one, tuned as well (see `TUNED`). It prints tables, writes them to `benchmarks/results/`, and puts
the main one into the README. `--quick` spends a tenth of the time and writes nothing.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

import machine
import sides

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
MARKS = "<!-- benchmarks: written by make bench -->\n", "<!-- end of benchmarks -->\n"
QUICK = "--quick" in sys.argv[1:]
SECONDS = 0.1 if QUICK else 0.4  # for each side of a comparison

TUNED = {"OPENBLAS_CORETYPE": "SkylakeX"}  # where OpenBLAS does not see the CPU for what it is
MEMORY = ["RNN 32 256 100", "GRU 32 256 100", "LSTM 32 256 100", "LSTM 128 512 35", "LSTM ragged"]


def main() -> None:
    """Measure in fresh processes, print, and write the results."""
    runs = []
    misjudged = "avx512f" in machine.cpu_flags() and kernels_of({}) not in ("SkylakeX", "Cooperlake", "Sapphirerapids")
    for tuned in [{}, *([TUNED] if misjudged else [])]:
        for threads in (1, 2):
            parts = ["training", *(["inference", "cells"] if threads == 1 else [])]
            runs.append(run(tuned, threads, parts if tuned or threads > 1 else [*parts, "derivatives", "memory"]))
    document = machine.described() | {"runs": runs}
    if QUICK:
        return
    name = machine.write("", document, markdown(document))
    text = README.read_text()
    before, after = text.split(MARKS[0])[0], text.split(MARKS[1])[1]
    README.write_text(before + MARKS[0] + summary(document) + MARKS[1] + after)
    print(f"written: benchmarks/results/{name}.md and .json, and the table in README.md")


# -- tables


def markdown(document: dict) -> str:
    """All results."""
    parts = [f"# {document['cpu']}\n\n{document['cores']} cores, {document['system']}; {document['date']}.\n"]
    for run in document["runs"]:
        parts.append(f"## {run['title']}\n\n{run['about']}\n")
        for part, rows in run["parts"].items():
            parts += [TITLES[part] + "\n\n" + heading(part) + "".join(line(part, row) + "\n" for row in rows)]
            if part == "cells":
                means = ", ".join(f"{side} {mean(rows, side):.2f}" for side in OURS[part])
                parts.append(f"Geometric means of {len(rows)} cells: {means}.\n")
    return "\n".join(parts)


TITLES = {
    "training": "### Training steps: how many times faster than torch.nn",
    "inference": "### Inference: how many times faster than torch.nn",
    "cells": "### Training steps at T = 100, B = 32, D = H = 128: how many times faster than torchrecurrent",
    "memory": "### Peak memory of a training step, beyond that of the inputs and weights",
    "derivatives": "### On JAX arrays: the hand-written backward pass against automatic differentiation",
}
OURS = {
    "training": ["NumPy", "engine", "modules", "JAX", "Equinox"],
    "inference": ["NumPy", "engine", "modules"],
    "cells": ["NumPy", "engine"],
}


def heading(part: str) -> str:
    """The first lines of a table."""
    names = {
        "training": ["torch.nn, ms", *OURS["training"], "quartiles of the engine", "compiling, s", "products alone"],
        "inference": ["torch.nn, ms", *OURS["inference"]],
        "cells": ["torchrecurrent, ms", *OURS["cells"], "quartiles of the engine", "compiling, s"],
        "memory": ["torch.nn, MB", "NumPy, MB", "**ratio**"],
        "derivatives": ["by hand, ms", "autodiff, ms", "**ratio**", "by hand, MB", "autodiff, MB", "**ratio**"],
    }[part]
    first = ["cell"] if part == "cells" else ["layer", "B", "H = D", "T"]
    marks = [":--", *["--:"] * (len(first) + len(names) - 1)]
    return f"| {' | '.join([*first, *names])} |\n|{'|'.join(marks)}|\n"


def line(part: str, row: dict) -> str:
    """One row of a table."""
    cells = [row["name"]] if part == "cells" else [row["label"], row["B"], row["H"], row["T"]]
    if part == "memory":
        cells += [f"{row['theirs']:.1f}", f"{row['ours']:.1f}", f"**{row['theirs'] / row['ours']:.2f}**"]
    elif part == "derivatives":
        for unit in ("ms", "MB"):
            ours, theirs = row[unit]
            cells += [f"{ours:.2f}", f"{theirs:.2f}", f"**{theirs / ours:.2f}**"]
    else:
        cells.append(f"{row['ms'][row['against']]:.2f}")
        cells += [f"**{row['ratios'][side]:.2f}**" if side in row["ratios"] else "–" for side in OURS[part]]
        if part != "inference":
            cells += ["–".join(f"{q:.2f}" for q in row["quartiles"]["engine"]), f"{row['compiling']:.1f}"]
        if part == "training":
            cells.append(f"{100 * row['products'] / row['ms']['engine']:.0f} %")
    return f"| {' | '.join(map(str, cells))} |"


def mean(rows: list[dict], side: str) -> float:
    """The geometric mean of the ratios."""
    return statistics.geometric_mean(row["ratios"][side] for row in rows)


def summary(document: dict) -> str:
    """The README's table: ratios of training, by the threads and by who runs the loop."""
    runs = [run for run in document["runs"] if run["mode"] == "nothing set"]
    sides = ["NumPy", "engine", "modules"]
    heads = [f"{side}, {run['threads']} thread{'s' * (run['threads'] > 1)}" for run in runs for side in sides]
    text = f"\n{document['cpu']}, {document['cores']} cores, {document['system']}, {document['date']}. "
    text += f"{runs[0]['software']}. BLAS kernels: {runs[0]['kernels']}.\n\n"
    text += f"| layer | B | H = D | T | {' | '.join(heads)} |\n|:--|{'--:|' * (3 + len(heads))}\n"
    for rows in zip(*(run["parts"]["training"] for run in runs), strict=True):
        first = rows[0]
        cells = (f"{row['ratios'][side]:.2f}" for row in rows for side in sides)
        text += f"| {first['label']} | {first['B']} | {first['H']} | {first['T']} | {' | '.join(cells)} |\n"
    rows = runs[0]["parts"]["cells"]
    for side in OURS["cells"]:
        worst = min(rows, key=lambda row: row["ratios"][side])
        text += (
            f"\nAgainst torchrecurrent, one thread, {side}: geometric mean of {len(rows)} cells "
            f"{mean(rows, side):.2f}, least {worst['ratios'][side]:.2f} ({worst['name']}).\n"
        )
    return text + "\n"


# -- measuring


def clean(tuned: dict[str, str]) -> dict[str, str]:
    """This process's environment without what would change NumPy's products or memory, and with `tuned`."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("OPENBLAS_", "MALLOC_"))} | tuned


def kernels_of(tuned: dict[str, str]) -> str:
    """Which of its kernels OpenBLAS uses."""
    env = clean(tuned) | {"OPENBLAS_VERBOSE": "2"}
    core = subprocess.run([sys.executable, "-c", "import numpy"], env=env, capture_output=True, text=True, check=True)
    found = re.search(r"Core: (\w+)", core.stdout + core.stderr)
    return found.group(1) if found else "unknown"


def run(tuned: dict[str, str], threads: int, parts: list[str]) -> dict:
    """Measure these parts, each in a fresh process with `tuned` as its environment and nothing else of the kind."""
    env = clean(tuned)
    limits = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "PJRT_NPROC")  # the last is XLA's
    env |= dict.fromkeys(limits, str(threads)) | {"JAX_PLATFORMS": "cpu"}
    env["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [env.get("PYTHONPATH")])])
    used = kernels_of(tuned)
    about = json.loads(subprocess.check_output([sys.executable, __file__, "--about"], env=env, text=True))
    mode = "tuned" if tuned else "nothing set"
    settings = " ".join(f"{k}={v}" for k, v in tuned.items())
    result = {
        "title": f"{mode[0].upper() + mode[1:]}, {threads} thread{'s' * (threads > 1)}",
        "mode": mode,
        "kernels": used,
        "threads": threads,
        "software": about,
        "about": f"{about}; BLAS kernels: {used}.{f' Environment: {settings}.' if tuned else ''}",
        "parts": {},
    }
    print(f"\n## {result['title']}\n{result['about']}")
    for part in parts:
        print(f"\n{TITLES[part]}\n\n{heading(part)}", end="", flush=True)
        rows = result["parts"][part] = []
        plain = [name for name, (_, _, special) in sides.LAYERS.items() if not special]
        names = {"cells": sides.shared_cells(), "memory": MEMORY, "derivatives": plain}.get(part, list(sides.LAYERS))
        for name in names:  # each in a process of its own: what memory one leaves free would be found by the next
            options = ["--measure", part, name, *(["--quick"] if QUICK else [])]
            with subprocess.Popen(
                [sys.executable, __file__, *options], env=env, stdout=subprocess.PIPE, text=True
            ) as child:
                assert child.stdout is not None
                for text in child.stdout:
                    rows.append(json.loads(text))
                    print(line(part, rows[-1]), flush=True)
            if child.returncode:
                raise SystemExit(child.returncode)
    return result


def measure(part: str, name: str) -> None:
    """Print the comparison as a line of JSON."""
    import torch

    warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if part == "cells":
        row = {"name": name, "against": "torchrecurrent"} | compare("torchrecurrent", sides.of_cell(name))
    elif part == "memory":
        row = sides.described(name)
        for who, side in (("ours", "NumPy"), ("theirs", "torch.nn")):
            child = os.fork()  # so that what one of them leaves behind is not counted to the other
            if not child:
                sides.of_layer(name, (2, 8, 3))[side]()  # what is loaded or compiled at first use
                step = sides.of_layer(name, sides.LAYERS[name][1], check=False)[side]  # without compiling others
                (HERE / f".{who}").write_text(json.dumps(peak(step)))
                os._exit(0)
            os.waitpid(child, 0)
            row[who] = json.loads((HERE / f".{who}").read_text())
            (HERE / f".{who}").unlink()
    elif part == "derivatives":
        steps, megabytes = sides.derivatives(name)
        found = compare("autodiff", steps)
        row = sides.described(name) | {"ms": [found["ms"][way] for way in steps], "MB": [megabytes[w] for w in steps]}
    else:
        made = sides.of_layer(name) if part == "training" else sides.of_inference(name)
        row = sides.described(name) | {"against": "torch.nn"} | compare("torch.nn", made)
        if part == "training":
            row["products"] = compare("products", {"products": sides.products(name)})["ms"]["products"]
    print(json.dumps(row), flush=True)


def compare(against: str, steps: dict[str, Callable[[], None]]) -> dict:
    """Medians of all, in ms, and those of the ratios of each round, in which they take turns to go first.

    The first step of those that compile takes longer: by so much, in s, with what NumPy does until then.
    """
    compiling = 0.0
    for side, step in steps.items():
        start = time.perf_counter()
        for _ in range(4):  # by then the engine has compiled it
            step()
        if side == "engine":
            compiling = time.perf_counter() - start
    rounds, start, order = [], time.perf_counter(), list(steps)
    while len(rounds) < 5 or time.perf_counter() - start < SECONDS * len(steps):
        order = [*order[1:], order[0]]
        taken = {}
        for side in order:
            begin = time.perf_counter()
            steps[side]()
            taken[side] = time.perf_counter() - begin
        rounds.append(taken)
    ratios = {side: [taken[against] / taken[side] for taken in rounds] for side in steps if side != against}
    quarters = {side: statistics.quantiles(found, n=4) for side, found in ratios.items()}
    return {
        "ms": {side: 1e3 * statistics.median(taken[side] for taken in rounds) for side in steps},
        "ratios": {side: middle for side, (_, middle, _) in quarters.items()},
        "quartiles": {side: [low, high] for side, (low, _, high) in quarters.items()},
        "compiling": compiling,
        "rounds": len(rounds),
    }


def peak(step) -> float:
    """By how many MB a step raises the highest resident memory of this process."""
    Path("/proc/self/clear_refs").write_text("5")  # begin to count anew
    before = status("VmRSS")
    step()
    return (status("VmHWM") - before) / 1024


def status(key: str) -> int:
    """A number of kB that Linux tells of this process."""
    found = re.search(rf"^{key}:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found
    return int(found.group(1))


def about() -> None:
    """Print the versions of the software."""
    import numpy as np
    import torch

    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    text = (
        f"Python {platform.python_version()}, NumPy {np.__version__} with {blas['name']} {blas['version']}, "
        f"torch {torch.__version__}, torchrecurrent {version('torchrecurrent')}, JAX {version('jax')}, "
        f"Equinox {version('equinox')}"
    )
    print(json.dumps(text))


if __name__ == "__main__":
    arguments = [a for a in sys.argv[1:] if a != "--quick"]
    if arguments[:1] == ["--about"]:
        about()
    elif arguments[:1] == ["--measure"]:
        measure(arguments[1], arguments[2])
    else:
        main()
