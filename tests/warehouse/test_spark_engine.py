"""Spark reads what DuckDB reads, with the same types and nulls, and says clearly what it cannot do."""

import json
import math
import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from sqlglot import exp
from test_engine import BAD_FILES, KINDS, ROWS, given

from tasuki.cli.main import main
from tasuki.errors import Invalid, Missing, TasukiError
from tasuki.warehouse import Engine, Warehouse, open_engine, source_of

COMMAND = [sys.executable, "-m", "tasuki.cli"]


def everything(engine: Engine, data: Any, tables: dict[str, str] | None = None) -> tuple[dict[str, str], list[Any]]:
    """Types by kind, and the rows in no particular order."""
    source = source_of(data)
    # DuckDB knows the types of a CSV once it has seen its last row.
    rows = engine.rows(exp.select(exp.Star()).from_(engine.table(source)))
    kinds = {name: kind_of(one) for name, one in engine.columns(source).items()}
    return kinds, sorted((list(map(plain, row.values())) for row in rows), key=repr)


def kind_of(word: str) -> str:
    whole = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER")
    return "WHOLE" if word in whole else "TIMESTAMP" if word.startswith("TIMESTAMP") else word


def plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return "NaN"
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def assert_same(spark: str, data: Any) -> None:
    answers = []
    for engine in (Warehouse(), open_engine(spark)):
        answers.append(everything(engine, data))
        engine.close()
    assert answers[1] == answers[0]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_source_is_read_by_spark(spark: str, tmp_path: Path, kind: str) -> None:
    engine = open_engine(spark)
    kinds, rows = everything(engine, given(tmp_path, kind))
    assert kinds == {"名前": "VARCHAR", 'a "quoted" one': "DOUBLE", "n": "WHOLE"}
    assert rows == sorted(([*row] for row in zip(*ROWS.values(), strict=True)), key=repr)
    engine.close()


TEXTS = {
    "nulls": 'a,b,c\n1,"",\n,x,"""q"""\n3,"two\nlines",NULL\n',
    "days": "a,d\n1,31/01/2026\n2,\n3,01/02/2026\n",
    "moments": "a,t\n1,2026-01-02 03:04:05\n2,2026-01-02 03:04:05.25\n",
    "zones": "a,t\n1,2026-01-02T03:04:05Z\n2,2026-01-02T03:04:05+09:00\n",
    "numbers": "a,b,c\n1, 5,1e3\n-2,+7,nan\n3,8,-inf\n",
    "truths": "a,b\n1,true\n2,F\n3,\n",
    "late": "a,b\n" + "1,2\n" * 30_000 + "0.5,x\n",
    "signs": "a,b\n#1,2\n\\n,3\n",
    "codes": "a,b\n007,1\n008,2\n",
    "large": "a,b\n99999999999999999999,1\n5,2\n",
}


@pytest.mark.parametrize("name", TEXTS)
def test_spark_sees_in_a_csv_what_duckdb_sees(spark: str, tmp_path: Path, name: str) -> None:
    (tmp_path / "a b.csv").write_text(TEXTS[name])
    assert_same(spark, tmp_path / "a b.csv")


def test_spark_sees_in_parquet_what_duckdb_sees(spark: str, tmp_path: Path) -> None:
    folder = tmp_path / "log"
    for at, day in enumerate(("2026-01-01", "2026-01-02", "2026-01-03")):
        (folder / f"day={day}").mkdir(parents=True)
        path = folder / f"day={day}" / "part-*[0].parquet"
        kind = ("int", "bigint", "double")[at]
        values = f"range as a, range::utinyint as b, null::double as c, 1.25::decimal(9,2) as d, {at}::{kind} as e"
        more = ", 'x' as f, timestamp_ns '2026-01-01 00:00:00.123456' as t" if at else ""
        duckdb.sql(f"copy (select {values}{more} from range(3)) to '{path}' (format parquet)")
    assert_same(spark, folder)
    pl.DataFrame({"a": [1, 2], "a.b": ["`", None], "B": [True, False]}).write_parquet(tmp_path / "names.parquet")
    assert_same(spark, tmp_path / "names.parquet")


def test_names_that_differ_only_in_case_are_refused(spark: str, tmp_path: Path) -> None:
    pl.DataFrame({"a": [1, 2], "A": [True, False]}).write_parquet(tmp_path / "names.parquet")
    engine = open_engine(spark)
    with pytest.raises(Invalid, match="name differently"):
        engine.columns(source_of(tmp_path / "names.parquet"))
    engine.close()


