"""The way out of a refusal: a command for whoever types one, a page's own form or link for whoever reads a page."""

import ast
import re
import string
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import pytest
from guarded_team import guarded, signed_in, visiting
from litestar.testing import TestClient
from told_ideas import tell_experiments

import tasuki
from docs.said_sentences import sentences_of
from docs.test_said_in_both_languages import ON_THE_COMMAND_LINE
from tasuki.actions.workspace import Workspace
from tasuki.errors import command, said
from tasuki.flow.checks import CHECKS
from tasuki.flow.playbook import default_playbook
from tasuki.texts import sentences
from tasuki.web.app import create_app
from tasuki.web.ways import address_in, way_of, ways

ROOT = Path(tasuki.__file__).parent
ROOMS = ("flow", "accounts", "actions", "experiments", "cases", "team", "store")
TYPED = re.compile(r"\btasuki [a-z]|(?<!\S)--[a-z]|\(--[a-z]")
JAPANESE = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")
ON_A_TERMINAL = {
    "ask an administrator for a new one; for the first administrator, start tasuki serve again",
    "bring the files back, or count only what is there with --rebuild",
    "set it where tasuki serve runs",
    "see: tasuki webhook list",
    "run `tasuki doctor` to see what is wrong with the ledger",
    "run `tasuki doctor`, which names what is wrong",
    "run `tasuki doctor`, which names every damaged event, and `tasuki restore` a backup",
    "put it back, or: tasuki restore BACKUP",
    "tasuki model rollback {model} --channel {channel} --to VERSION",
    "a file as `tasuki init` writes it",
    "a training stays within the memory of its process (--memory, or this machine's)",
    "less, or a higher --memory",
    "allow more, take fewer training_days, or train on Spark (--engine spark)",
}
"""What whoever runs the machine does, or REST alone says: no page has a way of its own for it."""
OF_CALCULATIONS = {"experiments"}
"""Rooms that also name the options of a one-shot calculation, which no page has a form for."""
FOR_PAGES = ("booking.py", "start.py", "naming.py")
"""What of them pages say."""


def commands_in(path: Path) -> Iterator[str]:
    for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        name = call.func.id if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else ""
        if name == "command" and isinstance(call, ast.Call) and isinstance(call.args[0], ast.Constant):
            yield str(call.args[0].value)


def bare_commands_in(path: Path) -> Iterator[int]:
    """Lines where an error says a command that pages cannot know by a template."""
    for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(one, ast.keyword) and one.arg in ("next_step", "expected", "how"):
            for part in ast.walk(one.value):
                if isinstance(part, ast.JoinedStr) and ast.unparse(part).startswith(("f'tasuki ", 'f"tasuki ')):
                    yield part.lineno


def asked_by_contracts() -> set[str]:
    contracts = default_playbook().contracts.values()
    return {requirement.how for one in contracts for requirement in one.requirements}


def told_by_rooms() -> set[str]:
    told = asked_by_contracts() | set(sentences()) | {check.how for check in CHECKS.values()}
    for path in (path for room in ROOMS for path in (ROOT / room).rglob("*.py")):
        plain = re.findall(r'"(tasuki [^"\n]*)"', path.read_text(encoding="utf-8"))
        told |= {text for _, text in sentences_of(path)} | set(commands_in(path)) | set(plain)
    return told


@pytest.mark.parametrize("room", ROOMS)
def test_a_command_is_said_by_its_template(room: str) -> None:
    left_out = {"actions/real_logs.py"}
    files = [path for path in (ROOT / room).rglob("*.py") if str(path.relative_to(ROOT)) not in left_out]
    assert {path.name: lines for path in files if (lines := list(bare_commands_in(path)))} == {}


def test_whatever_names_a_command_has_a_way_on_the_pages() -> None:
    files = [path for room in ROOMS if room not in OF_CALCULATIONS for path in (ROOT / room).rglob("*.py")]
    files = [path for path in files if str(path.relative_to(ROOT)) not in ON_THE_COMMAND_LINE]
    files += [ROOT / room / name for room in OF_CALCULATIONS for name in FOR_PAGES]
    told = asked_by_contracts() | {check.how for check in CHECKS.values()}
    for path in files:
        told |= {text for _, text in sentences_of(path)} | set(commands_in(path))
    assert {text for text in told if TYPED.search(text) and way_of(text) is None} - ON_A_TERMINAL == set()


@pytest.mark.parametrize("of", sorted(ways()))
def test_a_way_is_a_pages_own_in_both_languages(of: str) -> None:
    way = ways()[of]
    places = {name for _, name, _, _ in string.Formatter().parse(of) if name}
    for text in (way["en"], way["ja"], way.get("at", "")):
        assert not TYPED.search(text)
        assert {name for _, name, _, _ in string.Formatter().parse(text) if name} <= places
    assert JAPANESE.search(way["ja"])
    assert not JAPANESE.search(way["en"])


def test_no_way_is_left_over() -> None:
    assert set(ways()) - told_by_rooms() == set()


