"""Every cell of the registry, forward and backward: a new cell is tested by being in `CELLS`."""

import dataclasses
import inspect

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncore import CELLS, Elman, GRUOriginal, Jordan, tree
from rnncore.activations import ACTIVATIONS
from rnncore.testing import assert_close, check_gradients
from tests.conftest import BACKENDS, LAYOUTS, STEPS, TORCH, VARIANTS, problem, refuses, to

every_variant = pytest.mark.parametrize(("name", "options"), VARIANTS)
every_layout = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)
every_cell = pytest.mark.parametrize("name", CELLS)
WITH_FORGET_BIAS = [name for name, kind in CELLS.items() if "forget_bias" in inspect.signature(kind.init).parameters]
WITH_ACTIVATION = [name for name, kind in CELLS.items() if "activation" in {f.name for f in dataclasses.fields(kind)}]
every_backend = pytest.mark.parametrize("backend", BACKENDS)
ROUNDING = {"rtol": 1e-12, "atol": 1e-12}
NO_SLOPE_AT_ZERO = {"GRUD", "IndRNN", "IntersectionRNN", "IRNN", "LiGRU", "NAS", "UnitaryRNN"}  # ReLUs, a reflection
ROUNDING_GROWS = {  # in float32: sums over an image, a phase that is time by period, numbers that cancel
    "ConvGRU": 5,
    "ConvLSTM": 5,
    "PeepholeConvLSTM": 5,
    "PhasedLSTM": 5,
    "UnitaryRNN": 10,
}


# -- gradients


@every_backend
@every_layout
@every_variant
def test_gradients_are_those_of_central_differences(name, options, layout, backend, rng):
    p = problem(name, options, layout, backend=backend)
    check_gradients(p.loss, p.point, p.gradient(), rng)


@every_cell
@settings(max_examples=20)  # of each of the cells
@given(
    sizes=st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(1, 4), st.integers(1, 4)),
    reverse=st.booleans(),
    data=st.data(),
)
def test_gradients_at_any_size(name, sizes, reverse, data):
    T, B, D, H = sizes
    lengths = data.draw(st.none() | st.lists(st.integers(0, T), min_size=B, max_size=B))
    p = problem(name, None, {"lengths": lengths, "reverse": reverse}, T=T, B=B, D=D, H=H)
    check_gradients(p.loss, p.point, p.gradient(), np.random.default_rng(0), directions=2)


@pytest.mark.parametrize("backend", TORCH)
@every_layout
@every_variant
def test_gradients_are_those_of_autograd(name, options, layout, backend):
    p = problem(name, options, layout, backend=backend)
    point = tree.map(lambda a: a.clone().requires_grad_(), p.point)
    leaves = [leaf for _, leaf in tree.leaves(point)]
    expected = iter(torch.autograd.grad(p.loss(point), leaves, materialize_grads=True))
    assert_close(p.gradient(), tree.map(lambda _: next(expected), p.point), **ROUNDING)


@pytest.mark.parametrize("backend", TORCH)
@every_layout
@every_variant
def test_numpy_and_torch_agree(name, options, layout, backend):
    here, there = (problem(name, options, layout, backend=b) for b in ("numpy", backend))
    runs = [p.cell.forward(p.xs, p.state, **layout)[:2] for p in (here, there)]
    assert_close(to(backend, runs[0]), runs[1], **ROUNDING)
    assert_close(to(backend, here.gradient()), there.gradient(), **ROUNDING)


# -- steps and sequences


