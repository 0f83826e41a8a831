"""Several experiments at once: layers whose ranges do not overlap, ramp-ups, the hold-out, and booked slots."""

import json
from contextlib import closing
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from tasuki.actions import start as starting
from tasuki.actions.booking import BookingRequest, book_experiment, read_calendar, read_rules, release_experiment
from tasuki.actions.experiment_list import list_experiments
from tasuki.actions.relay import open_idea
from tasuki.actions.start import StartRequest, ramp_experiment, start_experiment, stop_experiment
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.cli.output import console
from tasuki.clock import MovableClock
from tasuki.errors import Invalid, Missing, Refused
from tasuki.experiments.allocation import HoldOut, Reach
from tasuki.experiments.routing import Routing
from tasuki.flow.event import NewEvent
from tasuki.flow.plan import Flow, Titles
from tasuki.settings.workspace import open_workspace
from tasuki.store.routing import load_routing

SHARES = {"control": 0.5, "treatment": 0.5}
UNITS = [f"u{n}" for n in range(3_000)]


@pytest.fixture
def here(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """A workspace whose ideas begin in A/B 1 and whose models count as published."""
    monkeypatch.setattr(starting, "_require_champion", lambda *_: None)
    flow = Flow("only", Titles("only", "のみ"), ("ab_check", "evaluation"))
    return replace(workspace, playbook=replace(workspace.playbook, flows={**workspace.playbook.flows, "only": flow}))


def idea(here: Workspace) -> str:
    return open_idea(here, "An idea", actor="aoi", flow="only", formation="all_in_one").idea


def request(name: str, low: float = 0.0, high: float = 1.0, exposed: float = 1.0, **changes: Any) -> StartRequest:
    plain = StartRequest(name, "check", "ctr", SHARES, "artifacts", reach=Reach(low, high, exposed))
    return replace(plain, **changes)


def start(here: Workspace, asked: StartRequest) -> str:
    whose = idea(here)
    start_experiment(here, whose, asked, actor="aoi")
    return whose


def routing(here: Workspace) -> Routing:
    found = load_routing(here.folder)
    assert found is not None
    return found


def test_experiments_on_ranges_apart_run_together_and_share_no_unit(here: Workspace) -> None:
    start(here, request("a", 0.0, 0.5))
    second = start(here, request("b", 0.5, 0.8))
    placed = [routing(here).placement(unit) for unit in UNITS]
    counts = {name: sum(one.experiment == name for one in placed) / len(placed) for name in ("a", "b", None)}
    assert counts == pytest.approx({"a": 0.5, "b": 0.3, None: 0.2}, abs=0.03)
    assert {one.name: (one.layer, one.range, one.routed) for one in list_experiments(here)} == {
        "a": ("ctr", (0.0, 0.5), True),
        "b": ("ctr", (0.5, 0.8), True),
    }
    stop_experiment(here, "idea-1", "a", actor="aoi")
    assert (routing(here).experiment, routing(here).beside) == ("b", ())
    stop_experiment(here, second, "b", actor="aoi")
    assert routing(here).experiment is None


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (request("b", 0.4, 0.6), r"a of idea-1 holds 0 to 0.5 of the layer ctr"),
        (request("b", 0.4, 0.6, 0.01), "0 to 0.5"),
        (request("b"), "holds 0 to 0.5 of the layer ctr"),
        (request("b", 0.5, 0.6, layer="other"), "in one layer"),
    ],
)
def test_units_that_another_experiment_holds_are_refused_with_who_holds_what(
    here: Workspace, asked: StartRequest, said: str
) -> None:
    start(here, request("a", 0.0, 0.5, 0.1))
    before = routing(here)
    with pytest.raises(Refused, match=said):
        start(here, asked)
    assert routing(here) == before


def test_an_experiment_of_everybody_leaves_no_range_beside_it(here: Workspace) -> None:
    start(here, request("a"))
    with pytest.raises(Refused, match="holds all of ctr"):
        start(here, request("b", 0.5, 0.6))


