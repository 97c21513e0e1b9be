"""Layers, each with the two verbs `forward` and `backward`."""

from rnncore.layers.dense import Dense

__all__ = ["Dense"]
