"""Whoever changes the ledger behind tasuki's back is found, and what they touched is named."""

import json

import pytest
from stories import comment, joining, opening, tamper, tell

from tasuki.flow.event import TEAM_STREAM, NewEvent, canonical_json, event_hash
from tasuki.store.ledger import Ledger


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    """Two ideas of four events and a team of two; positions 1-2 team, 3-6 idea-1, 7-10 idea-2."""
    ledger.append(TEAM_STREAM, 0, [joining("aoi"), joining("ren")], key="team")
    tell(ledger, "idea-1", 3)
    tell(ledger, "idea-2", 3)
    return ledger


def found(ledger: Ledger) -> list[tuple[str, int | None, str]]:
    """Findings without those about the guards, which `tamper` always takes off."""
    return [(one.idea, one.sequence, one.problem) for one in ledger.verify() if one.problem != "guard"]


def test_a_healthy_ledger_has_no_findings(told):
    assert told.verify() == ()


AT_IDEA_1 = "WHERE idea = 'idea-1' AND sequence"
CHANGES = {
    "body": (f"UPDATE events SET body = replace(body, 'idea-1 0', 'idea-1 9') {AT_IDEA_1} = 2", "content"),
    "body that is no JSON": (f"UPDATE events SET body = '{{oops' {AT_IDEA_1} = 2", "content"),
    "body that is no object": (f"UPDATE events SET body = '[1, 2]' {AT_IDEA_1} = 2", "content"),
    "body nested without end": (f"UPDATE events SET body = '{'[' * 100_000}' {AT_IDEA_1} = 2", "content"),
    "body of not a number": (f"""UPDATE events SET body = '{{"text":NaN}}' {AT_IDEA_1} = 2""", "content"),
    "body with only spaces added": (f"UPDATE events SET body = ' ' || body {AT_IDEA_1} = 2", "content"),
    "actor": (f"UPDATE events SET actor = 'mallory' {AT_IDEA_1} = 2", "content"),
    "time": (f"UPDATE events SET at = '2020-01-01T00:00:00.000000Z' {AT_IDEA_1} = 2", "content"),
    "time that is none": (f"UPDATE events SET at = 'yesterday' {AT_IDEA_1} = 2", "content"),
    "hash": (f"UPDATE events SET hash = 'abc' {AT_IDEA_1} = 2", "content"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_event_is_named(told, change):
    statement, problem = CHANGES[change]
    tamper(told, statement)
    assert ("idea-1", 2, problem) in found(told)
    assert {idea for idea, *_ in found(told)} == {"idea-1"}


def test_an_event_forged_with_a_fitting_hash_breaks_the_link_after_it(told):
    victim, _ = told.events("idea-1")[1:3]
    forged = NewEvent(victim.kind, "mallory", victim.at, victim.body)
    digest = event_hash("idea-1", 2, forged, victim.previous_hash)
    tamper(told, f"UPDATE events SET actor = 'mallory', hash = '{digest}' {AT_IDEA_1} = 2")
    assert found(told) == [("idea-1", 3, "link")]


def test_a_chain_forged_to_its_end_does_not_meet_the_stored_head(told):
    victim = told.events("idea-1")[-1]
    forged = NewEvent(victim.kind, "mallory", victim.at, victim.body)
    digest = event_hash("idea-1", 4, forged, victim.previous_hash)
    tamper(told, f"UPDATE events SET actor = 'mallory', hash = '{digest}' {AT_IDEA_1} = 4")
    assert found(told) == [("idea-1", 4, "head")]


def test_a_deleted_middle_event_is_named(told):
    tamper(told, f"DELETE FROM events {AT_IDEA_1} = 2")
    assert ("idea-1", 3, "gap") in found(told)


def test_a_deleted_first_event_is_named(told):
    tamper(told, f"DELETE FROM events {AT_IDEA_1} = 1")
    assert ("idea-1", 2, "gap") in found(told)


@pytest.mark.parametrize("idea", ["idea-1", "idea-2"])
def test_a_deleted_last_event_is_named_even_when_it_was_the_ledgers_newest(told, idea):
    tamper(told, f"DELETE FROM events WHERE idea = '{idea}' AND sequence = 4")
    assert (idea, 4, "gap") in found(told)


def test_a_deleted_stream_is_named(told):
    tamper(told, "DELETE FROM events WHERE idea = 'team'")
    assert ("team", None, "gap") in found(told)
    assert ("team", 1, "key") in found(told), "the key that wrote them points nowhere"
    assert ("", None, "position") in found(told)


def test_a_stream_deleted_with_its_head_leaves_a_hole_in_the_positions(told):
    tamper(told, "DELETE FROM events WHERE idea = 'idea-1'", "DELETE FROM streams WHERE idea = 'idea-1'")
    assert found(told) == [("", None, "position")]


def test_swapped_events_are_named(told):
    tamper(
        told,
        f"UPDATE events SET sequence = 99 {AT_IDEA_1} = 2",
        f"UPDATE events SET sequence = 2 {AT_IDEA_1} = 3",
        f"UPDATE events SET sequence = 3 {AT_IDEA_1} = 99",
    )
    assert {("idea-1", 2, "content"), ("idea-1", 3, "content")} <= set(found(told))


def test_events_swapped_in_the_feed_are_named(told):
    tamper(
        told,
        "UPDATE events SET position = 99 WHERE position = 4",
        "UPDATE events SET position = 4 WHERE position = 5",
        "UPDATE events SET position = 5 WHERE position = 99",
    )
    assert found(told) == [("idea-1", 3, "order")]


def test_an_event_moved_to_another_idea_is_named(told):
    tamper(told, "UPDATE events SET idea = 'idea-2', sequence = 5 WHERE idea = 'idea-1' AND sequence = 4")
    assert {("idea-1", 4, "gap"), ("idea-2", 5, "content")} <= set(found(told))


def test_an_unknown_kind_is_named_though_its_hash_fits(told):
    event = NewEvent("idea_blessed", "aoi", told.events("idea-1")[0].at, {})
    last = told.events("idea-1")[-1]
    digest = event_hash("idea-1", 5, event, last.hash)
    tamper(
        told,
        "INSERT INTO events (position, idea, sequence, kind, actor, at, body, previous_hash, hash) SELECT 11, idea, 5,"
        f" 'idea_blessed', 'aoi', at, '{canonical_json({})}', hash, '{digest}' FROM events {AT_IDEA_1} = 4",
        f"UPDATE streams SET sequence = 5, hash = '{digest}' WHERE idea = 'idea-1'",
    )
    assert found(told) == [("idea-1", 5, "kind")]


def test_a_tampered_fold_is_named_with_its_fields_and_mended_from_the_events(told):
    state = told.state("idea-1")
    with told.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE streams SET state = replace(state, '\"active\"', '\"killed\"')")
    findings = told.verify()
    assert [(one.idea, one.problem) for one in findings] == [("idea-1", "fold"), ("idea-2", "fold")]
    assert "status" in findings[0].what
    assert "--rebuild" in findings[0].next_step
    assert told.rebuild() == 3
    assert told.verify() == ()
    assert told.ideas()[0] == state


@pytest.mark.parametrize("text", ["{oops", "[]", "null", "[" * 100_000], ids=["broken", "list", "null", "deep"])
def test_a_fold_that_cannot_be_read_is_named(told, text):
    with told.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE streams SET state = '{text}' WHERE idea = 'idea-2'")
    assert found(told) == [("idea-2", None, "fold")]
    assert [state.idea for state in told.ideas()] == ["idea-1", "idea-2"]


def test_a_lost_head_is_named_and_mended(told):
    with told.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM streams WHERE idea = 'idea-2'")
    assert found(told) == [("idea-2", None, "fold")]
    told.rebuild()
    assert told.verify() == ()


@pytest.mark.parametrize("change", ["idea = 'idea-7'", "last_sequence = 9", "first_sequence = 0"])
def test_a_key_that_points_nowhere_is_named(told, change):
    with told.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE keys SET {change}")
    ((_, _, problem),) = found(told)
    assert problem == "key"
    assert "'team'" in told.verify()[0].what


def test_missing_guards_are_named(told):
    tamper(told)
    findings = told.verify()
    assert {one.problem for one in findings} == {"guard"}
    assert "events_never" in findings[0].what


def test_events_that_no_longer_fold_are_named(told):
    """Chained and linked rightly, but no story: what an old fault of the code could have left behind."""
    last = told.events("idea-1")[-1]
    event = NewEvent("handoff_accepted", "ren", last.at, {"answer": "yes"})
    digest = event_hash("idea-1", 5, event, last.hash)
    body = json.dumps({"answer": "yes"}, separators=(",", ":"))
    tamper(
        told,
        "INSERT INTO events (position, idea, sequence, kind, actor, at, body, previous_hash, hash) SELECT 11, idea, 5,"
        f" 'handoff_accepted', 'ren', at, '{body}', hash, '{digest}' FROM events {AT_IDEA_1} = 4",
        f"UPDATE streams SET sequence = 5, hash = '{digest}' WHERE idea = 'idea-1'",
    )
    assert found(told) == [("idea-1", None, "fold")]


def test_rebuilding_on_damaged_events_changes_nothing(told):
    tamper(told, f"UPDATE events SET body = '{{oops' {AT_IDEA_1} = 2")
    before = told.verify()
    with pytest.raises(Exception, match="idea-1"):
        told.rebuild()
    assert told.verify() == before


def test_one_story_of_every_kind_of_stream_is_checked(told):
    told.append("idea-3", 0, [opening(), comment("fine")])
    with told.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE streams SET hash = 'x' WHERE idea = 'team'")
    assert found(told) == [("team", 2, "head")]
