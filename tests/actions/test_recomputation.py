"""Logged scores computed again: exact for every form but ONNX, which is held to what 32 bits can."""

from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from tasuki.actions.recomputation import recompute
from tasuki.actions.score_cause import cause_of
from tasuki.experiments.check import PROBES, Recomputed, Seen, Thresholds
from tasuki.experiments.check.case import Case
from tasuki.flow.records import Probe
from tasuki.models import Model, Target, category, number
from tasuki.models.artifact import ONNX_TOLERANCE, Artifact
from tasuki.models.encoding import to_raw
from tasuki.models.training import select_rows, train

ROWS = 1_500


def artifact_of(estimator: Any, storage: str = "auto") -> tuple[Artifact, dict[str, Any]]:
    rng = np.random.default_rng(5)
    age = rng.normal(40, 9, ROWS)
    columns = {
        "user": np.arange(ROWS),
        "at": np.datetime64("2026-03-01T00:00:00", "us") + np.arange(ROWS).astype("timedelta64[m]"),
        "app": np.asarray([f"app{one}" for one in rng.integers(0, 40, ROWS)], dtype=object),
        "slot": np.asarray([f"slot{one}" for one in rng.integers(0, 40, ROWS)], dtype=object),
        "age": age,
        "clicked": rng.random(ROWS) < 1 / (1 + np.exp(-(age - 40) / 9)),
    }
    model = Model(
        name="ctr", table="t", unit="user", time="at", target=Target("clicked"), estimator=estimator, storage=storage,
        features=(category("app"), category("slot"), number("age")),
        intended_use="a", unsuitable_use="b", baseline="c",
    )  # fmt: skip
    return train(model, select_rows(model, columns), "hash").artifact, columns


def logged(artifact: Artifact, columns: dict[str, Any], off: float = 0.0) -> list[dict[str, Any]]:
    """Rows as the service logs them, scored one by one."""
    rows = []
    for at in range(ROWS):
        features = {one.name: to_raw(one.type, columns[one.name][at]) for one in artifact.inputs.values()}
        score = artifact.scorer.score_row(features) + off
        rows.append({"arm": "control", "version": artifact.version, "score": score, "features": features})
    return rows


def verdict(found: Recomputed) -> Probe:
    return PROBES["scores_recomputed"](Case({}, Seen(recomputed=found), Thresholds()))


@pytest.mark.parametrize("estimator", [LogisticRegression(max_iter=80), RandomForestClassifier(5, max_depth=4)])
def test_scores_of_an_onnx_version_pass_within_its_own_tolerance_and_no_further(estimator: Any) -> None:
    pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    artifact, columns = artifact_of(estimator, "onnx")
    assert artifact.tolerance == ONNX_TOLERANCE == 1e-6
    rows = logged(artifact, columns)
    assert verdict(recompute(rows, lambda _: artifact)).passed
    # As far off as 32 bits may be: no fault. A little further: one.
    assert verdict(recompute(logged(artifact, columns, 5e-7), lambda _: artifact)).passed
    found = recompute(logged(artifact, columns, 2e-6), lambda _: artifact)
    assert (verdict(found).passed, verdict(found).fault) == (False, "scores_differ")
    assert cause_of(artifact, rows, ()) == ("", "")


def test_exchanged_columns_of_an_onnx_version_are_named_though_its_digits_differ() -> None:
    pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    artifact, columns = artifact_of(LogisticRegression(max_iter=80), "onnx")
    rows = logged(artifact, columns, 4e-7)
    for row in rows:
        features = row["features"]
        row["features"] = {**features, "app": features["slot"], "slot": features["app"]}
    found = verdict(recompute(rows, lambda _: artifact))
    assert (found.passed, found.fault) == (False, "columns_exchanged")


@pytest.mark.parametrize("storage", ["auto", "skops"])
def test_scores_of_exact_forms_may_not_differ_by_what_onnx_may(storage: str) -> None:
    artifact, columns = artifact_of(LogisticRegression(max_iter=80), storage)
    assert verdict(recompute(logged(artifact, columns), lambda _: artifact)).passed
    assert verdict(recompute(logged(artifact, columns, 5e-10), lambda _: artifact)).passed
    assert not verdict(recompute(logged(artifact, columns, 3e-7), lambda _: artifact)).passed