@every_backend
@every_variant
def test_a_sequence_is_a_chain_of_steps(name, options, backend):
    p = problem(name, options, backend=backend)
    state, caches = p.state, []
    ys, final, _ = p.cell.forward(p.xs, p.state)
    for x, y in zip(p.xs, ys, strict=True):
        state, cache = p.cell.step(x, state)
        caches.append(cache)
        assert_close(y, state[0], **ROUNDING)
    assert_close(final, state, **ROUNDING)

    grads, dxs, dstate = p.gradient()
    d, total = p.dstate, tree.map(lambda w: 0 * w, p.cell)
    for t in reversed(range(STEPS)):
        dx, d, step_grads = p.cell.step_backward((d[0] + p.dys[t], *d[1:]), caches[t])
        total = tree.map(lambda a, b: a + b, total, step_grads)
        assert_close(dxs[t], dx, **ROUNDING)
    assert_close((dstate, grads), (d, total), **ROUNDING)


@every_variant
def test_one_step_is_a_sequence_of_one(name, options):
    p = problem(name, options, T=1)
    ys, final, tape = p.cell.forward(p.xs, p.state)
    state, cache = p.cell.step(p.xs[0], p.state)
    assert_close((ys[0], final), (state[0], state), **ROUNDING)
    dxs, *rest = p.cell.backward(None, tape, p.dstate)
    dx, *step_rest = p.cell.step_backward(p.dstate, cache)
    assert_close((dxs[0], rest), (dx, step_rest), **ROUNDING)


@every_cell
def test_the_state_is_zero_where_none_is_given(name):
    p = problem(name)
    zero = p.cell.initial_state(4)
    assert_close(zero, tuple(np.zeros((4, *shape)) for shape in p.cell.state_shapes))
    assert_close(p.cell.forward(p.xs)[:2], p.cell.forward(p.xs, zero)[:2], rtol=0, atol=0)


@every_backend
@every_cell
def test_nothing_given_is_changed(name, backend):
    p = problem(name, backend=backend, layout=LAYOUTS["ragged"])
    before = tree.map(lambda a: a + 0, dataclasses.asdict(p) | {"cell": p.cell, "layout": ()})
    first, second = p.gradient(window=2), p.gradient(window=2)
    assert_close(dataclasses.asdict(p) | {"cell": p.cell, "layout": ()}, before, rtol=0, atol=0)
    assert_close(first, second, rtol=0, atol=0)


@every_layout
@every_cell
def test_float32_stays_float32(name, layout):
    p = problem(name, None, layout)
    narrow = dataclasses.replace(
        p, **{k: tree.convert(np.float32, getattr(p, k)) for k in ("cell", "xs", "state", "dys", "dstate")}
    )
    for run in (lambda p: p.cell.forward(p.xs, p.state, **layout)[:2], lambda p: p.gradient()):
        grown = ROUNDING_GROWS.get(name, 1)
        assert_close(run(narrow), tree.convert(np.float32, run(p)), rtol=2e-6 * grown, atol=4e-6 * grown)


# -- against independent implementations


def torch_rnn(cell, **options):
    D, H = cell.W.shape
    module = torch.nn.RNN(D, H, dtype=torch.float64, **options)
    with torch.no_grad():
        for suffix in ("_l0", "_l0_reverse") if module.bidirectional else ("_l0",):
            getattr(module, "weight_ih" + suffix).copy_(torch.tensor(cell.W.T))
            getattr(module, "weight_hh" + suffix).copy_(torch.tensor(cell.U.T))
            getattr(module, "bias_ih" + suffix).copy_(torch.tensor(cell.b))
            getattr(module, "bias_hh" + suffix).zero_()
    return module


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 1e-5)])
@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_elman_is_torch_rnn(activation, dtype, rtol):
    p = problem("Elman", {"activation": activation})
    module = torch_rnn(p.cell, nonlinearity=activation).to(torch.float64 if dtype == np.float64 else torch.float32)
    cell, xs, state, dys, dstate = tree.map(dtype, (p.cell, p.xs, p.state, p.dys, p.dstate))
    tx, th = torch.tensor(xs, requires_grad=True), torch.tensor(state[0][None], requires_grad=True)
    tys, tn = module(tx, th)
    ((tys * torch.tensor(dys)).sum() + (tn[0] * torch.tensor(dstate[0])).sum()).backward()

    ys, final, tape = cell.forward(xs, state)
    dxs, d0, grads = cell.backward(dys, tape, dstate)
    W, U, b = (getattr(module, k).grad.numpy().T for k in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
    expected = (tys, tn[0], tx.grad, th.grad[0], type(cell)(W, U, b, activation))
    assert_close((ys, final[0], dxs, d0[0], grads), tree.map(numpy, expected), rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 2e-5)])
