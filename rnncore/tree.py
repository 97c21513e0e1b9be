"""Trees of arrays: frozen dataclasses, tuples, lists and dicts, with arrays at their leaves.

A cell is a tree of its parameters, a model a tree of layers, a gradient a tree of the same form as what it is the
gradient of. One `map` over trees is therefore the optimiser, the clipping, the change of dtype and of device.
"""

import dataclasses
from collections.abc import Callable, Iterator
from typing import Any

from rnncore.backend import Array

__all__ = ["leaves", "map", "static"]


def static(**options: Any) -> Any:
    """A dataclass field that is no parameter: `map` and `leaves` pass it by."""
    return dataclasses.field(metadata={"static": True}, **options)


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
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return dataclasses.replace(tree, **mapped)
    if isinstance(tree, dict):
        return mapped
    return type(tree)(*mapped.values()) if hasattr(tree, "_fields") else type(tree)(mapped.values())


def leaves(tree: Any) -> Iterator[tuple[str, Array]]:
    """The leaves of `tree` in order, each with its path: ``("0.W", array)``."""
    children = _children(tree)
    if children is None:
        yield "", tree
        return
    for key, child in children.items():
        for path, leaf in leaves(child):
            yield (f"{key}.{path}" if path else str(key)), leaf


def _children(tree: Any) -> dict[Any, Any] | None:
    """What lies directly below a node; None for a leaf."""
    if dataclasses.is_dataclass(tree) and not isinstance(tree, type):
        return {f.name: getattr(tree, f.name) for f in dataclasses.fields(tree) if not f.metadata.get("static")}
    if isinstance(tree, tuple | list):
        return dict(enumerate(tree))
    return dict(tree) if isinstance(tree, dict) else None
