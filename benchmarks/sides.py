"""What is compared: the same step by torch.nn, by `rnncore` in its several ways, and by Equinox."""

from collections.abc import Callable
from typing import Any

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
Steps = dict[str, Callable[[], Any]]


def shared_cells() -> list[str]:
    """Our names of the cells that torchrecurrent has too."""
    import torchrecurrent

    import rnncore

    same = [name for name in rnncore.CELLS if hasattr(torchrecurrent, name) and name not in OTHER_NAMES.values()]
    return [*same, *OTHER_NAMES]


def described(key: str) -> dict:
    """What a setting is."""
    kind, (B, H, T), special = LAYERS[key]
    return {"label": f"{kind} {special}".strip(), "B": B, "H": H, "T": T}


def drawn(key: str, sizes: tuple[int, int, int] | None = None) -> tuple:
    """A cell, inputs, gradients of the outputs, and the lengths of a ragged batch."""
    import numpy as np

    import rnncore

    kind, (B, H, T), special = LAYERS[key]
    B, H, T = sizes or (B, H, T)
    dtype = np.float64 if special == "float64" else np.float32
    rng = np.random.default_rng(0)
    P = H // 4 if special == "projected" else 0
    name = "ProjectedLSTM" if P else {"RNN": "Elman"}.get(kind, kind)
    cell = rnncore.CELLS[name].init(rng, H, H, *([P] if P else []), dtype=dtype)
    xs = rng.standard_normal((T, B, H)).astype(dtype)
    dys = rng.standard_normal((T, B, P or H)).astype(dtype)
    lengths = rng.integers(max(1, T // 10), T + 1, B) if special == "ragged" else None
    if lengths is not None:
        lengths[0] = T
    return cell, xs, dys, lengths


def modules_of(key: str, cell: Any) -> list[Any]:
    """The layer of torch.nn, and ours, with the weights of the cell."""
    import torch

    from rnncore import modules

    kind, _, special = LAYERS[key]
    H, made = cell.U.shape[1] // {"RNN": 1, "GRU": 3, "LSTM": 4}[kind], []
    for library in (torch.nn, modules):
        options = {"proj_size": cell.R.shape[1]} if special == "projected" else {}
        module = getattr(library, kind)(H, H, dtype=torch.from_numpy(cell.b).dtype, **options)
        with torch.no_grad():
            module.weight_ih_l0.copy_(torch.from_numpy(cell.W.T))
            module.weight_hh_l0.copy_(torch.from_numpy(cell.U.T))
            module.bias_ih_l0.copy_(torch.from_numpy(cell.b))
            module.bias_hh_l0.zero_()
            if options:
                module.weight_hr_l0.copy_(torch.from_numpy(cell.R.T))
        made.append(module)
    return made


def on_numpy(step: Callable[[], Any]) -> Callable[[], Any]:
    """The step, run by NumPy."""
    import rnncore

    def run() -> Any:
        with rnncore.engine("numpy"):
            return step()

    return run


def on_engine(step: Callable[[], Any]) -> Callable[[], Any]:
    """The step, compiled after two runs."""
    import rnncore

    def run() -> Any:
        with rnncore.engine("xla", after=2):
            return step()

    return run


def of_layer(key: str, sizes: tuple[int, int, int] | None = None, check: bool = True) -> Steps:
    """Training steps, forward and backward with the inputs' gradient; checked to do the same."""
    import numpy as np
    import torch
    from torch.nn.utils import rnn

    cell, xs, dys, lengths = drawn(key, sizes)
    theirs, ours = modules_of(key, cell)
    inputs, cotangent = torch.from_numpy(xs.copy()).requires_grad_(), torch.from_numpy(dys)

    def by_cell() -> tuple:
        ys, _, tape = cell.forward(xs, lengths=lengths)
        dxs, _, grads = cell.backward(dys, tape)
        return ys, dxs, grads.U

    def by(module: Any) -> Callable[[], tuple]:
        def step() -> tuple:
            module.zero_grad(set_to_none=True)
            inputs.grad = None
            if lengths is None:
                ys = module(inputs)[0]
            else:
                packed = rnn.pack_padded_sequence(inputs, torch.from_numpy(lengths), enforce_sorted=False)
                ys = rnn.pad_packed_sequence(module(packed)[0])[0]
            ys.backward(cotangent)
            return ys.detach().numpy(), inputs.grad.numpy(), module.weight_hh_l0.grad.numpy().T

        return step

    steps: Steps = {
        "torch.nn": by(theirs),
        "NumPy": on_numpy(by_cell),
        "engine": on_engine(by_cell),
        "modules": on_engine(by(ours)),
    }
    if check:  # the same work, or there is nothing to compare
        wanted = steps["torch.nn"]()
        for side, step in steps.items():
            for a, e in zip(step(), wanted, strict=True):
                assert np.abs(a - e).max() <= 1e-3 * np.abs(e).max(), (key, side)
    if not sizes and not LAYERS[key][2]:
        steps["JAX"] = derivatives(key)[0]["by hand"]
        if LAYERS[key][0] != "RNN":  # which Equinox does not have
            steps["Equinox"] = equinox_step(key)
    return steps


def of_inference(key: str) -> Steps:
    """Runs forward alone."""
    import torch
    from torch.nn.utils import rnn

    cell, xs, _, lengths = drawn(key)
    theirs, ours = modules_of(key, cell)
    inputs = torch.from_numpy(xs)

    def by(module: Any) -> Callable[[], None]:
        def step() -> None:
            with torch.no_grad():
                if lengths is None:
                    module(inputs)
                else:
                    packed = rnn.pack_padded_sequence(inputs, torch.from_numpy(lengths), enforce_sorted=False)
                    rnn.pad_packed_sequence(module(packed)[0])

        return step

    def by_cell() -> None:
        cell.forward(xs, lengths=lengths)

    return {
        "torch.nn": by(theirs),
        "NumPy": on_numpy(by_cell),
        "engine": on_engine(by_cell),
        "modules": on_engine(by(ours)),
    }


def derivatives(key: str) -> tuple[Steps, dict[str, float]]:
    """The training step as one program of JAX, its backward pass by hand or by JAX; and the MB that each works in."""
    import jax
    import jax.numpy as jnp

    from rnncore.jax import arrays

    cell, xs, dys, _ = drawn(key)
    T, B, _ = xs.shape
    given = arrays(cell), jnp.asarray(xs), jnp.asarray(dys)

    def by_hand(cell: Any, xs: Any, dys: Any) -> Any:
        ys, _, _ = cell.forward(xs)
        return jnp.vdot(ys, dys)

    def plain(cell: Any, xs: Any, dys: Any) -> Any:
        def step(state: Any, projected: Any) -> tuple:
            state, _ = cell.advance(projected, state)
            return state, state[0]

        projected = cell.project(xs.reshape(T * B, -1))
        _, ys = jax.lax.scan(step, cell.initial_state(B), projected.reshape(T, B, -1))
        return jnp.vdot(ys, dys)

    steps, megabytes = {}, {}
    for way, loss in {"by hand": by_hand, "autodiff": plain}.items():
        program = jax.jit(jax.grad(loss, argnums=(0, 1))).lower(*given).compile()
        steps[way] = lambda program=program: jax.block_until_ready(program(*given))
        megabytes[way] = program.memory_analysis().temp_size_in_bytes / 1e6
    return steps, megabytes


def equinox_step(key: str) -> Callable[[], Any]:
    """The training step of Equinox's cell: scanned, and differentiated by JAX."""
    import equinox
    import jax
    import jax.numpy as jnp

    kind, (B, H, _), _ = LAYERS[key]
    _, xs, dys, _ = drawn(key)
    cell = getattr(equinox.nn, f"{kind}Cell")(H, H, key=jax.random.key(0))
    given = jnp.asarray(xs), jnp.asarray(dys)
    zeros = jnp.zeros((B, H), xs.dtype)

    def loss(arguments: Any, dys: Any) -> Any:
        cell, xs = arguments

        def step(state: Any, x: Any) -> tuple:
            state = jax.vmap(cell)(x, state)
            return state, state[0] if kind == "LSTM" else state

        _, ys = jax.lax.scan(step, (zeros, zeros) if kind == "LSTM" else zeros, xs)
        return jnp.vdot(ys, dys)

    slope = equinox.filter_jit(equinox.filter_grad(loss))
    return lambda: jax.block_until_ready(jax.tree_util.tree_leaves(slope((cell, given[0]), given[1])))


def products(key: str) -> Callable[[], None]:
    """The matrix products of a training step and nothing else, by NumPy's BLAS."""
    import numpy as np

    cell, xs, dys, lengths = drawn(key)
    N = xs.shape[0] * xs.shape[1] if lengths is None else int(lengths.sum())
    batches = xs.shape[0] if lengths is None else max(1, round(N / xs.shape[1]))
    rng = np.random.default_rng(0)
    x, h = (rng.standard_normal((N, n)).astype(xs.dtype) for n in (cell.W.shape[0], cell.U.shape[0]))
    da = rng.standard_normal((N, cell.W.shape[1])).astype(xs.dtype)
    h1, da1 = h[: xs.shape[1]].copy(), da[: xs.shape[1]].copy()
    R = getattr(cell, "R", None)
    o = None if R is None else rng.standard_normal((N, R.shape[0])).astype(xs.dtype)

    def step() -> None:
        x @ cell.W, da @ cell.W.T, x.T @ da, h.T @ da
        for _ in range(batches):
            h1 @ cell.U, da1 @ cell.U.T
        if R is not None:
            o.T @ dys.reshape(-1, R.shape[1])[:N]
            for _ in range(batches):
                o[: xs.shape[1]] @ R, h1 @ R.T

    return step


def of_cell(name: str) -> Steps:
    """A training step of our cell, and of torchrecurrent's layer of it."""
    import numpy as np
    import torch
    import torchrecurrent

    import rnncore

    T, B, H = 100, 32, 128
    rng = np.random.default_rng(0)
    cell = rnncore.CELLS[name].init(rng, H, H)
    xs, dys = (rng.standard_normal((T, B, H), dtype=np.float32) for _ in range(2))
    module = getattr(torchrecurrent, OTHER_NAMES.get(name, name))(H, H)
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

    return {"torchrecurrent": theirs, "NumPy": on_numpy(ours), "engine": on_engine(ours)}
