"""Counts over windows: the table, one row after the other and a slow count agree, and nothing of later leaks."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.models import count_over
from tasuki.models.counting import WindowCounter, count_table, with_counts
from tasuki.models.encoding import WrongValue, plain_column
from tasuki.models.features import CountOver, duration_us

START = datetime(2026, 3, 1, tzinfo=UTC)
# Minutes, so that rows share moments and lie exactly on the edges of windows.
MINUTES = st.integers(-100_000, 100_000) | st.integers(0, 130)
ROWS = st.lists(
    st.tuples(MINUTES, st.sampled_from(["a", "b", "c", None, 7, True]), st.none() | st.integers(0, 90)), max_size=14
)
COUNTS = st.builds(
    lambda window, lag, event: count_over(window, by="user", lag=lag, event=event, nullable=True),
    st.sampled_from(["45m", "1h", "2d", "9w"]),
    st.sampled_from(["0h", "10m", "30m"]),
    st.sampled_from([None, "clicked_at"]),
)


def columns_of(rows: list[tuple[int, Any, int | None]]) -> dict[str, Any]:
    at = [START + timedelta(minutes=minute) for minute, _, _ in rows]
    clicked = [
        None if later is None else one + timedelta(minutes=later) for one, (_, _, later) in zip(at, rows, strict=True)
    ]
    bare = [[one and one.replace(tzinfo=None) for one in moments] for moments in (at, clicked)]
    return {
        "at": np.asarray(bare[0], dtype="datetime64[us]"),
        "clicked_at": np.asarray(bare[1], dtype="datetime64[us]"),
        "user": plain_column([user for _, user, _ in rows]),
    }


def obvious(feature: CountOver, rows: list[tuple[int, Any, int | None]]) -> list[float | None]:
    """Every pair of rows, by the words of the definition."""
    window, lag = feature.window_us // 60_000_000, feature.lag_us // 60_000_000
    counts: list[float | None] = []
    for minute, user, _ in rows:
        happened = [
            at if feature.event is None else at + later
            for at, other, later in rows
            if (type(other), other) == (type(user), user) and (feature.event is None or later is not None)
        ]
        counts.append(None if user is None else sum(minute - window <= one < minute - lag for one in happened))
    return counts


@settings(max_examples=200, deadline=None)
@given(feature=COUNTS, rows=ROWS.filter(bool))
def test_table_one_row_at_a_time_and_the_obvious_count_agree(
    feature: CountOver, rows: list[tuple[int, Any, int | None]]
) -> None:
    columns = columns_of(rows)
    table = [None if np.isnan(one) else one for one in count_table(feature, "at", columns).tolist()]
    assert table == obvious(feature, rows)
    counter, moments = WindowCounter(feature), []
    for minute, user, later in rows:
        at = START + timedelta(minutes=minute)
        moments.append((user, at))
        happened = at if feature.event is None else None if later is None else at + timedelta(minutes=later)
        if happened is not None:
            counter.add(user, happened)
    assert [counter.count(user, at) for user, at in moments] == table


@settings(max_examples=60, deadline=None)
@given(feature=COUNTS, rows=ROWS.filter(bool), later=ROWS, cut=st.integers(0, 130))
def test_what_happens_later_changes_no_count(
    feature: CountOver, rows: list[tuple[int, Any, int | None]], later: list[tuple[int, Any, int | None]], cut: int
) -> None:
    before = [row for row in rows if row[0] <= cut] or [(cut, "a", None)]
    after = [(cut + abs(minute), user, wait) for minute, user, wait in later]
    alone = count_table(feature, "at", columns_of(before))
    together = count_table(feature, "at", columns_of([*before, *after]))
    assert np.array_equal(alone, together[: len(before)], equal_nan=True)


def test_count_is_a_column_under_the_features_name() -> None:
    feature = count_over("7d", by="user", bins=(1, 5))
    assert feature.name == "count_7d_by_user"
    assert feature.inputs == (("count_7d_by_user", "number"),)
    columns = columns_of([(0, "a", None), (1, "a", None), (2, "b", None)])
    assert with_counts((feature,), "at", columns)["count_7d_by_user"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("text", ["", "7", "d", "7 d", "-7d", "1.5h", "7D", 7, None])
def test_what_is_no_duration_is_refused(text: Any) -> None:
    with pytest.raises(ValueError, match="no duration"):
        duration_us(text)


def test_column_that_holds_no_moments_is_named() -> None:
    columns = {**columns_of([(0, "a", None)]), "clicked_at": np.asarray([3])}
    with pytest.raises(WrongValue, match="clicked_at"):
        count_table(count_over("1h", by="user", event="clicked_at"), "at", columns)
