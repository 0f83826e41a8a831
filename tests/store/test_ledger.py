"""What the ledger promises a single writer."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy.exc import DBAPIError
from stories import MOMENT, comment, joining, opening, tell, words_of

from tasuki.errors import Invalid, Missing, Refused, Stale, Unavailable
from tasuki.flow.event import TEAM_STREAM, NewEvent, Sought
from tasuki.flow.fold import fold
from tasuki.store.ledger import Ledger, open_ledger


def test_what_was_appended_is_read_back_after_reopening(ledger, ledger_url):
    written = ledger.append("idea-1", 0, [opening(), comment("予測を較正する\n\x00\U0001f3c3")])
    again = open_ledger(ledger_url)
    assert again.events("idea-1") == written
    assert [event.sequence for event in written] == [1, 2]
    assert written[0].previous_hash == ""
    assert written[1].previous_hash == written[0].hash
    again.close()


def test_moments_are_kept_to_the_microsecond_in_utc(ledger):
    tokyo = datetime(2026, 4, 1, 18, 30, 0, 123457, tzinfo=timezone(timedelta(hours=9)))
    (event,) = ledger.append("idea-1", 0, [opening(at=tokyo)])
    assert event.at == tokyo
    assert event.at.tzinfo is UTC


def test_state_is_the_fold_of_the_events(ledger):
    tell(ledger, "idea-1", 3)
    assert ledger.state("idea-1") == fold(ledger.events("idea-1"))
    assert ledger.ideas() == (ledger.state("idea-1"),)


def test_ideas_stand_in_the_order_they_were_opened_and_without_the_team(ledger):
    ledger.append(TEAM_STREAM, 0, [joining("aoi")])
    for idea in ("idea-2", "idea-10", "another"):
        tell(ledger, idea, 1)
    assert [state.idea for state in ledger.ideas()] == ["idea-2", "idea-10", "another"]


def test_an_unknown_idea_is_missing_and_has_no_events(ledger):
    assert ledger.events("idea-9") == ()
    with pytest.raises(Missing, match="idea-9"):
        ledger.state("idea-9")
    with pytest.raises(Missing):
        ledger.state(TEAM_STREAM)


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_writer_who_saw_another_head_is_stale_and_changes_nothing(ledger, expected):
    tell(ledger, "idea-1", 1)
    with pytest.raises(Stale) as caught:
        ledger.append("idea-1", expected, [comment("too late")], key="k")
    assert "again" in caught.value.next_step
    assert len(ledger.events("idea-1")) == 2
    assert ledger.earlier("k") is None


def test_appending_to_an_idea_that_is_not_there_is_stale(ledger):
    with pytest.raises(Stale, match="no 'idea-1'"):
        ledger.append("idea-1", 4, [comment("where?")])


def test_the_same_key_writes_once_even_at_another_moment(ledger):
    first = ledger.append("idea-1", 0, [opening()], key="k")
    later = ledger.append("idea-1", 0, [opening(at=MOMENT + timedelta(days=1))], key="k")
    assert first == later == ledger.earlier("k") == ledger.events("idea-1")


def test_a_retried_opening_that_drew_another_id_gets_the_idea_it_opened_first(ledger):
    first = ledger.append("idea-1", 0, [opening()], key="k")
    assert ledger.append(ledger.new_idea_id(), 0, [opening()], key="k") == first
    assert [state.idea for state in ledger.ideas()] == ["idea-1"]


def test_a_key_gives_back_only_its_own_events(ledger):
    tell(ledger, "idea-1", 2)
    mine = ledger.append("idea-1", 3, [comment("a"), comment("b")], key="mine")
    ledger.append("idea-1", 5, [comment("c")])
    assert ledger.earlier("mine") == mine
    assert [event.sequence for event in mine] == [4, 5]


@pytest.mark.parametrize(
    ("idea", "event"), [("idea-1", comment("other")), ("idea-2", opening()), ("idea-1", comment("x", actor="mio"))]
)
def test_a_key_that_was_used_for_something_else_is_refused(ledger, idea, event):
    ledger.append("idea-1", 0, [opening(), comment("x")], key="k")
    with pytest.raises(Refused, match="'k'") as caught:
        ledger.append(idea, 2, [event], key="k")
    assert caught.value.rule
    assert len(ledger.feed(0, 100)) == 2


def test_every_fault_of_every_event_is_reported_and_nothing_written(ledger):
    bad = [
        NewEvent("idea_opend", "aoi", MOMENT, {}),
        NewEvent("comment_added", "", MOMENT.replace(tzinfo=None), {"text": float("nan"), "more": [1, {"x": {1, 2}}]}),
        NewEvent("comment_added", "aoi", MOMENT, {1: "one", "half": "\ud800", "big": 1 << 5000}),
    ]
    with pytest.raises(Invalid) as caught:
        ledger.append("idea\n1", 0, bad)
    assert [fault.where for fault in caught.value.faults] == [
        "idea",
        "events.0.kind",
        "events.1.actor",
        "events.1.at",
        "events.1.body.text",
        "events.1.body.more.1.x",
        "events.2.body",
        "events.2.body.half",
        "events.2.body.big",
    ]
    assert ledger.feed(0, 10) == ()


def test_a_body_without_bottom_or_that_is_no_object_is_invalid(ledger):
    endless: list[object] = []
    endless.append(endless)
    for body in ({"text": endless}, [1], "text", None):
        with pytest.raises(Invalid):
            ledger.append("idea-1", 0, [NewEvent("comment_added", "aoi", MOMENT, body)])
    with pytest.raises(Invalid, match="cannot keep"):
        ledger.append("idea-1", 0, [])


def test_team_and_ideas_have_their_own_kinds(ledger):
    with pytest.raises(Invalid):
        ledger.append(TEAM_STREAM, 0, [opening()])
    with pytest.raises(Invalid):
        ledger.append("idea-1", 0, [joining("aoi")])


def test_an_event_that_the_fold_cannot_follow_is_not_written(ledger):
    tell(ledger, "idea-1", 0)
    accepted = NewEvent("handoff_accepted", "ren", MOMENT, {"answer": "yes"})
    with pytest.raises(Invalid, match="idea-1"):
        ledger.append("idea-1", 1, [comment("fine"), accepted])
    with pytest.raises(Invalid):
        ledger.append(TEAM_STREAM, 0, [NewEvent("member_added", "aoi", MOMENT, {"roles": ["analyst"]})])
    assert len(ledger.feed(0, 10)) == 1
    assert ledger.verify() == ()


def test_members_are_the_fold_of_the_team(ledger):
    assert ledger.members() == {}
    ledger.append(TEAM_STREAM, 0, [joining("aoi"), joining("ren")])
    ledger.append(TEAM_STREAM, 2, [NewEvent("member_changed", "aoi", MOMENT, {"name": "ren", "roles": ["researcher"]})])
    assert {name: member.roles for name, member in ledger.members().items()} == {
        "aoi": ("analyst",),
        "ren": ("researcher",),
    }


def test_the_feed_pages_through_all_streams_in_order(ledger):
    tell(ledger, "idea-1", 2)
    tell(ledger, "idea-2", 1)
    ledger.append("idea-1", 3, [comment("last")])
    pages, after = [], 0
    while page := ledger.feed(after, 2):
        pages.extend(page)
        after = page[-1][0]
    assert [position for position, _ in pages] == [1, 2, 3, 4, 5, 6]
    assert [(event.idea, event.sequence) for _, event in pages] == [
        *[("idea-1", n) for n in (1, 2, 3)],
        *[("idea-2", n) for n in (1, 2)],
        ("idea-1", 4),
    ]


def test_looking_back_gives_what_is_sought_between_two_positions_the_newest_first(ledger):
    tell(ledger, "idea-1", 2)
    tell(ledger, "idea-2", 1)
    ledger.append("idea-1", 3, [comment("last")])
    assert ledger.head().position == 6

    def places(sought=Sought(), after=0, before=7, limit=10):  # noqa: B008
        return [position for position, _ in ledger.looked_back(sought, after=after, before=before, limit=limit)]

    assert places() == [6, 5, 4, 3, 2, 1]
    assert places(limit=2) == [6, 5]
    assert places(after=1, before=4) == [3, 2]
    assert places(Sought(stream="idea-2")) == [5, 4]
    assert places(Sought(kind="idea_opened")) == [4, 1]
    assert places(Sought(stream="idea-1", kind="idea_opened")) == [1]
    assert places(Sought(actor="nobody")) == []


def test_a_cursor_moves_forward_only(ledger):
    assert ledger.cursor("slack") == 0
    ledger.move_cursor("slack", 5)
    ledger.move_cursor("slack", 3)
    assert ledger.cursor("slack") == 5
    ledger.move_cursor("slack", 8)
    assert (ledger.cursor("slack"), ledger.cursor("mail")) == (8, 0)


def test_new_ids_count_on_from_the_highest(ledger):
    assert ledger.new_idea_id() == "idea-1"
    for idea in ("idea-9", "idea-10", "idea-x", "idea-0011", "idea-2b"):
        tell(ledger, idea, 0)
    assert ledger.new_idea_id() == "idea-11"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET actor = 'mallory'",
        "UPDATE events SET position = position + 100",
        "DELETE FROM events WHERE sequence = 2",
    ],
)
def test_the_database_itself_refuses_to_change_events(ledger, statement):
    tell(ledger, "idea-1", 3)
    before = ledger.events("idea-1")
    with ledger.engine.connect() as connection, pytest.raises(DBAPIError, match="events are never"):
        connection.exec_driver_sql(statement)
    assert ledger.events("idea-1") == before


def test_sqlite_refuses_to_replace_and_postgresql_to_truncate(ledger):
    tell(ledger, "idea-1", 1)
    replace = (
        "INSERT OR REPLACE INTO events SELECT position, idea, sequence, kind, 'mallory', at, body, previous_hash, hash"
        " FROM events WHERE sequence = 2"
    )
    statement = replace if ledger.engine.dialect.name == "sqlite" else "TRUNCATE events"
    with ledger.engine.connect() as connection, pytest.raises(DBAPIError, match=r"taken|never"):
        connection.exec_driver_sql(statement)
    assert words_of(ledger, "idea-1") == ["idea-1 0"]


def test_a_commit_on_sqlite_is_synced_to_disk(new_database):
    ledger = open_ledger(new_database("sqlite"))
    with ledger.engine.connect() as connection:
        modes = [connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")]
    assert modes == ["wal", 2]
    ledger.close()


def test_nothing_is_written_after_a_damaged_head(ledger):
    tell(ledger, "idea-1", 3)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE streams SET sequence = 9")
    with pytest.raises(Unavailable, match="idea-1") as caught:
        ledger.append("idea-1", 4, [comment("on sand")])
    assert "doctor" in caught.value.next_step


def test_a_stored_state_that_cannot_be_read_is_folded_anew(ledger):
    tell(ledger, "idea-1", 1)
    with ledger.engine.begin() as connection:
        connection.exec_driver_sql("""UPDATE streams SET state = '{"unknown": 1}'""")
    assert ledger.ideas() == (ledger.state("idea-1"),)


def test_threads_share_one_ledger(ledger: Ledger):
    from concurrent.futures import ThreadPoolExecutor

    def write(name: str) -> None:
        tell(ledger, name, 2)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, [f"idea-{n}" for n in range(1, 33)]))
    assert len(ledger.ideas()) == 32
    assert ledger.verify() == ()
