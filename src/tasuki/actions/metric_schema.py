"""What is wrong with a declared metric beside the table that it is counted on: columns, expressions and their types."""

from collections.abc import Mapping
from typing import Any

from sqlglot import exp

from tasuki.actions.measure import is_number, moment_faults
from tasuki.errors import Fault, TasukiError, said
from tasuki.metrics.expression import parse_expression
from tasuki.metrics.levels import is_off
from tasuki.metrics.trees import is_known, named
from tasuki.warehouse import Engine, source_of
from tasuki.warehouse.nearest import nearest

ROWS_TRIED = 100_000
"""A proportion of numbers is looked at in so many rows: the type alone does not say whether they are 0 and 1."""

_COLUMNS = ("unit", "exposure", "time", "cluster")
_EXPRESSIONS = ("numerator", "denominator", "filter")


def schema_faults(name: str, value: Mapping[str, Any], engine: Engine) -> list[Fault]:
    """Every fault of one metric that its table shows.

    Args:
        name: The metric's name.
        value: What is written of it, sound or not; what is no text is another's concern.
        engine: What is asked.
    """
    where, written = f"metric.{name}", {key: one for key, one in value.items() if isinstance(one, str) and one.strip()}
    if "table" not in written:
        return []
    try:
        source = source_of(written["table"])
        columns, table = engine.columns(source), engine.table(source)
    except TasukiError as error:
        return [Fault(f"{where}.table", error.what, error.expected, error.next_step)]
    faults = []
    for part in _COLUMNS:
        if part in written and written[part] not in columns:
            close = nearest(written[part], columns)
            hint = said("; did you mean {name!r}?", name=close) if close else ""
            faults.append(
                Fault(
                    f"{where}.{part}",
                    said("there is no column {column!r}{hint}", column=written[part], hint=hint),
                    ", ".join(columns),
                )
            )
    if written.get("time") in columns:
        faults += moment_faults(written["time"], columns, f"{where}.time")
    trees: dict[str, exp.Expr] = {}
    for part, text in _expressions(value).items():
        tree, found = parse_expression(text, columns, f"{where}.{part}")
        faults += found
        if tree is not None:
            trees[part] = tree
    kinds = _kinds(engine, table, trees, (where, faults))
    faults += [
        Fault(
            f"{where}.{part}",
            said("{expression} is {kind}", expression=trees[part].sql(dialect="duckdb"), kind=kind),
            _expected(part),
        )
        for part, kind in kinds.items()
        if not is_number(kind)
    ]
    if value.get("kind") == "proportion" and is_number(kinds.get("numerator", "")):
        faults += _shares(engine, table, trees, (where, kinds["numerator"]))
    return faults


def _expressions(value: Mapping[str, Any]) -> dict[str, str]:
    given = {part: value.get(part) for part in _EXPRESSIONS}
    covariates = value.get("covariates")
    for at, one in enumerate(covariates if isinstance(covariates, list) else []):
        given[f"covariates.{at + 1}"] = one
    return {part: text for part, text in given.items() if isinstance(text, str) and text.strip()}


def _expected(part: str) -> str:
    return "a condition" if part == "filter" else "numbers; CAST(… AS DOUBLE) where text holds them"


def _kinds(
    engine: Engine, table: exp.Expr, trees: Mapping[str, exp.Expr], into: tuple[str, list[Fault]]
) -> dict[str, str]:
    """The type of each expression, asked one by one so that none hides another; what the engine refuses is a fault."""
    where, faults = into
    kinds = {}
    for part, tree in trees.items():
        asked = exp.select(named(tree.copy(), part)).from_(table.copy()).limit(0)
        try:
            (kinds[part],) = engine.types(asked).values()
        except TasukiError as error:
            faults.append(Fault(f"{where}.{part}", error.what, error.expected))
    return kinds


def _shares(engine: Engine, table: exp.Expr, trees: Mapping[str, exp.Expr], of: tuple[str, str]) -> list[Fault]:
    """Values of a proportion that are neither 0 nor 1, in the first rows that count."""
    where, kind = of
    if kind == "BOOLEAN":
        return []
    value = exp.cast(trees["numerator"].copy(), exp.DType.DOUBLE)
    first = exp.select(named(value, "value")).from_(table.copy()).limit(ROWS_TRIED)
    if "filter" in trees:
        first = first.where(trees["filter"].copy())
    seen = exp.Column(this=exp.to_identifier("value", quoted=True))
    off = exp.EQ(this=is_off(seen), expression=exp.Literal.number(1))
    example = exp.select(seen.copy()).from_(first.subquery("first_rows")).where(is_known(seen), off).limit(1)
    try:
        rows = engine.rows(example)
    except TasukiError as error:
        return [Fault(f"{where}.numerator", error.what, error.expected)]
    what = "is neither true nor false, nor 0 and 1"
    return [Fault(f"{where}.numerator", f"{what}: {rows[0]['value']:g}", "a proportion of 0 and 1")] if rows else []
