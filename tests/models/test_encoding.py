"""Features of a table and of one row are the same, whatever the values; wrong values are named."""

import math
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import mmh3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasuki.models import category, cross, day_of_week, hour_of_day, number, time_part
from tasuki.models.encoding import WrongValue, codes_and_keys, key_of, plain_column, slot_of, to_raw
from tasuki.models.features import Feature

CATEGORIES = st.one_of(st.text(max_size=4), st.integers(-(10**20), 10**20), st.booleans(), st.none())
NUMBERS = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6), st.none())
MOMENTS = st.datetimes(datetime(3, 1, 1), datetime(9997, 12, 31)).flatmap(
    lambda at: st.integers(-12, 14).map(lambda hours: at.replace(tzinfo=timezone(timedelta(hours=hours))).isoformat())
)
FEATURES: list[Feature] = [
    category("a", nullable=True),
    cross("a", "b", nullable=True),
    cross("a", "b", "c", nullable=True),
    hour_of_day("at", nullable=True),
    hour_of_day("at", utc_offset_hours=5.5, nullable=True),
    day_of_week("at", utc_offset_hours=9, nullable=True),
    time_part("at", "hour_of_week", utc_offset_hours=-3.5, nullable=True),
    time_part("at", "day_of_month", nullable=True),
    time_part("at", "month", utc_offset_hours=14, nullable=True),
    number("x", nullable=True),
    number("x", bins=(-1.5, 0, 0.1, 100), nullable=True),
]
ROWS = st.fixed_dictionaries(
    {"a": CATEGORIES, "b": CATEGORIES, "c": CATEGORIES, "at": st.one_of(MOMENTS, st.none()), "x": NUMBERS}
)


@settings(max_examples=150, deadline=None)
@given(st.lists(ROWS, min_size=1, max_size=8))
def test_table_and_row_give_the_same_keys(rows: list[dict[str, Any]]) -> None:
    columns = {name: plain_column([row[name] for row in rows]) for name in rows[0]}
    for feature in FEATURES:
        codes, keys = codes_and_keys(feature, columns)
        assert [keys[code] for code in codes] == [key_of(feature, row) for row in rows]


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-(2**53), 2**53), min_size=1, max_size=6), st.lists(MOMENTS, min_size=1, max_size=6))
def test_typed_columns_of_a_table_match_the_request_made_of_them(numbers: list[int], texts: list[str]) -> None:
    moments = [datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None) for text in texts]
    columns = {"a": np.asarray(numbers), "at": np.asarray(moments, dtype="datetime64[us]")}
    for feature, kind in ((category("a"), "category"), (number("a", bins=(0, 9)), "number")):
        codes, keys = codes_and_keys(feature, columns)
        requests = [to_raw(kind, value) for value in columns["a"]]  # type: ignore[arg-type]  # both are input types
        assert [keys[code] for code in codes] == [key_of(feature, {"a": one}) for one in requests]
    tokyo = hour_of_day("at", utc_offset_hours=9)
    codes, keys = codes_and_keys(tokyo, columns)
    requests = [to_raw("time", value) for value in columns["at"]]
    assert [keys[code] for code in codes] == [key_of(tokyo, {"at": one}) for one in requests]


def test_hour_is_that_of_the_clock_people_live_by() -> None:
    at = "2026-03-01T20:30:00+00:00"
    assert key_of(hour_of_day("at"), {"at": at}) == "at@20"
    assert key_of(hour_of_day("at", utc_offset_hours=9), {"at": at}) == "at@5"
    assert key_of(hour_of_day("at", utc_offset_hours=9), {"at": "2026-03-02T05:30:00+09:00"}) == "at@5"


def test_parts_of_a_moment_are_those_of_the_clock_people_live_by() -> None:
    # 2026-03-01 was a Sunday in London, and in Tokyo already Monday the 2nd.
    at = {"at": "2026-03-01T20:30:00+00:00"}
    assert key_of(day_of_week("at"), at) == "at@day_of_week:6"
    assert key_of(day_of_week("at", utc_offset_hours=9), at) == "at@day_of_week:0"
    assert key_of(time_part("at", "hour_of_week", utc_offset_hours=9), at) == "at@hour_of_week:5"
    assert key_of(time_part("at", "day_of_month", utc_offset_hours=9), at) == "at@day_of_month:2"
    assert key_of(time_part("at", "month"), at) == "at@month:3"


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    feature = number("x", bins=(1, 2))
    assert [key_of(feature, {"x": x}) for x in (0.99, 1, 1.5, 2, 99)] == ["x#0", "x#1", "x#1", "x#2", "x#2"]


def test_whole_numbers_texts_and_floats_are_one_category() -> None:
    assert {key_of(category("a"), {"a": value}) for value in (3, 3.0, "3", np.int64(3))} == {"a=3"}
    assert key_of(category("a"), {"a": True}) == key_of(category("a"), {"a": "true"})


def test_slots_are_murmur3_of_the_key() -> None:
    # Another runtime needs nothing but MurmurHash3 x86 32-bit: these are its published test vectors.
    assert mmh3.hash("", 1, signed=False) == 0x514E28B7
    assert slot_of("", 1, 2**32) == 0x514E28B7
    assert slot_of("", 1, 1000) == 0x514E28B7 % 1000


@pytest.mark.parametrize(
    ("feature", "value"),
    [
        (category("a"), None),
        (category("a"), math.nan),
        (category("a"), ["x"]),
        (category("a"), {"x": 1}),
        (number("a"), None),
        (number("a"), math.nan),
        (number("a"), math.inf),
        (number("a"), "3"),
        (number("a"), True),
        (number("a"), 10**400),
        (hour_of_day("a"), None),
        (hour_of_day("a"), "yesterday"),
        (hour_of_day("a"), "2026-03-01T00:00:00"),
        (hour_of_day("a"), 1_700_000_000),
        (hour_of_day("a", utc_offset_hours=9), "9999-12-31T23:00:00Z"),
    ],
)
def test_wrong_value_is_refused_in_a_row_and_in_a_table(feature: Feature, value: Any) -> None:
    with pytest.raises(WrongValue) as alone:
        key_of(feature, {"a": value})
    assert alone.value.column == "a"
    with pytest.raises(WrongValue):
        codes_and_keys(feature, {"a": plain_column([value])})


def test_cross_of_many_large_columns_does_not_overflow() -> None:
    rng = np.random.default_rng(3)
    names = [f"c{place}" for place in range(6)]
    columns = {name: rng.integers(0, 2**60, 3_000) for name in names}
    codes, keys = codes_and_keys(cross(*names), columns)
    for row in (0, 17, 2_999):
        assert keys[codes[row]] == key_of(cross(*names), {name: int(columns[name][row]) for name in names})
