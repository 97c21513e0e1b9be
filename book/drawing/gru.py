"""The gated recurrent unit: its update gate alone, and its reset gate on either side of the product."""

from matplotlib.axes import Axes

from drawing.gates import NEW, Part, box, carousel, fork, gate, line, plus, times, vector, wire
from drawing.parts import Point, canvas, write
from drawing.style import INK, INPUT, STATE


def gru_cell(ax: Axes | None = None, reset: str = "after", new: str = "") -> None:
    """One step of a GRU.

    Args:
        ax: where to draw; a new figure if None.
        reset: where the reset gate acts: "after" the product with U_n, "before" it, or "" for none.
        new: parts to show in colour, some of "r" and "z".
    """
    ax = canvas(7.8, 4.5, ax)
    lane, middle, row, upper, lower = 3.85, 2.6, 1.5, 0.8, 0.45
    first, second, candidate, keep, mix = 2.05, 3.2, 4.35, 5.3, 6.1

    def tone(part: str) -> str:
        return NEW if part in new else INK

    old, state = vector(ax, (0.5, lane), "$h_{t{-}1}$", STATE), vector(ax, (7.3, lane), "$h_t$", STATE)
    source = vector(ax, (0.5, lower), "$x_t$", INPUT)
    kept, add = times(ax, (keep, lane), tone("z")), plus(ax, (mix, lane), STATE)
    carousel(ax, old, kept, add, state)

    down = 1.15  # where the old state leaves its lane
    fork(ax, (down, lane), STATE)
    line(ax, (down, lane), (down, upper), (mix - 0.12, upper))
    line(ax, source.right, (mix + 0.12, lower))
    fork(ax, (down, middle))

    shape = box(ax, (candidate, middle), "tanh", "$n_t$", beside=(0.1, 0.4))
    product, gated = (first, second) if reset == "after" else (second, first)
    weigh = box(ax, (product, middle), "$U_n$")
    if reset:
        hide = times(ax, (gated, middle), tone("r"))
        path = [weigh, hide] if reset == "after" else [hide, weigh]
        reset_gate = gate(ax, (gated, row), "$r_t$", tone("r"), beside=(0.58, 0.1))
        _see(ax, reset_gate, upper, lower, tone("r"))
        wire(ax, reset_gate.top, hide.bottom, color=tone("r"))
    else:
        path = [weigh]
    wire(ax, (down, middle), path[0].left)
    for here, there in zip(path, [*path[1:], shape], strict=True):
        wire(ax, here.right, there.left)
    wire(ax, fork(ax, (candidate, lower)), shape.bottom)

    update = gate(ax, (mix, row), "$z_t$", tone("z"), beside=(0.58, 0.1))
    _see(ax, update, upper, lower, tone("z"), last=True)
    take = times(ax, (mix, middle), tone("z"))
    wire(ax, shape.right, take.left)
    wire(ax, update.top, take.bottom, color=tone("z"))
    write(ax, (mix + 0.12, 2.2), r"$1-z_t$", tone("z"), size=12, align="left")
    wire(ax, take.top, add.bottom)
    turn = fork(ax, (mix, 2.02), tone("z"))
    wire(ax, turn, (keep, turn[1]), kept.bottom, color=tone("z"))
    write(ax, (keep - 0.12, 3.2), "$z_t$", tone("z"), size=12, align="right")


def _see(ax: Axes, part: Part, upper: float, lower: float, color: str, *, last: bool = False) -> None:
    """A gate sees both lines: the old state's (upper) and the input's (lower)."""
    for x, y in ((part.x - 0.12, upper), (part.x + 0.12, lower)):
        start: Point = (x, y) if last else fork(ax, (x, y))
        wire(ax, start, (x, part.bottom[1]), color=color)
