"""Windows that slide over a sequence, and what a reader keeps of a word."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from drawing.parts import canvas, write
from drawing.style import GREY, INPUT, OUTPUT

_LEFT, _WIDE = 1.05, 0.76  # where the first cell begins, and how wide a cell is


def windows(steps: int = 8, p: int = 3, horizon: int = 1, tested: int = 0, ax: Axes | None = None) -> None:
    """Each window in blue with its target in green, one row each; with `tested` the last rows are the test part."""
    count = steps - p - horizon + 1
    first = count - tested + 1
    ax = canvas(_LEFT + _WIDE * steps + 0.1, 0.72 * count + 1.35, ax)
    top = 0.72 * count + 0.75
    for t in range(1, steps + 1):
        _cell(ax, t, top, f"$x_{{{t}}}$", GREY)
    for row in range(1, count + 1):
        y = top - 0.2 - 0.72 * row
        gap = tested and first - horizon < row < first
        for t in range(row, row + p):
            _cell(ax, t, y, f"$x_{{{t}}}$", GREY if gap else INPUT)
        target = row + p + horizon - 1
        _cell(ax, target, y, f"$x_{{{target}}}$", GREY if gap else OUTPUT)
        part = "neither" if gap else "test" if row >= first else "train"
        write(ax, (_LEFT - 0.12, y), part if tested else f"{row}", GREY, size=11, align="right")
    if tested:
        now = _LEFT + _WIDE * (first + p - 1.5)
        ax.plot([now, now], [0.1, top + 0.45], "--", color=GREY, linewidth=1.4, zorder=1)
        write(ax, (now + 0.1, top + 0.52), "the test begins", GREY, size=10, align="left")


def _cell(ax: Axes, t: int, y: float, label: str, color: str) -> None:
    tint = [1 - 0.16 * (1 - channel) for channel in to_rgb(color)]
    x = _LEFT + _WIDE * (t - 1)
    box = Rectangle((x + 0.03, y - 0.28), _WIDE - 0.06, 0.56, facecolor=tint, edgecolor=color, linewidth=1.4, zorder=3)
    ax.add_patch(box)
    write(ax, (x + _WIDE / 2, y), label, size=13)


def kept(letters: str, rows: Mapping[str, tuple[Sequence[float], str]], read: str) -> None:
    """Bars for each letter of an alphabet, one row for each reader: what it holds after having read `read`."""
    _, axes = plt.subplots(1, len(rows), figsize=(5, 2.1), sharey=True)
    for ax, (name, (values, color)) in zip(axes, rows.items(), strict=True):
        ax.bar(list(letters), values, color=color, width=0.6)
        ax.set(title=name, ylim=(0, 1.1))
        ax.grid(False, axis="x")
    axes[0].set_ylabel(f"after “{read}”")
