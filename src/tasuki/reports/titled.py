"""A comparison whose metrics are called as the team calls them, in the reader's language."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tasuki.experiments.comparison import Comparison


def titled(comparison: Comparison, titles: Mapping[str, str]) -> Comparison:
    """The comparison with declared titles in place of the names of metrics. Metrics without one keep their name."""
    if not titles:
        return comparison

    def told(values: Mapping[str, Any]) -> dict[str, Any]:
        known = {"metric": titles.get(values["metric"], values["metric"])} if "metric" in values else {}
        return {**values, **known}

    def called(name: str) -> str:
        return titles.get(name, name)

    said = comparison.recommendation
    return replace(
        comparison,
        results=tuple(replace(one, metric=called(one.metric)) for one in comparison.results),
        daily=tuple(replace(one, metric=called(one.metric)) for one in comparison.daily),
        heterogeneity=tuple(replace(one, metric=called(one.metric)) for one in comparison.heterogeneity),
        distributions=tuple(replace(one, metric=called(one.metric)) for one in comparison.distributions),
        concerns=tuple(replace(one, values=told(one.values)) for one in comparison.concerns),
        recommendation=replace(said, grounds=tuple(replace(one, values=told(one.values)) for one in said.grounds)),
    )