def test_a_table_of_the_workspace_is_read_by_spark(spark: str, tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("a,b\n1,x\n")
    pl.DataFrame({"x": [1, 2]}).write_parquet(tmp_path / "0.parquet")
    tables = {"log": str(tmp_path / "*.parquet"), "orders": str(tmp_path / "*.csv"), "none": str(tmp_path / "*.pq")}
    engine = open_engine(spark, tables)
    both = exp.select(exp.alias_(exp.Count(this=exp.Star()), "n")).from_("log").join("orders", join_type="cross")
    assert engine.rows(both) == [{"n": 2}]
    for name in ("none", "nothing"):
        with pytest.raises(Missing):
            engine.columns(source_of(name))
    engine.close()


@pytest.mark.parametrize("name", BAD_FILES)
def test_what_duckdb_cannot_read_spark_does_not_read_either(spark: str, tmp_path: Path, name: str) -> None:
    content, why = BAD_FILES[name]
    (tmp_path / name).write_bytes(content)
    engine = open_engine(spark)
    with pytest.raises(Invalid, match=why):
        everything(engine, tmp_path / name)
    engine.close()


@pytest.mark.parametrize("engine", ["bigquery://project", "snowflake", "http://x", "sparks", "local-cluster[2]", ""])
def test_another_engine_is_refused_with_those_that_there_are(engine: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", "x.csv", "--variant", "a", "--mean", "x", "--engine", engine]) == 3
    said = capsys.readouterr().err
    assert "duckdb, spark, or a Spark master" in said
    assert all(name in said for name in ("BigQuery", "Snowflake", "Trino", "ClickHouse"))
    assert "--sql DIALECT" in said


def test_without_pyspark_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(TasukiError, match=r"tasuki\[spark\]"):
        open_engine("spark")


def test_without_java_it_is_said_what_to_install(tmp_path: Path) -> None:
    pytest.importorskip("pyspark", reason="PySpark is not installed")
    (tmp_path / "a.csv").write_text("arm,x\na,1\nb,2\n")
    nowhere = {**os.environ, "PATH": "/nowhere", "JAVA_HOME": ""}
    line = [*COMMAND, "compare", "a.csv", "--variant", "arm", "--mean", "x", "--engine", "spark"]
    ended = subprocess.run(line, cwd=tmp_path, env=nowhere, capture_output=True, check=False, text=True)
    assert ended.returncode == 7
    assert "install Java 17 or 21" in ended.stderr


def test_spark_is_not_loaded_by_those_who_do_not_ask_for_it(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("arm,x\n" + "a,1\nb,2\n" * 5)
    code = (
        "import sys; from tasuki.cli.main import main; main(['compare', 'a.csv', '--variant', 'arm', '--mean', 'x']);"
        "sys.exit(any(name.split('.')[0] in ('pyspark', 'py4j') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
def test_a_cluster_compares_as_duckdb_does(spark: str, tmp_path: Path) -> None:
    rows = pl.DataFrame(
        {"user": [f"u{one % 900}" for one in range(3_000)], "x": [one * 7 % 101 for one in range(3_000)]}
    )
    rows = rows.with_columns(
        arm=pl.when(pl.col("user").str.slice(1).cast(int) % 2 == 0).then(pl.lit("A")).otherwise(pl.lit("B"))
    )
    (tmp_path / "log").mkdir()
    for at in range(3):
        rows[at::3].write_parquet(tmp_path / "log" / f"{at}.parquet")
    found = []
    for engine in ("duckdb", "local-cluster[2,1,1024]"):
        line = [*COMMAND, "compare", "log", "--variant", "arm", "--unit", "user", "--mean", "x", "--ratio", "x/1"]
        line += ["--quantile", "x@0.9", "--engine", engine, "--json"]
        ended = subprocess.run(line, cwd=tmp_path, capture_output=True, check=False, text=True)
        assert ended.returncode == 0, ended.stderr
        assert ended.stderr == ""
        found.append(json.loads(ended.stdout))
    assert found[0]["arms"] == found[1]["arms"]
    for right, one in zip(found[0]["results"], found[1]["results"], strict=True):
        for name in ("control", "treatment", "effect", "effect_low", "effect_high", "p_value"):
            assert one[name] == pytest.approx(right[name], rel=1e-9), name
