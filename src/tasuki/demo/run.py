"""The demo from an empty folder to the filed case: makes the workspace and the team, then runs the legs."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from tasuki.actions.history import seed_history
from tasuki.actions.models import publish_model, train_model
from tasuki.actions.real_logs import check_real_log
from tasuki.actions.relay import open_idea
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock, system_clock
from tasuki.demo.evaluation_leg import run_evaluation
from tasuki.demo.exchange_ground import exchange_ground
from tasuki.demo.ground import Ground
from tasuki.demo.limits import set_limits
from tasuki.demo.log_ground import log_ground
from tasuki.demo.narrator import Narrator
from tasuki.demo.other_ideas import open_other_ideas
from tasuki.demo.relay import Relay
from tasuki.demo.running_legs import run_check, run_comparison, run_implementation
from tasuki.demo.service_process import running_service
from tasuki.demo.summary import summary_lines
from tasuki.demo.thinking_legs import run_hypothesis, run_investigation, run_modeling, run_offline_validation
from tasuki.errors import Refused
from tasuki.settings.workspace import FILE, Choices, init_workspace, open_workspace

MARK = "demo.toml"
"""The file that says that a workspace was made by the demo, and which idea it ended with."""
STORY_DAYS = 62


@dataclass(frozen=True)
class Show:
    """What is asked of a run.

    Args:
        folder: The workspace that is made.
        seed: Of everything random.
        logs: `exchange` for the simulated world, `obd`, or the path of a real log.
        mapping: The mapping file of a real log; None when its columns are known.
        language: What the members write in.
    """

    folder: Path
    seed: int = 7
    logs: str = "exchange"
    mapping: Path | None = None
    language: Literal["ja", "en"] = "ja"


def run_demo(show: Show, narrator: Narrator) -> list[str]:
    """Runs the relay in the folder and gives the summary; a folder where it has run already is left as it is.

    Raises:
        Refused: The folder is a workspace that the demo did not make.
    """
    ended = _ended_before(show.folder)
    if ended is not None:
        narrator.say(f"the demo has run in {show.folder} already; remove the folder to run it anew")
        return _summary(show.folder, ended, ())
    if show.logs != "exchange":
        check_real_log(show.logs, show.mapping)
    folder = _cleared(show.folder, narrator)
    today = system_clock().replace(hour=0, minute=0, second=0, microsecond=0)
    clock = MovableClock(today - timedelta(days=STORY_DAYS))
    texts = read_texts(show.language)
    init_workspace(folder, Choices(name="tasuki demo", language=show.language, member="aoi"), clock).close()
    set_limits(folder / "playbook" / "stages.toml")
    (folder / MARK).write_text("", encoding="utf-8")
    workspace = open_workspace(folder, clock)
    try:
        with narrator.working("a team's history of concluded ideas is written"):
            seed_history(workspace, show.seed, clock())
    finally:
        workspace.close()
    if show.logs == "exchange":
        ground = exchange_ground(folder, show.seed, clock, texts, narrator)
    # A folder of logs becomes a table when a workspace is opened: once for reading a real log, once with it.
    workspace = open_workspace(folder, clock)
    if show.logs != "exchange":
        ground = log_ground(workspace, show.logs, show.mapping, texts, narrator)
        workspace.close()
        workspace = open_workspace(folder, clock)
    try:
        idea = _run_relay(workspace, clock, narrator, texts, ground)
    finally:
        workspace.close()
    (folder / MARK).write_text(f'idea = "{idea}"\n', encoding="utf-8")
    narrator.say(f"the whole relay took {narrator.elapsed_s:.0f} s")
    return _summary(folder, idea, ground.honesty)


def read_texts(language: str) -> dict[str, Any]:
    """What the members write, in a language."""
    return tomllib.loads(files("tasuki.demo").joinpath("texts", f"{language}.toml").read_text(encoding="utf-8"))


def _ended_before(folder: Path) -> str | None:
    mark = folder / MARK
    if not mark.exists():
        return None
    idea = tomllib.loads(mark.read_text(encoding="utf-8")).get("idea")
    return idea if isinstance(idea, str) else None


def _cleared(folder: Path, narrator: Narrator) -> Path:
    """The folder, empty: what an interrupted run left there is set aside, what others made is not touched."""
    if (folder / MARK).exists():
        aside = next(place for n in range(1, 1_000) if not (place := Path(f"{folder}-interrupted-{n}")).exists())
        folder.rename(aside)
        narrator.say(f"an earlier run was interrupted; it lies in {aside} now")
    elif (folder / FILE).exists():
        raise Refused(
            f"{folder} is a workspace that the demo did not make",
            rule="the demo works in a workspace of its own",
            next_step="name another folder: tasuki demo --workspace DIR",
        )
    return folder


def _run_relay(
    workspace: Workspace, clock: MovableClock, narrator: Narrator, texts: dict[str, Any], ground: Ground
) -> str:
    champion = _serve_champion(workspace, narrator, ground)
    _pass_learning_days(clock, ground)
    idea = open_idea(workspace, ground.question.title, actor="aoi", estimate_days=2).idea
    relay = Relay(workspace, clock, narrator, texts, ground, idea)
    run_hypothesis(relay)
    run_investigation(relay)
    challenger = run_modeling(relay)
    run_offline_validation(relay, champion, challenger)
    run_implementation(relay, champion, challenger)
    with running_service(workspace.folder, ground.model, ground.replay_time) as address:
        run_check(relay, address)
        report = run_comparison(relay, address)
    run_evaluation(relay, report, challenger)
    open_other_ideas(relay)
    return idea


def _serve_champion(workspace: Workspace, narrator: Narrator, ground: Ground) -> str:
    """The model that serves today: it was there before the idea."""
    with narrator.working(f"sota trains and publishes today's champion {ground.champion_file}"):
        file = workspace.folder / ground.champion_file
        trained = train_model(workspace, file, until=ground.held_out_since, actor="sota")
        publish_model(workspace, ground.model, trained.version, channel="champion", actor="sota")
    return trained.version


def _pass_learning_days(clock: MovableClock, ground: Ground) -> None:
    """The idea comes after the days that the log covers (a real log may lie years before)."""
    behind: timedelta = ground.learned_until - clock()
    clock.advance(seconds=max(behind.total_seconds(), 0.0))


def _summary(folder: Path, idea: str, honesty: Sequence[str]) -> list[str]:
    workspace = open_workspace(folder)
    try:
        return summary_lines(folder, workspace.ledger.state(idea), honesty)
    finally:
        workspace.close()
