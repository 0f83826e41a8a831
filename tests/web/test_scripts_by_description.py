"""Every text field of every REST body and every form is sent a script, by the description and the forms there are.

Whatever was taken is then looked for on every page that is linked anywhere and in every download: nothing runs, no
piece of it stands there unescaped, and every answer carries the policy that would not run it.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guarded_team import API, guarded, routes_of, signed_in, visiting
from litestar.testing import TestClient
from test_scripts_in_texts import NASTY, PAGES, Form, Read, filled
from told_ideas import tell_experiments

from tasuki.accounts.account import Account
from tasuki.accounts.rights import SCOPES
from tasuki.actions import account_story, relay, tokens
from tasuki.actions.workspace import Workspace
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.web.guard import SECURITY_HEADERS

MARK = "script>alert(1)"
"""Stands in what is sent; on a page it may stand only with its angle bracket escaped."""
FITTING: dict[str, Any] = {
    "flow": "model",
    "formation": "planner_maker_evaluator",
    "stage": "modeling",
    "to": None,
    "to_stage": None,
    "owner": "ren",
    "due": "2027-01-01",
    "code": "other",
    "member": "ren",
    "name": "sora",
    "roles": ["analyst"],
    "scopes": ["read"],
}
"""Names that must fit something; everything else that is a text is a script."""
PLAYED = (
    ("/ideas", "", "aoi", {}),
    ("/ideas/{idea}/comments", "idea-4", "kaito", {}),
    ("/ideas/{idea}/look-ups", "idea-4", "ren", {}),
    ("/ideas/{idea}/rules", "idea-4", "ren", {}),
    ("/ideas/{idea}/evidence", "idea-4", "ren", {"kind": "external_link"}),
    ("/ideas/{idea}/skip", "idea-4", "ren", {"stage": "offline_validation"}),
    ("/ideas/{idea}/debts/{number}/settle", "idea-4", "haru", {}),
    ("/ideas/{idea}/contributions", "idea-4", "ren", {}),
    ("/ideas/{idea}/contributions/confirm", "idea-4", "mio", {}),
    ("/ideas/{idea}/hand-off/accept", "idea-5", "mio", {}),
    ("/ideas/{idea}/hand-off/return", "idea-2", "aoi", {}),
    ("/ideas/{idea}/reopen", "idea-3", "aoi", {"stage": None}),
    ("/ideas/{idea}/kill", "idea-4", "aoi", {}),
    ("/members", "", "aoi", {}),
    ("/members/{member}/roles", "", "aoi", {}),
    ("/tokens", "", "aoi", {"member": None}),
)
"""Each in the situation in which it is taken: the operation, the idea, who asks, what must fit there."""
NOT_TAKEN = {
    "OfferBody.note": "an offer needs evidence of every kind; the note of a form is tried below",
    "BookBody": "names lanes",
    "StartBody": "names models and arms",
    "CheckBody": "counts",
    "OtherQuestionBody": "names metrics",
    "CompareBody": "names columns; what comes back is JSON",
    "OfflineBody": "names columns; what comes back is JSON",
    "SizeBody": "names columns; what comes back is JSON",
    "AssignBody": "units and arms; what comes back is JSON",
    "PublishBody": "names versions",
    "RollbackBody": "names versions",
    "AccessBody": "yes or no",
    "QuantileBody": "names columns",
    "RatioBody": "names columns",
    "DefaultBody": "names a model; its pages are asked in test_models_page",
}
IN_EXPERIMENTS = {"PlanBody", "ReleaseBody", "StopBody", "DecideBody"}
"""Sent by `test_scripts_in_experiments`, which plans, books, runs and decides one."""
NO_FORM = {
    "/sign-out": "would sign out",
    "/acting-as": "on this machine alone",
    "/account/password": "a password is shown nowhere",
    "/welcome/nothing-of-that-name": "needs a link",
    "/ideas/idea-2/look": "asked by the script while somebody writes",
}


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Workspace]:
    with guarded(tmp_path) as workspace:
        for member in ("haru", "mio", "kaito"):
            account_story.store_of(workspace).save(Account(member))
        yield workspace


@pytest.fixture
def client(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as one:
        yield one


@pytest.fixture
def described(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"{API}/openapi.json").json()
    return found


class Sent:
    """A body made from its description: scripts where a text is free."""

    def __init__(self, described: dict[str, Any], nasty: str, fitting: dict[str, Any]) -> None:
        self.schemas = described["components"]["schemas"]
        self.nasty, self.fitting = nasty, {**FITTING, **fitting}
        self.fields: set[str] = set()

    def body(self, schema: dict[str, Any]) -> Any:
        name = schema["$ref"].rpartition("/")[2]
        properties = self.schemas[name].get("properties", {})
        return {field: self.value(f"{name}.{field}", field, one) for field, one in properties.items()}

    def value(self, where: str, field: str, schema: dict[str, Any]) -> Any:
        if field in self.fitting:
            return self.fitting[field]
        if "oneOf" in schema or "anyOf" in schema:
            choices = schema.get("oneOf") or schema["anyOf"]
            return self.value(where, field, next(one for one in choices if one.get("type") != "null"))
        if "$ref" in schema:
            return self.body(schema)
        if schema.get("enum"):
            return schema["enum"][0]
        match schema.get("type"):
            case "string":
                self.fields.add(where)
                return self.nasty[: schema.get("maxLength", 20_000)]
            case "array":
                return [self.value(where, "", schema["items"])]
            case "object":
                return dict.fromkeys(("title", "tool", "summary"), self.nasty) | {"url": "https://example.org/run"}
            case "boolean":
                return False
        return 2


def bodies(described: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The body's schema of each operation, by its path below the prefix."""
    return {
        path.removeprefix(API): methods["post"]["requestBody"]["content"]["application/json"]["schema"]
        for path, methods in described["paths"].items()
        if "requestBody" in methods.get("post", {})
    }


