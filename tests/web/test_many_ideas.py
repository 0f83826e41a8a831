"""Lists of many ideas: a page asks the ledger as often for two hundred ideas as for ten, and loses none of them."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from plain_workspace import workspace_of
from sqlalchemy import event
from told_ideas import NOW, START, check_report, comparison, decision, tell_team

from tasuki.actions.experiment_lines import Wanted
from tasuki.actions.experiment_list import list_experiments
from tasuki.actions.serving_state import SHOWN_CHECKS, what_serves
from tasuki.actions.workspace import Workspace
from tasuki.flow.event import NewEvent
from tasuki.flow.evidence import evidence_of, to_body
from tasuki.flow.records import Record
from tasuki.store.artifacts import MANIFEST
from tasuki.store.ledger import Ledger
from tasuki.web.app import create_app

STAGES = ["ab_check", "ab_comparison", "evaluation"]
PAGES = (
    "/",
    "/?person=aoi",
    "/ideas/idea-5",
    "/ideas/idea-6",
    "/my-work?member=ren",
    "/cases",
    "/cases?q=idea",
    "/experiments",
    "/experiments?standing=over&kind=check",
    "/experiments/check-5",
    "/calendar",
    "/models",
    "/metrics",
    "/api/v1/ideas",
    "/api/v1/ideas/idea-5",
    "/api/v1/cases",
    "/api/v1/experiments",
    "/api/v1/experiment-status",
    "/api/v1/calendar",
    "/api/v1/my-work",
)


def evidence(record: Record, stage: str, number: int, at: timedelta) -> NewEvent:
    body = {"stage": stage, "content_hash": f"{number:064}", "evidence": to_body(evidence_of(record, "t", START + at))}
    return NewEvent("evidence_attached", "ren", START + at, body)


def story(number: int) -> list[NewEvent]:
    """An idea with a check that is over; by turns it has booked a comparison, runs it, or has decided and ended."""
    at, turn = timedelta(hours=number), number % 4
    opened = {"title": f"Idea {number}", "flow": "model", "formation": "all_in_one", "stages": STAGES}
    run = {"model": "ctr" if number % 3 else "cvr", "salt": "s", "treatment_location": "artifacts"}
    run["arms"] = [{"name": "control", "share": 0.5}, {"name": "treatment", "share": 0.5}]
    check, compared = f"check-{number}", f"ab-{number}"

    def told(what: str, hours: float, /, **body: Any) -> NewEvent:
        return NewEvent(what, "aoi", START + at + timedelta(hours=hours), body)

    events = [
        told("idea_opened", 0, **opened),
        told("experiment_started", 1, name=check, kind="check", **run),
        evidence(replace(check_report(bool(turn)), experiment=check), "ab_check", number * 10, at + timedelta(hours=2)),
        told("experiment_stopped", 3, name=check),
        told("experiment_booked", 4, name=compared, kind="comparison", days=5, **{"from": f"{NOW.date()}"}),
    ]
    if turn > 0:
        events += [told("experiment_started", 5, name=compared, kind="comparison", **run)]
    if turn > 1:
        report, said = replace(comparison(), experiment=compared), timedelta(hours=6)
        events += [evidence(report, "ab_comparison", number * 10 + 1, at + said)]
        events += [told("experiment_stopped", 7, name=compared)]
        events += [evidence(decision(), "ab_comparison", number * 10 + 2, at + timedelta(hours=8))]
        events += [told("idea_killed", 9, reason="so it was")]
    return events


def tell(ledger: Ledger, numbers: range) -> None:
    for number in numbers:
        ledger.append(f"idea-{number}", 0, story(number))


@pytest.fixture
def workspace(ledger: Ledger, tmp_path: Path) -> Workspace:
    tell_team(ledger)
    for model in ("ctr", "cvr", "unused"):
        folder = tmp_path / "artifacts" / model / "versions" / ("0" * 64)
        folder.mkdir(parents=True)
        (folder / MANIFEST).write_text("{}")
    return workspace_of(ledger, tmp_path)


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    with TestClient(create_app(workspace), base_url="http://127.0.0.1", raise_server_exceptions=False) as one:
        yield one


def counted(ledger: Ledger, ask: Callable[[], object]) -> list[str]:
    """The statements that the ledger is asked meanwhile."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        asked.append(statement)

    event.listen(ledger.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        event.remove(ledger.engine, "before_cursor_execute", note)
    return asked


def test_a_page_asks_as_often_for_two_hundred_ideas_as_for_ten(ledger: Ledger, client: TestClient) -> None:
    def statements(page: str) -> list[str]:
        assert client.get(page).status_code == 200, page  # what is kept is made before it is counted
        return counted(ledger, lambda: client.get(page))

    tell(ledger, range(1, 11))
    few = {page: statements(page) for page in PAGES}
    tell(ledger, range(11, 201))
    many = {page: statements(page) for page in PAGES}
    fixed = {page for page in PAGES if page not in ("/models", "/api/v1/experiment-status")}
    assert {page: len(many[page]) for page in fixed} == {page: len(few[page]) for page in fixed}
    # What serves shows the newest checks of each model, and looks at the ideas of these.
    assert len(many["/models"]) <= len(few["/models"]) + 2 * SHOWN_CHECKS
    assert max(map(len, many.values())) <= 40


def test_the_first_look_after_somebody_wrote_reads_what_changed_only(ledger: Ledger, client: TestClient) -> None:
    tell(ledger, range(1, 60))
    for page in PAGES:
        client.get(page)
    for page in PAGES:
        before = len(counted(ledger, lambda page=page: client.get(page)))
        sequence = ledger.length("idea-8")
        ledger.append("idea-8", sequence, [NewEvent("comment_added", "ren", NOW, {"text": "well"})])
        after = len(counted(ledger, lambda page=page: client.get(page)))
        assert after <= before + 6, page


def test_the_list_holds_what_the_ideas_events_say(ledger: Ledger, workspace: Workspace) -> None:
    tell(ledger, range(1, 25))
    entries = {one.name: one for one in list_experiments(workspace)}
    assert len(entries) == 48
    for number in range(1, 25):
        state, check, compared = ledger.state(f"idea-{number}"), entries[f"check-{number}"], entries[f"ab-{number}"]
        known = {one.name: one for one in state.experiments}
        for entry in (check, compared):
            one = known[entry.name]
            assert (entry.idea, entry.title) == (state.idea, state.title)
            assert (entry.started_at, entry.stopped_at) == (one.started_at, one.stopped_at)
            assert entry.model == (None if one.started_at is None else "ctr" if number % 3 else "cvr")
        said = ("ship", "ship", "ren") if number % 4 > 1 else (None, None, "")
        assert (compared.recommended, compared.decided, compared.decided_by) == said
    waiting = [one for one in entries.values() if one.position is not None]
    assert sorted(one.position for one in waiting if one.position) == list(range(1, len(waiting) + 1))


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        (Wanted(), 48),
        (Wanted(standing="current"), 12),
        (Wanted(standing="over", kind="check"), 24),
        (Wanted(kind="comparison"), 24),
        (Wanted(text="IDEA 1"), 22),
        (Wanted(text="idea-24"), 2),
        (Wanted(text="nothing like it"), 0),
    ],
)
def test_filters_leave_what_is_asked_for(ledger: Ledger, workspace: Workspace, wanted: Wanted, count: int) -> None:
    tell(ledger, range(1, 25))
    found = list_experiments(workspace, wanted)
    assert len(found) == count
    runs = [one.started_at is None or one.stopped_at is None for one in found]
    assert runs == sorted(runs, reverse=True), "those that run or are booked stand first"
    assert list_experiments(workspace, wanted, 5) == found[:5]


