"""The simulated exchange as the demo's ground: its log, its two models and its traffic."""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

from tasuki.clock import Clock
from tasuki.demo.ground import Ground, Investigation, Phase, Played, Question
from tasuki.demo.narrator import Narrator
from tasuki.samples.client import ServiceAddress, ServiceClient
from tasuki.samples.exchange import Memory, World
from tasuki.samples.play import Stage, play
from tasuki.samples.training import training_log

LEARNING_DAYS, HELD_OUT_DAYS = 10, 3
LEARNING_OPPORTUNITIES = 90_000
CHECK_DAYS, COMPARISON_DAYS = 2, 7
CHECK_OPPORTUNITIES, COMPARISON_OPPORTUNITIES = 20_000, 70_000

_FILES = {
    "ctr_champion.py": "models/ctr_champion.py",
    "ctr_recency.py": "models/ctr_recency.py",
    "metrics.toml": "metrics.toml",
}
_GROUPS = """\
select case when minutes_since_last < 30 then 'under 30 min' when minutes_since_last < 240 then '30 min to 4 h'
            else 'over 4 h' end as grp,
       count(*) as n, sum(clicked::integer)::bigint as k
from impressions group by all order by grp"""


@dataclass
class _Traffic:
    """Plays the days after the log one after the other; people keep the memory of the ads they saw.

    The world's days go on without a gap; what is played carries the days that the story's clock stands at.
    """

    world: World
    clock: Clock
    memory: Memory
    folder: Path
    narrator: Narrator
    next_day: int
    plays: int = field(default=0)

    def play(self, phase: Phase, address: str) -> Played:
        days, each = (
            (CHECK_DAYS, CHECK_OPPORTUNITIES) if phase == "check" else (COMPARISON_DAYS, COMPARISON_OPPORTUNITIES)
        )
        self.plays += 1
        today = self.clock().replace(hour=0, minute=0, second=0, microsecond=0)
        dated = replace(self.world, start=today - timedelta(days=self.next_day))
        stage = Stage(dated, memory=self.memory, folder=self.folder, name=f"play-{self.plays}")
        which = range(self.next_day, self.next_day + days)
        host, port = address.removeprefix("http://").split(":")
        with (
            self.narrator.working(f"{days} days of traffic ({days * each:,} opportunities) go through the service"),
            ServiceClient(ServiceAddress("ctr", host=host, port=int(port))) as service,
        ):
            summary = play(stage, which, each, service)
        self.next_day += days
        for name, arm in summary.arms.items():
            self.narrator.say(
                f"{name}: {arm.answered:,} answered, {arm.fallbacks:,} fallbacks, {arm.won:,} won, "
                f"{arm.clicks:,} clicks, {arm.installs:,} installs"
            )
        return Played({name: arm.answered for name, arm in summary.arms.items()}, days, service.failed)


def exchange_ground(folder: Path, seed: int, clock: Clock, texts: dict[str, Any], narrator: Narrator) -> Ground:
    """Draws the training log into the workspace's folder and says what the story stands on."""
    start = clock()
    world = World(seed=seed, start=start)
    for name, place in _FILES.items():
        (folder / place).write_bytes(files("tasuki.samples").joinpath("files", name).read_bytes())
    days = LEARNING_DAYS + HELD_OUT_DAYS
    with narrator.working(f"the exchange writes its log of {days} days"):
        log = training_log(world, range(days), LEARNING_OPPORTUNITIES, folder / "logs" / "impressions")
    narrator.say(f"{log.opportunities:,} opportunities, {log.impressions:,} impressions, {log.clicks:,} clicks")
    said = texts["exchange"]
    traffic = _Traffic(world, clock, log.memory, folder / "logs" / "outcomes", narrator, days)
    return Ground(
        name=said["name"],
        model="ctr",
        champion_file=Path("models/ctr_champion.py"),
        challenger_file=Path("models/ctr_recency.py"),
        learned_until=start + timedelta(days=days),
        held_out_since=start + timedelta(days=LEARNING_DAYS),
        question=Question(said["title"], said["search"], said["brief"]),
        investigation=Investigation(
            "select at, user, app, slot, minutes_since_last, clicked from impressions",
            _GROUPS,
            "impressions",
            said["meaning"],
            "kaito",
        ),
        primary=said["brief"]["metric"],
        guardrails={"spend_per_user": 0.05},
        minimal_detectable_effect=0.25,
        comparison_days=COMPARISON_DAYS,
        play=traffic.play,
        honesty=tuple(said["honesty"]),
        replay_time="at",
        segments=("os",),
    )
