"""Trees of arrays: frozen dataclasses, tuples, lists and dicts, with arrays at their leaves.

A cell is a tree of its parameters, a model a tree of layers, a gradient a tree of the same form as what it is the
gradient of. One `map` over trees is therefore the optimiser, the clipping, the change of dtype and of device.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from rnncore.backend import Array

__all__ = [
    "check_form",
    "convert",
    "described",
    "first",
    "fixed",
    "form",
    "leaves",
    "map",
    "names",
    "remember",
    "static",
    "with_fixed_of",
]


def static(**options: Any) -> Any:
    """A dataclass field that is no parameter: `map` and `leaves` pass it by."""
    return dataclasses.field(metadata={"static": True}, **options)


def fixed() -> Any:
    """A dataclass field that holds an array which is not trained: `map` and `leaves` pass it by, `convert` does not."""
    return dataclasses.field(metadata={"static": True, "fixed": True})


def convert(function: Callable[[Array], Array], tree: Any) -> Any:
    """`function` of every array of `tree`, fixed ones too: a change of dtype, library or device.

    All arrays of a dataclass are changed at once, so that it never sees two kinds together.
    """
    children = _children(tree, "fixed")
    if children is None:
        return function(tree)
    return _rebuilt(tree, {key: convert(function, child) for key, child in children.items()})


def map(function: Callable[..., Any], tree: Any, *others: Any) -> Any:
    """`function` of every leaf of `tree`, with the leaves of `others` at the same places; a tree of the same form.

    Raises:
        ValueError: another tree has another form.
    """
    children, theirs = _children(tree), []
    if children is None:
        return function(tree, *others)
    for other in others:
        theirs.append(_children(other) or {})
        if type(other) is not type(tree) or theirs[-1].keys() != children.keys():
            raise ValueError(f"tree.map: a {type(other).__name__} does not have the form of this {type(tree).__name__}")
    return _rebuilt(tree, {key: map(function, child, *[t[key] for t in theirs]) for key, child in children.items()})


def with_fixed_of(tree: Any, other: Any) -> Any:
    """`tree` with the fixed arrays of `other`, a tree of the same form.

    A gradient's fixed arrays are what the parameters' own become. Most stay; a running average moves with every batch.
    """
    children = _children(tree)
    if children is None:
        return tree
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = (f.name for f in dataclasses.fields(tree) if f.metadata.get("fixed"))
        tree = dataclasses.replace(tree, **{name: getattr(other, name) for name in fields})
    below = _children(other) or {}
    return _rebuilt(tree, {key: with_fixed_of(child, below[key]) for key, child in children.items()})


def leaves(tree: Any, *, and_fixed: bool = False) -> Iterator[tuple[str, Array]]:
    """The leaves of `tree` in order, each with its path: ``("0.W", array)``; fixed arrays too where asked."""
    return iter(_leaves("", tree, "fixed" if and_fixed else "", []))


def first(tree: Any) -> Array:
    """The first of the leaves, fixed arrays among them."""
    while (children := _children(tree, "fixed")) is not None:
        tree = next(iter(children.values()))
    return tree


def form(tree: Any) -> Any:
    """Classes, options, and dtype and shape of each array, as tuples: what a tape and its layer must have in common."""
    if hasattr(tree, "shape"):
        return "array", tree.dtype, tuple(tree.shape)
    children = _children(tree, "all")
    if children is None:
        return "leaf", type(tree)
    arrays = _children(tree, "fixed") or {}
    return type(tree), tuple([(k, form(child) if k in arrays else ("option", child)) for k, child in children.items()])


def check_form(operation: str, received: Any, tree: Any) -> None:
    """Refuse the tape of a layer of another form than this one's; ValueError."""
    if received != (wanted := form(tree)):
        raise ValueError(f"{operation}: tape must be of {described(wanted)}, received that of {described(received)}")


def described(form: Any) -> str:
    """A form in words: Elman(W=float32(3, 4), …, activation='tanh')."""
    kind, *rest = form
    if kind == "array":
        return f"{rest[0]}{rest[1]}"
    if kind == "option":
        return str(getattr(rest[0], "__qualname__", repr(rest[0])))
    if kind == "leaf":
        return str(rest[0].__name__)
    if issubclass(kind, tuple | list):
        return f"({', '.join(described(child) for _, child in rest[0])})"
    return f"{kind.__name__}({', '.join(f'{key}={described(child)}' for key, child in rest[0])})"


def _leaves(path: str, tree: Any, also: str, found: list[tuple[str, Array]]) -> list[tuple[str, Array]]:
    children = _children(tree, also)
    if children is None:
        found.append((path, tree))
        return found
    for key, child in children.items():
        below = f"{path}.{key}" if path else str(key)
        if type(child) is np.ndarray:
            found.append((below, child))
        else:
            _leaves(below, child, also, found)
    return found


def _children(tree: Any, also: str = "") -> dict[Any, Any] | None:
    """What lies directly below a node, with the fields marked as `also`; None for a leaf."""
    if type(tree) is np.ndarray:
        return None
    known = _NAMES.get((type(tree), also))
    if known is not None:
        return {name: getattr(tree, name) for name in known}
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    if isinstance(tree, dict):
        return dict(tree)
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {name: getattr(tree, name) for name in names(type(tree), also)}
    return None


def names(kind: type, also: str = "") -> tuple[str, ...]:
    """The fields of a dataclass that hold parameters, and those marked as `also`: "fixed" arrays, or "all"."""
    marked = [(f.name, f.metadata) for f in dataclasses.fields(kind)]
    return tuple(name for name, mark in marked if also == "all" or not mark.get("static") or mark.get(also))


def remember(*kinds: type) -> None:
    """Look up the fields of these dataclasses once: to do so at each `map` costs as much as a small product.

    It is done beforehand, since torch.compile follows no function that writes to what lies outside of it.
    """
    for kind in kinds:
        for also in ("", "fixed", "all"):
            _NAMES[kind, also] = names(kind, also)


_NAMES: dict[tuple[type, str], tuple[str, ...]] = {}


def _rebuilt(tree: Any, children: dict[Any, Any]) -> Any:
    """A node like `tree` with these children."""
    if isinstance(tree, dict):
        return children
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        if not all(_alike(child, getattr(tree, name)) for name, child in children.items()):
            return dataclasses.replace(tree, **children)
        node: Any = object.__new__(type(tree))  # what fitted fits: the check would cost as much as a small product
        node.__dict__.update(tree.__dict__, **children)
        return node
    return type(tree)(*children.values()) if hasattr(tree, "_fields") else type(tree)(children.values())


def _alike(one: Any, other: Any) -> bool:
    """Are they arrays of NumPy, of one shape and dtype?"""
    return type(one) is type(other) is np.ndarray and one.shape == other.shape and one.dtype == other.dtype
