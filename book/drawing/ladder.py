"""How far up a ladder of lags each network came."""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from drawing.style import INK, STATE


def ladder(learnt: Mapping[str, Mapping[int, int]], lags: Sequence[int], of: int = 10, ax: Axes | None = None) -> None:
    """A table with a row a network and a column a lag: how many starts learnt, on a field the darker the more they are.

    Args:
        learnt: row → lag → count; where a lag is missing it was not tried, and the field stays empty.
        lags: the columns.
        of: how many starts there were.
        ax: where to draw; in a figure of its own unless told.
    """
    if ax is None:
        _, ax = plt.subplots(figsize=(6.0, 0.8 + 0.36 * len(learnt)))
    for row, counts in enumerate(learnt.values()):
        for column, lag in enumerate(lags):
            if lag in counts:
                shade = 0.7 * counts[lag] / of
                ax.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, color=STATE, alpha=shade, linewidth=0))
                ax.text(column, row, counts[lag], ha="center", va="center", color=INK, fontsize=10)
    ax.set_xticks(range(len(lags)), labels=[f"{lag:,}" for lag in lags], fontsize=9)
    ax.set_yticks(range(len(learnt)), labels=list(learnt), fontsize=9)
    ax.set(xlim=(-0.5, len(lags) - 0.5), ylim=(len(learnt) - 0.5, -0.5), xlabel="lag")
    ax.grid(False)
    ax.tick_params(length=0)
