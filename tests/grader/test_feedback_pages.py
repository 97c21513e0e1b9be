"""What a student writes in markdown runs nothing in the browser of whoever opens a page of nbgrader's."""

import pytest
from traitlets.config import Config

from rnngrade.plugins import markdown
from tests.grader.course import ROOT


@pytest.mark.parametrize(
    "source",
    [
        "<script>alert(1)</script>",
        '<img src=x onerror="alert(1)">',
        "[a link](javascript:alert(1))",
        "<a href='data:text/html,<script>alert(1)</script>'>a link</a>",
        "<iframe src='https://example.org'></iframe>",
        "![a picture from elsewhere](https://example.org/seen.png)",
        "<svg><script>alert(1)</script></svg>",
        "<p style='background: url(https://example.org)'>",
    ],
)
def test_nothing_runs_and_nothing_is_fetched(source: str) -> None:
    page = markdown(source)
    for word in (
        "<script",
        "<iframe",
        "<svg",
        'src="x"',
        'src="http',
        'href="java',
        'href="data',
        "onerror=",
        "style=",
    ):
        assert word not in page.replace("&lt;", " ")


def test_what_is_harmless_stays() -> None:
    page = markdown("# A heading\n\n*word* `code` $a < b$ [link](https://example.org)\n\n| a |\n|---|\n| 1 |\n")
    for word in ("<h1", "<em>word</em>", "<code>code</code>", "$a &lt; b$", 'href="https://example.org"', "<td>1</td>"):
        assert word in page


def test_course_uses_it() -> None:
    config = Config()
    exec((ROOT / "nbgrader_config.py").read_text(encoding="utf-8"), {"get_config": lambda: config})
    assert config.HTMLExporter.filters == {"markdown2html": "rnngrade.plugins.markdown"}
