"""The effect as it stood at the end of each day: what people draw to see whether it has settled."""

from dataclasses import dataclass


@dataclass(frozen=True)
class DayEffect:
    """One metric of one treatment arm against control, over everything seen up to the end of a day.

    The intervals are always valid, whatever the comparison itself uses: a path is looked at every day. What cannot be
    known is None; a bound may be open (None).

    Args:
        day: The last day that counts, ISO 8601, in UTC.
        metric: The metric's name.
        treatment_arm: The arm compared with control.
        effect: Treatment less control.
        effect_low: Lower bound of the effect.
        effect_high: Upper bound of the effect.
        relative: The effect as a share of control.
        relative_low: Lower bound of the share.
        relative_high: Upper bound of the share.
        n_control: Units with a value in control so far.
        n_treatment: Units with a value in treatment so far.
    """

    day: str
    metric: str
    treatment_arm: str
    effect: float | None
    effect_low: float | None
    effect_high: float | None
    relative: float | None
    relative_low: float | None
    relative_high: float | None
    n_control: int
    n_treatment: int
