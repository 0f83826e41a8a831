"""The shelf holds what a fresh fold of the whole ledger gives, whoever wrote and however often it was asked."""

import contextlib
import json
import random
import threading

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from stories import MOMENT, comment, joining, opening, tamper, tell, together

from tasuki.errors import Stale
from tasuki.flow.event import TEAM_STREAM, NewEvent
from tasuki.flow.fold import fold
from tasuki.flow.outline import outline_of
from tasuki.store.database import open_engine
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.store.outlines import fill_outlines

EVIDENCE = [
    (
        "comparison_report",
        {"experiment": "e1", "results": [{"segment": None, "metric": "m", "relative": 0.02, "p": 1}]},
    ),
    (
        "comparison_report",
        {"experiment": "e2", "results": "broken", "recommendation": {"decision": "ship"}},
    ),
    ("decision", {"decision": "ship", "metric": "m", "reason": "それでよい", "other": 1}),
    ("learning", {"learnings": ["効く"], "search_words": ["較正"], "next_ideas": []}),
    ("data_report", {"sources": ["not on the shelf"]}),
]


def attached(number: int) -> NewEvent:
    kind, record = EVIDENCE[number % len(EVIDENCE)]
    body = {"stage": "hypothesis", "content_hash": f"{number:064}", "evidence": {"kind": kind, "record": record}}
    return NewEvent("evidence_attached", "ren", MOMENT, body)


def killed() -> NewEvent:
    return NewEvent("idea_killed", "aoi", MOMENT, {"reason": "効果がない"})


def reopened() -> NewEvent:
    return NewEvent("idea_reopened", "ren", MOMENT, {"stage": "hypothesis", "reason": "もう一度"})


def truth(ledger: Ledger) -> dict[str, object]:
    """The outlines as the events alone give them, in the order the ideas were opened."""
    order = dict.fromkeys(event.idea for _, event in ledger.feed(0, 1_000_000))
    return {idea: outline_of(fold(ledger.events(idea))) for idea in order if idea != TEAM_STREAM}


def assert_true(ledger: Ledger) -> None:
    shelf, ideas = ledger.shelf(), truth(ledger)
    assert dict(shelf.ideas) == ideas
    assert list(shelf.ideas) == list(ideas)
    assert {one.idea for one in shelf.active.states} == {n for n, one in ideas.items() if one.status == "active"}
    ends = [one.ended_at for one in shelf.ended.states]
    assert len(ends) == len(ideas) - len(shelf.active.states)
    assert ends == sorted(ends, reverse=True)
    assert dict(shelf.members) == ledger.members()


steps = st.tuples(st.sampled_from("abc"), st.sampled_from(["say", "attach", "end"]), st.integers(0, 9), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=10))
def test_after_any_appends_the_shelf_is_what_a_fresh_fold_gives(ledger, ledger_url, taken):
    with contextlib.closing(open_ledger(ledger_url)) as other:  # as another process would
        for letter, what, number, elsewhere in taken:
            state = ledger.shelf().ideas.get(letter)
            end = reopened() if state is not None and state.status == "killed" else killed()
            new = {"say": comment("x"), "attach": attached(number), "end": end}[what] if state else opening()
            (other if elsewhere else ledger).append(letter, state.sequence if state else 0, [new])
            assert ledger.shelf().ideas[letter].sequence == (state.sequence if state else 0) + 1
        assert_true(ledger)
        assert_true(other)
        assert ledger.verify() == ()


def test_what_was_made_of_a_pile_is_made_anew_only_for_those_that_changed(ledger):
    for idea in ("a", "b"):
        tell(ledger, idea, 1)
        ledger.append(idea, 2, [killed()])
    made = []

    def note(state):
        made.append(state.idea)
        return state.sequence

    assert sorted(ledger.shelf().ended.made(note)) == [3, 3]
    ledger.append("a", 3, [comment("later")])
    assert sorted(ledger.shelf().ended.made(note)) == [3, 4]
    assert sorted(made) == ["a", "a", "b"]
    before = ledger.shelf().ended
    tell(ledger, "c", 1)
    assert ledger.shelf().ended is before, "an idea that runs does not disturb those that are over"


