"""Trainings that differ in their start or their learning rate, side by side under `jax.vmap`."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import tree_util

from rnncore.jax import register

__all__ = ["stacked"]


def stacked(trees: list[Any]) -> Any:
    """Trees of one form (models, optimisers, their states) as one tree; the first axis of its arrays counts them."""
    register(trees)
    return tree_util.tree_map(lambda *leaves: jnp.asarray(np.stack(leaves)), *trees)
