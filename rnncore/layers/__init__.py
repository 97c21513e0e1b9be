"""Layers, each with the two verbs `forward` and `backward`; `rnncore.layers.layer` says what makes a layer."""

from rnncore.layers.batch_norm import BatchNorm
from rnncore.layers.bidirectional import Bidirectional
from rnncore.layers.dense import Dense
from rnncore.layers.dropout import Dropout
from rnncore.layers.embedding import Embedding
from rnncore.layers.layer_norm import LayerNorm
from rnncore.layers.learned_state import LearnedState
from rnncore.layers.recurrent_dropout import RecurrentDropout
from rnncore.layers.stack import Stack
from rnncore.layers.tied import Tied
from rnncore.layers.zoneout import Zoneout

__all__ = [
    "BatchNorm",
    "Bidirectional",
    "Dense",
    "Dropout",
    "Embedding",
    "LayerNorm",
    "LearnedState",
    "RecurrentDropout",
    "Stack",
    "Tied",
    "Zoneout",
]
