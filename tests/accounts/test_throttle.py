"""Waiting after failed sign-ins."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tasuki.accounts.throttle import Limit, wait_s

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LIMIT = Limit(5, timedelta(minutes=15))
moments = st.lists(st.integers(0, 3600).map(lambda ago: NOW - timedelta(seconds=ago)), max_size=30)


def test_a_few_mistakes_cost_nothing() -> None:
    assert wait_s([NOW - timedelta(seconds=1)] * 4, NOW, LIMIT) == 0


def test_the_fifth_mistake_costs_the_rest_of_the_window() -> None:
    assert wait_s([NOW - timedelta(minutes=5)] * 5, NOW, LIMIT) == 600


@given(failures=moments)
def test_after_the_wait_the_next_try_is_allowed(failures: list[datetime]) -> None:
    wait = wait_s(failures, NOW, LIMIT)
    assert 0 <= wait <= LIMIT.window.total_seconds()
    assert wait_s(failures, NOW + timedelta(seconds=wait), LIMIT) == 0


@given(failures=moments)
def test_one_mistake_more_never_shortens_the_wait(failures: list[datetime]) -> None:
    assert wait_s([*failures, NOW], NOW, LIMIT) >= wait_s(failures, NOW, LIMIT)
