"""Spark places units as Python does: any text, whole numbers, very long ids and nulls, under several allocations."""

import random

import pytest
from sqlglot import exp

from tasuki.experiments.allocation import Allocation, HoldOut, Reach, allocation_of, arm_sql, status_sql
from tasuki.experiments.assignment import bucket_sql

ARMS = {"control": 0.5, "treatment": 0.3, "it's 第三\\": 0.2}
ALLOCATIONS = (
    allocation_of("s", ARMS),
    allocation_of("it's \\ ソルト", {"only": 1.0}),
    allocation_of("s", ARMS, layer="層", reach=Reach(0.2, 0.9, 0.37), holdout=HoldOut("長期's", 0.1)),
    allocation_of("t", {"a": 1 / 3, "b": 1 / 3, "c": 1 / 3}, layer="l", reach=Reach(0.0, 0.5)),
)


def units() -> list[str | None]:
    chosen = random.Random(11)
    letters = [chr(one) for one in range(0x20, 0x7F)] + list("ユーザー広告é💡ß\t\n\\'\"%:")
    texts = ["".join(chosen.choices(letters, k=chosen.randrange(1, 20))) for _ in range(400)]
    return [None, "", "長い" * 20_000, *map(str, range(-5, 100)), *texts]


@pytest.mark.slow
def test_spark_places_every_unit_as_python_does(spark: str) -> None:
    from pyspark.sql import SparkSession

    session = SparkSession.active()
    asked = units()
    session.createDataFrame(list(enumerate(asked)), "n int, unit string").createOrReplaceTempView("asked_units")
    session.createDataFrame([(one,) for one in range(-50, 50)], "number bigint").createOrReplaceTempView(
        "asked_numbers"
    )
    for allocation in ALLOCATIONS:
        placed = [allocation.place(unit) for unit in asked]
        column = exp.column("unit")
        number = exp.alias_(bucket_sql(column, allocation.salt, "spark"), "b")
        tree = exp.select(*placing(column, allocation), number).from_("asked_units").order_by("n")
        rows = [tuple(row) for row in session.sql(tree.sql(dialect="spark")).collect()]
        wanted = [(one.arm, one.status, None if one.bucket is None else int(one.bucket * 16**13)) for one in placed]
        assert rows == wanted
        tree = exp.select(*placing(exp.column("number"), allocation)).from_("asked_numbers").order_by("number")
        rows = [tuple(row) for row in session.sql(tree.sql(dialect="spark")).collect()]
        assert rows == [(one.arm, one.status) for one in map(allocation.place, range(-50, 50))]


def placing(column: exp.Column, allocation: Allocation) -> tuple[exp.Expr, exp.Expr]:
    arm, status = arm_sql(column, allocation, "spark"), status_sql(column, allocation, "spark")
    return exp.alias_(arm, "a"), exp.alias_(status, "s")
