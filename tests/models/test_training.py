"""Training: what is learnt from, the same bytes for the same inputs, and scores equal to those of the library."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neighbors import KNeighborsClassifier

from tasuki.errors import Invalid
from tasuki.models import Model, Target, category, cross, hour_of_day, number
from tasuki.models.artifact import prove, read_artifact, score_rows
from tasuki.models.encoding import codes_and_keys, to_raw
from tasuki.models.estimators import estimator_faults
from tasuki.models.training import Training, expected_scores, select_rows, train

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
FEATURES = (
    category("app"),
    hour_of_day("at", utc_offset_hours=9),
    cross("app", "slot"),
    number("minutes", bins=(5, 60), nullable=True),
    number("age"),
)


def model(estimator: Any, **changes: Any) -> Model:
    sound = Model(
        name="ctr",
        table="impressions",
        unit="user",
        time="at",
        target=Target("clicked", delay_hours=24, time="clicked_at"),
        features=FEATURES,
        estimator=estimator,
        buckets=2**18,
        intended_use="bids",
        unsuitable_use="credit",
        baseline="the click rate",
    )
    return replace(sound, **changes)


@pytest.fixture(scope="module")
def columns() -> dict[str, Any]:
    rng = np.random.default_rng(5)
    rows = 6_000
    at = np.datetime64("2026-03-01T00:00:00", "us") + np.sort(rng.integers(0, 8 * 86_400_000_000, rows))
    app = rng.integers(0, 6, rows)
    minutes = np.where(rng.random(rows) < 0.1, np.nan, rng.exponential(40, rows))
    age = rng.normal(40, 9, rows)
    odds = -2 + 0.4 * app + 0.03 * (age - 40) - 0.01 * np.nan_to_num(minutes)
    clicked = rng.random(rows) < 1 / (1 + np.exp(-odds))
    late = at + rng.integers(1, 30 * 3_600_000_000, rows).astype("timedelta64[us]")
    return {
        "user": np.asarray([f"u{one}" for one in rng.integers(0, 300, rows)], dtype=object),
        "at": at,
        "app": np.asarray([f"app{one}" for one in app], dtype=object),
        "slot": rng.integers(0, 3, rows),
        "minutes": minutes,
        "age": age,
        "clicked": clicked,
        "clicked_at": np.where(clicked, late, np.datetime64("NaT")),
    }


ESTIMATORS = {
    "logistic": lambda: LogisticRegression(C=2.0, max_iter=500, tol=1e-8),
    "sgd": lambda: SGDClassifier(loss="log_loss", max_iter=20, tol=None),
    "trees": lambda: LGBMClassifier(n_estimators=12, num_leaves=7),
}


@pytest.fixture(scope="module", params=sorted(ESTIMATORS))
def trained(request: pytest.FixtureRequest, columns: dict[str, Any]) -> Training:
    defined = model(ESTIMATORS[request.param]())
    return train(defined, select_rows(defined, columns), "hash")


def test_batch_and_row_scores_are_equal_to_the_bit(trained: Training, columns: dict[str, Any]) -> None:
    together = score_rows(trained.artifact, columns)
    for row in range(0, 6_000, 37):
        request = {one.name: to_raw(one.type, columns[one.name][row]) for one in trained.artifact.inputs.values()}
        assert trained.artifact.scorer.score_row(request) == together[row]


def test_same_inputs_give_the_same_files_and_another_seed_does_not(columns: dict[str, Any]) -> None:
    for make in ESTIMATORS.values():
        defined = model(make())
        first, again = (train(defined, select_rows(defined, columns), "hash").files for _ in range(2))
        assert first == again
        other = replace(defined, seed=2)
        assert train(other, select_rows(other, columns), "hash").files != first


def test_written_model_scores_as_the_one_in_memory(trained: Training, columns: dict[str, Any]) -> None:
    again = read_artifact("ctr", "v", trained.files)
    prove(again)
    assert (score_rows(again, columns) == score_rows(trained.artifact, columns)).all()


def test_logistic_scores_are_those_of_scikit_learn(columns: dict[str, Any]) -> None:
    from sklearn.preprocessing import OneHotEncoder

    defined = model(LogisticRegression(C=2.0, max_iter=2_000, tol=1e-10))
    rows = select_rows(defined, columns)
    trained = train(defined, rows, "hash")
    keys = []
    for feature in FEATURES:
        codes, names = codes_and_keys(feature, rows.columns)
        keys.append(np.asarray(names, dtype=object)[codes])
    ages = rows.columns["age"]
    encoder = OneHotEncoder(sparse_output=False)
    matrix = np.column_stack([encoder.fit_transform(np.column_stack(keys)), (ages - ages.mean()) / ages.std()])
    oracle = LogisticRegression(C=2.0, max_iter=2_000, tol=1e-10).fit(matrix, rows.labels).predict_proba(matrix)[:, 1]
    assert np.abs(score_rows(trained.artifact, rows.columns) - oracle).max() < 1e-4


def test_trees_score_as_lightgbm_itself(columns: dict[str, Any]) -> None:
    from lightgbm import Booster

    from tasuki.models.trees import TreesScorer, dense

    defined = model(LGBMClassifier(n_estimators=12, num_leaves=7))
    trained = train(defined, select_rows(defined, columns), "hash")
    scorer = trained.artifact.scorer
    assert isinstance(scorer, TreesScorer)
    matrix = dense(FEATURES, scorer.model.vocabularies, columns)
    oracle = Booster(model_str=trained.files["trees.txt"].decode()).predict(matrix, num_threads=1)
    assert (np.asarray(oracle) == score_rows(trained.artifact, columns)).all()


def test_unseen_categories_still_get_a_score(trained: Training) -> None:
    row = {"app": "never seen", "slot": 99, "at": "2026-04-01T00:00:00Z", "minutes": None, "age": 33.0}
    assert 0 < trained.artifact.scorer.score_row(row) < 1


def test_immature_rows_are_left_out_and_counted(columns: dict[str, Any]) -> None:
    defined, end = model(LogisticRegression()), START + timedelta(days=5)
    rows = select_rows(defined, columns, until=end)
    at = columns["at"].astype("datetime64[us]").astype(datetime)
    naive_end = end.replace(tzinfo=None)
    inside = [one for one in at if naive_end - timedelta(days=7) <= one < naive_end]
    mature = [one for one in inside if one + 24 * HOUR <= naive_end]
    assert len(rows.labels) == len(mature)
    assert rows.immature == len(inside) - len(mature) > 0
    assert rows.immature_share == pytest.approx(1 - len(mature) / len(inside))


def test_label_that_came_after_the_window_does_not_count(columns: dict[str, Any]) -> None:
    rows = select_rows(model(LogisticRegression()), columns)
    delay = rows.columns["clicked_at"] - rows.columns["at"]
    late = rows.columns["clicked"].astype(bool) & (delay > np.timedelta64(24, "h"))
    assert late.any()
    assert not rows.labels[late].any()
    assert (rows.labels == (rows.columns["clicked"].astype(bool) & ~late)).all()


def test_training_does_not_see_what_came_to_light_later(columns: dict[str, Any]) -> None:
    defined, end = model(LogisticRegression()), START + timedelta(days=5)
    changed = {**columns, "clicked": columns["clicked"].copy(), "clicked_at": columns["clicked_at"].copy()}
    later = columns["at"] + np.timedelta64(24, "h") > np.datetime64("2026-03-06T00:00:00")
    changed["clicked"][later] = ~changed["clicked"][later]
    one = train(defined, select_rows(defined, columns, until=end), "hash")
    two = train(defined, select_rows(defined, changed, until=end), "hash")
    assert one.files == two.files


@pytest.mark.parametrize(
    ("name", "value", "where"),
    [
        ("clicked", np.full(6_000, False), "clicked"),
        ("clicked", np.full(6_000, 2), "clicked"),
        ("clicked", np.full(6_000, np.nan), "clicked"),
        ("at", np.full(6_000, np.datetime64("NaT", "us")), "at"),
        ("at", np.arange(6_000), "at"),
        ("app", np.full(6_000, None), "app"),
        ("age", np.full(6_000, np.nan), "age"),
        ("age", np.full(6_000, "x", dtype=object), "age"),
    ],
)
def test_unusable_column_is_named(columns: dict[str, Any], name: str, value: Any, where: str) -> None:
    defined = model(LogisticRegression())
    with pytest.raises(Invalid) as refused:
        train(defined, select_rows(defined, {**columns, name: value}), "hash")
    assert [fault.where for fault in refused.value.faults] == [where]


def test_window_without_mature_rows_is_refused(columns: dict[str, Any]) -> None:
    with pytest.raises(Invalid, match="no row"):
        select_rows(model(LogisticRegression()), columns, until=START + timedelta(hours=12))


@pytest.mark.parametrize(
    "estimator", [KNeighborsClassifier(), SGDClassifier(), LogisticRegression, "logistic", None, object()]
)
def test_estimator_that_cannot_be_kept_without_pickle_is_refused(estimator: Any) -> None:
    assert [fault.where for fault in estimator_faults(estimator)] == ["estimator"]


def test_expected_scores_cover_every_row_once() -> None:
    scores = np.asarray([0.1] * 50 + [0.2] * 30 + list(np.linspace(0.3, 0.9, 20)))
    expected = expected_scores(scores)
    assert sum(expected["shares"]) == pytest.approx(1)
    assert len(expected["shares"]) == len(expected["edges"]) + 1
    assert expected_scores(np.full(9, 0.5))["edges"] == [0.5]
