"""Another runtime can be proved: a reader of NumPy alone, with no tasuki to import, gives every golden score."""

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier
from test_parity import ESTIMATORS, FEATURES, MODEL, table

from tasuki.models.counting import with_counts
from tasuki.models.training import select_rows, train
from tasuki.models.trees import is_plain
from tasuki.store.artifacts import ArtifactStore

READER = Path(__file__).resolve().parents[2] / "docs" / "reference_reader.py"
ALONE = "import runpy, sys; sys.modules['tasuki'] = None; runpy.run_path({!r}, run_name='__main__')"


def read(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-c", ALONE.format(str(READER)), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def stored(folder: Path, estimator: Any, storage: str = "auto") -> Path:
    model = replace(MODEL, estimator=estimator, storage=storage)
    if isinstance(estimator, LogisticRegression) and storage == "skops":  # by itself it takes no null
        model = replace(model, features=tuple(one for one in FEATURES if not (one.nullable and is_plain(one))))
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
    other = read(stored(tmp_path, make_pipeline(SimpleImputer(), GaussianNB())))
    assert (other.returncode, "Pipeline kept as skops needs" in other.stdout) == (1, True)


@pytest.mark.parametrize("storage", ["skops", "onnx"])
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(max_iter=200),
        DecisionTreeClassifier(max_depth=4),
        ExtraTreesClassifier(5, max_depth=4),
        RandomForestClassifier(5, max_depth=4),
    ],
    ids=lambda one: type(one).__name__,
)
def test_reader_gives_the_golden_scores_of_estimators_in_skops_and_onnx(
    tmp_path: Path, estimator: Any, storage: str
) -> None:
    if storage == "onnx":
        pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
        estimator = make_pipeline(SimpleImputer(), estimator)  # ONNX knows no null by itself
    ended = read(stored(tmp_path, estimator, storage))
    assert (ended.stderr, ended.stdout) == ("", "24 of 24 golden examples agree\n")


def changed(folder: Path, tmp_path: Path, change: Any) -> "subprocess.CompletedProcess[str]":
    """The reader's words on a version whose trees were changed, with hashes that are right."""
    files = {one.name: one.read_bytes() for one in folder.iterdir() if one.name != "manifest.json"}
    files["trees.txt"] = change(files["trees.txt"].decode()).encode()
    listed = {name: {"sha256": hashlib.sha256(one).hexdigest(), "bytes": len(one)} for name, one in files.items()}
    return read(written(tmp_path, files, listed))


def written(tmp_path: Path, files: dict[str, bytes], listed: dict[str, Any]) -> Path:
    document = {"format": "tasuki.artifact/1", "model": "ctr", "files": listed}
    manifest = json.dumps(document).encode()
    folder = tmp_path / "forged" / hashlib.sha256(manifest).hexdigest()[:16]
    folder.mkdir(parents=True)
    for name, one in {**files, "manifest.json": manifest}.items():
        (folder / name).write_bytes(one)
    return folder


def replaced(field: str, place: int, value: str) -> Any:
    def change(text: str) -> str:
        start, _, rest = text.partition(f"\n{field}=")
        line, _, end = rest.partition("\n")
        words = line.split()
        words[place] = value
        return f"{start}\n{field}={' '.join(words)}\n{end}"

    return change


@pytest.mark.parametrize(
    ("field", "place", "value"),
    [
        ("left_child", 0, "0"),
        ("right_child", -1, "0"),
        ("left_child", 0, "99999"),
        ("left_child", 0, "-99999"),
        ("left_child", 0, "1e999"),
        ("split_feature", 0, "77"),
        ("split_feature", 0, "-1"),
        ("split_feature", 0, "0.5"),
        ("decision_type", 0, "16"),
        ("threshold", 0, "99999"),
        ("num_cat", 0, "1e999"),
        ("cat_boundaries", 1, "99999"),
        ("cat_threshold", 0, "0.5"),
        ("threshold", 0, "nan"),
        ("leaf_value", 0, "nan"),
        ("leaf_value", 0, "word"),
        ("num_leaves", 0, "900"),
    ],
)
def test_reader_refuses_a_tree_that_leaves_its_arrays_or_leads_back(
    trees: Path, tmp_path: Path, field: str, place: int, value: str
) -> None:
    ended = changed(trees, tmp_path, replaced(field, place, value))
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("trees.txt: ")
    assert "Traceback" not in ended.stderr


@pytest.fixture(scope="module")
def trees(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = stored(tmp_path_factory.mktemp("trees"), ESTIMATORS["trees"])
    assert "agree" in changed(folder, folder.parent, lambda text: text).stdout
    return folder


@pytest.mark.parametrize("name", ["../golden.json", "a/b", "..", "", "a\\b"])
def test_reader_refuses_names_that_lead_elsewhere(trees: Path, tmp_path: Path, name: str) -> None:
    ended = read(written(tmp_path, {}, {name: {"sha256": "0" * 64, "bytes": 0}}))
    assert (ended.returncode, ended.stderr.strip()) == (1, f"{name!r} is no plain file name")


def test_reader_refuses_files_that_are_not_listed_or_not_there(trees: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(trees, tmp_path / trees.name))
    (folder / "more.json").write_text("{}")
    assert "more.json is not in the manifest" in read(folder).stderr
    (folder / "more.json").rename(tmp_path / "more.json")
    (folder / "golden.json").unlink()
    assert "golden.json is missing" in read(folder).stderr
    shorter = Path(shutil.copytree(trees, tmp_path / trees.name[:5]))
    assert "is not the version" in read(shorter).stderr
