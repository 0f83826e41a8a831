"""Training on Spark: the same model file on two executor processes gives an artifact like that of one machine."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import model_desk
from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.model_table import Asked, read_table
from tasuki.actions.models import publish_model, train_model
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid
from tasuki.models.artifact import score_rows
from tasuki.models.file import load_model_file

FEATURES = (
    'category("app"), cross("app", "slot"), hour_of_day("at", utc_offset_hours=9), number("minutes_since_last"), '
    'count_over("2d", by="user"), count_over("1d", by="user", event="clicked_at", lag="1h", bins=(1, 2))'
)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("spark") / "w")
    yield made
    made.close()


@pytest.fixture(scope="module")
def model_file(workspace: Workspace) -> Path:
    pytest.importorskip("xgboost", reason="the extra spark is not installed")
    path = model_desk.write_model(workspace, "boosted", FEATURES)
    text = path.read_text().replace("import Model,", "import Model, count_over,")
    text = text.replace("from sklearn.linear_model import LogisticRegression", "from xgboost import XGBClassifier")
    estimator = "XGBClassifier(n_estimators=10, max_depth=3, learning_rate=0.3)"
    path.write_text(text.replace("LogisticRegression(C=1.0, max_iter=50)", estimator))
    return path


def test_counts_on_spark_are_those_of_one_machine(spark: str, workspace: Workspace, model_file: Path) -> None:
    from tasuki.actions.spark_training import _counted
    from tasuki.warehouse import Warehouse, source_of
    from tasuki.warehouse.spark_reading import Reader
    from tasuki.warehouse.spark_session import session_for

    model = load_model_file(model_file).model
    expected = read_table(workspace, Asked(model.table, model.time, model.features, model.columns))
    frame = Reader(session_for(spark), Warehouse(workspace.tables)).frame(source_of(model.table))
    found = _counted(model, frame).toPandas()
    names = [one.column for one in model.counts]
    order = np.lexsort((expected["minutes_since_last"], expected["at"]))
    found = found.sort_values(["at", "minutes_since_last"])
    for name in names:
        assert expected[name].max() > 1
        assert found[name].tolist() == expected[name][order].tolist()


@pytest.mark.slow
def test_two_executors_train_what_one_machine_would(workspace: Workspace, model_file: Path) -> None:
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    if not (shutil.which("java") or os.environ.get("JAVA_HOME")):
        pytest.skip("Spark needs Java, and there is none")
    words = ["model", "train", str(model_file), "--workspace", str(workspace.folder), "--as", "ren", "--json"]
    command = [sys.executable, "-m", "tasuki.cli", *words, "--engine", "local-cluster[2,1,1024]"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert ended.returncode == 0, ended.stderr[-3_000:]
    said = json.loads(ended.stdout)
    alone = train_model(workspace, model_file, actor="ren")
    assert (said["rows"], said["immature_share"]) == (alone.rows, alone.immature_share)
    assert said["metrics"]["positive_rate"] == alone.metrics["positive_rate"]
    # The workers sketch their own quantiles: the trees are alike, not equal.
    assert said["metrics"]["log_loss"] == pytest.approx(alone.metrics["log_loss"], rel=0.03)
    artifacts = [read_version(store_of(workspace), "ctr", version) for version in (said["version"], alone.version)]
    assert artifacts[0].training["workers"] == 2
    features = load_model_file(model_file).model.features
    columns = read_table(workspace, Asked("impressions", "at", features))
    one, other = (score_rows(artifact, columns) for artifact in artifacts)
    assert np.corrcoef(one, other)[0, 1] > 0.95
    assert publish_model(workspace, "ctr", said["version"], channel="spark", actor="sota").version == said["version"]


def test_estimator_that_learns_on_one_machine_only_is_refused_before_java_starts(workspace: Workspace) -> None:
    path = model_desk.write_model(workspace, "linear", model_desk.CHAMPION)
    with pytest.raises(Invalid, match=r"xgboost\.XGBClassifier"):
        train_model(workspace, path, engine="spark", actor="ren")


@pytest.mark.slow
def test_training_on_spark_repeats_its_version_whatever_the_order_of_the_same_rows(
    spark: str, tmp_path: Path, workspace: Workspace, model_file: Path
) -> None:
    first = train_model(workspace, model_file, engine=spark, actor="ren").version
    # The same rows, in another order and in other files, of another workspace.
    other = model_desk.new_workspace(tmp_path / "w")
    path = other.folder / "logs" / "impressions" / "part-0.parquet"
    rows = pq.read_table(path)
    order = np.random.default_rng(5).permutation(len(rows))
    path.unlink()
    for part, places in enumerate(np.array_split(order, 3)):
        pq.write_table(rows.take(places), path.with_name(f"part-{part}.parquet"))
    same_file = other.folder / "models" / model_file.name
    same_file.write_text(model_file.read_text())
    assert train_model(other, same_file, engine=spark, actor="ren").version == first
    other.close()
