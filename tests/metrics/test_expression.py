"""People's SQL is parsed and checked; nothing but one expression over known columns gets through."""

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasuki.metrics.expression import parse_expression

COLUMNS = ("price", "clicked", "app", "at", "値 段", 'a "b"', "Select", "x; drop table t")


def read(text: str) -> tuple[str | None, str]:
    tree, faults = parse_expression(text, COLUMNS, "m.numerator")
    return (None if tree is None else tree.sql(dialect="duckdb")), "; ".join(map(str, faults))


@pytest.mark.parametrize("name", COLUMNS)
def test_a_bare_column_name_is_always_that_column(name: str) -> None:
    tree, faults = parse_expression(name, COLUMNS, "m")
    assert faults == ()
    assert tree.name == name
    assert tree.sql(dialect="duckdb").startswith('"')


@pytest.mark.parametrize(
    "text",
    [
        "price / 1000",
        "clicked AND app = 'news'",
        "PRICE * 2",
        "CASE WHEN price > 1 THEN 1 ELSE 0 END",
        "coalesce(price, 0)",
        "hour(at)",
        '"値 段" + 1',
        "clicked::integer",
        "price IN (1, 2)",
        "date_diff('day', at, at)",
        "NOT clicked",
        "ln(greatest(price, 1))",
    ],
)
def test_plain_expressions_are_taken(text: str) -> None:
    sql, faults = read(text)
    assert faults == ""
    assert sql


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("(select 1)", "Select is not allowed"),
        ("price in (select price from other)", "is not allowed"),
        ("sum(price)", "Sum is not allowed"),
        ("sum(price) over ()", "is not allowed"),
        ("price; drop table x", "is not one expression"),
        ("read_csv('/etc/passwd')", "is not allowed"),
        ("getenv('HOME')", "getenv is not allowed"),
        ("random()", "Rand is not allowed"),
        ("now()", "is not allowed"),
        ("other.price", "names a table"),
        ("*", "Star is not allowed"),
        ("?", "Placeholder is not allowed"),
        ("$1", "is not allowed"),
        ("", "is not one expression"),
        ("price +", "no SQL expression"),
        ("pric", "did you mean 'price'"),
        ("price + nothing_like_it", "there is no column"),
        ("1" * 3_000, "characters"),
        ("(" * 900 + "price" + ")" * 900, ""),
        ("insert into t values (1)", "is not allowed"),
        ("x -> x + 1", ""),
    ],
)
def test_everything_else_is_a_fault(text: str, why: str) -> None:
    sql, faults = read(text)
    assert sql is None
    assert why in faults


def test_every_fault_is_said_at_once() -> None:
    _, faults = read("sum(pric) + nothing_like_it")
    assert "Sum" in faults
    assert "pric" in faults
    assert "nothing_like_it" in faults


def test_comments_do_not_travel() -> None:
    assert read("price -- a note */ drop")[0] == '"price"'


@given(st.text(max_size=40))
def test_any_text_is_taken_or_a_fault_and_never_runs_anything_else(text: str) -> None:
    tree, faults = parse_expression(text, COLUMNS, "m")
    assert (tree is None) == bool(faults)
    if tree is not None:
        sql = tree.sql(dialect="duckdb")
        connection = duckdb.connect()
        connection.execute('create table t ("price" double, "clicked" boolean, "app" text)')
        assert len(connection.extract_statements(f"select {sql}")) == 1
