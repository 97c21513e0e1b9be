"""Cells from the weights of torch.nn, Keras and ONNX, and back.

Each of them lays out weights and orders gates in its own way; here weights are (D, G·H), gates i f g o and r z n. Where
they have a second bias that is merely added to the first, it is: on the way back all is in the first, and zeros in the
second. Arrays may be NumPy's or tensors; returned are copies, of NumPy, and of bfloat16 in float32.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from rnncore import cells, tree
from rnncore.backend import Array, array_namespace, check_array, check_whole
from rnncore.cell import Cell

__all__ = ["OnnxNode", "from_keras", "from_onnx", "from_torch", "to_keras", "to_onnx", "to_torch"]

OURS = {1: "h", 3: "rzn", 4: "ifgo"}  # the order of gates, by their number
KERAS = {1: "h", 3: "zrn", 4: "ifgo"}
ONNX = {1: "h", 3: "zrn", 4: "iofg"}
KERAS_ACTIVATIONS = {"tanh": "tanh", "relu": "relu", "sigmoid": "sigmoid", "linear": "identity"}
ONNX_ACTIVATIONS = {"Tanh": "tanh", "Relu": "relu", "Sigmoid": "sigmoid"}


# -- torch.nn: (G·H, D), gates i f g o and r z n, two biases


def from_torch(
    state_dict: Mapping[str, Array], *, layer: int = 0, reverse: bool = False, nonlinearity: str = "tanh"
) -> Cell:
    """The cell of one layer and direction of a torch.nn.RNN, GRU or LSTM, with `proj_size` or without.

    Args:
        state_dict: what the module's `state_dict()` returns.
        layer: which layer, from 0.
        reverse: of the reverse direction.
        nonlinearity: that of an RNN.

    Raises:
        ValueError: weights that are not there, or do not fit together.
    """
    suffix = _suffix("from_torch", layer, reverse)
    if lacking := {"weight_ih" + suffix, "weight_hh" + suffix} - set(state_dict):
        raise ValueError(f"from_torch: state_dict lacks {', '.join(sorted(lacking))}; it has {', '.join(state_dict)}")
    names = ("weight_ih", "weight_hh", "weight_hr", "bias_ih", "bias_hh")
    W, U, R, b, b_recurrent = (_numpy(state_dict.get(name + suffix)) for name in names)
    check_array("from_torch", "weight_ih", W, (len(U), "D"), U)
    return _cell("from_torch", W.T, U.T, b, b_recurrent, R=None if R is None else R.T, activation=nonlinearity)


def to_torch(cell: Cell, *, layer: int = 0, reverse: bool = False, bias: bool = True) -> dict[str, np.ndarray]:
    """The entries in the `state_dict` of a torch.nn.RNN, LSTM or GRU whose one layer and direction is this cell.

    Cells: Elman with tanh or relu (the module's `nonlinearity`), LSTM, ProjectedLSTM, GRU.

    Args:
        cell: of NumPy arrays or tensors.
        layer: which layer, from 0.
        reverse: for the reverse direction.
        bias: False for a module that has none.

    Raises:
        TypeError: a cell that torch.nn does not have.
        ValueError: an activation or a projection that it does not have, or a bias other than zero without `bias`.
    """
    W, U, b, b_recurrent = _weights("to_torch", cell, cells.Elman, cells.LSTM, cells.ProjectedLSTM, cells.GRU)
    if isinstance(cell, cells.Elman) and cell.activation not in ("tanh", "relu"):
        raise ValueError(f"to_torch: torch.nn.RNN has tanh and relu, not {cell.activation}")
    entries = {"weight_ih": W.T, "weight_hh": U.T}
    if isinstance(cell, cells.ProjectedLSTM):
        H, P = cell.R.shape
        if P >= H:
            raise ValueError(f"to_torch: proj_size of torch.nn.LSTM must be smaller than hidden_size, not {P} of {H}")
        entries["weight_hr"] = _numpy(cell.R).T
    if bias:
        entries |= {"bias_ih": b, "bias_hh": b_recurrent}
    else:
        _check_no_bias("to_torch", b, b_recurrent)
    suffix = _suffix("to_torch", layer, reverse)
    return {name + suffix: np.ascontiguousarray(value) for name, value in entries.items()}


# -- Keras: (D, G·H), gates i f c o and z r h, one bias, but for a GRU with reset_after two


def from_keras(weights: Sequence[Array], *, reset_after: bool = True, activation: str = "tanh") -> Cell:
    """The cell of a Keras SimpleRNN, LSTM or GRU.

    Args:
        weights: what the layer's `get_weights()` returns: kernel, recurrent kernel, and the bias if it has one.
        reset_after: that of a GRU: GRU where true, GRUOriginal where false.
        activation: that of a SimpleRNN. LSTM and GRU must have those they have by default.

    Raises:
        ValueError: weights that do not fit together, or an activation that no cell has.
    """
    if len(weights) not in (2, 3):
        raise ValueError(
            f"from_keras: weights must be kernel, recurrent kernel and bias, received {len(weights)} arrays"
        )
    W, U, b = (_numpy(w) for w in (*weights, None)[:3])
    count = _gates("from_keras", "recurrent kernel", U)
    check_array("from_keras", "kernel", W, ("D", U.shape[1]), U)
    b_recurrent = None
    if b is not None:
        shape = (2, U.shape[1]) if count == 3 and reset_after else U.shape[1:]
        check_array("from_keras", "bias", b, shape, U)
        b, b_recurrent = b if b.ndim == 2 else (b, None)
    arrays = (_ordered(a, KERAS[count], OURS[count]) for a in (W, U, b, b_recurrent))
    activation = _known("from_keras", activation, KERAS_ACTIVATIONS)
    return _cell("from_keras", *arrays, reset_after=reset_after, activation=activation)


def to_keras(cell: Cell, *, bias: bool = True) -> list[np.ndarray]:
    """The weights, for `set_weights`, of a Keras SimpleRNN, LSTM or GRU that is this cell.

    Cells: Elman (its "identity" is Keras's "linear"), LSTM, GRU (reset_after=True), GRUOriginal (reset_after=False).

    Args:
        cell: of NumPy arrays or tensors.
        bias: False for a layer that has none.

    Raises:
        TypeError: a cell that Keras does not have.
        ValueError: a bias other than zero without `bias`.
    """
    W, U, b, b_recurrent = _weights("to_keras", cell, cells.Elman, cells.LSTM, cells.GRU, cells.GRUOriginal)
    arrays = [W, U]
    if bias:
        arrays.append(np.stack([b, b_recurrent]) if isinstance(cell, cells.GRU) else b)
    else:
        _check_no_bias("to_keras", b, b_recurrent)
    count = W.shape[1] // U.shape[0]
    return [_ordered(a, OURS[count], KERAS[count]) for a in arrays]


# -- ONNX: (directions, G·H, D), gates i o f c and z r h, two biases side by side, peepholes i o f


class OnnxNode(NamedTuple):
    """An operator of ONNX: its type, its attributes, and by name those of its inputs that are weights."""

    op_type: str
    attributes: dict[str, Any]
    inputs: dict[str, np.ndarray]


def from_onnx(
    W: Array,
    R: Array,
    B: Array | None = None,
    P: Array | None = None,
    *,
    direction: int = 0,
    linear_before_reset: int = 0,
    activation: str = "Tanh",
) -> Cell:
    """The cell of one direction of an ONNX RNN, GRU or LSTM, with peepholes or without.

    Args:
        W: the input weights (directions, G·H, D).
        R: the recurrent weights (directions, G·H, H).
        B: the biases (directions, 2·G·H); zeros where None.
        P: the peepholes (directions, 3·H).
        direction: which of the directions.
        linear_before_reset: that of a GRU: GRUOriginal where 0, as ONNX has it by default, else GRU.
        activation: that of an RNN. LSTM and GRU must have those they have by default.

    Raises:
        ValueError: weights that do not fit together, or an activation that no cell has.
    """
    check_whole("from_onnx", "direction", direction, 0)
    for name, value, axes in (("W", W, 3), ("R", R, 3), ("B", B, 2), ("P", P, 2)):
        if value is not None and not (len(value.shape) == axes and direction < value.shape[0]):
            raise ValueError(
                f"from_onnx: {name} must have {axes} axes and direction {direction}, received {value.shape}"
            )
    W, R, B, P = (None if a is None else _numpy(a)[direction].T for a in (W, R, B, P))
    count = _gates("from_onnx", "R", R)
    check_array("from_onnx", "W", W, ("D", R.shape[1]), R)
    biases: Sequence[Any] = (None, None)
    if B is not None:
        check_array("from_onnx", "B", B, (2 * R.shape[1],), R)
        biases = np.split(B, 2)
    if P is not None:
        check_array("from_onnx", "P", P, (3 * R.shape[0],), R)
        P = _ordered(P, "iof", "ifo")
    arrays = (_ordered(a, ONNX[count], OURS[count]) for a in (W, R, *biases))
    activation = _known("from_onnx", activation, ONNX_ACTIVATIONS)
    return _cell("from_onnx", *arrays, p=P, reset_after=bool(linear_before_reset), activation=activation)


def to_onnx(*directions: Cell) -> OnnxNode:
    """The operator of ONNX that is this cell, or these two: the second for the reverse direction.

    Of a sequence of length 0 ONNX gives zeros as the last state, where `Cell.forward` gives the initial one.

    Cells: Elman (but for "identity"), LSTM, PeepholeLSTM, GRU, GRUOriginal.

    Args:
        directions: one cell or two of a kind, of NumPy arrays or tensors.

    Raises:
        TypeError: a cell that ONNX does not have, or two that do not go together.
        ValueError: an activation that it does not have.
    """
    kinds = (cells.Elman, cells.LSTM, cells.PeepholeLSTM, cells.GRU, cells.GRUOriginal)
    parts = [_weights("to_onnx", cell, *kinds) for cell in directions]
    names = {type(cell).__name__ for cell in directions}
    if len(directions) not in (1, 2) or len(names) != 1:
        raise TypeError(f"to_onnx: one cell or two of a kind were wanted, received {len(parts)}: {', '.join(names)}")
    cell, (W, U, *_) = directions[0], parts[0]
    count = W.shape[1] // U.shape[0]
    attributes: dict[str, Any] = {"hidden_size": U.shape[0]}
    attributes["direction"] = "forward" if len(parts) == 1 else "bidirectional"
    if count == 3:
        attributes["linear_before_reset"] = int(isinstance(cell, cells.GRU))
    if count == 1:
        ours = {name: theirs for theirs, name in ONNX_ACTIVATIONS.items()}
        attributes["activations"] = [_known("to_onnx", c.activation, ours) for c in directions]  # type: ignore[attr-defined]
    inputs: dict[str, list[np.ndarray]] = {"W": [], "R": [], "B": []}
    for arrays in parts:
        W, U, b, b_recurrent = (_ordered(a, OURS[count], ONNX[count]) for a in arrays)
        for name, value in (("W", W.T), ("R", U.T), ("B", np.concatenate([b, b_recurrent]))):
            inputs[name].append(value)
    if isinstance(cell, cells.PeepholeLSTM):
        inputs["P"] = [_ordered(_numpy(c.p), "ifo", "iof") for c in directions]  # type: ignore[attr-defined]
    stacked = {name: np.stack(arrays) for name, arrays in inputs.items()}
    return OnnxNode({1: "RNN", 3: "GRU", 4: "LSTM"}[count], attributes, stacked)


# -- what they share


def _cell(
    operation: str,
    W: np.ndarray,
    U: np.ndarray,
    b: np.ndarray | None,
    b_recurrent: np.ndarray | None,
    *,
    R: np.ndarray | None = None,
    p: np.ndarray | None = None,
    reset_after: bool = True,
    activation: str = "tanh",
) -> Cell:
    """The cell of these weights, with the gates in our order."""
    W, U = np.ascontiguousarray(W), np.ascontiguousarray(U)
    b = np.zeros_like(U[0]) if b is None else b
    b_recurrent = np.zeros_like(U[0]) if b_recurrent is None else b_recurrent
    if R is not None:
        return cells.ProjectedLSTM(W, U, b + b_recurrent, np.ascontiguousarray(R))
    count, H = _gates(operation, "recurrent weights", U), U.shape[0]
    if p is not None:
        return cells.PeepholeLSTM(W, U, b + b_recurrent, p)
    if count == 4:
        return cells.LSTM(W, U, b + b_recurrent)
    if count == 1:
        return cells.Elman(W, U, b + b_recurrent, activation)
    if reset_after:
        outside = np.concatenate([b_recurrent[: 2 * H], np.zeros_like(b_recurrent[2 * H :])])
        return cells.GRU(W, U, b + outside, b_recurrent[2 * H :].copy())
    U, U_n = np.ascontiguousarray(U[:, : 2 * H]), np.ascontiguousarray(U[:, 2 * H :])
    return cells.GRUOriginal(W, U, b + b_recurrent, U_n)


def _weights(operation: str, cell: Cell, *kinds: type[Cell]) -> tuple[np.ndarray, ...]:
    """W, U with the columns of all gates, and two biases; the second zero but where the reset gate acts on it."""
    if not isinstance(cell, kinds):
        names = ", ".join(kind.__name__ for kind in kinds)
        raise TypeError(f"{operation}: one of {names} was wanted, received a {type(cell).__name__}")
    c: Any = tree.convert(_numpy, cell)
    U, b_recurrent = c.U, np.zeros_like(c.b)
    if isinstance(c, cells.GRU):
        b_recurrent[2 * len(c.b_hn) :] = c.b_hn
    if isinstance(c, cells.GRUOriginal):
        U = np.concatenate([U, c.U_n], axis=1)
    return c.W, U, c.b, b_recurrent


def _ordered(array: Any, have: str, want: str) -> Any:
    """The gates along the last axis, which come in one order, in another."""
    if array is None:
        return None
    gates = dict(zip(have, np.split(array, len(have), axis=-1), strict=True))
    return np.concatenate([gates[name] for name in want], axis=-1)


def _gates(operation: str, name: str, U: np.ndarray) -> int:
    """How many gates lie side by side in recurrent weights."""
    for count in OURS:
        if U.ndim == 2 and U.shape[1] == count * U.shape[0]:
            return count
    raise ValueError(f"{operation}: {name} must be (H, G·H) for G of 1, 3 or 4 (or transposed), received {U.shape}")


def _known(operation: str, name: str, table: Mapping[str, str]) -> str:
    if name not in table:
        raise ValueError(f"{operation}: activation must be one of {', '.join(table)}, received {name!r}")
    return table[name]


def _check_no_bias(operation: str, *biases: np.ndarray) -> None:
    if any(b.any() for b in biases):
        raise ValueError(f"{operation}: the cell has a bias other than zero, which bias=False cannot represent")


def _suffix(operation: str, layer: int, reverse: bool) -> str:
    return f"_l{check_whole(operation, 'layer', layer, 0)}" + ("_reverse" if reverse else "")


def _numpy(array: Any) -> Any:
    """A copy of an array or tensor as a NumPy array."""
    if array is None:
        return None
    if hasattr(array, "detach"):
        array = array.detach().cpu()
    if str(getattr(array, "dtype", "")).endswith("bfloat16"):  # which NumPy has not; no bit is lost
        xp = array_namespace(array)
        array = xp.astype(array, xp.float32)
    return np.asarray(array).copy()
