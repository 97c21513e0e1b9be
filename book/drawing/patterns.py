"""The five patterns: the same row of states, and where inputs enter it, outputs leave it, and gradients come back."""

from collections.abc import Container

from matplotlib.axes import Axes

from drawing.parts import Point, arrow, canvas, node, write
from drawing.style import GRADIENT, INPUT, OUTPUT, STATE

STRIDE, RISE = 1.12, 1.2


def patterns(ax: Axes | None = None) -> None:
    """All five, with arrows forward in ink and the way of the gradients dashed in red."""
    ax = canvas(9.6, 8.5, ax)
    pattern(ax, (0.85, 5.1), "one-to-one", 1, inputs={1}, outputs={1})
    pattern(ax, (2.7, 5.1), "one-to-many", 3, inputs={1}, outputs={1, 2, 3})
    pattern(ax, (6.4, 5.1), "many-to-one", 3, inputs={1, 2, 3}, outputs={3})
    pattern(ax, (0.65, 0.6), "many-to-many,\nin step", 3, inputs={1, 2, 3}, outputs={1, 2, 3})
    pattern(ax, (4.5, 0.6), "many-to-many,\none after the other", 5, inputs={1, 2, 3}, outputs={4, 5})


def pattern(ax: Axes, at: Point, name: str, steps: int, inputs: Container[int], outputs: Container[int]) -> None:
    """One pattern, its first input at `at`: at which of the steps something enters, and at which something is said."""
    left, base = at
    before = None
    for t in range(1, steps + 1):
        x = left + STRIDE * (t - 1)
        state = node(ax, (x, base + RISE), "", STATE)
        if t in inputs:
            source = node(ax, (x, base), "", INPUT)
            arrow(ax, source, state, shift=(-0.09, 0))
            arrow(ax, state, source, color=GRADIENT, shift=(0.09, 0), dashed=True)
        if t in outputs:
            said = node(ax, (x, base + 2 * RISE), "", OUTPUT)
            arrow(ax, state, said, shift=(-0.09, 0))
            arrow(ax, said, state, color=GRADIENT, shift=(0.09, 0), dashed=True)
        if before:
            arrow(ax, before, state, shift=(0, 0.09))
            arrow(ax, state, before, color=GRADIENT, shift=(0, -0.09), dashed=True)
        before = state
    middle = left + STRIDE * (steps - 1) / 2
    for i, line in enumerate(reversed(name.split("\n"))):
        write(ax, (middle, base + 2 * RISE + 0.55 + 0.4 * i), line, size=14.5)
