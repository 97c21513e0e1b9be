"""What the book says of its chapters: the directive `chapters`, a table of them, and their notebooks to download."""

import shutil
from pathlib import Path

from docutils import nodes
from myst_nb.sphinx_ import NbMetadataCollector
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.docutils import SphinxDirective

from rnngrade.checks import exercise, exercise_names

_HEADS = ("chapter", "time", "functions", "points", "mistakes")


class Table(nodes.General, nodes.Element):
    """Where the table is to stand, until all chapters are read."""


class Chapters(SphinxDirective):
    """A table: each chapter with its running time, and what its exercise asks for."""

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # times change with every build
        return [Table()]


class FillIn(SphinxPostTransform):
    """The table, once it is known how long every chapter ran."""

    default_priority = 8  # before references are resolved

    def run(self, **_: object) -> None:
        for place in list(self.document.findall(Table)):
            rows = [row for page in sorted(self.env.titles) if (row := self._row(page))]
            total = [sum(row[k] for _, row in rows) for k in range(4)]
            place.replace_self(_table([*((_link(self.env, page), row) for page, row in rows), (None, total)]))

    def _row(self, page: str) -> tuple[str, list[float]] | None:
        name = Path(page).name.replace("-", "_")
        ran = NbMetadataCollector.get_doc_data(self.env)[page].get("exec_data")
        if name not in exercise_names() or ran is None:
            return None
        graded = exercise(name)
        return page, [ran["runtime"], len(graded.graded), graded.points, sum(len(g.mistakes) for g in graded)]


def _link(env: BuildEnvironment, page: str) -> nodes.Node:
    target = {"refdoc": env.docname, "reftarget": f"/{page}", "reftype": "doc", "refdomain": "std"}
    return pending_xref("", nodes.inline(text=env.titles[page].astext()), refexplicit=True, refwarn=True, **target)


def _table(rows: list[tuple[nodes.Node | None, list[float]]]) -> nodes.table:
    group = nodes.tgroup("", *(nodes.colspec(colwidth=1) for _ in _HEADS), cols=len(_HEADS))
    head = nodes.row("", *(nodes.entry("", nodes.paragraph(text=name)) for name in _HEADS))
    body = nodes.tbody()
    for link, (seconds, *numbers) in rows:
        cells = [f"{seconds:.0f} s", *(f"{number:g}" for number in numbers)]
        first = nodes.paragraph("", "", link) if link else nodes.paragraph(text="together")
        body += nodes.row("", nodes.entry("", first), *(nodes.entry("", nodes.paragraph(text=c)) for c in cells))
    group += [nodes.thead("", head), body]
    return nodes.table("", group, classes=["colwidths-auto"])


def offer_notebook(app: Sphinx, page: str, template: str, context: dict, doctree: nodes.document | None) -> None:
    """A chapter's notebook, as it was run, beside its source: the theme makes a button of `ipynb_source`."""
    made = Path(app.outdir).parent / "jupyter_execute" / f"{page}.ipynb"
    if doctree is not None and made.is_file():
        target = Path(app.outdir) / "_sources" / f"{page}.ipynb"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(made, target)
        context["ipynb_source"] = f"{page}.ipynb"


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_node(Table)
    app.add_directive("chapters", Chapters)
    app.add_post_transform(FillIn)
    app.connect("html-page-context", offer_notebook, priority=400)  # the theme's buttons are made after it
    return {"parallel_read_safe": True, "parallel_write_safe": True}
