"""Doubts about what an experiment's rows are, in a workspace: files without a column, rows of other days. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta

from tasuki.experiments.daily_path import SLACK
from tasuki.metrics.metric import Metric
from tasuki.stats.concern import Concern, Severity

FEW_OPEN = 0.01
"""The share of units that may still be within their window without a warning."""

MANY_OUTSIDE = 0.01
"""With a larger share of rows outside of the experiment's days it is said."""

ColumnsMissing = Mapping[str, tuple[Mapping[str, Sequence[str]], int]]
"""By table: the files that lack columns with these, and how many files there are."""


def window_open(still_open: int, units: int, hours: float) -> Concern:
    """The concern that the window of some units is not over at the last row."""
    message = (
        f"For {still_open:,} of {units:,} units the window of {hours:g} hours is not over at the last row: what "
        "they will still do is not counted, in any arm. Wait, or leave out who came last."
    )
    # Whoever came just now is always there; a few of them carry no result.
    severity: Severity = "warning" if still_open > FEW_OPEN * units else "info"
    return Concern("window_open", severity, message, {"open": still_open, "units": units, "hours": hours})


def doubts_about_columns(missing: ColumnsMissing) -> Iterator[Concern]:
    """Files without a column that others have: in their rows it is null, which counts as nothing."""
    for table, (lacking, of) in missing.items():
        first = min(lacking)
        columns = list(dict.fromkeys(name for path in sorted(lacking) for name in lacking[path]))
        yield Concern(
            "columns_missing",
            "warning",
            f"{len(lacking):,} of {of:,} files of {table} have no column {', '.join(columns)}, so that it is null in "
            f"their rows; the first is {first}. Were they written by another version?",
            {"table": table, "files": len(lacking), "of": of, "columns": columns, "first": first},
        )


def doubts_about_events(
    rows: Mapping[date, int], metric: Metric, ran: tuple[datetime, datetime]
) -> tuple[Concern, ...]:
    """That many of the rows that count lie outside of the days that the experiment ran.

    Args:
        rows: How many rows that follow from an exposure each day has.
        metric: Whose rows they are. Rows tied to their exposure may come long after it.
        ran: When the experiment started, and when it stopped (or now).
    """
    started, ended = ran
    window = timedelta(hours=metric.window_hours or 0)
    first, last = (started - SLACK).date(), (ended + SLACK + window).date()
    total = sum(rows.values())
    before = sum(count for day, count in rows.items() if day < first)
    after = sum(count for day, count in rows.items() if day > last)
    if max(before, after) <= MANY_OUTSIDE * total:
        return ()
    is_expected = before <= MANY_OUTSIDE * total and metric.exposure is not None
    message = (
        f"{before:,} of the {total:,} rows of {metric.table} that count lie before {started.date()}, when the "
        f"experiment started, and {after:,} after {ended.date()}, when it ended. Whose clock is wrong, or should a "
        "window (window_hours) end what counts?"
    )
    values = {"table": metric.table, "rows": total, "before": before, "after": after,
              "first": started.date().isoformat(), "last": ended.date().isoformat()}  # fmt: skip
    return (Concern("events_outside_days", "info" if is_expected else "warning", message, values),)
