"""What LightGBM or XGBoost would refuse or pass over in silence is said by `validate`, at the parameter's own line."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from xgboost import XGBClassifier

import model_desk
from tasuki.actions.models import train_model
from tasuki.actions.validation import validate_model
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.models import category, number
from tasuki.models.boosted_parameters import boosted_faults

FEATURES = (category("app"), number("age"))
OF_LIBRARY = {"LGBMClassifier": LGBMClassifier, "XGBClassifier": XGBClassifier}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("boosted") / "w")
    yield made
    made.close()


def written(workspace: Workspace, kind: str, *arguments: str) -> Path:
    path = model_desk.write_model(workspace, "boosted", model_desk.CHALLENGER)
    library = {"LGBMClassifier": "lightgbm", "XGBClassifier": "xgboost"}[kind]
    lines = "".join(f"        {one},\n" for one in arguments)
    text = path.read_text().replace("sklearn.linear_model import LogisticRegression", f"{library} import {kind}")
    path.write_text(text.replace("LogisticRegression(C=1.0, max_iter=50)", f"{kind}(\n{lines}    )"))
    return path


def faults(estimator: Any) -> dict[str, str]:
    return {one.where: str(one) for one in boosted_faults(estimator, FEATURES)}


@pytest.mark.parametrize(
    ("kind", "arguments", "says"),
    [
        ("LGBMClassifier", {"nleaves": 4}, "does not use nleaves (expected num_leaves?)"),
        ("LGBMClassifier", {"num_leaves": "many"}, 'should be of type int, got "many"'),
        ("LGBMClassifier", {"max_depth": 2.5}, "should be of type int"),
        ("LGBMClassifier", {"num_leaves": 1}, "(num_leaves) > (1)"),
        ("LGBMClassifier", {"subsample": 2}, "(bagging_fraction) <= (1.0)"),  # told under another of its names
        ("LGBMClassifier", {"eta": 0.2}, "passes over eta: learning_rate counts (expected learning_rate=…)"),
        ("LGBMClassifier", {"lambda_l1": -0.1}, "(lambda_l1) >= (0.0)"),
        ("LGBMClassifier", {"boosting_type": "boost"}, "Unknown boosting type boost"),
        ("LGBMClassifier", {"num_iterations": 0}, "0 is no number of trees"),
        ("LGBMClassifier", {"n_estimators": "ten"}, "'ten' is no number of trees"),
        ("LGBMClassifier", {"reg_alpha": math.nan}, "is NaN"),
        ("LGBMClassifier", {"early_stopping_rounds": 5}, "early stopping"),
        ("LGBMClassifier", {"class_weight": "heavy"}, "'class_weight'"),
        ("LGBMClassifier", {"monotone_constraints": [1, 0]}, "app is a category"),  # it would end the process
        ("XGBClassifier", {"maxdepth": 4}, "does not use maxdepth (expected max_depth?)"),
        ("XGBClassifier", {"rate_drop": 0.1}, "does not use rate_drop"),
        ("XGBClassifier", {"max_depth": "many"}, "expect int but value='many'"),
        ("XGBClassifier", {"max_depth": -1}, "should be greater equal to 0"),
        ("XGBClassifier", {"eta": -0.3}, "should be greater equal to 0"),
        ("XGBClassifier", {"random_state": "x"}, "expect long"),
        ("XGBClassifier", {"tree_method": "quick"}, "valid values are"),
        ("XGBClassifier", {"n_estimators": -5}, "-5 is no number of trees"),
        ("XGBClassifier", {"reg_lambda": math.nan}, "is NaN"),
        ("XGBClassifier", {"monotone_constraints": (0, 1, 1)}, "3 vs. 2"),
    ],
)
def test_parameter_that_the_library_would_refuse_or_pass_over_is_named(
    kind: str, arguments: dict[str, Any], says: str
) -> None:
    (name,) = arguments
    said = faults(OF_LIBRARY[kind](**arguments))
    assert list(said) == [f"estimator.{name}"]
    assert says in said[f"estimator.{name}"]
    assert "/" not in said[f"estimator.{name}"].replace("(expected", ""), "no path of the machine it was built on"


@pytest.mark.parametrize(
    "estimator",
    [
        LGBMClassifier(),
        LGBMClassifier(n_estimators=5_000, num_leaves=31, min_child_samples=20, verbosity=2, n_jobs=4),
        LGBMClassifier(bagging_fraction=0.8, bagging_freq=1, learning_rate=0.2, num_iterations=9_000, lambda_l1=0.1),
        LGBMClassifier(monotone_constraints=[0, 1], class_weight="balanced", random_state=3),
        LGBMClassifier(n_estimators=np.int64(40), num_leaves=np.int32(7), learning_rate=np.float32(0.1)),
        XGBClassifier(n_estimators=np.int64(40), max_depth=np.int32(3)),
        XGBClassifier(),
        XGBClassifier(n_estimators=5_000, eta=0.2, missing=math.nan, objective="binary:logistic", verbosity=3),
        XGBClassifier(max_depth=3, reg_lambda=2.0, tree_method="hist", monotone_constraints=(0, 1), random_state=3),
    ],
    ids=repr,
)
def test_parameters_that_are_right_under_any_name_are_none(estimator: Any) -> None:
    before = estimator.get_params()
    assert faults(estimator) == {}
    assert estimator.get_params() == before or math.isnan(before["missing"])


def test_unknown_name_is_told_also_where_the_library_was_told_not_to_look() -> None:
    assert list(faults(XGBClassifier(maxdepth=4, validate_parameters=False, verbosity=0))) == ["estimator.maxdepth"]
    assert list(faults(LGBMClassifier(nleaves=4, verbosity=-1))) == ["estimator.nleaves"]


def test_every_wrong_parameter_is_named_at_its_own_line(workspace: Workspace) -> None:
    arguments = ("num_leaves=1", "nleaves=4", "learning_rate=-1.0", "n_estimators=20")
    path = written(workspace, "LGBMClassifier", *arguments)
    with pytest.raises(Invalid) as refused:
        validate_model(workspace, path)
    lines = path.read_text().splitlines()
    said = {fault.where: fault.what for fault in refused.value.faults}
    wrong = {one.partition("=")[0]: one for one in arguments[:3]}
    assert set(said) == {f"{path}:{lines.index(f'        {one},') + 1} estimator.{name}" for name, one in wrong.items()}


def test_training_refuses_the_same_before_it_reads_rows(workspace: Workspace) -> None:
    with pytest.raises(Invalid, match="does not use nleaves"):
        train_model(workspace, written(workspace, "LGBMClassifier", "nleaves=4"), actor="ren")
    with pytest.raises(Invalid, match="does not use maxdepth"):
        train_model(workspace, written(workspace, "XGBClassifier", "maxdepth=4"), actor="ren")


def test_command_says_it_with_its_exit_code_and_prints_nothing_else(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(workspace, "XGBClassifier", "subsample=2.0", "maxdepth=4")
    code = main(["model", "validate", str(path), "--workspace", str(workspace.folder), "--json"])
    said = capsys.readouterr()
    assert (code, said.out) == (3, "")
    assert "exceed bound [0,1]" in " ".join(said.err.split())
    assert "does not use maxdepth" in " ".join(said.err.split())


def test_process_that_a_library_ends_says_its_last_words(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(workspace, "LGBMClassifier")
    path.write_text(f"import os, sys\nprint('no way on', file=sys.stderr, flush=True)\nos.abort()\n{path.read_text()}")
    assert main(["model", "validate", str(path), "--workspace", str(workspace.folder)]) == 3
    assert "no way on" in " ".join(capsys.readouterr().err.split())
