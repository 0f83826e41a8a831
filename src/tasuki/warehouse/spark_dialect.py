"""SQL trees that mean in Spark what they mean in DuckDB.

Some functions have the same name and another meaning (`log` is the natural logarithm in Spark and the decimal one in
DuckDB; Sunday is 1 there and 0 here). They are rewritten where the meaning can be kept, and refused where it cannot:
a number that depends on the engine would be a wrong number.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from tasuki.errors import Fault, Invalid

_WHOLE = ("BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT")
_TO_WHOLE = {exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.UBIGINT}
_PARTS_ALIKE = {"YEAR", "QUARTER", "MONTH", "WEEK", "DAY", "DOY", "HOUR", "MINUTE"}
_SPANS_ALIKE = {"YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}
_LARGEST_WHOLE = "1E15"


@dataclass(frozen=True)
class _Place:
    """A node of the tree, the types of the columns, and the faults found so far."""

    node: exp.Expr
    kinds: Mapping[str, str]
    faults: list[Fault]


def in_spark(tree: exp.Expr, kinds: Mapping[str, str]) -> exp.Expr:
    """A copy of a tree for Spark.

    Args:
        tree: As it would be asked of DuckDB.
        kinds: The type of every column that is known, in DuckDB's words.

    Raises:
        Invalid: Naming everything that Spark would compute differently.
    """
    faults: list[Fault] = []
    copy = tree.copy()
    # Inner nodes first: a rewritten node holds its parts more than once.
    for node in [one for one in reversed(list(copy.bfs())) if type(one) in _REWRITTEN]:
        new = _REWRITTEN[type(node)](_Place(node, kinds, faults))
        if new is not node:
            node.replace(new)
    if faults:
        raise Invalid(
            "Spark computes this differently from DuckDB",
            list(dict.fromkeys(faults)),
            next_step="write it as expected, or ask DuckDB",
        )
    return copy


def _divide(place: _Place) -> exp.Expr:
    """By zero it is infinite or no number, as IEEE 754 says; both are left out and counted."""
    node = place.node
    over, under = _double(node.this), _double(node.expression)
    infinite = exp.Mul(this=exp.Paren(this=over.copy()), expression=_number("Infinity"))
    by_zero = exp.EQ(this=under.copy(), expression=exp.Literal.number(0))
    return exp.Case().when(by_zero, infinite).else_(exp.Div(this=over, expression=under))


def _floor(place: _Place) -> exp.Expr:
    """Spark's are whole numbers, so that infinity becomes the largest of them."""
    node = place.node
    if node.args.get("decimals") is not None or node.args.get("to") is not None:
        return _differs(place, "FLOOR(x) or CEIL(x)")
    inside = node.this
    small = exp.LTE(this=exp.Abs(this=inside.copy()), expression=exp.Literal.number(_LARGEST_WHOLE))
    return exp.Case().when(small, _double(node.copy())).else_(_double(inside.copy()))


def _logarithm(place: _Place) -> exp.Expr:
    """Of 0 it is minus infinity and of less it is no number, where Spark says null."""
    node = place.node
    base, inside = (None, node.this) if isinstance(node, exp.Ln) or node.expression is None else (
        node.this, node.expression
    )  # fmt: skip
    value = _double(inside)
    if isinstance(node, exp.Ln):
        found: exp.Expr = exp.Ln(this=value.copy())
    else:
        found = exp.Anonymous(this="log", expressions=[_double(base or exp.Literal.number(10)), value.copy()])
    zero = exp.Literal.number(0)
    case = exp.Case().when(exp.EQ(this=value.copy(), expression=zero.copy()), _number("-Infinity"))
    return case.when(exp.LT(this=value.copy(), expression=zero.copy()), _number("NaN")).else_(found)


def _sign(place: _Place) -> exp.Expr:
    node = place.node
    no_number = exp.EQ(this=_double(node.this), expression=_number("NaN"))
    return exp.Case().when(no_number, exp.Literal.number(0)).else_(node.copy())


