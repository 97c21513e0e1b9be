"""The reference of `rnncore`, drawn from its docstrings: the directives `public`, `family`, `overview` and `cells`.

`.. public:: rnncore.optim` documents each public name of a module, with autodoc, and `.. family:: LSTM` each cell of a
family; `overview` lists what pages document, and `cells` all cells. What docstrings say in plain text, with equations
set apart by their indentation, is made reStructuredText on the way.
"""

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from textwrap import dedent, indent
from typing import ClassVar

import equations
from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from rnncore import CELLS, FAMILIES

_SECTION = re.compile(r"(Args|Attributes|Raises|Returns|Yields):$")


class Public(SphinxDirective):
    """Every public name of a module, or those that are listed; `:under:` names the module that readers import from."""

    required_arguments = 1
    option_spec: ClassVar = {"under": str}
    has_content = True

    def run(self) -> list[nodes.Node]:
        module = importlib.import_module(self.arguments[0])
        names = " ".join(self.content).split() or sorted(module.__all__, key=str.lower)
        under = self.options.get("under", module.__name__)
        return self.parse_text_to_nodes(_documented({f"{under}.{name}": getattr(module, name) for name in names}))


class Family(SphinxDirective):
    """The cells of one family."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        cells = {f"rnncore.{cell.__name__}": cell for cell in FAMILIES[self.arguments[0]]}
        return self.parse_text_to_nodes(_documented(cells))


def _documented(things: dict[str, object]) -> str:
    lines = []
    for name, value in things.items():
        kind = "class" if inspect.isclass(value) else "function" if inspect.isroutine(value) else "data"
        lines += [f".. auto{kind}:: {name}", ""]
        if kind == "class":
            own = [n for n in vars(value) if not n.startswith("_") and inspect.isroutine(getattr(value, n))]
            told = [n for n in own if vars(value)[n].__doc__]
            shown = [n for n in told if n == "init"] if value in CELLS.values() else told
            if shown:
                lines[-1:] = [f"   :members: {', '.join(shown)}", ""]
    return "\n".join(lines)


class Place(nodes.General, nodes.Element):
    """Where an overview is to stand, until all pages are read."""


class Overview(SphinxDirective):
    """What the pages below this one document, section by section; of those pages that a pattern fits."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()
        return [Place(page=self.env.docname, pattern=self.arguments[0])]


class FillIn(SphinxPostTransform):
    """The overviews. In HTML each entry is where the whole reference, when it was one page, had what it leads to."""

    default_priority = 8

    def run(self, **_: object) -> None:
        for place in list(self.document.findall(Place)):
            pages = self.env.toctree_includes[place["page"]]
            found = [item for page in pages if fnmatch(page, place["pattern"]) for item in self._sections(page)]
            place.replace_self(nodes.definition_list("", *found))

    def _sections(self, page: str) -> Iterator[nodes.definition_list_item]:
        for section in self.env.get_doctree(page).findall(nodes.section):
            things = [part for part in section.children if isinstance(part, addnodes.desc)]
            if things:
                term = nodes.term("", "", self._link(page, section[0].astext(), section["ids"]))
                names = nodes.paragraph()
                for thing in things:
                    anchors = [anchor for part in thing.findall(addnodes.desc_signature) for anchor in part["ids"]]
                    name = anchors[0].rpartition(".")[2]
                    names += [nodes.Text(", " if names.children else ""), self._link(page, name, anchors)]
                yield nodes.definition_list_item("", term, nodes.definition("", names))

    def _link(self, page: str, text: str, anchors: Iterable[str]) -> nodes.reference:
        builder, first, *_ = self.app.builder, *anchors
        uri = f"{builder.get_relative_uri(self.env.docname, page)}#{first}"
        ids = anchors if builder.name == "html" else []
        return nodes.reference("", text, internal=True, refuri=uri, ids=ids)


class Cells(SphinxDirective):
    """All cells by their families: name, what its docstring begins with, paper."""

    def run(self) -> list[nodes.Node]:
        lines = []
        for family, cells in FAMILIES.items():
            lines += [f"## {family[0].upper()}{family[1:]}", ""]
            for cell in cells:
                told = inspect.getdoc(cell) or ""
                first, _, _ = told.partition("\n\n")
                paper = re.search(r"\n\s*(Papers?: .*?)(?:\n\n|$)", told, re.DOTALL)
                lines += [f"{{py:class}}`{cell.__name__} <rnncore.{cell.__name__}>`", f": {_plain(first)}", ""]
                lines += [f"  {_plain(paper.group(1))}", ""] if paper else []
        return self.parse_text_to_nodes("\n".join(lines), allow_section_headings=True)


def _plain(text: str) -> str:
    """Words of a docstring as they are, in Markdown."""
    return re.sub(r"([*_|<>$\[\]])", r"\\\1", " ".join(text.split()))


def restructure(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Docstring → reStructuredText: `x` is code, indented blocks are equations, and no letter has another meaning."""
    made, section, block = [], False, []
    for line in [*lines, "."]:
        indented = line.startswith(" ")
        if block and line.strip() and not indented:
            made += _displayed(block)
            block = []
        if line.strip() and not indented:
            section = bool(_SECTION.match(line)) or line.startswith("- ")
        if block or (indented and not section):
            block.append(line)
        else:
            made.append(line if not line.strip() or _SECTION.match(line) else _escaped(line))
    lines[:] = made[:-1]


def _displayed(block: list[str]) -> list[str]:
    """Mathematics if it is; else literal, in one colour."""
    text = dedent("\n".join(block)).rstrip()
    try:
        kind, text = "math", equations.block(text)
    except ValueError:
        kind = "code-block"
    return [f".. {kind}::{' text' * (kind == 'code-block')}", "", *indent(text, "   ").splitlines(), ""]


def _escaped(line: str) -> str:
    parts = re.split(r"(`[^`]*`)", line)
    return "".join(
        f"``{part[1:-1]}``" if part.startswith("`") and len(part) > 2 else re.sub(r"([\\*|]|_(?!\w))", r"\\\1", part)
        for part in parts
    )


def setup(app: Sphinx) -> dict[str, bool]:
    app.setup_extension("sphinx.ext.autodoc")
    app.setup_extension("sphinx.ext.napoleon")
    app.add_node(Place)
    app.add_directive("public", Public)
    app.add_directive("family", Family)
    app.add_directive("overview", Overview)
    app.add_directive("cells", Cells)
    app.add_post_transform(FillIn)
    app.connect("autodoc-process-docstring", restructure, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
