"""Whatever is typed anywhere, no page carries a script, a handler or a link that runs: stored, reflected, Markdown too.

Generated: the forms that the pages show are filled in, every REST body is sent with such texts, and then every page
that is linked anywhere is read by an HTML parser.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlsplit

import pytest
from guarded_team import API, guarded, signed_in, visiting
from litestar.testing import TestClient

from relay_play import RECORDS
from tasuki.actions.members import add_member
from tasuki.actions.workspace import Workspace

NASTY = (
    "</textarea></title><script>alert(1)</script><svg onload=alert(1)>",
    '"\'><img src=x onerror=alert(1)><a href="javascript:alert(1)">x</a>',
    '[x](javascript:alert(1)) ![x](x" onerror="alert(1)) <javascript:alert(1)> {{7*7}} {% raw %}',
)
FOREIGN_TAGS = frozenset({"iframe", "object", "embed", "base", "applet", "frame", "portal"})
_ADDRESSES = frozenset({"href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset"})
PAGES = (
    "/",
    "/my-work",
    "/cases",
    "/metrics",
    "/models",
    "/experiments",
    "/calendar",
    "/accounts",
    "/account",
    "/audit",
)


@dataclass
class Form:
    """A form as a page shows it."""

    action: str
    fields: list[tuple[str, str, str]] = field(default_factory=list)
    """Name, kind and value of each."""


class Read(HTMLParser):
    """A page as a browser reads it: what would run, where it leads, and its forms."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.wrong: list[str] = []
        self.links: set[str] = set()
        self.forms: list[Form] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attributes}
        if tag in FOREIGN_TAGS or (tag == "script" and not said.get("src", "").startswith("/assets/")):
            self.wrong.append(f"<{tag}>")
        self.wrong += [f"{tag} {name}" for name in said if name.startswith("on")]
        self.wrong += [f"{tag} style" for name, value in said.items() if name == "style" and "url(" in value]
        for name in _ADDRESSES & set(said):
            plain = re.sub(r"[\x00-\x20]", "", said[name]).lower()
            if re.match(r"(javascript|vbscript|data):", plain) or (tag == "img" and not plain.startswith("/assets/")):
                self.wrong.append(f"{tag} {name}={said[name]}")
        if tag == "a" and said.get("href", "").startswith("/"):
            self.links.add(said["href"])
        self._read_form(tag, said)

    def _read_form(self, tag: str, said: dict[str, str]) -> None:
        if tag == "form":
            self.forms.append(Form(said.get("action", ""), []) if said.get("method") == "post" else Form(""))
        elif self.forms and tag in ("input", "textarea", "select", "button") and said.get("name"):
            kind = said.get("type", "text") if tag == "input" else tag
            self.forms[-1].fields.append((said["name"], kind, said.get("value", "")))
        elif tag == "option" and self.forms and self.forms[-1].fields and said.get("value"):
            name, kind, chosen = self.forms[-1].fields[-1]
            self.forms[-1].fields[-1] = (name, kind, chosen or said["value"])


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    with guarded(tmp_path_factory.mktemp("nasty")) as workspace:
        for n, text in enumerate(NASTY):
            name, language = f"nasty{n}", "en"
            add_member(workspace, name, actor="aoi", roles=["analyst"], language=language, display_name=text)
        yield workspace


