"""`rnncore` on NumPy against torch.nn and torchrecurrent, side by side on the CPU: training, inference, memory.

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
from importlib.metadata import version
from pathlib import Path

import machine

HERE = Path(__file__).parent
README = HERE.parent / "README.md"
MARKS = "<!-- benchmarks: written by make bench -->\n", "<!-- end of benchmarks -->\n"
QUICK = "--quick" in sys.argv[1:]
SECONDS = 0.2 if QUICK else 2.0  # for one comparison

TUNED = {"OPENBLAS_CORETYPE": "SkylakeX"}  # where OpenBLAS does not see the CPU for what it is
SIZES = [(1, 64, 200), (1, 128, 784), (1, 512, 100), (32, 128, 100), (32, 256, 100), (64, 256, 35), (128, 512, 35)]
LAYERS = {  # name → kind, (B, H = D, T), what is unusual
    **{f"{kind} {B} {H} {T}": (kind, (B, H, T), "") for kind in ("RNN", "GRU", "LSTM") for B, H, T in SIZES},
    "LSTM ragged": ("LSTM", (32, 256, 100), "ragged"),
    "GRU ragged": ("GRU", (32, 256, 100), "ragged"),
    "LSTM projected": ("LSTM", (32, 256, 100), "projected"),
    "LSTM float64": ("LSTM", (32, 128, 100), "float64"),
}
OTHER_NAMES = {  # our cell → torchrecurrent's, where the name is not the same
    "LSTM1997": "OriginalLSTM",
    "MemoryControllerLSTM": "MCLSTM",
    "BRC": "BR",
    "NBRC": "NBR",
    "CoRNN": "coRNN",
    "TauGRU": "tauGRU",
}
MEMORY = ["RNN 32 256 100", "GRU 32 256 100", "LSTM 32 256 100", "LSTM 128 512 35", "LSTM ragged"]


def main() -> None:
    """Measure in fresh processes, print, and write the results."""
    runs = []
    misjudged = "avx512f" in machine.cpu_flags() and kernels_of({}) not in ("SkylakeX", "Cooperlake", "Sapphirerapids")
    for tuned in [{}, *([TUNED] if misjudged else [])]:
        for threads in (1, 2):
            parts = ["layers", *(["cells"] if threads == 1 else [])]
            runs.append(run(tuned, threads, parts if tuned or threads > 1 else [*parts, "memory"]))
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
            parts.append(TITLES[part] + "\n\n" + table(part, rows))
    return "\n".join(parts)


TITLES = {
    "layers": "### Against torch.nn",
    "cells": "### Against torchrecurrent: training steps at T = 100, B = 32, D = H = 128, float32",
    "memory": "### Peak memory of a training step, beyond that of the inputs and weights",
}
HEADERS = {
    "layers": "| layer | B | H = D | T | torch, ms | rnncore, ms | **training** | quartiles | torch, ms | rnncore, ms "
    "| **inference** |\n|:--|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n",
    "cells": "| cell | torchrecurrent, ms | rnncore, ms | **ratio** | quartiles |\n|:--|--:|--:|--:|--:|\n",
    "memory": "| layer | B | H = D | T | torch, MB | rnncore, MB | **ratio** |\n|:--|--:|--:|--:|--:|--:|--:|\n",
}


def table(part: str, rows: list[dict]) -> str:
    """One table, and below that of the cells its mean."""
    text = HEADERS[part] + "".join(line(part, row) + "\n" for row in rows)
    if part == "cells":
        text += f"\nGeometric mean: {mean(rows):.2f}.\n"
    return text


def line(part: str, row: dict) -> str:
    """One row of a table."""
    if part == "cells":
        return f"| {row['name']} | {times(row['train'])} |"
    start = f"| {row['label']} | {row['B']} | {row['H']} | {row['T']} |"
    if part == "memory":
        return f"{start} {row['theirs']:.1f} | {row['ours']:.1f} | {row['theirs'] / row['ours']:.2f} |"
    inference = row["inference"]
    return (
        f"{start} {times(row['train'])} | {inference['theirs']:.2f} | {inference['ours']:.2f} "
        f"| **{inference['ratio']:.2f}** |"
    )


def times(found: dict) -> str:
    """Both times, their ratio and its quartiles."""
    low, high = found["quartiles"]
    return f"{found['theirs']:.2f} | {found['ours']:.2f} | **{found['ratio']:.2f}** | {low:.2f}–{high:.2f}"


def mean(rows: list[dict]) -> float:
    """The geometric mean of the ratios."""
    return statistics.geometric_mean(row["train"]["ratio"] for row in rows)


def summary(document: dict) -> str:
    """The README's table: ratios of training and inference with one thread, for each choice of BLAS kernels."""
    runs = [run for run in document["runs"] if run["threads"] == 1]
    heads = [f"{kind}, {run['mode']}" for run in runs for kind in ("training", "inference")]
    kernels = ", ".join(f"{run['mode']}: {run['kernels']}" for run in runs)
    text = f"\n{document['cpu']}, {document['system']}, {document['date']}; one thread. {runs[0]['software']}. "
    text += f"BLAS kernels: {kernels}.\n\n"
    text += f"| layer | B | H = D | T | {' | '.join(heads)} |\n|:--|{'--:|' * (3 + len(heads))}\n"
    for rows in zip(*(run["parts"]["layers"] for run in runs), strict=True):
        first = rows[0]
        cells = (f"{row[kind]['ratio']:.2f}" for row in rows for kind in ("train", "inference"))
        text += f"| {first['label']} | {first['B']} | {first['H']} | {first['T']} | {' | '.join(cells)} |\n"
    for run in runs:
        rows = run["parts"]["cells"]
        worst = min(rows, key=lambda row: row["train"]["ratio"])
        enough = sum(row["train"]["ratio"] >= 2 for row in rows)
        text += (
            f"\nAgainst torchrecurrent, {run['mode']}: geometric mean of {len(rows)} cells {mean(rows):.2f}, "
            f"{enough} of them at 2 or more, least {worst['train']['ratio']:.2f} ({worst['name']}).\n"
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
    env |= dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads))
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
        print(f"\n{HEADERS[part]}", end="", flush=True)
        rows = result["parts"][part] = []
        names = {"layers": list(LAYERS), "cells": shared_cells(), "memory": MEMORY}[part]
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