def test_lstm_is_torch_lstm(dtype, rtol):
    p = problem("LSTM")
    cell, xs, state, dys, dstate = tree.map(dtype, (p.cell, p.xs, p.state, p.dys, p.dstate))
    module = torch_gates(torch.nn.LSTM, cell.W, cell.U, cell.b, 0 * cell.b)
    points = [torch.tensor(a, requires_grad=True) for a in (xs, state[0][None], state[1][None])]
    tys, (th, tc) = module(points[0], (points[1], points[2]))
    (inner(tys, dys) + inner(th[0], dstate[0]) + inner(tc[0], dstate[1])).backward()

    ys, final, tape = cell.forward(xs, state)
    dxs, dinitial, grads = cell.backward(dys, tape, dstate)
    W, U, b = (numpy(getattr(module, k).grad).T for k in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0"))
    dx, dh0, dc0 = (point.grad for point in points)
    expected = (tys, (th[0], tc[0]), dx, (dh0[0], dc0[0]), (W, U, b))
    actual = (ys, final, dxs, dinitial, (grads.W, grads.U, grads.b))
    assert_close(actual, tree.map(numpy, expected), rtol=rtol, atol=rtol)


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float64, 1e-10), (np.float32, 2e-5)])
def test_gru_is_torch_gru(dtype, rtol):
    p = problem("GRU")
    cell, xs, state, dys, dstate = tree.map(dtype, (p.cell, p.xs, p.state, p.dys, p.dstate))
    b_hh = np.concatenate([np.zeros_like(cell.b_hn), np.zeros_like(cell.b_hn), cell.b_hn])
    module = torch_gates(torch.nn.GRU, cell.W, cell.U, cell.b, b_hh)
    points = [torch.tensor(a, requires_grad=True) for a in (xs, state[0][None])]
    tys, th = module(*points)
    (inner(tys, dys) + inner(th[0], dstate[0])).backward()

    ys, final, tape = cell.forward(xs, state)
    dxs, dinitial, grads = cell.backward(dys, tape, dstate)
    W, U, b, b_hh = (
        numpy(getattr(module, k).grad).T for k in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0")
    )
    expected = (tys, (th[0],), points[0].grad, (points[1].grad[0],), (W, U, b, b_hh[-len(cell.b_hn) :]))
    actual = (ys, final, dxs, dinitial, (grads.W, grads.U, grads.b, grads.b_hn))
    assert_close(actual, tree.map(numpy, expected), rtol=rtol, atol=rtol)


def test_the_two_grus_differ():
    p = problem("GRU")
    gates = 2 * p.cell.U.shape[0]
    other = GRUOriginal(p.cell.W, p.cell.U[:, :gates], p.cell.b, p.cell.U[:, gates:])
    same_bias = dataclasses.replace(p.cell, b_hn=0 * p.cell.b_hn)
    ys, others = (cell.forward(p.xs, p.state)[0] for cell in (same_bias, other))
    assert np.abs(ys - others).max() > 0.1


def torch_gates(kind, W, U, b_ih, b_hh):
    """A torch module with these weights."""
    module = kind(W.shape[0], U.shape[0], dtype=torch.tensor(W).dtype)
    with torch.no_grad():
        for name, value in [("weight_ih", W.T), ("weight_hh", U.T), ("bias_ih", b_ih), ("bias_hh", b_hh)]:
            getattr(module, f"{name}_l0").copy_(torch.tensor(value))
    return module


def inner(a, b):
    return (a * torch.as_tensor(b)).sum()


