"""What the tests of rnncore share: backends and devices, cells with random parameters, and layouts of sequences."""

import dataclasses
import os
import signal
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from hypothesis import settings

from rnncore import CELLS, tree
from rnncore.activations import ACTIVATIONS
from rnncore.testing import assert_close

os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # of hundreds of programs that are run once
settings.register_profile("rnncore", derandomize=True, deadline=None, max_examples=50)
settings.load_profile("rnncore")
torch.set_num_threads(1)
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a shell's background jobs, and then in all they start
    signal.signal(signal.SIGINT, signal.default_int_handler)

CUDA = torch.cuda.is_available()
BACKENDS = ["numpy", "torch-cpu", *(["torch-cuda"] if CUDA else [])]
TORCH = BACKENDS[1:]
STEPS, BATCH, LENGTHS = 5, 4, [3, 0, 5, 1]
LAYOUTS = {
    "plain": {},
    "ragged": {"lengths": LENGTHS},
    "reversed": {"reverse": True},
    "ragged-reversed": {"lengths": LENGTHS, "reverse": True},
}

OPTIONS = [  # that change the form of a cell
    ("Jordan", {"output_size": 2}),
    ("ODELSTM", {"solver": "heun", "unfolds": 2}),
    ("ODELSTM", {"solver": "rk4", "unfolds": 1}),
    ("PhasedLSTM", {"leak": 0.3}),
    ("ConvGRU", {"kernel_size": 1}),
    ("ConvLSTM", {"kernel_size": 5, "image": (2, 3)}),
    ("PeepholeConvLSTM", {"image": (1, 4)}),
    ("SCRN", {"context_size": 3, "alpha": 0.6}),
    ("Clockwork", {"periods": (3, 1)}),
    ("EchoState", {"leak_rate": 0.3, "bias_scale": 0.5}),
    ("EUNN", {"layers": 5}),
    ("TauGRU", {"delay": 3}),
    ("MCLSTM", {"mass_size": 2}),
    ("TimeDependentMCLSTM", {"mass_size": 2}),
    ("RHN", {"depth": 1}),
    ("RHN", {"coupled": False}),
]


def pytest_report_header():
    return f"rnncore: {', '.join(BACKENDS)}" + ("" if CUDA else "; there is no CUDA device here, so none is tested")


def variants():
    """Each cell of the registry with its defaults, and with every other activation that it can take."""
    for name, kind in CELLS.items():
        yield pytest.param(name, {}, id=name)
        for field in dataclasses.fields(kind):
            if field.name.endswith("activation"):
                for activation in sorted(set(ACTIVATIONS) - {field.default}):
                    yield pytest.param(name, {field.name: activation}, id=f"{name}-{field.name}={activation}")
    for name, options in OPTIONS:
        yield pytest.param(name, options, id=f"{name}-{'-'.join(f'{k}={v}' for k, v in options.items())}")


VARIANTS = list(variants())
KINDS = [pytest.param(name, {}, id=name) for name in CELLS]
KINDS += [pytest.param(name, options, id=f"{name}-{'-'.join(map(str, options))}") for name, options in OPTIONS]


def to(backend, values):
    """A tree of NumPy arrays on another backend and device."""
    if backend == "numpy":
        return tree.convert(np.array, values)
    return tree.convert(lambda a: torch.tensor(np.asarray(a), device=backend.removeprefix("torch-")), values)


@dataclasses.dataclass(frozen=True)
class Problem:
    """A cell, one run of it, and a loss that is linear in every output and in the final state: float64, none zero."""

    cell: object
    xs: object
    state: tuple
    dys: object
    dstate: tuple
    layout: dict

    @property
    def point(self):
        return self.cell, self.xs, self.state

    def loss(self, point):
        cell, xs, state = point
        ys, final, _ = cell.forward(xs, state, **self.layout)
        return (ys * self.dys).sum() + sum((f * d).sum() for f, d in zip(final, self.dstate, strict=True))

    def gradient(self, window=None):
        """Hand-written: of the parameters, the inputs and the initial state."""
        _, _, tape = self.cell.forward(self.xs, self.state, **self.layout)
        dxs, dstate, grads = self.cell.backward(self.dys, tape, self.dstate, window)
        return grads, dxs, dstate


def problem(name, options=None, layout=None, *, backend="numpy", T=STEPS, B=BATCH, D=3, H=4, seed=0):
    """A random `Problem` of these sizes."""
    rng = np.random.default_rng(seed)
    cell = CELLS[name].init(rng, D, H, dtype=np.float64, **(options or {}))
    cell = tree.map(lambda p: 0.6 * rng.standard_normal(p.shape), cell)
    state = tuple(rng.standard_normal((B, *shape)) for shape in cell.state_shapes)
    dstate = tuple(rng.standard_normal((B, *shape)) for shape in cell.state_shapes)
    xs = rng.standard_normal((T, B, *cell.input_shape))
    dys = rng.standard_normal((T, B, *cell.state_shapes[0]))
    values = (cell, xs, state, dys, dstate)
    return Problem(*to(backend, values), layout or {})


def agree(one, other, p, state=None):
    """Two cells give the same outputs and the same gradient of the inputs; `state` is where the other starts."""
    runs = []
    for cell, start in ((one, p.state), (other, state or p.state)):
        ys, _, tape = cell.forward(p.xs, start)
        runs.append((ys, cell.backward(p.dys, tape)[0]))
    assert_close(*runs)


@contextmanager
def refuses(error, *fragments):
    """Expect `error`, with each of `fragments` in its message."""
    with pytest.raises(error) as caught:
        yield
    for fragment in fragments:
        assert fragment in str(caught.value)


@pytest.fixture
def rng():
    return np.random.default_rng(0)
