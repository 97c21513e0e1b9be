"""Colours and defaults: input blue, state orange, output green, gradients dashed red."""

import matplotlib.pyplot as plt
from cycler import cycler
from IPython import get_ipython
from matplotlib_inline.backend_inline import set_matplotlib_formats

INPUT, STATE, OUTPUT, GRADIENT = "#0072B2", "#CC7A00", "#008763", "#C1272D"
INK, GREY = "#222222", "#767676"
CYCLE = cycler(
    color=[INPUT, STATE, OUTPUT, "#A8488C", INK, "#4BA3D9"],
    linestyle=["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1))],
)


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
