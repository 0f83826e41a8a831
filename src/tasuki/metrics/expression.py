"""People's SQL expressions as trees: parsed, checked against the columns there are, and never pasted."""

from collections.abc import Collection
from difflib import get_close_matches

import sqlglot
from sqlglot import exp
from sqlglot.errors import SqlglotError

from tasuki.errors import Fault, said

MAX_LENGTH = 2_000

_STRUCTURE: tuple[type[exp.Expr], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.DataType, exp.Interval, exp.Var,
    exp.Tuple,
)  # fmt: skip
_ARITHMETIC: tuple[type[exp.Expr], ...] = (
    exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod, exp.Neg, exp.Abs, exp.Round, exp.Floor, exp.Ceil, exp.Sqrt, exp.Ln,
    exp.Log, exp.Exp, exp.Pow, exp.Greatest, exp.Least, exp.Sign, exp.IntDiv,
)  # fmt: skip
_CONDITIONS: tuple[type[exp.Expr], ...] = (
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.Is, exp.In, exp.Between, exp.Like,
    exp.ILike, exp.Case, exp.If, exp.Coalesce, exp.Nullif,
)  # fmt: skip
_TEXT_AND_TIME: tuple[type[exp.Expr], ...] = (
    exp.Cast, exp.TryCast, exp.Lower, exp.Upper, exp.Trim, exp.Length, exp.Substring, exp.Concat, exp.DPipe,
    exp.StartsWith, exp.Extract, exp.DateDiff, exp.TimestampDiff, exp.TimestampTrunc, exp.DateTrunc, exp.Hour,
    exp.DayOfWeek, exp.Year, exp.Month, exp.Day, exp.Date, exp.Replace,
)  # fmt: skip
ALLOWED = frozenset((*_STRUCTURE, *_ARITHMETIC, *_CONDITIONS, *_TEXT_AND_TIME))
"""Everything an expression may be made of. No sub-query, no aggregate, no window, no function of the engine's own."""


def parse_expression(
    text: str, columns: Collection[str], where: str, dialect: str = "duckdb"
) -> tuple[exp.Expr | None, tuple[Fault, ...]]:
    """The tree of one expression, or every reason why it is not taken.

    Args:
        text: One expression, as `price / 1000` or `clicked AND app = 'news'`. A column's bare name always works,
            whatever characters it holds.
        columns: The columns there are; they are matched exactly, then ignoring case.
        where: The place to name in a fault.
        dialect: The dialect the text is written in.
    """
    if text in columns:
        return _column(text), ()
    if len(text) > MAX_LENGTH:
        return None, (
            Fault(
                where,
                said("the expression has {count} characters", count=len(text)),
                said("at most {max_length}", max_length=MAX_LENGTH),
            ),
        )
    try:
        parsed = sqlglot.parse(text, read=dialect)
    except (SqlglotError, RecursionError) as error:
        reason = str(error).splitlines()[0].split(" Line 1")[0].rstrip(".")
        return None, (
            Fault(
                where,
                said("{text!r} is no SQL expression ({reason})", text=text, reason=reason),
                "one expression over the columns",
            ),
        )
    if len(parsed) != 1 or parsed[0] is None:
        return None, (Fault(where, said("{text!r} is not one expression", text=text), "exactly one, without ';'"),)
    tree = parsed[0]
    known = {name.lower(): name for name in columns}
    faults = [*_forbidden(tree, where), *_unknown(tree, columns, known, where)]
    if faults:
        return None, tuple(dict.fromkeys(faults))
    for node in tree.walk():
        node.comments = None
    return tree.transform(lambda node: _exact(node, columns, known)), ()


def _forbidden(tree: exp.Expr, where: str) -> list[Fault]:
    faults = []
    for node in tree.walk():
        if type(node) not in ALLOWED:
            shown = node.name if isinstance(node, exp.Anonymous) else type(node).__name__
            expected = "arithmetic, comparisons, CASE, COALESCE, CAST, text and time functions of single rows"
            faults.append(Fault(where, said("{shown} is not allowed in an expression", shown=shown), expected))
        if isinstance(node, exp.Column) and node.table:
            faults.append(Fault(where, said("{node!r} names a table", node=node.sql()), "bare column names"))
    return faults


def _unknown(tree: exp.Expr, columns: Collection[str], known: dict[str, str], where: str) -> list[Fault]:
    faults = []
    for column in tree.find_all(exp.Column):
        if column.name not in columns and column.name.lower() not in known:
            close = get_close_matches(column.name.lower(), known, n=1)
            hint = said("; did you mean {name!r}?", name=known[close[0]]) if close else ""
            faults.append(
                Fault(
                    where,
                    said("there is no column {column!r}{hint}", column=column.name, hint=hint),
                    said("one of {columns}", columns=tuple(columns)),
                )
            )
    return faults


def _exact(node: exp.Expr, columns: Collection[str], known: dict[str, str]) -> exp.Expr:
    if isinstance(node, exp.Column):
        return _column(node.name if node.name in columns else known[node.name.lower()])
    return node


def _column(name: str) -> exp.Column:
    return exp.Column(this=exp.to_identifier(name, quoted=True))
