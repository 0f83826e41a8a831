"""Another runtime can be proved: a reader of NumPy alone, with no tasuki to import, gives every golden score."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import RandomForestClassifier
from test_parity import ESTIMATORS, FEATURES, MODEL, table

from tasuki.models.counting import with_counts
from tasuki.models.training import select_rows, train
from tasuki.store.artifacts import ArtifactStore

READER = Path(__file__).resolve().parents[2] / "docs" / "reference_reader.py"
ALONE = "import runpy, sys; sys.modules['tasuki'] = None; runpy.run_path({!r}, run_name='__main__')"


def read(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-c", ALONE.format(str(READER)), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def stored(folder: Path, estimator: Any) -> Path:
    model = replace(MODEL, estimator=estimator)
    training = train(model, select_rows(model, with_counts(FEATURES, "at", table())), "hash")
    version = ArtifactStore(folder).put("ctr", training.files)
    return folder / "ctr" / "versions" / version


@pytest.mark.parametrize("kind", [*ESTIMATORS, "xgboost"])
def test_reader_without_tasuki_gives_every_golden_score(tmp_path: Path, kind: str) -> None:
    if kind == "xgboost":
        xgboost = pytest.importorskip("xgboost", reason="the extra spark is not installed")
        estimator: Any = xgboost.XGBClassifier(n_estimators=12, max_depth=4)
    else:
        estimator = ESTIMATORS[kind]
    ended = read(stored(tmp_path, estimator))
    assert ended.stderr == ""
    assert ended.stdout == "24 of 24 golden examples agree\n"
    assert ended.returncode == 0


def test_reader_notices_a_wrong_score_a_damaged_file_and_what_it_does_not_cover(tmp_path: Path) -> None:
    folder = stored(tmp_path, ESTIMATORS["linear"])
    (folder / "weights.npy").write_bytes((folder / "weights.npy").read_bytes()[:-1] + b"x")
    assert "weights.npy is damaged" in read(folder).stderr
    store = ArtifactStore(tmp_path)
    sound = ArtifactStore(tmp_path / "other").load("ctr", stored(tmp_path / "other", ESTIMATORS["linear"]).name)
    golden = json.loads(sound["golden.json"])
    golden["examples"][3]["score"] += 1e-6
    version = store.put("ctr", {**sound, "golden.json": json.dumps(golden).encode()})
    wrong = read(tmp_path / "ctr" / "versions" / version)
    assert wrong.returncode == 1
    assert "example 3" in wrong.stdout
    forest = read(stored(tmp_path, RandomForestClassifier(3, max_depth=3)))
    assert (forest.returncode, "skops" in forest.stdout) == (1, True)
