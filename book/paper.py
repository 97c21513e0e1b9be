"""`make pdf`: the book as one PDF, printed by Chromium from the one long page that Sphinx makes of it.

python book/paper.py _build/singlehtml/book/index.html _build/book.pdf
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


def paper(page: Path, made: Path) -> None:
    """Print a page of HTML, its equations typeset and its folded parts open."""
    from playwright.sync_api import sync_playwright

    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("make pdf wants Chromium: apt install chromium")
    with sync_playwright() as session:
        browser = session.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        tab = browser.new_page(color_scheme="light")
        tab.set_default_timeout(0)
        tab.goto(page.resolve().as_uri(), timeout=0)
        tab.evaluate("async () => { await window.MathJax?.startup?.promise }")
        tab.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        tab.evaluate("document.documentElement.dataset.theme = 'light'")
        tab.add_style_tag(content=PRINTED)
        tab.pdf(
            path=made,
            format="A4",
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
