"""Probes of the scores: distributed as training expects, and the same when they are computed again."""

from math import isnan, nan

from tasuki.experiments.check.case import Case, Question
from tasuki.flow.records import Probe
from tasuki.stats.stability import kolmogorov_smirnov, population_stability

_UNEXPECTED = "the treatment's own scores, or what to expect of them"


def score_distribution(case: Case) -> Probe:
    """Are the treatment's scores spread over training's bins as training's were?"""
    limit = case.limits.max_stability_index
    ask = Question("score_distribution", f"population stability index at most {limit:g}")
    seen = case.seen.scores
    index = population_stability(seen.counts, seen.expected) if seen else nan
    if seen is None or isnan(index):
        return ask.no_data(_UNEXPECTED)
    told = f"the treatment's {sum(seen.counts):,} own scores have an index of {index:.3f} against {seen.source}"
    return ask.judged("scores_moved" if index > limit else "", index, told)


def score_distance(case: Case) -> Probe:
    """Is no part of the treatment's scores far above or below training's?"""
    limit = case.limits.max_score_distance
    ask = Question("score_distance", f"Kolmogorov–Smirnov distance at most {limit:g}")
    seen = case.seen.scores
    distance = kolmogorov_smirnov(seen.counts, seen.expected) if seen else nan
    if seen is None or isnan(distance):
        return ask.no_data(_UNEXPECTED)
    told = f"the treatment's {sum(seen.counts):,} own scores are {distance:.3f} from {seen.source}"
    return ask.judged("scores_moved" if distance > limit else "", distance, told)


def scores_recomputed(case: Case) -> Probe:
    """Does the logged version give the logged scores for the logged inputs?"""
    limit = case.limits.max_score_difference
    ask = Question("scores_recomputed", f"scores computed again from the logged inputs differ by at most {limit:g}")
    again = case.seen.recomputed
    if again is None or (not again.rows and not again.fault):
        return ask.no_data("any version that answered")
    difference = "" if again.difference is None else f"{again.rows:,} scores, largest difference {again.difference:.3g}"
    told = "; ".join(filter(None, (difference, again.fault)))
    if not again.fault and again.difference is not None and again.difference <= limit:
        return ask.passed(again.difference, told)
    kind, _, how = again.cause.partition(": ")
    return ask.failed(kind or "scores_differ", again.difference, f"{told}; {how}" if how else told)
