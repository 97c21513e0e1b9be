"""torch modules of the cells: against torch.nn, against autograd through the same cells, and all that torch does."""

import copy
import gc
import io
import pickle
import tracemalloc

import numpy as np
import pytest
import torch
from torch._subclasses import FakeTensorMode
from torch.nn.utils import parametrizations, rnn
from torch.nn.utils.rnn import PackedSequence
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

import rnncore
from rnncore import CELLS, modules, tree
from rnncore.modules import Recurrent, function
from rnncore.recurrence import Tape
from rnncore.testing import assert_close
from tests.conftest import LAYOUTS, TORCH, VARIANTS, problem, refuses

KINDS = {
    "tanh": ("RNN", {}),
    "relu": ("RNN", {"nonlinearity": "relu"}),
    "LSTM": ("LSTM", {}),
    "projected": ("LSTM", {"proj_size": 2}),
    "GRU": ("GRU", {}),
}
STACKS = {"one": (1, False), "two": (2, False), "both ways": (1, True), "two both ways": (2, True)}
INPUTS = ["plain", "batch_first", "unbatched", "sorted", "unsorted"]
ROUNDING = {"rtol": 1e-10, "atol": 1e-10}

every_kind = pytest.mark.parametrize("kind", KINDS)
every_cell = pytest.mark.parametrize("name", CELLS)
every_device = pytest.mark.parametrize("backend", TORCH)


@pytest.fixture(params=["NumPy", "torch"])
def either_library(request, monkeypatch):
    """On the CPU: with NumPy doing the work, and with torch."""
    if request.param == "torch":
        monkeypatch.setattr(function, "_fit_for_numpy", lambda tensors: False)


def both(kind, layers=2, both_ways=True, *, backend="torch-cpu", **options):
    """The module of torch.nn and ours with the same random parameters, in float64."""
    name, more = KINDS[kind]
    options = {"num_layers": layers, "bidirectional": both_ways, "dtype": torch.float64, **more, **options}
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(3, 4, device=backend.removeprefix("torch-"), **options)
    ours = getattr(modules, name)(3, 4, device=backend.removeprefix("torch-"), **options)
    ours.load_state_dict(theirs.state_dict())
    return theirs, ours


def random(*shape, backend="torch-cpu"):
    return torch.randn(*shape, dtype=torch.float64, device=backend.removeprefix("torch-"), requires_grad=True)


def inputs_of(layout, backend="torch-cpu"):
    """The input tensor, and what a module is given of it."""
    if layout == "unbatched":
        x = random(5, 3, backend=backend)
        return x, x
    x = random(5, 4, 3, backend=backend)
    if layout == "batch_first":
        return x, x.transpose(0, 1)
    if layout == "plain":
        return x, x
    lengths = [5, 4, 2, 2] if layout == "sorted" else [2, 5, 2, 4]
    return x, rnn.pack_padded_sequence(x, lengths, enforce_sorted=layout == "sorted")


def states_of(module, batch, backend="torch-cpu"):
    """A random initial state; batch None: without that axis."""
    count, P = module.num_layers * (1 + module.bidirectional), module.proj_size or module.hidden_size
    widths = [P, module.hidden_size] if module.mode == "LSTM" else [P]
    return [random(count, *([] if batch is None else [batch]), width, backend=backend) for width in widths]


def result(module, given, states, leaves):
    """Outputs, final state, and the gradients of a function of all of them."""
    hx = None if states is None else tuple(states) if len(states) > 1 else states[0]
    ys, final = module(given, hx)
    final = list(final) if isinstance(final, tuple) else [final]
    rest = []
    if isinstance(ys, PackedSequence):
        ys, *rest = ys
    loss = sum((a * (a + torch.arange(a.shape[-1], device=a.device))).sum() for a in (ys, *final))
    grads = torch.autograd.grad(loss, [*leaves, *module.parameters()], retain_graph=True)  # packing has a graph
    return [a.detach() for a in (ys, *final, *grads, *(r for r in rest if r is not None))]


