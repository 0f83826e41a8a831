import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay_play import DEBT, TEAM, Stream
from tasuki.errors import Invalid, TasukiError
from tasuki.flow import decide, experimenting
from tasuki.flow.event import NewEvent, chained
from tasuki.flow.experimenting import Booking
from tasuki.flow.fold import apply, fold, fold_members, state_from_json, state_to_json
from tasuki.flow.times import lead_days, stage_times

# Mostly those whose turn it is, so that walks get far; the others try too.
NAMES = st.sampled_from([*sorted(TEAM), *["the holder"] * 7, *["the receiver"] * 7])
STAGES = st.sampled_from(["hypothesis", "investigation", "modeling", "implementation", "ab_check", "nowhere"])
MOVES = st.sampled_from(
    [
        "hand_over", "hand_over", "hand_over", "offer", "offer", "pick_up", "accept", "accept_with_debt", "return",
        "late_return", "late_return", "skip", "kill", "reopen", "reopen", "comment", "rule", "settle", "state",
        "confirm", "book", "start", "look", "stop", "wait",
    ]
)  # fmt: skip


def play(stream: Stream, move: str, actor: str, stage: str) -> None:
    """One move; a rule may refuse it."""
    state = stream.state
    offer = state.offer
    turn = {"the holder": state.holder, "the receiver": stream.receiver() if offer else state.holder}
    if offer is not None and offer.picked_up_by is not None:
        turn["the receiver"] = offer.picked_up_by
    actor = turn.get(actor, actor)
    act = stream.act(actor)
    day = stream.clock().date()
    decisions = {
        "skip": lambda: decide.skip_stage(state, act, stage, "not needed"),
        "kill": lambda: decide.kill_idea(state, act, "nothing there"),
        "reopen": lambda: decide.reopen_idea(state, act, "new data"),
        "comment": lambda: decide.comment(act, "well"),
        "rule": lambda: decide.record_rule(state, act, "go when better"),
        "settle": lambda: decide.settle_debt(state, act, 1, "done"),
        "state": lambda: decide.state_contribution(state, act, stage, "did it"),
        "confirm": lambda: decide.confirm_contribution(state, act, stage, "aoi"),
        "book": lambda: experimenting.book_experiment(state, act, Booking("e", "check", "slow lane", day, 7)),
        "release": lambda: experimenting.release_experiment(state, act, "e", "not needed"),
        "start": lambda: experimenting.start_experiment(state, act, "e", "check"),
        "look": lambda: experimenting.look_at_experiment(state, act, "e"),
        "stop": lambda: experimenting.stop_experiment(state, act, "e"),
    }
    others = {
        "hand_over": stream.hand_over,
        "offer": lambda: (stream.prepare(), stream.offer(actor)),
        "pick_up": lambda: stream.pick_up(actor),
        "accept": lambda: stream.accept(actor),
        "accept_with_debt": lambda: stream.accept(actor, DEBT),
        "return": lambda: stream.give_back(actor),
        "late_return": lambda: stream.give_back(actor, state.legs[0].stage if stage == "nowhere" else stage),
        "wait": lambda: stream.clock.advance(hours=7),
    }
    if move in decisions:
        stream.write(decisions[move]())
    else:
        others[move]()


@settings(max_examples=150, deadline=None)
@given(
    flow=st.sampled_from(["model", "analysis", "data"]),
    formation=st.sampled_from(["all_in_one", "planner_implementer", "planner_maker_evaluator", "lab_and_platform"]),
    moves=st.lists(st.tuples(MOVES, NAMES, STAGES), max_size=25),
)
def test_whatever_a_team_does_the_fold_agrees_with_itself(flow, formation, moves):
    stream = Stream(flow, formation)
    for move, actor, stage in moves:
        before, count = stream.state, len(stream.events)
        try:
            play(stream, move, actor, stage)
        except TasukiError:
            if len(stream.events) == count:
                assert stream.state == before
        state = stream.state
        assert fold(stream.events) == state
        assert state_from_json(json.loads(json.dumps(state_to_json(state)))) == state
        open_legs = [leg for leg in state.legs if leg.ended_at is None]
        if state.status == "active":
            assert [(leg.stage, leg.owner) for leg in open_legs] == [(state.stage, state.holder)]
        else:
            assert open_legs == []
            assert state.offer is None
        assert state.stage in state.stages
        spent = sum(one.total_days for one in stage_times(state, stream.clock()))
        assert spent <= lead_days(state, stream.clock()) + 1e-6


def test_a_model_idea_runs_through_all_eight_stages_and_concludes():
    stream = Stream()
    for _ in range(8):
        stream.hand_over()
    state = stream.state
    assert state.status == "concluded"
    assert [leg.stage for leg in state.legs] == list(state.stages)
    assert [one.outcome for one in state.handoffs] == ["accepted"] * 8
    assert state.ended_at == stream.clock()


@pytest.mark.parametrize("flow", ["model", "minor_update", "analysis", "data"])
@pytest.mark.parametrize(
    "formation", ["all_in_one", "planner_implementer", "planner_maker_evaluator", "lab_and_platform"]
)
def test_every_flow_can_be_run_to_its_end_in_every_formation(flow, formation):
    opener = "ren" if flow == "minor_update" else "aoi"
    stream = Stream(flow, formation, actor=opener)
    if flow == "minor_update":
        stream.attach("model_card")
    for _ in stream.state.stages:
        stream.hand_over()
    assert stream.state.status == "concluded"


def test_a_gap_in_the_sequence_is_not_folded():
    stream = Stream()
    stream.prepare()
    with pytest.raises(Invalid, match=r"event 3 .* of idea-1 has sequence 3"):
        fold([stream.events[0], *stream.events[2:]])


def test_a_stream_that_does_not_open_is_not_folded():
    with pytest.raises(Invalid, match="without events"):
        fold([])
    lone = chained("idea-9", 1, NewEvent("comment_added", "aoi", Stream().clock(), {"text": "x"}), "")
    with pytest.raises(Invalid, match="not where a stream opens"):
        apply(None, lone)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("handoff_accepted", {"answer": "x", "debts": []}),
        ("comment_added", {}),
        ("no_such_kind", {}),
        ("experiment_booked", {"name": "e", "kind": "check", "from": "soon", "days": 2}),
        (
            "handoff_returned",
            {"late": True, "to_stage": "modeling", "to_member": "ren", "reason_code": "o", "reason": "x"},
        ),
    ],
)
def test_an_event_that_cannot_follow_names_itself(kind, body):
    stream = Stream()
    with pytest.raises(Invalid, match=rf"event 2 \({kind}\) of idea-1"):
        stream.write(NewEvent(kind, "aoi", stream.clock(), body))


def test_members_are_folded_in_the_order_they_joined_and_changes_keep_the_rest():
    stream = Stream()
    said = [
        NewEvent(
            "member_added",
            "aoi",
            stream.clock(),
            {"name": "aoi", "roles": ["analyst"], "language": "en", "display_name": "葵"},
        ),
        NewEvent("member_added", "aoi", stream.clock(), {"name": "ren", "roles": ["data_scientist"], "language": "ja"}),
        NewEvent("member_changed", "aoi", stream.clock(), {"name": "aoi", "roles": ["researcher"]}),
    ]
    members = fold_members(chained("team", n, one, "") for n, one in enumerate(said, 1))
    assert list(members) == ["aoi", "ren"]
    assert members["aoi"].roles == ("researcher",)
    assert (members["aoi"].language, members["aoi"].display_name) == ("en", "葵")
