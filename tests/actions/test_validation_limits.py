"""`tasuki model validate` ends whatever the file does, and says at which line it would not have."""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import model_desk
from tasuki.actions.models import train_model
from tasuki.actions.validation import validate_model
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.models.estimators import estimator_faults


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("limits") / "w")
    yield made
    made.close()


def written(workspace: Workspace, name: str, top: str = "", **changes: str) -> Path:
    path = model_desk.write_model(workspace, name, model_desk.CHAMPION)
    text = top + path.read_text()
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    path.write_text(text)
    return path


def validated(
    workspace: Workspace, path: Path, *options: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    words = ["model", "validate", str(path), "--workspace", str(workspace.folder), *options]
    code = main(words)
    said = capsys.readouterr()
    return code, said.out, said.err


LOOP = "import time\ndef wait():\n    while True:\n        time.sleep(0.01)\n"


@pytest.mark.parametrize("where", ["top", "helper", "feature"])
def test_file_that_never_ends_is_ended_and_its_line_is_named(
    workspace: Workspace, capsys: pytest.CaptureFixture[str], where: str
) -> None:
    note = workspace.folder / f"pid-{where}"
    top = f"import os; open({str(note)!r}, 'w').write(str(os.getpid()))\n"
    if where == "top":
        path = written(workspace, where, top + "while True:\n    pass\n")
        expected = (2, 3)
    elif where == "helper":
        path = written(workspace, where, top + LOOP + "wait()\n")
        expected = (4, 5)
    else:
        # A feature of the file's own whose inputs never come to an end.
        own = top + LOOP + "import tasuki.models.features as f\nclass Odd(f.Category):\n    @property\n"
        own += "    def inputs(self):\n        return wait()\n"
        path = written(workspace, where, own, **{'category("app")': 'Odd("app")'})
        expected = (4, 5)
    began = time.monotonic()
    code, out, err = validated(workspace, path, "--timeout", "6", capsys=capsys)
    assert time.monotonic() - began < 20
    assert (code, out) == (3, "")
    assert any(f"{path}:{line}: did not end within 6 s" in err for line in expected), err
    assert "--timeout" in err
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_file_that_wants_all_memory_is_refused_at_its_line(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(workspace, "greedy", "import numpy as np\n\nheld = np.ones(400_000_000)\n")
    code, out, err = validated(workspace, path, "--memory", "1500", capsys=capsys)
    assert (code, out) == (3, "")
    assert f"{path}:3: wants more memory than the validation may hold" in err


def test_sound_file_is_told_as_before_and_what_it_prints_is_kept_apart(
    workspace: Workspace, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(workspace, "chatty", "print('reading the calendar')\nprint({})\n")
    code, out, err = validated(workspace, path, "--json", capsys=capsys)
    assert code == 0
    assert json.loads(out)["schema"] == "tasuki.model-validate/1"
    assert "reading the calendar" in err
    code, out, _ = validated(workspace, path, capsys=capsys)
    assert (code, "is sound: ctr with 3 features" in " ".join(out.split())) == (0, True)


def test_faults_and_exit_codes_come_through(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(workspace, "asks", "name = input('which? ')\n")
    code, out, err = validated(workspace, path, capsys=capsys)
    assert (code, out) == (3, "")
    assert f"{path}:1" in err
    assert "EOFError" in err
    assert validated(workspace, workspace.folder / "models" / "nowhere.py", capsys=capsys)[0] == 5
    for option, value in (("--timeout", "0"), ("--memory", "5")):
        code, _, err = validated(workspace, path, option, value, capsys=capsys)
        assert code == 3
        assert option in err


@pytest.mark.parametrize("argument", ["objective='regression'", "objective='poisson'", "application='lambdarank'"])
def test_lightgbm_objective_without_probabilities_is_a_fault_at_its_line(workspace: Workspace, argument: str) -> None:
    changes = {
        "from sklearn.linear_model import LogisticRegression": "from lightgbm import LGBMClassifier",
        "LogisticRegression(C=1.0, max_iter=50)": f"LGBMClassifier({argument})",
    }
    path = written(workspace, "objective", **changes)
    with pytest.raises(Invalid) as refused:
        validate_model(workspace, path)
    (fault,) = refused.value.faults
    line = path.read_text().splitlines().index(f"    estimator=LGBMClassifier({argument}),") + 1
    assert fault.where == f"{path}:{line} estimator"
    assert "gives no probability" in fault.what


def test_lightgbm_objectives_with_probabilities_are_none() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    assert estimator_faults(lightgbm.LGBMClassifier()) == []
    assert estimator_faults(lightgbm.LGBMClassifier(objective="binary")) == []
    assert len(estimator_faults(lightgbm.LGBMClassifier(objective="multiclass"))) == 1


def test_outcomes_are_neither_asked_for_nor_accepted_and_no_feature_may_read_one(workspace: Workspace) -> None:
    declared = {"    buckets=": '    outcomes=("minutes_since_last", "os"),\n    buckets='}
    path = written(workspace, "later", **declared)
    version = train_model(workspace, path, actor="ren").version
    folder = workspace.folder / "artifacts" / "ctr" / "versions" / version
    schema = json.loads((folder / "schema.json").read_text())
    later = {"clicked", "clicked_at", "minutes_since_last", "os"}
    assert later.isdisjoint(schema["accepts"])
    assert later.isdisjoint(one["name"] for one in schema["inputs"])
    assert {"user", "app", "slot", "at"} <= set(schema["accepts"])
    leak = written(workspace, "leak", **declared, **{'category("slot")': 'category("os")'})
    with pytest.raises(Invalid) as refused:
        validate_model(workspace, leak)
    assert ["is an outcome: a leak" in one.what for one in refused.value.faults] == [True]


def test_column_with_a_moment_of_its_own_is_doubted_until_it_is_declared(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    made = model_desk.new_workspace(tmp_path / "w")
    table = made.folder / "logs" / "impressions" / "part-0.parquet"
    rows = pq.read_table(table)
    rows = rows.append_column("bought", rows["clicked"]).append_column("bought_at", rows["clicked_at"])
    pq.write_table(rows, table)
    (doubt,) = validate_model(made, written(made, "two")).doubts
    assert "bought with bought_at looks like an outcome" in doubt.what
    assert "outcomes=('bought', 'bought_at')" in doubt.how
    declared = {"    buckets=": '    outcomes=("bought", "bought_at"),\n    buckets='}
    assert validate_model(made, written(made, "three", **declared)).doubts == ()
    made.close()
