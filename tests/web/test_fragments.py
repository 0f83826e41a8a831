"""What was drawn is kept for the next reader, as long as there is room for it."""

from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from told_ideas import NOW

from tasuki.flow.state import Offer
from tasuki.web.fragments import Drawn, Fragments
from tasuki.web.story import Entry


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60)), max_size=60))
def test_no_more_is_kept_than_there_is_room_for(kept: list[tuple[int, int]]) -> None:
    fragments, latest = Fragments(100), dict[int, int]()
    for key, size in kept:
        fragments.keep(key, Markup("x" * size))
        latest[key] = size
        assert len(fragments) <= 100
        assert fragments.get(key) == "x" * size
    held = [found for key in latest if (found := fragments.get(key)) is not None]
    assert sum(map(len, held)) == len(fragments)
    assert all(len(found) in latest.values() for found in held)


def test_what_was_asked_for_last_is_kept() -> None:
    fragments = Fragments(30)
    for key in "abc":
        fragments.keep(key, Markup("x" * 10))
    fragments.get("a")
    fragments.keep("d", Markup("x" * 10))
    assert [key for key in "abcd" if fragments.get(key) is not None] == ["a", "c", "d"]


def test_an_open_offer_is_drawn_each_time_since_its_waiting_grows() -> None:
    drawn = Drawn(Fragments(), "idea-1", "en", 1)
    offer = Entry(NOW, "offer", Offer("a", "b", "aoi", NOW, None, "", ()))
    drawn.keep(offer, Markup("waits for 1 day"))
    assert drawn.get(offer) is None
