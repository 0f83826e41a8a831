"""A model's files: read back as they were written, and refused when they do not fit, whatever they hold."""

import io
import json
import pickle
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lightgbm import LGBMClassifier
from sklearn.linear_model import LogisticRegression

from tasuki.errors import Invalid
from tasuki.models import Model, Target, category, cross, number
from tasuki.models.artifact import prove, read_artifact, score_rows
from tasuki.models.training import select_rows, train
from tasuki.models.tree_text import check_text


def files_of(estimator: Any) -> dict[str, bytes]:
    rng = np.random.default_rng(2)
    rows = 800
    number_of_app = rng.integers(0, 9, rows)
    app = np.asarray([f"app{one}" for one in number_of_app], dtype=object)
    age = rng.normal(40, 9, rows)
    columns = {
        "user": np.arange(rows),
        "at": np.datetime64("2026-03-01T00:00:00", "us") + np.arange(rows).astype("timedelta64[m]"),
        "app": app,
        "slot": rng.integers(0, 3, rows),
        "age": age,
        "clicked": rng.random(rows) < 1 / (1 + np.exp(-(age - 40) / 9 - np.sin(number_of_app) * 2)),
    }
    model = Model(
        name="ctr",
        table="impressions",
        unit="user",
        time="at",
        target=Target("clicked"),
        features=(category("app"), cross("app", "slot"), number("age")),
        estimator=estimator,
        buckets=64,
        intended_use="a",
        unsuitable_use="b",
        baseline="c",
    )
    return dict(train(model, select_rows(model, columns), "hash").files)


@pytest.fixture(scope="module")
def linear() -> dict[str, bytes]:
    return files_of(LogisticRegression())


@pytest.fixture(scope="module")
def trees() -> dict[str, bytes]:
    return files_of(LGBMClassifier(n_estimators=8, num_leaves=6, min_child_samples=5))


def saved(array: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, allow_pickle=True)
    return out.getvalue()


def edited(files: dict[str, bytes], name: str, change: Callable[[Any], object]) -> dict[str, bytes]:
    document = json.loads(files[name])
    change(document)
    return {**files, name: json.dumps(document).encode()}


SPOILED: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "no spec": lambda f: {k: v for k, v in f.items() if k != "features.json"},
    "no weights": lambda f: {k: v for k, v in f.items() if k != "weights.npy"},
    "no golden examples": lambda f: edited(f, "golden.json", lambda d: d.update(examples=[])),
    "spec is no JSON": lambda f: {**f, "features.json": b"{"},
    "spec is a list": lambda f: {**f, "features.json": b"[]"},
    "unknown feature": lambda f: edited(f, "features.json", lambda d: d["features"][0].update(kind="eval")),
    "unknown argument": lambda f: edited(f, "features.json", lambda d: d["features"][0].update(code="1")),
    "another schema": lambda f: edited(f, "schema.json", lambda d: d["inputs"].pop()),
    "wrong type in schema": lambda f: edited(f, "schema.json", lambda d: d["inputs"][0].update(type="number")),
    "infinite scale": lambda f: edited(f, "features.json", lambda d: d["scales"]["age"].update(deviation=0)),
    "too few weights": lambda f: {**f, "weights.npy": saved(np.zeros(64))},
    "weights of another type": lambda f: {**f, "weights.npy": saved(np.zeros(65, dtype=np.float32))},
    "infinite weights": lambda f: {**f, "weights.npy": saved(np.full(65, np.inf))},
    "pickled weights": lambda f: {**f, "weights.npy": saved(np.asarray([print] * 65, dtype=object))},
    "a pickle": lambda f: {**f, "weights.npy": pickle.dumps([1.0] * 65)},
}


@pytest.mark.parametrize("spoiled", SPOILED)
def test_files_that_do_not_fit_are_refused(linear: dict[str, bytes], spoiled: str) -> None:
    with pytest.raises(Invalid):
        read_artifact("ctr", "v", SPOILED[spoiled](linear))


WRONG_SCORES: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "shifted weights": lambda f: {**f, "weights.npy": saved(np.roll(np.load(io.BytesIO(f["weights.npy"])), 1))},
    "a feature left out": lambda f: edited(f, "features.json", lambda d: d["features"].pop(0)),
    "another seed": lambda f: edited(f, "features.json", lambda d: d.update(seed=99)),
    "another intercept": lambda f: edited(f, "features.json", lambda d: d.update(intercept=1.0)),
    "another scale": lambda f: edited(f, "features.json", lambda d: d["scales"]["age"].update(mean=0.0)),
    "columns of a cross swapped": lambda f: edited(
        f, "features.json", lambda d: d["features"][1].update(columns=["slot", "app"])
    ),
}


@pytest.mark.parametrize("spoiled", WRONG_SCORES)
def test_parameters_that_score_otherwise_fail_the_golden_examples(linear: dict[str, bytes], spoiled: str) -> None:
    files = WRONG_SCORES[spoiled](linear)
    with pytest.raises(Invalid, match="golden"):
        # A swapped cross changes the order of the inputs, which the schema already shows.
        prove(read_artifact("ctr", "v", files))


