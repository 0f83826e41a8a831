"""A real browser walks the pages: in both languages, without scripts, narrow and wide, light and dark."""

import re
from itertools import pairwise
from typing import Any

import pytest
from browsing import needs_chromium

ADDRESSES = (
    "/",
    "/?flow=minor_update",
    "/ideas/idea-1",
    "/ideas/idea-4",
    "/ideas/idea-6",
    "/ideas/idea-8",
    "/cases",
    "/my-work?member=mio",
    "/models",
    "/new-idea",
    "/ideas/idea-4/hand-off",
    "/ideas/idea-4/attach/hypothesis_brief",
    "/ideas/idea-4/attach/data_report",
    "/ideas/idea-4/plan",
    "/account",
    "/accounts",
    "/audit",
    "/sign-in",
    "/experiments",
    "/experiments/recency-ab",
    "/calendar",
    "/metrics",
    "/nope",
)
WCAG_AA = 4.5

pytestmark = needs_chromium

CONTRASTS = """() => {
  const channels = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = rgb => {
    const linear = v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    const [r, g, b] = rgb.slice(0, 3).map(v => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ground = element => {
    for (let one = element; one; one = one.parentElement) {
      const colour = channels(getComputedStyle(one).backgroundColor);
      if (colour.length === 3 || colour[3] > 0.99) return colour;
    }
    return matchMedia("(prefers-color-scheme: dark)").matches ? [0, 0, 0] : [255, 255, 255];
  };
  const seen = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
    seen.push({text: element.textContent.trim().slice(0, 40), class: element.className,
               ratio: (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05)});
  }
  return seen;
}"""


@pytest.mark.parametrize(
    ("language", "board", "kind", "heading"),
    [("ja", "ボード", "A/Bテスト2: 良くなったか", "決定"), ("en", "Board", "A/B 2: is it better?", "Decision")],
)
@pytest.mark.parametrize("scripts", [True, False])
def test_a_reader_walks_from_the_board_to_the_evidence(
    site: str, visit: Any, language: str, board: str, kind: str, heading: str, scripts: bool
) -> None:
    page = visit(locale=language, java_script_enabled=scripts, viewport={"width": 1280, "height": 900})
    page.goto(site)
    assert page.locator("h1").inner_text() == board
    page.get_by_role("link", name="再訪ユーザーへの入札を強める").click()
    assert page.locator("h1").inner_text() == "再訪ユーザーへの入札を強める"
    exhibit = page.locator("details.exhibit", has_text=kind).last
    assert exhibit.locator("svg.interval").first.is_visible()
    assert page.locator("summary", has_text=heading).first.is_visible()
    plan = (
        page.locator("details.exhibit")
        .filter(has_text="recency-2026-10")
        .or_(
            page.locator(
                "details.exhibit", has=page.locator("summary", has_text=re.compile("実験計画|Experiment plan"))
            )
        )
    )
    plan.locator("summary").first.click()
    assert plan.get_by_text("期間中は見ない").is_visible()
    with page.expect_download() as download:
        exhibit.get_by_role("link", name=re.compile("^JSON")).click()
    assert download.value.suggested_filename.startswith("comparison_report-")


@pytest.mark.parametrize("scripts", [True, False])
def test_the_filter_works_without_scripts(site: str, visit: Any, scripts: bool) -> None:
    page = visit(locale="ja", java_script_enabled=scripts)
    page.goto(site)
    page.get_by_label("担当者").select_option("ren")
    page.get_by_role("button", name="表示").click()
    assert "person=ren" in page.url
    assert page.locator(".card").count() == 1


def test_the_language_can_be_changed_and_stays(site: str, visit: Any) -> None:
    page = visit(locale="ja")
    page.goto(f"{site}/ideas/idea-4")
    page.get_by_role("link", name="English").click()
    assert page.locator("html").get_attribute("lang") == "en"
    page.get_by_role("link", name="My work").click()
    assert page.locator("h1").inner_text() == "Work of 葵"


def test_the_keyboard_reaches_the_content_first(site: str, visit: Any) -> None:
    page = visit(locale="en")
    page.goto(site)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"


def test_hostile_text_runs_nothing(site: str, visit: Any) -> None:
    page = visit(locale="en")
    for address in ("/", "/ideas/idea-6", "/my-work?member=aoi"):
        page.goto(site + address)
        assert page.locator("img[src='x']").count() == 0
        assert page.locator("script:not([src^='/assets/tasuki.js'])").count() == 0
    assert "<script>" in page.locator("main").inner_text()


@pytest.mark.parametrize("language", ["ja", "en"])
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_page_scrolls_sideways(site: str, visit: Any, language: str, width: int) -> None:
    page = visit(locale=language, viewport={"width": width, "height": 800})
    for address in ADDRESSES:
        page.goto(site + address)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{address} is too wide"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(site: str, visit: Any, scheme: str) -> None:
    page = visit(locale="ja", color_scheme=scheme)
    for address in ADDRESSES:
        page.goto(site + address)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        seen = page.evaluate(CONTRASTS)
        assert len(seen) > 5, "nothing was measured"
        assert [one for one in seen if one["ratio"] < WCAG_AA] == [], address


@pytest.mark.parametrize("address", ADDRESSES)
def test_structure_helps_those_who_listen(site: str, visit: Any, address: str) -> None:
    page = visit(locale="en")
    page.goto(site + address)
    levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => Number(one.tagName[1]))")
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels)), levels
    names = "[...document.querySelectorAll('a,button,select,input:not([type=hidden])')]"
    assert page.evaluate(f"{names}.filter(one => !(one.textContent.trim() || one.labels?.length)).length") == 0
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert len(ids) == len(set(ids))


def test_printing_shows_what_was_folded_away(site: str, visit: Any) -> None:
    page = visit(locale="en")
    page.goto(f"{site}/ideas/idea-1")
    folded = page.locator("details.exhibit:not([open]) .exhibit-body").first
    assert not folded.is_visible()
    page.emulate_media(media="print")
    assert folded.is_visible()
    assert not page.locator(".menu").is_visible()
