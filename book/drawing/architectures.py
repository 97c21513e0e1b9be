"""Networks as rows of nodes over time: stacks, two directions, and whatever else is made of rows and links."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from matplotlib.axes import Axes

from drawing.parts import Point, arrow, canvas, node
from drawing.style import GREY, INK, INPUT, OUTPUT, STATE


class Row(NamedTuple):
    """One row of nodes, a node per time step.

    Attributes:
        letter: in TeX, such as "h"; the step stands below it.
        color: of the nodes.
        layer: stands above the letter in brackets; 0 for none.
        flow: 1 where each node leads to that of the next step, -1 to that of the step before, 0 to neither.
        shift: of the row to the right, in units.
        steps: those with a node, from 1; None for all.
        faded: steps whose nodes are grey, such as padding.
    """

    letter: str
    color: str
    layer: int = 0
    flow: int = 0
    shift: float = 0.0
    steps: Collection[int] | None = None
    faded: Collection[int] = ()

    def label(self, t: int) -> str:
        """What stands in the node of step t."""
        return f"${self.letter}{f'^{{({self.layer})}}' if self.layer else ''}_{{{t}}}$"


INPUTS = Row("x", INPUT)
OUTPUTS = Row("y", OUTPUT)


def lattice(
    rows: Sequence[Row],
    links: Sequence[tuple[int, int]],
    steps: int = 4,
    ax: Axes | None = None,
    *,
    stride: float = 1.4,
    rise: float = 1.15,
) -> dict[tuple[int, int], Point]:
    """Rows from the bottom to the top, joined at each step by `links` (lower row, upper row).

    Returns the centre of each node by (row, step).
    """
    left = 0.45 + max(0.0, -min(row.shift for row in rows))
    right = 0.45 + max(0.0, max(row.shift for row in rows))
    ax = canvas(left + right + stride * (steps - 1), 0.8 + rise * (len(rows) - 1), ax)
    nodes: dict[tuple[int, int], Point] = {}
    for i, row in enumerate(rows):
        for t in row.steps or range(1, steps + 1):
            at = (left + stride * (t - 1) + row.shift, 0.4 + rise * i)
            nodes[i, t] = node(ax, at, row.label(t), GREY if t in row.faded else row.color)

    def join(start: tuple[int, int], end: tuple[int, int], color: str) -> None:
        if start in nodes and end in nodes:
            grey = any(t in rows[i].faded for i, t in (start, end))
            arrow(ax, nodes[start], nodes[end], color=GREY if grey else color)

    for t in range(1, steps + 1):
        for below, above in links:
            join((below, t), (above, t), INK)
        for i, row in enumerate(rows):
            if row.flow:
                join((i, t), (i, t + row.flow), row.color)
    return nodes


def stacked(depth: int = 3, steps: int = 4, ax: Axes | None = None) -> None:
    """A stack: each layer reads the states of the one below at the same step."""
    layers = [Row("h", STATE, i, flow=1) for i in range(1, depth + 1)]
    lattice([INPUTS, *layers, OUTPUTS], [(i, i + 1) for i in range(depth + 1)], steps, ax, stride=1.6)


def two_directions(depth: int = 1, steps: int = 4, ax: Axes | None = None) -> None:
    """Layers of two directions: both read the same inputs, and both make the output; the next layer reads that."""
    rows, links = [INPUTS], []
    for i in range(1, depth + 1):
        below = len(rows) - 1
        rows += [
            Row(r"\overrightarrow{h}", STATE, flow=1, shift=-0.4),
            Row(r"\overleftarrow{h}", STATE, flow=-1, shift=0.4),
            Row("y", OUTPUT, i if depth > 1 else 0),
        ]
        links += [(below, below + 1), (below, below + 2), (below + 1, below + 3), (below + 2, below + 3)]
    lattice(rows, links, steps, ax, stride=1.9, rise=1.05)
