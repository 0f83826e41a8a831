"""One definition, two ways to compute: the score of a table's row and of the request made of it are the same bits."""

import math
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression

from tasuki.models import Model, Target, category, count_over, cross, day_of_week, hour_of_day, number, time_part
from tasuki.models.artifact import Artifact, score_rows
from tasuki.models.counting import with_counts
from tasuki.models.encoding import to_raw
from tasuki.models.training import select_rows, train

FEATURES = (
    category("app", nullable=True),
    cross("app", "slot", nullable=True),
    hour_of_day("at", utc_offset_hours=9),
    day_of_week("at", utc_offset_hours=-9.5),
    time_part("seen", "hour_of_week", nullable=True),
    time_part("seen", "month", nullable=True),
    number("age", nullable=True),
    number("minutes", bins=(-1, 0, 5.5, 60), nullable=True),
    count_over("2d", by="user"),
    count_over("1d", by="user", event="clicked_at", lag="1h", bins=(1, 2, 4)),
)
MODEL = Model(
    name="ctr",
    table="impressions",
    unit="user",
    time="at",
    target=Target("clicked", time="clicked_at", delay_hours=5),
    features=FEATURES,
    estimator=None,
    buckets=2**10,
    intended_use="a",
    unsuitable_use="b",
    baseline="c",
)
ESTIMATORS: dict[str, Any] = {
    "linear": LogisticRegression(max_iter=60),
    "trees": LGBMClassifier(n_estimators=20, num_leaves=15, min_child_samples=5),
}


def table(rows: int = 1_500) -> dict[str, Any]:
    rng = np.random.default_rng(8)
    at = np.datetime64("2026-03-01T00:00:00", "us") + np.sort(rng.integers(0, 6 * 86_400_000_000, rows))
    app = rng.integers(0, 7, rows)
    clicked = rng.random(rows) < 0.1 + app / 20
    return {
        "at": at,
        "user": np.asarray([f"u{one}" for one in rng.integers(0, 60, rows)], dtype=object),
        "app": np.asarray([None if one == 6 else f"app{one}" for one in app], dtype=object),
        "slot": rng.integers(0, 3, rows),
        "seen": np.where(rng.random(rows) < 0.2, np.datetime64("NaT"), at - rng.integers(0, 10**12, rows)),
        "age": np.where(rng.random(rows) < 0.1, np.nan, rng.normal(40, 9, rows)),
        "minutes": rng.exponential(40, rows),
        "clicked": clicked,
        "clicked_at": np.where(clicked, at + rng.integers(0, 10**10, rows), np.datetime64("NaT")),
    }


@pytest.fixture(scope="module", params=sorted(ESTIMATORS))
def artifact(request: pytest.FixtureRequest) -> Artifact:
    model = replace(MODEL, estimator=ESTIMATORS[request.param])
    columns = with_counts(FEATURES, "at", table())
    return train(model, select_rows(model, columns), "hash").artifact


MOMENTS = st.datetimes(datetime(3, 1, 1), datetime(9997, 12, 31)).flatmap(
    lambda at: st.integers(-840, 840).map(lambda minutes: at.replace(tzinfo=timezone(timedelta(minutes=minutes))))
)
# Far beyond anything seen in training, but not so far that a standardised number overflows.
NUMBERS = st.floats(-1e200, 1e200) | st.integers(-(2**70), 2**70) | st.sampled_from([0.0, -0.0, 5e-324, 5.5, -1])
CATEGORIES = st.text(max_size=5) | st.sampled_from([f"app{one}" for one in range(7)]) | st.integers() | st.booleans()
COUNTS = st.integers(0, 10**9)
REQUESTS = st.fixed_dictionaries(
    {
        "at": MOMENTS.map(datetime.isoformat),
        "seen": st.none() | MOMENTS.map(datetime.isoformat),
        "app": st.none() | CATEGORIES,
        "slot": st.none() | CATEGORIES,
        "age": st.none() | NUMBERS,
        "minutes": st.none() | NUMBERS,
        "count_2d_by_user": COUNTS,
        "count_1d_by_user_of_clicked_at_lag_1h": COUNTS,
    }
)


@settings(max_examples=150, deadline=None)
@given(requests=st.lists(REQUESTS, min_size=1, max_size=6))
def test_row_batch_and_prepared_row_score_the_same_bits(artifact: Artifact, requests: list[dict[str, Any]]) -> None:
    together = score_rows(artifact, {name: [one[name] for one in requests] for name in artifact.inputs}).tolist()
    names = list(artifact.inputs)
    prepared = artifact.scorer.from_values(names)
    for request, batch in zip(requests, together, strict=True):
        assert math.isfinite(batch)
        assert artifact.scorer.score_row(request) == batch
        assert prepared([request[name] for name in names]) == batch


def test_rows_of_the_training_table_score_the_same_as_the_requests_made_of_them(artifact: Artifact) -> None:
    columns = with_counts(FEATURES, "at", table())
    together = score_rows(artifact, columns)
    for row in range(0, 1_500, 7):
        request = {one.name: to_raw(one.type, columns[one.name][row]) for one in artifact.inputs.values()}
        assert artifact.scorer.score_row(request) == together[row]
