"""What of `rnncore` runs on a GPU, in eight minutes and without a download: first whether it is right, then how fast.

    python benchmarks/gpu.py          # on a machine with a GPU; results/gpu-<device>.json and .md grow row by row
    python benchmarks/gpu.py --dry    # anywhere, in tiny sizes; nothing is written

Right: every cell, ragged, in float32 and bfloat16, for torch and for JAX, against NumPy in float64. Fast: a training
step (forward and backward, the inputs' gradient included) beside torch.nn, which calls cuDNN. The limits that fractions
refer to are measured here, too: the rate of a large product of matrices, and that of copying memory.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import machine
import numpy as np
import torch

import rnncore
from rnncore import modules, tree

DTYPES = {"float32": 2e-4, "bfloat16": 0.15}  # and the error that its rounding explains
KINDS = {"LSTM": 4, "GRU": 3, "Elman": 1}  # and how many gates each has
SIZES = [(B, H, T) for T in (128, 1024) for H in (256, 64, 1024, 2048) for B in (32, 1, 256)]
OTHERS = ["MGU", "IndRNN", "LayerNormLSTM", "PeepholeLSTM", "CfC", "LTC", "LEM", "CoRNN", "UnICORNN", "RHN"]
COMPILED = 128  # steps; torch.compile unrolls them
Step = Callable[[], Any]


def main() -> None:
    """Measure until the time is over; every row is kept as it comes."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dry", action="store_true", help="tiny sizes, nothing written")
    parser.add_argument("--minutes", type=float, default=8.0)
    options = parser.parse_args()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not options.dry:
        parser.error("there is no CUDA device; --dry tries all this on the CPU")
    name = torch.cuda.get_device_name() if device.type == "cuda" else machine.cpu_name()
    document = machine.described() | {"device": name, "software": software(), "right": [], "fast": []}
    until = time.monotonic() + 60 * options.minutes
    parts = [("right", right(device, options.dry)), ("fast", fast(device, options.dry))]
    document["limits"] = limits(device, options.dry)
    for part, rows in parts:
        for row in rows:
            document[part].append(row)
            print(json.dumps(row), flush=True)
            if not options.dry:
                machine.write(f"gpu {name}", document, markdown(document))
            if time.monotonic() > until:
                break
    if options.dry:
        print(markdown(document))
    wrong = [row for row in document["right"] if not row["ok"]]
    if wrong:
        raise SystemExit(f"wrong: {wrong}")


def software() -> str:
    """Versions, and where JAX computes."""
    found = f"torch {torch.__version__}, CUDA {torch.version.cuda}, NumPy {np.__version__}"
    jax = with_jax()
    return found + (f", JAX {jax.__version__} on {jax.devices()[0].platform}" if jax else "")


def with_jax() -> Any:
    """JAX, where it is installed; None where it is not."""
    try:
        import jax
    except ImportError:
        return None
    return jax


def limits(device: torch.device, dry: bool) -> dict[str, float]:
    """Floating-point operations and bytes a second that this device reaches at best."""
    n = 256 if dry else 8192
    a, b = torch.ones(n, n, device=device), torch.ones(n, n, device=device)
    memory = torch.ones(1 << 18 if dry else 1 << 28, device=device)
    product, copy = seconds(lambda: a @ b, dry), seconds(memory.clone, dry)
    return {"flops": 2 * n**3 / product, "bytes": 2 * memory.numel() * memory.element_size() / copy}


def seconds(step: Step, dry: bool) -> float:
    """The median time of a step; the first, which compiles and allocates, does not count."""

    def timed() -> float:
        begin = time.perf_counter()
        step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter() - begin

    timed()
    taken, until = [timed()], time.perf_counter() + (0 if dry else 0.3)
    while time.perf_counter() < until or len(taken) < (1 if dry else 3):
        taken.append(timed())
    return statistics.median(taken)


# -- right


