"""Units of events counted in passes say what one pass says, in less memory, and what does not add up is refused."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from tasuki.actions.compare import compare
from tasuki.actions.passes import MOST_PASSES
from tasuki.errors import Invalid

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


def test_what_does_not_add_up_is_refused_in_passes(events: Path) -> None:
    with pytest.raises(Invalid) as raised:
        compare(
            str(events), variant="variant", unit="user_id", means=["revenue"], quantiles=[("revenue", 0.5)],
            winsor={"revenue": "99%"}, memory_limit_mb=200,
        )  # fmt: skip
    assert "revenue@0.5" in str(raised.value)
    assert "ends at a quantile" in str(raised.value)


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
question = ["--variant", "variant", "--control", "0", "--unit", "user_id", "--mean", "revenue", "--memory", "220"]
assert main(["compare", sys.argv[1], *question, "--json"]) == 0
print(int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024)
"""
