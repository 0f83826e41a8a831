"""How what evidence holds reads to people: figures as verdicts; reasons, concerns, faults in the reader's language."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

from tasuki.experiments.check import FAULTS
from tasuki.experiments.reasons import Reason, reason_text
from tasuki.language import Language
from tasuki.reports.concerns import concern_text
from tasuki.stats.concern import Concern
from tasuki.titles import Titles
from tasuki.web.texts import Texts

Reading = Literal["better", "worse", "undecided"]
_LOWER_IS_BETTER = frozenset({"log_loss", "normalized_entropy"})
_HIGHER_IS_BETTER = frozenset({"auc", "grouped_auc"})


def offline_verdict(difference: Mapping[str, Any]) -> Reading | None:
    """What the interval of challenger − champion says; None for a metric that is neither better up nor down.

    Args:
        difference: A `MetricDifference` as JSON values.
    """
    name, low, high = difference["name"], difference["difference_low"], difference["difference_high"]
    if low is None or high is None or name not in _LOWER_IS_BETTER | _HIGHER_IS_BETTER:
        return None
    if low <= 0 <= high:
        return "undecided"
    return "better" if (low > 0) == (name in _HIGHER_IS_BETTER) else "worse"


def is_absolute(decision: Mapping[str, Any], comparison: Mapping[str, Any] | None) -> bool:
    """Whether a decision's effect is in the metric's unit: a relative one is meant, but people type what they see.

    Args:
        decision: A `Decision` as JSON values.
        comparison: The `ComparisonReport` it rests on, where there is one.
    """
    effect = decision["effect"]
    rows = [] if comparison is None else comparison["results"]
    row = next((one for one in rows if one["metric"] == decision["metric"] and one["segment"] is None), None)
    if row is None or effect is None or row["effect"] is None or row["relative"] is None:
        return False
    return bool(abs(effect - row["effect"]) < abs(effect - row["relative"]))


def fault_titles(name: str) -> tuple[Titles, Titles] | None:
    """What a fault is and what to do about it; None for a name that no longer stands for one."""
    known = FAULTS.get(name)
    return None if known is None else (known.what, known.remedy)


def reasons_in(
    recommendation: Mapping[str, Any], language: Language, title_of: Callable[[str], str] = str
) -> tuple[str, ...]:
    """Why the rule says what it says; records of before reasons had codes keep their English sentences."""
    grounds = recommendation.get("grounds") or ()
    if not grounds:
        return tuple(recommendation["reasons"])
    return tuple(_reason_in(one, language, title_of) for one in grounds)


def _reason_in(ground: Mapping[str, Any], language: Language, title_of: Callable[[str], str]) -> str:
    values = dict(ground.get("values") or {})
    if isinstance(values.get("metric"), str):
        values["metric"] = title_of(values["metric"])
    if language == "ja" and isinstance(values.get("arm"), str):
        values["arm"] = Texts(language).term("arm", values["arm"])
    if ground["code"] == "concern":
        note = {"code": values.get("code", ""), "severity": "error", "message": values.get("message", "")}
        return concern_in({**note, "values": values.get("values")}, language)
    try:
        return reason_text(Reason(ground["code"], values), language)
    except (KeyError, ValueError, TypeError):  # evidence from outside, or from another version, may lack a value
        return str(ground["code"])


def concern_in(note: Mapping[str, Any], language: Language) -> str:
    """What a concern says."""
    return concern_text(Concern(note["code"], note["severity"], note["message"], note.get("values") or {}), language)
