"""The times in the exposure log, held against each other, against now and against training's hours of day."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tasuki.actions.logged_names import path_of
from tasuki.actions.training_table import TrainingTable
from tasuki.errors import TasukiError
from tasuki.experiments.check import ClockSeen, HoursSeen, OffsetSeen

if TYPE_CHECKING:
    from sqlglot import exp

    from tasuki.actions.exposures import Exposures

_TOLERATED_S = 60.0
_OUTCOMES = "the outcomes' time"
_HOUR_S, _NEAR_HOUR_S = 3_600.0, 600.0

_WRITER = "case when position('-' in exposure) > 0 then split_part(exposure, '-', 1) else 'the service' end"
_FUTURE = """
select count(*) as rows, count_if(epoch_us(at) > :now_us) as future, epoch_us(max(at)) as last_us from checked_exposures
"""
_SPREAD = """
select writer, quantile_cont(offset_us, 0.5) / 1e6 as offset_s,
       (quantile_cont(offset_us, 0.9) - quantile_cont(offset_us, 0.1)) / 1e6 as spread_s
from ({offsets}) as o where offset_us is not null group by writer order by writer
"""
_INPUT_OFFSETS = f"select {_WRITER} as writer, epoch_us(:moment) - epoch_us(at) as offset_us from checked_exposures"
_OUTCOME_OFFSETS = f"""
select {_WRITER} as writer, epoch_us(o.at) - epoch_us(e.at) as offset_us
from (select exposure, at from checked_exposures) as e join (select exposure as named, at from outcomes) as o
on o.named = e.exposure
"""
_HOURS = "select hour(:moment) as hour, count(*) as n from checked_exposures where :moment is not null group by all"


def logged_value(name: str) -> "exp.Expr":
    """A named value of the logged features as text; null when it is null or not there."""
    from sqlglot import exp

    return exp.Anonymous(this="json_extract_string", expressions=[exp.column("features"), path_of(name)])


def clock_seen(
    exposures: "Exposures", times: Sequence[str], table: TrainingTable | None, now: datetime, *, has_outcomes: bool
) -> ClockSeen:
    """Every time of the log beside the exposures' own.

    Args:
        exposures: The experiment's exposures.
        times: The inputs that are moments.
        table: The treatment's training table, for the hours of day to expect.
        now: The moment of the check.
        has_outcomes: Whether there is a table of outcomes.
    """
    from sqlglot import exp

    now_us = round(now.timestamp() * 1e6 + _TOLERATED_S * 1e6)
    row = exposures.rows(_FUTURE, now_us=exp.Literal.number(now_us))[0]
    ahead_s = (row["last_us"] - now_us) / 1e6 + _TOLERATED_S if row["future"] else 0.0
    offsets = [one for name in times for one in _offsets(exposures, name, _INPUT_OFFSETS, moment=_moment(name))]
    if has_outcomes:
        # An outcome may well come later than its exposure; it cannot come before.
        found = _offsets(exposures, _OUTCOMES, _OUTCOME_OFFSETS)
        offsets += [one for one in found if one.offset_s < 0 or _is_whole_hours(one.offset_s)]
    hours = [one for name in times for one in _hours(exposures, name, table)]
    return ClockSeen(row["rows"], row["future"], ahead_s, tuple(offsets), tuple(hours))


def _moment(name: str) -> "exp.Expr":
    from sqlglot import exp

    return exp.TryCast(this=logged_value(name), to=exp.DataType.build("timestamptz"))


def _offsets(exposures: "Exposures", name: str, offsets: str, **values: "exp.Expr") -> list[OffsetSeen]:
    rows = exposures.rows(_SPREAD.format(offsets=offsets), **values)
    return [OffsetSeen(name, row["writer"], row["offset_s"], row["spread_s"]) for row in rows]


def _is_whole_hours(offset_s: float) -> bool:
    hours = round(offset_s / _HOUR_S)
    return bool(hours) and abs(offset_s - hours * _HOUR_S) <= _NEAR_HOUR_S


def _hours(exposures: "Exposures", name: str, table: TrainingTable | None) -> list[HoursSeen]:
    counts = {row["hour"]: row["n"] for row in exposures.rows(_HOURS, moment=_moment(name))}
    return [HoursSeen(name, tuple(counts.get(hour, 0) for hour in range(24)), _expected_hours(name, table))]


def _expected_hours(name: str, table: TrainingTable | None) -> tuple[float, ...]:
    from sqlglot import exp

    from tasuki.warehouse.engine import quoted

    nothing = (0.0,) * 24
    if table is None or table.fault or name not in table.columns:
        return nothing
    hour: Any = exp.func("hour", quoted(name), dialect="duckdb")
    columns = [exp.alias_(hour, "hour"), exp.alias_(exp.Count(this=exp.Star()), "n")]
    try:
        counts = {row["hour"]: row["n"] for row in table.rows(columns, " group by all")}
    except TasukiError:
        return nothing
    total = sum(count for hour, count in counts.items() if hour is not None)
    return tuple(counts.get(hour, 0) / total for hour in range(24)) if total else nothing