def numpy(a):
    return np.asarray(a.detach() if isinstance(a, torch.Tensor) else a)


def test_ragged_and_reversed_are_those_of_torch():
    p = problem("Elman")
    lengths = [3, 2, 5, 1]  # torch allows no empty sequence
    packed = torch.nn.utils.rnn.pack_padded_sequence(torch.tensor(p.xs), lengths, enforce_sorted=False)
    h0 = torch.tensor(p.state[0]).expand(2, -1, -1)
    module = torch_rnn(p.cell, bidirectional=True)
    tys, tn = module(packed, h0)
    tys, _ = torch.nn.utils.rnn.pad_packed_sequence(tys)
    for reverse in (False, True):
        ys, (final,), _ = p.cell.forward(p.xs, p.state, lengths, reverse)
        expected = numpy(tys[..., 4:] if reverse else tys[..., :4]), numpy(tn[int(reverse)])
        assert_close((ys, final), expected, **ROUNDING)


@pytest.mark.parametrize("output_activation", ["identity", "sigmoid"])
def test_jordan_is_a_plain_loop(output_activation):
    p = problem("Jordan", {"output_size": 2, "output_activation": output_activation}, backend="torch-cpu")
    leaves = [leaf.requires_grad_() for _, leaf in tree.leaves(p.point)]
    W, U, b, V, c, xs, y = leaves
    g = torch.sigmoid if output_activation == "sigmoid" else lambda a: a
    ys = []
    for x in xs:
        y = g(torch.tanh(x @ W + y @ U + b) @ V + c)
        ys.append(y)
    loss = (torch.stack(ys) * p.dys).sum() + (y * p.dstate[0]).sum()
    expected = iter(torch.autograd.grad(loss, leaves))
    with torch.no_grad():
        assert_close(p.cell.forward(p.xs, p.state)[:2], (torch.stack(ys), (y,)))
        assert_close(p.gradient(), tree.map(lambda _: next(expected), p.point))


# -- borders


@every_backend
@every_layout
@every_cell
def test_of_nothing_comes_nothing(name, layout, backend):
    for T, B in (0, 3), (3, 0), (0, 0):
        sized = layout | ({"lengths": [0] * B} if "lengths" in layout else {})
        p = problem(name, None, sized, backend=backend, T=T, B=B)
        ys, final, _ = p.cell.forward(p.xs, p.state, **sized)
        grads, dxs, dstate = p.gradient(window=2)
        expected = (p.dys, p.state, tree.map(lambda w: 0 * w, p.cell), p.xs, p.dstate)  # of which ys and xs are empty
        assert_close((ys, final, grads, dxs, dstate), expected, rtol=0, atol=0)


@every_backend
@every_cell
def test_sequences_of_length_zero_return_their_state(name, backend):
    p = problem(name, None, {"lengths": [0, 0, 0, 0]}, backend=backend)
    ys, final, _ = p.cell.forward(p.xs, p.state, **p.layout)
    expected = (0 * p.dys, p.state, tree.map(lambda w: 0 * w, p.cell), 0 * p.xs, p.dstate)
    assert_close((ys, final, *p.gradient()), expected, rtol=0, atol=0)


@every_variant
def test_sizes_of_one(name, options, rng):
    p = problem(name, options, T=1, B=1, D=1, H=1)
    check_gradients(p.loss, p.point, p.gradient(), rng)


@every_backend
@every_variant
def test_large_inputs_saturate_and_stay_finite(name, options, backend):
    p = problem(name, options, backend=backend)
    p = dataclasses.replace(p, xs=1e4 * p.xs)
    ys, final, _ = p.cell.forward(p.xs, p.state)
    for path, leaf in tree.leaves((ys, final, p.gradient())):
        assert np.isfinite(numpy(leaf.cpu() if backend != "numpy" else leaf)).all(), path


