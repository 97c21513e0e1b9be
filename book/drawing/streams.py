"""One series cut into streams and chunks, and what passes from chunk to chunk."""

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.path import Path

from drawing.parts import arrow, canvas, head, node, write
from drawing.style import GRADIENT, GREY, INK, INPUT, OUTPUT, STATE


def streams(ax: Axes | None = None, chunks: int = 2, k: int = 4) -> None:
    """A series of numbered steps, cut into three streams; these side by side, in chunks, the state handed on."""
    colors, steps, width = (INPUT, OUTPUT, "#A8488C"), chunks * k, 0.33
    ax = canvas(len(colors) * steps * width + 0.3, 4.6, ax)

    def strip(x: float, y: float, first: int, count: int, color: str) -> None:
        for i in range(count):
            ax.add_patch(Rectangle((x + i * width, y), width, 0.5, facecolor=color, alpha=0.16, edgecolor="none"))
            ax.add_patch(Rectangle((x + i * width, y), width, 0.5, facecolor="none", edgecolor=color, linewidth=0.8))
            write(ax, (x + (i + 0.5) * width, y + 0.25), str(first + i), size=9.5)

    write(ax, (0.15, 4.4), "one series", GREY, size=10.5, align="left")
    for b, color in enumerate(colors):
        strip(0.15 + b * steps * width, 3.6, b * steps + 1, steps, color)
    left, gap = 1.55, 1.2
    for b, color in enumerate(colors):
        y = 2.1 - 0.8 * b
        write(ax, (left - 0.25, y + 0.25), f"stream {b + 1}", color, size=10.5, align="right")
        for n in range(chunks):
            x = left + n * (k * width + gap)
            strip(x, y, b * steps + n * k + 1, k, color)
            end = x + k * width
            head(ax, Path([(end + 0.08, y + 0.25), (end + gap - 0.08, y + 0.25)]), STATE, 2)
    for n in range(chunks):
        x = left + n * (k * width + gap)
        write(ax, (x + k * width / 2, 2.95), f"chunk {n + 1}", GREY, size=10.5)
        write(ax, (x + k * width + gap / 2, 2.75), "state", STATE, size=10.5)


def chunks(ax: Axes | None = None, steps: int = 6, k: int = 3) -> None:
    """Truncated backpropagation: the state passes from chunk to chunk, the gradient stops at each cut."""
    left, stride, row = 0.45, 1.27, 1.5
    ax = canvas(left + stride * steps + 0.45, row + 2.0, ax)
    old = node(ax, (left, row), "$h_0$", STATE)
    for t in range(1, steps + 1):
        x = left + stride * t
        state = node(ax, (x, row), f"$h_{{{t}}}$", STATE)
        loss = node(ax, (x, row + 1.35), f"$L_{{{t}}}$", GREY)
        arrow(ax, state, loss, color=GREY, shift=(-0.1, 0))
        arrow(ax, loss, state, color=GRADIENT, shift=(0.1, 0), dashed=True)
        arrow(ax, old, state, color=STATE, shift=(0, 0.12), width=2)
        if t > 1 and (t - 1) % k == 0:
            middle = x - stride / 2
            ax.plot([middle, middle], [row - 1.0, row + 1.75], ":", color=INK, linewidth=1.2, zorder=1)
            write(ax, (middle + 0.2, row - 0.16), r"$\times$", GRADIENT, size=17)
        else:
            arrow(ax, state, old, color=GRADIENT, shift=(0, -0.12), dashed=True)
        old = state
    for n in range(-(-steps // k)):
        first, last = n * k + 1, min((n + 1) * k, steps)
        write(ax, (left + stride * (first + last) / 2, row - 0.8), f"chunk {n + 1}", GREY, size=11)


def cuts(ax: Axes, steps: int, k: int) -> None:
    """The same for many steps, small: the state's line runs through, the gradient's lines have gaps at the cuts."""
    ax.set(xlim=(0, steps + 1), ylim=(0, 1), yticks=[])
    ax.plot(range(1, steps + 1), [0.72] * steps, "-o", color=STATE, linewidth=1.6, markersize=4.5)
    for start in range(1, steps + 1, k):
        end = min(start + k - 1, steps)
        ax.plot([start, end], [0.3, 0.3], "--" if end > start else "o", color=GRADIENT, linewidth=1.8, markersize=3)
        if end > start:
            ax.plot(start, 0.3, "<", color=GRADIENT, markersize=5)
    for side in ("left", "bottom"):
        ax.spines[side].set_visible(False)
    ax.grid(visible=False)
