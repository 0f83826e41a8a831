"""Probes of the log itself: every exposure is there once, for the days required, with times that can be believed."""

from math import sqrt

from tasuki.experiments.check.case import Case, Question, listed, share_of
from tasuki.experiments.check.seen import Counted, HoursSeen, OffsetSeen
from tasuki.flow.records import Probe

_LIVE_SPREAD_S = 1_800.0
"""Times that stay this close to the exposures' own are those of live traffic; replayed ones are days apart."""
_HOUR_S, _NEAR_HOUR_S = 3_600.0, 600.0
_LEAST_SAMPLED = 0.9
_RATE_TOLERANCE, _WHOLE_TOLERANCE = 0.01, 0.05
_HOURS_NEEDED, _TIMES_NEEDED = 12, 200


def exposures_complete(case: Case) -> Probe:
    """Does the log hold what the client counted, in every arm and hour?"""
    limits = case.limits
    threshold = f"the log differs from the client's count by at most {limits.max_count_difference:.2%}"
    ask = Question("exposures_complete", f"{threshold} (in one hour {limits.max_hour_difference:.0%})")
    known = [one for one in case.seen.counted if one.sent]
    if not known or not case.seen.exposures:
        what = "the client's count (--sent, or a table client_counts or outcomes)" if case.seen.exposures else "any arm"
        return ask.no_data(what)
    worst = max(_difference(one) for one in known)
    told = "; ".join(f"{one.name}: {one.logged:,} logged of {one.sent:,} counted" for one in known)
    # A difference of a few exposures at an hour's edges is no loss, however small the hour.
    hours = [one for one in case.seen.hours if abs(one.sent - one.logged) > 5]
    bad = [one for one in hours if _difference(one) > limits.max_hour_difference]
    if bad:
        said = listed(f"{one.name}: {one.logged:,} of {one.sent:,}" for one in bad)
        told += f"; hours that differ: {said}"
    if worst <= limits.max_count_difference and not bad:
        return ask.passed(1 - worst, told)
    fault, how = _how_lost(known, bad)
    return ask.failed(fault, 1 - worst, told + how)


def _difference(one: Counted) -> float:
    return abs(one.sent - one.logged) / max(one.sent, 1)


def _how_lost(known: list[Counted], bad: list[Counted]) -> tuple[str, str]:
    sent, logged = sum(one.sent for one in known), sum(one.logged for one in known)
    if logged > sent:
        return "exposures_strange", ""
    parts = [one for one in (bad or known) if one.sent]
    rate = sum(one.logged for one in parts) / sum(one.sent for one in parts)
    # Every part lacks the same share, up to chance: that is a sampler's work, no accident's.
    is_even = all(abs(one.logged / one.sent - rate) <= 3 * sqrt(rate / one.sent) + _RATE_TOLERANCE for one in parts)
    # One count alone is even in any case: there only one in a whole number looks like a sampler.
    is_even &= len(parts) > 1 or (rate > 0 and abs(1 / rate - round(1 / rate)) <= _WHOLE_TOLERANCE)
    if is_even and 0 < rate <= _LEAST_SAMPLED:
        return "log_sampled", f"; about 1 in {1 / rate:.3g} is logged"
    return "exposures_lost", ""


def exposures_unique(case: Case) -> Probe:
    """Is every exposure in the log once?"""
    ask = Question("exposures_unique", "no exposure is in the log twice")
    doubled = case.seen.exposures - case.seen.distinct_exposures
    share = share_of(doubled, case.seen.exposures)
    if share is None:
        return ask.no_data("any arm")
    told = f"{doubled:,} of {case.seen.exposures:,} rows repeat another"
    return ask.judged("exposures_doubled" if doubled else "", share, told)


