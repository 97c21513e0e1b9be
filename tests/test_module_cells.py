"""Modules of a single step: against torch.nn.RNNCell, LSTMCell and GRUCell."""

import copy

import pytest
import torch

from rnncore import modules
from rnncore.testing import assert_close
from tests.conftest import refuses

KINDS = [
    ("RNNCell", {}),
    ("RNNCell", {"nonlinearity": "relu"}),
    ("RNNCell", {"bias": False}),
    ("LSTMCell", {}),
    ("LSTMCell", {"bias": False}),
    ("GRUCell", {}),
    ("GRUCell", {"bias": False}),
]
every_kind = pytest.mark.parametrize(("kind", "options"), KINDS)


def both(kind, options):
    torch.manual_seed(0)
    theirs = getattr(torch.nn, kind)(3, 4, dtype=torch.float64, **options)
    torch.manual_seed(0)
    return theirs, getattr(modules, kind)(3, 4, dtype=torch.float64, **options)


def result(module, x, hx):
    """The new state after three steps, and all gradients of a function of it."""
    leaves = [x, *([] if hx is None else hx if isinstance(hx, tuple) else [hx])]
    for _ in range(3):
        hx = module(x, hx)
    states = hx if isinstance(hx, tuple) else (hx,)
    loss = sum((s * (s + torch.arange(4))).sum() for s in states)
    return *states, *torch.autograd.grad(loss, [*leaves, *module.parameters()])


@every_kind
@pytest.mark.parametrize("batch", [(), (5,)], ids=["alone", "batch"])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
def test_a_step_is_that_of_torch(kind, options, batch, given):
    theirs, ours = both(kind, options)
    assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)
    x, h, c = (torch.randn(*batch, n, dtype=torch.float64, requires_grad=True) for n in (3, 4, 4))
    hx = None if not given else (h, c) if kind == "LSTMCell" else h
    expected = [a.detach() for a in result(theirs, x, hx)]
    assert_close([a.detach() for a in result(ours, x, hx)], expected, rtol=1e-10, atol=1e-10)
    assert_close([a.detach() for a in result(copy.deepcopy(ours), x, hx)], expected, rtol=1e-10, atol=1e-10)
    assert isinstance(ours, getattr(torch.nn, kind))
    assert repr(ours) == repr(theirs)


def test_a_step_is_one_of_the_layer():
    torch.manual_seed(0)
    layer, step = modules.GRU(3, 4), modules.GRUCell(3, 4)
    step.load_state_dict({name.removesuffix("_l0"): value for name, value in layer.state_dict().items()})
    x, h = torch.randn(6, 2, 3), torch.zeros(2, 4)
    for t in range(6):
        h = step(x[t], h)
    assert_close(h.detach(), layer(x)[1][0].detach(), rtol=1e-6, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")
@pytest.mark.parametrize("kind", ["RNNCell", "LSTMCell", "GRUCell"])
def test_a_step_is_compiled_and_exported(kind):
    module, x = getattr(modules, kind)(3, 4), torch.randn(2, 3)
    compiled = torch.compile(module, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(x), module(x))
    program = torch.export.export(module, (x,), dynamic_shapes={"input": {0: torch.export.Dim.DYNAMIC}})
    other = torch.randn(5, 3)
    torch.testing.assert_close(program.module()(other), module(other))


def test_autocast_leaves_the_dtype_of_the_parameters():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = modules.GRUCell(3, 4)(torch.zeros(2, 3).bfloat16(), torch.zeros(2, 4).bfloat16())
    assert h.dtype == torch.float32


def test_errors():
    x, gru, lstm = torch.zeros(2, 3), modules.GRUCell(3, 4), modules.LSTMCell(3, 4)
    with refuses(ValueError, "GRUCell: input must have shape (B, 3) or (3,), received shape (1, 2, 3)"):
        gru(x[None])
    with refuses(ValueError, "GRUCell: input must have shape (B, 3) or (3,), received a list"):
        gru(x.tolist())
    with refuses(ValueError, "GRUCell: input must have shape (2, 3), received (2, 4)"):
        gru(torch.zeros(2, 4))
    with refuses(ValueError, "GRUCell: hx must have shape (4,), received (1, 4)"):
        gru(x[0], torch.zeros(1, 4))
    with refuses(TypeError, "LSTMCell: hx must be a tuple of h and c, received a Tensor"):
        lstm(x, torch.zeros(2, 4))
    with refuses(ValueError, "LSTMCell: hx[1] must have shape (2, 4), received (2, 5)"):
        lstm(x, (torch.zeros(2, 4), torch.zeros(2, 5)))
    with refuses(TypeError, "LSTMCell: hx[1] must be an array of shape (2, 4), received a NoneType"):
        lstm(x, (torch.zeros(2, 4), None))
    with refuses(TypeError, "GRUCell: input has dtype torch.float64, but torch.float32 was wanted"):
        gru(x.double())
