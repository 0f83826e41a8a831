"""A workspace with told ideas behind the pages; it is only read, so one serves all tests of a process."""

from collections.abc import Iterator
from typing import Any

import pytest
from browsing import CHROMIUM, Visits, serving
from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.actions.workspace import Workspace
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app


@pytest.fixture(scope="session")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("workspace")
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    workspace = workspace_of(ledger, folder)
    yield workspace
    workspace.close()


@pytest.fixture(scope="session")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("empty")
    workspace = workspace_of(open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW), folder)
    yield workspace
    workspace.close()


@pytest.fixture(scope="session")
def app_client(told: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(told), base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def browse(app_client: TestClient) -> TestClient:
    """A visitor without cookies."""
    app_client.cookies.clear()
    return app_client


@pytest.fixture(scope="session")
def site(told: Workspace) -> Iterator[str]:
    """The told ideas' pages at a real address."""
    with serving(told) as address:
        yield address


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any) -> Iterator[Visits]:
    """Opens a page in a context of its own; fails when the browser complains or something is loaded from elsewhere."""
    visits = Visits(chromium)
    yield visits
    visits.close()
    # A page that is not found, refused or not valid is answered as such, which the browser writes down too.
    assert [one for one in visits.complaints if not one.startswith("Failed to load resource")] == []
