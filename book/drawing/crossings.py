"""Four ways in which a state crosses one step: through a matrix, unit by unit, by a sum, by an average."""

from collections.abc import Callable

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from drawing.gates import Part, box, carousel, fork, gate, plus, times, vector, wire
from drawing.parts import UNIT, canvas, write
from drawing.style import INK, INPUT, STATE

LANE, LOW = 1.95, 0.5  # heights of the state's lane and of the input
MIDDLE = 1.2


def crossings() -> None:
    """The four side by side, two in a row."""
    panels: list[tuple[str, Callable[[Axes], None]]] = [
        ("through a matrix", _matrix),
        ("each unit for itself", _diagonal),
        ("by a sum", _sum),
        ("by an average", _average),
    ]
    width, height = 4.6, 2.95
    _, axes = plt.subplots(2, 2, figsize=(UNIT * 2 * width, UNIT * 2 * height))
    for ax, (name, draw) in zip(axes.flat, panels, strict=True):
        canvas(width, height, ax)
        write(ax, (width / 2, height - 0.3), name, size=13)
        draw(ax)


def _ends(ax: Axes) -> tuple[Part, Part, Part]:
    """Old state, new state, input."""
    old, new = vector(ax, (0.45, LANE), "$h_{t{-}1}$", STATE), vector(ax, (4.15, LANE), "$h_t$", STATE)
    return old, new, vector(ax, (0.45, LOW), "$x_t$", INPUT)


def _matrix(ax: Axes) -> None:
    _through(ax, box(ax, (1.45, LANE), "$U$"), "tanh")


def _diagonal(ax: Axes) -> None:
    weigh = times(ax, (1.45, LANE))
    wire(ax, (1.45, MIDDLE + 0.12), weigh.bottom)
    write(ax, (1.45, MIDDLE - 0.08), "$u$")
    _through(ax, weigh, "ReLU")


def _through(ax: Axes, weigh: Part, activation: str) -> None:
    """The old state weighed, the input added, and an activation of both."""
    old, new, source = _ends(ax)
    add, shape = plus(ax, (2.25, LANE)), box(ax, (3.1, LANE), activation)
    carousel(ax, old, weigh, add, shape, new, color=INK, width=1.4)
    wire(ax, source.right, (add.x, LOW), add.bottom)


def _sum(ax: Axes) -> None:
    old, new, source = _ends(ax)
    add, candidate = plus(ax, (2.6, LANE), STATE), box(ax, (2.6, MIDDLE), "tanh")
    carousel(ax, old, add, new)
    _hear(ax, source, candidate)
    wire(ax, candidate.top, add.bottom)


def _average(ax: Axes) -> None:
    old, new, source = _ends(ax)
    keep, add = times(ax, (1.75, LANE), STATE), plus(ax, (3.15, LANE), STATE)
    carousel(ax, old, keep, add, new)
    share, candidate = gate(ax, (1.75, MIDDLE), ""), box(ax, (3.15, MIDDLE), "tanh")
    _hear(ax, source, share)
    _hear(ax, source, candidate)
    wire(ax, share.top, keep.bottom)
    wire(ax, candidate.top, add.bottom)
    write(ax, (1.6, 1.6), "$z$", size=12, align="right")
    write(ax, (3.3, 1.6), "$1-z$", size=12, align="left")


def _hear(ax: Axes, source: Part, part: Part) -> None:
    """Input and old state, to a part below the lane."""
    start = fork(ax, (1.0, LANE), STATE)
    wire(ax, start, (1.0, LOW), (part.x, LOW), part.bottom)
    wire(ax, source.right, (part.x, LOW), part.bottom)
