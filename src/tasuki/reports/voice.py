"""How a report speaks of effects: numbers with their signs, intervals, and what a result means, in a sentence."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from tasuki.charts.frame import Verdict, decimals_of
from tasuki.experiments.comparison import Comparison, Result
from tasuki.language import NOTHING, Formats, Language
from tasuki.texts import Texts

State = Literal["gain", "harm", "undecided", "holds", "broken", "open", "unknown"]
STATES: tuple[State, ...] = ("gain", "harm", "undecided", "holds", "broken", "open", "unknown")
VERDICTS: dict[State, Verdict] = {"gain": "gain", "holds": "gain", "harm": "harm", "broken": "harm"}


@dataclass(frozen=True)
class Voice:
    """The language and level that a report speaks with.

    Args:
        language: The reader's.
        alpha: The level of the intervals.
        has_arms: Whether there are several treatment arms, so that each result must name its own.
    """

    language: Language
    alpha: float
    has_arms: bool

    @property
    def t(self) -> Texts:
        """The words of reports."""
        return Texts(self.language, "tasuki.reports")

    @property
    def formats(self) -> Formats:
        """How numbers and dates are written."""
        return Formats(self.language)

    @property
    def level(self) -> str:
        """The level of the intervals, as `95%`."""
        return f"{100 * (1 - self.alpha):g}%"

    def joined(self, sentences: Sequence[str]) -> str:
        """Sentences one after the other."""
        return ("" if self.language == "ja" else " ").join(sentences)

    def ways(self, method: str) -> str:
        """A method's name in words, what it rests on first: `cuped+welch` is Welch's t-test with CUPED."""
        return " + ".join(self.t.term("way", part) for part in reversed(method.split("+")))

    def named(self, one: Result) -> str:
        """The metric, with its arm where there are several."""
        return f"{one.metric} · {one.treatment_arm}" if self.has_arms else one.metric

    def labelled(self, one: Result, *, with_arm: bool = True) -> str:
        """The metric as a row of a chart or table, saying whether it is a guardrail and which way is better."""
        name = self.named(one) if with_arm else one.metric
        if one.margin is not None:
            name = self.t("effects.guardrail", name=name)
        return self.t("effects.lower_is_better", name=name) if one.direction == "decrease" else name

    def value(self, one: Result, number: float | None) -> str:
        """The metric itself: a proportion as a percentage."""
        return self.formats.percent(number, 2) if one.kind == "proportion" else self.formats.number(number, 5)

    def change(self, number: float | None, *, is_relative: bool) -> str:
        """An effect with its sign."""
        return (
            self.formats.percent_change(number, decimals_of(number)) if is_relative else self.formats.change(number, 4)
        )

    def interval(self, low: float | None, high: float | None, *, is_relative: bool) -> str:
        """An interval in words; a bound may be open."""
        texts = [
            self.t(f"reading.infinite_{side}") if bound is None else self.change(bound, is_relative=is_relative)
            for side, bound in (("low", low), ("high", high))
        ]
        return self.t("reading.interval", level=self.level, low=texts[0], high=texts[1])

    def reading(self, one: Result) -> str:
        """What a result means, in a sentence."""
        state = state_of(one, self.alpha)
        if state == "unknown":
            return self.t("reading.unknown", name=self.named(one))
        is_relative = has_relative(one)
        change, low, high = (
            (one.relative, one.relative_low, one.relative_high)
            if is_relative
            else (one.effect, one.effect_low, one.effect_high)
        )
        excludes_none = (low is not None and low > 0) or (high is not None and high < 0)
        return self.t(
            f"reading.{state}" + ("_adjusted" if state == "undecided" and excludes_none else ""),
            name=self.named(one),
            change=self.change(change, is_relative=is_relative),
            interval=self.interval(low, high, is_relative=is_relative),
            margin=self.margin(one),
        )

    def p(self, p_value: float | None) -> str:
        """A p-value in a sentence: `p = 0.041`, and `p < 0.001` below."""
        text = self.formats.p_value(p_value)
        return f"p {text[0]} {text[1:]}" if text.startswith("<") else f"p = {text}"

    def margin(self, one: Result) -> str:
        """A guardrail's margin: as a share of control where that is known."""
        if one.margin is None:
            return NOTHING
        share = margin_share(one)
        return self.formats.number(one.margin) if share is None else self.formats.percent(share, 2)


def has_relative(one: Result) -> bool:
    """Whether the relative effect has an interval."""
    return one.relative is not None and not (one.relative_low is None and one.relative_high is None)


def margin_share(one: Result) -> float | None:
    """The margin as a share of control."""
    return one.margin / abs(one.control) if one.margin is not None and one.control else None


def state_of(one: Result, alpha: float) -> State:
    """What the rule reads in a result: see `tasuki.experiments.recommend.recommend`."""
    if one.effect is None or (one.effect_low is None and one.effect_high is None):
        return "unknown"
    gain, low, high = one.effect, one.effect_low, one.effect_high
    if one.direction == "decrease":
        gain, low, high = -gain, None if high is None else -high, None if low is None else -low
    if one.margin is not None:
        if low is not None and low > -one.margin:
            return "holds"
        return "broken" if high is not None and high < -one.margin else "open"
    p = one.p_value if one.p_value_adjusted is None else one.p_value_adjusted
    if p is None:
        return "unknown"  # nothing varies: an interval without a width is none
    if p >= alpha:
        return "undecided"
    return "gain" if gain > 0 else "harm"


def voice_of(comparison: Comparison, language: Language) -> Voice:
    """How a report of the comparison speaks."""
    return Voice(language, comparison.alpha, len({one.treatment_arm for one in comparison.results}) > 1)
