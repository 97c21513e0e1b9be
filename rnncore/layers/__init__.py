"""Layers, each with the two verbs `forward` and `backward`; `rnncore.layers.layer` says what makes a layer."""

from rnncore.layers.bidirectional import Bidirectional
from rnncore.layers.dense import Dense
from rnncore.layers.dropout import Dropout
from rnncore.layers.stack import Stack

__all__ = ["Bidirectional", "Dense", "Dropout", "Stack"]
