"""The book's figures in one style: time runs to the right, layers upwards; the letters are those of the equations."""

from drawing.architectures import INPUTS, OUTPUTS, Row, lattice, stacked, two_directions
from drawing.crossings import crossings
from drawing.gates import NEW, box, carousel, fork, gate, line, memory_cell, plus, times, vector, wire
from drawing.gru import gru_cell
from drawing.ladder import ladder
from drawing.movable import movable
from drawing.networks import (
    column,
    elman,
    elman_and_jordan,
    folded,
    gradient_flow,
    jordan,
    one_step,
    unrolled,
    way_back,
)
from drawing.parts import RADIUS, UNIT, arrow, canvas, head, node, write
from drawing.patterns import patterns
from drawing.sequences import kept, windows
from drawing.streams import chunks, cuts, streams
from drawing.style import CYCLE, GRADIENT, GREY, INK, INPUT, OUTPUT, STATE, style
