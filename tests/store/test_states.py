"""A state that is kept is the fold of the ledger's events, whoever wrote, and only so many are kept."""

import contextlib

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stories import comment, opening, tamper, tell, words_of

from tasuki.flow.fold import fold
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.store.states import StateKeeper

steps = st.tuples(st.sampled_from("abc"), st.integers(1, 3), st.booleans(), st.booleans())


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=12), st.integers(0, 8))
def test_after_any_appends_a_state_is_the_fold_of_its_events(ledger: Ledger, ledger_url: str, taken, most) -> None:
    with contextlib.closing(open_ledger(ledger_url)) as other:  # as another process would
        small = StateKeeper(ledger.engine, most)
        for idea, count, elsewhere, asked in taken:
            known = ledger.length(idea)
            new = [comment(f"{idea} {known} {n}") for n in range(count)] if known else [opening()]
            (other if elsewhere else ledger).append(idea, known, new)
            if asked:
                assert ledger.state(idea) == other.state(idea) == small.state(idea) == fold(ledger.events(idea))
            assert small._held == sum(one.state.sequence for one in small._kept.values()) <= most
        for idea in {one[0] for one in taken}:
            assert ledger.state(idea) == other.state(idea) == small.state(idea) == fold(ledger.events(idea))


def test_only_what_is_new_is_read(ledger: Ledger, monkeypatch) -> None:
    tell(ledger, "a", 5)
    known = ledger.state("a")
    assert ledger.state("a") is known
    ledger.append("a", 6, [comment("one more")])
    seen = []
    from tasuki.store import states

    monkeypatch.setattr(states, "apply", lambda state, event: seen.append(event.sequence) or state)
    monkeypatch.setattr(states, "fold", lambda story: 1 / 0)
    ledger.state("a")
    assert seen == [7]


def test_the_state_of_an_outline_is_not_older_than_the_outline(ledger: Ledger) -> None:
    tell(ledger, "a", 2)
    assert ledger.whole(ledger.shelf().ideas["a"]) is ledger.state("a")
    ledger.append("a", 3, [comment("one more")])
    assert ledger.whole(ledger.shelf().ideas["a"]) == fold(ledger.events("a"))


def test_another_ledger_in_its_place_is_seen(ledger: Ledger) -> None:
    tell(ledger, "a", 3)
    ledger.state("a")
    tamper(ledger, "DELETE FROM events", "DELETE FROM streams", "DELETE FROM outlines")
    with contextlib.suppress(Exception):
        ledger.state("a")
    ledger.append("a", 0, [opening("another"), *(comment(f"other {n}") for n in range(5))])
    assert ledger.state("a").title == "another"
    assert [one.text for one in ledger.state("a").comments] == words_of(ledger, "a")
