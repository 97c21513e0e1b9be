"""A figure that the reader moves: drawn once for each place of a slider, and shown without server or script files."""

import base64
import io
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import matplotlib.pyplot as plt
from IPython.display import HTML

_MOVE = (
    "const box = this.closest('.movable');"
    "box.querySelectorAll('img').forEach((image, i) => image.hidden = i != this.value);"
    "box.querySelector('output').value = this.dataset.names.split('|')[this.value];"
    "this.setAttribute('aria-valuetext', box.querySelector('output').value)"
)


def movable(
    label: str,
    values: Sequence[Any],
    draw: Callable[[Any], None],
    alt: Callable[[Any], str],
    *,
    start: int = 0,
    name: Callable[[Any], str] = str,
) -> HTML:
    """One picture per value, and a slider to choose among them.

    Args:
        label: what the slider moves, such as "spectral radius".
        values: its places, up to twenty or so: each costs the page a picture.
        draw: draws the figure of a value, with axes that are the same for all of them.
        alt: describes the figure of a value.
        start: the place shown first.
        name: a value in words.
    """
    pictures = []
    for place, value in enumerate(values):
        draw(value)
        hidden = "" if place == start else " hidden"
        pictures.append(f'<img src="{_picture()}" alt="{escape(alt(value))}"{hidden}>')
    names = [name(value) for value in values]
    slider = (
        f'<input type="range" min="0" max="{len(values) - 1}" value="{start}" aria-label="{escape(label)}" '
        f'aria-valuetext="{escape(names[start])}" data-names="{escape("|".join(names))}" oninput="{escape(_MOVE)}">'
    )
    chosen = f"<label>{escape(label)} {slider}</label> <output>{escape(names[start])}</output>"
    return HTML(f'<div class="movable">{"".join(pictures)}<div>{chosen}</div></div>')


def _picture() -> str:
    """The current figure as the address of an image; the figure is closed."""
    file = io.BytesIO()
    plt.savefig(file, format="svg", metadata={"Date": None})
    plt.close()
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode()
