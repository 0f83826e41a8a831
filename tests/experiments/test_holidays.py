"""A plan in the calendar: holidays are shown, the next clean days are named, and looking early costs what it costs."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tasuki
from tasuki.actions.plan import read_calendar_file
from tasuki.cli.main import main
from tasuki.errors import Invalid, Missing
from tasuki.experiments.holidays import Holiday, planned_window, read_holidays
from tasuki.stats.sequential import Boundary

FIRST = date(2026, 4, 20)
CALENDAR = """
[[holiday]]
date = 2026-04-29
title = "昭和の日"

[[holiday]]
from = 2026-05-03
to = 2026-05-06
title = "連休"
"""


def test_a_window_with_holidays_names_them_and_the_next_without() -> None:
    holidays = (Holiday(date(2026, 4, 29), "昭和の日"), Holiday(date(2026, 5, 3), "憲法記念日"))
    window = planned_window(FIRST, 14, 3, holidays)
    assert (window.last, window.ready) == (date(2026, 5, 3), date(2026, 5, 7))
    assert [one.title for one in window.holidays] == ["昭和の日", "憲法記念日"]
    assert window.next_clean == date(2026, 5, 4)
    clean = planned_window(date(2026, 5, 4), 14, 0, holidays)
    assert (clean.holidays, clean.next_clean, clean.ready) == ((), None, date(2026, 5, 18))


@settings(deadline=None)
@given(st.sets(st.integers(0, 120), max_size=15), st.integers(1, 28))
def test_the_next_clean_window_is_the_first_and_is_clean(days_off: set[int], days: int) -> None:
    holidays = [Holiday(FIRST + timedelta(days=one), "x") for one in days_off]
    window = planned_window(FIRST, days, 0, holidays)
    inside = [one for one in sorted(days_off) if one < days]
    assert [(one.day - FIRST).days for one in window.holidays] == inside
    wanted = next(n for n in range(1, 400) if not days_off & set(range(n, n + days))) if inside else None
    assert window.next_clean == (None if wanted is None else FIRST + timedelta(days=wanted))


def test_a_calendar_is_read_or_says_every_fault(tmp_path: Path) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(CALENDAR, encoding="utf-8")
    assert [one.day.day for one in read_calendar_file(path)] == [29, 3, 4, 5, 6]
    with pytest.raises(Invalid) as caught:
        read_holidays(
            {
                "holiday": [
                    {"date": "2026-01-01", "title": "x"},
                    {"date": date(2026, 1, 1)},
                    {"from": date(2026, 1, 2), "to": date(2026, 1, 1), "title": "x"},
                    {"date": date(2026, 1, 1), "title": "x", "note": 1},
                    7,
                ],
                "holidays": [],
            }
        )
    for where in ("holiday.0", "holiday.1.title", "holiday.2", "holiday.3.note", "holiday.4", "holidays"):
        assert where in str(caught.value)
    with pytest.raises(Missing, match="no calendar"):
        read_calendar_file(tmp_path / "none.toml")
    path.write_text("[[holiday", encoding="utf-8")
    with pytest.raises(Invalid, match="cannot be read"):
        read_calendar_file(path)


def test_the_command_adds_the_label_delay_and_warns_of_holidays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "calendar.toml"
    path.write_text(CALENDAR, encoding="utf-8")
    asked = ["plan", "--kind", "proportion", "--baseline", "0.1", "--mde", "0.01", "--units-per-day", "3000"]
    asked += ["--label-delay", "3", "--start", "2026-04-20", "--calendar", str(path)]
    assert main([*asked, "--json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["decision_days"] == plan["whole_weeks_days"] + 3 == 17
    assert plan["window"]["ready"] == "2026-05-07"
    assert [one["title"] for one in plan["window"]["holidays"]] == ["昭和の日", "連休"]
    assert main(asked) == 0
    told = capsys.readouterr().out
    assert "昭和の日" in told
    assert "begins 2026-05-07" in told


def test_looking_early_keeps_the_power_at_the_end() -> None:
    known = {"kind": "mean", "baseline": 1.0, "variance": 4.0, "mde": 0.1}
    once, always = tasuki.plan(**known), tasuki.plan(**known, looking="always_valid")
    assert always.units == pytest.approx(once.units * always.inflation, rel=1e-3)
    assert always.inflation > 1.5
    critical = Boundary(always.units, 0.05, always.units).critical
    error = (4 * 4.0 / always.units) ** 0.5
    found = (np.abs(np.random.default_rng(1).normal(0.1, error, 40_000)) > critical * error).mean()
    assert found == pytest.approx(0.8, abs=0.01)
    planned = tasuki.plan(**known, looking="group_sequential", looks=(0.5, 1.0))
    assert 1 < planned.inflation < 1.05
    assert planned.power == pytest.approx(0.8, abs=1e-3)


def test_unequal_shares_take_more_units() -> None:
    known = {"kind": "mean", "baseline": 1.0, "variance": 4.0, "mde": 0.1}
    assert tasuki.plan(**known, split=(0.9, 0.1)).units == pytest.approx(
        tasuki.plan(**known).units * 0.25 / 0.09, rel=0.01
    )


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"looking": "group_sequential"}, "are no looks"),
        ({"looking": "group_sequential", "looks": (0.7, 0.5, 1.0)}, "are no looks"),
        ({"looking": "sometimes"}, "no way to look"),
        ({"label_delay_days": -1}, "label_delay_days"),
        ({"split": (0.5, 0.6)}, "no split"),
    ],
)
def test_what_cannot_be_planned_says_why(options: dict, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        tasuki.plan(kind="mean", baseline=1.0, variance=4.0, mde=0.1, **options)
