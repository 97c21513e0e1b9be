"""What of torch.nn's habits `rnncore.modules` share: a test behind each line of the table in `book/libraries.md`."""

import copy
import importlib
import re
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.autograd import forward_ad
from torch.nn.utils import rnn

from rnncore import modules
from rnncore.modules import Recurrent
from tests.conftest import refuses

PAGE = Path(__file__).parents[1] / "book" / "libraries.md"
HERE = "test_habits."
BEHIND = {
    "constructor": "test_modules.test_parameters_are_those_of_torch",
    "layouts": "test_modules.test_module_is_that_of_torch",
    "dropout": "test_modules.test_dropout_is_that_of_torch",
    "steps": "test_module_cells.test_a_step_is_that_of_torch",
    "copies": "test_modules.test_modules_are_copied_and_stored",
    "parametrizations": "test_modules.test_reparametrised_weights",
    "meta": "test_modules.test_shapes_without_numbers",
    "isinstance": HERE + "test_who_asks_for_the_class_of_torch_passes_by",
    "empty": HERE + "test_no_step_is_a_run_too",
    "second": HERE + "test_second_derivatives",
    "forward mode": HERE + "test_forward_mode_is_refused",
    "transforms": "test_modules.test_gradients_of_single_samples",
    "batched": "test_modules.test_gradients_in_batches",
    "in place": HERE + "test_outputs_changed_in_place",
    "autocast": "test_modules.test_autocast_leaves_the_dtype_of_the_parameters",
    "half": HERE + "test_half_precision_of_any_cell",
    "compile": HERE + "test_a_compiled_module_is_compiled_for_each_length",
    "export": "test_modules.test_an_export_takes_any_batch",
    "script": HERE + "test_readers_of_programs_are_refused",
    "leaf": HERE + "test_a_tracer_may_take_it_as_a_leaf",
    "parallel": "test_parallel.test_gradients_of_two_processes_are_those_of_one",
}
KINDS = ["RNN", "LSTM", "GRU"]
every_kind = pytest.mark.parametrize("kind", KINDS)


def test_each_line_of_the_table_has_its_test():
    rows = re.findall(r"^\| .* <!-- (.+) --> \|$", PAGE.read_text(), re.MULTILINE)
    assert rows == list(BEHIND)
    for name in BEHIND.values():
        file, function = name.split(".")
        assert callable(getattr(importlib.import_module(f"tests.{file}"), function))


def test_the_code_for_torch_on_that_page_runs():
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    scope = {}
    for block in blocks:
        exec(block, scope)
    assert len(blocks) == 3
    assert scope["c"].shape == (4, 8)
    assert scope["xs_in_parts"].shape == (20, 4, 3)


class Network(nn.Module):
    """A recurrent layer inside something else."""

    def __init__(self, layer):
        super().__init__()
        self.layer, self.linear = layer, nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(self.layer(x)[0])


def layer(kind):
    torch.manual_seed(0)
    return getattr(modules, kind)(3, 4)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:torch.quantize_per_tensor")  # torch's own
@every_kind
def test_who_asks_for_the_class_of_torch_passes_by(kind):
    module, x = layer(kind), torch.randn(5, 2, 3)
    assert isinstance(module, nn.RNNBase)
    assert not isinstance(module, getattr(nn, kind))
    quantized = torch.ao.quantization.quantize_dynamic(Network(module), {getattr(nn, kind), nn.Linear})
    assert type(quantized.layer) is type(module)
    assert torch.equal(quantized.layer(x)[0], module(x)[0])


@every_kind
def test_no_step_is_a_run_too(kind):
    module, h = layer(kind), torch.randn(1, 2, 4, requires_grad=True)
    x = torch.zeros(0, 2, 3, requires_grad=True)
    ys, final = module(x, (h, h + 1) if kind == "LSTM" else h)
    final = final[0] if kind == "LSTM" else final
    assert ys.shape == (0, 2, 4)
    assert torch.equal(final, h)
    (final * torch.arange(4)).sum().backward()
    assert torch.equal(h.grad, torch.arange(4.0).expand(1, 2, 4))
    assert all(p.grad is None or not p.grad.any() for p in module.parameters())
    with pytest.raises(RuntimeError, match="sequence length to be larger than 0"):
        getattr(nn, kind)(3, 4)(x)


