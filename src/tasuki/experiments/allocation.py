"""Who takes part in an experiment, and in which arm: one frozen value that every door reads in the same way.

Three hashes of a unit's text decide, each independent of the others (see `tasuki.experiments.assignment`):

1. `holdout:NAME:UNIT` says whether the unit is held out of all experiments.
2. `layer:LAYER:UNIT` says where the unit lies in its layer, in [0, 1). An experiment holds a range of the layer; the
   experiments of one exclusive group hold disjoint ranges of one layer, so that no unit is in two of them. Experiments
   of different layers fall on the same units independently.
3. `SALT:UNIT` gives the arm, as it always did.

Ramp-up exposes a growing part of the range from its lower end, and the arm does not depend on it: raising the part
only adds units, and no unit ever moves to another arm. Without layer, range and hold-out the third hash alone is taken.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from math import isfinite
from typing import TYPE_CHECKING, Literal

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.assignment import BUCKETS, Dialect, arms_sql, digest_sql, hexadecimal, split_of

if TYPE_CHECKING:
    from sqlglot import exp

Status = Literal["assigned", "holdout", "outside", "no_unit"]
RESERVED = ("holdout", "outside")
"""No arm has these names: exposures record them for units that take no part."""

MOST_HELD_OUT = 0.5


@dataclass(frozen=True)
class HoldOut:
    """A share of the units that is kept out of every experiment; the same units as long as the name stays.

    Args:
        name: Another name holds out other units.
        share: In (0, 0.5].
    """

    name: str
    share: float


@dataclass(frozen=True)
class Reach:
    """The range of its layer that an experiment holds, and how much of it is exposed by now.

    Args:
        low: Where the range begins, in [0, 1).
        high: Where it ends, in (low, 1].
        exposed: The part of the range that takes part, from its lower end, in (0, 1]: the ramp-up.
    """

    low: float = 0.0
    high: float = 1.0
    exposed: float = 1.0

    @property
    def edges(self) -> tuple[int, int]:
        """The bucket numbers from which (inclusive) and to which (exclusive) units take part."""
        low, high = round(self.low * BUCKETS), round(self.high * BUCKETS)
        reached = high if self.exposed == 1 else round((self.low + self.exposed * (self.high - self.low)) * BUCKETS)
        return low, min(reached, high)

    @property
    def held(self) -> tuple[int, int]:
        """The bucket numbers of the whole range, exposed or not."""
        return round(self.low * BUCKETS), round(self.high * BUCKETS)

    def overlaps(self, other: "Reach") -> bool:
        """Whether a unit could be in both ranges once both are fully exposed."""
        return self.held[0] < other.held[1] and other.held[0] < self.held[1]


EVERYBODY = Reach()


@dataclass(frozen=True)
class Placed:
    """Where a unit belongs.

    Args:
        status: `assigned`, `holdout`, `outside` (the experiment's exposed range) or `no_unit` (null).
        arm: The arm; None for a unit that takes no part.
        bucket: The arm's bucket in [0, 1), whether or not the unit takes part; None for no unit.
    """

    status: Status
    arm: str | None
    bucket: float | None


@dataclass(frozen=True)
class Allocation:
    """An experiment's units and arms. Frozen: the same value gives the same answer for ever, in every engine.

    Units are texts or whole numbers (hashed as their text); None is no unit and has no arm.

    Args:
        salt: What the arms are hashed with.
        arms: Name and share of each arm, in the order in which they take consecutive shares.
        layer: The layer whose hash places units; needed only where the reach is less than everybody.
        reach: The range of the layer that takes part.
        holdout: Who is kept out of every experiment; None for nobody.
    """

    salt: str
    arms: tuple[tuple[str, float], ...]
    layer: str = ""
    reach: Reach = EVERYBODY
    holdout: HoldOut | None = None

    @property
    def everybody(self) -> bool:
        """Whether every unit takes part."""
        return self.reach == EVERYBODY and self.holdout is None

    @property
    def share(self) -> float:
        """The share of all units that takes part."""
        low, high = self.reach.edges
        return (high - low) / BUCKETS * (1 - (self.holdout.share if self.holdout else 0.0))

    def arm_of(self, unit: object) -> str | None:
        """The arm of a unit; None when it takes no part, or is None."""
        return self._arm_of(unit)

    def arms_of(self, units: Iterable[object]) -> list[str | None]:
        """The arm of each unit in the order given; the same answers as `arm_of`."""
        return list(map(self._arm_of, units))

    def place(self, unit: object) -> Placed:
        """Where a unit belongs, and why it takes no part if it does not."""
        if unit is None:
            return Placed("no_unit", None, None)
        text = _encoded(unit)
        digest = sha256(self._salted + text).digest()
        bucket, status = (int.from_bytes(digest[:7]) >> 4) / BUCKETS, self._gate(text)
        return Placed(status, self._arm(digest) if status == "assigned" else None, bucket)

    def _arm(self, digest: bytes) -> str:
        return self._names[bisect_right(self._cuts, digest)]

    @cached_property
    def _gate(self) -> Callable[[bytes], Status]:
        """Whether a unit, as its encoded text, takes part."""
        held_out, holdout = self.holdout is not None, self.holdout or HoldOut("", 0.0)
        held_salt, held = f"holdout:{holdout.name}:".encode(), _cut(round(holdout.share * BUCKETS))
        partial, layer_salt = self.reach != EVERYBODY, f"layer:{self.layer}:".encode()
        low, high = map(_cut, self.reach.edges)

        def status_of(text: bytes) -> Status:
            if held_out and sha256(held_salt + text).digest() < held:
                return "holdout"
            if partial and not low <= sha256(layer_salt + text).digest() < high:
                return "outside"
            return "assigned"

        return status_of

    @cached_property
    def _salted(self) -> bytes:
        return f"{self.salt}:".encode()

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return split_of(dict(self.arms)).arms

    @cached_property
    def _cuts(self) -> tuple[bytes, ...]:
        return tuple(_cut(bound) for bound in split_of(dict(self.arms)).bounds[:-1])

    @cached_property
    def _arm_of(self) -> Callable[[object], str | None]:
        """The scalar path with everything looked up beforehand: no attribute, no conversion to a number."""
        salted, names, cuts, everybody, status_of = self._salted, self._names, self._cuts, self.everybody, self._gate

        def arm_of(unit: object) -> str | None:
            if unit is None:
                return None
            text = _encoded(unit)
            if everybody or status_of(text) == "assigned":
                return names[bisect_right(cuts, sha256(salted + text).digest())]
            return None

        return arm_of


def allocation_of(
    salt: str,
    arms: Mapping[str, float],
    *,
    layer: str = "",
    reach: Reach = EVERYBODY,
    holdout: HoldOut | None = None,
) -> Allocation:
    """The allocation with these parts, when they can be.

    Raises:
        Invalid: With every fault at once.
    """
    allocation = Allocation(salt, tuple(arms.items()), layer, reach, holdout)
    faults = allocation_faults(allocation)
    if faults:
        raise Invalid("nobody can be assigned in this way", faults)
    return allocation


def allocation_faults(allocation: Allocation) -> list[Fault]:
    """Everything about an allocation that cannot be."""
    faults: list[Fault] = []
    try:
        split_of(dict(allocation.arms))
    except Invalid as error:
        faults.extend(error.faults)
    names = [name for name, _ in allocation.arms]
    faults += [
        Fault("arms", said("{name!r} is named twice", name=name))
        for name in dict.fromkeys(names)
        if names.count(name) > 1
    ]
    faults += [
        Fault(f"arms.{name}", "is the name of units that take no part", "another name")
        for name in names
        if name in RESERVED
    ]
    faults += [*_reach_faults(allocation.reach), *_name_faults(allocation)]
    holdout = allocation.holdout
    if holdout is not None and not 0 < holdout.share <= MOST_HELD_OUT:
        faults.append(
            Fault(
                "holdout.share",
                said("is {share:g}", share=holdout.share),
                said("above 0 and at most {most_held_out:g}", most_held_out=MOST_HELD_OUT),
            )
        )
    return faults


def _reach_faults(reach: Reach) -> list[Fault]:
    faults = []
    ends = (reach.low, reach.high)
    if not all(isfinite(end) for end in ends) or not 0 <= reach.low < reach.high <= 1:
        faults.append(
            Fault(
                "range",
                said("{low:g} to {high:g} is no range of a layer", low=reach.low, high=reach.high),
                "0 ≤ from < to ≤ 1",
            )
        )
    if not 0 < reach.exposed <= 1:
        faults.append(
            Fault("exposed", said("the share is {exposed:g}", exposed=reach.exposed), "above 0 and at most 1")
        )
    return faults


def _name_faults(allocation: Allocation) -> list[Fault]:
    faults = []
    holdout = allocation.holdout
    if allocation.reach != EVERYBODY and not allocation.layer:
        faults.append(Fault("layer", "missing where not everybody takes part", "the layer whose range is held"))
    for where, name in (("layer", allocation.layer), ("holdout", holdout.name if holdout else "")):
        if ":" in name:
            faults.append(Fault(where, said("{name!r} holds a colon", name=name), "a name without one"))
    if holdout is not None and not holdout.name:
        faults.append(Fault("holdout", "has no name", "a name; another one holds out other units"))
    taken = {f"layer:{allocation.layer}", f"holdout:{holdout.name if holdout else ''}"}
    if allocation.salt in taken:
        faults.append(Fault("salt", "is that of the layer or the hold-out", "a salt of its own"))
    return faults


def arm_sql(unit: "exp.Expr", allocation: Allocation, dialect: Dialect = "duckdb") -> "exp.Expr":
    """The SQL expression of each row's arm, equal to `Allocation.arm_of`: null for a unit that takes no part.

    Each hash is written so that the engine computes it once a row.

    Args:
        unit: The column, or any expression of text or whole numbers, that holds the unit.
        allocation: Who takes part, and in which arm.
        dialect: The engine's.
    """
    from sqlglot import exp

    arm = arms_sql(unit, allocation.salt, split_of(dict(allocation.arms)), dialect)
    if allocation.everybody:
        return arm
    case = exp.Case()
    for condition, _ in _gates(unit, allocation, dialect):
        case = case.when(condition, exp.Null())
    return case.else_(arm)


def status_sql(unit: "exp.Expr", allocation: Allocation, dialect: Dialect = "duckdb") -> "exp.Expr":
    """The SQL expression of each row's status, equal to `Placed.status`."""
    from sqlglot import exp

    case = exp.Case().when(exp.Is(this=unit.copy(), expression=exp.Null()), exp.Literal.string("no_unit"))
    for condition, status in _gates(unit, allocation, dialect):
        case = case.when(condition, exp.Literal.string(status))
    return case.else_(exp.Literal.string("assigned"))


def _gates(unit: "exp.Expr", allocation: Allocation, dialect: Dialect) -> "list[tuple[exp.Expr, Status]]":
    """The conditions that keep a unit from taking part, in the order in which they are asked."""
    from sqlglot import exp

    gates: list[tuple[exp.Expr, Status]] = []
    if allocation.holdout is not None:
        digest = digest_sql(unit, f"holdout:{allocation.holdout.name}", dialect)
        held = round(allocation.holdout.share * BUCKETS)
        gates.append((exp.LT(this=digest, expression=_hexadecimal(held)), "holdout"))
    if allocation.reach != EVERYBODY:
        low, high = allocation.reach.edges
        digest = digest_sql(unit, f"layer:{allocation.layer}", dialect)
        # A digest never equals a bound, which is shorter: between leaves the upper bound out, as it should be.
        inside = exp.Between(this=digest, low=_hexadecimal(low), high=_hexadecimal(high))
        gates.append((exp.not_(inside), "outside"))
    return gates


def _hexadecimal(bound: int) -> "exp.Expr":
    from sqlglot import exp

    return exp.Literal.string(hexadecimal(bound))


def _cut(bound: int) -> bytes:
    """A bucket number as bytes that compare with a digest as the number compares with the digest's first 52 bits."""
    return b"\xff" * 33 if bound >= BUCKETS else (bound << 4).to_bytes(7)


def _encoded(unit: object) -> bytes:
    try:
        return str(unit).encode()
    except UnicodeEncodeError as error:
        raise Invalid("a unit is no valid text", [Fault("unit", str(error))]) from None
