"""What diagrams are made of: a canvas, nodes for vectors, arrows between them, and words."""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.path import Path

from drawing.style import INK, STATE, STATE_TEXT

UNIT = 0.72  # inches per unit of a diagram
RADIUS = 0.31  # of a node, in units

Point = tuple[float, float]


def canvas(width: float, height: float, ax: Axes | None = None) -> Axes:
    """Empty axes of the given size in units, the origin at the lower left; a figure that fits them if `ax` is None."""
    if ax is None:
        _, ax = plt.subplots(figsize=(UNIT * width, UNIT * height))
    ax.set(xlim=(0, width), ylim=(0, height), aspect="equal")
    ax.axis("off")
    return ax


def node(ax: Axes, at: Point, label: str, color: str) -> Point:
    """A circle for a vector; returns its centre, for arrows."""
    tint = [1 - 0.16 * (1 - channel) for channel in to_rgb(color)]
    ax.add_patch(Circle(at, RADIUS, facecolor=tint, edgecolor=color, linewidth=1.8, zorder=3))
    write(ax, at, label, size=14 if len(label) < 9 else 12)
    return at


def arrow(
    ax: Axes,
    start: Point,
    end: Point,
    label: str = "",
    color: str = INK,
    *,
    beside: Point = (0.13, 0),
    shift: Point = (0, 0),
    width: float = 1.4,
    dashed: bool = False,
) -> None:
    """An arrow from node to node, border to border, moved sideways by `shift`; its label stands `beside` the middle."""
    a, b, shift = np.array(start), np.array(end), np.array(shift)
    reach = np.sqrt(RADIUS**2 - shift @ shift) + 0.03
    step = reach * (b - a) / np.linalg.norm(b - a)
    head(ax, Path([a + shift + step, b + shift - step]), color, width, (0, (3.5, 1.8)) if dashed else "-")
    write(ax, (a + b) / 2 + shift + beside, label, color, align="center" if beside[1] else "left")


def head(ax: Axes, path: Path, color: str, width: float, linestyle: object = "-") -> None:
    """An arrow along a path, straight or curved."""
    ax.add_patch(
        FancyArrowPatch(
            path=path,
            arrowstyle="-|>,head_length=5,head_width=2.6",
            mutation_scale=width**0.5,
            linewidth=width,
            linestyle=linestyle,
            color=color,
            joinstyle="miter",
            zorder=2,
        )
    )


def write(ax: Axes, at: Point, text: str, color: str = INK, *, size: float = 13, align: str = "center") -> None:
    """Text centred on its point."""
    color = STATE_TEXT if color == STATE else color
    ax.text(*at, text, ha=align, va="center_baseline", color=color, fontsize=size, zorder=4)
