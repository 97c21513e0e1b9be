"""Networks folded and unrolled, one step with its shapes, and the way of the gradients back."""

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.path import Path

from drawing.parts import UNIT, Point, arrow, canvas, head, node, write
from drawing.style import GRADIENT, GREY, INK, INPUT, OUTPUT, STATE


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
    head(ax, Path(loop, [Path.MOVETO] + 3 * [Path.CURVE4]), INK, 1.4)
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


def way_back(ax: Axes, steps: int, t: int, above: str, right: str, total: str) -> None:
    """From the last step back to step t: what arrives at h_t from above, what from the right, and both together."""
    stride, row, rise = 1.2, 0.95, 1.35
    ax = canvas(stride * steps + 0.9, row + rise + 0.45, ax)
    old = node(ax, (0.4, row), "$h_0$", GREY)
    for s in range(1, steps + 1):
        x = 0.4 + stride * s
        state = node(ax, (x, row), f"$h_{{{s}}}$", STATE if s == t else GREY)
        loss = node(ax, (x, row + rise), f"$L_{{{s}}}$", OUTPUT if s == t else GREY)
        arrow(ax, state, loss, color=GREY, shift=(-0.1, 0))
        arrow(ax, old, state, color=GREY, shift=(0, 0.1))
        if s >= t:
            label = above if s == t else ""
            arrow(ax, loss, state, label, GRADIENT, shift=(0.1, 0), beside=(0.1, 0), dashed=True)
        if s > t:
            label = right if s == t + 1 else ""
            arrow(ax, state, old, label, GRADIENT, shift=(0, -0.1), beside=(0, -0.28), dashed=True)
        old = state
    write(ax, (0.4 + stride * t, row - 0.7), total)


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
