"""How a comparison is to be judged: who is control, the planned shares, the level and how often people look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from tasuki.errors import Fault, Invalid, said
from tasuki.experiments.assignment import SHARE_TOLERANCE
from tasuki.stats.concern import Concern
from tasuki.stats.false_win import TYPICAL_PRIOR
from tasuki.stats.group_sequential import MOST_LOOKS, SPENDINGS, Spending
from tasuki.stats.sequential import DEFAULT_TUNING

TYPICAL_SOURCE = "typical of the field, not measured here"
Method = Literal["auto", "bootstrap"]
METHODS: tuple[Method, ...] = ("auto", "bootstrap")
Adjustment = Literal["none", "holm", "bh"]
ADJUSTMENTS: tuple[Adjustment, ...] = ("none", "holm", "bh")
MOST_ARMS = 20
MOST_SEGMENT_VALUES = 50
MOST_STRATA = 1_000
_USUAL_NAMES = ("control", "champion", "baseline", "対照", "コントロール", "a", "off", "no", "0", "false")
_USUAL_FIRST_WORDS = ("control", "champion", "baseline", "no")


@dataclass(frozen=True)
class Design:
    """What was decided before the numbers are seen.

    Args:
        control: The arm that the others are compared with; guessed from its name when None.
        shares: The planned share of each arm; equal when None.
        alpha: Two-sided level, in (0, 1).
        adjust: How p-values are adjusted for several metrics and arms.
        sequential: Whether intervals must stay right under any number of looks.
        tuning: The units at which sequential intervals are narrowest.
        prior: The share of ideas that truly improve, for the false-win risk.
        prior_source: Where the prior comes from, in words.
        power: The power the comparison was planned with, for the false-win risk.
        primary: The registered metrics that decide; all that are no guardrails when nothing was registered.
        mde: The smallest effect worth finding, as a share of control, where it was registered.
        days: How long it ran, where that is known.
        stratum: The column whose values are the strata that arms are compared within.
        segments: Columns whose effects are reported apart; all that were counted when None.
        looks: The planned looks of a group-sequential design, as shares of the planned units, rising.
        spending: How those looks share alpha.
        planned_units: Units of all arms at the planned end of a group-sequential design.
        method: `auto`, or `bootstrap` to draw the intervals of means and ratios from the units' values.
        earlier_units: Units at the looks that were really taken; the planned ones count when it is empty.
    """

    control: str | None = None
    shares: Mapping[str, float] | None = None
    alpha: float = 0.05
    adjust: Adjustment = "holm"
    sequential: bool = False
    tuning: int = DEFAULT_TUNING
    prior: float = TYPICAL_PRIOR
    prior_source: str = TYPICAL_SOURCE
    power: float = 0.8
    primary: tuple[str, ...] = ()
    mde: float | None = None
    days: float | None = None
    stratum: str | None = None
    segments: tuple[str, ...] | None = None
    looks: tuple[float, ...] = ()
    spending: Spending = "obrien_fleming"
    planned_units: int | None = None
    earlier_units: tuple[int, ...] = ()
    method: Method = "auto"

    def decides(self, metric: str) -> bool:
        """Whether a metric decides."""
        return not self.primary or metric in self.primary

    def reports(self, column: str) -> bool:
        """Whether the values of a counted column are reported as segments; the stratum only when it is one too."""
        return column != self.stratum if self.segments is None else column in self.segments

    def faults(self) -> list[Fault]:
        """Everything about the design itself that cannot be."""
        found = []
        if not 0 < self.alpha < 1:
            found.append(Fault("alpha", said("{alpha:g} is no level", alpha=self.alpha), "between 0 and 1, as 0.05"))
        if self.adjust not in ADJUSTMENTS:
            found.append(
                Fault("adjust", said("{adjust!r} is no adjustment", adjust=self.adjust), ", ".join(ADJUSTMENTS))
            )
        if not 0 < self.prior < 1:
            found.append(Fault("prior", said("{prior:g} is no probability", prior=self.prior), "between 0 and 1"))
        for name, share in (self.shares or {}).items():
            if not 0 < share <= 1:
                found.append(
                    Fault(f"split.{name}", said("the share is {share:g}", share=share), "above 0 and at most 1")
                )
        if self.shares and not found and abs(sum(self.shares.values()) - 1) > max(SHARE_TOLERANCE, 1e-6):
            found.append(Fault("split", said("the shares add up to {total:.6g}", total=sum(self.shares.values())), "1"))
        return [*found, *self._look_faults()]

    def _look_faults(self) -> list[Fault]:
        found = []
        if self.tuning < 1:
            found.append(Fault("tuning", said("{tuning:g} is no number of units", tuning=self.tuning), "1 or more"))
        if self.method not in METHODS:
            found.append(Fault("method", said("{method!r} is no method", method=self.method), ", ".join(METHODS)))
        elif self.method == "bootstrap" and (self.sequential or self.looks or self.stratum):
            found.append(
                Fault(
                    "method",
                    said("the bootstrap is for one look at the end, without strata"),
                    "auto with sequential, looks or stratum",
                )
            )
        if not self.looks:
            return found
        if self.sequential:
            found.append(Fault("looks", "always-valid intervals need no planned looks", "one of the two"))
        rising = all(a < b for a, b in zip((0.0, *self.looks), self.looks, strict=False))
        if not rising or not 0.05 <= self.looks[-1] <= 1:
            shown = ", ".join(f"{one:g}" for one in self.looks)
            found.append(Fault("looks", said("{shown} are no moments", shown=shown), "rising shares up to 1, as 0.5,1"))
        elif len(self.looks) > MOST_LOOKS:
            found.append(
                Fault(
                    "looks",
                    said("there are {count}", count=len(self.looks)),
                    said("at most {most_looks}, or --sequential", most_looks=MOST_LOOKS),
                )
            )
        if self.spending not in SPENDINGS:
            found.append(
                Fault("spending", said("{spending!r} is no way to spend", spending=self.spending), ", ".join(SPENDINGS))
            )
        if not self.planned_units or self.planned_units < 1:
            found.append(Fault("planned_units", "how many units the plan has is not said", "a number above 0"))
        return found


def arrange(units: Mapping[str, int], design: Design) -> tuple[str, tuple[str, ...], tuple[Concern, ...]]:
    """Which arm is control, and which are compared with it.

    Args:
        units: Units seen by arm.
        design: What was decided.

    Returns:
        Control, the treatment arms, and what should be known about the choice.

    Raises:
        Invalid: No or only one arm, far too many, or a control or planned arm that cannot be.
    """
    if len(units) > MOST_ARMS:
        some = ", ".join(repr(name) for name in list(units)[:3])
        raise Invalid(
            said("the variant column has {count:,} values ({some}, …)", count=len(units), some=some),
            expected=said("one value per arm, at most {most_arms} arms", most_arms=MOST_ARMS),
            next_step="name the column that says which arm a unit was in",
        )
    _require_distinct(units, design)
    names = sorted(set(units) | set(design.shares or {}))
    if design.control is not None and design.control not in names:
        raise _no_such_control(design.control, names)
    strange = [name for name in units if design.shares and name not in design.shares]
    if strange:
        faults = [
            Fault("split", said("no share is planned for the arm {name!r}", name=name), "a share for each arm")
            for name in strange
        ]
        raise Invalid("the split does not name every arm", faults, expected=", ".join(names))
    if len(names) < 2:
        seen = said("there is only the arm {arm!r}", arm=names[0]) if names else said("there is no arm")
        raise Invalid(seen, expected="at least two arms: control and a treatment")
    if design.control is not None:
        return design.control, tuple(name for name in names if name != design.control), ()
    usual = [name for wanted in _USUAL_NAMES for name in names if name.lower() == wanted]
    usual += [name for name in names if name.lower().split(" ")[0] in _USUAL_FIRST_WORDS]
    control = usual[0] if usual else names[0]
    why = "by its name" if usual else "as the first by name"
    values = {"arm": control, "case": "by_name" if usual else "first"}
    chosen = Concern("control_guessed", "info", f"No control was named; {control!r} was taken {why}.", values)
    return control, tuple(name for name in names if name != control), (chosen,)


def _require_distinct(units: Mapping[str, int], design: Design) -> None:
    """Raises `Invalid` where two names are one but for case and spaces, unless a planned split names both."""
    alike: dict[str, list[str]] = {}
    for name in sorted(units):
        if name not in (design.shares or {}):
            alike.setdefault(" ".join(name.split()).casefold(), []).append(name)
    faults = [
        Fault(
            "variant",
            said("{names} differ in case or spaces only", names=tuple(map(repr, same))),
            "one name for each arm",
        )
        for same in alike.values()
        if len(same) > 1
    ]
    if faults:
        raise Invalid(
            "arms have the same name, written in several ways",
            faults,
            next_step="write each arm one way; if they are several arms, name each in the planned split (--split)",
        )


def _no_such_control(control: str, names: Sequence[str]) -> Invalid:
    close = get_close_matches(control.lower(), [name.lower() for name in names], n=1)
    meant = next((name for name in names if close and name.lower() == close[0]), None)
    return Invalid(
        said("there is no arm {control!r} to be control", control=control),
        expected=said("one of {names}", names=tuple(map(repr, names)) or said("no arm at all")),
        next_step=said("did you mean {meant!r}?", meant=meant) if meant else "name the arm that got nothing new",
    )
