"""Texts that a spreadsheet shows as they are."""

__all__ = ["safe"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def safe(text: object) -> str:
    """The text with an apostrophe before what a spreadsheet would take for a formula, and without line breaks."""
    line = " ".join(str("" if text is None else text).splitlines())
    return f"'{line}" if line.startswith(_FORMULA) else line
