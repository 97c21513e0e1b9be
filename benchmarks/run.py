"""Training steps of `rnncore.Elman` (NumPy) against torch.nn.RNN, side by side: one thread each, float32, on the CPU.

`python benchmarks/run.py` measures with the BLAS kernels that NumPy's OpenBLAS picks by itself and, where the CPU has
AVX-512, with its SkylakeX kernels as well. It prints a table and writes it to `benchmarks/results/`.
"""

import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SECONDS = 5.0  # for one setting
ONE_THREAD = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
SETTINGS = [(1, 64, 200), (1, 512, 100), (16, 128, 200), (32, 256, 100), (64, 256, 35), (128, 512, 35)]  # B, H, T
HEADER = """\
| B | H = D | T | torch.nn.RNN, ms | rnncore, ms | torch / rnncore | quartiles | pairs |
|--:|--:|--:|--:|--:|--:|--:|--:|"""


def main() -> None:
    """Measure in one fresh process for each choice of kernels; print and write the results."""
    flags = cpu_flags()
    forced = ["SkylakeX"] if "avx512f" in flags else []
    runs = [measure_in_subprocess(kernel) for kernel in [None, *forced]]
    cpu = cpu_name()
    document = {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
        "date": time.strftime("%Y-%m-%d"),
        "threads": 1,
        "dtype": "float32",
        "runs": runs,
    }
    name = re.sub(r"[^a-z0-9]+", "-", f"{cpu} {platform.machine()}".lower()).strip("-")
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / f"{name}.json").write_text(json.dumps(document, indent=1) + "\n")
    (HERE / "results" / f"{name}.md").write_text(markdown(document))
    print(f"written: benchmarks/results/{name}.md and .json")


def markdown(document: dict) -> str:
    """The document as tables for people."""
    cpu, cores, system, date = (document[key] for key in ("cpu", "cores", "system", "date"))
    parts = [
        f"# {cpu}\n\n{cores} cores, {system}; {date}. One training step (forward and backward, inputs' gradient "
        "included) of an Elman network with tanh, float32, one thread each.\n"
    ]
    for run in document["runs"]:
        versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
        parts += [f"## {run['title']}\n\n{versions}; {run['blas']}.\n\n{HEADER}"]
        parts += [line(row) for row in run["rows"]] + [""]
    return "\n".join(parts)


def line(row: dict) -> str:
    """One row of the table."""
    low, high = row["quartiles"]
    return (
        f"| {row['B']} | {row['H']} | {row['T']} | {row['torch_ms']:.2f} | {row['rnncore_ms']:.2f} "
        f"| {row['ratio']:.2f} | {low:.2f}–{high:.2f} | {row['pairs']} |"
    )


def measure_in_subprocess(kernel: str | None) -> dict:
    """Run `measure` in a fresh process with OPENBLAS_CORETYPE=kernel; without the variable where None."""
    env = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"} | ONE_THREAD | {"OPENBLAS_VERBOSE": "2"}
    env["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), *filter(None, [env.get("PYTHONPATH")])])
    if kernel:
        env["OPENBLAS_CORETYPE"] = kernel
    core = subprocess.run([sys.executable, "-c", "import numpy"], env=env, capture_output=True, text=True, check=True)
    found = re.search(r"Core: (\w+)", core.stdout + core.stderr)
    used = found.group(1) if found else "unknown"
    title = f"OPENBLAS_CORETYPE={kernel}" if kernel else "NumPy's own choice of BLAS kernels"
    print(f"\n{title}: {used}\n{HEADER}", flush=True)
    env["OPENBLAS_VERBOSE"] = "0"
    with subprocess.Popen([sys.executable, __file__, "--measure"], env=env, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        rows = []
        about = json.loads(child.stdout.readline())
        for text in child.stdout:
            rows.append(json.loads(text))
            print(line(rows[-1]), flush=True)
    if child.returncode:
        raise SystemExit(child.returncode)
    return {"title": title, "versions": about["versions"], "blas": f"{about['blas']}, kernels {used}", "rows": rows}


def measure() -> None:
    """Print one JSON line about the software, then one for each setting."""
    os.environ.update(ONE_THREAD)  # before NumPy is imported
    import numpy as np
    import torch

    import rnncore

    torch.set_num_threads(1)
    blas = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    versions = {"Python": platform.python_version(), "NumPy": np.__version__, "torch": torch.__version__}
    about = {"versions": versions, "blas": f"{blas['name']} {blas['version']}"}
    print(json.dumps(about), flush=True)
    for B, H, T in SETTINGS:
        rng = np.random.default_rng(0)
        xs, dys = (rng.standard_normal((T, B, H), dtype=np.float32) for _ in range(2))
        cell = rnncore.Elman.init(rng, H, H)
        module = torch.nn.RNN(H, H)
        with torch.no_grad():
            for name, value in (("weight_ih_l0", cell.W.T), ("weight_hh_l0", cell.U.T), ("bias_ih_l0", cell.b)):
                getattr(module, name).copy_(torch.from_numpy(value))
            module.bias_hh_l0.zero_()
        inputs, cotangent = torch.from_numpy(xs.copy()).requires_grad_(), torch.from_numpy(dys)

        def ours(cell=cell, xs=xs, dys=dys):
            ys, _, tape = cell.forward(xs)
            dxs, _, grads = cell.backward(dys, tape)
            return ys, dxs, grads.U

        def theirs(module=module, inputs=inputs, cotangent=cotangent):
            module.zero_grad(set_to_none=True)
            inputs.grad = None
            ys, _ = module(inputs)
            ys.backward(cotangent)
            return ys.detach().numpy(), inputs.grad.numpy(), module.weight_hh_l0.grad.numpy().T

        for a, e in zip(ours(), theirs(), strict=True):  # the same work, or there is nothing to compare
            assert np.abs(a - e).max() <= 1e-4 * np.abs(e).max()
        print(json.dumps({"B": B, "H": H, "T": T} | compare(ours, theirs)), flush=True)


def compare(ours, theirs) -> dict:
    """Medians of both, and the median of the ratios of each pair; who goes first alternates."""
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
        "torch_ms": 1e3 * statistics.median(t for _, t in pairs),
        "rnncore_ms": 1e3 * statistics.median(t for t, _ in pairs),
        "ratio": ratio,
        "quartiles": [low, high],
        "pairs": len(pairs),
    }


def _cpuinfo(key: str) -> str:
    path = Path("/proc/cpuinfo")
    found = re.search(rf"^{key}\s*:\s*(.*)$", path.read_text(), re.MULTILINE) if path.exists() else None
    return found.group(1) if found else ""


def cpu_name() -> str:
    """The processor's name."""
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def cpu_flags() -> list[str]:
    """The instruction sets that the processor states; none where it does not."""
    return _cpuinfo("flags").split()


if __name__ == "__main__":
    measure() if "--measure" in sys.argv[1:] else main()
