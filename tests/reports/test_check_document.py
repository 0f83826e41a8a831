"""A report of A/B 1 as a file: every probe, what failed first, in both languages, as HTML and as Markdown."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from tasuki.actions.report import save_check
from tasuki.errors import Invalid, Missing
from tasuki.experiments.check import PROBES
from tasuki.flow.records import CheckReport, DayVerdict, Probe
from tasuki.texts import catalogue

FAILED = Probe("fallback_rate", False, 0.12, "at most 0.01", "12 % of <answers> fall back", "fetch_failed")
PASSED = Probe("split", True, 0.4, "p at least 0.001", "as designed")
DAYS = (
    DayVerdict(date(2026, 4, 1), 900, ("split", "fallback_rate"), ("fallback_rate",)),
    DayVerdict(date(2026, 4, 2), 3, (), ()),
)


def written(path: Path, report: CheckReport, language: str = "en") -> str:
    save_check(path, report, language, lambda: datetime(2026, 4, 3, tzinfo=UTC))
    return path.read_text(encoding="utf-8")


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize("ending", [".html", ".md"])
def test_what_failed_and_what_passed_is_told(tmp_path: Path, language: str, ending: str) -> None:
    report = CheckReport("ab1", 2.0, 3.0, False, (FAILED, PASSED), ("3 fetches timed out",), DAYS)
    text = written(tmp_path / f"report{ending}", report, language)
    for name in ("fallback_rate", "split"):
        assert catalogue("tasuki.reports")[f"probe.{name}"][language] in text
    assert "3 fetches timed out" in text
    assert {"en": "does not behave as designed", "ja": "まだ設計どおりに動いていません"}[language] in text
    assert {"en": "too few to judge", "ja": "少なすぎて判定しません"}[language] in text
    assert "<answers>" not in text


def test_a_check_that_passed_says_so_and_names_no_failure(tmp_path: Path) -> None:
    text = written(tmp_path / "report.md", CheckReport("ab1", 3.0, 3.0, True, (PASSED,)))
    assert "It behaves as designed" in text
    assert "Did not pass" not in text


def test_every_probe_has_a_name_in_both_languages() -> None:
    names = catalogue("tasuki.reports")
    assert all({"en", "ja"} <= set(names[f"probe.{one.name if hasattr(one, 'name') else one}"]) for one in PROBES)


def test_a_file_that_cannot_be_written_is_refused_before(tmp_path: Path) -> None:
    report = CheckReport("ab1", 3.0, 3.0, True, (PASSED,))
    with pytest.raises(Invalid, match="a report cannot be written"):
        written(tmp_path / "report.pdf", report)
    with pytest.raises(Missing):
        written(tmp_path / "none" / "report.md", report)
