"""Texts that a terminal or a spreadsheet shows as they are."""

__all__ = ["printable", "safe"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def printable(text: str) -> str:
    """The text on one line, without what would steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def safe(text: object) -> str:
    """The text with an apostrophe before what a spreadsheet would take for a formula, and without line breaks."""
    line = printable(str("" if text is None else text))
    return f"'{line}" if line.startswith(_FORMULA) else line
