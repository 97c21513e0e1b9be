"""Equations of docstrings in TeX: `h' = (1 - σ(z)) ⊙ ĥ` becomes `h' & = (1 - \\sigma (z)) \\odot \\hat{h}`.

Each sign is set as it stands, so that the formula says what the docstring says. What has a sign that is not known here,
such as a string of Python, is no equation.
"""

import re
import unicodedata

# fmt: off
_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ε": "varepsilon", "ζ": "zeta", "η": "eta", "θ": "theta",
    "λ": "lambda", "μ": "mu", "ν": "nu", "ρ": "rho", "σ": "sigma", "τ": "tau", "φ": "varphi", "ω": "omega",
    "Δ": "Delta", "Π": "Pi",
}
_SIGNS = {
    "⊙": r"\odot", "←": r"\leftarrow", "≤": r"\le", "≥": r"\ge", "∂": r"\partial", "Σ": r"\sum", "…": r"\dots",
    "·": r"\cdot", "*": r"\ast", ":": "{:}",
}
# fmt: on
_HATS = {"\N{COMBINING CIRCUMFLEX ACCENT}": "hat", "\N{COMBINING TILDE}": "tilde"}
_RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁻ˡᴸⁿᵗᵀ", [*"0123456789-lLnt", r"\top"], strict=True))
_LOWERED = dict(zip("₀₁₂₃₄₅₆₇₈₉", "0123456789", strict=True))
_HAT, _LETTER = f"[{''.join(_HATS)}]", f"[A-Za-z{''.join(_GREEK)}]"
_WORD = r"[A-Za-z]{2,}(?:'s)?(?![\w(])"


def _letter(found: re.Match[str]) -> str:
    letter, hat, digits = found.groups()
    made = rf"\{_GREEK[letter]} " if letter in _GREEK else letter
    return (rf"\{_HATS[hat]}{{{made}}}" if hat else made) + (f"_{{{digits}}}" if digits else "")


def _index(found: re.Match[str]) -> str:
    names = (rf"\mathrm{{{name}}}" if re.fullmatch("[A-Za-z]{3,}", name) else name for name in found[1].split("_"))
    return f"_{{{','.join(names)}}}"


_RULES = [
    (r" {2,}", lambda found: r"\quad "),
    (r"(cos|sin)(?= )", lambda found: rf"\{found[0]}"),
    (rf" ?{_WORD}(?: {_WORD})* ?", lambda found: rf"\text{{{found[0]}}}"),
    (r"([A-Za-z][A-Za-z_\d]+)(?=\()", lambda found: rf"\operatorname{{{found[1].replace('_', chr(92) + '_')}}}"),
    (rf"([A-Za-z]{{2,}})(?=[_{''.join(_RAISED)}])", lambda found: rf"\mathrm{{{found[1]}}}"),
    (rf"({_LETTER})({_HAT}?)(\d*)", _letter),
    (r"_\{([^{}]+)\}", lambda found: f"_{{{line(found[1])}}}"),
    (r"_([A-Za-z\d]+(?:_[A-Za-z\d]+)*(?:-\d)?)", _index),
    (r"√\(((?:[^()]|\([^()]*\))+)\)", lambda found: rf"\sqrt{{{line(found[1])}}}"),
    (rf"√({_LETTER}{_HAT}?)", lambda found: rf"\sqrt{{{line(found[1])}}}"),
    (f"[{''.join(_RAISED)}]+", lambda found: f"^{{{' '.join(_RAISED[sign] for sign in found[0])}}}"),
    (f"[{''.join(_LOWERED)}]+", lambda found: f"_{{{''.join(_LOWERED[sign] for sign in found[0])}}}"),
    (r"\.T\b", lambda found: r"^\top "),
    (r"(?<=\w)\*", lambda found: "^*"),
    (f"[{''.join(_SIGNS)}]", lambda found: f"{_SIGNS[found[0]]} "),
    (r"\d+(?:\.\d+)?|[-+=/|<>()\[\],;' ]", lambda found: found[0]),
]
_RULES = [(re.compile(pattern), make) for pattern, make in _RULES]
_EQUATION = re.compile(r"((?:(?!  ).)+?) ([=←] .*)")  # what stands before the first sign, and the rest
_NEXT = re.compile(r"(?<=[,;]) {2,}(?=(?:\S+, )*\S+ [=←] )")  # between two equations of one line


def line(text: str) -> str:
    """One line. ValueError where something in it is not known."""
    text, at, made = unicodedata.normalize("NFD", text), 0, []
    while at < len(text):
        found, make = next(((f, make) for rule, make in _RULES if (f := rule.match(text, at))), (None, None))
        if found is None:
            raise ValueError(f"no rule for {text[at:]!r}")
        made.append(make(found))
        at = found.end()
    return "".join(made)


def block(text: str) -> str:
    """Equations below each other, for displayed mathematics. ValueError as in `line`."""
    rows = [row for whole in text.splitlines() if whole.strip() for row in _NEXT.split(whole)]
    if len(rows) == 1:
        return line(text)
    halves = [found.groups() if (found := _EQUATION.fullmatch(row)) else None for row in rows]
    if None in halves or any(row.startswith(" ") for row in rows):
        halves = [("", row) for row in rows]
    return " \\\\\n".join(f"{line(left)} & {line(right)}" for left, right in halves)