# -- against torch.nn


@every_device
@pytest.mark.parametrize("layout", INPUTS)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("stack", STACKS)
@every_kind
def test_module_is_that_of_torch(kind, stack, bias, layout, backend):
    theirs, ours = both(kind, *STACKS[stack], backend=backend, bias=bias, batch_first=layout == "batch_first")
    x, given = inputs_of(layout, backend)
    states = states_of(theirs, None if layout == "unbatched" else 4, backend)
    expected = result(theirs, given, states, [x, *states])
    assert_close(result(ours, given, states, [x, *states]), expected, **ROUNDING)


@pytest.mark.parametrize("layout", INPUTS)
@every_kind
def test_the_state_is_zero_where_none_is_given(kind, layout, either_library):
    theirs, ours = both(kind, batch_first=layout == "batch_first")
    x, given = inputs_of(layout)
    assert_close(result(ours, given, None, [x]), result(theirs, given, None, [x]), **ROUNDING)


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # torch.nn's own
@every_kind
def test_float32(kind, either_library):
    theirs, ours = (module.float() for module in both(kind))
    x = random(5, 4, 3).detach().float().requires_grad_()
    assert_close(result(ours, x, None, [x]), result(theirs, x, None, [x]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("layout", ["plain", "batch_first"])
@every_kind
def test_dropout_is_that_of_torch(kind, layout):
    theirs, ours = both(kind, 3, dropout=0.4, batch_first=layout == "batch_first")
    x, given = inputs_of(layout)
    runs = []
    for module in (theirs, ours):
        torch.manual_seed(1)
        runs.append(result(module, given, None, [x]))
    assert_close(runs[1], runs[0], **ROUNDING)
    assert_close(ours.eval()(given), theirs.eval()(given), **ROUNDING)
    assert not torch.equal(runs[1][0], ours(given)[0])


@every_kind
def test_parameters_are_those_of_torch(kind):
    name, options = KINDS[kind]
    made = []
    for library in (torch.nn, modules):
        torch.manual_seed(0)
        made.append(getattr(library, name)(3, 4, 2, bidirectional=True, **options))
    theirs, ours = made
    assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)
    assert repr(ours) == repr(theirs)
    for module in made:
        torch.nn.init.ones_(module.weight_ih_l1)
    theirs.load_state_dict(ours.state_dict(), strict=True)
    ours.load_state_dict(theirs.state_dict(), strict=True)
    ours.flatten_parameters()


@pytest.mark.parametrize(("kind", "cell"), [("tanh", "Elman"), ("LSTM", "LSTM"), ("projected", "ProjectedLSTM")])
def test_cell_is_that_of_a_layer(kind, cell):
    _, ours = both(kind)
    found = ours.cell(1, reverse=True)
    assert type(found) is CELLS[cell]
    assert torch.equal(found.W, ours.weight_ih_l1_reverse.T)


# -- any cell


def recurrent(name, options=None, backend="torch-cpu", layout=None, **sizes):
    p = problem(name, options, layout, backend=backend, **sizes)
    module = Recurrent(p.cell)
    return module, p, [p.xs.requires_grad_(), *(s.requires_grad_() for s in p.state), *module.parameters()]


def losses(module, p, run):
    ys, final = run(module.cell, p.xs, p.state, **p.layout)[:2]
    return (ys * ys * p.dys).sum() + sum((f * f * d).sum() for f, d in zip(final, p.dstate, strict=True))


def plain(cell, *arguments, **layout):
    """The cell under torch's own autograd."""
    return cell.forward(*arguments, **layout)


@every_device
@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_gradients_of_any_cell_are_those_of_autograd(name, options, layout, backend):
    module, p, leaves = recurrent(name, options, backend, layout)
    runs = [losses(module, p, run) for run in (lambda cell, *a, **k: module(*a, **k), plain)]
    actual, expected = (torch.autograd.grad(loss, leaves, materialize_grads=True) for loss in runs)
    assert_close([runs[0].detach(), actual], [runs[1].detach(), expected], **ROUNDING)
    addresses = [g.untyped_storage().data_ptr() for g in actual if g.numel()]
    assert len(set(addresses)) == len(addresses)  # an optimiser writes into them


@every_device
@every_cell
def test_gradients_of_any_cell_are_differentiated_again(name, backend):
    module, p, leaves = recurrent(name, backend=backend, T=3, B=2)
    found = []
    for run in (modules.run, plain):
        first = torch.autograd.grad(losses(module, p, run), leaves, create_graph=True, materialize_grads=True)
        total = sum((g * torch.linspace(-1, 1, g.numel(), device=g.device).reshape(g.shape)).sum() for g in first)
        found.append(torch.autograd.grad(total, leaves, materialize_grads=True))
    assert_close(*found, rtol=1e-9, atol=1e-9)


@every_device
@every_cell
def test_gradients_of_each_sequence_of_any_cell(name, backend):
    module, p, _ = recurrent(name, backend=backend, T=3, B=2)
    parameters = {key: value.detach() for key, value in module.named_parameters()}

    def loss(parameters, x):
        ys, final = torch.func.functional_call(module, parameters, (x[:, None],))
        return (ys * ys).sum() + sum(f.sum() for f in final)

    gradient, xs = torch.func.grad(loss, (0, 1)), p.xs.detach()
    mapped = torch.func.vmap(gradient, (None, 1))(parameters, xs)
    for i in range(2):
        x = xs[:, i].clone().requires_grad_()
        leaves = [*module.parameters(), x]
        expected = torch.autograd.grad(loss(dict(module.named_parameters()), x), leaves, materialize_grads=True)
        assert_close([g[i] for g in (*mapped[0].values(), mapped[1])], list(expected), **ROUNDING)


@every_cell
def test_checkpointed_runs_of_any_cell(name):
    module, p, leaves = recurrent(name)
    runs = [module(p.xs, p.state, checkpoint=k)[0].square().sum() for k in (None, 2)]
    actual, expected = (torch.autograd.grad(loss, leaves) for loss in runs)
    assert_close(actual, expected, **ROUNDING)


@every_cell
def test_a_cell_by_its_name(name):
    made = []
    for seed in (0, 0, 1):
        torch.manual_seed(seed)
        made.append(Recurrent(name, 3, 4))
    assert type(made[0].cell) is CELLS[name]
    assert {a.dtype for a in made[0].state_dict().values()} == {torch.float32}
    assert_close(*(dict(m.state_dict()) for m in made[:2]), rtol=0, atol=0)
    assert not torch.equal(made[0].W, made[2].W)
    assert name in repr(made[0])


@every_cell
def test_modules_of_any_cell_are_copied_and_stored(name):
    module, p, _ = recurrent(name)
    names = {path.replace(".", "_") for path, _ in tree.leaves(p.cell, and_fixed=True)}
    assert module.state_dict().keys() == names
    assert {name for name, _ in module.named_parameters()} == {
        path.replace(".", "_") for path, _ in tree.leaves(p.cell)
    }
    expected = module(p.xs, p.state)[0]
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), stored(module)):
        assert torch.equal(twin(p.xs, p.state)[0], expected)
        assert twin.W is not module.W
    zero = Recurrent(tree.convert(lambda a: 0 * a, p.cell))
    zero.load_state_dict(module.state_dict())
    assert torch.equal(zero(p.xs, p.state)[0], expected)


