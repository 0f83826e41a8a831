"""Effects as people see them: on a narrow and a wide terminal, and in a notebook."""

import re
from pathlib import Path

import pytest

import tasuki
from tasuki.charts.draw import can_draw
from tasuki.cli.main import main
from tasuki.cli.output import console

LONG = "a metric with quite a long name that does not fit"


@pytest.fixture
def log(tmp_path: Path) -> Path:
    rows = "\n".join(f"{'abc'[k % 3]},{k % 7 + (k % 3) / 3},{int(k % 5 == 0)},{'xyz'[k % 4 % 3]}" for k in range(1200))
    path = tmp_path / "log.csv"
    path.write_text(f"arm,{LONG},bought,country\n{rows}\n", encoding="utf-8")
    return path


def _shown(log: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> list[str]:
    monkeypatch.setattr(console, "_width", width)
    words = ["compare", str(log), "--variant", "arm", "--mean", f'"{LONG}"', "--proportion", "bought"]
    assert main([*words, "--segment", "country"]) == 0
    text: str = capsys.readouterr().out
    return text[text.index("b against a") : text.index("relative =")].splitlines()


@pytest.mark.parametrize("width", [80, 100, 140])
def test_tables_fit_and_numbers_stay_whole(
    log: Path, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = _shown(log, width, monkeypatch, capsys)
    assert max(map(len, lines)) <= width
    assert sum(LONG in line for line in lines) == 4  # a name is never broken
    assert sum("control" in line for line in lines) == 4  # two arms, each overall and by segment
    intervals = [line for line in lines if re.search(r"\[[+-][\d.]+%, [+-][\d.]+%\]", line)]
    assert len(intervals) == 2 * (2 + 2 * 3)
    assert any("●" in line for line in lines) is (width >= 110)


@pytest.mark.skipif(not can_draw(), reason="vl-convert is not installed")
def test_a_notebook_shows_a_chart_with_every_overall_effect(log: Path) -> None:
    found = tasuki.compare(str(log), variant="arm", proportions=["bought"], segments=["country"])
    html = found._repr_html_()
    assert html.count("<svg") == 1
    assert "bought · b" in html
    assert "bought · c" in html
    assert "<style" not in html
    assert "<script" not in html


def test_importing_and_comparing_does_not_load_the_drawing_library(log: Path) -> None:
    import subprocess
    import sys

    asked = f"tasuki.compare({str(log)!r}, variant='arm', means=['bought'])"
    code = f"import sys, tasuki; {asked}; print('vl_convert' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
