"""Colours and defaults: input blue, state orange, output green, gradients dashed red.

On a dark page `course.css` turns light into dark and leaves the hues: what is drawn lies on nothing, in dark inks.
"""

import matplotlib.pyplot as plt
from cycler import cycler
from IPython import get_ipython
from matplotlib import colormaps
from matplotlib.colors import LinearSegmentedColormap
from matplotlib_inline.backend_inline import set_matplotlib_formats

INPUT, STATE, OUTPUT, GRADIENT = "#0072B2", "#CC7A00", "#008763", "#C1272D"
INK, GREY = "#222222", "#767676"
STATE_TEXT = "#A66200"  # words are thinner than lines, and want a darker orange
CYCLE = cycler(
    color=[INPUT, STATE, OUTPUT, "#A8488C", INK, "#3A8FC4"],
    linestyle=["-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 1))],
)
SHADES = LinearSegmentedColormap.from_list("shades", ["#00224E", "#A8488C", STATE])  # far from white and from black


def style() -> None:
    """Set the book's defaults: transparent SVG, legible on a phone and without colour, the same at every build."""
    colormaps.register(SHADES, force=True)
    plt.rcParams.update(
        {
            "figure.figsize": (5.8, 3.2),
            "figure.constrained_layout.use": True,
            "figure.facecolor": "none",
            "savefig.facecolor": "none",
            "axes.facecolor": "none",
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
            "image.cmap": SHADES.name,
        }
    )
    if get_ipython():
        set_matplotlib_formats("svg", metadata={"Date": None})
