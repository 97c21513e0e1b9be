"""Bold terms of chapters are in the glossary, sorted and once; letters of their equations are in the notation."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[1] / "book"
CHAPTERS = sorted(BOOK.glob("[0-9]*.md"))
ENTRIES = re.findall(
    r"^(?! |```)(\S.*)\n  \S", (BOOK / "glossary.md").read_text().split("```{glossary}")[1], re.MULTILINE
)
CELL = re.compile(r"^```{code-cell}.*?^```$", re.DOTALL | re.MULTILINE)
HEADS = {  # of lists and paragraphs, and forms of words
    "03": {"numbers", "classes", "yes or no"},
    "04": {"unbiased"},  # under bias
    "06": {"keep", "tell", "rewrite"},
    "10": {"last state", "mean over time", "Statistics of the batch", "reverse direction"},
}


def bold(text: str) -> list[str]:
    """Phrases in bold that are no sentences and no heads of paragraphs."""
    found = re.findall(r"\*\*([^*\n]+)\*\*", CELL.sub("", text))
    return [phrase for phrase in found if not re.search(r"[.:?!,]$", phrase) and len(phrase) <= 45]


def words(term: str) -> list[str]:
    return re.findall(r"[a-zà-ÿ]{3,}", term.lower())


def alike(one: str, other: str) -> bool:
    """Two forms of a word: leak and leakage, saturates and saturation."""
    least = min(len(one), len(other), 6)
    return one[:least] == other[:least] and least > 3


def entered(phrase: str) -> bool:
    """Is there an entry with all words of the phrase, or one whose words are all in it?"""
    ours = words(phrase)
    for entry in ENTRIES:
        theirs = words(entry.split(" (")[0])
        short, long = sorted((ours, theirs), key=len)
        if short and all(any(alike(a, b) for b in long) for a in short):
            return True
    return any(phrase.upper() in entry.upper() for entry in ENTRIES)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_bold_terms_are_in_the_glossary(path: Path) -> None:
    phrases = set(bold(path.read_text())) - HEADS.get(path.name[:2], set())
    assert phrases
    assert {phrase for phrase in phrases if not entered(phrase)} == set()


def test_the_search_can_fail() -> None:
    assert not entered("quantum tunnelling")
    assert not entered("gradient surgery")


def test_the_glossary_is_sorted_and_has_no_term_twice() -> None:
    plain = [re.sub(r"[^a-z0-9 ]", "", re.sub("[–-]", " ", entry.lower())) for entry in ENTRIES]
    assert len(plain) > 150
    assert len(set(plain)) == len(plain)
    assert plain == sorted(plain)


GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "varepsilon",
    "eta",
    "theta",
    "kappa",
    "lambda",
    "mu",
    "rho",
    "sigma",
    "tau",
    "phi",
    "varphi",
    "omega",
    "ell",
]


def letters(tex: str) -> set[str]:
    """Of a formula: the letters in it, those of other alphabets by name."""
    tex = re.sub(r"\\(?:text|mathrm|operatorname|begin|end)\*?\{[^}]*\}|^:.*$", " ", tex, flags=re.MULTILINE)
    named = set(re.findall(rf"\\({'|'.join(GREEK)})(?![a-zA-Z])", tex))
    return named | set(re.findall(r"[a-zA-Z]", re.sub(r"\\[a-zA-Z]+", " ", tex)))


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_letters_of_equations_are_in_the_notation(path: Path) -> None:
    everywhere, single = (BOOK / "notation.md").read_text().split("## In single chapters")
    single, figures = single.split("## Figures")
    here = "\n".join(row for row in single.splitlines() if f"({path.name})" in row)
    known = letters(" ".join(re.findall(r"\$([^$]+)\$", everywhere + figures + here))) | {"e"}
    text = path.read_text()
    equations = re.findall(r"^```{math}(.*?)^```$", text, re.DOTALL | re.MULTILINE)
    equations += re.findall(r"\$\$(.*?)\$\$", CELL.sub("", text), re.DOTALL)
    assert equations
    assert {letter for equation in equations for letter in letters(equation) - known} == set()
