"""How far up a ladder of lags each network came."""

from collections.abc import Mapping, Sequence
from statistics import median

import matplotlib.pyplot as plt

from drawing.style import GREY, STATE


def ladder(longest: Mapping[str, Sequence[int]], first: int, last: int) -> None:
    """One row a network: the longest lag learned by each start (dots), and their median (bar).

    Args:
        longest: network → lags, 0 where not even the first was learned.
        first: the first rung; the next is twice as far.
        last: the last rung that was tried.
    """
    _, ax = plt.subplots(figsize=(5.8, 0.8 + 0.36 * len(longest)))
    for row, lags in enumerate(longest.values()):
        shown = sorted(max(lag, first / 2) for lag in lags)
        for place, lag in enumerate(shown):
            above = (place - shown.index(lag)) - (shown.count(lag) - 1) / 2  # so that equal ones are seen apart
            ax.plot(lag, row + 0.13 * above, "o", color=STATE, markersize=4.5)
        ax.plot([median(shown)] * 2, [row - 0.36, row + 0.36], "-", color=GREY, linewidth=5, alpha=0.45, zorder=1)
    rungs = [first]
    while rungs[-1] < last:
        rungs.append(2 * rungs[-1])
    ax.set_xscale("log", base=2)
    ax.set_xticks([first / 2, *rungs], labels=["none", *map(str, rungs)], fontsize=9)
    ax.set_yticks(range(len(longest)), labels=list(longest))
    ax.set(xlim=(first / 2.6, last * 1.3), ylim=(len(longest) - 0.4, -0.6), xlabel="longest lag learnt")