def shared_cells() -> list[str]:
    """Our names of the cells that torchrecurrent has too."""
    import torchrecurrent

    import rnncore

    same = [name for name in rnncore.CELLS if hasattr(torchrecurrent, name) and name not in OTHER_NAMES.values()]
    return [*same, *OTHER_NAMES]


def measure(part: str, name: str) -> None:
    """Print the comparison as a line of JSON."""
    import torch

    warnings.filterwarnings("ignore", "LSTM with projections is not supported with oneDNN")
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    if part == "cells":
        row = {"name": name, "train": compare(*cell_steps(name, OTHER_NAMES.get(name, name)))}
    elif part == "layers":
        steps = layer_steps(name)
        row = describe(name) | {"train": compare(*steps["train"]), "inference": compare(*steps["inference"])}
    else:
        row = describe(name)
        for who, side in (("ours", 0), ("theirs", 1)):
            child = os.fork()  # so that what one of them leaves behind is not counted to the other
            if not child:
                layer_steps(name, (2, 8, 3))["train"][side]()  # what is loaded or compiled at first use
                step = layer_steps(name, check=False)["train"][side]
                (HERE / f".{who}").write_text(json.dumps(peak(step)))
                os._exit(0)
            os.waitpid(child, 0)
            row[who] = json.loads((HERE / f".{who}").read_text())
            (HERE / f".{who}").unlink()
    print(json.dumps(row), flush=True)


def describe(key: str) -> dict:
    """What a setting is."""
    kind, (B, H, T), special = LAYERS[key]
    return {"label": f"{kind} {special}".strip(), "B": B, "H": H, "T": T}


