"""Small pieces of SQL trees that every level of a query is made of."""

from sqlglot import exp


def column(name: str) -> exp.Column:
    """A column by its exact name, whatever characters it holds."""
    return exp.Column(this=exp.to_identifier(name, quoted=True))


def named(value: exp.Expr, name: str) -> exp.Alias:
    """A value under a name."""
    return exp.Alias(this=value, alias=exp.to_identifier(name, quoted=True))


def when(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The value where the condition holds, else null."""
    return exp.Case().when(condition, value.copy())


def flag(condition: exp.Expr) -> exp.Expr:
    """1 where the condition holds, else 0."""
    return exp.Case().when(condition, exp.Literal.number(1)).else_(exp.Literal.number(0))


def is_null(value: exp.Expr) -> exp.Expr:
    """Whether there is no value."""
    return exp.Is(this=value.copy(), expression=exp.Null())


def is_known(value: exp.Expr) -> exp.Expr:
    """Whether there is a value."""
    return exp.not_(is_null(value))


def is_finite(value: exp.Expr) -> exp.Expr:
    """Whether a number is neither NaN nor infinite; null where there is none.

    Taken from itself a finite number leaves 0, anything else NaN. A comparison with the largest number would say the
    same, were it not for engines that answer it from a Parquet file's least and largest value, which leave NaN out.
    """
    itself = [exp.Paren(this=value.copy()) for _ in range(2)]
    return exp.EQ(this=exp.Sub(this=itself[0], expression=itself[1]), expression=exp.Literal.number(0))


def finite(value: exp.Expr) -> exp.Expr:
    """The number where it is finite, else null."""
    return when(is_finite(value), value)


def total(parts: list[exp.Expr]) -> exp.Expr:
    """The parts added up; 0 without any."""
    added = parts[0] if parts else exp.Literal.number(0)
    for part in parts[1:]:
        added = exp.Add(this=added, expression=part)
    return added


def number(value: float) -> exp.Expr:
    """A number as it is, to its last digit."""
    literal = exp.Literal.number(repr(abs(value)).upper())
    return exp.Neg(this=literal) if value < 0 else literal