def free_texts(described: dict[str, Any]) -> set[str]:
    """Every field of every body that is a free text."""
    sent = Sent(described, "x", {})
    for schema in bodies(described).values():
        sent.body(schema)
    return sent.fields


def everything(client: TestClient, starts: list[str]) -> dict[str, str]:
    """Every page that is linked anywhere, and every download, each with the policy on it."""
    waiting, seen = list(starts), {}
    while waiting and len(seen) < 500:
        path = waiting.pop(0)
        if path in seen or path.startswith("/assets/"):
            continue
        answer = client.get(path)
        assert answer.status_code < 500, path
        for name, value in SECURITY_HEADERS.items():
            assert answer.headers[name] == value, path
        kind = answer.headers.get("content-type", "")
        if "html" not in kind and answer.status_code == 200:
            assert "attachment" in answer.headers["content-disposition"], f"{path} is shown as {kind}"
        seen[path] = answer.text if "html" in kind else ""
        waiting += [link for link in sorted(Read(seen[path]).links) if "lang=" not in link]
    return seen


def wrongs(where: str, text: str) -> list[str]:
    unescaped = [f"{where}: unescaped"] if re.search(rf"<(?:/textarea>.*)?{re.escape(MARK)}", text) else []
    return [*unescaped, *(f"{where}: {one}" for one in Read(text).wrong)]


def test_every_free_text_of_every_body_is_sent_or_says_why_not(described: dict[str, Any]) -> None:
    played = {path for path, *_ in PLAYED}
    assert played <= set(bodies(described))
    sent = Sent(described, "x", {})
    for path in played:
        sent.body(bodies(described)[path])
    missing = {
        one
        for one in free_texts(described) - sent.fields
        if one not in NOT_TAKEN and one.split(".")[0] not in {*NOT_TAKEN, *IN_EXPERIMENTS}
    }
    assert not missing


