"""Who may do what: each role and part × each verb by REST and by command, and × each page and form of the pages.

Pages and forms are read from the application, so a new one is asked for as well; one that a rule of the relay decides
must say in `FORMS` what it is sent, or the test names it. `docs/rights.md` is what comes out; write it anew with
`TASUKI_WRITE_RIGHTS=1`.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from guarded_team import signed_in
from litestar.testing import TestClient
from told_ideas import START, Telling

from tasuki.accounts.account import Account
from tasuki.accounts.door import Door
from tasuki.accounts.rights import SCOPES, VERBS
from tasuki.actions import account_story, tokens
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.flow.plan import ROLES
from tasuki.settings.workspace import Choices, init_workspace
from tasuki.web.app import create_app

API = "/api/v1"
PAGE = Path(__file__).parents[2] / "docs" / "rights.md"
PARTS = {
    "owner": (),
    "holder": (),
    "receiver": ("data_scientist",),
    "debtor": (),
    "outsider": (),
    "administrator": (),
}
"""Who has a part in the told idea, and the roles they have: none where the part alone shall count."""
PERSONS = {**{role: (role,) for role in ROLES}, **PARTS}
STRANGER = "stranger"
LINK = {"title": "run", "url": "https://example.org/run", "tool": "MLflow", "summary": "a run"}
BRIEF = {"kind": "external_link", "record": LINK}
PLAN = {"model": "ctr", "primary": "rpm", "mde": 0.01, "rule": "go", "stop_rule": "harm", "interactions": "none"}
DECISION = {
    "decision": "ship",
    "reason": "it helps",
    "monitoring_owner": "owner",
    "clean_up": "old",
    "clean_up_done": True,
}


INTRODUCTION = (
    "# Rights",
    "",
    "A token needs the scope; a sign-in has all. The table is `src/tasuki/accounts/rights.py`; below it is what",
    "the relay allowed when it was asked (`tests/web/test_rights_matrix.py`). Whoever can write the workspace's folder",
    "says with `--as` who they are: commands ask the relay's rules, and leave the rest to the machine.",
)
TRIED = (
    "Tried with the formation `planner_maker_evaluator` on an idea in `investigation`, by somebody with that role and",
    "no part in the idea, or with that part and no role; who picked the offer up is a data scientist. An administrator",
    "lets people in and has no other right than their roles give.",
)
PAGES_TRIED = (
    "Every page (GET) and form (POST), asked for with a session of each; where a rule decides, in the situation that",
    "the rule is about. A stranger is led to the sign-in. The page of a form is shown to every member; what is sent",
    "follows the rule.",
)


@dataclass(frozen=True)
class Asked:
    """One verb: the situation it needs, and how it is asked for over REST and as a command."""

    situation: str
    path: str
    body: dict[str, Any]
    words: tuple[str, ...] = ()


ASKED = {
    "idea.open": Asked("none", "ideas", {"title": "夜の入札"}, ("idea", "open", "夜の入札")),
    "idea.rule": Asked("working", "ideas/{}/rules", {"text": "go"}, ("idea", "rule", "{}", "go")),
    "idea.skip": Asked(
        "working",
        "ideas/{}/skip",
        {"stage": "offline_validation", "reason": "known"},
        ("idea", "skip", "{}", "--stage", "offline_validation", "--reason", "known"),
    ),
    "idea.kill": Asked("working", "ideas/{}/kill", {"reason": "no"}, ("idea", "kill", "{}", "--reason", "no")),
    "idea.reopen": Asked("killed", "ideas/{}/reopen", {"reason": "new"}, ("idea", "reopen", "{}", "--reason", "new")),
    "idea.settle_debt": Asked("in debt", "ideas/{}/debts/1/settle", {}, ("idea", "settle", "{}", "1")),
    "contribution.confirm": Asked(
        "stated", "ideas/{}/contributions/confirm", {"stage": "hypothesis", "member": "owner"}
    ),
    "evidence.attach": Asked("working", "ideas/{}/evidence", BRIEF),
    "handoff.offer": Asked("working", "ideas/{}/hand-off/offer", {}, ("handoff", "offer", "{}")),
    "handoff.pick_up": Asked("offered", "ideas/{}/hand-off/pick-up", {}, ("handoff", "pick-up", "{}")),
    "handoff.accept": Asked(
        "picked up",
        "ideas/{}/hand-off/accept",
        {"answer": "yes", "estimate_days": 2},
        ("handoff", "accept", "{}", "--answer", "yes", "--estimate", "2"),
    ),
    "handoff.return": Asked(
        "picked up",
        "ideas/{}/hand-off/return",
        {"code": "other", "reason": "which app?"},
        ("handoff", "return", "{}", "--code", "other", "--reason", "which app?"),
    ),
    "experiment.book": Asked(
        "working",
        "ideas/{}/experiments/e-{}/book",
        {"kind": "check", "days": 1, "queue": True},
        ("experiment", "book", "e-{}", "--idea", "{}", "--kind", "check", "--days", "1", "--queue"),
    ),
    "experiment.release": Asked(
        "booked",
        "ideas/{}/experiments/e-{}/release",
        {"reason": "later"},
        ("experiment", "release", "e-{}", "--idea", "{}", "--reason", "later"),
    ),
    "experiment.plan": Asked("working", "ideas/{}/experiments/e-{}/plan", PLAN),
    "experiment.start": Asked(
        "working",
        "ideas/{}/experiments/e-{}/start",
        {"kind": "check", "model": "ctr", "split": {"control": 0.9, "treatment": 0.1}},
    ),
    "experiment.check": Asked("running", "ideas/{}/experiments/e-{}/check", {}),
    "experiment.compare": Asked("running", "ideas/{}/experiments/e-{}/compare", {}),
    "experiment.decide": Asked("running", "ideas/{}/experiments/e-{}/decide", DECISION),
    "experiment.ramp": Asked("running", "ideas/{}/experiments/e-{}/ramp", {"expose": 1.0}),
    "experiment.stop": Asked("running", "ideas/{}/experiments/e-{}/stop", {}),
    "model.publish": Asked("none", "models/ctr/publish", {"version": "v1"}),
    "model.rollback": Asked("none", "models/ctr/rollback", {}),
}
FORMS = {
    "/new-idea": {"title": "夜の入札"},
    "/ideas/{idea:str}/rule": {"text": "go"},
    "/ideas/{idea:str}/plan": {"experiment": "e-{}", "rule": "go"},
    "/ideas/{idea:str}/skip": {"stage": "offline_validation", "reason": "known"},
    "/ideas/{idea:str}/kill": {"reason": "no"},
    "/ideas/{idea:str}/reopen": {"reason": "new"},
    "/ideas/{idea:str}/debts/{number:int}": {"note": "done"},
    "/ideas/{idea:str}/attach/{kind:str}": LINK,
    "/ideas/{idea:str}/hand-off/offer": {},
    "/ideas/{idea:str}/hand-off/pick-up": {},
    "/ideas/{idea:str}/hand-off/accept": {"answer": "yes", "estimate": "2"},
    "/ideas/{idea:str}/hand-off/return": {"code": "other", "reason": "which app?"},
    "/ideas/{idea:str}/contributions/confirm": {"stage": "hypothesis", "member": "owner"},
    "/calendar/book": {"idea": "{}", "experiment": "e-{}", "kind": "check", "days": "1", "queue": "yes"},
    "/ideas/{idea:str}/experiments/{experiment:str}/release": {"reason": "later"},
    "/ideas/{idea:str}/experiments/{experiment:str}/start": {"kind": "check", "model": "ctr", "shares": "10"},
    "/ideas/{idea:str}/experiments/{experiment:str}/ramp": {"exposed": "100"},
    "/ideas/{idea:str}/experiments/{experiment:str}/stop": {},
    "/ideas/{idea:str}/experiments/{experiment:str}/check": {},
    "/ideas/{idea:str}/experiments/{experiment:str}/compare": {},
}
"""What each form sends where a rule decides, {} being the idea.