@every_cell
def test_zero_weights(name, rng):
    here, there = (
        dataclasses.replace(p, cell=tree.map(lambda w: 0 * w, p.cell))
        for p in (problem(name), problem(name, backend="torch-cpu"))
    )
    runs = [(*p.cell.forward(p.xs, p.state)[:2], p.gradient()) for p in (here, there)]
    for path, leaf in tree.leaves(runs[0]):
        assert np.isfinite(leaf).all(), path
    assert_close(to("torch-cpu", runs[0]), runs[1], **ROUNDING)
    if name not in NO_SLOPE_AT_ZERO:
        check_gradients(here.loss, here.point, here.gradient(), rng)


def test_saturated_values():
    cell = Elman(W=np.array([[1.0, -1.0]]), U=np.array([[0.5, 0.1], [0.2, 0.3]]), b=np.array([0.1, 0.2]))
    xs = np.full((3, 2, 1), 1e4)
    ones = np.ones((3, 2, 2))
    expected = {"tanh": ones * [1, -1], "sigmoid": ones * [1, 0]}
    for activation, ys in expected.items():
        run = dataclasses.replace(cell, activation=activation)
        actual, _, tape = run.forward(xs)
        assert_close(actual, ys, rtol=0, atol=0)
        dxs, dstate, grads = run.backward(ones, tape)
        assert_close((dxs, *dstate), (0 * xs, np.zeros((2, 2))), rtol=0, atol=0)
        assert_close(grads, tree.map(lambda w: 0 * w, run), rtol=0, atol=0)
    ys, _, _ = dataclasses.replace(cell, activation="identity").forward(xs[:1])
    assert_close(ys[0], [10000.1, -9999.8] * np.ones((2, 2)))
    ys, _, _ = dataclasses.replace(cell, activation="relu").forward(xs[:1])
    assert_close(ys[0], [10000.1, 0.0] * np.ones((2, 2)))


@every_backend
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name, backend):
    phi, derivative = ACTIVATIONS[name]
    a = np.array([-1e4, -2.0, -0.5, 0.0, 0.5, 2.0, 1e4])
    with np.errstate(over="ignore"):
        sigmoid = 1 / (1 + np.exp(-a))
    values = {"tanh": np.tanh(a), "relu": np.maximum(a, 0), "sigmoid": sigmoid, "identity": a}
    slopes = {"tanh": 1 - np.tanh(a) ** 2, "relu": 1.0 * (a > 0), "sigmoid": sigmoid * (1 - sigmoid), "identity": a**0}
    y = phi(to(backend, a))
    assert_close((y, derivative(y)), to(backend, (values[name], slopes[name])), rtol=1e-15, atol=1e-15)
    assert numpy(phi(to(backend, np.array(np.nan))).cpu() if backend != "numpy" else phi(np.array(np.nan))) != 0


# -- errors


def a_tape(name, **sizes):
    p = problem(name, **sizes)
    return p.cell.forward(p.xs, p.state)[2]


def other_cell(p):
    return next(kind for kind in (Elman, Jordan) if kind is not type(p.cell)).__name__