def test_many_threads_and_processes_leave_a_true_shelf(ledger, ledger_url):
    def write(writer: int) -> int:
        chance = random.Random(writer)
        with contextlib.closing(open_ledger(ledger_url)) as own:
            for number in range(8):
                idea = chance.choice("abcd")
                with contextlib.suppress(Stale):
                    head = own.length(idea)
                    own.append(idea, head, [comment(str(number)) if head else opening()])
                seen = own.shelf().ideas.get(idea)
                assert seen is None or seen.sequence <= own.length(idea)
        return writer

    together([lambda writer=writer: write(writer) for writer in range(4)])
    threads = [threading.Thread(target=write, args=(n,)) for n in range(4, 8)]
    seen: list[int] = []
    for one in threads:
        one.start()
    while any(one.is_alive() for one in threads):
        seen.append(ledger.shelf().position)
    for one in threads:
        one.join()
    assert seen == sorted(seen), "a shelf never goes back"
    assert_true(ledger)


def test_a_member_who_joined_elsewhere_is_on_the_next_shelf(ledger, ledger_url):
    ledger.append(TEAM_STREAM, 0, [joining("aoi")])
    assert list(ledger.shelf().members) == ["aoi"]
    with contextlib.closing(open_ledger(ledger_url)) as other:
        other.append(TEAM_STREAM, 1, [joining("ren")])
    assert list(ledger.shelf().members) == ["aoi", "ren"] == list(ledger.members())


@pytest.mark.parametrize("damage", ["NULL", "'{}'", "'not json'"])
def test_opening_a_ledger_of_the_version_before_fills_the_outlines(ledger_url, damage):
    with contextlib.closing(open_ledger(ledger_url)) as ledger:
        tell(ledger, "a", 2)
        ledger.append("a", 3, [attached(0), attached(2), killed()])
        tell(ledger, "b", 1)
        ledger.append(TEAM_STREAM, 0, [joining("aoi")])
    engine = open_engine(ledger_url, 5)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE outlines"))
        connection.execute(text("UPDATE tasuki_version SET version_num = '0002'"))
        connection.execute(text(f"UPDATE streams SET state = {damage} WHERE idea = 'b'"))
    engine.dispose()
    with contextlib.closing(open_ledger(ledger_url)) as ledger:
        with ledger.engine.connect() as connection:
            assert set(connection.execute(text("SELECT idea FROM outlines")).scalars()) == {"a", "b"}
        assert_true(ledger)
        assert [one.problem for one in ledger.verify()] == ["fold"], "only the state that was damaged before"
        ledger.rebuild()
        assert ledger.verify() == ()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE outlines SET outline = replace(outline, '\"active\"', '\"killed\"') WHERE idea = 'a'", "in status"),
        ("UPDATE outlines SET outline = 'x' WHERE idea = 'a'", "cannot be read"),
        ("UPDATE outlines SET opened = 9 WHERE idea = 'a'", "position 9"),
        ("DELETE FROM outlines WHERE idea = 'a'", "outline"),
    ],
)
def test_a_tampered_outline_is_named_and_made_anew(ledger, statement, said):
    tell(ledger, "a", 1)
    tell(ledger, "b", 1)
    tamper(ledger, statement)
    findings = [one for one in ledger.verify() if one.problem == "fold"]
    assert [one.idea for one in findings] == ["a"]
    assert said in findings[0].what
    ledger.rebuild()
    assert [one for one in ledger.verify() if one.problem == "fold"] == []
    assert_true(ledger)


def test_an_outline_that_cannot_be_read_is_folded_anew(ledger):
    tell(ledger, "a", 1)
    tamper(ledger, "UPDATE outlines SET outline = '{\"unknown\": 1}'")
    assert_true(ledger)


def test_ideas_that_cannot_be_folded_do_not_stop_the_migration(ledger):
    tell(ledger, "a", 1)
    tell(ledger, "b", 1)
    tamper(ledger, "UPDATE events SET body = '[' WHERE idea = 'a'", "UPDATE streams SET state = '' WHERE idea = 'a'")
    with ledger.engine.begin() as connection:
        fill_outlines(connection)
        assert connection.execute(text("SELECT idea FROM outlines")).scalars().all() == ["b"]


def test_an_outline_is_small_and_its_own_outline(ledger):
    tell(ledger, "a", 40)
    ledger.append("a", 41, [attached(n) for n in range(10)])
    state = ledger.state("a")
    outline = outline_of(state)
    assert outline_of(outline) == outline
    assert [(one.kind, one.sequence) for one in outline.evidence] == [
        ("comparison_report", 47), ("comparison_report", 48), ("decision", 49), ("learning", 50)
    ]  # fmt: skip
    with ledger.engine.connect() as connection:
        stored = connection.execute(text("SELECT outline FROM outlines")).scalar_one()
        whole = connection.execute(text("SELECT state FROM streams")).scalar_one()
    assert len(stored) < len(whole) / 2
    assert json.loads(stored)["comments"] == []
