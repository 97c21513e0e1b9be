"""The book as it was built: complete, linked, described, readable offline and on a phone."""

import base64
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import unquote, urlsplit

import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup
from drawing.style import CYCLE, GRADIENT, GREY, INK, INPUT, OUTPUT, STATE_TEXT
from matplotlib.colors import to_rgb

from rnncore import CELLS

ROOT = Path(__file__).parents[1]
HTML = ROOT / "_build/html"
TOC = yaml.safe_load((ROOT / "_toc.yml").read_text())
LISTED = [chapter for part in TOC["parts"] for chapter in part["chapters"]]
PAGES = [TOC["root"], *(page["file"] for chapter in LISTED for page in (chapter, *chapter.get("sections", ())))]
CHAPTERS = [page for page in PAGES if Path(page).name[0].isdigit()]
HEADINGS = ["What goes wrong", "Exercise", "Summary", "Further reading"]
PHONE = {"width": 390, "height": 844}


def each(names: list[str]) -> list:
    """Pages as parameters; all tests of a page run in one process, which reads it once."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name), id=name) for name in names]


pages = pytest.mark.parametrize("page", each(PAGES))
chapters = pytest.mark.parametrize("page", each(CHAPTERS))


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    if not (HTML / "index.html").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("the book is not built: run make book first")


@cache
def soup(path: Path) -> BeautifulSoup:
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@cache
def anchors(path: Path) -> set[str]:
    return {tag["id"] for tag in soup(path).find_all(id=True)}


def source(page: str) -> Path:
    return next(path for suffix in (".md", ".rst") if (path := ROOT / f"{page}{suffix}").exists())


def article(page: str) -> BeautifulSoup:
    return soup(HTML / f"{page}.html").find("article")


def test_toc_lists_every_chapter() -> None:
    assert {f"book/{path.stem}" for path in (ROOT / "book").glob("[0-9]*.md")} == set(CHAPTERS)


@pages
def test_page_is_fresh(page: str) -> None:
    assert (HTML / f"{page}.html").stat().st_mtime >= source(page).stat().st_mtime, "run make book first"


@pages
def test_code_fits_beside_the_contents(page: str) -> None:
    cells = re.findall(r"```{code-cell}.*?\n(?:---\n.*?\n---\n)?(.*?)```", source(page).read_text(), re.DOTALL)
    assert [line for cell in cells for line in cell.splitlines() if len(line) > 88] == []


@pages
def test_links_resolve(page: str) -> None:
    path = HTML / f"{page}.html"
    broken = []
    for tag in soup(path).find_all(True):
        link = tag.get("href") or tag.get("src") or ""
        url = urlsplit(link)
        if url.scheme or url.netloc or link in ("", "#"):
            continue
        target = (path.parent / unquote(url.path)).resolve() if url.path else path
        fragment = unquote(url.fragment)
        if not target.is_file() or (fragment and target.suffix == ".html" and fragment not in anchors(target)):
            broken.append(link)
    assert not broken


@pages
def test_nothing_is_fetched_from_elsewhere(page: str) -> None:
    fetched = "script, link:not([rel=canonical]), img, iframe, source, video, audio, object"
    tags = soup(HTML / f"{page}.html").select(fetched)
    links = [tag.get("src") or tag.get("href") or tag.get("data") or "" for tag in tags]
    assert not [link for link in links if urlsplit(link).netloc]


def test_style_sheets_fetch_nothing_from_elsewhere() -> None:
    fetch = re.compile(r"(url\(|@import)\s*['\"]?(https?:)?//")
    assert not [path.name for path in HTML.rglob("*.css") if fetch.search(path.read_text(encoding="utf-8"))]


def test_reference_has_every_cell_once_and_leads_on_from_where_it_was_one_page() -> None:
    pages = [page for page in PAGES if page.startswith("book/reference/")]
    there = [sign["id"] for page in pages for sign in article(page).select("dl.py > dt[id]")]
    assert len(there) == len(set(there))
    assert {f"rnncore.{name}" for name in CELLS} < set(there)
    sections = """what-a-cell-is cells layers models losses optimisers initialisation training many-trainings
        jax-and-compiled-runs trees-of-parameters tasks data checks other-libraries"""
    assert {*there, *sections.split()} <= anchors(HTML / "book/reference.html")


@pages
def test_images_are_described(page: str) -> None:
    assert not [img["src"] for img in article(page).find_all("img") if len(img.get("alt", "")) <= 20]


@chapters
def test_figures_have_captions(page: str) -> None:
    assert not [img["alt"] for img in article(page).find_all("img") if not img.find_parent("figure")]


def luminance(color: Sequence[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in color]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def on_dark(color: Sequence[float]) -> list[float]:
    """What `invert(1) hue-rotate(180deg)` makes of a colour."""
    inverse = [1 - c for c in color]
    grey = 0.213 * inverse[0] + 0.715 * inverse[1] + 0.072 * inverse[2]
    return [min(max(2 * grey - c, 0), 1) for c in inverse]


@pytest.mark.parametrize(
    ("ratio", "colors"),
    [
        (3, [*CYCLE.by_key()["color"], GRADIENT]),
        (4.5, [INPUT, OUTPUT, GRADIENT, INK, GREY, STATE_TEXT]),
    ],
    ids=["lines", "words"],
)
def test_figures_have_contrast_on_light_and_on_dark_pages(ratio: float, colors: list[str]) -> None:
    for color in map(to_rgb, colors):
        for drawn, page in (color, to_rgb("white")), (on_dark(color), to_rgb("#121212")):
            dark, light = sorted((luminance(drawn), luminance(page)))
            assert (light + 0.05) / (dark + 0.05) >= ratio, color


@chapters
def test_figures_have_no_ground(page: str) -> None:
    """A page of another colour shows through."""
    drawn = []
    for source in (img["src"] for img in article(page).find_all("img")):
        if source.startswith("data:"):
            drawn.append(base64.b64decode(source.partition(",")[2]).decode())
        elif source.endswith(".svg"):
            drawn.append((HTML / page).parent.joinpath(source).read_text())
    assert drawn
    assert not [svg[:500] for svg in drawn if not re.search('<g id="patch_1">\\s*<path [^>]*style="fill: none', svg)]


@chapters
def test_outputs_are_clean(page: str) -> None:
    outputs = article(page).select(".cell_output")
    assert outputs
    text = "\n".join(output.get_text() for output in outputs)
    assert not re.findall(r"Traceback \(most recent call last\)|\w*Warning\b.*", text)


def test_coverage_is_what_is_there() -> None:
    """A row is done when every chapter it names is in the book, begun when one of them is."""
    there = {Path(page).name[:2] for page in CHAPTERS}
    rows = article("book/coverage").select("tbody tr")
    assert len(rows) == 48
    for row in rows:
        number, _, _, named, state = (cell.get_text().strip() for cell in row.select("td"))
        found = [f"{int(chapter):02}" in there for chapter in named.split(",")]
        assert state == ("done" if all(found) else "begun" if any(found) else ""), number


@chapters
def test_chapter_opens_with_a_question(page: str) -> None:
    title = article(page).find("h1")
    opening = "".join(p.get_text() for p in title.find_next_siblings("p"))
    assert "?" in opening


@chapters
def test_chapter_has_its_parts_in_order(page: str) -> None:
    titles = [h2.get_text() for h2 in article(page).find_all("h2")]
    found = [next((i for i, title in enumerate(titles) if part in title), None) for part in HEADINGS]
    assert None not in found, dict(zip(HEADINGS, found, strict=True))
    assert found == sorted(found)


@pages
def test_every_directive_was_read_as_one(page: str) -> None:
    """A backtick behind the name of a directive makes plain text of it, and of all up to the next fence."""
    assert not re.search(r"^(`{3,})\{[a-z-]+\}.*`", source(page).read_text(), re.MULTILINE)


@chapters
def test_chapter_asks_questions_with_one_right_answer_each(page: str) -> None:
    asked = article(page).select(".question")
    assert len(asked) >= 3
    for question in asked:
        answers = [(answer["class"], answer.p.get_text()) for answer in question.select("details")]
        assert len(answers) >= 3
        assert sorted(kind for [kind], _ in answers) == ["right", *(len(answers) - 1) * ["wrong"]]
        assert all(text.startswith("Right." if kind == "right" else "No.") for [kind], text in answers)


@pytest.mark.parametrize("part", TOC["parts"][:-1], ids=lambda part: part["caption"])
def test_part_has_a_figure_that_moves(part: dict) -> None:
    assert any(article(chapter["file"]).select("figure .movable") for chapter in part["chapters"])


@chapters
def test_chapter_and_exercise_can_be_taken_along(page: str) -> None:
    links = [link["href"] for link in soup(HTML / f"{page}.html").select("a[href$='.ipynb']")]
    names = {Path(urlsplit(link).path).name for link in links}
    assert {f"{Path(page).name}.ipynb", f"{Path(page).name.replace('-', '_')}.ipynb"} <= names


@pytest.fixture(scope="module")
def browser() -> Iterator:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        pytest.skip("the browser's tests want Chromium: apt install chromium")
    args = [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
    ]
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(executable_path=chromium, args=args)
        yield browser
        browser.close()


@pytest.fixture(scope="module", params=each(PAGES))
def seen(request: pytest.FixtureRequest, browser) -> Iterator[SimpleNamespace]:
    """A page opened on a phone without network, and what it asked for and complained of."""
    requests, errors = [], []
    tab = browser.new_page(viewport=PHONE)

    def offline(route) -> None:
        if urlsplit(route.request.url).scheme in ("file", "data", "blob"):
            route.continue_()
        else:
            requests.append(route.request.url)
            route.abort()

    tab.route("**/*", offline)
    tab.on("console", lambda message: message.type == "error" and errors.append(message.text))
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.goto((HTML / f"{request.param}.html").as_uri())
    tab.evaluate("async () => { await window.MathJax?.startup?.promise }")
    yield SimpleNamespace(tab=tab, requests=requests, errors=errors)
    tab.close()


def test_page_reads_offline(seen: SimpleNamespace) -> None:
    assert not seen.requests
    assert not seen.errors
    assert not seen.tab.evaluate("[...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)")


def test_equations_are_typeset(seen: SimpleNamespace) -> None:
    raw = "[...document.querySelectorAll('.math')].filter(e => !e.querySelector('mjx-container'))"
    assert not seen.tab.evaluate(f"{raw}.map(e => e.textContent)")
    assert not seen.tab.evaluate("[...document.querySelectorAll('mjx-merror')].map(e => e.textContent)")


def test_page_fits_a_phone(seen: SimpleNamespace) -> None:
    wide = seen.tab.evaluate("""() => {
        const root = document.documentElement, limit = innerWidth + 1;
        if (root.scrollWidth <= innerWidth) return [];
        const elements = [...document.querySelectorAll('article *')];
        return elements.filter(e => e.getBoundingClientRect().right > limit).map(e => e.outerHTML.slice(0, 80));
    }""")
    assert not wide
    assert seen.tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


OPENED = "document.querySelectorAll('article details').forEach(box => box.open = {})"
CUT = """() => {
    const scrolls = box => ['auto', 'scroll'].includes(getComputedStyle(box).overflowX);
    const shaded = box => getComputedStyle(box).backgroundAttachment.includes('local');
    const found = [];
    for (const thing of document.querySelectorAll('article :is(mjx-math, pre, table, img, .output > *)')) {
        if (!thing.checkVisibility()) continue;
        const { left, width } = thing.getBoundingClientRect(), right = left + Math.max(width, thing.scrollWidth);
        let box = thing;
        for (; box !== document.documentElement; box = box.parentElement) {
            const edge = box.getBoundingClientRect().left + box.clientLeft + box.clientWidth;
            if (getComputedStyle(box).overflowX !== 'visible' && edge + 1.5 < right) break;
        }
        if (box === document.documentElement ? right > innerWidth + 1.5 : !(scrolls(box) && shaded(box)))
            found.push(thing.outerHTML.slice(0, 200));
    }
    return found;
}"""


def test_nothing_is_cut_off_on_a_phone_without_a_sign(seen: SimpleNamespace) -> None:
    """Formulas, code, outputs and tables fit, or lie in a box that scrolls and shades the edge where there is more."""
    seen.tab.evaluate(OPENED.format("true"))
    cut = seen.tab.evaluate(CUT)
    seen.tab.evaluate(OPENED.format("false"))
    assert not cut


SCROLLED = "article :is(pre, .output, .pst-scrollable-table-container, mjx-container[display])"
SHADED: set[str] = set()  # kinds of boxes that were looked at


def test_boxes_that_scroll_are_shaded_where_there_is_more(seen: SimpleNamespace) -> None:
    """The first of each kind is looked at: the last pixels on the right, with and without what stands behind them."""

    def edge(box) -> bytes:
        box.evaluate("box => box.scrollIntoView({ block: 'center', behavior: 'instant' })")
        at = box.bounding_box()
        clip = {"x": at["x"] + at["width"] - 8, "y": at["y"] + at["height"] / 2 - 6, "width": 8, "height": 12}
        return seen.tab.screenshot(clip=clip)

    def shaded(box) -> bool:
        shown = edge(box)
        box.evaluate("box => box.style.backgroundImage = 'none'")
        bare = edge(box)
        box.evaluate("box => box.style.backgroundImage = ''")
        return shown != bare

    for box in seen.tab.query_selector_all(SCROLLED):
        kind = box.evaluate("box => box.localName + (box.closest('.cell_output') ? ' output' : '')")
        if kind not in SHADED and box.evaluate("box => box.checkVisibility() && box.scrollWidth > box.clientWidth + 9"):
            SHADED.add(kind)
            assert shaded(box), kind
            box.evaluate("box => box.scrollLeft = box.scrollWidth")
            assert not shaded(box), kind
            box.evaluate("box => box.scrollLeft = 0")


def test_figures_turn_with_a_dark_page(seen: SimpleNamespace) -> None:
    seen.tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    styles = seen.tab.evaluate("""[...document.querySelectorAll('article figure img')].map(image => {
        const { filter, backgroundColor } = getComputedStyle(image);
        return `${filter} on ${backgroundColor}`;
    })""")
    seen.tab.evaluate("document.documentElement.dataset.theme = 'light'")
    assert set(styles) <= {"invert(1) hue-rotate(180deg) on rgba(0, 0, 0, 0)"}


def test_page_is_accessible(seen: SimpleNamespace) -> None:
    """Of thousands of coloured words, formulas and signatures, all made alike, the first of each kind is left."""
    seen.tab.add_style_tag(content="* { background-image: none !important }")  # before a shade axe judges no colours
    seen.tab.evaluate("""() => {
        const kinds = new Set(), formulas = document.querySelectorAll("mjx-container");
        for (const word of document.querySelectorAll("pre span:not(:has(*))")) {
            const around = word.closest("pre").parentElement.className;
            const kind = [word.className, word.style.cssText, around, word.checkVisibility()].join("|");
            if (kinds.has(kind)) word.replaceWith(word.textContent);
            kinds.add(kind);
        }
        for (const signature of document.querySelectorAll("dl.py > dt")) {
            const kind = signature.parentElement.className;
            if (kinds.has(kind)) signature.replaceChildren(signature.textContent);
            kinds.add(kind);
        }
        [...formulas].slice(1).forEach(formula => formula.replaceChildren());
    }""")
    found = Axe().run(seen.tab).response["violations"]
    grave = [v for v in found if v["impact"] in ("serious", "critical")]
    assert not [(v["id"], v["nodes"][0]["html"][:200], len(v["nodes"])) for v in grave]


def test_sliders_move_their_figures(seen: SimpleNamespace) -> None:
    for box in seen.tab.query_selector_all(".movable"):
        slider, pictures = box.query_selector("input"), box.query_selector_all("img")
        for place in (len(pictures) - 1, 0):
            slider.evaluate("(s, place) => { s.value = place; s.dispatchEvent(new Event('input')) }", place)
            assert [picture.is_visible() for picture in pictures] == [i == place for i in range(len(pictures))]
            assert box.query_selector("output").inner_text() == slider.get_attribute("aria-valuetext") != ""