def right(device: torch.device, dry: bool) -> Iterator[dict[str, Any]]:
    """For each cell, library and dtype the largest error of outputs, final state and gradients."""
    T, B, D, H = (4, 3, 2, 4) if dry else (24, 16, 12, 32)
    libraries = {"torch": lambda *given: by_torch(device, *given)}
    if with_jax():
        libraries["jax"] = by_jax
    names = list(rnncore.CELLS)[::40] if dry else list(rnncore.CELLS)
    for name in names:
        rng = np.random.default_rng(0)
        cell = rnncore.CELLS[name].init(rng, D, H, dtype=np.float64)
        cell = tree.map(lambda p, rng=rng: p + 0.1 * rng.standard_normal(p.shape), cell)
        state = tuple(0.5 * rng.standard_normal((B, *shape)) for shape in cell.state_shapes)
        xs, lengths = rng.standard_normal((T, B, *cell.input_shape)), [T, *rng.integers(0, T + 1, B - 1).tolist()]
        dys = rng.standard_normal((T, B, *cell.state_shapes[0]))
        ys, final, tape = cell.forward(xs, state, lengths)
        expected = ys, final, *cell.backward(dys, tape)
        for library, run in libraries.items():
            for dtype, bound in DTYPES.items():
                row = {"cell": name, "library": library, "dtype": dtype, "bound": bound}
                try:
                    found = run(dtype, cell, xs, state, lengths, dys)
                except Exception as error:  # one cell that cannot be run does not end all
                    yield row | {"ok": False, "error": f"{type(error).__name__}: {error}"[:300]}
                    continue
                error = distance(found, expected)
                yield row | {"ok": bool(error < bound), "error": error}


def distance(found: Any, expected: Any) -> float:
    """The largest error of an array, beside its length; of short ones beside 1."""
    pairs = zip(tree.leaves(found), tree.leaves(expected), strict=True)
    return max(float(np.linalg.norm(a - e) / max(1.0, np.linalg.norm(e))) for (_, a), (_, e) in pairs)


def by_torch(device: torch.device, dtype: str, cell: Any, xs: Any, state: Any, lengths: list[int], dys: Any) -> Any:
    """Outputs, final state, and gradients of inputs, initial state and parameters, as float64 of NumPy."""
    kind = getattr(torch, dtype)
    cell, xs, state, dys = tree.convert(lambda a: torch.tensor(a, device=device, dtype=kind), (cell, xs, state, dys))
    given = tree.map(lambda t: t.requires_grad_(), (xs, state, cell))
    ys, final = modules.run(given[2], given[0], given[1], lengths)
    leaves = [leaf for _, leaf in tree.leaves(given)]
    slopes = iter(torch.autograd.grad(ys, leaves, dys, allow_unused=True))
    grads = tree.map(lambda t: torch.zeros_like(t) if (g := next(slopes)) is None else g, given)
    return tree.convert(lambda t: t.detach().double().cpu().numpy(), (ys, final, *grads))


def by_jax(dtype: str, *given: Any) -> Any:
    """As `by_torch`, on the device that JAX prefers."""
    import rnncore.jax

    jax = with_jax()
    cell, xs, state, lengths, dys = given
    values = rnncore.jax.arrays((cell, xs, state, dys))
    values = tree.convert(lambda a: jax.numpy.asarray(a, jax.numpy.dtype(dtype)), values)

    def both_ways(cell: Any, xs: Any, state: Any, dys: Any) -> Any:
        ys, final, tape = cell.forward(xs, state, lengths)
        return ys, final, *cell.backward(dys, tape)

    return tree.convert(lambda a: np.asarray(a, np.float64), jax.jit(both_ways)(*values))


# -- fast


def fast(device: torch.device, dry: bool) -> Iterator[dict[str, Any]]:
    """Seconds of a training step in each setting, by each way to run it."""
    sizes = [(2, 8, 3)] if dry else SIZES
    for B, H, T in sizes:
        for kind in KINDS:
            yield from timed(kind, B, H, T, device, dry)
    for name in OTHERS[:1] if dry else OTHERS:
        yield from timed(name, *((2, 8, 3) if dry else (32, 256, 128)), device, dry)


def timed(name: str, B: int, H: int, T: int, device: torch.device, dry: bool) -> Iterator[dict[str, Any]]:
    """One row for each way that can be taken here."""
    for way, make in WAYS.items():
        row: dict[str, Any] = {"cell": name, "B": B, "H": H, "T": T, "way": way}
        begin = time.perf_counter()
        try:
            step = make(name, B, H, T, device)
            if step is None:
                continue
            found = seconds(step, dry)
        except Exception as error:  # one way that cannot be gone does not end all
            yield row | {"error": f"{type(error).__name__}: {error}"[:300]}
            continue
        yield row | {"seconds": found, "us_per_step": 1e6 * found / T, "first": time.perf_counter() - begin}