FORWARD = {
    "a list": (lambda p: p.cell.forward(p.xs.tolist()), TypeError, "xs", "(T, B, {x})", "a list"),
    "None": (lambda p: p.cell.forward(None), TypeError, "xs", "(T, B, {x})", "a NoneType"),
    "two axes": (lambda p: p.cell.forward(p.xs[0]), ValueError, "xs", "(T, B, {x})", "received (4, {x})"),
    "too wide": (
        lambda p: p.cell.forward(np.repeat(p.xs, 2, axis=-1)),
        ValueError,
        "(T, B, {x})",
        "received (5, 4, {xx})",
    ),
    "float32": (lambda p: p.cell.forward(np.float32(p.xs)), TypeError, "xs", "float32", "float64 was wanted"),
    "integers": (lambda p: p.cell.forward(p.xs.astype(int)), TypeError, "xs", "int", "float64 was wanted"),
    "torch": (lambda p: p.cell.forward(torch.tensor(p.xs)), TypeError, "xs", "of torch", "numpy was wanted"),
    "bare state": (lambda p: p.cell.forward(p.xs, p.state[0]), TypeError, "state", "a tuple of", "a ndarray"),
    "state list": (lambda p: p.cell.forward(p.xs, list(p.state)), TypeError, "state", "a tuple of", "a list"),
    "two states": (
        lambda p: p.cell.forward(p.xs, p.state * 2),
        TypeError,
        "state",
        "a tuple of {n} arr",
        "a tuple of {nn}",
    ),
    "state batch": (
        lambda p: p.cell.forward(p.xs, tuple(s[:3] for s in p.state)),
        ValueError,
        "state[0]",
        "(4, {h})",
        "received (3, {h})",
    ),
    "lengths count": (lambda p: p.cell.forward(p.xs, lengths=[1, 2]), ValueError, "lengths", "(4,)", "received (2,)"),
    "lengths below": (lambda p: p.cell.forward(p.xs, lengths=[1, 2, -1, 0]), ValueError, "lengths", "from 0", "-1"),
    "lengths above": (
        lambda p: p.cell.forward(p.xs, lengths=[1, 2, 6, 0]),
        ValueError,
        "lengths",
        "0 … 5",
        "[1, 2, 6, 0]",
    ),
    "lengths half": (lambda p: p.cell.forward(p.xs, lengths=[1, 2, 2.5, 0]), ValueError, "lengths", "integer", "2.5"),
    "lengths nan": (lambda p: p.cell.forward(p.xs, lengths=[1, 2, np.nan, 0]), ValueError, "lengths", "nan"),
    "lengths mask": (
        lambda p: p.cell.forward(p.xs, lengths=np.array([True, False] * 2)),
        ValueError,
        "lengths",
        "integer",
    ),
    "lengths matrix": (lambda p: p.cell.forward(p.xs, lengths=np.ones((4, 5), int)), ValueError, "lengths", "array"),
    "lengths int": (lambda p: p.cell.forward(p.xs, lengths=3), TypeError, "lengths", "(4,)", "a int"),
}
BACKWARD = {
    "dys shape": (lambda p, t: p.cell.backward(p.dys[:4], t), ValueError, "dys", "(5, 4, {h})", "received (4, 4, {h})"),
    "dys float32": (lambda p, t: p.cell.backward(np.float32(p.dys), t), TypeError, "dys", "float32", "float64"),
    "dys list": (lambda p, t: p.cell.backward([], t), TypeError, "dys", "(5, 4, {h})", "a list"),
    "dys torch": (lambda p, t: p.cell.backward(torch.tensor(p.dys), t), TypeError, "dys", "of torch", "numpy"),
    "dstate bare": (lambda p, t: p.cell.backward(p.dys, t, p.dstate[0]), TypeError, "dstate", "tuple", "ndarray"),
    "dstate shape": (
        lambda p, t: p.cell.backward(p.dys, t, tuple(d[:3] for d in p.dstate)),
        ValueError,
        "dstate[0]",
        "(4, {h})",
        "received (3, {h})",
    ),
    "window 0": (lambda p, t: p.cell.backward(p.dys, t, window=0), ValueError, "window", "from 1", "received 0"),
    "window -1": (lambda p, t: p.cell.backward(p.dys, t, window=-1), ValueError, "window", "from 1", "received -1"),
    "window 1.5": (lambda p, t: p.cell.backward(p.dys, t, window=1.5), ValueError, "window", "integer", "1.5"),
    "window nan": (lambda p, t: p.cell.backward(p.dys, t, window=np.nan), ValueError, "window", "integer", "nan"),
    "window True": (lambda p, t: p.cell.backward(p.dys, t, window=True), ValueError, "window", "integer", "True"),
    "window text": (lambda p, t: p.cell.backward(p.dys, t, window="3"), ValueError, "window", "integer", "'3'"),
    "no tape": (lambda p, t: p.cell.backward(p.dys, None), TypeError, "tape", "forward", "a NoneType"),
    "swapped": (lambda p, t: p.cell.backward(t, p.dys), TypeError, "tape", "forward", "a ndarray"),
    "other cell": (
        lambda p, t: p.cell.backward(p.dys, a_tape(other_cell(p))),
        ValueError,
        "tape must be of",
        "that of",
    ),
    "other size": (
        lambda p, t: p.cell.backward(p.dys, a_tape(type(p.cell).__name__, D=2)),
        ValueError,
        "tape must be of",
        "W=float64(",
        "that of",
    ),
}