@pytest.fixture(scope="module")
def client(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as one:
        yield one


def filled(one: Form, mark: str, nasty: str) -> dict[str, str]:
    """What somebody sends who means harm: choices as they are offered, texts as they should not be."""
    typed = {"text", "textarea", "search", "password"}
    sent = {name: nasty if kind in typed else value for name, kind, value in one.fields}
    numbers = {name: "2" for name, kind, _ in one.fields if kind == "number"}
    days = {name: "2027-01-01" for name, kind, _ in one.fields if kind == "date"}
    return {**sent, **numbers, **days, "_mark": mark}


def crawl(client: TestClient, starts: Sequence[str], limit: int = 400) -> dict[str, str]:
    """Every page that is linked from these, by its path and query."""
    waiting, seen = list(starts), {}
    while waiting and len(seen) < limit:
        path = waiting.pop(0)
        if path in seen or path.startswith("/assets/"):
            continue
        answer = client.get(path)
        assert answer.status_code < 500, path
        seen[path] = answer.text if "html" in answer.headers["content-type"] else ""
        waiting += [link for link in sorted(Read(seen[path]).links) if "lang=" not in link]
    return seen


def runs_nothing(where: str, text: str) -> list[str]:
    wrong = Read(text).wrong
    return [f"{where}: {', '.join(wrong)}"] if wrong else []


def nasty_record(value: object, nasty: str) -> object:
    """A record whose free texts are replaced; names that must fit something stay."""
    match value:
        case str() if " " in value:
            return nasty
        case list():
            return [nasty_record(one, nasty) for one in value]
        case dict():
            return {key: nasty_record(one, nasty) for key, one in value.items()}
    return value


def test_nothing_that_was_typed_into_any_form_runs(client: TestClient, team: Workspace) -> None:
    mark, wrong, sent = signed_in(team, client, "aoi"), [], 0
    before = crawl(client, PAGES)
    forms = {(one.action, tuple(one.fields)): one for text in before.values() for one in Read(text).forms if one.action}
    for n, one in enumerate(forms.values()):
        if one.action in ("/sign-out", "/acting-as", "/account/password") or re.search("/(access|roles)$", one.action):
            continue
        answer = client.post(urlsplit(one.action).path, data=filled(one, mark, NASTY[n % len(NASTY)]))
        assert answer.status_code < 500, one.action
        wrong += runs_nothing(f"POST {one.action}", answer.text)
        sent += answer.status_code in (200, 303)
    assert len(forms) > 20
    assert sent > 10
    for path, text in crawl(client, PAGES).items():
        wrong += runs_nothing(path, text)
    assert not wrong, "\n".join(wrong)


def test_nothing_that_was_sent_over_rest_runs_on_a_page(client: TestClient, team: Workspace) -> None:
    mark, wrong, taken = signed_in(team, client, "aoi"), [], 0
    headers = {"x-tasuki-mark": mark}
    for nasty in NASTY:
        idea = client.post(f"{API}/ideas", json={"title": nasty}, headers=headers).json()["idea"]
        place = f"{API}/ideas/{idea}"
        told = {
            "comments": {"text": nasty},
            "look-ups": {"query": nasty[:90]},
            "rules": {"text": nasty},
            "contributions": {"stage": "hypothesis", "text": nasty},
            "hand-off/offer": {"note": nasty},
        }
        for path, body in told.items():
            taken += client.post(f"{place}/{path}", json=body, headers=headers).status_code == 200
        for kind, record in RECORDS.items():
            body = {"kind": kind, "record": nasty_record(record, nasty), "producer": nasty, "stage": "hypothesis"}
            answer = client.post(f"{place}/evidence", json=body, headers=headers)
            assert answer.status_code < 500
            taken += answer.status_code == 200
        client.post(f"{place}/kill", json={"reason": nasty}, headers=headers)
    assert taken > 30
    for path, text in crawl(client, PAGES).items():
        wrong += runs_nothing(path, text)
        assert text != "49", path
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("nasty", NASTY)
def test_nothing_that_stands_in_an_address_runs(client: TestClient, team: Workspace, nasty: str) -> None:
    names = ("q", "lang", "flow", "person", "role", "member", "stream", "next", "status", "model", "form")
    for member in ("", "aoi"):
        client.cookies.clear()
        if member:
            signed_in(team, client, member)
        for path in (*PAGES, "/sign-in", "/new-idea", "/ideas/idea-1", "/no-such"):
            for name in names:
                answer = client.get(path, params={name: nasty})
                assert answer.status_code < 500, (path, name)
                assert not runs_nothing(f"{path}?{name}", answer.text)
        for path in ("/ideas/", "/cases/", "/experiments/", "/welcome/", "/ideas/idea-1/attach/", f"{API}/ideas/"):
            answer = client.get(path + nasty.replace("/", "%2F"))
            assert answer.status_code < 500
            assert not runs_nothing(path, answer.text) or "json" in answer.headers["content-type"]
        client.cookies.set("tasuki_language", nasty.replace('"', "").replace(";", ""))
        assert not runs_nothing("cookie", client.get("/").text)


@pytest.mark.parametrize(
    "text",
    [
        "<script>x</script>",
        "<p onclick=x>",
        '<a href=" java\tscript:x">x</a>',
        "<img src=x>",
        "<iframe>",
        "<script src=//evil/x.js></script>",
    ],
)
def test_the_reader_of_these_tests_sees_what_runs(text: str) -> None:
    assert runs_nothing("here", text)
