"""Cells from and to the layouts of torch.nn, Keras and ONNX: the same outputs there and here."""

import os

import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from rnncore import CELLS, tree
from rnncore.converters import from_keras, from_onnx, from_torch, to_keras, to_onnx, to_torch
from rnncore.testing import assert_close
from tests.conftest import TORCH, problem, refuses, to

os.environ["KERAS_BACKEND"] = "torch"  # before the import, which is slow
import keras

every_dtype = pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-12), (np.float32, 1e-6)])
TORCH_CELLS = [("Elman", {}), ("Elman", {"activation": "relu"}), ("LSTM", {}), ("ProjectedLSTM", {}), ("GRU", {})]
KERAS_CELLS = [
    *(("Elman", {"activation": name}) for name in ("tanh", "relu", "sigmoid", "identity")),
    ("LSTM", {}),
    ("GRU", {}),
    ("GRUOriginal", {}),
]
ONNX_CELLS = [
    *(("Elman", {"activation": name}) for name in ("tanh", "relu", "sigmoid")),
    ("LSTM", {}),
    ("PeepholeLSTM", {}),
    ("GRU", {}),
    ("GRUOriginal", {}),
]


def ids(cells):
    return [name + "".join(f"-{value}" for value in options.values()) for name, options in cells]


def drawn(name, options, dtype=np.float64, seed=0):
    """A cell, inputs and an initial state of this dtype, none zero; a projection to 2 of 4."""
    options = options | ({"projection_size": 2} if name == "ProjectedLSTM" else {})
    p = problem(name, options, seed=seed)
    return tree.map(lambda a: (0.7 * a).astype(dtype), (p.cell, p.xs, p.state))


def close(actual, expected, tolerance):
    assert_close(actual, expected, rtol=tolerance, atol=tolerance)


# -- torch.nn


def torch_module(name, options, dtype, **more):
    kind = {"Elman": torch.nn.RNN, "GRU": torch.nn.GRU}.get(name, torch.nn.LSTM)
    options = {"nonlinearity": options["activation"]} if options else {}
    options |= {"proj_size": 2} if name == "ProjectedLSTM" else {}
    return kind(3, 4, dtype=getattr(torch, np.dtype(dtype).name), **options, **more)


def run_torch(module, xs, state):
    hx = tuple(torch.tensor(s)[None] for s in state)
    with torch.no_grad():
        ys, final = module(torch.tensor(xs), hx if len(hx) > 1 else hx[0])
    return ys.numpy(), tuple(s[0].numpy() for s in (final if len(hx) > 1 else (final,)))


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")  # torch.nn's own
@every_dtype
@pytest.mark.parametrize(("name", "options"), TORCH_CELLS, ids=ids(TORCH_CELLS))
def test_torch(name, options, dtype, tolerance):
    cell, xs, state = drawn(name, options, dtype)
    module = torch_module(name, options, dtype)
    nonlinearity = options.get("activation", "tanh")
    there = from_torch(module.state_dict(), nonlinearity=nonlinearity)  # as torch draws them: two biases
    assert type(there) is CELLS[name]
    close(there.forward(xs, state)[:2], run_torch(module, xs, state), tolerance)
    module.load_state_dict({key: torch.from_numpy(value) for key, value in to_torch(cell).items()})
    close(cell.forward(xs, state)[:2], run_torch(module, xs, state), tolerance)
    assert_close(from_torch(to_torch(cell), nonlinearity=nonlinearity), cell, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "options"), TORCH_CELLS, ids=ids(TORCH_CELLS))
def test_layers_and_directions_of_torch(name, options):
    module = torch_module(name, options, np.float64, num_layers=2, bidirectional=True, bias=False)
    state, entries = module.state_dict(), {}
    for layer in range(2):
        for reverse in (False, True):
            cell = from_torch(state, layer=layer, reverse=reverse)
            entries |= to_torch(cell, layer=layer, reverse=reverse, bias=False)
    assert_close({key: torch.from_numpy(value) for key, value in entries.items()}, dict(state), rtol=0, atol=0)