def test_the_pages_of_the_list_hold_every_experiment_once(ledger: Ledger, client: TestClient) -> None:
    tell(ledger, range(1, 71))
    for query, count in (("", 140), ("?kind=check", 70), ("?standing=over", 105)):
        address, seen = f"/experiments{query}", list[str]()
        while address:
            page = client.get(address).text
            seen += re.findall(r'<a href="/experiments/([a-z0-9-]+)"', page)
            found = re.search(r'<a rel="next" href="([^"]+)"', page)
            address = found[1].replace("&amp;", "&") if found else ""
        assert len(seen) == len(set(seen)) == count, query


def test_a_walk_over_rest_misses_nothing_while_ideas_are_added(ledger: Ledger, client: TestClient) -> None:
    tell(ledger, range(1, 31))
    for address, key in (("/api/v1/experiments?limit=7", "experiments"), ("/api/v1/ideas?limit=7", "ideas")):
        newest = 1 + len(ledger.shelf().ideas)
        there = {f"idea-{number}" for number in range(1, newest)}
        seen, cursor = list[str](), ""
        while cursor is not None:
            answer = client.get(address + (f"&cursor={cursor}" if cursor else "")).json()
            seen += [one["name"] if key == "experiments" else one["idea"] for one in answer[key]]
            cursor = answer["next_cursor"]
            if newest < 45:  # somebody else opens ideas, and ends another, between two requests
                tell(ledger, range(newest, newest + 1))
                newest += 1
        assert len(seen) == len(set(seen))
        if key == "ideas":
            assert there <= set(seen)
        else:
            assert {f"{kind}-{one.removeprefix('idea-')}" for one in there for kind in ("check", "ab")} <= set(seen)


@pytest.mark.parametrize(
    "query", ["standing=gone", "kind=x", "page=0", "page=999", "page=-1", "q=%00", "q=" + "x" * 999, "standing=&kind="]
)
def test_what_cannot_be_chosen_is_left_out(ledger: Ledger, client: TestClient, query: str) -> None:
    tell(ledger, range(1, 3))
    answer = client.get(f"/experiments?{query}&lang=en")
    assert answer.status_code == 200
    assert ("No experiment is like this" in answer.text) == query.startswith("q=")


def test_models_show_the_checks_that_ran_last(ledger: Ledger, workspace: Workspace) -> None:
    tell(ledger, range(1, 41))
    serving = {one.name: one for one in what_serves(workspace).models}
    newest = {"ctr": [40, 38, 37, 35, 34], "cvr": [39, 36, 33, 30, 27], "unused": []}
    for model, numbers in newest.items():
        assert [one.experiment for one in serving[model].checks] == [f"check-{number}" for number in numbers]
        running = [f"ab-{n}" for n in range(1, 41) if n % 4 == 1 and model == ("ctr" if n % 3 else "cvr")]
        assert [run.name for run in serving[model].running] == running


def test_the_newest_stand_first(ledger: Ledger, workspace: Workspace) -> None:
    tell(ledger, range(1, 9))
    names = [one.name for one in list_experiments(workspace, Wanted(kind="comparison", standing="current"))]
    assert names == ["ab-4", "ab-8", "ab-5", "ab-1"]
