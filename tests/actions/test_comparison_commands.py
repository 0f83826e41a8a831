"""The commands of metrics and of A/B 2: they print what docs/cli-json.md says, and the table people read."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from test_comparison_actions import METRICS, started, write_logs

from tasuki.actions.relay import open_idea
from tasuki.actions.workspace import Workspace
from tasuki.cli.main import main
from tasuki.clock import MovableClock

TEXT = (Path(__file__).parents[2] / "docs" / "cli-json.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (tasuki\.\S+)\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL))
DECLARED = METRICS.split("[metric.visits_per_user]", maxsplit=1)[0]
PLAN = [
    "experiment", "plan", "ab2", "--idea", "idea-1", "--model", "ctr", "--primary", "clicks_per_user", "--mde", "0.1",
    "--rule", "ship when better", "--stop-rule", "at the end", "--interactions", "none", "--guardrail",
    "bids_per_user=5%", "--days", "7",
]  # fmt: skip


@pytest.fixture
def folder(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Path:
    (workspace.folder / "metrics.toml").write_text(DECLARED, encoding="utf-8")
    write_logs(workspace.folder, "earlier", {"control": 0.2, "treatment": 0.2})
    open_idea(workspace, "An idea", actor="aoi", formation="all_in_one")
    monkeypatch.setenv("TASUKI_WORKSPACE", str(workspace.folder))
    return workspace.folder


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> dict[str, Any]:
    assert main([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def names_in(value: Any) -> set[str]:
    if isinstance(value, dict):
        return set(value) | {name for one in value.values() for name in names_in(one)}
    return {name for one in value for name in names_in(one)} if isinstance(value, list) else set()


def test_metrics_are_listed_shown_and_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = said(capsys, "metric", "list")
    assert [one["name"] for one in listed["metrics"]] == ["clicks_per_user", "bids_per_user"]
    shown = said(capsys, "metric", "show", "clicks_per_user")
    assert set(shown) - {"schema"} == names_in(listed["metrics"]) - {"en", "ja", "amount", "is_relative"}
    assert names_in(shown) - {"schema"} <= set(re.findall(r"\w+", SECTIONS["tasuki.metric/1"]))
    assert said(capsys, "metric", "check")["metrics"] == ["clicks_per_user", "bids_per_user"]
    assert main(["metric", "list"]) == 0
    assert "クリック" in capsys.readouterr().out
    assert main(["metric", "show", "clicks"]) == 5
    assert "did you mean 'clicks_per_user'?" in capsys.readouterr().err


def test_metric_check_says_every_fault_and_exits_with_3(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = DECLARED.replace("clicked::integer", "clickd").replace('numerator = "1"', 'numerator = "unit"')
    (folder / "metrics.toml").write_text(text, encoding="utf-8")
    assert main(["metric", "check"]) == 3
    told = capsys.readouterr().err
    assert "metric.clicks_per_user.numerator: there is no column 'clickd'; did you mean 'clicked'?" in told
    assert "metric.bids_per_user" in told
    assert '"unit" is VARCHAR (expected numbers' in told


def test_an_ab2_is_registered_and_compared_from_the_shell(
    folder: Path, workspace: Workspace, clock: MovableClock, capsys: pytest.CaptureFixture[str]
) -> None:
    planned = said(capsys, *PLAN)
    assert planned["plan"]["minimal_detectable_effect"] == 0.1
    guardrail = planned["plan"]["metrics"][1]
    assert (guardrail["name"], guardrail["role"], guardrail["margin"]) == ("bids_per_user", "guardrail", 0.05)
    assert names_in(planned) - {"schema"} <= set(re.findall(r"\w+", SECTIONS["tasuki.experiment_plan/1"]))
    write_logs(folder, "ab2", {"control": 0.2, "treatment": 0.25})
    started(workspace, "idea-1")
    clock.advance(days=7)
    compared = said(capsys, "experiment", "compare", "ab2")
    assert compared["idea"] == "idea-1"
    documented = set(re.findall(r"\w+", SECTIONS["tasuki.experiment_compare/1"] + SECTIONS["tasuki.compare/1"]))
    assert names_in(compared) - {"schema", "control", "treatment"} <= documented
    assert main(["experiment", "compare", "ab2"]) == 0
    out = capsys.readouterr().out
    assert "recommendation:" in out
    assert "clicks_per_user" in out


def test_a_comparison_is_told_again_without_another_look(
    folder: Path, workspace: Workspace, clock: MovableClock, capsys: pytest.CaptureFixture[str]
) -> None:
    said(capsys, *PLAN)
    write_logs(folder, "ab2", {"control": 0.2, "treatment": 0.25})
    started(workspace, "idea-1")
    early = ["experiment", "report", "ab2", "--out", str(folder / "early.md")]
    assert main(early) == 5
    assert "was not compared yet" in capsys.readouterr().err
    clock.advance(days=7)
    assert main(["experiment", "compare", "ab2", "--out", str(folder / "no" / "report.md")]) == 5
    first = folder / "first.md"
    said(capsys, "experiment", "compare", "ab2", "--out", str(first))
    before = workspace.ledger.state("idea-1").sequence
    for language, word in (("en", "Recommendation"), ("ja", "結論")):
        for ending in ("html", "md"):
            again = folder / f"again.{language}.{ending}"
            told = said(capsys, "experiment", "report", "ab2", "--out", str(again), "--lang", language)
            assert told == {
                "schema": "tasuki.experiment_report/1", "idea": "idea-1", "experiment": "ab2", "file": str(again),
            }  # fmt: skip
            text = again.read_text(encoding="utf-8")
            assert word in text
            assert ("ガードレール" in text) is (language == "ja")
            assert ("クリック" if language == "ja" else "Clicks") in text  # as the team calls it, not clicks_per_user
            assert "clicks_per_user" not in text.replace("\\", "")
    assert (folder / "again.en.md").read_text(encoding="utf-8") == first.read_text(encoding="utf-8")
    assert workspace.ledger.state("idea-1").sequence == before


def test_faulty_options_are_said_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*PLAN, "--guardrail", "x", "--split", "control=half"]) == 3
    told = capsys.readouterr().err
    assert "--guardrail" in told
    assert "--split" in told


def test_an_experiment_is_shown_with_what_comes_next(
    folder: Path, workspace: Workspace, clock: MovableClock, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["experiment", "show", "ab2"]) == 5
    assert "there is no experiment 'ab2'" in capsys.readouterr().err
    assert main(PLAN) == 0
    write_logs(folder, "ab2", {"control": 0.2, "treatment": 0.25})
    started(workspace, "idea-1")
    capsys.readouterr()
    running = said(capsys, "experiment", "show", "ab2")
    assert (running["idea"], running["comparison"], running["decision"]) == ("idea-1", None, None)
    assert running["plan"]["rule"] == "ship when better"
    assert running["next_step"]["command"] == "tasuki experiment compare ab2"
    assert running["next_step"]["what"].startswith("let it run until")
    clock.advance(days=7)
    assert main(["experiment", "compare", "ab2"]) == 0
    capsys.readouterr()
    compared = said(capsys, "experiment", "show", "ab2", "--idea", "idea-1")
    assert compared["comparison"]["recommendation"]["decision"] == compared["recommended"]
    assert compared["next_step"]["command"] in ("tasuki experiment decide ab2", "tasuki experiment compare ab2")
    own = set(compared) - {"schema", *said(capsys, "experiment", "list")["experiments"][0]}
    assert own <= set(re.findall(r"\w+", SECTIONS["tasuki.experiment_show/1"]))
    assert main(["experiment", "show", "ab2"]) == 0
    told = capsys.readouterr().out
    assert "last comparison" in told
    assert "clicks_per_user" in told
    assert main(["experiment", "show", "ab2", "--idea", "idea-9"]) == 5


def test_the_list_of_experiments_fits_80_columns(
    folder: Path, workspace: Workspace, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(PLAN) == 0
    started(workspace, "idea-1")
    capsys.readouterr()
    monkeypatch.setattr("tasuki.cli.output.console._width", 80)
    assert main(["experiment", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2  # no cell is folded
    assert lines[0].split() == ["experiment", "kind", "idea", "state", "days"]
    assert max(map(len, lines)) <= 80