@pytest.mark.parametrize("backend", TORCH)
def test_tensors_are_taken_as_arrays_are(backend):
    cell, _, _ = drawn("GRU", {})
    tensors = to(backend, cell)
    for there, back in ((to_torch, from_torch), (to_keras, from_keras)):
        assert_close(there(tensors), there(cell), rtol=0, atol=0)
        assert_close(back(to(backend, there(cell))), cell, rtol=0, atol=0)
    assert_close(to_onnx(tensors).inputs, to_onnx(cell).inputs, rtol=0, atol=0)
    there = to(backend, to_onnx(cell).inputs)
    assert_close(from_onnx(**there, linear_before_reset=1), cell, rtol=0, atol=0)


# -- Keras

NARROW = {"Elman", "GRUOriginal"}  # whose products Keras makes in float32 whatever their dtype; torch makes the others'
of_keras = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # its variables


def keras_layer(name, options, dtype, **more):
    kind = {"Elman": "SimpleRNN", "LSTM": "LSTM"}.get(name, "GRU")
    if name == "Elman":
        more["activation"] = {"identity": "linear"}.get(options["activation"], options["activation"])
    if kind == "GRU":
        more["reset_after"] = name == "GRU"
    layer = getattr(keras.layers, kind)(4, return_sequences=True, return_state=True, dtype=np.dtype(dtype).name, **more)
    layer.build((None, None, 3))
    return layer


def run_keras(layer, xs, state):
    with torch.no_grad():
        ys, *final = layer(np.swapaxes(xs, 0, 1), initial_state=[torch.tensor(s) for s in state])
    return np.swapaxes(ys.cpu().numpy(), 0, 1), tuple(s.cpu().numpy() for s in final)


@of_keras
@every_dtype
@pytest.mark.parametrize(("name", "options"), KERAS_CELLS, ids=ids(KERAS_CELLS))
def test_keras(name, options, dtype, tolerance):
    cell, xs, state = drawn(name, options, dtype)
    layer, tolerance = keras_layer(name, options, dtype), 2e-6 if name in NARROW else tolerance
    others = {"reset_after": name == "GRU", "activation": keras_activation(options)}
    rng = np.random.default_rng(1)
    layer.set_weights([0.6 * rng.standard_normal(w.shape).astype(dtype) for w in layer.get_weights()])
    there = from_keras(layer.get_weights(), **others)
    assert type(there) is CELLS[name]
    close(there.forward(xs, state)[:2], run_keras(layer, xs, state), tolerance)
    layer.set_weights(to_keras(cell))
    close(cell.forward(xs, state)[:2], run_keras(layer, xs, state), tolerance)
    assert_close(from_keras(to_keras(cell), **others), cell, rtol=0, atol=0)


def keras_activation(options):
    return {"identity": "linear"}.get(name := options.get("activation", "tanh"), name)


@of_keras
@pytest.mark.parametrize(("name", "options"), KERAS_CELLS[3:], ids=ids(KERAS_CELLS[3:]))
def test_keras_without_biases(name, options):
    layer = keras_layer(name, options, np.float64, use_bias=False)
    cell = from_keras(layer.get_weights(), reset_after=name == "GRU", activation=keras_activation(options))
    _, xs, state = drawn(name, options)
    close(cell.forward(xs, state)[:2], run_keras(layer, xs, state), 2e-6 if name in NARROW else 1e-12)
    assert_close(to_keras(cell, bias=False), layer.get_weights(), rtol=0, atol=0)


# -- ONNX


