"""A real log as the demo's ground: its first days to learn from, its end to validate on and to replay."""

from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlglot import exp

from tasuki.actions.real_logs import RealLog, ReplayPart, prepare_real_log, replay
from tasuki.actions.workspace import Workspace
from tasuki.demo.ground import Ground, Investigation, Phase, Played, Question
from tasuki.demo.narrator import Narrator
from tasuki.samples.client import ServiceAddress, ServiceClient


@dataclass
class _Replays:
    """Replays the held-out time, each time under a name of its own."""

    workspace: Workspace
    log: RealLog
    narrator: Narrator
    plays: int = field(default=0)
    caveats: list[str] = field(default_factory=list)

    def play(self, phase: Phase, address: str) -> Played:
        host, port = address.removeprefix("http://").split(":")
        part = self._part(phase)
        with (
            self.narrator.working(f"real rows from {part.since:%m-%d %H:%M} to {part.until:%m-%d %H:%M} are replayed"),
            ServiceClient(ServiceAddress(self.log.model, host=host, port=int(port))) as service,
        ):
            summary = replay(self.workspace, self.log, service, part)
        self.caveats[:] = summary.caveats[self.workspace.language]
        for name, arm in summary.arms.items():
            self.narrator.say(
                f"{name}: {arm.opportunities:,} rows, {arm.fallbacks:,} fallbacks, {arm.bought:,} bought, "
                f"{arm.captured} of {arm.positives} positives captured"
            )
        days = max(1, round((part.until - part.since).total_seconds() / 86_400))
        return Played({name: arm.opportunities for name, arm in summary.arms.items()}, days, service.failed)

    def _part(self, phase: Phase) -> ReplayPart:
        """All of the held-out time, under a new name: A/B 1 asks for whole days, and the log has no more of them."""
        self.plays += 1
        return ReplayPart(f"{phase}-{self.plays}", self.log.held_out_since, self.log.held_out_until)


def log_ground(
    workspace: Workspace, logs: str, mapping: Path | None, texts: dict[str, Any], narrator: Narrator
) -> Ground:
    """Reads the log into the workspace and says what the story stands on."""
    with narrator.working(f"the log {logs} is read by its mapping"):
        log = prepare_real_log(workspace, logs, mapping)
    held = log.contents
    narrator.say(f"{held.rows:,} rows, {held.positives:,} positives, {held.start:%Y-%m-%d} to {held.end:%Y-%m-%d}")
    for doubt in held.concerns:
        narrator.say(f"{doubt.severity}: {doubt.message}")
    said = texts["real_log"]
    replays = _Replays(workspace, log, narrator)
    return Ground(
        name=said["name"].format(log=log.name),
        model=log.model,
        champion_file=log.champion_file,
        challenger_file=log.challenger_file,
        learned_until=_after(held.end),
        held_out_since=log.held_out_since,
        question=Question(said["title"].format(log=log.name), said["search"], said["brief"]),
        investigation=_investigation(log, said["meaning"]),
        primary=said["brief"]["metric"],
        guardrails={"spend_per_row": 0.05},
        minimal_detectable_effect=0.3,
        comparison_days=max(1, round((log.held_out_until - log.held_out_since).total_seconds() / 86_400)),
        play=replays.play,
        honesty=replays.caveats,
    )


def _after(moment: datetime) -> datetime:
    """Just after a moment, so that a window that ends here holds it."""
    from datetime import timedelta

    return moment + timedelta(seconds=1)


def _investigation(log: RealLog, meaning: str) -> Investigation:
    group = exp.column(log.segments[0] if log.segments else "user", quoted=True)
    label = exp.column(log.label, quoted=True)
    every = exp.select(exp.column("at"), group.copy(), label.copy()).from_("impressions")
    positives = exp.cast(exp.Sum(this=exp.cast(label, exp.DType.INT)), exp.DType.BIGINT)
    groups = (
        exp.select(
            exp.alias_(exp.cast(group, exp.DType.TEXT), "grp"),
            exp.alias_(exp.Count(this=exp.Star()), "n"),
            exp.alias_(positives, "k"),
        )
        .from_("impressions")
        .group_by(exp.Literal.number(1))
        .order_by("n desc", "grp")
    )
    return Investigation(every.sql("duckdb"), groups.sql("duckdb"), "impressions", meaning, "kaito")
