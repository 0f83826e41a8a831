"""Any scikit-learn classifier, and XGBoost: kept without pickle, scored as by its own library, refused when it lies."""

import hashlib
import io
import json
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from tasuki.errors import Invalid
from tasuki.models import Model, Target, category, cross, number
from tasuki.models.artifact import prove, read_artifact, score_rows
from tasuki.models.boosted_text import largest_below
from tasuki.models.encoding import to_raw
from tasuki.models.estimator_scorer import EstimatorScorer
from tasuki.models.estimators import estimator_faults, layout_of
from tasuki.models.matrix import matrix_of
from tasuki.models.skops_file import dump_estimator, load_estimator
from tasuki.models.training import Training, select_rows, train
from tasuki.models.trees import TreesScorer, dense

ROWS = 900


def table() -> dict[str, Any]:
    rng = np.random.default_rng(4)
    app, age = rng.integers(0, 6, ROWS), rng.normal(40, 9, ROWS)
    return {
        "user": np.arange(ROWS),
        "at": np.datetime64("2026-03-01T00:00:00", "us") + np.arange(ROWS).astype("timedelta64[m]"),
        "app": np.asarray([f"app{one}" for one in app], dtype=object),
        "slot": rng.integers(0, 3, ROWS),
        "age": age,
        "clicked": rng.random(ROWS) < 1 / (1 + np.exp(-(age - 40) / 9 - np.sin(app) * 2)),
    }


def model(estimator: Any, storage: str = "auto") -> Model:
    return Model(
        name="ctr",
        table="impressions",
        unit="user",
        time="at",
        target=Target("clicked"),
        features=(category("app"), cross("app", "slot"), number("age"), number("age_again", bins=(30, 50))),
        estimator=estimator,
        storage=storage,
        intended_use="a",
        unsuitable_use="b",
        baseline="c",
    )


def trained(estimator: Any, storage: str = "auto") -> tuple[Training, dict[str, Any]]:
    columns = table()
    columns["age_again"] = columns["age"]
    defined = model(estimator, storage)
    return train(defined, select_rows(defined, columns), "hash"), columns


ESTIMATORS: dict[str, Callable[[], Any]] = {
    "forest": lambda: RandomForestClassifier(8, max_depth=5),
    "extra trees": lambda: ExtraTreesClassifier(8, max_depth=5),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=8),
    "histogram boosting": lambda: HistGradientBoostingClassifier(max_iter=8),
    "network": lambda: MLPClassifier((6,), max_iter=30, random_state=1),
    "pipeline": lambda: make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "calibrated": lambda: CalibratedClassifierCV(RandomForestClassifier(4, max_depth=4), cv=2),
    "vote": lambda: VotingClassifier(
        [("a", GaussianNB()), ("b", BernoulliNB())], voting="soft", flatten_transform=False
    ),
}


