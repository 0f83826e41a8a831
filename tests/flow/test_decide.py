import pytest

from relay_play import Stream
from tasuki.errors import Invalid, Missing, Refused
from tasuki.flow import decide, experimenting
from tasuki.flow.decide import NewIdea
from tasuki.flow.experimenting import Booking
from tasuki.flow.plan import Member


def test_an_idea_that_cannot_be_opened_says_everything_that_is_wrong():
    stream = Stream()
    with pytest.raises(Invalid) as caught:
        decide.open_idea(NewIdea(" ", "waterfall", "chaos", -1), stream.act("aoi"))
    assert [fault.where for fault in caught.value.faults] == ["title", "flow", "formation", "estimate"]
    assert "minor_update" in caught.value.faults[1].expected


def test_a_skipped_stage_is_passed_over():
    stream = Stream()
    stream.write(decide.skip_stage(stream.state, stream.act("aoi"), "investigation", "the same as in idea-0"))
    assert stream.hand_over().stage == "modeling"


@pytest.mark.parametrize("stage", ["hypothesis", "evaluation"])
def test_neither_the_present_nor_the_last_stage_is_skipped(stage):
    stream = Stream()
    with pytest.raises(Refused, match="cannot be skipped") as caught:
        decide.skip_stage(stream.state, stream.act("aoi"), stage, "hurry")
    assert "investigation" in caught.value.expected


def test_a_stage_is_not_skipped_while_it_is_offered():
    stream = Stream()
    stream.prepare()
    stream.offer()
    with pytest.raises(Refused, match="cannot be skipped"):
        decide.skip_stage(stream.state, stream.act("aoi"), "investigation", "hurry")


def test_an_unknown_stage_is_missing_and_the_known_ones_are_named():
    stream = Stream()
    with pytest.raises(Missing, match="no stage 'deployment'") as caught:
        decide.skip_stage(stream.state, stream.act("aoi"), "deployment", "x")
    assert "modeling" in caught.value.expected
    with pytest.raises(Missing, match="no stage 'deployment'"):
        stream.attach("hypothesis_brief", stage="deployment")


def test_evidence_is_laid_to_a_stage_that_was_reached():
    stream = Stream()
    with pytest.raises(Refused, match="has not reached modeling"):
        stream.attach("model_card", stage="modeling")
    stream.hand_over()
    assert stream.attach("external_link", stage="hypothesis").evidence[-1].stage == "hypothesis"


@pytest.mark.parametrize(
    "attempt",
    [
        lambda s: decide.kill_idea(s.state, s.act("aoi"), " "),
        lambda s: decide.skip_stage(s.state, s.act("aoi"), "modeling", ""),
        lambda s: decide.record_rule(s.state, s.act("aoi"), " "),
        lambda s: decide.comment(s.act("aoi"), "\n"),
        lambda s: decide.look_up_cases(s.state, s.act("aoi"), "", []),
        lambda s: decide.state_contribution(s.state, s.act("aoi"), "hypothesis", ""),
    ],
)
def test_what_people_must_say_is_not_left_blank(attempt):
    with pytest.raises(Invalid, match="missing"):
        attempt(Stream())


def test_a_killed_idea_is_taken_up_again_by_one_who_may_work_there():
    stream = Stream()
    stream.hand_over_until("modeling")
    stream.write(decide.kill_idea(stream.state, stream.act("aoi"), "no gain"))
    with pytest.raises(Refused, match=r"sota .* may not reopen it in modeling"):
        decide.reopen_idea(stream.state, stream.act("sota"), "new data")
    state = stream.write(decide.reopen_idea(stream.state, stream.act("mio"), "new data"))
    assert (state.status, state.stage, state.holder, state.end_reason) == ("active", "modeling", "mio", "")


def test_an_idea_reopened_in_a_skipped_stage_skips_only_the_others():
    stream = Stream()
    for stage in ("investigation", "ab_check"):
        stream.write(decide.skip_stage(stream.state, stream.act("aoi"), stage, "known"))
    stream.hand_over()
    stream.write(decide.kill_idea(stream.state, stream.act("aoi"), "no gain"))
    state = stream.write(decide.reopen_idea(stream.state, stream.act("haru"), "look first", "investigation"))
    assert state.stage == "investigation"
    assert [skip.stage for skip in state.skips] == ["ab_check"]


def test_a_concluded_idea_stays_as_it_is():
    stream = Stream()
    for _ in range(8):
        stream.hand_over()
    with pytest.raises(Refused, match="concluded") as caught:
        decide.reopen_idea(stream.state, stream.act("aoi"), "again")
    assert "builds on the case" in caught.value.next_step


def test_a_contribution_is_confirmed_by_a_peer():
    stream = Stream()
    state = stream.write(decide.state_contribution(stream.state, stream.act("aoi"), "hypothesis", "found the gap"))
    with pytest.raises(Refused, match="cannot confirm their own"):
        decide.confirm_contribution(state, stream.act("aoi"), "hypothesis", "aoi")
    with pytest.raises(Missing, match="haru has stated no contribution"):
        decide.confirm_contribution(state, stream.act("aoi"), "hypothesis", "haru")
    state = stream.write(decide.confirm_contribution(state, stream.act("haru"), "hypothesis", "aoi"))
    assert state.contributions[0].confirmed_by == "haru"


def test_an_experiment_is_booked_started_looked_at_and_stopped_once():
    stream = Stream()
    stream.hand_over_until("ab_check")
    act = stream.act(stream.state.holder)
    with pytest.raises(Missing, match="no experiment 'e'"):
        experimenting.look_at_experiment(stream.state, act, "e")
    stream.write(
        experimenting.book_experiment(stream.state, act, Booking("e", "check", "small", stream.clock().date(), 2))
    )
    stream.write(experimenting.start_experiment(stream.state, act, "e", "check"))
    with pytest.raises(Refused, match="e is running"):
        experimenting.start_experiment(stream.state, act, "e", "check")
    with pytest.raises(Invalid, match="no number of days"):
        experimenting.book_experiment(stream.state, act, Booking("f", "check", "", stream.clock().date(), 0))
    stream.write(experimenting.look_at_experiment(stream.state, stream.act("kaito"), "e"))
    state = stream.write(experimenting.stop_experiment(stream.state, act, "e"))
    assert (state.experiments[0].lane, len(state.experiments[0].looks)) == ("small", 1)
    with pytest.raises(Refused, match="not running"):
        experimenting.stop_experiment(stream.state, act, "e")
    with pytest.raises(Refused, match="a check, not a comparison"):
        experimenting.start_experiment(stream.state, act, "e", "comparison")


def test_a_case_is_filed_only_after_the_end():
    stream = Stream()
    with pytest.raises(Refused, match="still active"):
        decide.file_case(stream.state, stream.act("aoi"), {})


def test_a_member_who_cannot_be_says_everything_that_is_wrong():
    stream = Stream()
    with pytest.raises(Invalid) as caught:
        decide.add_member(stream.act("aoi"), Member("two words", ("wizard",), "fr"))
    assert [fault.where for fault in caught.value.faults] == ["name", "role", "language"]
    with pytest.raises(Refused, match="already has haru"):
        decide.add_member(stream.act("aoi"), Member("haru", ("analyst",)))
    with pytest.raises(Missing, match="no member 'zoe'"):
        decide.change_roles(stream.act("aoi"), "zoe", ["analyst"])
