"""Which language a reader gets, and how dates and numbers look in it."""

import math
from datetime import UTC, date, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.web.language import Formats, accepted_language, choose_language

EN, JA = Formats("en"), Formats("ja")


@pytest.mark.parametrize(
    ("asked", "kept", "accept", "default", "expected"),
    [
        ("en", "ja", "ja", "ja", "en"),
        (None, "en", "ja", "ja", "en"),
        (None, None, "fr;q=1, en-GB;q=0.8, ja;q=0.9", "en", "ja"),
        (None, None, "fr", "ja", "ja"),
        ("xx", "yy", None, "zz", "en"),
        (None, None, "ja;q=0, en;q=0.1", "ja", "en"),
    ],
)
def test_the_address_wins_then_the_cookie_then_the_browser_then_the_workspace(
    asked, kept, accept, default, expected
) -> None:
    assert choose_language(asked, kept, accept, default) == expected


@given(st.text(max_size=60))
def test_no_accept_language_header_can_break_a_page(header: str) -> None:
    assert accepted_language(header) in {"ja", "en", None}


def test_days_are_written_as_each_language_does() -> None:
    assert JA.day(date(2026, 11, 3)) == "2026年11月3日"
    assert EN.day(date(2026, 11, 23)) == "23 Nov 2026"
    assert JA.days(3) == "3日"
    assert EN.days(1) == "1 day"
    assert EN.days(2.46) == "2.5 days"
    assert JA.days(0.25) == "6時間"
    assert [JA.days(seconds / 86400) for seconds in (5, 60, 59.4 * 60, 3600)] == ["1分未満", "1分", "59分", "1時間"]
    assert [EN.days(seconds / 86400) for seconds in (5, 1800, 7200)] == ["under a minute", "30 min", "2 h"]
    assert EN.days(None) == "–"


def test_a_moment_is_written_in_utc_whatever_zone_it_came_in() -> None:
    tokyo = datetime(2026, 1, 1, 3, 0, tzinfo=timezone(timedelta(hours=9)))
    assert EN.day(tokyo) == "31 Dec 2025"
    assert EN.moment(datetime(2026, 1, 1, 3, 5, tzinfo=UTC)) == "1 Jan 2026 03:05 UTC"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567, "1,234,567"),
        (0.022429, "0.02243"),
        (-4.56e-5, "−0.0000456"),
        (1.5, "1.5"),
        (0.0002, "0.0002"),
        (0, "0"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_numbers_keep_their_significant_digits(value, text) -> None:
    assert EN.number(value) == text


def test_changes_carry_their_sign() -> None:
    assert EN.percent_change(0.031) == "+3.1%"
    assert JA.percent_change(-0.018) == "−1.8%"
    assert EN.percent_change(0.0) == "0.0%"
    assert EN.change(0.0035) == "+0.0035"
    assert EN.p_value(0.0004) == "<0.001"


@given(st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12))
def test_a_written_number_reads_back_within_its_digits(value: float) -> None:
    read = float(EN.number(value, 4).replace(",", "").replace("−", "-"))
    assert math.isclose(read, value, rel_tol=6e-4, abs_tol=1e-300)