Others are sent empty, since their right is asked before their fields.
"""
PERSONAL = ("a contribution is confirmed by a peer", "who picks up an offer accepts or returns it")
"""Rules that keep one person out without a word of what they may."""


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = init_workspace(tmp_path_factory.mktemp("rights") / "w", Choices(formation="planner_maker_evaluator"))
    for sequence, (name, roles) in enumerate(PERSONS.items()):
        body = {"name": name, "roles": list(roles), "language": "en", "display_name": ""}
        made.ledger.append(TEAM_STREAM, sequence, [NewEvent("member_added", name, START, body)])
    store = account_story.store_of(made)
    for name in PERSONS:
        store.save(Account(name, is_administrator=name == "administrator"))
    yield replace(made, door=Door("on"))
    made.close()


@pytest.fixture(scope="module")
def client(team: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(team), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        yield one


def tell(team: Workspace, idea: str, situation: str) -> None:
    """An idea in a situation: owned by the owner, the sash with the holder, in the stage of investigation."""
    if situation == "none":
        return
    told = Telling(team.ledger, idea).opened("夜の入札", owner="owner")
    debts = ({"what": "alarm", "owner": "debtor", "due": "2027-01-01"},) if situation == "in debt" else ()
    told.offers("owner", ("hypothesis", "investigation")).accepts("holder", "yes", debts=debts)
    match situation:
        case "offered" | "picked up":
            told.offers("holder", ("investigation", "modeling"))
            if situation == "picked up":
                told.then("handoff_picked_up", "receiver")
        case "killed":
            told.then("idea_killed", "owner", reason="no effect")
        case "stated":
            told.then("contribution_stated", "owner", stage="hypothesis", member="owner", text="all of it")
        case "booked":
            days = {"from": "2027-01-04", "days": 3}
            told.then("experiment_booked", "holder", name=f"e-{idea}", kind="check", lane="ab1", **days)
        case "running":
            arms = [{"name": "control", "share": 0.9}, {"name": "treatment", "share": 0.1}]
            said = {"model": "ctr", "salt": "s", "arms": arms, "treatment_location": "artifacts", "layer": "ctr"}
            told.then("experiment_started", "holder", name=f"e-{idea}", kind="check", lane="ab1", **said)


def by_rest(client: TestClient, token: str, asked: Asked, idea: str) -> bool:
    path = asked.path.replace("{}", idea)
    answer = client.post(f"{API}/{path}", json=asked.body, headers={"authorization": f"Bearer {token}"})
    assert answer.status_code in (200, 201, 403, 404, 409), answer.text
    return answer.status_code != 403 and answer.json().get("rule") not in PERSONAL


def by_command(team: Workspace, person: str, asked: Asked, idea: str, capsys: pytest.CaptureFixture[str]) -> bool:
    words = [one.replace("{}", idea) for one in asked.words]
    code = main([*words, "--as", person, "--workspace", str(team.folder), "--json"])
    err = capsys.readouterr().err
    assert code in (0, 4), err
    return code == 0 or not any(words in err for words in (" may not ", *PERSONAL))


@pytest.fixture(scope="module")
def found(client: TestClient, team: Workspace) -> dict[str, dict[str, bool]]:
    """By verb and person, whether REST lets them."""
    usual = [one for one in SCOPES if one != "admin"]
    bearers = {
        person: tokens.make_token(team, person, tokens.TokenWish("all", usual), actor=person)[0] for person in PERSONS
    }
    matrix: dict[str, dict[str, bool]] = {}
    for verb, asked in ASKED.items():
        matrix[verb] = {}
        for n, person in enumerate(PERSONS):
            idea = f"{verb.replace('.', '-').replace('_', '-')}-{n}"
            tell(team, idea, asked.situation)
            matrix[verb][person] = by_rest(client, bearers[person], asked, idea)
    return matrix


def test_every_verb_that_a_rule_decides_is_in_the_matrix() -> None:
    assert {name for name, verb in VERBS.items() if verb.who == "rule"} == set(ASKED)


def test_each_right_is_what_the_table_says_in_words(found: dict[str, dict[str, bool]], team: Workspace) -> None:
    owns = partial(roles_for, team)
    expected = {
        "who has the sash, or a role that owns the stage": {"holder", *owns("investigation")},
        "who has the sash": {"holder"},
        "a role that owns the stage": owns("investigation"),
        "the idea's owner or who has the sash": {"owner", "holder"},
        "who owes it, or who has the sash": {"debtor", "holder"},
        "a role that owns the flow's first stage": owns("hypothesis"),
        "a role that owns the next stage; where it is offered to one of them, that one": owns("modeling"),
        "the one who picked it up": {"receiver"},
        "the one who picked it up; the idea's owner, what another offered": {"receiver", "owner"},
        "a member other than the one who stated it": set(PERSONS) - {"owner"},
        "a data scientist or an ML engineer": {"data_scientist", "ml_engineer", "receiver"},
    }
    for verb, persons in found.items():
        allowed = {person for person, may in persons.items() if may}
        assert allowed == expected[VERBS[verb].rule.en], verb


def roles_for(team: Workspace, stage: str) -> set[str]:
    owning = set(team.playbook.formations["planner_maker_evaluator"].roles_for("model", stage))
    return {person for person, roles in PERSONS.items() if owning & set(roles)}


@pytest.mark.parametrize("verb", [verb for verb, asked in ASKED.items() if asked.words])
def test_the_command_gives_the_same_answer(
    verb: str, found: dict[str, dict[str, bool]], team: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ASKED[verb]
    allowed = [person for person, may in found[verb].items() if may]
    refused = [person for person, may in found[verb].items() if not may]
    for person in (allowed[0], refused[0], refused[-1]):
        idea = f"command-{verb.replace('.', '-').replace('_', '-')}-{person.replace('_', '-')}"
        tell(team, idea, asked.situation)
        assert by_command(team, person, asked, idea, capsys) == (person in allowed), person


@dataclass(frozen=True)
class Page:
    """A page or a form of the application, as its route says it; without a verb it is open to everybody."""

    method: str
    path: str
    verb: str | None


def pages_of(team: Workspace) -> list[Page]:
    found = [
        Page(str(method), route.path, handler.opt.get("verb"))
        for route in create_app(team).routes
        for handler in getattr(route, "route_handlers", ())
        if handler.handler_name != "options_handler" and not route.path.startswith((API, "/schema"))
        for method in handler.http_methods
        if method in ("GET", "POST")
    ]
    return sorted(found, key=lambda one: (one.path, one.method))


def by_page(client: TestClient, one: Page, idea: str, mark: str) -> bool:
    """Whether a page is shown, or a form is taken up; a fault in its fields is no question of rights."""
    known = {"idea": idea, "number": "1", "kind": "external_link", "experiment": f"e-{idea}"}
    path = re.sub(r"{(\w+):\w+}", lambda found: known.get(found[1], "nothing-of-that-name"), one.path)
    said = {name: value.replace("{}", idea) for name, value in FORMS.get(one.path, {}).items()}
    fields = {"_mark": mark, **said}
    answer = client.get(path) if one.method == "GET" else client.post(path, data=fields)
    assert answer.status_code in (200, 303, 400, 403, 404, 409, 429), f"{one}: {answer.status_code}"
    if answer.status_code == 303 and answer.headers["location"].startswith("/sign-in?"):
        return False
    if one.verb is None:  # a wrong password is refused by the form, and not by the guard before it
        return "not sent from this site" not in answer.text
    told = re.sub(r"<[^>]*>", " ", answer.text) if answer.status_code in (403, 409) else ""
    return answer.status_code != 403 and not any(rule in told for rule in PERSONAL)


@pytest.fixture(scope="module")
def pages(client: TestClient, team: Workspace) -> dict[Page, dict[str, bool]]:
    """By page and person, whether they are let in."""
    client.follow_redirects = False
    matrix: dict[Page, dict[str, bool]] = {}
    for n, one in enumerate(pages_of(team)):
        decided = one.verb is not None and VERBS[one.verb].who == "rule" and one.method == "POST"
        situation = ASKED[one.verb].situation if decided and one.verb else "working"
        matrix[one] = {}
        for m, person in enumerate((STRANGER, *PERSONS)):
            tell(team, idea := f"page-{n}-{m}", situation)
            mark = ""
            client.cookies.clear()
            if person != STRANGER:
                mark = signed_in(team, client, person)
            elif one.method == "POST":
                mark = marked_as_stranger(client)
            matrix[one][person] = by_page(client, one, idea, mark)
    client.cookies.clear()
    return matrix


def marked_as_stranger(client: TestClient) -> str:
    return re.search(r'name="_mark" value="([0-9a-f]{64})"', client.get("/sign-in").text)[1]  # type: ignore[index]


def test_every_form_that_a_rule_decides_says_what_it_sends(team: Workspace) -> None:
    decided = {
        one.path for one in pages_of(team) if one.method == "POST" and one.verb and VERBS[one.verb].who == "rule"
    }
    assert decided == set(FORMS)


def test_each_page_lets_in_whom_the_table_names(
    found: dict[str, dict[str, bool]], pages: dict[Page, dict[str, bool]]
) -> None:
    wrong = []
    for one, persons in pages.items():
        if one.verb is None:
            expected = dict.fromkeys((STRANGER, *PERSONS), True)
        elif VERBS[one.verb].who == "administrator":
            expected = {person: person == "administrator" for person in (STRANGER, *PERSONS)}
        elif VERBS[one.verb].who == "rule" and one.method == "POST":
            expected = {STRANGER: False, **found[one.verb]}
        else:
            expected = {person: person != STRANGER for person in (STRANGER, *PERSONS)}
        wrong += [f"{person}: {one.method} {one.path}" for person in expected if persons[person] != expected[person]]
    assert not wrong, "\n".join(wrong)
    assert len(pages) > 45


def test_the_page_of_the_team_shows_the_same_table(client: TestClient, team: Workspace) -> None:
    for language in ("en", "ja"):
        signed_in(team, client, "outsider")
        text = unescape(client.get(f"/accounts?lang={language}").text)
        for verb in VERBS.values():
            assert verb.rule.in_language(language) in text
    client.cookies.clear()


def test_the_page_of_rights_is_fresh(found: dict[str, dict[str, bool]], pages: dict[Page, dict[str, bool]]) -> None:
    text = page_of(found, pages)
    if os.environ.get("TASUKI_WRITE_RIGHTS"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text


def cells(persons: dict[str, bool], people: list[str]) -> str:
    return " | ".join("yes" if persons[person] else "–" for person in people)


def page_line(one: Page, told: str) -> str:
    return f"| `{one.method} {one.path}` | {f'`{one.verb}`' if one.verb else 'open'} | {told} |"


def page_of(found: dict[str, dict[str, bool]], pages: dict[Page, dict[str, bool]]) -> str:
    """`docs/rights.md`."""
    names = {
        **{role: role.replace("_", " ") for role in ROLES},
        "receiver": "who picked it up",
        "holder": "has the sash",
    }
    people = [person for person in PERSONS if person != "receiver"] + ["receiver"]
    heads = f"| {' | '.join(names.get(person, person) for person in people)} |"
    lines = [
        *INTRODUCTION,
        "",
        "| verb | scope | who |",
        "|---|---|---|",
        *(f"| `{one.name}` | `{one.scope}` | {one.rule.en} / {one.rule.ja} |" for one in VERBS.values()),
        "",
        "## Where the relay's rules decide",
        "",
        *TRIED,
        "",
        f"| verb {heads}",
        f"|---|{'---|' * len(people)}",
        *(f"| `{verb}` | {cells(persons, people)} |" for verb, persons in found.items()),
        "",
        "## Pages",
        "",
        *PAGES_TRIED,
        "",
        f"| page or form | verb | stranger {heads}",
        f"|---|---|---|{'---|' * len(people)}",
        *(page_line(one, cells(persons, [STRANGER, *people])) for one, persons in pages.items()),
    ]
    return "\n".join(lines) + "\n"
