"""The book's drawing style: input blue, state orange, output green, gradients dashed red; time runs to the right."""

import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from IPython import get_ipython
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyArrowPatch
from matplotlib.path import Path
from matplotlib_inline.backend_inline import set_matplotlib_formats

INPUT, STATE, OUTPUT, GRADIENT = "#0072B2", "#CC7A00", "#008763", "#C1272D"
INK, GREY = "#222222", "#767676"
CYCLE = cycler(
    color=[INPUT, STATE, OUTPUT, "#A8488C", INK, "#4BA3D9"],
    linestyle=["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1))],
)

UNIT = 0.72  # inches per unit of a diagram
RADIUS = 0.31  # of a node, in units

Point = tuple[float, float]


def style() -> None:
    """Set the book's defaults: SVG on white, legible on a phone, told apart without colour, the same at every build."""
    plt.rcParams.update(
        {
            "figure.figsize": (5.8, 3.2),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "svg.hashsalt": "rnn",
            "font.size": 11,
            "axes.titlesize": 11.5,
            "legend.fontsize": 10,
            "legend.frameon": False,
            "mathtext.fontset": "cm",
            "axes.prop_cycle": CYCLE,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "lines.linewidth": 1.8,
            "lines.markersize": 5,
            "image.cmap": "cividis",
        }
    )
    if get_ipython():
        set_matplotlib_formats("svg", metadata={"Date": None})


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
    _head(ax, Path([a + shift + step, b + shift - step]), color, width, (0, (3.5, 1.8)) if dashed else "-")
    write(ax, (a + b) / 2 + shift + beside, label, color, align="center" if beside[1] else "left")


def _head(ax: Axes, path: Path, color: str, width: float, linestyle: object = "-") -> None:
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
    ax.text(*at, text, ha=align, va="center_baseline", color=color, fontsize=size, zorder=4)


def column(ax: Axes, x: float, t: str | int, base: float = 0.4, rise: float = 1.25) -> tuple[Point, Point, Point]:
    """The three layers at one time step, joined upwards by W and V: input, state, output."""
    nodes = (
        node(ax, (x, base), f"$x_{{{t}}}$", INPUT),
        node(ax, (x, base + rise), f"$h_{{{t}}}$", STATE),
        node(ax, (x, base + 2 * rise), f"$y_{{{t}}}$", OUTPUT),
    )
    arrow(ax, nodes[0], nodes[1], "$W$")
    arrow(ax, nodes[1], nodes[2], "$V$")
    return nodes


def folded(ax: Axes | None = None) -> None:
    """An Elman network with its loop: the state feeds back into itself one step later."""
    ax = canvas(3.4, 3.3, ax)
    _, state, _ = column(ax, 1, "t")
    x, y = state
    loop = [(x + 0.28, y + 0.18), (x + 1.35, y + 0.95), (x + 1.35, y - 0.95), (x + 0.3, y - 0.2)]
    _head(ax, Path(loop, [Path.MOVETO] + 3 * [Path.CURVE4]), INK, 1.4)
    write(ax, (x + 1.3, y), "$U$", align="left")
    write(ax, (x + 1.3, y - 0.33), "one step later", GREY, size=9.5, align="left")


def unrolled(ax: Axes | None = None, steps: int = 4) -> None:
    """The same network with time laid out to the right: the letters W, U, V repeat because the weights do."""
    stride = 1.4
    ax = canvas(0.8 + stride * steps, 3.9, ax)
    state = node(ax, (0.4, 2.25), "$h_0$", STATE)
    for t in range(1, steps + 1):
        _, new, _ = column(ax, 0.4 + stride * t, t, base=1)
        arrow(ax, state, new, "$U$", beside=(0, 0.24))
        state = new
    ax.annotate(
        "", (0.4 + stride * steps + 0.3, 0.3), (0.4 + stride - 0.3, 0.3), arrowprops={"arrowstyle": "->", "color": GREY}
    )
    write(ax, (0.4 + stride - 0.45, 0.3), "time", GREY, size=11, align="right")


def elman(ax: Axes | None = None) -> None:
    """Two steps of an Elman network: the state feeds back."""
    _feedback(ax, "Elman", 1, STATE, (0, 0.25))


def jordan(ax: Axes | None = None) -> None:
    """Two steps of a Jordan network: the output feeds back."""
    _feedback(ax, "Jordan", 2, OUTPUT, (0.2, 0.16))


def elman_and_jordan() -> None:
    """Both side by side: they differ in one arrow."""
    _, (left, right) = plt.subplots(1, 2, figsize=(2 * UNIT * 3.2, UNIT * 3.7))
    elman(left)
    jordan(right)


def _feedback(ax: Axes | None, name: str, layer: int, color: str, beside: Point) -> None:
    ax = canvas(3, 3.7, ax)
    before, now = column(ax, 0.4, "t{-}1"), column(ax, 2.3, "t")
    arrow(ax, before[layer], now[1], "$U$", color, beside=beside, width=2.6)
    write(ax, (1.35, 3.5), name, size=12)


def gradient_flow(ax: Axes | None = None, steps: int = 4) -> None:
    """Backpropagation through time: grey forward, red backward, and what each step adds to the shared W and U."""
    left, stride, state_row, sums = 0.95, 1.55, 3.0, {"x": 0.95, "h": 0.35}
    ax = canvas(left + stride * steps + 0.6, state_row + 1.8, ax)
    old = node(ax, (left, state_row), "$h_0$", GREY)
    for t in range(1, steps + 1):
        x = left + stride * t
        source = node(ax, (x, state_row - 1.25), f"$x_{{{t}}}$", GREY)
        state = node(ax, (x, state_row), f"$h_{{{t}}}$", GREY)
        loss = node(ax, (x, state_row + 1.4), f"$L_{{{t}}}$", GREY)
        arrow(ax, source, state, color=GREY)
        arrow(ax, old, state, color=GREY, shift=(0, 0.1))
        arrow(ax, state, loss, color=GREY, shift=(-0.1, 0))
        arrow(ax, loss, state, r"$V^{\!\top}$", GRADIENT, shift=(0.1, 0), beside=(0.1, 0), dashed=True)
        arrow(ax, state, old, r"$U^{\!\top}$", GRADIENT, shift=(0, -0.1), beside=(0, -0.28), dashed=True)
        write(ax, (x - 0.38, state_row + 0.44), rf"$\delta_{{{t}}}$", GRADIENT, size=14)
        for (name, y), k in zip(sums.items(), (t, t - 1), strict=True):
            write(ax, (x, y), rf"${name}_{{{k}}}^{{\top}}\delta_{{{t}}}$", GRADIENT)
            write(ax, (x - stride / 2, y), "+" if t > 1 else "=", GRADIENT)
        old = state
    for name, y in zip("WU", sums.values(), strict=True):
        write(ax, (left, y), f"$d{name}$", GRADIENT)


def one_step(ax: Axes | None = None) -> None:
    """What one step computes, with shapes: two products, a sum, a tanh."""
    ax = canvas(5.8, 3, ax)
    old = node(ax, (0.6, 2), "$h_{t{-}1}$", STATE)
    source = node(ax, (2.9, 0.4), "$x_t$", INPUT)
    total = node(ax, (2.9, 2), "$a_t$", GREY)
    new = node(ax, (5.2, 2), "$h_t$", STATE)
    arrow(ax, old, total, "$U$", beside=(0, 0.24))
    arrow(ax, source, total, "$W$")
    arrow(ax, total, new, r"$\tanh$", beside=(0, 0.24))
    write(ax, (2.72, 2.62), r"$+\;b$")
    for at, shape in [
        ((3.2, 2.6), "(H,)"),
        ((0.6, 1.45), "(B, H)"),
        ((1.75, 1.77), "(H, H)"),
        ((3.4, 1.62), "(B, H)"),
        ((5.2, 1.45), "(B, H)"),
        ((3.65, 1.18), "(D, H)"),
        ((3.55, 0.4), "(B, D)"),
    ]:
        write(ax, at, shape, GREY, size=10)