def test_a_way_leads_to_a_page(tmp_path: Path) -> None:
    with guarded(tmp_path) as workspace:
        pages = [
            re.sub(r"\{\w+:\w+\}", "[^/]+", route.path)
            for route in create_app(workspace).routes
            if "GET" in {str(method) for one in getattr(route, "route_handlers", ()) for method in one.http_methods}
        ]
    for way in ways().values():
        at = re.sub(r"[?#].*", "", way.get("at", "")) or "/"
        assert any(re.fullmatch(page, at) for page in pages), at


def test_names_in_an_address_are_quoted() -> None:
    sentence = command("tasuki experiment stop {name}", name="夜 #1?")
    assert sentence == "tasuki experiment stop 夜 #1?"
    assert address_in(way_of(sentence) or {}, sentence) == "/experiments/%E5%A4%9C%20%231%3F"
    assert way_of(said("there is no flow {flow!r}", flow="tasuki idea show {idea}")) is None


@pytest.fixture
def team(tmp_path: Path) -> Iterator[Workspace]:
    with guarded(tmp_path) as workspace:
        tell_experiments(workspace.ledger, "idea-4", "ren")
        yield workspace


@pytest.fixture
def client(team: Workspace) -> Iterator[TestClient]:
    with visiting(team) as one:
        yield one


def refused(team: Workspace, client: TestClient, member: str, path: str, fields: dict[str, str], language: str) -> str:
    mark = signed_in(team, client, member)
    answer = client.post(f"{path}?lang={language}", data={"_mark": mark, **fields})
    assert answer.status_code in (400, 403, 404, 409)
    return unescape(answer.text)


def told_of(page: str) -> str:
    """What a page says of the problem: its box, or the list of an error page."""
    found = re.search(r'<div class="form-problem".*?</div>|<article class="problem">.*?</article>', page, re.DOTALL)
    assert found
    return found[0]


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("member", "path", "fields", "link"),
    [
        ("aoi", "/ideas/idea-4/rule", {"text": "go"}, ""),
        ("aoi", "/ideas/idea-7/hand-off/offer", {}, "/ideas/idea-7/attach/hypothesis_brief"),
        ("ren", "/ideas/idea-4/hand-off/accept", {"answer": "はい", "estimate": "2"}, "/ideas/idea-4/hand-off"),
        ("ren", "/ideas/idea-4/hand-off/return", {"code": "other", "reason": "不明"}, "/ideas/idea-4/hand-off"),
        ("ren", "/ideas/idea-3/kill", {"reason": "不要"}, "/ideas/idea-3"),
        ("ren", "/ideas/idea-4/experiments/dawn/release", {"reason": "不要"}, "/experiments/dawn"),
        ("ren", "/ideas/idea-4/experiments/noon/compare", {}, "/ideas/idea-4/"),
        (
            "ren",
            "/calendar/book",
            {"idea": "idea-4", "experiment": "x", "kind": "check", "days": "3", "from": "2026-12-02"},
            "",
        ),
    ],
)
def test_a_refusal_on_a_page_names_no_command(
    team: Workspace, client: TestClient, language: str, member: str, path: str, fields: dict[str, str], link: str
) -> None:
    told = told_of(refused(team, client, member, path, fields, language))
    assert not TYPED.search(re.sub(r"<[^>]*>", " ", told))
    assert f'href="{link}' in told if link else True, told


def test_the_same_refusal_names_the_command_over_rest(team: Workspace, client: TestClient) -> None:
    mark = signed_in(team, client, "ren")
    answer = client.post(
        "/api/v1/ideas/idea-4/experiments/dawn/release", json={"reason": "late"}, headers={"X-CSRF-Token": mark}
    )
    assert "tasuki experiment stop dawn" in answer.text or answer.status_code in (401, 403)


def test_a_barred_form_is_only_to_be_read_and_leads_back(team: Workspace, client: TestClient) -> None:
    signed_in(team, client, "aoi")
    page = client.get("/ideas/idea-4/attach/learning?lang=ja").text
    assert re.search(r'<fieldset class="barred" disabled>.*name="learnings".*</fieldset>', page, re.DOTALL)
    assert '<a class="button" href="/ideas/idea-4">' in page
    signed_in(team, client, "ren")
    mine = client.get("/ideas/idea-4/attach/learning?lang=ja").text
    assert "disabled" not in mine
    assert "コマンド" not in mine


def test_an_error_below_an_idea_leads_back_to_it(team: Workspace, client: TestClient) -> None:
    signed_in(team, client, "ren")
    below = client.get("/ideas/idea-4/attach/nothing-of-that-name?lang=ja")
    assert below.status_code == 404
    assert '<a class="button" href="/ideas/idea-4">「アプリ × 枠の交差特徴量」に戻る</a>' in unescape(below.text)
    assert 'href="/ideas/idea-99"' not in client.get("/ideas/idea-99/hand-off").text
    client.cookies.clear()
    assert "交差特徴量" not in client.get("/ideas/idea-4/nothing").text