def stored(module):
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def test_a_module_copies_the_cell_it_is_given(rng):
    cell = rnncore.LSTM.init(rng, 3, 4)
    module = Recurrent(cell, dtype=torch.float64)
    assert module.W.dtype == torch.float64
    with torch.no_grad():
        module.W.zero_()
    assert cell.W.any()
    assert module.cell.W is module.W


# -- derivatives of derivatives, of single samples, compiled


def differentiable(module, x, states=()):
    """The module as a function of its input, state and parameters."""
    names = [name for name, _ in module.named_parameters()]

    def run(x, *rest):
        hx = rest[: len(states)]
        parameters = dict(zip(names, rest[len(states) :], strict=True))
        ys, final = torch.func.functional_call(module, parameters, (x, hx if len(hx) > 1 else hx[0]))
        return ys, *(final if isinstance(final, tuple) else (final,))

    return run, (x, *states, *module.parameters())


@every_device
@pytest.mark.parametrize("kind", ["tanh", "LSTM", "projected", "GRU"])
def test_gradcheck_and_gradgradcheck(kind, backend, either_library):
    name, options = KINDS[kind]
    options = options and {"proj_size": 1}
    device = backend.removeprefix("torch-")
    module = getattr(modules, name)(2, 2, **options, bias=kind == "GRU", dtype=torch.float64, device=device)
    function, point = differentiable(module, random(3, 2, 2, backend=backend), states_of(module, 2, backend))
    assert torch.autograd.gradcheck(function, point)
    assert torch.autograd.gradgradcheck(function, point)


