"""The five patterns: the same row of states, and where inputs enter it, outputs leave it, and gradients come back."""

from collections.abc import Collection

from matplotlib.axes import Axes

from drawing.parts import Point, arrow, canvas, node, write
from drawing.style import GRADIENT, INPUT, OUTPUT, STATE

STRIDE, RISE = 1.12, 1.2


def patterns(ax: Axes | None = None) -> None:
    """All five, with arrows forward in ink and the way of the gradients dashed in red."""
    ax = canvas(9.9, 8.5, ax)
    pattern(ax, (0.85, 5.1), "one-to-one", ["$x$"], outputs={1})
    pattern(ax, (3.32, 5.1), "one-to-many", ["", "", ""], outputs={1, 2, 3}, entry="$x$")
    pattern(ax, (7.0, 5.1), "many-to-one", ["$x_1$", "$x_2$", "$x_3$"], outputs={3})
    pattern(ax, (0.65, 0.6), "many-to-many,\nin step", ["$x_1$", "$x_2$", "$x_3$"], outputs={1, 2, 3})
    both = ["$x_1$", "$x_2$", "$x_3$", "$u_1$", "$u_2$"]
    pattern(ax, (4.5, 0.6), "many-to-many,\none after the other", both, outputs={4, 5})


def pattern(ax: Axes, at: Point, name: str, inputs: list[str], outputs: Collection[int], entry: str = "") -> None:
    """One pattern, its first step at `at`: what enters at each of the steps, "" for nothing, and at which something is
    said; `entry` enters from the left, in place of a state before the first."""
    left, base = at
    before = node(ax, (left - STRIDE, base + RISE), entry, INPUT) if entry else None
    for t, label in enumerate(inputs, 1):
        x = left + STRIDE * (t - 1)
        state = node(ax, (x, base + RISE), "", STATE)
        if label:
            source = node(ax, (x, base), label, INPUT)
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
    middle = left + STRIDE * (len(inputs) - 1) / 2
    for i, line in enumerate(reversed(name.split("\n"))):
        write(ax, (middle, base + 2 * RISE + 0.55 + 0.4 * i), line, size=14.5)