def layer_steps(key: str, sizes: tuple[int, int, int] | None = None, check: bool = True) -> dict:
    """Our step and torch's, for training and for inference; checked to do the same."""
    import numpy as np
    import torch

    import rnncore

    kind, (B, H, T), special = LAYERS[key]
    B, H, T = sizes or (B, H, T)
    dtype = np.float64 if special == "float64" else np.float32
    rng = np.random.default_rng(0)
    P = H // 4 if special == "projected" else 0
    name = "ProjectedLSTM" if P else {"RNN": "Elman"}.get(kind, kind)
    cell = rnncore.CELLS[name].init(rng, H, H, *([P] if P else []), dtype=dtype)
    module = getattr(torch.nn, kind)(H, H, dtype=torch.from_numpy(cell.b).dtype, **({"proj_size": P} if P else {}))
    with torch.no_grad():
        module.weight_ih_l0.copy_(torch.from_numpy(cell.W.T))
        module.weight_hh_l0.copy_(torch.from_numpy(cell.U.T))
        module.bias_ih_l0.copy_(torch.from_numpy(cell.b))
        module.bias_hh_l0.zero_()
        if P:
            module.weight_hr_l0.copy_(torch.from_numpy(cell.R.T))
    xs = rng.standard_normal((T, B, H)).astype(dtype)
    dys = rng.standard_normal((T, B, P or H)).astype(dtype)
    lengths = rng.integers(max(1, T // 10), T + 1, B) if special == "ragged" else None
    if lengths is not None:
        lengths[0] = T
    inputs, cotangent = torch.from_numpy(xs.copy()).requires_grad_(), torch.from_numpy(dys)

    def ours() -> tuple:
        ys, _, tape = cell.forward(xs, lengths=lengths)
        dxs, _, grads = cell.backward(dys, tape)
        return ys, dxs, grads.U

    def outputs(values):
        if lengths is None:
            return module(values)[0]
        packed = torch.nn.utils.rnn.pack_padded_sequence(values, torch.from_numpy(lengths), enforce_sorted=False)
        return torch.nn.utils.rnn.pad_packed_sequence(module(packed)[0])[0]

    def theirs() -> tuple:
        module.zero_grad(set_to_none=True)
        inputs.grad = None
        ys = outputs(inputs)
        ys.backward(cotangent)
        return ys.detach().numpy(), inputs.grad.numpy(), module.weight_hh_l0.grad.numpy().T

    def infer_theirs() -> None:
        with torch.no_grad():
            outputs(inputs)

    for a, e in zip(ours(), theirs(), strict=True) if check else ():  # the same work, or there is nothing to compare
        assert np.abs(a - e).max() <= 1e-3 * np.abs(e).max(), key
    return {"train": (ours, theirs), "inference": (lambda: cell.forward(xs, lengths=lengths), infer_theirs)}


def cell_steps(name: str, theirs_name: str) -> tuple:
    """A training step of our cell, and of torchrecurrent's layer of it."""
    import numpy as np
    import torch
    import torchrecurrent

    import rnncore

    T, B, H = 100, 32, 128
    rng = np.random.default_rng(0)
    cell = rnncore.CELLS[name].init(rng, H, H)
    xs, dys = (rng.standard_normal((T, B, H), dtype=np.float32) for _ in range(2))
    module = getattr(torchrecurrent, theirs_name)(H, H)
    inputs, cotangent = torch.from_numpy(xs.copy()).requires_grad_(), torch.from_numpy(dys)

    def ours() -> None:
        _, _, tape = cell.forward(xs)
        cell.backward(dys, tape)

    def theirs() -> None:
        module.zero_grad(set_to_none=True)
        inputs.grad = None
        ys = module(inputs)[0]
        assert ys.shape == cotangent.shape
        ys.backward(cotangent)

    return ours, theirs


def compare(ours, theirs) -> dict:
    """Medians of both, and the median of the ratios of each pair; who goes first alternates."""
    ours(), theirs()
    pairs, start = [], time.perf_counter()
    while len(pairs) < 5 or time.perf_counter() - start < SECONDS:
        order = (ours, theirs) if len(pairs) % 2 else (theirs, ours)
        taken = {}
        for function in order:
            begin = time.perf_counter()
            function()
            taken[function] = time.perf_counter() - begin
        pairs.append((taken[ours], taken[theirs]))
    ratios = [theirs / ours for ours, theirs in pairs]
    low, ratio, high = statistics.quantiles(ratios, n=4)
    return {
        "ours": 1e3 * statistics.median(ours for ours, _ in pairs),
        "theirs": 1e3 * statistics.median(theirs for _, theirs in pairs),
        "ratio": ratio,
        "quartiles": [low, high],
        "pairs": len(pairs),
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
        f"torch {torch.__version__}, torchrecurrent {version('torchrecurrent')}"
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
