"""axe-core looks at every page, and a keyboard alone hands an idea over.

Language, colours and width are paired so that each value of one meets each value of the others.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Visits, needs_chromium, serving
from conftest import workspace_of
from told_ideas import NOW, tell_board
from walking import PASSWORD

from tasuki.actions import accounts
from tasuki.actions.workspace import Workspace
from tasuki.store.ledger import open_ledger

PAGES = (
    "/",
    "/?flow=minor_update&person=nobody",
    "/ideas/idea-1",
    "/ideas/idea-4",
    "/ideas/idea-4/hand-off",
    "/ideas/idea-2/hand-off",
    "/ideas/idea-4/attach/hypothesis_brief",
    "/ideas/idea-4/attach/data_report",
    "/ideas/idea-4/attach/comparison_report",
    "/new-idea",
    "/cases",
    "/my-work",
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
    "/nope",
)
SIGNED_IN_PAGES = ("/", "/account", "/accounts", "/audit", "/ideas/idea-5/hand-off", "/ideas/idea-8/hand-off")
LOOKS = [("ja", "light", 1280), ("ja", "dark", 360), ("en", "light", 360), ("en", "dark", 1280)]

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """The told ideas in a workspace of its own, whose members have accounts."""
    folder = tmp_path_factory.mktemp("signed-in")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    workspace = workspace_of(ledger, folder)
    first = accounts.first_link(workspace)
    accounts.accept_invitation(workspace, first or "", PASSWORD, accounts.NewMember("mio", ("data_scientist",)))
    accounts.accept_invitation(workspace, accounts.invite(workspace, "haru", actor="mio"), PASSWORD)
    yield workspace
    workspace.close()


@pytest.fixture(scope="module")
def signed_site(team: Workspace) -> Iterator[str]:
    with serving(team) as address:
        yield address


def serious(page: Any) -> list[str]:
    """What axe-core finds serious or critical, with the place."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed").Axe()
    found = axe.run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}): {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


def sign_in(page: Any, site: str, member: str) -> None:
    page.goto(f"{site}/sign-in")
    page.locator("input[name='name']").fill(member)
    page.locator("input[name='password']").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{site}/")


@pytest.mark.slow
@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS)
def test_axe_finds_nothing_serious_on_any_page(
    site: str, visit: Visits, language: str, scheme: Any, width: int
) -> None:
    page = visit(locale=language, color_scheme=scheme, viewport={"width": width, "height": 800})
    found = {}
    for address in PAGES:
        page.goto(site + address)
        page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
        if faults := serious(page):
            found[address] = faults
    assert found == {}


@pytest.mark.parametrize(("language", "scheme", "width"), LOOKS[:2])
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
