"""How the values of units are spread, arm beside arm."""

from itertools import pairwise

from tasuki.charts.distribution import Spread, distribution
from tasuki.experiments.comparison import Comparison
from tasuki.metrics.bins import ArmBins, Histogram
from tasuki.reports.document import Caption, Column, Figure, Paragraph, Section, Table, figure
from tasuki.reports.voice import Voice


def spread_section(comparison: Comparison, voice: Voice) -> Section | None:
    """A figure for each metric whose values were binned; None without any."""
    order = {arm.name: at for at, arm in enumerate(comparison.arms)}
    figures = [_figure(one, order, voice) for one in comparison.distributions if one.arms]
    if not figures:
        return None
    return Section("spread", voice.t("section.spread"), (Paragraph(voice.t("spread.lead"), "quiet"), *figures))


def _figure(histogram: Histogram, order: dict[str, int], voice: Voice) -> Figure:
    t, formats = voice.t, voice.formats
    arms = sorted((one for one in histogram.arms if one.units), key=lambda one: order.get(one.arm, len(order)))
    spreads = [
        Spread(one.arm, tuple(count / one.units for count in one.counts), (one.below + one.zeros) / one.units)
        for one in arms
    ]
    edges, is_log = histogram.edges, histogram.is_log
    title = t("spread.title_log" if is_log else "spread.title", name=histogram.metric)
    low, high = formats.number(edges[0], 3), formats.number(edges[-1], 3)
    notes = []
    if any(one.zeros for one in arms):
        notes.append(t("spread.zero", list=_shares(arms, [one.zeros for one in arms], voice)))
    if any(one.below + one.above for one in arms):
        outside = [one.below + one.above for one in arms]
        notes.append(t("spread.outside", list=_shares(arms, outside, voice)))
    label = t("spread.chart", name=histogram.metric, low=low, high=high)
    caption = Caption(voice.language, title, label, voice.joined(notes))
    table = _table(histogram, arms, voice)
    return figure(lambda frame: distribution(spreads, edges, frame, is_log=is_log), caption, table)


def _shares(arms: list[ArmBins], counts: list[int], voice: Voice) -> str:
    texts = (
        f"{arm.arm} {voice.formats.percent(count / arm.units, 2)}" for arm, count in zip(arms, counts, strict=True)
    )
    return ("、" if voice.language == "ja" else ", ").join(texts)


def _table(histogram: Histogram, arms: list[ArmBins], voice: Voice) -> Table:
    t, number = voice.t, voice.formats.number
    edges = histogram.edges
    columns = (
        Column(t("spread.from"), True),
        Column(t("spread.to"), True),
        *(Column(one.arm, True) for one in arms),
    )
    rows = [
        (number(low, 4), number(high, 4), *(number(one.counts[k]) for one in arms))
        for k, (low, high) in enumerate(pairwise(edges))
    ]
    for name, counts in (
        ("under", [one.below for one in arms]),
        ("zeros", [one.zeros for one in arms]),
        ("over", [one.above for one in arms]),
    ):
        if any(counts):
            place = len(rows) if name == "over" else 0
            rows.insert(place, (t(f"spread.{name}"), "", *(number(count) for count in counts)))
    return Table(t("spread.table", name=histogram.metric), columns, tuple(rows))