@pytest.mark.parametrize("storage", ["skops", "onnx"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_kept_estimator_scores_as_scikit_learn_itself(name: str, storage: str) -> None:
    if storage == "onnx":
        pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
        if name == "histogram boosting":
            pytest.skip("skl2onnx 1.20 cannot write histogram boosting with NumPy 2")
    result, columns = trained(ESTIMATORS[name](), storage)
    artifact = read_artifact("ctr", "v", result.files)
    prove(artifact)
    scorer = artifact.scorer
    assert isinstance(scorer, EstimatorScorer)
    oracle = ESTIMATORS[name]()
    seeds = [one for one in oracle.get_params() if one.endswith("random_state")]
    oracle.set_params(**dict.fromkeys(seeds, 1))
    kept = scorer.model
    matrix = matrix_of(kept.layout, kept.features, kept.vocabularies, columns)
    expected = oracle.fit(matrix, columns["clicked"]).predict_proba(matrix)[:, 1]
    assert np.abs(score_rows(artifact, columns) - expected).max() < (1e-5 if storage == "onnx" else 1e-12)
    names = list(artifact.inputs)
    prepared = scorer.from_values(names)
    for row in range(0, ROWS, 61):
        request = {one.name: to_raw(one.type, columns[one.name][row]) for one in artifact.inputs.values()}
        assert scorer.score_row(request) == prepared([request[name] for name in names])
        assert scorer.score_row(request) == pytest.approx(expected[row], abs=1e-5 if storage == "onnx" else 1e-12)


def test_trees_take_codes_and_everything_else_indicators() -> None:
    assert layout_of(RandomForestClassifier()) == "codes"
    assert layout_of(make_pipeline(SimpleImputer(), HistGradientBoostingClassifier())) == "codes"
    assert layout_of(CalibratedClassifierCV(RandomForestClassifier())) == "codes"
    assert layout_of(make_pipeline(StandardScaler(), LogisticRegression())) == "indicators"
    assert layout_of(MLPClassifier()) == "indicators"


HASHES = """
import hashlib, sys
sys.path.insert(0, {folder!r})
from test_estimators import *
for name in ("forest", "calibrated", "pipeline", "network"):
    for storage in ("skops", "onnx"):
        files = trained(ESTIMATORS[name](), storage)[0].files
        print(name, storage, hashlib.sha256(b"".join(files[one] for one in sorted(files))).hexdigest())
"""


def test_the_same_inputs_give_the_same_bytes_in_another_process() -> None:
    pytest.importorskip("skl2onnx", reason="the extra onnx is not installed")
    code = HASHES.format(folder=str(Path(__file__).parent))
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120).stdout
    here = []
    for name in ("forest", "calibrated", "pipeline", "network"):
        for storage in ("skops", "onnx"):
            files = trained(ESTIMATORS[name](), storage)[0].files
            here.append(f"{name} {storage} {hashlib.sha256(b''.join(files[one] for one in sorted(files))).hexdigest()}")
    assert said.splitlines() == here


@pytest.mark.parametrize(
    ("estimator", "says"),
    [
        (KNeighborsClassifier(), "KNeighborsClassifier is not in the list"),
        (make_pipeline(FunctionTransformer(np.log1p), GaussianNB()), "FunctionTransformer is not in the list"),
        (make_pipeline(SelectKBest(), GaussianNB()), "SelectKBest is not in the list"),
        (RidgeClassifier(), "no predict_proba"),
        (StandardScaler(), "no predict_proba"),
        (RandomForestClassifier, "is a class"),
        (print, "cannot be kept without pickle"),
    ],
)
def test_estimator_that_cannot_be_kept_is_named(estimator: Any, says: str) -> None:
    assert says in str(estimator_faults(estimator)[0])


def test_estimator_that_refuses_to_learn_is_the_models_fault() -> None:
    with pytest.raises(Invalid) as refused:
        trained(make_pipeline(StandardScaler(), LogisticRegression(C=-1)))
    assert refused.value.faults[0].where == "estimator"
    assert "C" in str(refused.value)


class Payload:
    """What a pickle would run when it is loaded."""

    def __reduce__(self) -> Any:
        return (exec, ("raise SystemExit('executed')",))


@pytest.fixture(scope="module")
def forest() -> bytes:
    return trained(RandomForestClassifier(3, max_depth=3))[0].files["estimator.skops"]


def zipped(content: bytes, change: Callable[[dict[str, bytes]], object]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    change(entries)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return out.getvalue()


def with_schema(content: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    def edit(entries: dict[str, bytes]) -> None:
        schema = json.loads(entries["schema.json"])
        change(schema)
        entries["schema.json"] = json.dumps(schema).encode()

    return zipped(content, edit)


def node(module: str, name: str, loader: str = "ObjectNode") -> dict[str, Any]:
    return {"__module__": module, "__class__": name, "__loader__": loader, "__id__": 999, "content": {}}


LIES: dict[str, Callable[[bytes], bytes]] = {
    "a pickle instead of a file": lambda one: pickle.dumps(Payload()),
    "a pickle as an entry": lambda one: zipped(one, lambda entries: entries.update({"7.pkl": pickle.dumps(Payload())})),
    "a pickled array": lambda one: zipped(one, lambda entries: entries.update({_array(entries): _pickled()})),
    "a name that leaves the folder": lambda one: zipped(one, lambda entries: entries.update({"../7.npy": b""})),
    "another type at the top": lambda one: with_schema(one, lambda s: s.update(node("subprocess", "Popen"))),
    "a function": lambda one: with_schema(one, lambda s: s["content"].update(f=node("os", "system", "FunctionNode"))),
    "a listed type as a function": lambda one: with_schema(
        one, lambda s: s["content"].update(f=node("builtins", "list", "FunctionNode"))
    ),
    "a method": lambda one: with_schema(one, lambda s: s["content"].update(f=node("builtins", "str", "MethodNode"))),
    "a type as a value": lambda one: with_schema(
        one, lambda s: s["content"].update(f=node("builtins", "eval", "TypeNode"))
    ),
    "a loader that is not there": lambda one: with_schema(one, lambda s: s.update(__loader__="Own")),
    "no schema": lambda one: zipped(one, lambda entries: entries.pop("schema.json")),
    "cut off": lambda one: one[: len(one) // 2],
    "nothing": lambda one: b"",
}


def _array(entries: dict[str, bytes]) -> str:
    return next(name for name in entries if name.endswith(".npy"))


def _pickled() -> bytes:
    out = io.BytesIO()
    np.save(out, np.asarray([Payload()], dtype=object), allow_pickle=True)
    return out.getvalue()


@pytest.mark.parametrize("lie", LIES)
def test_skops_file_that_holds_what_is_not_listed_is_refused_before_it_is_loaded(forest: bytes, lie: str) -> None:
    load_estimator(forest, 4)
    with pytest.raises(Invalid):
        load_estimator(LIES[lie](forest), 4)


def test_list_inside_a_file_changes_nothing(forest: bytes) -> None:
    lying = with_schema(
        forest, lambda s: (s.update(trusted=["os.system"]), s["content"].update(f=node("os", "system")))
    )
    with pytest.raises(Invalid, match=r"os\.system"):
        load_estimator(lying, 4)


@pytest.mark.parametrize("kind", [RandomForestClassifier, GradientBoostingClassifier, HistGradientBoostingClassifier])
def test_tree_whose_indices_lead_outside_is_refused(kind: Any) -> None:
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(400, 3))
    labels = matrix[:, 0] + matrix[:, 1] > 0.2
    content = dump_estimator(
        kind(max_depth=3, **{"max_iter" if kind is HistGradientBoostingClassifier else "n_estimators": 2}).fit(
            matrix, labels
        )
    )
    load_estimator(content, 3)
    fields = {"left_child": 9_999, "right_child": 0, "left": 9_999, "right": 0, "feature": 77, "feature_idx": 77}
    spoiled = 0
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        arrays = {one: np.load(io.BytesIO(archive.read(one))) for one in archive.namelist() if one.endswith(".npy")}
    for entry, array in arrays.items():
        for field in set(array.dtype.names or ()) & set(fields):
            changed = array.copy()
            changed[field].flat[0] = fields[field]
            out = io.BytesIO()
            np.save(out, changed)
            with pytest.raises(Invalid):
                load_estimator(zipped(content, lambda e, n=entry, o=out: e.update({n: o.getvalue()})), 3)  # type: ignore[misc]  # defaults bind them
            spoiled += 1
    assert spoiled >= 3


def test_onnx_graph_with_foreign_parts_is_refused() -> None:
    onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")
    from tasuki.models.onnx_file import load_onnx

    content = trained(RandomForestClassifier(3, max_depth=3), "onnx")[0].files["estimator.onnx"]
    load_onnx(content, 4)
    changes: list[Callable[[Any], object]] = [
        lambda m: m.opset_import.add(domain="com.evil", version=1),
        lambda m: setattr(m.graph.node[0], "domain", "com.evil"),
        lambda m: setattr(m.graph.node[0], "op_type", "Loop"),
        lambda m: m.graph.input.pop(),
        lambda m: m.graph.initializer.add(name="w", data_location=1, dims=[1], data_type=1),
        lambda m: _attribute(m, "nodes_truenodeids").ints.__setitem__(0, 4_000),
        lambda m: _attribute(m, "nodes_falsenodeids").ints.__setitem__(0, 0),
        lambda m: _attribute(m, "nodes_featureids").ints.__setitem__(0, 99),
        lambda m: _attribute(m, "nodes_featureids").ints.pop(),
    ]
    for change in changes:
        model = onnx.load_model_from_string(content)
        change(model)
        with pytest.raises(Invalid):
            load_onnx(model.SerializeToString(), 4)
    with pytest.raises(Invalid):
        load_onnx(b"no graph", 4)


def _attribute(model: Any, name: str) -> Any:
    return next(one for node in model.graph.node for one in node.attribute if one.name == name)


@pytest.fixture(scope="module")
def boosted() -> tuple[Training, dict[str, Any], Any]:
    xgboost = pytest.importorskip("xgboost", reason="the extra spark is not installed")
    estimator = xgboost.XGBClassifier(n_estimators=15, max_depth=4, tree_method="hist", random_state=1)
    result, columns = trained(estimator)
    return result, columns, estimator


def test_xgboost_is_kept_as_text_and_scores_as_xgboost_itself(boosted: tuple[Training, dict[str, Any], Any]) -> None:
    from sklearn.base import clone

    result, columns, estimator = boosted
    artifact = read_artifact("ctr", "v", result.files)
    prove(artifact)
    scorer = artifact.scorer
    assert isinstance(scorer, TreesScorer)
    matrix = dense(scorer.model.features, scorer.model.vocabularies, columns)
    own = clone(estimator).fit(matrix, columns["clicked"])
    rng = np.random.default_rng(2)
    asked = matrix[rng.integers(0, ROWS, 2_000)].copy()
    asked[:, 2] = np.where(rng.random(2_000) < 0.2, np.nan, rng.choice([1e30, -1e30, 40, 41.5], 2_000))
    assert np.abs(scorer._predict(asked) - own.predict_proba(asked)[:, 1]).max() < 2e-6
    limits = [one for tree in own.get_booster().trees_to_dataframe()["Split"].dropna().unique() for one in [tree]]
    edges = np.repeat(matrix[:1], len(limits) * 3, axis=0)
    edges[:, 2] = [np.nextafter(np.float32(one), np.float32(to)) for one in limits for to in (-np.inf, one, np.inf)]
    assert np.abs(scorer._predict(edges) - own.predict_proba(edges)[:, 1]).max() < 2e-6


@settings(max_examples=200, deadline=None)
@given(
    limit=st.floats(-(2.0**99), 2.0**99, width=32),
    value=st.floats(-1e30, 1e30),
    steps=st.integers(-3, 3),
)
def test_limit_in_64_bits_sends_every_value_the_way_of_32_bits(limit: float, value: float, steps: int) -> None:
    written = largest_below(limit)
    near = written
    for _ in range(abs(steps)):
        near = float(np.nextafter(near, np.inf if steps > 0 else -np.inf))
    for one in (value, near, limit):
        assert (one <= written) == (np.float32(one) < np.float32(limit))


@pytest.mark.parametrize("change", [{"booster": "dart"}, {"objective": "reg:squarederror"}])
def test_xgboost_that_gives_no_plain_trees_is_refused(change: dict[str, Any]) -> None:
    xgboost = pytest.importorskip("xgboost", reason="the extra spark is not installed")
    assert estimator_faults(xgboost.XGBClassifier(**change))


def test_vocabulary_of_another_version_fails_the_golden_examples(forest: bytes) -> None:
    result, _ = trained(RandomForestClassifier(8, max_depth=5))
    document = json.loads(result.files["features.json"])
    codes = document["vocabularies"]["app"]
    document["vocabularies"]["app"] = dict(zip(codes, reversed(list(codes.values())), strict=True))
    with pytest.raises(Invalid, match="golden"):
        prove(read_artifact("ctr", "v", {**result.files, "features.json": json.dumps(document).encode()}))
    document["vocabularies"]["app"] = dict.fromkeys(codes, 0)
    with pytest.raises(Invalid, match="number its keys"):
        read_artifact("ctr", "v", {**result.files, "features.json": json.dumps(document).encode()})


def test_renamed_feature_is_refused_by_the_schema() -> None:
    result, _ = trained(RandomForestClassifier(3, max_depth=3))
    document = json.loads(result.files["features.json"])
    document["features"][2]["column"] = "age_years"
    with pytest.raises(Invalid, match=r"schema\.json"):
        read_artifact("ctr", "v", {**result.files, "features.json": json.dumps(document).encode()})


def test_other_storage_than_listed_is_a_fault() -> None:
    assert [one.where for one in estimator_faults(RandomForestClassifier(), "pickle")] == ["storage"]
    assert replace(model(RandomForestClassifier()), storage="onnx").storage == "onnx"
