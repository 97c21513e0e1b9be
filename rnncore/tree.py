"""Trees of arrays: frozen dataclasses, tuples, lists and dicts, with arrays at their leaves.

A cell is a tree of its parameters, a model a tree of layers, a gradient a tree of the same form as what it is the
gradient of. One `map` over trees is therefore the optimiser, the clipping, the change of dtype and of device.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from rnncore.backend import Array

__all__ = ["convert", "fixed", "leaves", "map", "static", "with_fixed_of"]


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
    children = _children(tree)
    if children is None:
        return function(tree, *others)
    for other in others:
        if type(other) is not type(tree) or (_children(other) or {}).keys() != children.keys():
            raise ValueError(f"tree.map: a {type(other).__name__} does not have the form of this {type(tree).__name__}")
    mapped = {
        key: map(function, child, *((_children(other) or {})[key] for other in others))
        for key, child in children.items()
    }
    return _rebuilt(tree, mapped)


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
    children = _children(tree, "fixed" if and_fixed else "")
    if children is None:
        yield "", tree
        return
    for key, child in children.items():
        for path, leaf in leaves(child, and_fixed=and_fixed):
            yield (f"{key}.{path}" if path else str(key)), leaf


def _children(tree: Any, also: str = "") -> dict[Any, Any] | None:
    """What lies directly below a node, with the fields marked as `also`; None for a leaf."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        fields = (f for f in dataclasses.fields(tree) if not f.metadata.get("static") or f.metadata.get(also))
        return {f.name: getattr(tree, f.name) for f in fields}
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    return dict(tree) if isinstance(tree, dict) else None


def _rebuilt(tree: Any, children: dict[Any, Any]) -> Any:
    """A node like `tree` with these children."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return dataclasses.replace(tree, **children)
    if isinstance(tree, dict):
        return children
    return type(tree)(*children.values()) if hasattr(tree, "_fields") else type(tree)(children.values())
