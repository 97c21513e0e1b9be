"""Numbers of a page in its text: `quote(failed=3)` in a cell, and {quote}`failed:words` in a sentence, prints “three”.

The role (`quoting.py`) reads in captions, tables and answers as well; in an alt text `{failed:words}` does.
"""

from typing import Any

from myst_nb import glue

_WORDS = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")


def quote(**values: Any) -> None:
    """Keep numbers (or words made from numbers) under these names, for the text of the page; shows nothing."""
    for name, value in values.items():
        glue(name, value.item() if hasattr(value, "item") else value, display=False)


def count(number: int, noun: str) -> str:
    """“no starts”, “one start”, “three starts”, “40 starts”."""
    return f"{formatted(int(number), 'words')} {noun}{'' if number == 1 else 's'}"


def formatted(value: float | str, spec: str = "") -> str:
    """A value as the text has it.

    Args:
        value: what was quoted.
        spec: one of Python's (`.2f`, `.0%`, `.1e`, `,`), or `words`: a whole number up to twelve in letters.
            Without one, whole numbers have commas and all else stands as it is.
    """
    if isinstance(value, str):
        return value
    if spec == "words":
        if value != int(value):
            raise ValueError(f"{value} is no whole number, so it has no words")
        return _WORDS[int(value)] if 0 <= value < len(_WORDS) else formatted(int(value))
    text = format(value, spec or ("," if isinstance(value, int) else ""))
    if "e" in text:
        digits, power = text.split("e")
        text = f"{digits} × 10{str(int(power)).translate(_RAISED)}"
    return text.replace("%", "\u202f%").replace("-", "−")
