"""A unit's arm is stable for ever, the same everywhere, and as the shares say."""

import csv
from pathlib import Path

import duckdb
import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sqlglot import exp

import tasuki
from tasuki.errors import Invalid
from tasuki.experiments.assignment import assign, assign_many, assignment_sql, bucket_sql, split_of

GOLDEN = Path(__file__).with_name("assignment_golden.csv")
ARMS = {"control": 0.5, "treatment": 0.3, "第三": 0.2}
TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=12)


def golden() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_golden_file_holds_for_ever() -> None:
    assert len(golden()) == 200
    for row in golden():
        arm, bucket = assign(row["unit"], row["salt"], ARMS)
        assert (arm, repr(bucket)) == (row["arm"], row["bucket"])


def sql_arms(rows: list[tuple[str, str]]) -> list[str]:
    connection = duckdb.connect()
    found = []
    for salt, unit in rows:
        tree = exp.select(assignment_sql(exp.Literal.string(unit), salt, ARMS))
        found.append(connection.sql(tree.sql(dialect="duckdb")).fetchall()[0][0])
    return found


def test_the_engine_gives_the_golden_arms() -> None:
    rows = golden()
    assert sql_arms([(row["salt"], row["unit"]) for row in rows]) == [row["arm"] for row in rows]


@settings(deadline=None)
@given(st.lists(TEXT, max_size=10), TEXT)
def test_many_are_assigned_like_one(units: list[str], salt: str) -> None:
    assert assign_many(units, salt, ARMS) == [assign(unit, salt, ARMS) for unit in units]


@settings(deadline=None)
@given(TEXT, TEXT)
def test_the_engine_agrees_on_any_text(unit: str, salt: str) -> None:
    assert sql_arms([(salt, unit)]) == [assign(unit, salt, ARMS)[0]]


@settings(deadline=None)
@given(st.integers(-(2**62), 2**62), TEXT)
def test_numbers_are_their_text(unit: int, salt: str) -> None:
    assert assign(unit, salt, ARMS) == assign(str(unit), salt, ARMS)
    tree = exp.select(assignment_sql(exp.Literal.number(unit), salt, ARMS))
    assert duckdb.sql(tree.sql(dialect="duckdb")).fetchall()[0][0] == assign(unit, salt, ARMS)[0]


def test_shares_are_kept_and_salts_are_independent() -> None:
    units = range(60_000)
    first = [arm for arm, _ in assign_many(units, "one", ARMS)]
    second = [arm for arm, _ in assign_many(units, "two", ARMS)]
    counts = [first.count(arm) for arm in ARMS]
    assert stats.chisquare(counts, [60_000 * share for share in ARMS.values()]).pvalue > 1e-4
    table = [[sum(a == x and b == y for a, b in zip(first, second, strict=True)) for y in ARMS] for x in ARMS]
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_spark_gets_its_own_words_for_the_same_number() -> None:
    sql = assignment_sql(exp.column("user id", quoted=True), "it's", ARMS, "spark").sql(dialect="spark")
    assert "ELEMENT_AT(ARRAY('control', 'treatment', '第三'), 1 + CAST(SHA2(" in sql
    assert "'it\\'s:'" in sql or "'it''s:'" in sql
    assert sqlglot.parse_one(sql, read="spark")


@pytest.mark.parametrize(
    ("arms", "why"),
    [
        ({}, "no arm"),
        ({"a": 0.5}, "add up to 0.5"),
        ({"a": 0.5, "b": 0.6}, "add up to 1.1"),
        ({"a": 0.0, "b": 1.0}, "the share is 0"),
        ({"a": -0.5, "b": 1.5}, "above 0"),
        ({"a": float("nan"), "b": 1.0}, "nan"),
        ({"": 1.0}, "no name"),
    ],
)
def test_shares_that_cannot_be_are_invalid(arms: dict[str, float], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        split_of(arms)


def test_a_third_each_is_taken_although_floats_are_not() -> None:
    assert split_of({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}).bounds[-1] == 2**52


def test_an_unknown_dialect_is_invalid() -> None:
    with pytest.raises(Invalid, match="no hash"):
        bucket_sql(exp.column("u"), "s", "sqlite")


def test_the_function_gives_what_the_command_prints() -> None:
    found = tasuki.assign(["u1", 7], salt="s", arms=ARMS)
    assert [(one.unit, one.arm) for one in found.assignments] == [
        ("u1", assign("u1", "s", ARMS)[0]),
        ("7", assign(7, "s", ARMS)[0]),
    ]
    assert "<table>" in found._repr_html_()
