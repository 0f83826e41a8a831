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
from typing import TYPE_CHECKING

from tasuki.errors import Fault, Invalid

if TYPE_CHECKING:
    from sqlglot import exp

BUCKETS = 16**13
"""How many buckets the hash can tell apart: 2**52."""

SHARE_TOLERANCE = 1e-9


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
    """
    number = int(sha256(f"{salt}:{unit}".encode()).hexdigest()[:13], 16)
    return _split(tuple(arms.items())).arm_of(number), number / BUCKETS


def assign_many(units: Iterable[object], salt: str, arms: Mapping[str, float]) -> list[tuple[str, float]]:
    """The arm and the bucket of each unit, in the order given; the same answers as `assign`."""
    arm_of, start, hashed = split_of(arms).arm_of, f"{salt}:".encode(), sha256
    numbers = (int(hashed(start + str(unit).encode()).hexdigest()[:13], 16) for unit in units)
    return [(arm_of(number), number / BUCKETS) for number in numbers]


def assignment_sql(unit: "exp.Expr", salt: str, arms: Mapping[str, float], dialect: str = "duckdb") -> "exp.Expr":
    """The SQL expression whose value is the arm of each row's unit, equal to `assign` to the last unit.

    Args:
        unit: The column, or any expression, that holds the unit.
        salt: The experiment's salt; it becomes a literal, quoted by the dialect's writer.
        arms: Share of the traffic by arm, adding up to 1.
        dialect: `duckdb` or `spark`: how the engine turns hexadecimal text into a number differs.
    """
    from sqlglot import exp

    split, number = split_of(arms), bucket_sql(unit, salt, dialect)
    case = exp.Case()
    for arm, bound in list(zip(split.arms, split.bounds, strict=True))[:-1]:
        case = case.when(exp.LT(this=number.copy(), expression=exp.Literal.number(bound)), exp.Literal.string(arm))
    return case.else_(exp.Literal.string(split.arms[-1])) if case.args.get("ifs") else exp.Literal.string(split.arms[0])


def bucket_sql(unit: "exp.Expr", salt: str, dialect: str = "duckdb") -> "exp.Expr":
    """The SQL expression of a unit's bucket number in [0, 2**52).

    Raises:
        Invalid: For a dialect other than `duckdb` and `spark`.
    """
    from sqlglot import exp

    salted = exp.Concat(
        expressions=[exp.Literal.string(f"{salt}:"), exp.cast(unit.copy(), exp.DType.TEXT)], safe=False, coalesce=False
    )
    match dialect:
        case "duckdb":
            digest = _first_13(exp.Anonymous(this="sha256", expressions=[salted]))
            hexadecimal = exp.Concat(expressions=[exp.Literal.string("0x"), digest], safe=False, coalesce=False)
            return exp.cast(hexadecimal, exp.DType.UBIGINT)
        case "spark":
            hashed = exp.Anonymous(this="sha2", expressions=[salted, exp.Literal.number(256)])
            digest = _first_13(hashed)
            converted = exp.Anonymous(this="conv", expressions=[digest, exp.Literal.number(16), exp.Literal.number(10)])
            return exp.cast(converted, exp.DType.BIGINT)
    raise Invalid(f"no bucket is known in the dialect {dialect!r}", expected="duckdb or spark")


def _first_13(digest: "exp.Expr") -> "exp.Expr":
    from sqlglot import exp

    return exp.Substring(this=digest, start=exp.Literal.number(1), length=exp.Literal.number(13))


@lru_cache(maxsize=256)
def _split(arms: tuple[tuple[str, float], ...]) -> Split:
    faults = [Fault("arms", "no arm is named", "NAME=SHARE,…")] if not arms else []
    for name, share in arms:
        if not name:
            faults.append(Fault("arms", "an arm has no name"))
        if not (isfinite(share) and 0 < share <= 1):
            faults.append(Fault(f"arms.{name}", f"the share is {share:g}", "above 0 and at most 1"))
    total = sum(share for _, share in arms)
    if arms and not faults and abs(total - 1) > SHARE_TOLERANCE:
        faults.append(Fault("arms", f"the shares add up to {total:.12g}", "1"))
    if faults:
        raise Invalid("the split of the arms is not valid", faults)
    bounds = [round(reached * BUCKETS) for reached in accumulate(share for _, share in arms)]
    return Split(tuple(name for name, _ in arms), (*bounds[:-1], BUCKETS))
