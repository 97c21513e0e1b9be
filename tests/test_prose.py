"""No measured number is typed into the text of a chapter: another machine would measure another one.

A number may stand in a text where it is a setting (it stands in the page's code), exact mathematics (it stands in a
formula), or somebody else's (its paragraph cites the source). All others come from the page, by the role `quote`.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("[0-9]*.md"))

CELL = re.compile(r"^```{code-cell}[^\n]*\n(?:---\n(?P<head>.*?)^---\n)?(?P<code>.*?)^```$", re.DOTALL | re.MULTILINE)
MATHS = re.compile(r"^```{math}.*?^```$|\$\$.*?\$\$|\$[^$\n]+\$", re.DOTALL | re.MULTILINE)
NOT_TEXT = re.compile(
    r"{quote}`[^`]*`|`[^`\n]*`|\]\([^)]*\)|^#.*$|^\(.*\)=$|^:[a-z]+:.*$|{\w+(?::[^{}]*)?}|^.*\n(?=: )", re.MULTILINE
)
SAID_OF_PAGES = re.compile(r"\b[Cc]hapters? \d+(?:(?:,| and| to) \d+)*|\b(?:1[789]|20)\d\d\b|\b\d\d_\w+")
NUMBER = re.compile(r"(?<![\w.])(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[\s\u00a0\u202f]?%)?(?!\w)")
SMALL = 12  # whole numbers up to it are counts that a sentence may need: two halves, step 3


def typed(text: str) -> list[str]:
    """Numbers in the text of a page that neither its code, nor a formula, nor a cited source has."""
    cells = [found.groupdict() for found in CELL.finditer(text)]
    code = "\n".join(cell["code"] for cell in cells)
    known = {float(n.replace("_", "")) for n in re.findall(r"(?<![\w.])\d[\d_]*(?:\.\d+)?(?:e-?\d+)?", code)}
    prose = CELL.sub(lambda cell: _captions(cell["head"] or ""), text.split("\n---\n", 1)[1])
    formulas = " ".join(MATHS.findall(prose)).replace("{,}", "")
    known |= {float(number) for number in re.findall(r"\d+(?:\.\d+)?", formulas)}
    found = []
    for paragraph in re.split(r"\n\s*\n", MATHS.sub(" ", prose)):
        if "{cite" in paragraph:
            continue
        words = SAID_OF_PAGES.sub(" ", NOT_TEXT.sub(" ", paragraph))
        for number in NUMBER.findall(words):
            value = float(re.sub(r"[,\s%]", "", number)) / (100 if "%" in number else 1)
            whole = "%" not in number and "." not in number
            if not (round(value, 10) in known or (whole and value <= SMALL)):
                found.append(number.strip())
    return found


def _captions(head: str) -> str:
    """What is read of a figure: its caption and its alt text."""
    parts = re.findall(r"caption: \|\n((?: {6,}.*\n)+)", head) + re.findall(r'alt: "(.*)"', head)
    return "\n\n".join(["", *parts, ""])


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_no_measured_number_is_typed(path: Path) -> None:
    assert typed(path.read_text(encoding="utf-8")) == []


def test_a_typed_number_is_found() -> None:
    page = "---\nx\n---\n\nAn error of 0.37{}.\n\n```{{code-cell}} ipython3\nrate = 0.01\n```\n\nAt 0.01, {} %.\n"
    assert typed(page.format("", 84)) == ["0.37", "84 %"]
    assert typed(page.format(" {cite:p}`somebody`", 1)) == []
    assert typed("---\nx\n---\n\nLeft is {quote}`left:.2f`, of $0.5$ and 0.5; `0.25` and chapter 13.\n") == []