def test_a_ramp_up_adds_units_moves_nobody_and_goes_one_way(here: Workspace) -> None:
    whose = start(here, request("a", 0.0, 0.5, 0.2))
    before = {unit: routing(here).placement(unit) for unit in UNITS}
    ramp_experiment(here, whose, "a", 0.8, actor="aoi", key="k")
    ramp_experiment(here, whose, "a", 0.8, actor="aoi", key="k")
    after = {unit: routing(here).placement(unit) for unit in UNITS}
    assert all(after[unit] == one for unit, one in before.items() if one.experiment)
    assert sum(one.experiment == "a" for one in after.values()) > 3 * sum(
        one.experiment == "a" for one in before.values()
    )
    with pytest.raises(Refused, match="only adds units"):
        ramp_experiment(here, whose, "a", 0.5, actor="aoi")
    with pytest.raises(Invalid, match=r"share is 1\.5"):
        ramp_experiment(here, whose, "a", 1.5, actor="aoi")
    start_experiment(here, whose, request("a", 0.0, 0.5, 0.2), actor="aoi")
    assert routing(here).reach.exposed == 0.8
    stop_experiment(here, whose, "a", actor="aoi")
    with pytest.raises(Refused, match="not running"):
        ramp_experiment(here, whose, "a", 0.9, actor="aoi")


def test_the_teams_hold_out_is_in_no_experiment_and_an_experiment_keeps_its_own(here: Workspace) -> None:
    path = here.folder / "experiments.toml"
    path.write_text('[holdout]\nname = "2026"\nshare = 0.1\n', encoding="utf-8")
    whose = start(here, request("a"))
    assert routing(here).holdout == HoldOut("2026", 0.1)
    held = [unit for unit in UNITS if routing(here).placement(unit).arm == "holdout"]
    assert len(held) / len(UNITS) == pytest.approx(0.1, abs=0.02)
    stop_experiment(here, whose, "a", actor="aoi")
    path.write_text('[holdout]\nname = "2027"\nshare = 0.1\n', encoding="utf-8")
    start_experiment(here, whose, request("a"), actor="aoi")
    assert routing(here).holdout == HoldOut("2026", 0.1)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ('[holdout]\nname = "a:b"\nshare = 0.1', "holdout.name"),
        ('[holdout]\nname = "a"\nshare = 0.9', "holdout.share"),
        ("[lanes]\nab2 = 0", "lanes.ab2"),
        ("lanes = 3", "lanes: is no table"),
        ("[lane]\nab2 = 1", "no such table"),
        ("[lanes", "cannot be read"),
    ],
)
def test_rules_that_cannot_be_used_say_where(here: Workspace, text: str, where: str) -> None:
    (here.folder / "experiments.toml").write_text(text, encoding="utf-8")
    with pytest.raises(Invalid, match=where):
        read_rules(here)


def booking(name: str, first: date | None = None, days: int = 14, **changes: Any) -> BookingRequest:
    return replace(BookingRequest(name, "comparison", days, first), **changes)


def test_a_slot_is_refused_with_who_has_it_and_when_it_is_free(here: Workspace, clock: MovableClock) -> None:
    today = clock().date()
    first, second = idea(here), idea(here)
    got = book_experiment(here, first, booking("a", today), actor="aoi")
    assert (got.slot.first, got.slot.days, got.position) == (today, 14, 1)
    free = date.fromordinal(today.toordinal() + 14)
    with pytest.raises(Refused, match=f"(?s)a of {first} {today}.*Expected: {free}"):
        book_experiment(here, second, booking("b", date.fromordinal(today.toordinal() + 3)), actor="aoi")
    assert len(read_calendar(here).slots) == 1
    queued = book_experiment(here, second, booking("b", today, queue=True), actor="aoi")
    assert (queued.slot.first, queued.position) == (free, 2)
    moved = book_experiment(here, first, booking("a", days=7), actor="aoi")
    assert (moved.slot.days, len(read_calendar(here).slots)) == (7, 2)


