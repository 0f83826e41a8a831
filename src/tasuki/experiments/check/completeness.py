"""Probes of the log itself: every exposure is there once, for the days required, with times that can be believed."""

from math import sqrt

from tasuki.errors import joined, said
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
    threshold = said(
        "the log differs from the client's count by at most {most:.2%} (in one hour {hour:.0%})",
        most=limits.max_count_difference,
        hour=limits.max_hour_difference,
    )
    ask = Question("exposures_complete", threshold)
    known = [one for one in case.seen.counted if one.sent]
    if not known or not case.seen.exposures:
        count = said("the client's count (--sent, or a table client_counts or outcomes)")
        what = count if case.seen.exposures else said("any arm")
        return ask.no_data(what)
    worst = max(_difference(one) for one in known)
    told = joined(
        [
            said("{name}: {logged:,} logged of {sent:,} counted", name=one.name, logged=one.logged, sent=one.sent)
            for one in known
        ]
    )
    # A difference of a few exposures at an hour's edges is no loss, however small the hour.
    hours = [one for one in case.seen.hours if abs(one.sent - one.logged) > 5]
    bad = [one for one in hours if _difference(one) > limits.max_hour_difference]
    if bad:
        hours_told = listed(
            said("{name}: {logged:,} of {sent:,}", name=one.name, logged=one.logged, sent=one.sent) for one in bad
        )
        told = joined([told, said("hours that differ: {hours}", hours=hours_told)])
    if worst <= limits.max_count_difference and not bad:
        return ask.passed(1 - worst, told)
    fault, how = _how_lost(known, bad)
    return ask.failed(fault, 1 - worst, joined([told, how]) if how else told)


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
        return "log_sampled", said("about 1 in {rate:.3g} is logged", rate=1 / rate)
    return "exposures_lost", ""


def exposures_unique(case: Case) -> Probe:
    """Is every exposure in the log once?"""
    ask = Question("exposures_unique", said("no exposure is in the log twice"))
    doubled = case.seen.exposures - case.seen.distinct_exposures
    share = share_of(doubled, case.seen.exposures)
    if share is None:
        return ask.no_data(said("any arm"))
    told = said("{doubled:,} of {exposures:,} rows repeat another", doubled=doubled, exposures=case.seen.exposures)
    return ask.judged("exposures_doubled" if doubled else "", share, told)


def clock(case: Case) -> Probe:
    """Are the times in the log possible, and do the clocks of service and client agree?"""
    limit = case.limits.max_clock_offset_s
    ask = Question("clock", said("no exposure from the future, and clocks at most {limit:g} s apart", limit=limit))
    seen = case.seen.clock
    if seen is None or not seen.rows:
        return ask.no_data(said("any arm"))
    if seen.future_rows:
        ahead = said("the last is {hours:.1f} h ahead", hours=seen.ahead_s / _HOUR_S)
        future = said(
            "{future_rows:,} of {rows:,} exposures lie after the moment of the check; {ahead}",
            future_rows=seen.future_rows,
            rows=seen.rows,
            ahead=ahead,
        )
        return ask.failed("clock_skewed", seen.ahead_s, future)
    # Whole hours are a time zone's fault, and told by the probe of time zones.
    live = [one for one in seen.offsets if one.spread_s <= _LIVE_SPREAD_S and not _whole_hours(one.offset_s)]
    bad = [one for one in live if abs(one.offset_s) > limit]
    worst = max((abs(one.offset_s) for one in live), default=0.0)
    if bad:
        return ask.failed("clock_skewed", worst, listed(_offset_told(one) for one in bad))
    told = (
        said("{count} clocks agree within {worst:.0f} s", count=len(live), worst=worst)
        if live
        else said("the traffic is replayed: no clock to compare")
    )
    return ask.passed(worst, said("no exposure is from the future; {told}", told=told))


def _whole_hours(offset_s: float) -> int:
    """The whole hours that an offset is, 0 when it is none."""
    hours = round(offset_s / _HOUR_S)
    return hours if abs(offset_s - hours * _HOUR_S) <= _NEAR_HOUR_S else 0


def _offset_told(one: OffsetSeen) -> str:
    side = said("ahead of") if one.offset_s > 0 else said("behind")
    return said(
        "{name} is {offset_s:,.0f} s {side} the exposures that {writer} logged",
        name=one.name,
        offset_s=abs(one.offset_s),
        side=side,
        writer=one.writer,
    )


def time_zone(case: Case) -> Probe:
    """Do times come in the zone in which training read them?"""
    threshold = said(
        "no time is off by whole hours, and the hours of day fit training's as they are (to {gain:g})",
        gain=case.limits.max_hour_gain,
    )
    ask = Question("time_zone", threshold)
    seen = case.seen.clock
    if seen is None or not seen.rows:
        return ask.no_data(said("any arm"))
    live = [one for one in seen.offsets if one.spread_s <= _LIVE_SPREAD_S]
    off = [(one, hours) for one in live if (hours := _whole_hours(one.offset_s))]
    if off:
        told = listed(
            said("{name} is {hours:+d} h from the exposures' own time", name=one.name, hours=hours)
            for one, hours in off
        )
        return ask.failed("time_zone_shifted", float(off[0][1]), told)
    is_live = {one.name for one in live}
    replayed = [one for one in seen.hours if one.name not in is_live]
    if not replayed:
        agrees = said("every time agrees with the exposures' own")
        return ask.passed(0.0, agrees if seen.hours else said("the models read no time"))
    return _profiles(ask, replayed, case.limits.max_hour_gain)


def _profiles(ask: Question, replayed: list[HoursSeen], most: float) -> Probe:
    told: list[str] = []
    for one in replayed:
        total = sum(one.seen)
        if total < _TIMES_NEEDED or sum(count > 0 for count in one.seen) < _HOURS_NEEDED or not sum(one.expected):
            return ask.no_data(said("enough hours of day of {name}, here or in training", name=one.name))
        gains = {shift: _gain(one, shift) for shift in range(-11, 13)}
        best = max(gains, key=lambda shift: gains[shift])
        # Of few times, some shift fits better by chance.
        if best and gains[best] > most + sqrt(24 / total) / 2:
            better = said(
                "the hours of {name} fit training's {gains:.2f} better when {best:+d} h are taken off",
                name=one.name,
                gains=gains[best],
                best=best,
            )
            return ask.failed("time_zone_shifted", float(best), better)
        told.append(said("{name} fits as it is", name=one.name))
    return ask.passed(0.0, joined(told, ", "))


def _gain(one: HoursSeen, shift: int) -> float:
    """How much closer to training's the hours are after taking the shift off, as a share of the traffic."""
    total = sum(one.seen)
    shares = [count / total for count in one.seen]
    now = sum(abs(mine - meant) for mine, meant in zip(shares, one.expected, strict=True)) / 2
    moved = [shares[(hour + shift) % 24] for hour in range(24)]
    return now - sum(abs(mine - meant) for mine, meant in zip(moved, one.expected, strict=True)) / 2


def days_covered(case: Case) -> Probe:
    """Has it run for the days required?"""
    ask = Question("days_covered", said("at least {days_required:g} days", days_required=case.limits.days_required))
    if not case.seen.exposures:
        return ask.no_data(said("any arm"))
    told = said("{days:.2f} days by {source}", days=case.seen.days, source=case.seen.days_source)
    return ask.judged("days_too_few" if case.seen.days < case.limits.days_required else "", case.seen.days, told)
