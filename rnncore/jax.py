"""Cells, layers and models of JAX arrays: pytrees, which `jax.jit`, `jax.grad`, `jax.vmap` and `lax.scan` take.

    model = rnncore.jax.arrays(LSTM.init(rng, 3, 8))

All else is as with NumPy: `forward`, `backward`, losses and optimisers work on the arrays that they are given. This
module alone, and the compiled engine, load JAX.
"""

from dataclasses import fields, is_dataclass
from typing import Any

import jax
import jax.numpy as jnp

from rnncore import tree

__all__ = ["arrays", "register"]

_known: set[type] = set()


def arrays(values: Any) -> Any:
    """A tree of NumPy arrays as one of JAX arrays, fixed ones too; its classes become pytrees.

    float64 stays float64 under `jax.enable_x64`, and becomes float32 without.
    """
    register(values)
    return tree.convert(jnp.asarray, values)


def register(node: Any) -> None:
    """Make pytrees of the classes of all dataclasses in a tree: arrays are their leaves, options their form."""
    if is_dataclass(node) and not isinstance(node, type):
        if type(node) not in _known:
            _register(type(node))
        for f in fields(node):
            register(getattr(node, f.name))
    elif isinstance(node, tuple | list | dict):
        for child in node.values() if isinstance(node, dict) else node:
            register(child)


def _register(kind: type) -> None:
    names = tree.names(kind, "fixed")
    options = [f.name for f in fields(kind) if f.name not in names]

    def flatten(node: Any) -> tuple[list[tuple[Any, Any]], tuple[Any, ...]]:
        keyed = [(jax.tree_util.GetAttrKey(name), getattr(node, name)) for name in names]
        return keyed, tuple(getattr(node, name) for name in options)

    def unflatten(form: tuple[Any, ...], children: Any) -> Any:
        node: Any = object.__new__(kind)  # unchecked: JAX puts other things than arrays into trees
        for name, value in [*zip(names, children, strict=True), *zip(options, form, strict=True)]:
            object.__setattr__(node, name, value)
        return node

    jax.tree_util.register_pytree_with_keys(kind, flatten, unflatten)
    _known.add(kind)