@every_device
@every_kind
def test_gradients_of_single_samples(kind, backend):
    _, module = both(kind, backend=backend)
    xs = random(6, 5, 3, backend=backend).detach()
    parameters = {name: p.detach() for name, p in module.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(module, parameters, (x,))[0].square().sum()

    mapped = torch.func.vmap(torch.func.grad(loss), (None, 0))(parameters, xs)
    for i, x in enumerate(xs):
        module.zero_grad()
        loss(dict(module.named_parameters()), x).backward()
        expected = {name: p.grad for name, p in module.named_parameters()}
        assert_close({name: g[i] for name, g in mapped.items()}, expected, **ROUNDING)


def test_an_ensemble_of_modules():
    ensemble = [both("GRU")[1] for _ in range(2)]
    for module in ensemble:
        module.reset_parameters()
    parameters, _ = torch.func.stack_module_state(ensemble)
    x = random(5, 4, 3).detach()
    for known in (parameters, {name: p.detach() for name, p in parameters.items()}):
        mapped = torch.func.vmap(lambda p: torch.func.functional_call(ensemble[0], p, (x,)))(known)
        for i, module in enumerate(ensemble):
            assert_close([m[i].detach() for m in mapped], [a.detach() for a in module(x)], **ROUNDING)


COMPILED = {
    "RNN": lambda: modules.RNN(3, 4, nonlinearity="relu", dtype=torch.float64),
    "LSTM": lambda: modules.LSTM(3, 4, proj_size=2, bidirectional=True, dtype=torch.float64),
    "GRU": lambda: modules.GRU(3, 4, 2, batch_first=True, dropout=0.0, dtype=torch.float64),
    "Recurrent": lambda: Recurrent("PeepholeLSTM", 3, 4, dtype=torch.float64),
}


by_dynamo = pytest.mark.filterwarnings("ignore:.*Function'> should not be instantiated:DeprecationWarning")


@by_dynamo
@every_device
@pytest.mark.parametrize("name", COMPILED)
def test_compiled_modules(name, backend):
    module = COMPILED[name]().to(backend.removeprefix("torch-"))
    x = random(2, 2, 3, backend=backend)
    torch._dynamo.reset()
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    found = []
    for run in (compiled, module):
        ys, final = run(x)
        loss = ys.square().sum() + sum(f.sum() for f in final)
        found.append([ys.detach(), *torch.autograd.grad(loss, [x, *module.parameters()])])
    assert_close(*found, **ROUNDING)


ONE_OF_EACH_FILE = {kind.__module__: name for name, kind in CELLS.items()}.values()
NOT_WHOLE = {"ExpRNN"}  # how often the matrix exponential squares depends on the values


@pytest.mark.parametrize("name", [name for name in ONE_OF_EACH_FILE if name not in NOT_WHOLE][::16])
def test_any_cell_can_be_compiled(name):
    module, p, _ = recurrent(name, T=1, B=2)
    torch._dynamo.reset()
    with torch.no_grad():
        actual = torch.compile(module, fullgraph=True, backend="eager")(p.xs, p.state)
        assert_close(actual, module(p.xs, p.state), **ROUNDING)


@by_dynamo
def test_compiled_inference_and_transforms():
    module, x = modules.RNN(3, 4, dtype=torch.float64), random(2, 2, 3).detach()
    parameters = {name: p.detach() for name, p in module.named_parameters()}

    def loss(parameters, x):
        return torch.func.functional_call(module, parameters, (x,))[0].square().sum()

    per_sample = torch.func.vmap(torch.func.grad(loss), (None, 1))
    for run, arguments in ((module, (x,)), (per_sample, (parameters, x))):
        torch._dynamo.reset()
        with torch.no_grad():
            actual = torch.compile(run, fullgraph=True, backend="aot_eager")(*arguments)
        assert_close(actual, tree.map(torch.Tensor.detach, run(*arguments)), **ROUNDING)


@pytest.mark.parametrize(
    ("how", "forwards", "backwards"), [("once", 1, 1), ("again", 2, 2), ("create_graph", 2, 1), ("torch.func", 2, 1)]
)
def test_the_backward_pass_is_the_hand_written_one(how, forwards, backwards, either_library, monkeypatch):
    calls = []
    for name in ("forward", "backward"):
        method = getattr(rnncore.Cell, name)
        monkeypatch.setattr(
            rnncore.Cell, name, lambda *a, _name=name, _method=method, **k: (calls.append(_name), _method(*a, **k))[1]
        )
    _, module = both("LSTM", 1, False)
    x, leaves = random(5, 4, 3), [*module.parameters()]
    if how == "torch.func":
        torch.func.grad(lambda x: module(x)[0].sum())(x)
    else:
        for _ in range(backwards):
            torch.autograd.grad(module(x)[0].sum(), leaves, create_graph=how == "create_graph")
    assert (calls.count("forward"), calls.count("backward")) == (forwards, backwards)


@pytest.mark.parametrize("kind", [list, iter, np.array, torch.tensor])
def test_lengths_may_be_anything(kind):
    module, p, leaves = recurrent("Elman")
    found = []
    for lengths in ([3, 0, 5, 1], kind([3, 0, 5, 1])):
        ys, _ = module(p.xs, p.state, lengths)
        found.append(torch.autograd.grad(ys.square().sum(), leaves, create_graph=True))  # a second run
    assert_close(*(tree.map(torch.Tensor.detach, f) for f in found), rtol=0, atol=0)


def test_second_passes_and_freed_graphs(either_library):
    _, module = both("LSTM")
    loss = module(random(5, 4, 3))[0].square().sum()
    first, second = (torch.autograd.grad(loss, [*module.parameters()], retain_graph=k) for k in (True, False))
    assert_close(first, second, rtol=0, atol=0)
    with refuses(RuntimeError, "backward through the graph a second time"):
        torch.autograd.grad(loss, [*module.parameters()])


def tapes():
    return sum(type(o) is Tape for o in gc.get_objects())


@pytest.mark.parametrize("kind", ["tanh", "GRU"])
def test_the_tape_goes_when_it_is_not_needed(kind, either_library):
    _, module = both(kind, 1, False)
    gc.collect()
    gc.disable()
    gc.freeze()  # what there is already need not be searched
    try:
        ys, final = module(random(5, 4, 3))
        assert tapes() == 1
        ys.sum().backward()
        assert tapes() == 0
        ys, final = module(random(5, 4, 3))
        assert tapes() == 1
        del ys, final  # no circle holds it
        assert tapes() == 0
        with torch.no_grad():
            ys, _ = module(random(5, 4, 3))
        assert ys.grad_fn is None
        assert tapes() == 0
    finally:
        gc.unfreeze()
        gc.enable()


def test_inference_is_the_same(either_library):
    theirs, ours = both("LSTM")
    x = random(200, 2, 3).detach()
    with torch.no_grad():
        assert_close(ours(x), theirs(x), **ROUNDING)
    assert_close(ours(x)[0].detach(), theirs(x)[0].detach(), **ROUNDING)


@pytest.mark.parametrize("changed", ["output", "input", "parameter"])
def test_a_change_in_place_before_the_backward_pass_is_noticed(changed, either_library):
    _, module = both("GRU", 1, False)
    x = random(5, 4, 3) * 1
    ys, _ = module(x)
    loss = ys.sum()
    with torch.no_grad():
        {"output": ys, "input": x, "parameter": module.weight_hh_l0}[changed].mul_(2)
    with refuses(RuntimeError, "modified by an inplace operation"):
        loss.backward()


def test_a_final_state_may_be_changed_in_place(either_library):
    module, p, leaves = recurrent("PeepholeLSTM")
    found = []
    for factor in (1, 2):
        ys, final = module(p.xs, p.state)
        with torch.no_grad():
            final[1].mul_(factor)
        found.append(torch.autograd.grad(ys.sum(), leaves))
    assert_close(*found, rtol=0, atol=0)


def test_inference_takes_less_memory():
    module, x = Recurrent("PeepholeLSTM", 4, 4), torch.zeros(2000, 2, 4)
    peaks = []
    for wanted in (True, False):
        with torch.set_grad_enabled(wanted):
            tracemalloc.start()
            module(x)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
    assert peaks[1] < peaks[0] / 2


@every_kind
def test_what_needs_no_gradient_gets_none(kind, either_library):
    theirs, ours = both(kind)
    x = random(5, 4, 3).detach()
    for module in (theirs, ours):
        module.weight_hh_l0.requires_grad_(False)
        module.bias_ih_l1.requires_grad_(False)
        module(x)[0].square().sum().backward()
    assert ours.weight_hh_l0.grad is None
    grads = [{name: p.grad for name, p in m.named_parameters() if p.grad is not None} for m in (ours, theirs)]
    assert_close(*grads, **ROUNDING)


@every_kind
def test_the_final_state_alone(kind, either_library):
    theirs, ours = both(kind)
    found = []
    for module in (ours, theirs):
        final = module(torch.ones(5, 4, 3, dtype=torch.float64))[1]
        h = final[-1] if isinstance(final, tuple) else final
        found.append(list(torch.autograd.grad(h.square().sum(), [*module.parameters()], materialize_grads=True)))
    assert_close(*found, **ROUNDING)


@pytest.mark.parametrize("reentrant", [True, False])
def test_activation_checkpointing(reentrant, either_library):
    _, module = both("LSTM")
    x = random(5, 4, 3)
    runs = [module(x), checkpoint(module, x, use_reentrant=reentrant)]
    grads = [torch.autograd.grad(ys.square().sum(), [x], retain_graph=True) for ys, _ in runs[: 1 if reentrant else 2]]
    runs[1][0].square().sum().backward()
    assert_close(x.grad, grads[0][0], **ROUNDING)
    assert_close(grads[-1], grads[0], **ROUNDING)


def test_hooks_of_saved_tensors(either_library):
    _, module = both("GRU")
    x = random(5, 4, 3)
    with torch.autograd.graph.saved_tensors_hooks(torch.clone, lambda saved: saved):
        ys, _ = module(x)
    assert_close(*(torch.autograd.grad(y.sum(), x) for y in (ys, module(x)[0])), **ROUNDING)


@every_device
def test_autocast_leaves_the_dtype_of_the_parameters(backend, either_library):
    _, module = both("GRU", backend=backend)
    module.float()
    x = random(5, 4, 3, backend=backend).detach().float()
    expected = result(module, x, None, [])
    with torch.autocast(backend.removeprefix("torch-"), dtype=torch.bfloat16):
        assert_close(result(module, x, None, []), expected, rtol=1e-6, atol=1e-6)
        ys, h = module(x.bfloat16(), torch.zeros(4, 4, 4, dtype=torch.bfloat16, device=x.device))
        assert ys.dtype == h.dtype == torch.float32
        assert Recurrent("Elman", 3, 4).to(x.device)(x.bfloat16())[0].dtype == torch.float32


@every_kind
def test_half_precision(kind):
    _, module = both(kind)
    x = random(5, 4, 3).detach()
    expected = module(x)[0]
    ys, _ = module.bfloat16()(x.bfloat16())
    assert ys.dtype == torch.bfloat16
    assert_close(ys.detach().double(), expected.detach(), rtol=0.05, atol=0.05)
    ys.sum().backward()


def test_those_who_watch_torch_see_its_operations():
    _, ours = both("GRU")
    x = random(5, 4, 3)
    with FlopCounterMode(display=False) as counter:
        ours(x)[0].sum().backward()
    assert counter.get_total_flops() > 0
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        assert ours(x)[0].shape == (5, 4, 8)


@every_kind
def test_modules_are_copied_and_stored(kind):
    _, module = both(kind)
    x = random(5, 4, 3)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), stored(module)):
        assert torch.equal(twin(x)[0], module(x)[0])
        assert twin.weight_ih_l0 is not module.weight_ih_l0


