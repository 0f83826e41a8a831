"""What A/B 1 looks at: the versions that should have answered, and what the logs say did."""

import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from difflib import get_close_matches
from typing import Any

from tasuki.actions.client_counts import CHECKERS_WORD, ClientSaid, count_client
from tasuki.actions.designed_arms import DesignedArms
from tasuki.actions.exposures import Covered, Exposures, Totals
from tasuki.actions.logged_outcomes import what_followed
from tasuki.actions.logged_times import clock_seen
from tasuki.actions.logged_values import values_seen
from tasuki.actions.recomputation import Sample, recompute, scores_seen
from tasuki.actions.workspace import Workspace
from tasuki.clock import system_clock
from tasuki.errors import said
from tasuki.experiments.check import ArmDesign, DaySeen, InputSeen, Moved, Seen, Thresholds, covered_days
from tasuki.experiments.start import TREATMENT, Run
from tasuki.flow.evidence import DataWindow
from tasuki.models.artifact import Input

LOG_DELAY_S = 3.0
"""How long the inference service may take to bring its last exposures to the disk."""
LARGEST_DAYS = 60
_LOOKED_BACK = 20
_NEARLY_ALL = 0.95


@dataclass(frozen=True)
class Observation:
    """What was designed, what was seen, day by day as well, and the data it was seen in."""

    design: Mapping[str, ArmDesign]
    seen: Seen
    window: DataWindow | None
    days: tuple[DaySeen, ...] = ()


@dataclass(frozen=True)
class Asked:
    """What is observed.

    Args:
        run: The experiment.
        earlier: Experiments on the same model that came before it, the newest last: units may be stuck in their arms.
        said: What the checker says of the client.
        limits: Says which columns of the outcomes mean what.
    """

    run: Run
    earlier: tuple[Run, ...]
    said: ClientSaid
    limits: Thresholds


def observe(workspace: Workspace, asked: Asked) -> Observation:
    """Everything the probes ask for.

    Raises:
        Invalid: When the exposure log has not the columns that the inference service writes.
    """
    from tasuki.warehouse import Warehouse

    run = asked.run
    logs = workspace.folder / "logs"
    tables = {name: str(logs / name / "*.parquet") for name in ("exposures", "outcomes", "client_counts")}
    with closing(Warehouse({**tables, **workspace.tables})) as warehouse:
        arms = DesignedArms(workspace, run, warehouse)
        exposures = Exposures(warehouse, run.name, run.settings["model"])
        _wait_for_log(exposures, asked.said.sent)
        if not exposures.there():
            return Observation(arms.design, Seen(), None)
        return _Observer(workspace, asked, arms, exposures).observation()


def _wait_for_log(exposures: Exposures, sent: Mapping[str, int]) -> None:
    """Gives the service the time it may take to write what it has answered."""
    until = time.monotonic() + LOG_DELAY_S
    expected = sum(sent.values())
    while time.monotonic() < until:
        logged = sum(exposures.logged().values()) if exposures.there() else 0
        if logged >= expected:
            return
        time.sleep(0.1)


