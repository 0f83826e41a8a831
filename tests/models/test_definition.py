"""What a model's definition says is wrong with it, before any data is read."""

from dataclasses import replace
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, category, count_over, cross, hour_of_day, number, time_part
from tasuki.models.definition import definition_faults

SOUND = Model(
    name="ctr",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked", delay_hours=24, time="clicked_at"),
    features=(category("app"), cross("app", "slot"), hour_of_day("at"), number("minutes", bins=(1, 10))),
    estimator=LogisticRegression(),
    segments=("os",),
    intended_use="bids",
    unsuitable_use="credit",
    baseline="the click rate",
)


def test_sound_definition_has_no_fault() -> None:
    assert definition_faults(SOUND) == []


def test_columns_are_named_once_in_order() -> None:
    assert SOUND.columns == ("user", "at", "clicked", "clicked_at", "app", "slot", "minutes", "os")
    assert SOUND.inputs == {"app": "category", "slot": "category", "at": "time", "minutes": "number"}


def test_a_count_asks_the_table_for_what_it_counts_and_the_request_for_the_number() -> None:
    counted = replace(SOUND, features=(count_over("7d", by="user", event="clicked_at"),))
    assert definition_faults(counted) == []
    assert counted.inputs == {"count_7d_by_user_of_clicked_at": "number"}
    assert counted.columns == ("user", "at", "clicked", "clicked_at", "os")


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"name": "../ctr"}, "name"),
        ({"name": 3}, "name"),
        ({"table": ""}, "table"),
        ({"features": ()}, "features"),
        ({"features": "app"}, "features"),
        ({"features": (category("app"), "slot")}, "features.1"),
        ({"features": (category("app"), category("app"))}, "features.app"),
        ({"features": (cross("app"),)}, "features.app"),
        ({"features": (number("minutes", bins=(3, 1)),)}, "features.minutes"),
        ({"features": (hour_of_day("at", utc_offset_hours=30),)}, "features.hour_of_day(at)"),
        ({"features": (time_part("at", "week"),)}, "features.week(at)"),
        ({"features": (time_part("at", "month", utc_offset_hours=15),)}, "features.month(at)"),
        ({"features": (count_over("7 days", by="user"),)}, "features.count_7 days_by_user"),
        ({"features": (count_over("1h", by="user", lag="60m"),)}, "features.count_1h_by_user_lag_60m"),
        ({"features": (count_over("1h", by=""),)}, "features.count_1h_by_"),
        ({"features": (count_over("1h", by="user", name="user"),)}, "features.user"),
        ({"features": (category("clicked"),)}, "features.clicked"),
        ({"features": (category("app"), number("app"))}, "features.app"),
        ({"buckets": 1}, "buckets"),
        ({"buckets": 2.5}, "buckets"),
        ({"training_days": 0}, "training_days"),
        ({"target": "clicked"}, "target"),
        ({"target": Target("clicked", delay_hours=-1)}, "target.delay_hours"),
        ({"target": Target("clicked", delay_hours="24")}, "target.delay_hours"),  # type: ignore[arg-type]
        ({"target": Target(3)}, "target.column"),  # type: ignore[arg-type]
        ({"segments": (3,)}, "segments"),
        ({"features": (number("minutes", bins=(1, "2")),)}, "features.minutes"),  # type: ignore[arg-type]
        ({"features": (hour_of_day("at", utc_offset_hours="9"),)}, "features.hour_of_day(at)"),  # type: ignore[arg-type]
        ({"intended_use": ""}, "intended_use"),
        ({"max_size_mb": 0}, "max_size_mb"),
    ],
)
def test_fault_is_named(change: dict[str, Any], where: str) -> None:
    assert where in [fault.where for fault in definition_faults(replace(SOUND, **change))]


def test_all_faults_are_named_at_once() -> None:
    wrong = replace(SOUND, name="a b", buckets=0, baseline="", features=(cross("app"), number("m", bins=(2, 2))))
    assert {fault.where for fault in definition_faults(wrong)} == {
        "name",
        "buckets",
        "baseline",
        "features.app",
        "features.m",
    }