def test_reparametrised_weights():
    theirs, ours = (parametrizations.weight_norm(m, "weight_hh_l0") for m in both("tanh", 1, False))
    x = random(5, 4, 3)
    assert_close(result(ours, x, None, [x]), result(theirs, x, None, [x]), **ROUNDING)


# -- errors


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_gradients_in_batches(kind, dtype):
    module, x = getattr(modules, kind)(3, 4, dtype=dtype), random(4, 2, 3).detach().to(dtype)
    vectorized, one_by_one = (
        torch.autograd.functional.jacobian(lambda x: module(x)[0], x, vectorize=v) for v in (True, False)
    )
    assert vectorized.abs().max() > 0.01
    torch.testing.assert_close(vectorized, one_by_one)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_an_export_takes_any_batch(kind):
    module, x = getattr(modules, kind)(3, 4), random(3, 2, 3).detach().float()
    program = torch.export.export(module, (x,), dynamic_shapes={"input": {1: torch.export.Dim.DYNAMIC}})
    other = random(3, 5, 3).detach().float()
    torch.testing.assert_close(program.module()(other), module(other))


@pytest.mark.filterwarnings("ignore:.*torch.jit.trace:DeprecationWarning")
def test_a_trace_is_refused():
    with refuses(RuntimeError, "LSTM: torch.jit.trace cannot follow it; torch.export and torch.compile can"):
        torch.jit.trace(modules.LSTM(3, 4), (torch.zeros(3, 2, 3),))


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_shapes_without_numbers(kind):
    module = getattr(modules, kind)(3, 4, bidirectional=True, device="meta")
    ys, state = module(torch.zeros(5, 2, 3, device="meta"))
    assert (ys.shape, ys.device.type) == ((5, 2, 8), "meta")
    assert all(part.shape == (2, 2, 4) for part in (state if kind == "LSTM" else (state,)))


