"""The array library of an array: NumPy, torch or JAX, from one source.

Everything in `rnncore` is written against the array API standard. `array_namespace` finds the library of the arrays
that came in; where they live (CPU or GPU) and what they are (float32 or float64) is then the caller's choice.
"""

import math
import numbers
import operator
from typing import Any, cast

import numpy as np
from array_api_compat import array_namespace as _array_namespace

from rnncore import memory

Array = Any
"""A NumPy array, a torch tensor or a JAX array."""

__all__ = [
    "Array",
    "add_rows",
    "affine",
    "array_namespace",
    "check_array",
    "check_dtype",
    "check_finite",
    "check_floating",
    "check_whole",
    "check_wide",
    "check_within",
    "concat",
    "device",
    "hard_sigmoid",
    "is_jax",
    "joined",
    "log_softmax",
    "sigmoid",
    "sign",
    "softmax",
    "softplus",
    "split",
    "take_rows",
    "traced",
    "transposed",
]


def array_namespace(*arrays: Array) -> Any:
    """The array API namespace shared by `arrays`; TypeError where they are no arrays, or of two libraries."""
    kinds = {type(array) for array in arrays}
    if len(kinds) == 1 and (known := _NAMESPACES.get(*kinds)):
        return known
    spaces = {_NAMESPACES.get(kind) for kind in kinds}  # of tensors and torch's parameters it is the same
    if len(spaces) == 1 and (known := spaces.pop()):
        return known
    try:
        found = _array_namespace(*arrays)
    except TypeError as error:
        names = ", ".join(sorted(kind.__module__ + "." + kind.__qualname__ for kind in kinds))
        raise TypeError(f"expected arrays of one library (NumPy, torch or JAX), received: {names}") from error
    if len(kinds) == 1:
        _NAMESPACES[kinds.pop()] = found
    return found


_NAMESPACES: dict[type, Any] = {}  # by type of array: asking costs as much as a small product


def device(array: Array) -> Any:
    """Where `array` lives, as its library names it; None for one of JAX that is being traced, and lives nowhere."""
    return getattr(array, "device", None)


def traced(array: Array) -> bool:
    """Is it an array that JAX traces: of known shape and dtype, but without values that a check could look at?"""
    return hasattr(array, "dtype") and device(array) is None


def is_jax(array: Array) -> bool:
    """Is it an array of JAX, traced or not? Asked without loading JAX."""
    return not isinstance(array, np.ndarray) and array_namespace(array).__name__ == "jax.numpy"


def sigmoid(x: Array) -> Array:
    """Logistic function 1 / (1 + exp(-x)), as ½ + ½ tanh(x / 2): no overflow at either end."""
    half = 0.5 * x
    if isinstance(half, np.ndarray):  # in place: NumPy keeps no graph
        np.tanh(half, out=half)
        half *= 0.5
        half += 0.5
        return half
    return 0.5 + 0.5 * array_namespace(x).tanh(half)


def hard_sigmoid(x: Array) -> Array:
    """A sigmoid of three straight lines: x / 5 + 1/2, cut to 0 … 1."""
    xp, line = array_namespace(x), 0.2 * x + 0.5
    return xp.minimum(xp.maximum(line, xp.zeros_like(line)), xp.ones_like(line))


def sign(x: Array) -> Array:
    """-1, 0 or 1 as x is negative, zero or positive; unlike the library's own, what `torch.func.vmap` can map."""
    xp = array_namespace(x)
    return xp.astype(x > 0, x.dtype) - xp.astype(x < 0, x.dtype)


def softplus(x: Array) -> Array:
    """log(1 + exp(x)), positive everywhere, without overflow; its derivative is `sigmoid`."""
    xp = array_namespace(x)
    return xp.logaddexp(x, xp.zeros_like(x))


def log_softmax(x: Array) -> Array:
    """log of `softmax` over the last axis. The largest entry is subtracted first, so that exp cannot overflow."""
    xp = array_namespace(x)
    shifted = x - (xp.max(x, axis=-1, keepdims=True) if 0 not in x.shape else 0)
    return shifted - xp.log(xp.sum(xp.exp(shifted), axis=-1, keepdims=True))


def softmax(x: Array) -> Array:
    """exp(x) / Σ exp(x) over the last axis."""
    return array_namespace(x).exp(log_softmax(x))


