"""One row in a fixed order scores to the bit as the same row by name, and as the same row in a table."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import model_desk
from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.models import train_model
from tasuki.models.artifact import Artifact, score_rows


def trained(folder: Path, features: str, trees: bool) -> Artifact:
    workspace = model_desk.new_workspace(folder)
    path = model_desk.write_model(workspace, "one", features)
    if trees:
        text = path.read_text().replace(
            "from sklearn.linear_model import LogisticRegression", "from lightgbm import LGBMClassifier"
        )
        path.write_text(text.replace("LogisticRegression(C=1.0, max_iter=50)", "LGBMClassifier(n_estimators=20)"))
    version = train_model(workspace, path, actor="ren").version
    artifact = read_version(store_of(workspace), "ctr", version)
    workspace.close()
    return artifact


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Artifact]:
    folder = tmp_path_factory.mktemp("single")
    return {
        "linear": trained(folder / "linear", model_desk.CHALLENGER, trees=False),
        "trees": trained(folder / "trees", model_desk.CHALLENGER, trees=True),
        "plain trees": trained(folder / "plain", 'number("minutes_since_last", nullable=True),', trees=True),
    }


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "app": st.one_of(st.sampled_from([f"app{one}" for one in range(9)]), st.text(max_size=3), st.integers()),
    "slot": st.one_of(st.sampled_from(["top", "side", "bottom"]), st.booleans()),
    "at": st.sampled_from(["2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999+09:00"]),
    "minutes_since_last": st.one_of(st.floats(-1e6, 1e6), st.integers(-5, 500)),
}


@pytest.mark.parametrize("kind", ["linear", "trees", "plain trees"])
@settings(max_examples=60, deadline=None)
@given(row=st.fixed_dictionaries(VALUES), order=st.permutations(list(VALUES)))
def test_row_in_any_order_scores_as_by_name_and_as_in_a_table(
    artifacts: dict[str, Artifact], kind: str, row: dict[str, Any], order: Sequence[str]
) -> None:
    artifact = artifacts[kind]
    names = [name for name in order if name in artifact.inputs]
    by_order = artifact.scorer.from_values(names)([row[name] for name in names])
    assert by_order == artifact.scorer.score_row(row)
    assert by_order == score_rows(artifact, {name: [row[name]] for name in artifact.inputs})[0]


def test_null_of_a_plain_number_scores_as_missing(artifacts: dict[str, Artifact]) -> None:
    artifact = artifacts["plain trees"]
    scored = artifact.scorer.from_values(["minutes_since_last"])([None])
    assert scored == score_rows(artifact, {"minutes_since_last": np.array([np.nan])})[0]


def test_names_that_lack_an_input_are_refused(artifacts: dict[str, Artifact]) -> None:
    for kind in ("linear", "trees"):
        with pytest.raises(KeyError):
            artifacts[kind].scorer.from_values(["app", "at"])


def test_threads_that_score_at_once_do_not_see_each_others_rows(artifacts: dict[str, Artifact]) -> None:
    artifact = artifacts["plain trees"]
    score = artifact.scorer.from_values(["minutes_since_last"])
    minutes = [[float(one)] for one in range(0, 400, 7)]
    wanted = [score(one) for one in minutes]
    wrong: list[int] = []

    def ask() -> None:
        for _ in range(60):
            wrong.extend(place for place, one in enumerate(minutes) if score(one) != wanted[place])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
