"""`tasuki compare --sql DIALECT` prints the queries; read back from any engine's words they count the same."""

import json
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
import sqlglot
from sqlglot import exp

from tasuki.actions.compare import compare
from tasuki.actions.queries import DIALECTS
from tasuki.cli.main import main
from tasuki.errors import Invalid
from tasuki.warehouse import open_engine

ARGUMENTS = ["--variant", "arm", "--control", "c", "--unit", "user", "--mean", "x", "--quantile", "x@0.9"]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    draw = np.random.default_rng(1)
    user = draw.integers(0, 300, 2_000)
    data = pl.DataFrame({"user": user, "arm": np.where(user % 2, "t", "c"), "x": draw.gamma(2, 3, 2_000)})
    path = tmp_path / "log.parquet"
    data.write_parquet(path)
    return path


def in_duckdb(tree: exp.Expr) -> exp.Expr:
    """Quantiles as the other engines write them, in DuckDB's words."""

    def exact(value: exp.Expr, q: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this="quantile_cont", expressions=[value.copy(), q.copy()])

    for node in list(tree.find_all(exp.Window)):
        inner = node.this
        if isinstance(inner, exp.PercentileCont):
            inner.replace(exact(inner.this, inner.expression))
    for node in list(tree.find_all(exp.ParameterizedAgg, exp.CombinedParameterizedAgg)):
        if node.name == "quantileExactInclusive":
            node.replace(exact(node.args["params"][0], node.expressions[0]))
    for node in list(tree.find_all(exp.Quantile)):  # Spark's percentile, which is exact
        node.replace(exact(node.this, node.args["quantile"]))
    return tree


@pytest.mark.parametrize("dialect", DIALECTS)
def test_read_back_the_quantiles_are_those_of_the_comparison(
    dialect: str, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compare", str(log), *ARGUMENTS, "--sql", dialect, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "tasuki.compare_sql/1"
    assert document["dialect"] == dialect
    whole, quantiles = sqlglot.parse(document["sql"], read=dialect)
    assert {table.name for table in (*whole.find_all(exp.Table), *quantiles.find_all(exp.Table))} == {"log"}
    if dialect == "trino":
        assert "only an approximation" in document["sql"]
        assert "approx_percentile" in document["sql"].lower()
        return
    connection = duckdb.connect()
    connection.execute(f"create view log as select * from '{log}'")
    rows = connection.sql(in_duckdb(quantiles).sql(dialect="duckdb")).fetchall()
    found = {row[0]: row[2] for row in rows}
    right = compare(str(log), variant="arm", control="c", unit="user", quantiles=[("x", 0.9)]).results[0]
    assert len(rows) == 2
    assert found["c"] == pytest.approx(right.control, rel=1e-9)
    assert found["t"] == pytest.approx(right.treatment, rel=1e-9)


def test_people_see_the_queries_and_nothing_else(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(log), *ARGUMENTS, "--sql", "bigquery"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("-- all metrics")
    assert "`log`" in printed.out
    assert printed.err == ""


def test_ends_at_quantiles_are_refused_with_a_way_out(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["compare", str(log), *ARGUMENTS, "--winsor", "x=99%", "--sql", "duckdb"]) == 3
    assert "ends as amounts" in capsys.readouterr().err


def test_an_engine_that_is_not_asked_points_to_its_sql() -> None:
    with pytest.raises(Invalid, match="--sql DIALECT"):
        open_engine("bigquery://project/data")
