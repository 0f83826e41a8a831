"""The report as people open it: in a real browser, without scripts, light and dark, wide and narrow, on paper."""

import re
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from shown_comparison import EVIL, ORIGIN, shown

from tasuki.charts.draw import can_draw
from tasuki.language import LANGUAGES
from tasuki.reports.comparison import comparison_document
from tasuki.reports.html import to_html
from tasuki.stats.concern import Concern

CHROMIUM = Path("/usr/bin/chromium")
VOID = {"meta", "link", "br", "img", "input", "hr"}
CONCERNS = (
    Concern("no_arm", "warning", "7 unit(s) have no arm and are left out.", {"units": 7}),
    Concern("control_guessed", "info", "No control was named.", {"arm": EVIL, "case": "by_name"}),
)

pytestmark = pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("reports")
    written = {}
    for language in LANGUAGES:
        path = folder / f"report.{language}.html"
        path.write_text(to_html(comparison_document(shown(*CONCERNS), ORIGIN, language)), encoding="utf-8")
        written[language] = path
    return written


class _Outline(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.used: list[str] = []
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        given = dict(attrs)
        self.ids += [given["id"]] if given.get("id") else []
        self.used += [
            value for name, value in attrs if name in {"href", "src", "xlink:href", "aria-labelledby"} and value
        ]
        assert not [name for name in given if name.startswith("on")], given
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_file_is_sound_and_loads_nothing(pages: dict[str, Path], language: str) -> None:
    text = pages[language].read_text(encoding="utf-8")
    outline = _Outline()
    outline.feed(text)
    assert not outline.open
    assert max(Counter(outline.ids).values()) == 1
    for used in outline.used:
        assert used.lstrip("#") in outline.ids, used
    assert not outline.tags["script"]
    assert not outline.tags["link"]
    assert "@import" not in text
    assert not re.search(r"url\((?!#)", text)
    assert not re.findall(r"https?://(?!www\.w3\.org/)", text)


def test_every_figure_has_its_numbers_in_a_table(pages: dict[str, Path]) -> None:
    outline = _Outline()
    text = pages["en"].read_text(encoding="utf-8")
    outline.feed(text)
    assert outline.tags["figure"] >= 5
    for section in text.split("<section ")[1:]:
        assert "<figure>" not in section or "<table>" in section
    assert outline.tags["svg"] == 2 * outline.tags["figure"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if not CHROMIUM.exists():
        pytest.skip("no chromium on this machine (/usr/bin/chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield started
        started.close()


def test_a_name_that_is_a_script_is_shown_and_does_not_run(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    ran: list[str] = []
    asked: list[str] = []
    page.on("dialog", lambda dialog: (ran.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(pages["en"].as_uri())
    assert EVIL in page.inner_text("h1")
    assert page.locator("svg text", has_text=EVIL).count() > 0
    assert not ran
    assert asked == [pages["en"].as_uri()]
    page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_it_fits_and_shows_one_drawing_of_each_figure(
    browser: Any, pages: dict[str, Path], language: str, scheme: str, width: int
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 800}, color_scheme=scheme, java_script_enabled=False
    )
    page = context.new_page()
    page.goto(pages[language].as_uri())
    session = context.new_cdp_session(page)
    size = session.send("Page.getLayoutMetrics")["cssContentSize"]
    assert size["width"] <= width
    seen = [one for one in page.locator("figure svg").all() if one.is_visible()]
    assert len(seen) == page.locator("figure").count()
    assert all((one.bounding_box() or {"width": 9999})["width"] <= width for one in seen)
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_charts_take_the_colours_of_the_scheme(browser: Any, pages: dict[str, Path], scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)
    page.goto(pages["en"].as_uri())
    fill = page.evaluate("getComputedStyle(document.querySelector('#effects svg text')).fill")
    shade = sum(int(one) for one in re.findall(r"\d+", fill)[:3])
    assert (shade > 380) is (scheme == "dark")
    page.close()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_it_can_be_read_by_everyone(
    browser: Any, pages: dict[str, Path], language: str, scheme: str, width: int
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # The page's own policy would forbid the checker's script as well.
    context = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(pages[language].as_uri())
    for summary in page.locator("summary").all():
        summary.click()
    found = Axe().run(page).response["violations"]
    assert not [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found]
    context.close()


def test_japanese_stands_in_a_font_that_has_its_signs(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page()
    page.goto(pages["ja"].as_uri())
    assert page.locator("svg text", has_text="購入率").count() > 0
    families = page.evaluate(
        "[...new Set([...document.querySelectorAll('svg text')].map(t => getComputedStyle(t).fontFamily))]"
    )
    assert all("Hiragino Sans" in family and "sans-serif" in family for family in families)
    page.close()


def test_on_paper_the_wide_drawing_is_used(browser: Any, pages: dict[str, Path]) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 800})
    page.goto(pages["en"].as_uri())
    page.emulate_media(media="print")
    assert page.locator("figure .wide").first.is_visible()
    assert not page.locator("figure .narrow").first.is_visible()
    page.close()
