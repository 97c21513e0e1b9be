"""The reference of `rnncore`, drawn from its docstrings: the directives `public` and `cells`.

`.. public:: rnncore.optim` documents each public name of a module, with autodoc; `cells` lists all cells. What
docstrings say in plain text, with equations set apart by their indentation, is made reStructuredText on the way.
"""

import importlib
import inspect
import re
from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from rnncore import CELLS

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")


class Public(SphinxDirective):
    """Every public name of a module, or those that are listed; `:under:` names the module that readers import from."""

    required_arguments = 1
    option_spec: ClassVar = {"under": str}
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        public = (name for name in module.__all__ if name != "CELLS")
        names = " ".join(self.content).split() or sorted(public, key=str.lower)
        under = self.options.get("under", module.__name__)
        lines = []
        for name in names:
            value = getattr(module, name)
            kind = "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else "data"
            lines += [f".. auto{kind}:: {under}.{name}", ""]
            if kind == "class":
                own = [n for n in vars(value) if not n.startswith("_") and inspect.isroutine(getattr(value, n))]
                told = [n for n in own if vars(value)[n].__doc__]
                shown = [n for n in told if n == "init"] if name in CELLS else told
                if shown:
                    lines[-1:] = [f"   :members: {', '.join(shown)}", ""]
        return self.parse_text_to_nodes("\n".join(lines))


class Cells(SphinxDirective):
    """All cells: name, what its docstring begins with, paper."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for name, cell in CELLS.items():
            says = inspect.getdoc(cell) or ""
            first, _, _ = says.partition("\n\n")
            paper = re.search(r"\n\s*(Papers?: .*?)(?:\n\n|$)", says, re.DOTALL)
            lines += [f"{{py:class}}`{name} <rnncore.{name}>`", f": {_plain(first)}", ""]
            lines += [f"  {_plain(paper.group(1))}", ""] if paper else []
        return self.parse_text_to_nodes("\n".join(lines))


def _plain(text: str) -> str:
    """Words of a docstring as they are, in Markdown."""
    return re.sub(r"([*_|<>$\[\]])", r"\\\1", " ".join(text.split()))


def restructure(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstring → reStructuredText: `x` is code, indented blocks are literal, and no letter has another meaning."""
    made, section, literal = [], False, False
    for line in lines:
        indented = line.startswith(" ")
        if line.strip() and not indented:
            section, literal = bool(_SECTION.match(line)) or line.startswith("- "), False
        if indented and not section and not literal:
            literal = True
            made += ["::", ""]
        made.append(line if literal or not line.strip() or _SECTION.match(line) else _escaped(line))
    lines[:] = made


def _escaped(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        f"``{part[1:-1]}``" if part.startswith("`") and len(part) > 2 else re.sub(r"([\\*|]|_(?!\w))", r"\\\1", part)
        for part in parts
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_directive("public", Public)
    app.add_directive("cells", Cells)
    app.connect("autodoc-process-docstring", restructure, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