def filled(fragments, p):
    """The fragments with the sizes of this problem: {x} of one input, {xx} of one twice as wide, {h} of one output;
    {n} counts the arrays of the state, {nn} is twice that."""
    *axes, width = p.cell.input_shape
    sizes = {"x": p.cell.input_shape, "xx": (*axes, 2 * width), "h": p.cell.state_shapes[0]}
    sizes |= {"n": (len(p.state),), "nn": (2 * len(p.state),)}
    return [fragment.format(**{k: ", ".join(map(str, v)) for k, v in sizes.items()}) for fragment in fragments]


@every_cell
@pytest.mark.parametrize("case", FORWARD)
def test_forward_refuses(name, case):
    p, (call, error, *fragments) = problem(name), FORWARD[case]
    with refuses(error, f"{name}.forward: ", *filled(fragments, p)):
        call(p)


@every_cell
@pytest.mark.parametrize("case", BACKWARD)
def test_backward_refuses(name, case):
    p, (call, error, *fragments) = problem(name), BACKWARD[case]
    with refuses(error, f"{name}.backward: ", *filled(fragments, p)):
        call(p, p.cell.forward(p.xs, p.state)[2])


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_a_tape_of_another_activation_is_refused(name):
    p, default = problem(name, {"activation": "sigmoid"}), CELLS[name].activation
    with refuses(ValueError, f"{name}.backward: tape", "activation='sigmoid'", f"activation='{default}'"):
        p.cell.backward(p.dys, a_tape(name))


@every_cell
def test_step_refuses(name):
    p = problem(name)
    with refuses(ValueError, f"{name}.step: x must have shape ", *filled(["(B, {x})", "received (5, 4, {x})"], p)):
        p.cell.step(p.xs, p.state)
    with refuses(TypeError, f"{name}.step: state must be a tuple", "a ndarray"):
        p.cell.step(p.xs[0], p.state[0])
    _, cache = p.cell.step(p.xs[0], p.state)
    with refuses(TypeError, f"{name}.step_backward: dstate must be a tuple", "a ndarray"):
        p.cell.step_backward(p.dys[0], cache)
    with refuses(TypeError, f"{name}.step_backward: cache must be what step returned last", "a Tape"):
        p.cell.step_backward(p.dstate, a_tape(name))


@every_cell
@pytest.mark.parametrize("size", [-1, 2.5, True, None])
def test_initial_state_refuses(name, size):
    with refuses(ValueError, f"{name}.initial_state: batch_size must be an integer from 0, received {size!r}"):
        problem(name).cell.initial_state(size)


@pytest.mark.parametrize("backend", TORCH)
@every_cell
def test_a_torch_cell_refuses_numpy(name, backend):
    p = problem(name, backend=backend)
    with refuses(TypeError, f"{name}.forward: xs is an array of numpy, but torch was wanted"):
        p.cell.forward(problem(name).xs)
    with refuses(TypeError, f"{name}.forward: state[0] is an array of numpy, but torch was wanted"):
        p.cell.forward(p.xs, problem(name).state)


def parameters():
    return [
        pytest.param(k, path, id=f"{k}.{path}")
        for k in CELLS
        for path, _ in tree.leaves(problem(k).cell, and_fixed=True)
    ]


