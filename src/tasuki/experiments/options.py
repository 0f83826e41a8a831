"""Metrics named on the spot, as columns of one file, without a declaration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tasuki.errors import Fault, said
from tasuki.metrics.declared import read_margin, treatment_faults
from tasuki.metrics.metric import Covariate, Metric
from tasuki.metrics.winsor import read_winsor


@dataclass(frozen=True)
class Named:
    """What someone asked to compare, by column.

    Args:
        means: Columns (or SQL expressions) whose mean is compared.
        proportions: Columns of 0/1 or true/false.
        ratios: Numerator and denominator of each ratio of sums, or both as `NUM/DEN`.
        quantiles: Column and quantile in (0, 1), or both as `COL@Q`.
        covariates: By metric, what was known of the units before.
        margins: By metric, the loss that is accepted: a number in the metric's unit, or text like `2%`.
        decrease: Metrics that are better when they fall.
        winsor: By metric, the ends that a unit's value is held within, as `99%` or `0:500`.
        filters: By metric, an SQL condition that rows must fulfil to count.
    """

    means: Sequence[str] = ()
    proportions: Sequence[str] = ()
    ratios: Sequence[tuple[str, str] | str] = ()
    quantiles: Sequence[tuple[str, float] | str] = ()
    covariates: Mapping[str, Sequence[str | tuple[str, str]]] = field(default_factory=dict)
    margins: Mapping[str, float | str] = field(default_factory=dict)
    decrease: Sequence[str] = ()
    winsor: Mapping[str, float | str] = field(default_factory=dict)
    filters: Mapping[str, str] = field(default_factory=dict)


def metrics_named(named: Named, faults: list[Fault]) -> tuple[Metric, ...]:
    """The metrics that were asked for; what is wrong with the question is added to `faults`."""
    ratios, quantiles = _ratios(named.ratios, faults), _quantiles(named.quantiles, faults)
    found = [
        *(Metric(name, "mean", name) for name in named.means),
        *(Metric(name, "proportion", name) for name in named.proportions),
        *(Metric(f"{over}/{under}", "ratio", over, under) for over, under in ratios),
        *(Metric(f"{name}@{q:g}", "quantile", name, quantile=q) for name, q in quantiles),
    ]
    if not found and not faults:
        faults.append(Fault("metrics", "none is named", "a mean, proportion, ratio or quantile"))
    names = [metric.name for metric in found]
    for name in dict.fromkeys(names):
        if names.count(name) > 1:
            faults.append(Fault(name, "is asked for more than once", "each metric once"))
    for name, q in quantiles:
        if not 0 < q < 1:
            faults.append(Fault(f"{name}@{q:g}", said("{q:g} is no quantile", q=q), "between 0 and 1, as 0.9"))
    options = {"covariate": named.covariates, "margin": named.margins, "decrease": named.decrease,
               "winsor": named.winsor, "filter": named.filters}  # fmt: skip
    for option, given in options.items():
        faults.extend(
            Fault(f"{option} {name}", "there is no such metric", said("one of {names}", names=tuple(names)))
            for name in given
            if name not in names
        )
    completed = tuple(_completed(metric, named, faults) for metric in found)
    faults.extend(
        replace(one, where=f"{one.where.removesuffix('s')} {metric.name}")
        for metric in completed
        for one in treatment_faults(metric)
    )
    return completed


def _ratios(given: Sequence[tuple[str, str] | str], faults: list[Fault]) -> list[tuple[str, str]]:
    found = []
    for one in given:
        parts = tuple(part.strip() for part in one.split("/")) if isinstance(one, str) else tuple(one)
        if len(parts) == 2 and all(isinstance(part, str) and part for part in parts):
            found.append((parts[0], parts[1]))
        else:
            faults.append(Fault("ratios", said("{given!r} is no ratio", given=one), "NUM/DEN, or a pair of two texts"))
    return found


def _quantiles(given: Sequence[tuple[str, float] | str], faults: list[Fault]) -> list[tuple[str, float]]:
    found = []
    for one in given:
        parts: tuple[object, ...] = tuple(one.rsplit("@", 1)) if isinstance(one, str) else tuple(one)
        try:
            name, q = parts
            found.append((str(name), float(str(q))))
        except ValueError:
            expected = "COL@Q, or a pair of a column and a quantile"
            faults.append(Fault("quantiles", said("{given!r} is no quantile", given=one), expected))
    return found


def _completed(metric: Metric, named: Named, faults: list[Fault]) -> Metric:
    covariates = covariates_of(named.covariates.get(metric.name, ()))
    given, ends = named.margins.get(metric.name), named.winsor.get(metric.name)
    return replace(
        metric,
        covariates=covariates,
        margin=None if given is None else read_margin(given, f"margin {metric.name}", faults),
        winsor=None if ends is None else read_winsor(ends, f"winsor {metric.name}", faults),
        filter=named.filters.get(metric.name),
        direction="decrease" if metric.name in named.decrease else "increase",
    )


def covariates_of(given: Sequence[str | tuple[str, str]]) -> tuple[Covariate, ...]:
    """What variance is taken out with: columns, and pairs as ratios of two sums."""
    return tuple(Covariate(one) if isinstance(one, str) else Covariate(*one) for one in given)