def test_a_lane_with_room_for_two_takes_two(here: Workspace, clock: MovableClock) -> None:
    (here.folder / "experiments.toml").write_text("[lanes]\nab2 = 2\n", encoding="utf-8")
    today = clock().date()
    for name in ("a", "b"):
        assert book_experiment(here, idea(here), booking(name), actor="aoi").slot.first == today
    assert book_experiment(here, idea(here), booking("c"), actor="aoi").slot.first > today
    assert book_experiment(here, idea(here), booking("d", kind="check"), actor="aoi").slot.lane == "ab1"


def test_who_has_booked_today_is_not_overtaken(here: Workspace, clock: MovableClock) -> None:
    mine, other = idea(here), idea(here)
    book_experiment(here, mine, booking("a", kind="check"), actor="aoi")
    with pytest.raises(Refused, match="ab1 is booked for today: a of idea-1"):
        start_experiment(here, other, request("b"), actor="aoi")
    start_experiment(here, mine, request("a"), actor="aoi")
    with pytest.raises(Refused, match="was started"):
        book_experiment(here, mine, booking("a", kind="check"), actor="aoi")
    running = read_calendar(here).slots[0]
    assert (running.state, running.days) == ("running", 14)
    clock.advance(days=30)
    assert read_calendar(here).slots[0].last == clock().date()


def test_a_slot_that_is_given_back_is_free_and_the_next_in_the_queue_is_told(
    here: Workspace, clock: MovableClock
) -> None:
    today = clock().date()
    first, second = idea(here), idea(here)
    book_experiment(here, first, booking("a", today), actor="aoi")
    queued = book_experiment(here, second, booking("b", today, queue=True), actor="aoi")
    assert queued.position == 2
    freed = release_experiment(here, first, "a", reason="the model is late", actor="aoi", key="k")
    assert [(one.slot.experiment, one.day) for one in freed.sooner] == [("b", today)]
    assert release_experiment(here, first, "a", reason="the model is late", actor="aoi", key="k") == freed
    calendar = read_calendar(here)
    assert (calendar.slot(first, "a"), calendar.position(second, "b")) == (None, 1)
    told = [(one.experiment, one.by, one.reason, one.first) for one in calendar.still_free("ab2")]
    assert told == [("a", "aoi", "the model is late", today)]
    assert read_calendar(here).slots[0].first == queued.slot.first, "nobody's days are moved for them"
    moved = book_experiment(here, second, booking("b", today), actor="aoi")
    assert moved.slot.first == today
    assert read_calendar(here).still_free("ab2") == (), "the days are taken again"
    again = book_experiment(here, first, booking("a"), actor="aoi")
    assert again.slot.first > today
    state = here.ledger.state(first)
    assert [one.reason for one in state.experiments[0].given_back] == ["the model is late"]


def test_what_is_not_waiting_cannot_be_given_back(here: Workspace) -> None:
    whose = idea(here)
    with pytest.raises(Missing, match="no experiment 'a'"):
        release_experiment(here, whose, "a", reason="late", actor="aoi")
    book_experiment(here, whose, booking("a", kind="check"), actor="aoi")
    with pytest.raises(Invalid, match="reason"):
        release_experiment(here, whose, "a", reason="  ", actor="aoi")
    release_experiment(here, whose, "a", reason="late", actor="aoi")
    with pytest.raises(Refused, match="a has no slot"):
        release_experiment(here, whose, "a", reason="late", actor="aoi")
    start_experiment(here, whose, request("a"), actor="aoi")
    with pytest.raises(Refused, match=r"(?s)was started.*tasuki experiment stop a"):
        release_experiment(here, whose, "a", reason="late", actor="aoi")
    stop_experiment(here, whose, "a", actor="aoi")
    with pytest.raises(Refused, match="what has ended holds no slot"):
        release_experiment(here, whose, "a", reason="late", actor="aoi")


def test_a_name_is_one_ideas_alone(here: Workspace) -> None:
    first, second = idea(here), idea(here)
    book_experiment(here, first, booking("a", kind="check"), actor="aoi")
    with pytest.raises(Refused, match=f"{first} has an experiment a already"):
        book_experiment(here, second, booking("a", kind="check", queue=True), actor="aoi")
    with pytest.raises(Refused, match=f"{first} has an experiment a already"):
        start_experiment(here, second, request("a"), actor="aoi")
    book_experiment(here, first, booking("a", kind="check", days=3), actor="aoi")
    assert here.ledger.state(second).experiments == ()