def run_onnx(node, xs, state):
    """Outputs (T, directions, B, H) and final states of an operator in ONNX's own evaluator."""
    inputs = {"X": xs, **node.inputs, "initial_h": state[0], **({"initial_c": state[1]} if len(state) > 1 else {})}
    order = ["X", "W", "R", "B", "", "initial_h", *(["initial_c", "P"] if len(state) > 1 else [])]
    outputs = ["Y", "Y_h", "Y_c"][: 1 + len(state)]
    made = onnx.helper.make_node(
        node.op_type, [name if name in inputs else "" for name in order], outputs, **node.attributes
    )
    kind = onnx.helper.np_dtype_to_tensor_dtype(xs.dtype)
    values = [onnx.helper.make_tensor_value_info(name, kind, None) for name in [*inputs, *outputs]]
    graph = onnx.helper.make_graph([made], "one", values[: len(inputs)], values[len(inputs) :])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    ys, *final = ReferenceEvaluator(model).run(None, inputs)
    return ys, final


@every_dtype
@pytest.mark.parametrize("name", dict(ONNX_CELLS))  # with tanh, the only activation of an RNN that the evaluator has
def test_onnx(name, dtype, tolerance):
    cell, xs, state = drawn(name, {}, dtype)
    node = to_onnx(cell)
    others = {"linear_before_reset": int(name == "GRU")}
    rng = np.random.default_rng(1)
    full = {key: 0.6 * rng.standard_normal(a.shape).astype(dtype) for key, a in node.inputs.items()}  # two biases
    there = from_onnx(**full, **others)
    assert type(there) is CELLS[name]
    for ours, inputs in ((cell, node.inputs), (there, full)):
        ys, final = run_onnx(node._replace(inputs=inputs), xs, [s[None] for s in state])
        close(ours.forward(xs, state)[:2], (ys[:, 0], tuple(s[0] for s in final)), tolerance)
    assert_close(from_onnx(**node.inputs, **others), cell, rtol=0, atol=0)


@pytest.mark.parametrize(("name", "options"), ONNX_CELLS, ids=ids(ONNX_CELLS))
def test_both_directions_of_onnx(name, options):
    cells = [drawn(name, options, seed=seed)[0] for seed in (0, 1)]
    node = to_onnx(*cells)
    assert node.attributes["direction"] == "bidirectional"
    others = {"linear_before_reset": int(name == "GRU")}
    if options:
        others["activation"] = options["activation"].capitalize()
        assert node.attributes["activations"] == 2 * [others["activation"]]
    for direction, cell in enumerate(cells):
        found = from_onnx(**node.inputs, direction=direction, **others)
        assert_close(found, cell, rtol=0, atol=0)
        assert vars(found).get("activation") == vars(cell).get("activation")


def test_onnx_without_biases():
    cell, _, _ = drawn("LSTM", {})
    inputs = to_onnx(cell).inputs
    found = from_onnx(inputs["W"], inputs["R"])
    assert_close(found, type(cell)(cell.W, cell.U, 0 * cell.b), rtol=0, atol=0)


# -- copies and errors


def test_copies_are_made():
    cell, _, _ = drawn("Elman", {})
    for there, back in (
        (to_torch, from_torch),
        (to_keras, from_keras),
        (lambda c: to_onnx(c).inputs, lambda i: from_onnx(**i)),
    ):
        made = there(cell)
        again = back(made)
        leaves = [[a for _, a in tree.leaves(x)] for x in (cell, made, again)]
        for i, j in ((0, 1), (1, 2)):
            assert not any(np.shares_memory(a, b) for a in leaves[i] for b in leaves[j])


@pytest.mark.parametrize("name", CELLS)
def test_cells_that_cannot_be_represented_are_refused(name):
    cell = problem(name).cell
    for convert, known in ((to_torch, TORCH_CELLS), (to_keras, KERAS_CELLS), (to_onnx, ONNX_CELLS)):
        if name not in dict(known):
            with refuses(TypeError, f"{convert.__name__}: one of Elman, LSTM, ", f"received a {name}"):
                convert(cell)