def split(x: Array, parts: int) -> tuple[Array, ...]:
    """Cut the last axis of `x` into `parts` equal pieces."""
    size, rest = divmod(x.shape[-1], parts)
    if rest:
        raise ValueError(f"split: the last axis of {tuple(x.shape)} does not divide into {parts} equal parts")
    return tuple(x[..., i * size : (i + 1) * size] for i in range(parts))


def affine(x: Array, W: Array, b: Array) -> Array:
    """x W + b, for x (…, D), W (D, K) and b (K,)."""
    if not isinstance(x, np.ndarray):
        return x @ W + b
    y = np.matmul(x, W, out=memory.empty((*x.shape[:-1], W.shape[1]), x.dtype))
    y += b
    return y


def concat(*arrays: Array, axis: int = -1) -> Array:
    """Join arrays along `axis`, the last one unless told."""
    xp = array_namespace(*arrays)
    if not isinstance(arrays[0], np.ndarray) and hasattr(
        xp, "cat"
    ):  # torch, whose `concat` knows no gradients in batches
        return xp.cat(arrays, dim=axis)
    return xp.concat(arrays, axis=axis)


def joined(arrays: list[Array]) -> Array:
    """Arrays (B, …), one for each step, as one (N, …)."""
    if not isinstance(arrays[0], np.ndarray):
        return concat(*arrays, axis=0)
    rows = sum(len(array) for array in arrays)
    return np.concatenate(arrays, axis=0, out=memory.empty((rows, *arrays[0].shape[1:]), arrays[0].dtype))


def transposed(matrix: Array) -> Array:
    """The transpose (N, M) of a matrix (M, N), laid out anew: products with it are faster than with the view.

    NumPy arrays are copied sixteen rows at a time, which then stay in the cache: several times faster than all at once.
    """
    if not isinstance(matrix, np.ndarray):
        return matrix.T
    result = memory.empty(matrix.shape[::-1], matrix.dtype)
    for row in range(0, len(matrix), 16):
        result[:, row : row + 16] = matrix[row : row + 16].T
    return result


def take_rows(x: Array, index: Array) -> Array:
    """The rows `x[index]`, for an index (N,) of whole numbers, of NumPy or of the library of `x` on any device."""
    xp = array_namespace(x)
    index = xp.asarray(index, device=device(x))
    return xp.take(x, index.long() if hasattr(index, "long") else index, axis=0)  # torch takes by no other dtype


def add_rows(rows: Array, index: Array, count: int) -> Array:
    """(count, …), each row the sum of the `rows` (N, …) that `index` (N,) sends there: the adjoint of `take_rows`."""
    if isinstance(rows, np.ndarray):
        total = np.zeros((count, *rows.shape[1:]), dtype=rows.dtype)
        np.add.at(total, index, rows)
        return total
    if is_jax(rows):
        return array_namespace(rows).zeros((count, *rows.shape[1:]), dtype=rows.dtype).at[index].add(rows)
    return rows.new_zeros((count, *rows.shape[1:])).index_add(0, index.long(), rows)  # not in the standard


def check_array(operation: str, name: str, array: Array, shape: tuple[str | int, ...], like: Array) -> None:
    """Refuse an array that does not fit, in a sentence that says what came and what was wanted.

    Args:
        operation: what the caller asked for, such as ``"Elman.forward"``.
        name: the argument's name.
        array: the argument.
        shape: the wanted length of each axis; a string names an axis that may have any length.
        like: an array whose library, dtype and device are wanted, usually a parameter.

    Raises:
        TypeError: no array, an array of another library, or of another dtype.
        ValueError: another shape, or another device.
    """
    if type(array) is type(like) is np.ndarray and array.dtype == like.dtype and _fits(array.shape, shape):
        return  # as nearly always: the rest takes ten times as long
    wanted = "(" + ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "") + ")"
    if not hasattr(array, "shape") or not hasattr(array, "dtype"):
        raise TypeError(f"{operation}: {name} must be an array of shape {wanted}, received a {type(array).__name__}")
    if isinstance(array, np.ma.MaskedArray):
        raise TypeError(f"{operation}: {name} is a masked array, whose mask would be lost; give lengths, or an array")
    if _library(array) != _library(like):
        raise TypeError(f"{operation}: {name} is an array of {_library(array)}, but {_library(like)} was wanted")
    received = tuple(array.shape)
    if not _fits(received, shape):
        raise ValueError(f"{operation}: {name} must have shape {wanted}, received {received}")
    if array.dtype != like.dtype:
        raise TypeError(f"{operation}: {name} has dtype {array.dtype}, but {like.dtype} was wanted")
    if device(array) != device(like) and None not in (device(array), device(like)):
        raise ValueError(f"{operation}: {name} is on device {device(array)}, but {device(like)} was wanted")