def _round(place: _Place) -> exp.Expr:
    node = place.node
    digits = node.args.get("decimals")
    if digits is None or (isinstance(digits, exp.Literal) and digits.this == "0"):
        return node
    return _differs(place, "ROUND(x), or ROUND(x * 100) / 100")


def _like(place: _Place) -> exp.Expr:
    node = place.node
    pattern = node.expression
    if isinstance(pattern, exp.Literal) and "\\" not in pattern.this:
        return node
    return _differs(place, "a pattern in quotes, without a backslash")


def _cast(place: _Place) -> exp.Expr:
    node = place.node
    to = node.args["to"].this
    if to not in _TO_WHOLE:
        return node
    inside = node.this
    kind = place.kinds.get(inside.name, "") if isinstance(inside, exp.Column) else ""
    if kind.startswith(_WHOLE):
        return node
    if kind in ("DOUBLE", "FLOAT"):
        node.set("this", exp.Anonymous(this="rint", expressions=[inside.copy()]))
        return node
    return _differs(place, "CAST(… AS DOUBLE), or FLOOR or ROUND of it")


def _substring(place: _Place) -> exp.Expr:
    node = place.node
    start = node.args.get("start")
    if isinstance(start, exp.Literal) and start.this != "0":
        return node
    return _differs(place, "a start from 1 on")


def _extract(place: _Place) -> exp.Expr:
    node = place.node
    part = node.this.name.upper()
    if part in _PARTS_ALIKE:
        return node
    if part in ("DOW", "DAYOFWEEK"):
        return _less_one(exp.DayOfWeek(this=node.expression.copy()))
    return _differs(place, f"one of {', '.join(sorted(_PARTS_ALIKE))}, DOW")


def _day_of_week(place: _Place) -> exp.Expr:
    node = place.node
    return _less_one(node.copy())


def _date_diff(place: _Place) -> exp.Expr:
    """DuckDB counts the boundaries between two moments, Spark the whole spans."""
    node = place.node
    unit = node.args.get("unit")
    span = unit.name.upper() if unit is not None else "DAY"
    if span not in _SPANS_ALIKE:
        return _differs(place, f"one of {', '.join(sorted(_SPANS_ALIKE))}")
    name = exp.Literal.string(span)
    moments = [
        exp.Anonymous(this="date_trunc", expressions=[name.copy(), one.copy()]) for one in (node.expression, node.this)
    ]
    return exp.Anonymous(this="datediff", expressions=[exp.Var(this=span), *moments])


def _percentile(place: _Place) -> exp.Expr:
    """The exact one; the dialect's writer would take an approximation."""
    quantile, order = place.node.this, place.node.expression
    if not isinstance(quantile, exp.PercentileCont):
        return place.node
    return exp.Anonymous(this="percentile", expressions=[order.expressions[0].this.copy(), _double(quantile.this)])


def _differs(place: _Place, expected: str) -> exp.Expr:
    place.faults.append(Fault(place.node.sql(dialect="duckdb"), "has another meaning in Spark", expected))
    return place.node


def _double(value: exp.Expr) -> exp.Expr:
    return exp.cast(value.copy(), exp.DType.DOUBLE)


def _number(name: str) -> exp.Expr:
    return exp.cast(exp.Literal.string(name), exp.DType.DOUBLE)


def _less_one(value: exp.Expr) -> exp.Expr:
    return exp.Paren(this=exp.Sub(this=value, expression=exp.Literal.number(1)))


_REWRITTEN: dict[type[exp.Expr], Callable[[_Place], exp.Expr]] = {
    exp.Div: _divide,
    exp.Floor: _floor,
    exp.Ceil: _floor,
    exp.Ln: _logarithm,
    exp.Log: _logarithm,
    exp.Sign: _sign,
    exp.Round: _round,
    exp.Like: _like,
    exp.ILike: _like,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Substring: _substring,
    exp.Extract: _extract,
    exp.DayOfWeek: _day_of_week,
    exp.DateDiff: _date_diff,
    exp.TimestampDiff: _date_diff,
    exp.WithinGroup: _percentile,
}