def test_errors():
    elman, lstm, gru = (drawn(name, {})[0] for name in ("Elman", "LSTM", "GRU"))
    with refuses(ValueError, "to_torch: torch.nn.RNN has tanh and relu, not sigmoid"):
        to_torch(drawn("Elman", {"activation": "sigmoid"})[0])
    with refuses(ValueError, "to_torch: proj_size of torch.nn.LSTM must be smaller than hidden_size, not 4 of 4"):
        to_torch(problem("ProjectedLSTM").cell)
    with refuses(ValueError, "to_torch: layer must be an integer from 0, received -1"):
        to_torch(elman, layer=-1)
    for convert in (to_torch, to_keras):
        with refuses(ValueError, f"{convert.__name__}: the cell has a bias other than zero"):
            convert(gru, bias=False)
    with refuses(ValueError, "from_torch: state_dict lacks weight_hh_l1, weight_ih_l1; it has weight_ih_l0, "):
        from_torch(to_torch(elman), layer=1)
    with refuses(ValueError, "from_torch: recurrent weights must be (H, G·H) for G of 1, 3 or 4", "(4, 8)"):
        from_torch({"weight_ih_l0": np.ones((8, 3)), "weight_hh_l0": np.ones((8, 4))})
    with refuses(ValueError, "from_torch: weight_ih must have shape (16, D), received (12, 3)"):
        from_torch(to_torch(lstm) | {"weight_ih_l0": np.ones((12, 3))})
    with refuses(ValueError, "Elman: activation must be one of tanh", "received 'swish'"):
        from_torch(to_torch(elman), nonlinearity="swish")

    with refuses(ValueError, "from_keras: weights must be kernel, recurrent kernel and bias, received 1"):
        from_keras([elman.W])
    with refuses(ValueError, "from_keras: activation must be one of tanh, relu, sigmoid, linear, received 'identity'"):
        from_keras(to_keras(elman), activation="identity")
    with refuses(ValueError, "from_keras: bias must have shape (12,), received (2, 12)"):
        from_keras(to_keras(gru), reset_after=False)
    with refuses(ValueError, "from_keras: bias must have shape (2, 12), received (12,)"):
        from_keras(to_keras(drawn("GRUOriginal", {})[0]))
    with refuses(ValueError, "from_keras: kernel must have shape (D, 16), received (3, 12)"):
        from_keras([gru.W, lstm.U, lstm.b])
    with refuses(ValueError, "from_keras: recurrent kernel must be (H, G·H)", "received (16, 4)"):
        from_keras([lstm.W.T, lstm.U.T, lstm.b])

    onnx_lstm = to_onnx(lstm).inputs
    with refuses(ValueError, "to_onnx: activation must be one of tanh, relu, sigmoid, received 'identity'"):
        to_onnx(drawn("Elman", {"activation": "identity"})[0])
    with refuses(TypeError, "to_onnx: one cell or two of a kind were wanted, received 2: "):
        to_onnx(elman, lstm)
    with refuses(TypeError, "to_onnx: one cell or two of a kind were wanted, received 0"):
        to_onnx()
    with refuses(ValueError, "from_onnx: W must have 3 axes and direction 1, received (1, 16, 3)"):
        from_onnx(**onnx_lstm, direction=1)
    with refuses(ValueError, "from_onnx: B must have shape (32,), received (16,)"):
        from_onnx(onnx_lstm["W"], onnx_lstm["R"], onnx_lstm["B"][:, :16])
    with refuses(ValueError, "from_onnx: P must have shape (12,), received (16,)"):
        from_onnx(**onnx_lstm, P=np.ones((1, 16)))
    with refuses(ValueError, "from_onnx: W must have shape (D, 16), received (3, 12)"):
        from_onnx(to_onnx(gru).inputs["W"], onnx_lstm["R"])
    with refuses(ValueError, "from_onnx: activation must be one of Tanh, Relu, Sigmoid, received 'Affine'"):
        from_onnx(**to_onnx(elman).inputs, activation="Affine")


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_bfloat16_becomes_float32(kind):
    module = getattr(torch.nn, kind)(3, 4).bfloat16()
    cell = from_torch(module.state_dict())
    assert cell.W.dtype == np.float32
    assert np.array_equal(cell.W, module.weight_ih_l0.detach().float().numpy().T)