def _fits(received: tuple[int, ...], shape: tuple[str | int, ...]) -> bool:
    """Is this the wanted shape, in which a string stands for any length?"""
    if len(received) != len(shape):
        return False
    for want, have in zip(shape, received, strict=True):  # noqa: SIM110 (half as long as `all`)
        if want != have and not isinstance(want, str):
            return False
    return True


def check_dtype(operation: str, dtype: Any) -> None:
    """Refuse a dtype of new NumPy arrays other than float32 and float64; TypeError."""
    try:
        known = np.dtype(dtype) in (np.float32, np.float64)
    except TypeError:
        known = False
    if not known:
        raise TypeError(f"{operation}: dtype must be float32 or float64, received {dtype}")


def check_finite(operation: str, name: str, value: Any, low: float = -math.inf, high: float = math.inf) -> float:
    """`value` as a float; ValueError where it is no number, nan, infinite, or outside `low` … `high`.

    What JAX traces has no value to look at, and is given back.
    """
    if traced(value):
        return cast(float, value)
    if not isinstance(value, numbers.Real) or not math.isfinite(value) or not low <= float(value) <= high:
        bounds = "" if low == -math.inf else f" from {low:g}" if high == math.inf else f" in {low:g} … {high:g}"
        raise ValueError(f"{operation}: {name} must be a finite number{bounds}, received {value!r}")
    return float(value)


def check_floating(operation: str, name: str, array: Array) -> None:
    """Refuse what is no array of real floating-point numbers; TypeError."""
    try:
        floating = array_namespace(array).isdtype(array.dtype, "real floating")
    except TypeError:
        raise TypeError(f"{operation}: {name} must be an array, received a {type(array).__name__}") from None
    if not floating:
        raise TypeError(f"{operation}: {name} must hold floating-point numbers, received dtype {array.dtype}")


def check_wide(operation: str, name: str, array: Array) -> None:
    """Refuse numbers of half precision, for which libraries have no matrix decompositions and no complex numbers."""
    if array_namespace(array).finfo(array.dtype).bits < 32:
        raise TypeError(f"{operation}: {name} has dtype {array.dtype}, but float32 or float64 was wanted")


def check_within(operation: str, name: str, ks: Array, count: int) -> None:
    """Refuse whole numbers (…) outside 0 … count - 1; ValueError. Those that JAX traces are not looked at."""
    if 0 in ks.shape or traced(ks):
        return
    xp = array_namespace(ks)
    low, high = int(xp.min(ks)), int(xp.max(ks))
    if not 0 <= low <= high < count:
        raise ValueError(f"{operation}: {name} must lie in 0 … {count - 1}, received {low} … {high}")


def check_whole(operation: str, name: str, value: Any, least: int) -> int:
    """`value` as an int; ValueError where it is not an integer from `least` (a truth value is none)."""
    if isinstance(value, np.integer):
        value = int(value)
    symbol = type(value).__name__ == "SymInt"  # a size, for torch.export, that a conversion would make a number of
    if symbol or (isinstance(value, int) and not isinstance(value, bool) and value >= least):
        return value  # type: ignore[no-any-return]
    truth = "bool" in str(getattr(value, "dtype", type(value)))
    try:
        whole = operator.index(value)
    except TypeError:
        whole = least - 1
    if truth or whole < least:
        raise ValueError(f"{operation}: {name} must be an integer from {least}, received {value!r}")
    return whole


def _library(array: Array) -> str:
    known = _NAMESPACES.get(type(array))  # also what torch.compile can follow
    if known is None:
        roots = [kind.__module__.partition(".")[0] for kind in type(array).__mro__]  # those of its base classes, too
        return next((root for root in roots if root in ("numpy", "torch", "jax")), roots[0])
    return "jax" if known.__name__ == "jax.numpy" else known.__name__.rpartition(".")[2]
