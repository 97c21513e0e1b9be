"""Cells with gates: the parts that their diagrams are made of, and the LSTM, one gate at a time."""

from dataclasses import dataclass
from itertools import pairwise

from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.patches import Circle, FancyBboxPatch
from matplotlib.path import Path

from drawing.parts import RADIUS, Point, canvas, head, node, write
from drawing.style import INK, INPUT, STATE

NEW = "#A8488C"  # the colour of what a diagram wants to show
SIGN = 0.19  # radius of × and +, in units
WIDTH, HEIGHT = 0.7, 0.44  # of a box, in units
GAP = 0.04  # between a border and the wire that ends there


@dataclass(frozen=True)
class Part:
    """Something drawn, and the places on its border where wires begin and end."""

    x: float
    y: float
    width: float  # from the centre to the border
    height: float

    @property
    def left(self) -> Point:
        return self.x - self.width - GAP, self.y

    @property
    def right(self) -> Point:
        return self.x + self.width + GAP, self.y

    @property
    def top(self) -> Point:
        return self.x, self.y + self.height + GAP

    @property
    def bottom(self) -> Point:
        return self.x, self.y - self.height - GAP


def vector(ax: Axes, at: Point, label: str, color: str) -> Part:
    """The circle of a vector, as a part."""
    return Part(*node(ax, at, label, color), RADIUS, RADIUS)


def times(ax: Axes, at: Point, color: str = INK) -> Part:
    """Multiply, element by element."""
    return _sign(ax, at, r"$\times$", color)


def plus(ax: Axes, at: Point, color: str = INK) -> Part:
    """Add."""
    return _sign(ax, at, "$+$", color)


def box(ax: Axes, at: Point, label: str, name: str = "", color: str = INK, *, beside: Point = (-0.3, 0.42)) -> Part:
    """A function in a box; what comes out of it is called `name`, written `beside` its centre."""
    corner = (at[0] - WIDTH / 2, at[1] - HEIGHT / 2)
    style = "round,pad=0,rounding_size=0.1"
    ax.add_patch(
        FancyBboxPatch(
            corner, WIDTH, HEIGHT, boxstyle=style, facecolor=_tint(color), edgecolor=color, linewidth=1.6, zorder=3
        )
    )
    write(ax, at, label, color, size=12)
    if name:
        write(ax, (at[0] + beside[0], at[1] + beside[1]), name, color, size=14)
    return Part(*at, WIDTH / 2, HEIGHT / 2)


def gate(ax: Axes, at: Point, name: str, color: str = INK, *, beside: Point = (-0.3, 0.42)) -> Part:
    """A gate: the logistic function in a box, its value called `name`."""
    return box(ax, at, r"$\sigma$", name, color, beside=beside)


def wire(ax: Axes, *points: Point, color: str = INK, width: float = 1.4, dashed: bool = False) -> None:
    """A line through points, with a head at its end."""
    head(ax, Path(points), color, width, (0, (3.5, 1.8)) if dashed else "-")


def line(ax: Axes, *points: Point, color: str = INK, width: float = 1.4) -> None:
    """A line through points, without a head: where a wire parts in two."""
    ax.plot(*zip(*points, strict=True), "-", color=color, linewidth=width, zorder=2, solid_capstyle="round")


def fork(ax: Axes, at: Point, color: str = INK) -> Point:
    """A dot where one wire becomes two; returns its place."""
    ax.add_patch(Circle(at, 0.06, facecolor=color, edgecolor=color, zorder=4))
    return at


def carousel(ax: Axes, *parts: Part, color: str = STATE, width: float = 4) -> None:
    """The path on which a state is carried from step to step: thick, from part to part, to the right."""
    for here, there in pairwise(parts):
        wire(ax, here.right, there.left, color=color, width=width)


