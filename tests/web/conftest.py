"""A workspace with told ideas behind the pages; it is only read, so one serves all tests of a process."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from litestar.testing import TestClient
from told_ideas import NOW, tell_board

from tasuki.actions.workspace import Workspace
from tasuki.flow.playbook import default_playbook
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.web.app import create_app


def workspace_of(ledger: Ledger, folder: Path) -> Workspace:
    return Workspace(
        folder=folder,
        name="広告配信チーム",
        language="ja",
        ledger=ledger,
        playbook=default_playbook(),
        clock=lambda: NOW,
        flow="model",
        formation="planner_maker_evaluator",
        member="aoi",
        tables={},
    )


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
