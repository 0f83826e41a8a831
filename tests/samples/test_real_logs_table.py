"""A log in the workspace's own columns: every kind of moment, unit and feature, and every fault counted."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.errors import Invalid
from tasuki.samples.mapping import (
    FeatureColumn,
    LabelColumn,
    LogMapping,
    ModelFiles,
    TimeColumn,
    UnitColumns,
)
from tasuki.samples.real_logs import earlier_rows, impressions_of


def mapping(time=None, label=None, unit=None, features=None, **more):
    return LogMapping(
        name="shop",
        time=time or TimeColumn("when"),
        unit=unit or UnitColumns(("who",)),
        label=label or LabelColumn("click", "hit"),
        features=features or (FeatureColumn("app"),),
        models=ModelFiles("a.py", "b.py"),
        **more,
    )


def texts(*values):
    return np.array(values, dtype=object)


def columns(**more):
    return {
        "when": texts("2026-04-01T00:00:02Z", "2026-04-01T09:00:01+09:00", "2026-04-01T00:00:03Z"),
        "who": np.array([7, 8, 7]),
        "hit": np.array([0, 1, 0]),
        "app": np.array([3, 4, 5]),
    } | more


def test_rows_are_sorted_by_time_and_zones_become_utc():
    table = impressions_of(mapping(), columns()).table
    assert table["at"].to_pylist() == [datetime(2026, 4, 1, 0, 0, second, tzinfo=UTC) for second in (1, 2, 3)]
    assert table["user"].to_pylist() == ["8", "7", "7"]
    assert table["app"].to_pylist() == ["4", "3", "5"]
    assert table["clicked"].to_pylist() == [True, False, False]
    assert table["clicked_at"].null_count == 3


@pytest.mark.parametrize(
    ("time", "values"),
    [
        (TimeColumn("when", "unix_s"), np.array([1_775_001_600, 1_775_001_601, 1_775_001_602])),
        (TimeColumn("when", "unix_ms"), np.array([1_775_001_600_000, 1_775_001_601_000, 1_775_001_602_000])),
        (TimeColumn("when", "%d.%m.%Y %H:%M:%S", 9.0), texts(*(f"01.04.2026 09:00:0{one}" for one in range(3)))),
        (TimeColumn("when", "iso", 9.0), np.array(["2026-04-01T09:00:00"], "M8[us]") + np.arange(3) * 1_000_000),
    ],
)
def test_every_way_of_writing_a_moment_gives_the_same(time, values):
    table = impressions_of(mapping(time), columns(when=values)).table
    assert table["at"].to_pylist() == [datetime(2026, 4, 1, 0, 0, second, tzinfo=UTC) for second in range(3)]


def test_units_of_several_columns_are_joined_and_hashed_when_asked():
    given_columns = columns(device=texts("a", "b", "a"))
    joined = impressions_of(mapping(unit=UnitColumns(("who", "device"))), given_columns).table
    assert joined["user"].to_pylist() == ["8:b", "7:a", "7:a"]
    hashed = impressions_of(mapping(unit=UnitColumns(("who", "device"), hashed=True)), given_columns).table
    assert [len(one) for one in hashed["user"].to_pylist()] == [16, 16, 16]
    assert hashed["user"][1] == hashed["user"][2] != hashed["user"][0]


def test_features_of_every_type_and_the_logged_policy_are_there():
    features = (
        FeatureColumn("place", columns=("app", "who")),
        FeatureColumn("age", "number", "years"),
        FeatureColumn("before", "earlier_rows", columns=("who",)),
    )
    made = impressions_of(
        mapping(features=features, price="cost", logged={"action": "app", "propensity": "p"}),
        columns(years=np.array([1.5, np.nan, 3]), cost=np.array([5, 6, 7]), p=np.array([0.1, 0.2, 0.3])),
    ).table
    assert made["place"].to_pylist() == ["4:8", "3:7", "5:7"]
    assert made["age"].to_pylist() == [None, 1.5, 3.0]
    assert made["before"].to_pylist() == [0.0, 0.0, 1.0]
    assert made["price"].to_pylist() == [6.0, 5.0, 7.0]
    assert made["action"].to_pylist() == ["4", "3", "5"]
    assert made["propensity"].to_pylist() == [0.2, 0.1, 0.3]


def test_the_moment_of_a_label_is_kept_for_positives_only_and_doubts_are_said():
    label = LabelColumn("install", "hit", "hit_at", 24)
    known = texts("2026-04-01T05:00:00Z", "2026-03-01T05:00:00Z", None)
    log = impressions_of(mapping(label=label), columns(hit_at=known))
    assert log.table["installed_at"].null_count == 2
    assert {concern.code for concern in log.concerns} == {"few_positives", "label_before_row", "time_without_label"}


def test_every_fault_of_the_rows_is_counted_at_once():
    label = LabelColumn("install", "hit", "hit_at")
    features = (FeatureColumn("age", "number", "years"),)
    wrong = columns(
        when=texts("2026-04-01T00:00:02Z", "soon", None),
        hit=np.array([0, 2, 1]),
        hit_at=texts(None, "later", ""),
        who=texts("a", None, "b"),
        years=texts("1", "old", None),
    )
    with pytest.raises(Invalid) as caught:
        impressions_of(mapping(label=label, features=features), wrong)
    faults = {fault.where: fault.what for fault in caught.value.faults}
    assert set(faults) == {"when", "hit", "hit_at", "who", "years"}
    assert faults["when"].startswith("2 rows are no moment (row 2: 'soon'")
    assert faults["hit_at"].startswith("1 rows")
    assert faults["years"].startswith("1 rows")


@given(st.lists(st.sampled_from("abc"), max_size=30))
def test_earlier_rows_counts_what_came_before(keys):
    assert earlier_rows(keys).tolist() == [keys[:place].count(key) for place, key in enumerate(keys)]