def tensors(B: int, H: int, T: int, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs that want a gradient, and the gradient of the outputs."""
    torch.manual_seed(0)
    return torch.randn(T, B, H, device=device, requires_grad=True), torch.randn(T, B, H, device=device)


def steps(module: Any, xs: torch.Tensor, dys: torch.Tensor) -> Step:
    """A training step of a module."""
    parameters = [xs, *module.parameters()]

    def step() -> Any:
        return torch.autograd.grad(module(xs)[0], parameters, dys, allow_unused=True)

    return step


def of_torch(name: str, B: int, H: int, T: int, device: torch.device) -> Step | None:
    """torch.nn; on a GPU that is cuDNN."""
    kind = {"Elman": "RNN"}.get(name, name)
    return steps(getattr(torch.nn, kind)(H, H).to(device), *tensors(B, H, T, device)) if name in KINDS else None


def ours(name: str, H: int, device: torch.device) -> Any:
    return modules.Recurrent(name, H, H).to(device)


def loop(name: str, B: int, H: int, T: int, device: torch.device) -> Step:
    """Ours, step by step; on the CPU that is NumPy."""
    return steps(ours(name, H, device), *tensors(B, H, T, device))


def graph(name: str, B: int, H: int, T: int, device: torch.device) -> Step | None:
    """The same loop recorded once as a CUDA graph, and replayed: no launch waits for Python."""
    if device.type != "cuda":
        return None
    xs, dys = tensors(B, H, T, device)
    return steps(torch.cuda.make_graphed_callables(ours(name, H, device), (xs,)), xs, dys)


def compiled(name: str, B: int, H: int, T: int, device: torch.device) -> Step | None:
    """The loop unrolled by torch.compile."""
    if device.type != "cuda" or T > COMPILED or (B, H) != (32, 256):  # it takes minutes, so one size of each
        return None
    return steps(torch.compile(ours(name, H, device), fullgraph=True), *tensors(B, H, T, device))


def xla(name: str, B: int, H: int, T: int, device: torch.device) -> Step | None:
    """Ours on JAX arrays: XLA's loops."""
    jax = with_jax()
    if not jax or (device.type == "cuda") != (jax.devices()[0].platform == "gpu"):
        return None
    import rnncore.jax

    rng = np.random.default_rng(0)
    cell = rnncore.jax.arrays(rnncore.CELLS[name].init(rng, H, H))
    xs, dys = (jax.numpy.asarray(rng.standard_normal((T, B, H), np.float32)) for _ in range(2))

    @jax.jit
    def step(cell: Any, xs: Any, dys: Any) -> Any:
        _, _, tape = cell.forward(xs)
        return cell.backward(dys, tape)

    return lambda: jax.block_until_ready(step(cell, xs, dys))


WAYS = {"torch.nn": of_torch, "loop": loop, "CUDA graph": graph, "torch.compile": compiled, "JAX": xla}


# -- tables


def markdown(document: dict[str, Any]) -> str:
    """All results so far."""
    wrong = [row for row in document["right"] if not row["ok"]]
    flops, rate = document["limits"]["flops"], document["limits"]["bytes"]
    about = f"{document['cpu']}, {document['system']}; {document['date']}. {document['software']}."
    text = f"# {document['device']}\n\n{about}\n"
    text += f"\nMeasured limits: {flops / 1e12:.1f} TFLOP/s in float32, {rate / 1e9:.0f} GB/s.\n"
    text += f"\n## Right\n\n{len(document['right']) - len(wrong)} of {len(document['right'])} within rounding.\n\n"
    if wrong:
        text += "| cell | library | dtype | error |\n|:--|:--|:--|:--|\n"
        text += "".join(f"| {r['cell']} | {r['library']} | {r['dtype']} | {r['error']} |\n" for r in wrong)
    text += "\n## Fast: µs per time step of a training step\n\n"
    text += "| cell | B | H | T | " + " | ".join(WAYS) + " | best of ours: of peak | of bandwidth |\n"
    text += "|:--|" + "--:|" * (len(WAYS) + 5) + "\n"
    settings: dict[tuple, dict[str, Any]] = {}
    for row in document["fast"]:
        settings.setdefault((row["cell"], row["B"], row["H"], row["T"]), {})[row["way"]] = row
    for (name, B, H, T), rows in settings.items():
        cells = [f"{rows[way]['us_per_step']:.1f}" if "seconds" in rows.get(way, {}) else "–" for way in WAYS]
        best = min((r["seconds"] / T for way, r in rows.items() if way != "torch.nn" and "seconds" in r), default=None)
        share = ["–", "–"]
        if best and name in KINDS:  # three products of each of W and U, there and back; U read in both directions
            share = [
                f"{12 * B * H * H * KINDS[name] / best / flops:.1%}",
                f"{8 * H * H * KINDS[name] / best / rate:.1%}",
            ]
        text += f"| {name} | {B} | {H} | {T} | {' | '.join([*cells, *share])} |\n"
    return text


if __name__ == "__main__":
    main()