@every_kind
def test_second_derivatives(kind):
    module, x = layer(kind).double(), torch.randn(3, 2, 3, dtype=torch.float64)
    theirs = getattr(nn, kind)(3, 4).double()
    theirs.load_state_dict(module.state_dict())

    def loss(module, x):
        return module(x)[0].square().sum()

    expected = torch.autograd.functional.hessian(lambda x: loss(theirs, x), x)
    assert expected.abs().max() > 0.01
    torch.testing.assert_close(torch.autograd.functional.hessian(lambda x: loss(module, x), x), expected)
    torch.testing.assert_close(torch.func.jacrev(torch.func.jacrev(lambda x: loss(module, x)))(x), expected)
    found = []
    for network in (module, theirs):
        packed = rnn.pack_padded_sequence(x.requires_grad_(), [3, 2])
        (slope,) = torch.autograd.grad(network(packed)[0].data.square().sum(), x, create_graph=True)
        found += torch.autograd.grad(slope.square().sum(), x)
    torch.testing.assert_close(*found)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit
@every_kind
def test_forward_mode_is_refused(kind):
    module, x = layer(kind), torch.randn(3, 2, 3)
    with forward_ad.dual_level(), pytest.raises(NotImplementedError, match="forward mode AD"):
        module(forward_ad.make_dual(x, x))


@every_kind
def test_outputs_changed_in_place(kind):
    module, x = layer(kind), torch.randn(3, 2, 3)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        module(x)[0].add_(1).sum().backward()
    module(x)[0].clone().add_(1).sum().backward()
    assert module.weight_hh_l0.grad.any()


@pytest.mark.parametrize("name", ["UnitaryRNN", "EUNN", "ExpRNN"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_of_any_cell(name, dtype):
    with refuses(TypeError, f"{name}: W has dtype {dtype}, but float32 or float64 was wanted"):
        Recurrent(name, 3, 4).to(dtype)(torch.zeros(3, 2, 3, dtype=dtype))
    ys, _ = Recurrent("NBRC", 3, 4).to(dtype)(torch.zeros(3, 2, 3, dtype=dtype))
    assert ys.dtype == dtype


@pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")
def test_a_compiled_module_is_compiled_for_each_length():
    module, made = layer("GRU"), []

    def backend(graph, _):
        made.append(graph)
        return graph

    torch._dynamo.reset()
    compiled = torch.compile(module, backend=backend, fullgraph=True)
    with torch.no_grad():
        for steps in (3, 4, 3):
            x = torch.randn(steps, 2, 3)
            torch.testing.assert_close(compiled(x), module(x))
        assert len(made) == 2
        torch._dynamo.reset()
        with pytest.raises(torch._dynamo.exc.Unsupported, match="does not support RNN, GRU, or LSTM"):
            torch.compile(nn.GRU(3, 4), backend=backend, fullgraph=True)(x)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, of torch.jit
@pytest.mark.parametrize("make", [*(lambda k=k: layer(k) for k in KINDS), lambda: Recurrent("Elman", 3, 4)])
def test_readers_of_programs_are_refused(make):
    module, x = make(), torch.zeros(3, 2, 3)
    for who, read in {
        "torch.jit.script": lambda m: torch.jit.script(m),
        "torch.jit.trace": lambda m: torch.jit.trace(m, (x,)),
        "torch.fx.symbolic_trace": lambda m: torch.fx.symbolic_trace(m),
    }.items():
        for whole in (module, Network(module)):
            with refuses(RuntimeError, f"{who} cannot follow it; torch.export and torch.compile can"):
                read(whole)


def test_a_tracer_may_take_it_as_a_leaf():
    class Tracer(torch.fx.Tracer):
        def is_leaf_module(self, module, name):
            return isinstance(module, modules.GRU) or super().is_leaf_module(module, name)

    network, x = Network(layer("GRU")), torch.randn(5, 2, 3)
    traced = torch.fx.GraphModule(network, Tracer().trace(network))
    torch.testing.assert_close(copy.deepcopy(traced)(x), network(x))


@every_kind
def test_a_subclass_is_what_it_is_made_of(kind):
    theirs = type("Mine", (getattr(modules, kind),), {})(3, 4)
    assert theirs.mode == getattr(nn, kind)(3, 4).mode