def memory_cell(ax: Axes | None = None, gates: str = "ifo", new: str = "", peepholes: bool = False) -> None:
    """One step of a cell whose state is carried by a sum.

    Args:
        ax: where to draw; a new figure if None.
        gates: those that the cell has, some of "i", "f" and "o": none for the adder, "io" for the LSTM of 1997.
        new: parts to show in colour, some of "i", "f", "o" and "g".
        peepholes: let the gates see the cell state.
    """
    ax = canvas(7.8, 4.4, ax)
    lane, row, bus = 3.75, 1.5, 0.62  # heights of the cell state, of the gates, and of what the gates see

    def tone(part: str) -> str:
        return NEW if part in new else INK

    old, cell = vector(ax, (0.5, lane), "$c_{t{-}1}$", STATE), vector(ax, (7.3, lane), "$c_t$", STATE)
    add = plus(ax, (3.45, lane), STATE)
    path = [old, add, cell]
    before, source = vector(ax, (0.5, bus), "$h_{t{-}1}$", STATE), vector(ax, (0.5, row), "$x_t$", INPUT)

    places = {"f": 1.85, "i": 2.85, "g": 4.05, "o": 5.05}
    shown = [name for name in places if name in (*gates, "g")]
    boxes = {name: gate(ax, (places[name], row), f"${name}_t$", tone(name)) for name in shown if name != "g"}
    boxes["g"] = box(ax, (places["g"], row), "tanh", "$g_t$", tone("g"))
    last = places[shown[-1]]
    line(ax, before.right, (last, bus))
    wire(ax, source.right, (1.1, source.y), (1.1, bus + 0.06))
    fork(ax, (1.1, bus))
    for name in shown:
        wire(ax, (places[name], bus), boxes[name].bottom, color=tone(name))
        if name != shown[-1]:
            fork(ax, (places[name], bus))

    if "f" in gates:
        forget = times(ax, (places["f"], lane), tone("f"))
        wire(ax, boxes["f"].top, forget.bottom, color=tone("f"))
        path.insert(1, forget)
    if "i" in gates:
        take = times(ax, (add.x, 2.6), tone("i"))
        wire(ax, boxes["i"].top, (places["i"], take.y), take.left, color=tone("i"))
        wire(ax, boxes["g"].top, (places["g"], take.y), take.right, color=tone("g"))
        wire(ax, take.top, add.bottom)
    else:
        wire(ax, boxes["g"].top, (places["g"], 2.6), (add.x, 2.6), add.bottom, color=tone("g"))
    carousel(ax, *path)

    shape = box(ax, (6.25, 2.85), "tanh")
    wire(ax, fork(ax, (6.25, lane), STATE), shape.top)
    if "o" in gates:
        show = times(ax, (6.25, 1.95), tone("o"))
        wire(ax, shape.bottom, show.top)
        wire(ax, boxes["o"].top, (places["o"], show.y), show.left, color=tone("o"))
        wire(ax, show.bottom, (6.25, bus), (7.3 - RADIUS - GAP, bus))
    else:
        wire(ax, shape.bottom, (6.25, bus), (7.3 - RADIUS - GAP, bus))
    vector(ax, (7.3, bus), "$h_t$", STATE)

    if peepholes:
        start, high = fork(ax, (1.1, lane), STATE), 2.35
        to_f, to_i = boxes["f"].left, boxes["i"].left
        wire(ax, start, (1.1, high), (to_i[0] - 0.2, high), (to_i[0] - 0.2, to_i[1]), to_i, color=NEW)
        wire(ax, fork(ax, (to_f[0] - 0.15, high), NEW), (to_f[0] - 0.15, to_f[1]), to_f, color=NEW)
        to_o = boxes["o"].right
        wire(ax, fork(ax, (5.62, lane), STATE), (5.62, to_o[1]), to_o, color=NEW)


def _sign(ax: Axes, at: Point, label: str, color: str) -> Part:
    ax.add_patch(Circle(at, SIGN, facecolor="white", edgecolor=color, linewidth=1.6, zorder=3))
    write(ax, at, label, color, size=13)
    return Part(*at, SIGN, SIGN)


def _tint(color: str) -> list[float]:
    return [1 - 0.1 * (1 - channel) for channel in to_rgb(color)]