@pytest.mark.parametrize(("name", "path"), parameters())
def test_parameters_that_do_not_fit_are_refused(name, path):
    cell = problem(name, H=5).cell
    value = dict(tree.leaves(cell, and_fixed=True))[path]
    field, _, place = path.partition(".")
    for wrong, error, fragments in [
        (value[..., :-1] if value.ndim else value[None], ValueError, ("must have shape", "received")),
        (value[None], ValueError, ("must have shape", "received")),
        (value.astype(np.float32), TypeError, ("float32", "float64", "wanted")),
        (value.tolist(), TypeError, ("must be an array", type(value.tolist()).__name__)),
        (None, TypeError, ("must be an array", "a NoneType")),
    ]:
        if place:
            wrong = tuple(wrong if str(i) == place else w for i, w in enumerate(getattr(cell, field)))
        with refuses(error, name, *fragments):
            dataclasses.replace(cell, **{field: wrong})


@every_cell
@pytest.mark.parametrize("dtype", [int, bool, complex])
def test_parameters_must_be_floating(name, dtype):
    with refuses(TypeError, f"{name}: W must hold floating-point numbers, received dtype {np.dtype(dtype)}"):
        tree.convert(lambda w: w.astype(dtype), problem(name).cell)


@every_cell
def test_init_refuses(name, rng):
    init = CELLS[name].init
    for size in (0, -1, 2.5, 2.0, True, "3", None):
        with refuses(ValueError, "size must be an integer from 1", f"received {size!r}"):
            init(rng, size, 4)
        with refuses(ValueError, "size must be an integer from 1", f"received {size!r}"):
            init(rng, 3, size)
    for dtype in (np.float16, int, complex, torch.float32):
        with refuses(TypeError, "dtype must be float32 or float64", "received"):
            init(rng, 3, 4, dtype=dtype)
    with refuses(TypeError, "rng must be a np.random.Generator, received a int"):
        init(0, 3, 4)


@pytest.mark.parametrize("bias", [np.nan, np.inf, "1", None])
@pytest.mark.parametrize("name", WITH_FORGET_BIAS)
def test_init_refuses_a_forget_bias_that_is_no_number(name, bias, rng):
    with refuses(ValueError, f"{name}: forget_bias must be a finite number, received {bias!r}"):
        CELLS[name].init(rng, 3, 4, forget_bias=bias)


@pytest.mark.parametrize("name", WITH_FORGET_BIAS)
def test_forget_bias_is_that_of_the_forget_gate(name, rng):
    b = CELLS[name].init(rng, 3, 4, forget_bias=2.5).b.reshape(-1, 4)
    places = {"CoupledLSTM": [0], "JANET": [0], "IntersectionRNN": [2, 3]}.get(name, [1])
    assert np.array_equal(np.flatnonzero((b == 2.5).all(axis=1)), places)
    assert np.count_nonzero(b) == 4 * len(places)


@pytest.mark.parametrize("name", WITH_ACTIVATION)
def test_init_refuses_an_unknown_activation(name, rng):
    with refuses(ValueError, f"{name}: activation must be one of tanh, relu, sigmoid, identity, received 'swish'"):
        CELLS[name].init(rng, 3, 4, activation="swish")


@every_cell
def test_init_shapes_and_seeds(name):
    cells = [CELLS[name].init(np.random.default_rng(seed), 3, 4) for seed in (0, 0, 1)]
    assert cells[0].input_shape[-1] in (3, 3 + 1, 3 * 3)  # alone; with the elapsed time; with mask and elapsed times
    assert cells[0].state_shapes[0][-1] in (4, 2 * 4)  # numbers; real and imaginary parts
    assert_close(cells[0], cells[1], rtol=0, atol=0)
    assert (cells[0].W != cells[2].W).all()
    assert {leaf.dtype for _, leaf in tree.leaves(cells[0], and_fixed=True)} == {np.dtype(np.float32)}
