"""axe-core looks at every page, and a keyboard alone hands an idea over.

Language, colours and width are paired so that each page is seen in both of each.
"""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import Visits, needs_chromium, serving
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board, tell_experiments
from walking import PASSWORD

from tasuki.actions import accounts
from tasuki.actions.account_story import store_of
from tasuki.actions.sign_in import NewMember, accept_invitation
from tasuki.actions.workspace import Workspace
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app
from tasuki.web.evidence_form import PEOPLE_WRITE
from tasuki.web.rest.routes import PREFIX

IDEAS = tuple(f"idea-{number}" for number in range(1, 9))
PAGES = (
    "/",
    "/?flow=minor_update&person=nobody",
    *(f"/ideas/{idea}" for idea in IDEAS),
    *(f"/ideas/idea-{number}/hand-off" for number in (1, 2, 4, 5, 8)),
    *(f"/ideas/idea-4/attach/{kind}" for kind in PEOPLE_WRITE),
    "/ideas/idea-4/attach/comparison_report",
    "/ideas/idea-4/plan",
    "/new-idea",
    "/cases",
    "/cases?q=nothing-like-it",
    "/my-work",
    "/my-work?member=kaito",
    "/models",
    "/experiments",
    "/experiments/recency-ab",
    "/experiments/recency-check",
    "/calendar",
    "/metrics",
    "/account",
    "/accounts",
    "/audit",
    "/sign-in",
    "/welcome/not-an-invitation",
    "/nope",
)
"""Every page there is; `test_every_page_is_looked_at` finds the one that is forgotten."""
NO_PAGES = {"/health", "/assets/{name:str}", "/ideas/{idea:str}/evidence/{file:str}"}
LEAD_ELSEWHERE = {"/sign-in/provider", "/sign-in/provider/return"}
SIGNED_IN_PAGES = (
    "/",
    "/account",
    "/accounts",
    "/audit",
    "/ideas/idea-5/hand-off",
    "/ideas/idea-8/hand-off",
    "/calendar",
    "/experiments/night",
    "/experiments/dawn",
    "/experiments/noon",
)
LOOKS = [("ja", "light", 1280), ("en", "dark", 360)]
"""Both languages, colours and widths, each with one of the others."""
OTHER_LOOKS = [("ja", "dark", 360), ("en", "light", 1280)]
MOST_USED = ("/", "/ideas/idea-1", "/ideas/idea-4/hand-off", "/my-work", "/experiments/recency-ab", "/calendar")

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The told ideas in a workspace of its own, whose members have accounts."""
    folder = tmp_path_factory.mktemp("signed-in")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    tell_experiments(ledger, "idea-4", "ren")
    workspace = workspace_of(ledger, folder)
    first = accounts.first_link(workspace)
    accept_invitation(workspace, first or "", PASSWORD, NewMember("mio", ("data_scientist",)))
    for member in ("haru", "aoi"):
        accept_invitation(workspace, accounts.invite(workspace, member, actor="mio"), PASSWORD)
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def signed_site(team: Workspace) -> Iterator[str]:
    with serving(team) as address:
        yield address


RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
"""`wcag22aa` also asks for targets of 24 pixels, which axe leaves out by itself."""


def serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical, with the place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    found = axe.run(page, options=RULES).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def out_of_shape(page: Any, language: str, width: int) -> list[str]:
    """What a page lacks that every page has: language, title, heading, landmarks, a way past the menu, its width."""
    seen = page.evaluate(
        """() => ({
          lang: document.documentElement.lang,
          title: document.title.split(" · ")[0].trim(),
          headings: document.querySelectorAll("h1").length,
          mains: document.querySelectorAll("main").length,
          menus: document.querySelectorAll("header nav[aria-label], header a.brand").length,
          wide: document.documentElement.scrollWidth,
        })"""
    )
    page.evaluate("window.scrollTo(0, 0); document.activeElement.blur()")
    page.keyboard.press("Tab")
    first = page.evaluate(
        "() => { const at = document.activeElement; at.blur(); return at.getAttribute('href') || at.outerHTML; }"
    )
    faults = {
        f"lang is {seen['lang']}": seen["lang"] == language,
        "no title": bool(seen["title"]),
        f"{seen['headings']} h1": seen["headings"] == 1,
        f"{seen['mains']} main": seen["mains"] == 1,
        "no menu": seen["menus"] > 0,
        f"{seen['wide']} px wide": seen["wide"] <= width,
        f"Tab leads first to {first[:60]}": first == "#main",
    }
    return [name for name, holds in faults.items() if not holds]


def sign_in(page: Any, site: str, member: str) -> None:
    page.goto(f"{site}/sign-in")
    page.locator("input[name='name']").fill(member)
    page.locator("input[name='password']").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/")


def test_every_page_is_looked_at(told: Workspace) -> None:
    app = create_app(told)
    pages = {one.path for one in app.routes if "GET" in one.methods and not one.path.startswith(PREFIX)}
    asked = {address.partition("?")[0] for address in PAGES}
    shapes = {path: re.compile(re.sub(r"\\?\{[^}]*\}", "[^/]+", re.escape(path)) + "$") for path in pages}
    forgotten = {path for path, shape in shapes.items() if not any(shape.match(one) for one in asked)}
    assert forgotten - NO_PAGES - LEAD_ELSEWHERE == set()
    assert len(pages) > 15, "the application tells no routes: this test would prove nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("looks", "pages"), [*((one, PAGES) for one in LOOKS), *((one, MOST_USED) for one in OTHER_LOOKS)]
)
def test_axe_finds_nothing_serious_on_any_page(
    site: str, visit: Visits, looks: tuple[str, Any, int], pages: tuple[str, ...]
) -> None:
    language, scheme, width = looks
    page = visit(locale=language, color_scheme=scheme, viewport={"width": width, "height": 800})
    found = {}
    for address in pages:
        page.goto(site + address)
        shape = out_of_shape(page, language, width)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        if faults := [*shape, *serious(page)]:
            found[address] = faults
    assert found == {}


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS)
def test_axe_finds_nothing_serious_for_those_who_signed_in(
    signed_site: str, visit: Visits, language: str, scheme: Any, width: int
) -> None:
    page = visit(locale=language, color_scheme=scheme, viewport={"width": width, "height": 800})
    sign_in(page, signed_site, "mio")
    found = {}
    for address in SIGNED_IN_PAGES:
        page.goto(signed_site + address)
        if faults := serious(page):
            found[address] = faults
    assert found == {}


def test_axe_would_see_an_input_without_a_label(visit: Visits) -> None:
    page = visit()
    page.set_content("<!doctype html><html lang='en'><title>x</title><main><h1>x</h1><input name='y'></main></html>")
    assert any(one.startswith("label (critical)") for one in serious(page))


def tab_to(page: Any, selector: str, most: int = 90) -> None:
    """Presses Tab until the focus is there; every stop on the way shows where it is."""
    for _ in range(most):
        page.keyboard.press("Tab")
        at = page.evaluate(
            """selector => {
              const one = document.activeElement, style = getComputedStyle(one);
              const shown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
              return {there: one.matches(selector), inside: one !== document.body, shown, html: one.outerHTML};
            }""",
            selector,
        )
        assert at["shown"] or not at["inside"], f"the focus cannot be seen on {at['html'][:90]}"
        if at["there"]:
            return
    pytest.fail(f"{selector} is not reached by Tab on {page.url}")


def test_a_keyboard_alone_picks_up(signed_site: str, team: Workspace, visit: Visits) -> None:
    page = visit(locale="ja")
    sign_in(page, signed_site, "aoi")
    page.goto(f"{signed_site}/ideas/idea-2")
    tab_to(page, "#needs ~ p a.button[href$='/hand-off']")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{signed_site}/ideas/idea-2/hand-off")
    tab_to(page, "form[action$='/pick-up'] button")
    page.keyboard.press("Enter")
    page.locator("#field-answer").wait_for()
    offer = team.ledger.state("idea-2").offer
    assert offer is not None
    assert offer.picked_up_by == "aoi"


def test_what_is_being_written_when_the_session_ends_is_told_kept_and_sent(
    signed_site: str, team: Workspace, visit: Visits
) -> None:
    page = visit(locale="ja")
    sign_in(page, signed_site, "haru")
    page.goto(f"{signed_site}/ideas/idea-8/attach/hypothesis_brief")
    store_of(team).close_sessions("haru")
    change = page.locator("main [name='change']")
    change.press_sequentially("夜の入札を下げる")
    page.locator("#beside", has_text="サインインし直してください").wait_for()
    assert change.input_value() == "夜の入札を下げる", "what was written stays in the form"
    page.locator("main form").evaluate("one => { one.noValidate = true }")
    page.get_by_role("button", name="添付する").click()
    page.locator("input[name='name']").fill("haru")
    page.locator("input[name='password']").fill(PASSWORD)
    page.keyboard.press("Enter")
    kept = page.locator("textarea[name='change']")
    kept.wait_for()
    assert kept.input_value() == "夜の入札を下げる"
    page.get_by_role("button", name="送信").click()
    page.get_by_role("alert").wait_for()
    assert page.locator("main [name='change']").input_value() == "夜の入札を下げる", "its other fields are asked for"


def test_a_keyboard_alone_accepts_with_a_debt_and_offers(signed_site: str, team: Workspace, visit: Visits) -> None:
    page = visit(locale="en")
    sign_in(page, signed_site, "mio")
    page.goto(f"{signed_site}/ideas/idea-5/hand-off")
    tab_to(page, "#field-answer")
    page.keyboard.type("Yes, the delay is in the label")
    tab_to(page, "#field-estimate")
    page.keyboard.type("2")
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    tab_to(page, "#debt-0-what")
    page.keyboard.type("Count the late installs")
    tab_to(page, "#debt-0-due")
    page.keyboard.type("12012026")
    tab_to(page, "form[action$='/accept'] button")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{signed_site}/ideas/idea-5")
    state = team.ledger.state("idea-5")
    assert (state.stage, state.holder, len(state.open_debts())) == ("offline_validation", "mio", 1)
    page.goto(f"{signed_site}/ideas/idea-5/hand-off")
    tab_to(page, "form[action$='/offer'] button")
    page.keyboard.press("Space")
    page.locator("[role='alert']:focus").wait_for()


def test_a_keyboard_alone_returns_with_a_reason(signed_site: str, team: Workspace, visit: Visits) -> None:
    page = visit(locale="ja")
    sign_in(page, signed_site, "haru")
    page.goto(f"{signed_site}/ideas/idea-8/hand-off")
    tab_to(page, "summary")
    page.keyboard.press("Enter")
    tab_to(page, "#field-reason")
    page.keyboard.type("数え方が違います")
    tab_to(page, "form[action$='/return'] button")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/ideas/idea-8$"))
    assert team.ledger.state("idea-8").handoffs[-1].reason == "数え方が違います"


def test_a_form_with_faults_leads_to_each_of_them(signed_site: str, visit: Visits) -> None:
    page = visit(locale="ja", java_script_enabled=False)
    sign_in(page, signed_site, "haru")
    page.goto(f"{signed_site}/ideas/idea-8/attach/decision")
    page.locator("main [name='surprise']").fill("高い")
    page.locator("main form").evaluate("one => { one.noValidate = true }")
    page.get_by_role("button", name="添付する").click()
    alert = page.get_by_role("alert")
    page.locator("[role='alert']:focus").wait_for()
    alert.get_by_role("link", name="意外さ").click()
    assert page.url.endswith("#field-surprise")
    field = page.locator("#field-surprise")
    assert field.get_attribute("aria-invalid") == "true"
    described = field.get_attribute("aria-describedby").split()
    assert any("数値として読めません" in page.locator(f"#{one}").inner_text() for one in described)
