"""Whatever is asked of it, in whatever order, the ledger does what a dictionary of lists would."""

import itertools
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from stories import comment, opening

from tasuki.errors import Refused, Stale, TasukiError
from tasuki.store.ledger import Ledger

_RUN = itertools.count()


@dataclass
class Model:
    """The obvious ledger."""

    streams: dict[str, list[tuple]] = field(default_factory=dict)
    feed: list[tuple] = field(default_factory=list)
    keys: dict[str, tuple] = field(default_factory=dict)

    def append(self, idea: str, expected: int, said: list[str], key: str | None) -> list[tuple] | type[TasukiError]:
        if key in self.keys:
            asked, written = self.keys[key]
            return written if asked == (idea, said) else Refused
        stream = self.streams.get(idea, [])
        if expected != len(stream):
            return Stale
        written = [(idea, expected + n, words) for n, words in enumerate(said, 1)]
        self.streams[idea] = stream + written
        self.feed += written
        if key is not None:
            self.keys[key] = ((idea, said), written)
        return written


asked = st.tuples(
    st.sampled_from("ab"),
    st.sampled_from([0, 0, 0, 0, 1, -1]),
    st.lists(st.text(max_size=6), min_size=1, max_size=3),
    st.sampled_from([None, None, "k", "l"]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(asked, max_size=12))
def test_random_appends_do_what_the_obvious_ledger_does(ledger: Ledger, requests):
    run, model, start = next(_RUN), Model(), len(ledger.feed(0, 1_000_000))
    for letter, off, said, chosen in requests:
        idea, key = f"{run}-{letter}", chosen and f"{run}-{chosen}"
        head = len(model.streams.get(idea, []))
        # every stream must open once; what is said first is then the title
        first = head == 0 and off == 0 and key not in model.keys
        wanted = model.append(idea, head + off, said, key)
        new = (
            [opening(said[0]), *map(comment, said[1:])] if _opens(model, wanted, key, first) else [*map(comment, said)]
        )
        assert _answer(ledger, idea, head + off, new, key) == wanted
    assert [_plain(event) for _, event in ledger.feed(start, 1_000_000)] == model.feed
    for idea, stream in model.streams.items():
        assert [_plain(event) for event in ledger.events(idea)] == stream
        assert ledger.state(idea).sequence == len(stream)
    for key, (_, written) in model.keys.items():
        assert [_plain(event) for event in ledger.earlier(key)] == written
    assert ledger.verify() == ()


def _opens(model: Model, wanted, key, first: bool) -> bool:
    """Whether the request, new or repeated, is the one that opened its stream."""
    return first or (isinstance(wanted, list) and key is not None and wanted[0][1] == 1)


def _answer(ledger, idea, expected, new, key):
    try:
        return [_plain(event) for event in ledger.append(idea, expected, new, key=key)]
    except (Stale, Refused) as error:
        return type(error)


def _plain(event) -> tuple:
    return (event.idea, event.sequence, event.body.get("text", event.body.get("title")))
