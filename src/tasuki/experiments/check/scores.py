"""Probes of the scores: distributed as training expects, and the same when they are computed again."""

from math import isnan, nan

from tasuki.errors import joined, said
from tasuki.experiments.check.case import Case, Question
from tasuki.flow.records import Probe
from tasuki.stats.stability import kolmogorov_smirnov, population_stability

_UNEXPECTED = said("the treatment's own scores, or what to expect of them")


def score_distribution(case: Case) -> Probe:
    """Are the treatment's scores spread over training's bins as training's were?"""
    limit = case.limits.max_stability_index
    ask = Question("score_distribution", said("population stability index at most {limit:g}", limit=limit))
    seen = case.seen.scores
    index = population_stability(seen.counts, seen.expected) if seen else nan
    if seen is None or isnan(index):
        return ask.no_data(_UNEXPECTED)
    told = said(
        "the treatment's {count:,} own scores have an index of {index:.3f} against {source}",
        count=sum(seen.counts),
        index=index,
        source=seen.source,
    )
    return ask.judged("scores_moved" if index > limit else "", index, told)


def score_distance(case: Case) -> Probe:
    """Is no part of the treatment's scores far above or below training's?"""
    limit = case.limits.max_score_distance
    ask = Question("score_distance", said("Kolmogorov–Smirnov distance at most {limit:g}", limit=limit))
    seen = case.seen.scores
    distance = kolmogorov_smirnov(seen.counts, seen.expected) if seen else nan
    if seen is None or isnan(distance):
        return ask.no_data(_UNEXPECTED)
    told = said(
        "the treatment's {count:,} own scores are {distance:.3f} from {source}",
        count=sum(seen.counts),
        distance=distance,
        source=seen.source,
    )
    return ask.judged("scores_moved" if distance > limit else "", distance, told)


def scores_recomputed(case: Case) -> Probe:
    """Does the logged version give the logged scores for the logged inputs?

    Each version is held to the larger of the team's threshold and what the form it is kept in allows: ONNX computes in
    32 bits and cannot be held to the digits of 64.
    """
    limit = case.limits.max_score_difference
    again = case.seen.recomputed
    seen = again.versions if again else ()
    allowed = {one.version: max(limit, one.tolerance) for one in seen}
    threshold = said("scores computed again from the logged inputs differ by at most {limit:g}", limit=limit)
    looser = [
        said("{value:g} for {version}, by the form it is kept in", value=value, version=version)
        for version, value in allowed.items()
        if value > limit
    ]
    ask = Question("scores_recomputed", joined([threshold, *looser], " and "))
    if again is None or (not seen and not again.fault):
        return ask.no_data(said("any version that answered"))
    # The difference shown is the one that uses up most of what is allowed.
    worst = max(seen, key=lambda one: one.difference / (allowed[one.version] or 1e-300), default=None)
    rows = sum(one.rows for one in seen)
    difference = (
        ""
        if worst is None
        else said("{rows:,} scores, largest difference {difference:.3g}", rows=rows, difference=worst.difference)
    )
    told = joined([one for one in (difference, again.fault) if one])
    value = None if worst is None else worst.difference
    if not again.fault and all(one.difference <= allowed[one.version] for one in seen):
        return ask.passed(value, told)
    explained = joined([told, again.how]) if again.how else told
    return ask.failed(again.cause or "scores_differ", value, explained)