def test_no_text_that_a_body_may_hold_runs_anywhere(
    client: TestClient, team: Workspace, described: dict[str, Any]
) -> None:
    bearers = {
        member: tokens.make_token(team, member, tokens.TokenWish("x", SCOPES[:3]), actor=member)[0]
        for member in ("ren", "haru", "mio", "kaito")
    }
    bearers["aoi"] = tokens.make_token(team, "aoi", tokens.TokenWish("x", SCOPES), actor="aoi")[0]
    client.cookies.clear()
    picked = client.post(f"{API}/ideas/idea-2/hand-off/pick-up", headers={"authorization": f"Bearer {bearers['aoi']}"})
    assert picked.status_code == 200, picked.text
    taken: set[str] = set()
    for path, idea, member, fitting in PLAYED:
        sent = Sent(described, NASTY[0], fitting)
        body = sent.body(bodies(described)[path])
        place = path.replace("{idea}", idea).replace("{number}", "1").replace("{member}", "ren")
        answer = client.post(f"{API}{place}", json=body, headers={"authorization": f"Bearer {bearers[member]}"})
        assert answer.status_code in (200, 201), f"{path}: {answer.text}"
        assert answer.headers["content-type"].startswith("application/json")
        taken |= sent.fields
    assert len(taken) >= 14
    signed_in(team, client, "aoi")
    evidence = [
        f"/ideas/{idea}/evidence/{one.content_hash}.json"
        for idea in ("idea-1", "idea-4")
        for one in team.ledger.state(idea).evidence
    ]
    found = everything(client, [*PAGES, *evidence, "/ideas/idea-4", "/ideas/idea-5", "/ideas/idea-2", "/ideas/idea-3"])
    shown = [path for path, text in found.items() if f"&lt;{MARK}" in text or "&lt;/textarea&gt;" in text]
    assert len(shown) >= 6, "what was sent stands on pages"
    wrong = [one for path, text in found.items() for one in wrongs(path, text)]
    assert not wrong, "\n".join(wrong)


def test_no_text_that_a_form_may_send_runs_anywhere(client: TestClient, team: Workspace) -> None:
    ideas = [f"/ideas/idea-{n}" for n in range(1, 6)]
    starts = [
        *PAGES,
        "/sign-in",
        "/new-idea",
        *ideas,
        *(f"{idea}/hand-off" for idea in ideas),
        *(f"/ideas/idea-5/attach/{kind}{end}" for kind in EVIDENCE_TYPES for end in ("", "?as=json")),
    ]
    tell_experiments(team.ledger, "idea-4", "ren")
    said = {"stage": "modeling", "text": NASTY[1]}
    relay.state_contribution(team, "idea-5", actor="ren", **said)
    tokens.make_token(team, "aoi", tokens.TokenWish(NASTY[0], ["read"]), actor="aoi")
    forms: dict[tuple[str, str], tuple[str, Form]] = {}
    for member in ("aoi", "ren", "mio", ""):
        client.cookies.clear()
        if member:
            signed_in(team, client, member)
        for text in everything(client, starts).values():
            forms |= {
                (one.action, str([name for name, *_ in one.fields])): (member, one)
                for one in Read(text).forms
                if one.action
            }
    seen = {re.sub(r"\?.*", "", action) for action, _ in forms}
    patterns = {one.path for one in routes_of(team) if one.method == "POST" and not one.path.startswith(API)}
    for path in sorted(patterns - set(NO_FORM)):
        shape = re.sub(r"idea-2|nothing-of-that-name|external_link|ren(?=/)|(?<=debts/)1", "[^/]+", path)
        assert any(re.fullmatch(shape, action) for action in seen), f"no page shows the form of {path}"
    wrong: list[str] = []
    for n, (member, one) in enumerate(forms.values()):
        path = re.sub(r"\?.*", "", one.action)
        if path in NO_FORM or re.search("/(access|roles|kill)$", path):
            continue
        client.cookies.clear()
        mark = signed_in(team, client, member) if member else stranger_mark(client)
        answer = client.post(one.action, data=filled(one, mark, NASTY[n % len(NASTY)]))
        assert answer.status_code < 500, one.action
        wrong += wrongs(f"POST {one.action}", answer.text)
    signed_in(team, client, "aoi")
    wrong += [one for path, text in everything(client, starts).items() for one in wrongs(path, text)]
    assert not wrong, "\n".join(wrong)


def stranger_mark(client: TestClient) -> str:
    return re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get("/sign-in").text)[1]  # type: ignore[index]