def test_category_codes_of_another_version_fail_the_golden_examples(trees: dict[str, bytes]) -> None:
    def swap(document: Any) -> None:
        codes = document["vocabularies"]["app"]
        document["vocabularies"]["app"] = dict(zip(codes, reversed(list(codes.values())), strict=True))

    with pytest.raises(Invalid, match="golden"):
        prove(read_artifact("ctr", "v", edited(trees, "features.json", swap)))


TREE_FAULTS = {
    "feature out of range": r"split_feature=\d",
    "child out of range": r"left_child=\d",
    "leaf out of range": r"right_child=.*?-\d",
    "leaves that are not there": r"num_leaves=\d",
    "category sets out of range": r"cat_boundaries=\d",
    "a decision that does not exist": r"decision_type=\d",
    "two classes": r"num_class=\d",
    "more features": r"max_feature_idx=\d",
    "another size": r"tree_sizes=\d",
}


def resized(text: str) -> str:
    """The text with sizes that fit it, so that only what was changed in a tree can be found."""
    header, _, rest = text.partition("\n\n")
    blocks = rest.removesuffix("end of trees\n").split("Tree=")[1:]
    sizes = " ".join(str(len("Tree=" + block)) for block in blocks)
    return re.sub(r"tree_sizes=.*", f"tree_sizes={sizes}", header) + "\n\n" + rest


@pytest.mark.parametrize("fault", TREE_FAULTS)
def test_tree_text_whose_indices_lie_is_refused_before_it_is_loaded(trees: dict[str, bytes], fault: str) -> None:
    text = trees["trees.txt"].decode()
    assert resized(text) == text
    check_text(text, 3)
    wrong, changes = re.subn(TREE_FAULTS[fault], lambda found: found.group()[:-1] + "79", text, count=1)
    assert changes == 1
    with pytest.raises(Invalid, match="cannot be trusted"):
        check_text(wrong if "tree_sizes" in TREE_FAULTS[fault] else resized(wrong), 3)


@pytest.mark.parametrize(
    "change",
    [
        ("objective=binary", "objective=regression"),
        ("threshold=", "thresholds="),
        ("is_linear=0", "is_linear=1"),
        ("leaf_value=", "leaf_value=nan "),
        ("leaf_value=", "leaf_value=1 "),
        ("version=v4", "version=v9"),
        ("Column_0", "Column_9"),
        ("Tree=1", "Tree=5"),
        ("end of trees\n", "end of trees\nparameters:\n[num_threads: 999]\n"),
        ("shrinkage=1", "shrinkage=one"),
    ],
)
def test_tree_text_with_lines_that_lightgbm_does_not_write_is_refused(
    trees: dict[str, bytes], change: tuple[str, str]
) -> None:
    text = trees["trees.txt"].decode()
    assert change[0] in text
    with pytest.raises(Invalid, match="cannot be trusted"):
        check_text(resized(text.replace(*change, 1)), 3)


def test_text_that_holds_no_tree_is_refused() -> None:
    for text in ("", "tree\nnum_class=1\nobjective=binary\nmax_feature_idx=2\n", "\nTree=0\n"):
        with pytest.raises(Invalid):
            check_text(text, 3)


def test_trees_of_a_single_leaf_can_be_kept() -> None:
    files = files_of(LGBMClassifier(n_estimators=2, min_child_samples=5_000))
    scores = score_rows(read_artifact("ctr", "v", files), {"app": ["a", "b"], "slot": [1, 2], "age": [40.0, 20.0]})
    assert scores[0] == scores[1]


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_changed_tree_text_is_refused_or_still_scores(trees: dict[str, bytes], data: st.DataObject) -> None:
    lines = trees["trees.txt"].decode().split("\n")
    place = data.draw(st.integers(0, len(lines) - 1))
    lines[place] = data.draw(
        st.sampled_from(["", lines[place][:-1], lines[place] + " 1", lines[place].replace("1", "8")])
    )
    try:
        artifact = read_artifact("ctr", "v", {**trees, "trees.txt": resized("\n".join(lines)).encode()})
    except Invalid:
        return
    assert np.isfinite(score_rows(artifact, {"app": ["app1"], "slot": [1], "age": [40.0]})).all()


def test_rows_without_a_column_or_with_a_wrong_value_are_refused_by_name(linear: dict[str, bytes]) -> None:
    artifact = read_artifact("ctr", "v", linear)
    with pytest.raises(Invalid) as lacking:
        score_rows(artifact, {"app": ["a"]})
    assert [fault.where for fault in lacking.value.faults] == ["slot", "age"]
    with pytest.raises(Invalid) as wrong:
        score_rows(artifact, {"app": ["a"], "slot": [1], "age": ["old"]})
    assert [fault.where for fault in wrong.value.faults] == ["age"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("weights.npy", b""),
        (
            "weights.npy",
            b"\x93NUMPY\x01\x00\x46\x00"
            + b"{'descr': '<f8', 'fortran_order': False, 'shape': (10000000000000,)}\n\n\n",
        ),
        ("golden.json", b"[" * 100_000 + b"]" * 100_000),
        ("golden.json", b'{"examples": [{"row": [1], "score": 0.5}]}'),
    ],
)
def test_files_that_no_training_writes_are_refused_in_words(
    linear: dict[str, bytes], name: str, content: bytes
) -> None:
    with pytest.raises(Invalid):
        prove(read_artifact("ctr", "x", {**linear, name: content}))
