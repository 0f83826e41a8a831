"""`tasuki offline compare` and the Python door: the documented JSON, clear errors, and a real file's known figures."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.csv import write_csv

from tasuki.actions.offline import offline_compare
from tasuki.cli.main import main
from tasuki.clock import MovableClock
from tasuki.flow.evidence import evidence_of, read_evidence, to_body
from tasuki.offline.report import failure_cases, offline_report

IPINYOU = Path(__file__).parents[3] / "shared" / "data" / "ipinyou_2997_test_two_models.csv.gz"
COLUMNS = ("--label", "click", "--champion", "a", "--challenger", "b")


@pytest.fixture
def scored(tmp_path):
    rng = np.random.default_rng(4)
    seen, hidden = rng.normal(0, 1, (2, 3_000))
    click = rng.random(3_000) < 1 / (1 + np.exp(2.5 - seen - hidden))
    table = pa.table(
        {
            "click": click,
            "a": 1 / (1 + np.exp(2.2 - seen)),
            "b": 1 / (1 + np.exp(2.4 - seen - hidden)),
            "user": pa.array([f"u{number}" for number in rng.integers(0, 900, 3_000)]),
            "at": pa.array(np.datetime64("2026-04-01", "us") + np.arange(3_000) * np.timedelta64(1, "m")),
            "app": pa.array(["news", "game", "map"] * 1_000),
        }
    )
    path = tmp_path / "scored.parquet"
    pq.write_table(table, path)
    return path


def run(capsys, *arguments):
    code = main(["offline", "compare", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_command_prints_the_documented_document(scored, capsys):
    code, out, _ = run(capsys, scored, *COLUMNS, "--unit", "user", "--time", "at", "--segment", "app", "--json")
    document = json.loads(out)
    assert code == 0
    assert next(iter(document)) == "schema"
    assert document["schema"] == "tasuki.offline_compare/1"
    assert (document["rows"], document["units"] > 800) == (3_000, True)
    names = {one["name"] for one in document["metrics"] if one["segment"] is None}
    assert names == {"log_loss", "normalized_entropy", "auc", "calibration_ratio", "grouped_auc"}
    assert {one["segment"] for one in document["metrics"]} == {None, "app=news", "app=game", "app=map"}
    assert document["recommendation"]["decision"] == "go"
    assert document["window"]["first"] == "2026-04-01T00:00:00Z"


def test_people_get_a_table_and_the_rule(scored, capsys):
    code, out, _ = run(capsys, scored, *COLUMNS)
    assert code == 0
    assert "log loss" in out
    assert "grouped auc" not in out
    assert "go:" in out


def test_the_same_rows_as_csv_as_frame_and_as_parquet_say_the_same(scored, tmp_path):
    table = pq.read_table(scored)
    csv = tmp_path / "scored.csv.gz"
    with gzip.open(csv, "wb") as file:
        write_csv(table, file)
    answers = [
        offline_compare(data, label="click", champion="a", challenger="b", unit="user", segments=("app",)).to_dict()
        for data in (scored, str(csv), table, polars.from_arrow(table))
    ]
    for other in answers[1:]:
        for one, two in zip(answers[0]["metrics"], other["metrics"], strict=True):
            assert one["difference"] == pytest.approx(two["difference"], abs=1e-15)
            assert one["segment"] == two["segment"]


@pytest.mark.parametrize(
    ("columns", "code", "said"),
    [
        (("--label", "clik", "--champion", "a", "--challenger", "zz"), 3, ("clik", "zz", "'click'?")),
        (("--label", "a", "--champion", "a", "--challenger", "b"), 3, ("neither 0 nor 1",)),
        (("--label", "click", "--champion", "app", "--challenger", "b"), 3, ("not numbers",)),
    ],
)
def test_wrong_columns_are_named_and_nothing_is_printed(scored, capsys, columns, code, said):
    found, out, err = run(capsys, scored, *columns, "--json")
    assert found == code
    assert out == ""
    assert all(text in err for text in said)


def test_a_file_that_is_not_there_is_missing(tmp_path, capsys):
    code, _, err = run(capsys, tmp_path / "none.parquet", *COLUMNS)
    assert code == 5
    assert "none.parquet" in err


@pytest.mark.parametrize("content", [b"", b"click,a,b\n", b"click,a,b\n1,0.5\n0,0.1,0.2,0.3\n"])
def test_empty_and_broken_files_are_invalid(tmp_path, capsys, content):
    path = tmp_path / "bad.csv"
    path.write_bytes(content)
    code, out, err = run(capsys, path, *COLUMNS)
    assert (code, out) == (3, "")
    assert "bad.csv" in err


def test_a_comparison_becomes_evidence_and_comes_back_the_same(scored):
    comparison = offline_compare(scored, label="click", champion="a", challenger="b", segments=("app",))
    report = offline_report(comparison, "v1", "v2", "go when it is better")
    evidence = evidence_of(report, "test", MovableClock(datetime(2026, 4, 9, tzinfo=UTC))())
    again = read_evidence(json.loads(json.dumps(to_body(evidence))))
    assert again.record == report
    assert again.content_hash == evidence.content_hash
    assert (report.rule, report.recommendation, report.positives) == (
        "go when it is better",
        "go",
        comparison.positives,
    )


def test_failure_cases_name_the_segments_that_are_made_worse_or_are_predicted_wrong():
    rng = np.random.default_rng(1)
    app = np.array(["good", "bad"] * 4_000)
    truth = np.where(app == "good", 0.2, 0.1)
    table = pa.table(
        {
            "click": rng.random(8_000) < truth,
            "a": truth * rng.uniform(0.9, 1.1, 8_000),
            "b": np.where(app == "good", 0.2, 0.3),
            "app": app,
        }
    )
    comparison = offline_compare(table, label="click", champion="a", challenger="b", segments=("app",))
    cases = failure_cases(comparison)
    assert len(cases) == 2
    assert cases[0].startswith("app=bad: log loss")
    assert cases[1].startswith("app=bad: predicts 2.8")


@pytest.mark.skipif(not IPINYOU.exists(), reason=f"the real file {IPINYOU.name} is not there")
def test_the_ipinyou_file_gives_its_known_figures(capsys):
    code, out, _ = run(capsys, IPINYOU, "--label", "click", "--champion", "pctr_a", "--challenger", "pctr_b", "--json")
    document = json.loads(out)
    found = {one["name"]: one for one in document["metrics"]}
    assert (code, document["rows"], document["positives"]) == (0, 156_063, 530)
    assert (round(found["auc"]["champion"], 4), round(found["auc"]["challenger"], 4)) == (0.6044, 0.6079)
    loss = found["log_loss"]
    assert (round(loss["champion"], 6), round(loss["challenger"], 6)) == (0.022474, 0.022429)
    assert round(loss["difference"], 7) == -4.56e-5
    assert (loss["difference_high"] - loss["difference_low"]) / 2 / 1.95997 == pytest.approx(1.98e-5, abs=5e-8)
    ratio = found["calibration_ratio"]
    assert (round(ratio["champion"], 3), round(ratio["challenger"], 3)) == (1.156, 1.045)


def test_a_report_without_failure_cases_says_where_it_was_looked(scored):
    plain = offline_compare(scored, label="click", champion="a", challenger="b")
    assert failure_cases(plain) == ("not looked for: no segment has enough positives to tell",)
