"""The report of an offline comparison: from the command to a page that people can read, in both languages."""

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasuki.cli.main import main
from tasuki.offline.comparison import OfflineMetric
from tasuki.reports.offline import reading_of

ASKED = ("--label", "clicked", "--champion", "old", "--challenger", "new")


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows on which the new model knows what the old one does not; its name is hostile to HTML."""
    random = np.random.default_rng(3)
    truth = random.beta(1.2, 12, 20_000)
    clicked = (random.random(20_000) < truth).astype(int)
    blurred = np.clip(truth * random.lognormal(0, 0.8, 20_000), 0.001, 0.9)
    path = tmp_path_factory.mktemp("scores") / "scores <b>.parquet"
    columns = {"clicked": clicked, "old": blurred, "new": truth, "user": random.integers(0, 4000, 20_000)}
    app = random.choice(["news", "<script>"], 20_000)
    pq.write_table(pa.table({**columns, "app": app}), path)
    return path


def written(scores: Path, out: Path, *more: str) -> str:
    assert main(["offline", "compare", str(scores), *ASKED, "--unit", "user", "--out", str(out), *more]) == 0
    return out.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", ("Yes: go on to an A/B test", "Calibration: observed rate", "No metric is worse", "Show the numbers")),
        ("ja", ("A/B テストへ進む", "較正: 予測した割合と実測した割合", "悪化した指標はありません", "数値を表で見る")),
    ],
)
def test_a_report_answers_draws_and_tells_its_numbers(
    scores: Path, tmp_path: Path, language: str, words: tuple[str, ...]
) -> None:
    page = written(scores, tmp_path / "offline.html", "--segment", "app", "--lang", language)
    for word in words:
        assert word in page
    assert page.count("<svg role=") == 2, "the curve in two widths"
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert not re.search(r"https?://(?!www\.w3\.org)", page)


def test_the_table_holds_what_the_json_says(scores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = written(scores, tmp_path / "offline.md", "--json")
    said = json.loads(capsys.readouterr().out)
    loss = next(one for one in said["metrics"] if one["name"] == "log_loss" and one["segment"] is None)
    assert f"{loss['champion']:.5g}"[:6] in text
    for one in said["calibration_curve"]["challenger"]:
        assert f"{one['rows']:,}" in text
    assert "| better |" in text


def test_an_ending_that_no_report_has_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    assert main(["offline", "compare", "not-there.csv", *ASKED, "--out", str(tmp_path / "offline.pdf")]) == 3


@pytest.mark.parametrize(
    ("name", "low", "high", "expected"),
    [
        ("log_loss", -2.0, -1.0, "better"),
        ("log_loss", 1.0, 2.0, "worse"),
        ("auc", 0.1, 0.2, "better"),
        ("grouped_auc", -0.2, -0.1, "worse"),
        ("auc", -0.1, 0.1, "undecided"),
        ("auc", None, None, "unread"),
        ("calibration_ratio", 0.1, 0.2, "unread"),
    ],
)
def test_an_interval_reads_by_the_direction_of_its_metric(
    name: str, low: float | None, high: float | None, expected: str
) -> None:
    assert reading_of(OfflineMetric(name, None, 1.0, 1.0, 0.0, low, high, None, 10, 5)) == expected