def test_messages_are_in_the_layout_of_the_caller():
    x, packed = torch.zeros(5, 3), rnn.pack_sequence([torch.zeros(2, 3)])
    both_ways = modules.RNN(3, 4, batch_first=True, bidirectional=True)
    refused = [
        (modules.GRU(3, 4), (x, torch.zeros(1, 1, 4)), "GRU: hx must have shape (1, 4), received (1, 1, 4)"),
        (modules.LSTM(4, 4), (x,), "LSTM: input must have shape (T, 4), received (5, 3)"),
        (modules.LSTM(3, 4), (x, (torch.zeros(1, 4), torch.zeros(4))), "hx[1] must have shape (1, 4), received (4,)"),
        (
            modules.LSTM(13, 4, batch_first=True),
            (torch.zeros(3, 5, 2),),
            "LSTM: input must have shape (B, T, 13), received (3, 5, 2)",
        ),
        (both_ways, (x[None], torch.zeros(2, 5, 4)), "RNN: hx must have shape (2, 1, 4), received (2, 5, 4)"),
        (modules.GRU(2, 4), (packed,), "GRU: input.data must have shape (N, 2), received (2, 3)"),
        (modules.GRU(3, 4), (packed, torch.zeros(1, 2, 4)), "GRU: hx must have shape (1, 1, 4), received (1, 2, 4)"),
    ]
    for module, given, message in refused:
        with refuses(ValueError, message):
            module(*given)
    with refuses(TypeError, "GRU: hx has dtype torch.float64, but torch.float32 was wanted"):
        modules.GRU(3, 4)(x, torch.zeros(1, 4).double())
    with refuses(TypeError, "LSTM: hx[1] must be an array of shape (1, 4), received a NoneType"):
        modules.LSTM(3, 4)(x, (torch.zeros(1, 4), None))


