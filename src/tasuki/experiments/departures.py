"""Where a comparison departs from what was registered before the start: named one by one, never judged in silence."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from tasuki.experiments.design import Adjustment, Design
from tasuki.experiments.recommend import OUTSIDE
from tasuki.flow.event import canonical_json
from tasuki.flow.records import ExperimentPlan
from tasuki.metrics.metric import Metric
from tasuki.stats.concern import Concern

Departed = Literal["alpha", "primary", "adjust", "looking", "segments", "definition", "earlier_looks", "label_delay"]
_NAMES: Mapping[Departed, tuple[str, str]] = {
    "alpha": ("alpha", "有意水準"),
    "primary": ("the metrics that decide", "判断に使う指標"),
    "adjust": ("the adjustment for several metrics", "多重性の補正"),
    "looking": ("looking early", "途中の確認"),
    "segments": ("the segments", "セグメント"),
    "definition": ("the definition", "指標の定義"),
    "earlier_looks": ("looks before the end", "終了前の確認"),
    "label_delay": ("the wait for labels", "ラベルの待ち日数"),
}
_GRAVE = ("alpha", "primary", "adjust", "looking")
"""Those that make it another question than the registered one: no decision follows from its answer."""


@dataclass(frozen=True)
class OtherQuestion:
    """What somebody asks besides the registered question, to explore; None and empty leave it as registered."""

    alpha: float | None = None
    primary: tuple[str, ...] = ()
    adjust: Adjustment | None = None
    sequential: bool | None = None
    segments: tuple[str, ...] = ()


@dataclass(frozen=True)
class Departure:
    """One thing that is not as registered."""

    what: Departed
    registered: str
    seen: str


@dataclass(frozen=True)
class Circumstances:
    """What is known of the moment of a comparison.

    Args:
        definitions: The fingerprint of each metric's definition now (see `fingerprint_of`).
        earlier_looks: How many looks at the numbers there were before the planned end.
        waited_days: Days since the start, running or not.
        segments: The segments that are compared.
    """

    definitions: Mapping[str, str]
    earlier_looks: int = 0
    waited_days: float = float("inf")
    segments: tuple[str, ...] = ()


def fingerprint_of(metric: Metric) -> str:
    """The same for the same definition: what is computed and from where, not titles, owner, parent or margin."""
    said = {key: value for key, value in asdict(metric).items() if key not in ("titles", "owner", "parent", "margin")}
    return hashlib.sha256(canonical_json(said).encode()).hexdigest()[:16]


def departures_from(
    plan: ExperimentPlan, registered: Design, asked: Design, seen: Circumstances
) -> tuple[Departure, ...]:
    """Everything that is not as the plan says.

    Args:
        plan: What was registered.
        registered: The design that follows from it.
        asked: The design that is used.
        seen: The moment of the comparison.
    """
    pairs: list[tuple[Departed, str, str]] = [
        ("alpha", f"{registered.alpha:g}", f"{asked.alpha:g}"),
        ("primary", ", ".join(registered.primary), ", ".join(asked.primary)),
        ("adjust", registered.adjust, asked.adjust),
        ("looking", _looking(registered), _looking(asked)),
        ("segments", ", ".join(plan.segments) or "none", ", ".join(seen.segments) or "none"),
    ]
    for metric in plan.metrics:
        now = seen.definitions.get(metric.name, metric.definition)
        if metric.definition and now != metric.definition:
            pairs.append(("definition", f"{metric.name} as of the plan", "it was changed since"))
    once = not (registered.sequential or registered.looks)
    if once and seen.earlier_looks:
        pairs.append(("earlier_looks", "none", str(seen.earlier_looks)))
    needed = plan.days + plan.label_delay_days
    if plan.label_delay_days and plan.days <= seen.waited_days < needed:
        pairs.append(("label_delay", f"{plan.label_delay_days} days", f"{seen.waited_days - plan.days:.1f} days"))
    return tuple(Departure(*pair) for pair in pairs if pair[1] != pair[2])


def _looking(design: Design) -> str:
    return "always_valid" if design.sequential else "group_sequential" if design.looks else "none"


def outside_the_plan(departures: Sequence[Departure]) -> tuple[Concern, ...]:
    """The concern that names every departure; an error where another question than the registered one is answered."""
    if not departures:
        return ()
    what = "; ".join(f"{_NAMES[one.what][0]} ({one.registered} registered, {one.seen} here)" for one in departures)
    what_ja = "、".join(f"{_NAMES[one.what][1]}(登録: {one.registered}、今回: {one.seen})" for one in departures)
    grave = any(one.what in _GRAVE for one in departures)
    changes = "; ".join(f"{one.what}: {one.registered} → {one.seen}" for one in departures)
    values = {"what": what, "what_ja": what_ja, "changes": changes, "departures": [asdict(one) for one in departures]}
    message = f"This is not what was registered before the start: {what}."
    return (Concern(OUTSIDE, "error" if grave else "warning", message, values),)
