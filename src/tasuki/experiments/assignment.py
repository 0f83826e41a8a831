"""Which arm a unit belongs to: a stable hash of salt and unit, the same in Python, in SQL and in the inference service.

The bucket of a unit is `int(sha256(f"{salt}:{unit}").hexdigest()[:13], 16) / 16**13`: 52 bits, exact as a double, and
available in every engine. Arms take consecutive shares of [0, 1) in the order given; the bounds are compared as
integers, so that no rounding can put a unit into different arms in different engines.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from itertools import accumulate
from math import isfinite
from typing import TYPE_CHECKING, Literal, get_args

from tasuki.errors import Fault, Invalid, said

if TYPE_CHECKING:
    from sqlglot import exp

BUCKETS = 16**13
"""How many buckets the hash can tell apart: 2**52."""

SHARE_TOLERANCE = 1e-9

Dialect = Literal["duckdb", "spark", "bigquery", "snowflake", "trino", "clickhouse", "postgres"]
DIALECTS: tuple[Dialect, ...] = get_args(Dialect)


@dataclass(frozen=True)
class Split:
    """Arms and the integer bounds of their consecutive shares: arm `i` takes buckets below `bounds[i]`."""

    arms: tuple[str, ...]
    bounds: tuple[int, ...]

    def arm_of(self, number: int) -> str:
        """The arm of a bucket number in [0, BUCKETS)."""
        for arm, bound in zip(self.arms, self.bounds, strict=True):
            if number < bound:
                return arm
        return self.arms[-1]


def split_of(arms: Mapping[str, float]) -> Split:
    """The bounds that belong to arms and their shares.

    Args:
        arms: Share of the traffic by arm, in (0, 1], adding up to 1 within 1e-9.

    Raises:
        Invalid: With every fault at once: no arm, an empty name, a share outside (0, 1], a sum other than 1.
    """
    return _split(tuple(arms.items()))


def assign(unit: object, salt: str, arms: Mapping[str, float]) -> tuple[str, float]:
    """The arm and the bucket of one unit.

    Args:
        unit: What is randomised; its text (`str`) is hashed, so 7 and "7" are the same unit.
        salt: Any text; another salt is another, independent split.
        arms: Share of the traffic by arm, adding up to 1.

    Returns:
        The arm's name, and the bucket in [0, 1).

    Raises:
        Invalid: For None, which is no unit: an engine gives it no arm either.
    """
    if unit is None:
        raise Invalid("None is no unit", expected="a text or a whole number")
    # The first seven bytes without their last four bits: the 13 hexadecimal digits, without writing them out.
    number = int.from_bytes(sha256(f"{salt}:{unit}".encode()).digest()[:7]) >> 4
    return _split(tuple(arms.items())).arm_of(number), number / BUCKETS


def assign_many(units: Iterable[object], salt: str, arms: Mapping[str, float]) -> list[tuple[str, float]]:
    """The arm and the bucket of each unit, in the order given; the same answers as `assign`."""
    arm_of, start, hashed = split_of(arms).arm_of, f"{salt}:".encode(), sha256
    chosen = list(units)
    if any(unit is None for unit in chosen):
        raise Invalid("None is no unit", expected="texts or whole numbers")
    numbers = (int.from_bytes(hashed(start + str(unit).encode()).digest()[:7]) >> 4 for unit in chosen)
    return [(arm_of(number), number / BUCKETS) for number in numbers]


def assignment_sql(unit: "exp.Expr", salt: str, arms: Mapping[str, float], dialect: Dialect = "duckdb") -> "exp.Expr":
    """The SQL expression whose value is the arm of each row's unit, equal to `assign` to the last unit; null for null.

    Args:
        unit: The column, or any expression of text or whole numbers, that holds the unit.
        salt: The experiment's salt; it becomes a literal, quoted by the dialect's writer.
        arms: Share of the traffic by arm, adding up to 1.
        dialect: The engine's: how it writes a SHA-256 in hexadecimal differs.
    """
    return arms_sql(unit, salt, split_of(arms), dialect)


def arms_sql(unit: "exp.Expr", salt: str, split: Split, dialect: Dialect) -> "exp.Expr":
    """The same for a split whose bounds are known.

    The digest's text is compared with the bounds' text, which sorts as the numbers do: nothing is converted. The arm is
    looked up by the number of bounds passed, and not by a CASE, whose branches hide from DuckDB and Spark that they
    hash the same text: so it is hashed once a row, however many arms there are.
    """
    from sqlglot import exp

    digest = digest_sql(unit, salt, dialect)
    passed = [exp.GTE(this=digest.copy(), expression=_bound(bound)) for bound in split.bounds[:-1]]
    names = [exp.Literal.string(arm) for arm in split.arms]
    if not passed or dialect not in _INDEXED:
        unknown = exp.Is(this=unit.copy(), expression=exp.Null())
        case = exp.Case().when(unknown, exp.Null())
        for arm, bound in zip(names[:-1], split.bounds[:-1], strict=True):
            case = case.when(exp.LT(this=digest.copy(), expression=_bound(bound)), arm)
        return case.else_(names[-1])
    at: exp.Expr = exp.Literal.number(1)
    for condition in passed:
        at = exp.Add(this=at, expression=exp.cast(condition, exp.DType.INT))
    return exp.Anonymous(this=_INDEXED[dialect], expressions=[exp.Array(expressions=names), at])


_INDEXED = {"duckdb": "list_extract", "spark": "element_at"}


def digest_sql(unit: "exp.Expr", salt: str, dialect: Dialect) -> "exp.Expr":
    """The SQL expression of the SHA-256 of salt and unit as 64 hexadecimal digits in lower case; null for null.

    Raises:
        Invalid: For a dialect that is not known.
    """
    from sqlglot import exp

    # Not CONCAT, which takes null for an empty text in some engines.
    salted = exp.DPipe(this=exp.Literal.string(f"{salt}:"), expression=exp.cast(unit.copy(), exp.DType.TEXT), safe=True)

    def call(name: str, *of: exp.Expr) -> exp.Expr:
        return exp.Anonymous(this=name, expressions=list(of))

    match dialect:
        case "duckdb":
            return call("sha256", salted)
        case "spark" | "snowflake":
            return call("sha2", salted, exp.Literal.number(256))
        case "bigquery":
            return call("to_hex", call("sha256", salted))
        case "trino":
            return call("lower", call("to_hex", call("sha256", call("to_utf8", salted))))
        case "clickhouse":
            return call("lower", call("hex", call("SHA256", salted)))
        case "postgres":
            utf8 = call("convert_to", salted, exp.Literal.string("UTF8"))
            return call("encode", call("sha256", utf8), exp.Literal.string("hex"))
    raise Invalid(said("no hash is known in the dialect {dialect!r}", dialect=dialect), expected=", ".join(DIALECTS))


def bucket_sql(unit: "exp.Expr", salt: str, dialect: Dialect = "duckdb") -> "exp.Expr":
    """The SQL expression of a unit's bucket number in [0, 2**52).

    Raises:
        Invalid: For a dialect other than `duckdb` and `spark`: how text becomes a number differs.
    """
    from sqlglot import exp

    digest = exp.Substring(
        this=digest_sql(unit, salt, dialect), start=exp.Literal.number(1), length=exp.Literal.number(13)
    )
    match dialect:
        case "duckdb":
            return exp.cast(exp.DPipe(this=exp.Literal.string("0x"), expression=digest, safe=True), exp.DType.UBIGINT)
        case "spark":
            converted = exp.Anonymous(this="conv", expressions=[digest, exp.Literal.number(16), exp.Literal.number(10)])
            return exp.cast(converted, exp.DType.BIGINT)
    raise Invalid(
        said("no bucket number is known in the dialect {dialect!r}", dialect=dialect), expected="duckdb or spark"
    )


def _bound(bound: int) -> "exp.Expr":
    from sqlglot import exp

    return exp.Literal.string(hexadecimal(bound))


def hexadecimal(bound: int) -> str:
    """A bucket number as text that compares with a digest's text as the number compares with the digest's."""
    return "g" if bound >= BUCKETS else f"{bound:013x}"


@lru_cache(maxsize=256)
def _split(arms: tuple[tuple[str, float], ...]) -> Split:
    faults = [Fault("arms", "no arm is named", "NAME=SHARE,…")] if not arms else []
    for name, share in arms:
        if not name:
            faults.append(Fault("arms", "an arm has no name"))
        if not (isfinite(share) and 0 < share <= 1):
            faults.append(Fault(f"arms.{name}", said("the share is {share:g}", share=share), "above 0 and at most 1"))
    total = sum(share for _, share in arms)
    if arms and not faults and abs(total - 1) > SHARE_TOLERANCE:
        faults.append(Fault("arms", said("the shares add up to {total:.12g}", total=total), "1"))
    if faults:
        raise Invalid("the split of the arms is not valid", faults)
    bounds = [round(reached * BUCKETS) for reached in accumulate(share for _, share in arms)]
    return Split(tuple(name for name, _ in arms), (*bounds[:-1], BUCKETS))