class _Observer:
    """One look at an experiment's logs."""

    def __init__(self, workspace: Workspace, asked: Asked, arms: DesignedArms, exposures: Exposures) -> None:
        self._workspace, self._asked, self._arms, self._exposures = workspace, asked, arms, exposures
        self._run = asked.run
        self._table = arms.table_of(TREATMENT)

    def observation(self) -> Observation:
        exposures, said = self._exposures, self._asked.said
        totals = exposures.totals(self._run.allocation)
        if totals.covered is None:
            return Observation(self._arms.design, Seen(), None)
        outcomes = exposures.outcomes()
        covered = totals.covered if outcomes is None else outcomes[1]
        hours = exposures.hours_by_arm("exposures" if outcomes is None else "outcomes")
        ran = covered_days(hours, self._run.shares, self._asked.limits.max_quiet_hours)
        sample = exposures.sample()
        client = count_client(exposures, said, tuple(self._run.shares))
        values, values_fault = values_seen(exposures, self._inputs_read(), self._table)
        followed = what_followed(exposures, self._asked.limits, self._table)
        # The service's clock is the machine's; a story's clock may stand in the past.
        now = max(self._workspace.clock(), system_clock())
        times = tuple(one.name for one in self._inputs_read() if one.type == "time")
        seen = Seen(
            **self._counts(exposures, totals, sample),
            moved=self._moved(totals),
            earlier_experiment=self._earlier(totals),
            counted=client.counted or (() if outcomes is None else (outcomes[0],)),
            hours=client.hours,
            requests=client.requests,
            values=values,
            values_fault=values_fault,
            clock=clock_seen(exposures, times, self._table, now, has_outcomes=outcomes is not None),
            scores=scores_seen(exposures, TREATMENT, self._arms.artifact_of(TREATMENT), sample),
            recomputed=recompute(sample, self._arms.artifact, self._arms.others()),
            labels=followed.labels,
            calibrated=followed.calibrated,
            spend=followed.spend,
            days=ran.days if said.days is None else said.days,
            days_source=_told_by(covered, ran.told) if said.days is None else CHECKERS_WORD,
        )
        return Observation(self._arms.design, seen, _window(covered), self._days(has_outcomes=outcomes is not None))

    def _inputs_read(self) -> tuple[Input, ...]:
        """Every input that an arm's version reads."""
        found = (self._arms.artifact_of(arm) for arm in self._arms.design)
        return tuple({name: one for artifact in found if artifact for name, one in artifact.inputs.items()}.values())

    def _counts(self, exposures: Exposures, totals: Totals, sample: Sample) -> dict[str, Any]:
        return {
            "arms": exposures.arms(),
            "answers": exposures.answers(),
            "exposures": totals.exposures,
            "distinct_exposures": totals.distinct_exposures,
            "units": totals.units,
            "units_in_several_arms": exposures.units_in_several_arms(),
            "misassigned_units": totals.misassigned_units,
            "inputs": self._inputs(exposures, sample),
        }

    def _inputs(self, exposures: Exposures, sample: Sample) -> tuple[InputSeen, ...]:
        read = {one.name for one in self._inputs_read()}
        found: list[InputSeen] = []
        for arm in self._arms.design:
            artifact = self._arms.artifact_of(arm)
            if artifact is not None:
                seen = exposures.inputs(arm, {name: one.nullable for name, one in artifact.inputs.items()})
                shares: Mapping[str, float] = artifact.training.get("null_shares") or {}
                rows = [row["features"] for row in sample if row["arm"] == arm]
                for one in seen:
                    renamed = _renamed(one.name, rows, read) if one.absent else ""
                    found.append(replace(one, expected_null=shares.get(one.name), renamed=renamed))
        return tuple(found)

    def _moved(self, totals: Totals) -> tuple[Moved, ...]:
        if not totals.misassigned_units:
            return ()
        return self._exposures.moved(self._run.allocation)

    def _earlier(self, totals: Totals) -> str:
        """The earlier experiment in whose arms the misassigned units are, if there is one."""
        if not totals.misassigned_units:
            return ""
        for one in reversed(self._asked.earlier[-_LOOKED_BACK:]):
            explained = self._exposures.units_explained(self._run.allocation, one.allocation)
            if explained >= _NEARLY_ALL * totals.misassigned_units:
                return one.name
        return ""

    def _days(self, *, has_outcomes: bool) -> tuple[DaySeen, ...]:
        """The days by the exposures' own time; by that of their outcomes where traffic of several days was replayed."""
        by, days = "exposures", self._exposures.days("exposures")
        if has_outcomes and len(played := self._exposures.days("outcomes")) > len(days):
            by, days = "outcomes", played
        artifact = self._arms.artifact_of(TREATMENT)
        found = []
        for day in days[-LARGEST_DAYS:]:
            exposures = self._exposures.of_day(day, by)
            totals = exposures.totals(self._run.allocation)
            scores = scores_seen(exposures, TREATMENT, artifact, ())
            found.append(DaySeen(day, Seen(**self._counts(exposures, totals, ()), scores=scores)))
        return tuple(found)


def _told_by(covered: Covered, told: str) -> str:
    return said("{source} ({told})", source=covered.source, told=told)


def _renamed(name: str, rows: Sequence[Mapping[str, Any]], read: Collection[str]) -> str:
    """The name that stands in an input's place: in every row that lacks the input, and read by no model."""
    lacking = [row for row in rows if name not in row]
    counts = Counter(one for row in lacking for one in row if one not in read)
    candidates = [one for one, count in counts.items() if count == len(lacking)]
    close = get_close_matches(name, candidates, n=1, cutoff=0.4)
    return close[0] if close else candidates[0] if len(candidates) == 1 else ""


def _window(covered: Covered) -> DataWindow:
    return DataWindow(covered.first, covered.last + timedelta(microseconds=1))