def test_errors():
    lstm, gru = modules.LSTM(3, 4), modules.GRU(3, 4, 2, batch_first=True)
    x, h = torch.zeros(5, 2, 3), torch.zeros(1, 2, 4)
    with refuses(ValueError, "LSTM: input must have shape (T, B, 3) or (T, 3), received shape (3,)"):
        lstm(x[0, 0])
    with refuses(ValueError, "GRU: input must have shape (B, T, 3) or (T, 3), received a list"):
        gru(x.tolist())
    with refuses(ValueError, "LSTM: input must have shape (T, B, 3), received (5, 2, 6)"):
        lstm(torch.zeros(5, 2, 6))
    with refuses(TypeError, "LSTM: input has dtype torch.float64, but torch.float32 was wanted"):
        lstm(x.double())
    with refuses(TypeError, "LSTM: hx must be a tuple of h and c, received a Tensor"):
        lstm(x, h)
    with refuses(ValueError, "LSTM: hx[1] must have shape (1, 2, 4), received (1, 2, 5)"):
        lstm(x, (h, torch.zeros(1, 2, 5)))
    with refuses(ValueError, "GRU: hx must have shape (2, 5, 4), received (1, 2, 4)"):
        gru(x, h)
    with refuses(TypeError, "GRU: hx must be an array of shape (2, 5, 4), received a tuple"):
        gru(x, (h,))
    with refuses(ValueError, "RNN: nonlinearity must be tanh or relu, received 'swish'"):
        modules.RNN(3, 4, nonlinearity="swish")
    with refuses(ValueError, "Recurrent: cell must be one of", "received 'Elmann'"):
        Recurrent("Elmann", 3, 4)
    with refuses(TypeError, "Recurrent: cell must be a cell or the name of one, received a int"):
        Recurrent(3)
    with refuses(TypeError, "Recurrent: sizes and options go with the name of a cell"):
        Recurrent(rnncore.Elman.init(np.random.default_rng(0), 3, 4), 3)
    elman = Recurrent("Elman", 3, 4)
    with refuses(TypeError, "Elman.forward: xs must be an array of shape (T, B, 3), received a list"):
        elman(x.tolist())
    with refuses(TypeError, "Elman.forward: xs is an array of numpy, but torch was wanted"):
        elman(x.numpy())
    with refuses(TypeError, "Elman.forward: state must be a tuple of 1 arrays, received a Tensor"):
        elman(x, h[0])
    with refuses(ValueError, "Elman.forward: lengths must lie in 0 … 5"):
        elman(x, lengths=[6, 1])
