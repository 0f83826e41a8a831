"""Units of events counted in passes say what one pass says, in less memory, quantiles included."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tasuki.actions.compare import compare
from tasuki.actions.passes import MOST_PASSES
from tasuki.errors import Invalid, Unavailable
from tasuki.experiments.comparison import Comparison
from tasuki.warehouse import Warehouse

UNITS = 400_000


@pytest.fixture(scope="module")
def events(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("passes") / "events.parquet"
    duckdb.execute(f"""\
copy (select ((range % {UNITS}) % 2)::int as variant, range % {UNITS} as user_id, (range % {UNITS}) // 4 as company,
             (hash(range) % 1000) / 100.0 as revenue, (hash(range, 1) % 3)::int as clicks, 1 as views,
             case when hash(range % {UNITS}) % 2 = 0 then 'ios' else 'web' end as app
      from range({2 * UNITS})) to '{path}' (format parquet)""")
    return path


def test_passes_say_what_one_pass_says(events: Path) -> None:
    question = {
        "variant": "variant", "control": "0", "unit": "user_id", "means": ["revenue"], "proportions": ["clicks > 0"],
        "ratios": [("clicks", "views")], "segments": ["app"], "winsor": {"revenue": "0:15"},
    }  # fmt: skip
    whole, parts = (compare(str(events), memory_limit_mb=limit, **question) for limit in (None, 200))
    assert [one.units for one in parts.arms] == [one.units for one in whole.arms] == [UNITS // 2] * 2
    assert {one.code for one in parts.concerns} == {one.code for one in whole.concerns}
    for found, right in zip(parts.results, whole.results, strict=True):
        assert (found.metric, found.segment, found.n_control) == (right.metric, right.segment, right.n_control)
        for name in ("control", "treatment", "effect", "standard_error", "p_value"):
            assert getattr(found, name) == pytest.approx(getattr(right, name), rel=1e-9, abs=1e-12)


def test_a_cluster_is_whole_in_its_pass(events: Path) -> None:
    relation = duckdb.sql(f"select *, (company % 2)::int as half from '{events}'")
    question = {"variant": "half", "control": "0", "unit": "user_id", "cluster": "company", "means": ["revenue"]}
    whole, parts = (compare(relation, memory_limit_mb=limit, **question) for limit in (None, 200))
    assert parts.results[0].n_control == whole.results[0].n_control == UNITS // 8
    assert parts.results[0].standard_error == pytest.approx(whole.results[0].standard_error, rel=1e-9)


ORDERED = {
    "variant": "variant", "control": "0", "unit": "user_id", "means": ["revenue"], "ratios": [("clicks", "views")],
    "quantiles": [("revenue", 0.5), ("clicks", 0.9)], "segments": ["app"], "winsor": {"revenue": "1%:99%"},
}  # fmt: skip


def assert_same(parts: Comparison, whole: Comparison) -> None:
    assert [one.units for one in parts.arms] == [one.units for one in whole.arms]
    assert [one.message for one in parts.concerns] == [one.message for one in whole.concerns]
    for found, right in zip(parts.results, whole.results, strict=True):
        assert (found.metric, found.segment, found.n_control) == (right.metric, right.segment, right.n_control)
        for name in ("control", "treatment", "effect", "effect_low", "effect_high", "p_value"):
            judge = getattr(right, name)
            assert getattr(found, name) == (None if judge is None else pytest.approx(judge, rel=1e-9, abs=1e-12))


def test_quantiles_and_ends_at_quantiles_are_exact_in_passes(events: Path) -> None:
    whole, parts = (compare(str(events), memory_limit_mb=limit, **ORDERED) for limit in (None, 200))
    assert_same(parts, whole)


def test_units_that_do_not_fit_are_put_in_order_on_the_disk(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where each row is a unit, so that no pass is needed."""
    monkeypatch.setattr("tasuki.actions.passes._BYTES_PER_VALUE", 100_000)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    question = {name: one for name, one in ORDERED.items() if name != "unit"}
    whole, parts = (compare(str(events), memory_limit_mb=limit, **question) for limit in (None, 200))
    assert_same(parts, whole)
    assert list(tmp_path.iterdir()) == []  # nothing is left behind


def test_ends_at_a_quantile_hold_units_of_clusters_in_passes(events: Path) -> None:
    relation = duckdb.sql(f"select *, (company % 2)::int as half from '{events}'")
    question = {"variant": "half", "control": "0", "unit": "user_id", "cluster": "company", "means": ["revenue"],
                "winsor": {"revenue": "90%"}}  # fmt: skip
    whole, parts = (compare(relation, memory_limit_mb=limit, **question) for limit in (None, 200))
    assert_same(parts, whole)


def test_a_disk_without_room_is_said_and_nothing_is_left(
    events: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Warehouse, tree: object, path: Path) -> None:
        path.write_bytes(b"PAR1")
        raise Unavailable("no space left on the device")

    monkeypatch.setattr(Warehouse, "save", full)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(Unavailable, match="no space"):
        compare(str(events), memory_limit_mb=200, **ORDERED)
    assert list(tmp_path.iterdir()) == []


def test_less_memory_than_any_comparison_takes_is_refused(events: Path) -> None:
    with pytest.raises(Invalid, match="at least 200 MB"):
        compare(str(events), variant="variant", unit="user_id", means=["revenue"], memory_limit_mb=100)
    assert MOST_PASSES > 100


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells the peak of a process's memory")
def test_the_command_keeps_its_word(events: Path) -> None:
    command = [sys.executable, "-c", WRAPPER, str(events)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    document, peak = json.loads(done.stdout.splitlines()[0]), float(done.stdout.splitlines()[-1])
    assert document["results"][0]["n_control"] == UNITS // 2
    assert peak < 260


WRAPPER = """\
import re, sys
from pathlib import Path
from tasuki.cli.main import main
question = ["--variant", "variant", "--control", "0", "--unit", "user_id", "--mean", "revenue", "--memory", "220",
            "--quantile", "revenue@0.9", "--winsor", "revenue=99%"]
assert main(["compare", sys.argv[1], *question, "--json"]) == 0
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""
