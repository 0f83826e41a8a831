"""`--out` as people use it: the right file, in their language, or a refusal before anything is computed."""

import hashlib
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from tasuki.cli.main import app
from tasuki.errors import Invalid, Missing
from tasuki.language import LANGUAGES, Language

pytestmark = pytest.mark.filterwarnings("error")


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rows = "\n".join(f"{'ab'[k % 2]},{k % 7 + (k % 2) / 5},{int(k % 5 == 0)},{'xyz'[k % 3]}" for k in range(900))
    path = tmp_path / "results.csv"
    path.write_text(f"arm,amount,bought,country\n{rows}\n", encoding="utf-8")
    return path


def _compare(log: Path, *more: str) -> str:
    words = ["compare", str(log), "--variant", "arm", "--mean", "amount", "--proportion", "bought", *more]
    result = CliRunner().invoke(app, words, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("ending", ["html", "md"])
def test_a_report_says_where_its_numbers_come_from(log: Path, language: Language, ending: str) -> None:
    out = log.with_name(f"report.{ending}")
    _compare(log, "--segment", "country", "--out", str(out), "--lang", language)
    text = out.read_text(encoding="utf-8")
    assert hashlib.sha256(log.read_bytes()).hexdigest() in text
    assert "results.csv" in text
    assert str(log.parent) not in text
    assert ("計算方法" in text) is (language == "ja")
    assert [one.name for one in log.parent.iterdir() if one.name.endswith("unfinished")] == []


def test_the_document_on_stdout_stays_whole(log: Path) -> None:
    out = log.with_name("report.md")
    found = json.loads(_compare(log, "--json", "--out", str(out)))
    assert found["schema"] == "tasuki.compare/1"
    assert [one["metric"] for one in found["distributions"]] == ["amount"]
    assert json.loads(_compare(log, "--json"))["distributions"] == []


def test_an_older_report_is_replaced(log: Path) -> None:
    out = log.with_name("report.md")
    out.write_text("old", encoding="utf-8")
    _compare(log, "--out", str(out))
    assert out.read_text(encoding="utf-8") != "old"


@pytest.mark.parametrize("name", ["report.pdf", "report", "report.html.gz", "."])
def test_another_ending_is_refused_before_anything_is_read(tmp_path: Path, name: str) -> None:
    words = [
        "compare",
        str(tmp_path / "not_there.csv"),
        "--variant",
        "arm",
        "--mean",
        "x",
        "--out",
        str(tmp_path / name),
    ]
    with pytest.raises(Invalid, match=r"report|folder"):
        CliRunner().invoke(app, [*words, "--out", str(tmp_path / name)], catch_exceptions=False)


def test_a_folder_that_is_not_there_is_said_before_anything_is_read(tmp_path: Path) -> None:
    words = ["plan", "--kind", "mean", "--baseline", "1", "--variance", "1", "--mde", "1"]
    with pytest.raises(Missing, match="no folder"):
        CliRunner().invoke(app, [*words, "--out", str(tmp_path / "no" / "x.md")], catch_exceptions=False)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("more", [[], ["--units-per-day", "900"]])
def test_a_plan_has_a_report_too(tmp_path: Path, language: Language, more: list[str]) -> None:
    for ending in ("html", "md"):
        out = tmp_path / f"plan.{ending}"
        words = ["plan", "--kind", "proportion", "--baseline", "0.1", "--mde", "0.1", "--relative", *more]
        result = CliRunner().invoke(app, [*words, "--out", str(out), "--lang", language], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        text = out.read_text(encoding="utf-8")
        assert "80.0%" in text
        assert ("検出力" in text) is (language == "ja")
