"""What a model's definition says is wrong with it, before any data is read."""

from dataclasses import replace
from typing import Any

import pytest
from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, category, cross, hour_of_day, number
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
        ({"features": (category("clicked"),)}, "features.clicked"),
        ({"features": (category("app"), number("app"))}, "features.app"),
        ({"buckets": 1}, "buckets"),
        ({"buckets": 2.5}, "buckets"),
        ({"training_days": 0}, "training_days"),
        ({"target": "clicked"}, "target"),
        ({"target": Target("clicked", delay_hours=-1)}, "target.delay_hours"),
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
