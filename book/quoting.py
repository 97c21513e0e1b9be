"""The role `quote`: a number of the page, put into its text when the page is built; see `quote.py`."""

import ast
import re
from typing import Any

from docutils import nodes
from myst_nb.core.variables import RetrievalError
from myst_nb.ext.glue.crossref import read_glue_cache
from myst_nb.ext.glue.utils import retrieve_glue_data
from quote import formatted
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform
from sphinx.util import logging
from sphinx.util.docutils import SphinxRole

_IN_ALT = re.compile(r"\{(\w+)(?::([^{}]+))?\}")
_log = logging.getLogger(__name__)


def _text(kept: dict[str, Any], spec: str) -> str:
    return formatted(ast.literal_eval(kept["text/plain"]), spec)


class Quote(SphinxRole):
    """{quote}`name` or {quote}`name:format`."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name, _, spec = self.text.partition(":")
        try:
            kept = retrieve_glue_data(self.inliner.document, name).data
            return [nodes.inline("", _text(kept, spec), classes=["quoted"])], []
        except (RetrievalError, ValueError) as why:
            message = self.inliner.reporter.warning(f"{self.rawtext}: {why}", line=self.lineno)
            return [nodes.problematic(self.rawtext, self.rawtext)], [message]


class InAltTexts(SphinxTransform):
    """`{name:format}` within the alt text of a picture."""

    default_priority = 1

    def apply(self, **_: Any) -> None:
        kept = read_glue_cache(self.env.mystnb_config.output_folder, self.env.docname)
        for picture in self.document.findall(nodes.image):
            try:
                picture["alt"] = _IN_ALT.sub(
                    lambda found: _text(kept[found[1]]["data"], found[2] or ""), picture.get("alt", "")
                )
            except (KeyError, ValueError) as why:
                _log.warning("alt text: nothing to put in for %s", why, location=picture)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_role("quote", Quote())
    app.add_transform(InAltTexts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
