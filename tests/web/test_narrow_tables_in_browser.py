"""Tables and drawings: on a phone what decides stands in view, without pushing the table aside."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from browsing import needs_chromium, serving
from plain_workspace import workspace_of
from told_ideas import NOW, Telling, tell_experiments, tell_team

from tasuki.store.ledger import open_ledger

PAGES = (
    "/",
    "/experiments",
    "/experiments/recency-ab",
    "/experiments/recency-check",
    "/calendar",
    "/accounts",
    "/audit",
    "/models",
    "/ideas/idea-1",
)
NOTHING_TO_PUSH = """all => all.filter(one => one.scrollWidth > one.clientWidth + 1)
    .map(one => one.getAttribute("aria-label") || one.getAttribute("aria-labelledby"))"""
LINE_THROUGH_NAMES = """all => all.flatMap(drawing => {
    const line = drawing.querySelector(".slot-today").getBoundingClientRect().left;
    return [...drawing.querySelectorAll(".slot-name")].filter(name => {
        const box = name.getBoundingClientRect();
        return box.width > 0 && box.left < line && line < box.right;
    }).map(name => name.textContent);
})"""


@needs_chromium
@pytest.mark.parametrize("path", PAGES)
def test_no_cell_of_a_stacked_table_lies_off_a_narrow_screen(chromium: Any, site: str, path: str) -> None:
    page = chromium.new_context(viewport={"width": 360, "height": 800}).new_page()
    page.goto(f"{site}{path}?lang=ja")
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    cells = page.locator(".stacked tbody > tr > *")
    ends = cells.evaluate_all("all => all.map(one => one.getBoundingClientRect().right)")
    pushed = page.locator(".scroll").evaluate_all(NOTHING_TO_PUSH)
    page.context.close()
    assert all(end <= 360 for end in ends)
    assert pushed == []


@pytest.fixture(scope="module")
def full_calendar(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Pages of a team whose calendar holds what is over, what runs and what is booked, left and right of today."""
    folder = tmp_path_factory.mktemp("calendar")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_team(ledger)
    t = Telling(ledger, "idea-1", NOW - timedelta(days=25)).opened("Bid less at night", "aoi")
    said = {"model": "ctr", "salt": "s", "arms": [], "treatment_location": "artifacts", "layer": "l"}
    for name, days in (("recency-comparison-of-autumn", 9), ("recency-comparison", 8)):
        t.then("experiment_started", "aoi", 0.1, name=name, kind="comparison", **said)
        t.then("experiment_stopped", "aoi", days, name=name)
    booked = {"kind": "comparison", "lane": "ab2", "days": 14}
    for name, ahead in (("slot-app-comparison", 4), ("slot-app-comparison-once-more", 30)):
        first = str((NOW + timedelta(days=ahead)).date())
        t.then("experiment_booked", "aoi", name=name, **booked, **{"from": first})
    tell_experiments(ledger, "idea-1", "aoi")
    workspace = workspace_of(ledger, folder)
    with serving(workspace) as address:
        yield address
    workspace.close()


@needs_chromium
@pytest.mark.parametrize("width", [360, 700, 1000, 1280])
def test_the_line_of_today_goes_through_no_name_of_the_calendar(chromium: Any, full_calendar: str, width: int) -> None:
    page = chromium.new_context(viewport={"width": width, "height": 800}).new_page()
    page.goto(f"{full_calendar}/calendar?lang=en")
    drawings = page.locator(".slots")
    struck, names = drawings.evaluate_all(LINE_THROUGH_NAMES), page.locator(".slot-name:visible").count()
    pushed = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    page.context.close()
    assert (struck, names) == ([], 7)
    assert pushed <= 0


@needs_chromium
@pytest.mark.parametrize("width", [360, 1280])
def test_what_a_rule_refused_stands_clear_of_the_panels_below(chromium: Any, site: str, width: int) -> None:
    page = chromium.new_context(viewport={"width": width, "height": 800}).new_page()
    page.goto(f"{site}/ideas/idea-7/hand-off?lang=ja")
    page.get_by_role("button", name="チェックを実行して依頼する").click()
    said = page.locator(".form-problem").bounding_box()
    tops = page.locator(".with-side .panel").evaluate_all("all => all.map(one => one.getBoundingClientRect().top)")
    page.context.close()
    assert tops
    assert all(top >= said["y"] + said["height"] + 8 for top in tops)
