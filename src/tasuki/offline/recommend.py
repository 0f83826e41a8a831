"""Does the challenger deserve an A/B test? One explicit rule, written out with the answer; a person decides."""

from collections.abc import Sequence
from dataclasses import dataclass

from tasuki.errors import said
from tasuki.offline.comparison import OfflineMetric, Recommendation
from tasuki.stats.concern import Concern

LOWER_IS_BETTER = frozenset({"log_loss", "normalized_entropy"})


@dataclass(frozen=True)
class OfflineRule:
    """What is enough for a go. Record it before the report is made.

    Args:
        alpha: Intervals are at level 1 − alpha; over segments Holm's correction is used at the same alpha.
        calibration_low: The challenger's calibration ratio must not be below this …
        calibration_high: … nor above this, unless it is nearer to 1 than the champion's.
    """

    alpha: float = 0.05
    calibration_low: float = 0.8
    calibration_high: float = 1.25

    def text(self) -> str:
        """The rule in words."""
        return said(
            "go when the {level:g} % interval of the log loss difference (challenger − champion) lies below 0, the AUC "
            "is not significantly lower, no segment's log loss is significantly higher (Holm) and the challenger's "
            "calibration ratio is within {low:g} to {high:g} or nearer to 1 than the champion's; no_go when the log "
            "loss is significantly higher or its gain comes with a significantly lower AUC or with a calibration that "
            "fails; otherwise cannot_tell; any concern of severity error makes it cannot_tell",
            level=100 * (1 - self.alpha),
            low=self.calibration_low,
            high=self.calibration_high,
        )


def recommend(
    overall: Sequence[OfflineMetric],
    segments: Sequence[OfflineMetric],
    concerns: Sequence[Concern],
    rule: OfflineRule,
) -> Recommendation:
    """Applies the rule to what was measured."""
    errors = tuple(concern.message for concern in concerns if concern.severity == "error")
    if errors:
        return Recommendation("cannot_tell", errors, rule.text())
    metrics = {one.name: one for one in overall}
    loss = metrics["log_loss"]
    if loss.difference is None or loss.difference_low is None or loss.difference_high is None:
        reason = said("the log loss difference has no interval: there are too few independent draws")
        return Recommendation("cannot_tell", (reason,), rule.text())
    size = _in_words(loss)
    if loss.difference_low > 0:
        return Recommendation("no_go", (said("{size}: the challenger is worse", size=size),), rule.text())
    if loss.difference_high >= 0:
        return Recommendation(
            "cannot_tell", (said("{size}: the interval holds 0", size=size), *_size_needed(loss)), rule.text()
        )
    against = _reasons_against(metrics, rule)
    if against:
        return Recommendation("no_go", (said("{size}: better, but", size=size), *against), rule.text())
    worse = significantly_worse(segments, rule.alpha)
    if worse:
        return Recommendation("cannot_tell", (said("{size}: better over all, but", size=size), *worse), rule.text())
    return Recommendation(
        "go", (said("{size}: the challenger is better", size=size), *_reasons_for(metrics)), rule.text()
    )


def significantly_worse(segments: Sequence[OfflineMetric], alpha: float) -> tuple[str, ...]:
    """The segments whose log loss is higher with the challenger, after Holm's correction over the segments.

    Formula: the k-th smallest of m p-values is compared with α/(m − k + 1), stopping at the first that is larger.
    Source: S. Holm (1979), A simple sequentially rejective multiple test procedure.
    Checked against: plain Python in the tests.
    """
    tested = [one for one in segments if one.name == "log_loss" and one.p_value is not None]
    tested.sort(key=lambda one: one.p_value if one.p_value is not None else 1.0)
    found = []
    for place, one in enumerate(tested):
        if one.p_value is None or one.p_value > alpha / (len(tested) - place):
            break
        if one.difference is not None and one.difference > 0:
            found.append(said("in {segment} the {size}: worse there", segment=one.segment, size=_in_words(one)))
    return tuple(found)


def _reasons_against(metrics: dict[str, OfflineMetric], rule: OfflineRule) -> tuple[str, ...]:
    area, ratio = metrics["auc"], metrics["calibration_ratio"]
    found = []
    if area.difference_high is not None and area.difference_high < 0:
        found.append(said("{size}: the order got worse", size=_in_words(area)))
    if ratio.champion is not None and ratio.challenger is not None:
        outside = not rule.calibration_low <= ratio.challenger <= rule.calibration_high
        if outside and abs(ratio.challenger - 1) >= abs(ratio.champion - 1):
            found.append(
                said(
                    "the calibration ratio {ratio:.3f} is outside {low:g} to {high:g}",
                    ratio=ratio.challenger,
                    low=rule.calibration_low,
                    high=rule.calibration_high,
                )
            )
    return tuple(found)


def _reasons_for(metrics: dict[str, OfflineMetric]) -> tuple[str, ...]:
    area, ratio = metrics["auc"], metrics["calibration_ratio"]
    found = [said("{size}: not significantly lower", size=_in_words(area))]
    if ratio.champion is not None and ratio.challenger is not None:
        found.append(
            said(
                "calibration ratio {champion:.3f} → {challenger:.3f}",
                champion=ratio.champion,
                challenger=ratio.challenger,
            )
        )
    return tuple(found)


def _in_words(one: OfflineMetric) -> str:
    title = said("AUC") if one.name == "auc" else said("log loss")
    if one.difference is None or one.difference_low is None or one.difference_high is None:
        return said("{title} difference without an interval", title=title)
    return said(
        "{title} difference {difference:+.3g} [{low:+.3g}, {high:+.3g}]",
        title=title,
        difference=one.difference,
        low=one.difference_low,
        high=one.difference_high,
    )


def _size_needed(loss: OfflineMetric) -> tuple[str, ...]:
    """How many times the rows an interval of half the width's reach would need, if the difference stays what it is."""
    if not loss.difference or loss.difference_low is None or loss.difference_high is None:
        return ()
    reach = (loss.difference_high - loss.difference_low) / 2
    times = (reach / abs(loss.difference)) ** 2
    if times > 1000:
        return (said("the difference is next to nothing against its uncertainty: more rows will hardly tell"),)
    return (
        said("if the difference is real, about {times:.1f} times the rows would show it half of the time", times=times),
    )
