"""An expression means in Spark what it means in DuckDB, or is refused."""

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from sqlglot import exp

from tasuki.errors import Invalid
from tasuki.metrics.expression import parse_expression
from tasuki.warehouse import Warehouse, open_engine, source_of


def moment(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC).replace(tzinfo=None)


TABLE = pa.table(
    {
        "row": range(9),
        "x": [1.5, 2.5, -2.5, 0.0, None, math.nan, math.inf, -0.4, -math.inf],
        "n": pa.array([1, -7, 0, None, 3, 4, 5, 6, 2]),
        "m": pa.array([3, 2, 5, 4, None, 0, -2, 7, 1]),
        "b": [True, False, None, True, True, False, True, False, True],
        "s": ["Ab", "1.5", "", "é日本", None, " 2 ", "x_y%", "a", "news"],
        "p": ["1", "2", "3", "4", None, " 5", "6", "7", "8"],
        "d": pa.array([Decimal(f"{one}.25") for one in (1, 4, 0, 7, -1, 9, 100, 3, 2)]),
        "t": pa.array(
            [moment(2026, 11, 22, 23, 59, 59, 500_000), moment(2026, 1, 1), moment(1969, 12, 31, 12), None,
             moment(2024, 2, 29, 1), moment(2026, 3, 31), moment(2026, 12, 31), moment(2025, 6, 15), None],
            pa.timestamp("us"),
        ),
        "u": pa.array(
            [moment(2026, 11, 23), moment(2025, 1, 1), moment(1970, 1, 1), None, moment(2024, 3, 1, 1),
             moment(2026, 2, 28), moment(2025, 12, 31), moment(2025, 6, 14, 23), None],
            pa.timestamp("us"),
        ),
    }
)  # fmt: skip

SAME = [
    "x / 0", "n / m", "0 / x", "d / 3", "d * d", "d + x", "n % 3", "x % 2", "-x", "abs(x)", "round(x)", "floor(x)",
    "ceil(x)", "floor(d)", "sqrt(abs(x))", "sqrt(x)", "ln(n)", "ln(x)", "log(m)", "log10(m)", "log(2, m)", "exp(x)",
    "pow(x, 2)", "n ^ 2", "greatest(x, n)", "least(x, n, m)", "sign(x)", "sign(n)", "n // 2", "b and n > 0",
    "b or n > 0", "n is null", "n in (1, 3, null)", "n not in (1, 3)", "n between 0 and 3", "s like 'A%'",
    "s ilike 'a%'", "case when b then 1 end", "if(b, 1, 2)", "coalesce(n, m)", "nullif(n, 1)", "n is not null",
    "b is true", "n = m", "n <> m", "x = x", "x > 1e300", "x <= 2", "cast(p as double)", "try_cast(s as double)",
    "cast(b as int)", "cast(n as boolean)", "cast(t as date)",
    "cast(case when abs(x) < 9 then n else m end as double)", "lower(s)", "upper(s)", "trim(s)", "length(s)",
    "substring(s, 1, 1)", "substring(s, 2)", "concat(s, 'z')", "s || 'z'", "starts_with(s, 'A')",
    "extract(hour from t)", "extract(dow from t)", "extract(doy from t)", "extract(week from t)",
    "extract(quarter from t)", "dayofweek(t)", "hour(t)", "year(t)", "month(t)", "day(t)", "date(t)",
    "date_diff('day', t, u)", "date_diff('hour', t, u)", "date_diff('month', t, u)", "date_diff('second', t, u)",
    "date_diff('year', t, u)", "datediff('day', t, u)", "date_trunc('day', t)",
    "date_trunc('week', t)", "date_trunc('month', t)", "t + interval 1 day", "t > timestamp '2026-01-01'",
    "t >= '2026-01-01'", "t::date = date '2026-01-01'", "extract(hour from u) in (0, 1)", "s = 'it''s'",
    "s <> 'a\\b'",
]  # fmt: skip
REFUSED = {
    "round(x, 1)": "ROUND", "s like '%\\_y%'": "backslash", "s like p": "in quotes", "cast(p as int)": "CAST",
    "try_cast(s as bigint)": "CAST", "cast(d as int)": "CAST", "substring(s, 0, 2)": "from 1 on",
    "date_diff('week', t, u)": "one of", "extract(epoch from t)": "one of", "extract(second from t)": "one of",
}  # fmt: skip


def tree_of(text: str) -> exp.Expr:
    tree, faults = parse_expression(text, TABLE.column_names, "here")
    assert tree is not None, faults
    return tree


def plain(value: Any) -> Any:
    match value:
        case Decimal():
            return float(value)
        case float() if math.isnan(value):
            return "NaN"
    return value


def test_every_function_means_the_same_in_both(spark: str) -> None:
    chosen = [exp.alias_(tree_of(text), f"c{at}", quoted=True) for at, text in enumerate(SAME)]
    answers = []
    for engine in (Warehouse(), open_engine(spark)):
        tree = exp.select("row", *chosen).from_(engine.table(source_of(TABLE))).order_by("row")
        answers.append(engine.rows(tree))
        engine.close()
    for at, text in enumerate(SAME):
        duckdb, there = ([plain(row[f"c{at}"]) for row in rows] for rows in answers)
        assert len(there) == len(duckdb)
        for found, right in zip(there, duckdb, strict=True):
            assert found == (pytest.approx(right, rel=1e-12) if isinstance(right, float) else right), text


@pytest.mark.parametrize("text", REFUSED)
def test_what_spark_would_compute_differently_is_refused(spark: str, text: str) -> None:
    engine = open_engine(spark)
    tree = exp.select(exp.alias_(tree_of(text), "c")).from_(engine.table(source_of(TABLE)))
    with pytest.raises(Invalid, match="another meaning in Spark") as caught:
        engine.rows(tree)
    assert REFUSED[text] in caught.value.faults[0].expected
    engine.close()


def test_a_quantile_is_exact_in_both(spark: str) -> None:
    data = pa.table({"x": [float(one * one % 101) for one in range(200)]})
    ordered = exp.Order(expressions=[exp.Ordered(this=exp.column("x", quoted=True))])
    level = exp.WithinGroup(this=exp.PercentileCont(this=exp.Literal.number(0.37)), expression=ordered)
    answers = []
    for engine in (Warehouse(), open_engine(spark)):
        answers.append(engine.rows(exp.select(exp.alias_(level, "q")).from_(engine.table(source_of(data))))[0]["q"])
        engine.close()
    assert answers[0] == pytest.approx(answers[1], rel=1e-12)