def clock(case: Case) -> Probe:
    """Are the times in the log possible, and do the clocks of service and client agree?"""
    limit = case.limits.max_clock_offset_s
    ask = Question("clock", f"no exposure from the future, and clocks at most {limit:g} s apart")
    seen = case.seen.clock
    if seen is None or not seen.rows:
        return ask.no_data("any arm")
    if seen.future_rows:
        ahead = f"the last is {seen.ahead_s / _HOUR_S:.1f} h ahead"
        said = f"{seen.future_rows:,} of {seen.rows:,} exposures lie after the moment of the check; {ahead}"
        return ask.failed("clock_skewed", seen.ahead_s, said)
    # Whole hours are a time zone's fault, and told by the probe of time zones.
    live = [one for one in seen.offsets if one.spread_s <= _LIVE_SPREAD_S and not _whole_hours(one.offset_s)]
    bad = [one for one in live if abs(one.offset_s) > limit]
    worst = max((abs(one.offset_s) for one in live), default=0.0)
    if bad:
        return ask.failed("clock_skewed", worst, listed(_offset_told(one) for one in bad))
    told = f"{len(live)} clocks agree within {worst:.0f} s" if live else "the traffic is replayed: no clock to compare"
    return ask.passed(worst, f"no exposure is from the future; {told}")


def _whole_hours(offset_s: float) -> int:
    """The whole hours that an offset is, 0 when it is none."""
    hours = round(offset_s / _HOUR_S)
    return hours if abs(offset_s - hours * _HOUR_S) <= _NEAR_HOUR_S else 0


def _offset_told(one: OffsetSeen) -> str:
    side = "ahead of" if one.offset_s > 0 else "behind"
    return f"{one.name} is {abs(one.offset_s):,.0f} s {side} the exposures that {one.writer} logged"


def time_zone(case: Case) -> Probe:
    """Do times come in the zone in which training read them?"""
    threshold = "no time is off by whole hours, and the hours of day fit training's as they are"
    ask = Question("time_zone", f"{threshold} (to {case.limits.max_hour_gain:g})")
    seen = case.seen.clock
    if seen is None or not seen.rows:
        return ask.no_data("any arm")
    live = [one for one in seen.offsets if one.spread_s <= _LIVE_SPREAD_S]
    off = [(one, hours) for one in live if (hours := _whole_hours(one.offset_s))]
    if off:
        said = listed(f"{one.name} is {hours:+d} h from the exposures' own time" for one, hours in off)
        return ask.failed("time_zone_shifted", float(off[0][1]), said)
    is_live = {one.name for one in live}
    replayed = [one for one in seen.hours if one.name not in is_live]
    if not replayed:
        return ask.passed(0.0, "every time agrees with the exposures' own" if seen.hours else "the models read no time")
    return _profiles(ask, replayed, case.limits.max_hour_gain)


def _profiles(ask: Question, replayed: list[HoursSeen], most: float) -> Probe:
    told = []
    for one in replayed:
        total = sum(one.seen)
        if total < _TIMES_NEEDED or sum(count > 0 for count in one.seen) < _HOURS_NEEDED or not sum(one.expected):
            return ask.no_data(f"enough hours of day of {one.name}, here or in training")
        gains = {shift: _gain(one, shift) for shift in range(-11, 13)}
        best = max(gains, key=lambda shift: gains[shift])
        # Of few times, some shift fits better by chance.
        if best and gains[best] > most + sqrt(24 / total) / 2:
            said = f"the hours of {one.name} fit training's {gains[best]:.2f} better when {best:+d} h are taken off"
            return ask.failed("time_zone_shifted", float(best), said)
        told.append(f"{one.name} fits as it is")
    return ask.passed(0.0, ", ".join(told))


def _gain(one: HoursSeen, shift: int) -> float:
    """How much closer to training's the hours are after taking the shift off, as a share of the traffic."""
    total = sum(one.seen)
    shares = [count / total for count in one.seen]
    now = sum(abs(mine - meant) for mine, meant in zip(shares, one.expected, strict=True)) / 2
    moved = [shares[(hour + shift) % 24] for hour in range(24)]
    return now - sum(abs(mine - meant) for mine, meant in zip(moved, one.expected, strict=True)) / 2


def days_covered(case: Case) -> Probe:
    """Has it run for the days required?"""
    ask = Question("days_covered", f"at least {case.limits.days_required:g} days")
    if not case.seen.exposures:
        return ask.no_data("any arm")
    told = f"{case.seen.days:.2f} days by {case.seen.days_source}"
    return ask.judged("days_too_few" if case.seen.days < case.limits.days_required else "", case.seen.days, told)
