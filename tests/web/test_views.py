"""The views as values: where cards stand, how old they are, how the story is cut into chapters, how intervals lie."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from told_ideas import NOW, PEOPLE

from tasuki.actions.workspace import Workspace
from tasuki.flow.plan import Member
from tasuki.flow.playbook import default_playbook
from tasuki.flow.rights import Act
from tasuki.flow.state import HandOff, IdeaState, Leg, Offer
from tasuki.store.shelf import shelf_of
from tasuki.web.board import BoardChoice, build_board, card_of, stage_entered_at
from tasuki.web.intervals import reach_of, strip
from tasuki.web.my_work import work_of
from tasuki.web.needs import command_in, needs_of
from tasuki.web.readings import is_absolute, offline_verdict
from tasuki.web.story import build_story

PLAYBOOK = default_playbook()
STAGES = PLAYBOOK.flows["model"].stages
TEAM = {name: Member(name, (role,), "ja", display) for name, role, display in PEOPLE}


def idea(name: str = "idea-1", days_ago: float = 5.0, **changes) -> IdeaState:
    opened = NOW - timedelta(days=days_ago)
    plain = IdeaState(
        name,
        "title",
        "model",
        "planner_maker_evaluator",
        STAGES,
        "aoi",
        opened,
        "active",
        "hypothesis",
        "aoi",
        legs=(Leg("hypothesis", "aoi", opened, 2.0),),
    )
    return replace(plain, **changes)


def test_every_active_idea_stands_in_exactly_one_column() -> None:
    states = [idea(f"idea-{n}", stage=stage, legs=()) for n, stage in enumerate([*STAGES, "gone_stage"])]
    board = build_board(shelf_of(states), PLAYBOOK, "planner_maker_evaluator", BoardChoice("model"), NOW)
    shown = [card.idea for column in board.columns for card in column.cards]
    assert sorted(shown) == sorted(state.idea for state in states)
    assert [column.stage for column in board.columns] == [*STAGES, "gone_stage"]


def test_the_oldest_card_stands_first() -> None:
    states = [idea("young", 1), idea("old", 30), idea("middle", 10)]
    board = build_board(shelf_of(states), PLAYBOOK, "planner_maker_evaluator", BoardChoice("model"), NOW)
    assert [card.idea for card in board.columns[0].cards] == ["old", "middle", "young"]


def test_age_counts_from_entering_the_stage_not_from_the_last_leg_in_it() -> None:
    opened = NOW - timedelta(days=20)
    legs = (
        Leg("hypothesis", "aoi", opened, None, opened + timedelta(days=2)),
        Leg("investigation", "haru", opened + timedelta(days=2), None, opened + timedelta(days=5)),
        Leg("investigation", "aoi", opened + timedelta(days=5), 1.0),
    )
    state = idea(opened_at=opened, stage="investigation", legs=legs)
    assert stage_entered_at(state) == opened + timedelta(days=2)
    assert card_of(state, PLAYBOOK, NOW).age_days == pytest.approx(18)
    assert card_of(state, PLAYBOOK, NOW).beyond_estimate


def test_an_idea_that_came_back_counts_from_its_return() -> None:
    opened = NOW - timedelta(days=20)
    legs = tuple(
        Leg(stage, "aoi", opened + timedelta(days=5 * n), None)
        for n, stage in enumerate(("hypothesis", "investigation", "hypothesis"))
    )
    assert stage_entered_at(idea(opened_at=opened, legs=legs)) == opened + timedelta(days=10)


def test_an_offer_waits_for_the_roles_of_the_next_stage_in_that_flow() -> None:
    offer = Offer("modeling", "ab_check", "ren", NOW - timedelta(days=2), None, "", ())
    waiting = card_of(idea(flow="minor_update", offer=offer), PLAYBOOK, NOW).waiting
    assert waiting is not None
    assert waiting.roles == ("data_scientist", "ml_engineer")
    assert waiting.days == pytest.approx(2)


def test_a_hand_off_closes_the_chapter_of_the_stage_it_leaves() -> None:
    at = NOW - timedelta(days=1)
    handoff = HandOff(
        "hypothesis", "investigation", "aoi", at - timedelta(hours=3), at - timedelta(hours=1), "accepted", "haru", at
    )
    legs = (Leg("hypothesis", "aoi", NOW - timedelta(days=5), 2.0, at), Leg("investigation", "haru", at, 3.0))
    story = build_story(idea(stage="investigation", handoffs=(handoff,), legs=legs), NOW)
    assert [entry.kind for entry in story.chapters[0].entries] == ["handoff"]
    assert story.chapters[1].entries == ()
    assert story.chapters[0].entries[0].value.wait_days == pytest.approx(2 / 24)
    assert story.chapters[0].entries[0].value.review_days == pytest.approx(1 / 24)


def test_a_late_return_stands_in_the_chapter_that_found_the_fault() -> None:
    opened, found = NOW - timedelta(days=9), NOW - timedelta(days=2)
    late = HandOff(
        "hypothesis", "investigation", "aoi", opened, opened, "returned", "haru", found, reason_code="other", late=True
    )
    legs = (
        Leg("hypothesis", "aoi", opened, None, opened + timedelta(days=1)),
        Leg("investigation", "haru", opened + timedelta(days=1), None, found),
        Leg("hypothesis", "aoi", found, None),
    )
    chapters = build_story(idea(opened_at=opened, handoffs=(late,), legs=legs), NOW).chapters
    assert [len(chapter.entries) for chapter in chapters] == [0, 1, 0]


def test_the_whole_relay_loses_nothing_on_its_way_to_the_story(told: Workspace) -> None:
    state = told.ledger.state("idea-1")
    kinds = [entry.kind for chapter in build_story(state, NOW).chapters for entry in chapter.entries]
    assert kinds.count("evidence") == len(state.evidence)
    assert kinds.count("handoff") == len(state.handoffs)
    assert kinds.count("experiment_started") == 2
    assert kinds.count("comment") == len(state.comments)
    assert len(build_story(state, NOW).chapters) == len(state.legs)


def test_a_finished_story_stands_still(told: Workspace) -> None:
    state = told.ledger.state("idea-1")
    assert build_story(state, NOW) == build_story(state, NOW + timedelta(days=100))


def test_steps_are_done_up_to_here_and_skipped_ones_are_marked(told: Workspace) -> None:
    marks = [step.mark for step in build_story(told.ledger.state("idea-4"), NOW).steps]
    assert marks == ["done", "done", "now", *["ahead"] * 5]
    assert build_story(told.ledger.state("idea-3"), NOW).steps[1].mark == "skipped"
    assert {step.mark for step in build_story(told.ledger.state("idea-1"), NOW).steps} == {"done"}


def test_needs_name_every_missing_piece_with_its_command() -> None:
    needs = needs_of(idea(stage="investigation", legs=()), Act("aoi", NOW, PLAYBOOK, TEAM))
    assert needs is not None
    assert [piece.kinds for piece in needs.pieces] == [("data_report",), ("opportunity_estimate",)]
    assert [piece.command for piece in needs.pieces] == [
        "tasuki evidence attach idea-1 data_report.json",
        "tasuki evidence attach idea-1 opportunity.json",
    ]
    assert {line.mark for line in needs.checks} == {"waiting"}
    assert needs.missing == 4
    assert needs.receivers == ("ren", "mio")


def test_needs_tell_what_a_failing_check_saw(told: Workspace) -> None:
    state = told.ledger.state("idea-4")
    needs = needs_of(state, told.act(state.holder))
    assert needs is not None
    lines = {line.name: line for line in needs.checks}
    assert lines["features_online"].mark == "failed"
    assert "session_depth" in lines["features_online"].seen
    assert lines["training_reproduces"].mark == "runs_at_offer"
    assert needs.missing == 1


def test_an_ended_idea_needs_nothing(told: Workspace) -> None:
    assert needs_of(told.ledger.state("idea-1"), told.act("aoi")) is None
    assert needs_of(told.ledger.state("idea-3"), told.act("aoi")) is None


def test_a_command_is_cut_out_of_its_instruction() -> None:
    assert (
        command_in("write it, then: tasuki evidence attach {idea} a.json", "idea-5")
        == "tasuki evidence attach idea-5 a.json"
    )
    assert command_in("mend the data", "idea-5") == ""


def test_an_offer_to_a_person_waits_for_nobody_else() -> None:
    offer = Offer("hypothesis", "investigation", "aoi", NOW, "haru", "", ())
    states = [idea(offer=offer)]
    assert len(work_of(TEAM["haru"], states, PLAYBOOK, NOW).to_pick_up) == 1
    assert work_of(TEAM["aoi"], states, PLAYBOOK, NOW).to_pick_up == ()
    assert len(work_of(TEAM["aoi"], states, PLAYBOOK, NOW).offered) == 1


@pytest.mark.parametrize(
    ("name", "low", "high", "expected"),
    [
        ("log_loss", -2.0, -1.0, "better"),
        ("log_loss", 1.0, 2.0, "worse"),
        ("auc", 0.1, 0.2, "better"),
        ("auc", -0.2, -0.1, "worse"),
        ("auc", -0.1, 0.1, "undecided"),
        ("calibration_ratio", 0.1, 0.2, None),
        ("auc", None, None, None),
        ("auc", 0.0, 0.2, "undecided"),
    ],
)
def test_a_difference_reads_by_the_direction_of_its_metric(name, low, high, expected) -> None:
    assert offline_verdict({"name": name, "difference_low": low, "difference_high": high}) == expected


bounds = st.floats(-1e9, 1e9, allow_nan=False)


@given(st.tuples(bounds, bounds, bounds).map(sorted))
def test_an_interval_lies_on_its_strip_in_order_and_zero_in_the_middle(interval) -> None:
    low, point, high = interval
    marks = strip(low, point, high, reach_of(interval))
    assert marks is not None
    assert 0 <= marks.low <= marks.point <= marks.high <= 100
    assert marks.low + marks.width <= 101
    assert (marks.verdict == "undecided") == (low <= 0 <= high)


def test_an_interval_that_could_not_be_computed_is_not_drawn() -> None:
    assert strip(None, 0.1, 0.2, 1.0) is None
    assert reach_of([None, None]) == 1.0


def offered(name: str, days_ago: float, **changes) -> IdeaState:
    """An idea whose hypothesis was offered so long ago."""
    offer = Offer("hypothesis", "investigation", "aoi", NOW - timedelta(days=days_ago), None, "", ())
    return idea(name, offer=replace(offer, **changes))


def test_the_board_says_what_waits_for_whom_over_all_flows() -> None:
    states = [
        offered("idea-1", 3.0),
        offered("idea-2", 5.0),
        replace(offered("idea-3", 9.0, to_member="haru"), flow="analysis", stages=("hypothesis", "investigation")),
        offered("idea-4", 1.0, to_member="haru", picked_up_by="haru"),
        idea("idea-5"),
    ]
    board = build_board(shelf_of(states), PLAYBOOK, "planner_maker_evaluator", BoardChoice("model"), NOW)
    assert [(one.member, one.roles, one.count) for one in board.waits] == [("haru", (), 2), (None, ("analyst",), 2)]
    assert [one.days for one in board.waits] == pytest.approx([9.0, 5.0])


def test_nobody_is_told_to_pick_up_what_they_have_offered_themselves() -> None:
    state = offered("idea-1", 3.0)
    waiting = [work_of(TEAM[name], [state], PLAYBOOK, NOW, TEAM.values()).to_pick_up for name in ("aoi", "haru", "ren")]
    assert [len(one) for one in waiting] == [0, 1, 0]
    needs = needs_of(state, Act("aoi", NOW, PLAYBOOK, TEAM))
    assert needs is not None
    assert needs.receivers == ("haru",)


def test_one_person_who_does_everything_picks_up_their_own() -> None:
    alone = next(name for name, one in PLAYBOOK.formations.items() if one.one_person)
    state = replace(offered("idea-1", 3.0), formation=alone)
    role = PLAYBOOK.formations[alone].roles_for("model", "investigation")[0]
    member = Member("aoi", (role,), "ja", "葵")
    assert len(work_of(member, [state], PLAYBOOK, NOW).to_pick_up) == 1


@pytest.mark.parametrize(("effect", "expected"), [(0.031, False), (0.00062, True), (None, False)])
def test_a_decision_typed_in_the_metrics_unit_is_told_from_a_relative_one(effect, expected) -> None:
    row = {"metric": "install_rate", "segment": None, "effect": 0.000623, "relative": 0.031}
    decision = {"metric": "install_rate", "effect": effect}
    assert is_absolute(decision, {"results": [row]}) is expected
    assert not is_absolute(decision, None)