@pytest.mark.parametrize("name", ["a/b", "a\\b", "a\nb", "..", ".", "x" * 201])
def test_a_name_without_a_page_address_is_neither_booked_nor_started(here: Workspace, name: str) -> None:
    whose = idea(here)
    with pytest.raises(Invalid, match=r"(?s)experiment: .*expected letters, digits, spaces and signs but /"):
        book_experiment(here, whose, booking(name, days=0), actor="aoi")
    with pytest.raises(Invalid, match="experiment: "):
        start_experiment(here, whose, request(name), actor="aoi")


@pytest.mark.parametrize("name", ["夜の確認（再）", "100% ?", "a　b", "v1.2+b#3"])
def test_any_other_name_can_be_booked(here: Workspace, name: str) -> None:
    assert book_experiment(here, idea(here), booking(name), actor="aoi").slot.experiment == name


def test_what_was_booked_under_such_a_name_before_can_be_moved_and_given_back(
    here: Workspace, clock: MovableClock
) -> None:
    whose, today = idea(here), clock().date()
    body = {"name": "a/b", "kind": "check", "lane": "ab1", "from": today.isoformat(), "days": 7}
    here.ledger.append(whose, 1, [NewEvent("experiment_booked", "aoi", clock(), body)])
    assert book_experiment(here, whose, booking("a/b", kind="check", days=3), actor="aoi").slot.days == 3
    release_experiment(here, whose, "a/b", reason="late", actor="aoi")
    assert read_calendar(here).slots == ()


def test_days_that_cannot_be_booked_are_all_said(here: Workspace, clock: MovableClock) -> None:
    past = date.fromordinal(clock().date().toordinal() - 1)
    with pytest.raises(Invalid) as caught:
        book_experiment(here, idea(here), booking("a", past, days=0), actor="aoi")
    assert "from" in str(caught.value)
    assert "days" in str(caught.value)


def test_the_commands_book_list_and_speak_json(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TASUKI_WORKSPACE", str(workspace.folder))
    monkeypatch.setattr(console, "_width", 200)  # made when it was first needed, with the width of then
    open_idea(workspace, "An idea", actor="aoi", formation="all_in_one")
    asked = ["experiment", "book", "ab2", "--idea", "idea-1", "--kind", "comparison", "--days", "14", "--as", "aoi"]
    assert main([*asked, "--from", "2099-04-01", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["schema"], document["first_day"], document["last_day"], document["position"]) == (
        "tasuki.experiment_book/1",
        "2099-04-01",
        "2099-04-14",
        1,
    )
    assert main(["experiment", "list", "--json"]) == 0
    entry = json.loads(capsys.readouterr().out)["experiments"][0]
    assert (entry["lane"], entry["first_day"], entry["position"]) == ("ab2", "2099-04-01", 1)
    assert main(["experiment", "list"]) == 0
    assert "waits #1" in capsys.readouterr().out
    assert main([*asked, "--from", "2020-04-01"]) == 3
    assert main(["experiment", "release", "ab2", "--reason", "the model is late", "--as", "aoi", "--json"]) == 0
    freed = json.loads(capsys.readouterr().out)
    assert (freed["schema"], freed["first_day"], freed["days"], freed["sooner"]) == (
        "tasuki.experiment_release/1",
        "2099-04-01",
        14,
        [],
    )
    assert main(["experiment", "release", "ab2", "--reason", "again", "--as", "aoi"]) == 4
    assert main([*asked, "--from", "2099-04-01"]) == 0
    assert main(["experiment", "ramp", "ab2", "--expose", "50%", "--as", "aoi"]) == 5
    with closing(open_workspace(Path(workspace.folder))) as reopened:
        assert reopened.ledger.state("idea-1").experiments[0].booked_days == 14
