"""Counts over windows, point in time: one definition, evaluated over a table at once or for one row after the other.

An event counts for a row when it has the same `by`, and its moment lies in [row − window, row − lag). The end is open,
so that a row never counts itself, nor anything of its own moment.
"""

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from tasuki.models.encoding import Column, as_moments, category_text, distinct_texts
from tasuki.models.features import CountOver, Feature


def with_counts(features: tuple[Feature, ...], time: str, columns: Mapping[str, Column]) -> dict[str, Column]:
    """The columns of a table and, for each count over a window, one more under the feature's name.

    Args:
        features: A model's features.
        time: The column of a row's moment.
        columns: Whole columns of the table, in any order: a row that is not there is not counted.

    Raises:
        WrongValue: When a column cannot be read as moments or categories.
    """
    counted = {one.column: count_table(one, time, columns) for one in features if isinstance(one, CountOver)}
    return {**columns, **counted}


def count_table(feature: CountOver, time: str, columns: Mapping[str, Column]) -> npt.NDArray[np.float64]:
    """The count of each row of a table; NaN where `by` is null."""
    at = as_moments(time, columns[time], False).astype(np.int64)
    group, texts = distinct_texts(feature.by, columns[feature.by], True)
    known = np.asarray([text is not None for text in texts], dtype=np.bool_)[group]
    happened = as_moments(feature.event, columns[feature.event], True) if feature.event else at.view("datetime64[us]")
    counts_as_event = known & ~np.isnat(happened)
    events = happened.astype(np.int64)[counts_as_event]
    # Moments become ranks, so that group and rank fit one whole number whatever the span of time.
    moments, ranks = np.unique(events, return_inverse=True)
    width = len(moments) + 1
    keys = np.sort(group[counts_as_event] * width + ranks)
    first, end = (np.searchsorted(moments, at - past, side="left") for past in (feature.window_us, feature.lag_us))
    found = np.searchsorted(keys, group * width + end) - np.searchsorted(keys, group * width + first)
    return np.where(known, found.astype(np.float64), np.nan)


class WindowCounter:
    """The same count for one row at a time: what a client keeps in memory, and what tests hold the table against."""

    def __init__(self, feature: CountOver) -> None:
        self._by = feature.by
        self._window = timedelta(microseconds=feature.window_us)
        self._lag = timedelta(microseconds=feature.lag_us)
        self._events: dict[str, list[datetime]] = defaultdict(list)

    def add(self, by: object, at: datetime) -> None:
        """Takes note of an event; one without `by` belongs to nobody."""
        if by is not None:
            insort(self._events[category_text(self._by, by, False)], at)

    def count(self, by: object, at: datetime) -> int | None:
        """The count for a row of that moment; None where `by` is null."""
        if by is None:
            return None
        events = self._events.get(category_text(self._by, by, False), [])
        return bisect_left(events, at - self._lag) - bisect_left(events, at - self._window)
