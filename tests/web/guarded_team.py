"""A team behind a sign-in, a browser that has signed in, and every route: for tests of what keeps others out."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from litestar.testing import TestClient
from plain_workspace import workspace_of
from told_ideas import NOW, tell_board

from tasuki.accounts.account import Account, Session
from tasuki.accounts.door import Door
from tasuki.accounts.secret import form_mark, new_secret, secret_hash
from tasuki.actions import account_story
from tasuki.actions.workspace import Workspace
from tasuki.store.ledger import open_ledger
from tasuki.web.app import create_app

API = "/api/v1"


@contextmanager
def guarded(folder: Path, **door: object) -> Iterator[Workspace]:
    """A workspace with told ideas, a sign-in, an administrator (aoi) and a member (ren)."""
    ledger = open_ledger(f"sqlite:///{folder / 'ledger.db'}", lambda: NOW)
    tell_board(ledger)
    workspace = replace(workspace_of(ledger, folder), door=Door("on", **door))  # type: ignore[arg-type]
    account_story.store_of(workspace).save(Account("aoi", is_administrator=True))
    account_story.store_of(workspace).save(Account("ren"))
    yield workspace
    workspace.close()


def visiting(workspace: Workspace) -> TestClient:
    """A browser that nobody has signed in with."""
    client = TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False)
    client.follow_redirects = False
    return client


def signed_in(workspace: Workspace, client: TestClient, member: str) -> str:
    """Signs a browser in without a password, which is slow; the mark of its forms."""
    secret, csrf = new_secret(), new_secret()
    account_story.store_of(workspace).open_session(secret_hash(secret), Session(member, csrf, NOW, NOW))
    client.cookies.clear()
    client.cookies.set("tasuki_session", secret)
    return form_mark(csrf)


@dataclass(frozen=True)
class Route:
    """A route, its parameters filled in."""

    method: str
    path: str
    is_open: bool


def routes_of(workspace: Workspace, idea: str = "idea-2") -> list[Route]:
    """Every route of the pages and of REST."""
    found = []
    for route in create_app(workspace).routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.handler_name == "options_handler" or "/-" in route.path:
                continue
            path = route.path.replace("{idea:str}", idea).replace("{number:int}", "1")
            path = path.replace("{member:str}", "ren").replace("{kind:str}", "external_link")
            path = re.sub(r"\{\w+:str\}", "nothing-of-that-name", path)
            found += [Route(str(method), path, bool(handler.opt.get("open"))) for method in handler.http_methods]
    return sorted(found, key=lambda one: (one.path, one.method))
