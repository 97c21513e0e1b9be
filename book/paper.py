"""`make pdf`: the book as one PDF, printed by Chromium from the one long page that Sphinx makes of it.

python book/paper.py _build/singlehtml _build/book.pdf
"""

import shutil
import sys
from pathlib import Path

PRINTED = """
.bd-header, .bd-header-article, .bd-sidebar-primary, .bd-sidebar-secondary, .bd-footer, .prev-next-footer,
.headerlink, .copybtn, #pst-back-to-top, #pst-skip-link, .movable input, .movable label { display: none !important; }
.bd-main .bd-content .bd-article-container { max-width: none; }
details > * { display: block !important; }
details::details-content { content-visibility: visible !important; display: block !important; }
h1 { break-before: page; }
h1, h2, h3 { break-after: avoid; }
figure, .cell_output, table, div.math, .question { break-inside: avoid; }
pre { white-space: pre-wrap; }
"""
MARGINS = {"top": "18mm", "bottom": "18mm", "left": "16mm", "right": "16mm"}
NUMBER = '<div style="font-size: 8px; width: 100%; text-align: center"><span class="pageNumber"></span></div>'


BROKEN = """() => [
    ...[...document.images].filter(i => i.complete && !i.naturalWidth && !i.hidden).map(i => `no picture: ${i.alt}`),
    ...[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container')).map(e => e.textContent),
    ...document.styleSheets.length < 5 ? ['the style sheets'] : [],
]"""


def paper(folder: Path, made: Path) -> None:
    """Print Sphinx's one page, its equations typeset and its folded parts open; exit where something did not load."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("make pdf wants Chromium: apt install chromium")
    page = folder / "whole.html"
    shutil.copy(folder / "book" / "index.html", page)  # its links are those of a page that lies here
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(0)
        tab.goto(page.resolve().as_uri(), timeout=0)
        tab.evaluate("async () => { await window.MathJax?.startup?.promise }")
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        tab.evaluate("document.documentElement.dataset.theme = 'light'")
        if broken := tab.evaluate(BROKEN):
            sys.exit(f"not in the PDF: {broken[:5]}")
        tab.add_style_tag(content=PRINTED)
        tab.evaluate("document.querySelector('h1').style.breakBefore = 'auto'")
        tab.pdf(
            path=made,
            format="A4",
            scale=0.75,  # a line of code is 88 characters long
            margin=MARGINS,
            print_background=True,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=NUMBER,
            outline=True,
            tagged=True,
        )
        browser.close()


if __name__ == "__main__":
    paper(*map(Path, sys.argv[1:]))
