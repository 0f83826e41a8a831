"""What serves: by model the published versions, what the service really answers with, and how its A/B 1 went."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from tasuki.actions.artifacts import store_of
from tasuki.actions.experiment_lines import Wanted, found_lines
from tasuki.actions.runs import running_runs
from tasuki.actions.service_health import Answering, ServiceHealth, ask_service
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, TasukiError, said
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import CHANNELS, Run
from tasuki.flow.evidence import read_evidence
from tasuki.flow.records import CheckReport
from tasuki.flow.state import IdeaState
from tasuki.models.default_answer import DefaultAnswer
from tasuki.store.artifacts import ArtifactStore

SHOWN_PUBLICATIONS = 20
SHOWN_CHECKS = 5


@dataclass(frozen=True)
class Publication:
    """A channel was pointed to a version."""

    channel: str
    version: str
    at: datetime
    by: str


@dataclass(frozen=True)
class ChannelState:
    """A channel, the version it points to, and what the service answers with.

    Args:
        channel: The channel.
        version: What it points to; None for a pointer that cannot be read.
        since: Since when.
        by: Who published it.
        answering: What the service answers with, one by arm that follows the channel; empty when it was not asked.
        doubt: `differs` when another version answers, `unavailable` when none does, `last_good` when an older one
            does since the newest cannot be used, `unreadable` for the pointer; empty when all is well or not known.
        error: Why, in the service's or the store's words.
        default: What is answered when nothing can be computed; None for the score 0.
    """

    channel: str
    version: str | None
    since: datetime | None
    by: str
    answering: tuple[Answering, ...] = ()
    doubt: str = ""
    error: str = ""
    default: DefaultAnswer | None = None


@dataclass(frozen=True)
class DayHealth:
    """What one day of an A/B 1 showed."""

    day: date
    exposures: int
    asked: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class CheckHealth:
    """The newest report of an A/B 1.

    Args:
        idea: Whose experiment.
        title: The idea's title.
        experiment: Its name.
        at: When it was checked.
        passed: Whether every probe passed.
        days: Days covered.
        days_required: Days required.
        failed: Name and fault of each probe that failed.
        asked: Every probe that was asked, in order.
        by_day: The days, oldest first.
    """

    idea: str
    title: str
    experiment: str
    at: datetime
    passed: bool
    days: float
    days_required: float
    failed: tuple[tuple[str, str], ...]
    asked: tuple[str, ...]
    by_day: tuple[DayHealth, ...]


@dataclass(frozen=True)
class ModelServing:
    """One model.

    Args:
        name: The model.
        channels: Its channels.
        running: The experiments that split its traffic now.
        publications: What was published, the newest first.
        checks: The newest report of each A/B 1 on it, the newest first.
        versions: How many versions are stored.
    """

    name: str
    channels: tuple[ChannelState, ...]
    running: tuple[Run, ...]
    publications: tuple[Publication, ...]
    checks: tuple[CheckHealth, ...]
    versions: int


@dataclass(frozen=True)
class ServingState:
    """The service and every model."""

    service: ServiceHealth
    models: tuple[ModelServing, ...]


def what_serves(workspace: Workspace, model: str | None = None) -> ServingState:
    """The state of one model, or of every model that is stored.

    Raises:
        Missing: There is no such model.
    """
    store = store_of(workspace)
    names = store.models()
    if model is not None and model not in names:
        raise Missing(
            said("there is no model {model!r}", model=model),
            expected=", ".join(names) or "none is trained yet",
            next_step="tasuki model train FILE",
        )
    service = ask_service(workspace.serving_url)
    wanted = names if model is None else (model,)
    runs = running_runs(workspace)
    checks = _checks(workspace, wanted)
    return ServingState(service, tuple(_serving(store, service, runs, checks[name], name) for name in wanted))


def _serving(
    store: ArtifactStore, service: ServiceHealth, runs: Sequence[Run], checks: Sequence[CheckHealth], model: str
) -> ModelServing:
    running = tuple(one for one in runs if one.settings.get("model") == model)
    # The champion first: it is what answers most people.
    names_of_channels = sorted(store.channels(model), key=lambda one: (one != CHANNELS[CONTROL], one))
    channels = tuple(_channel(store, service, model, channel) for channel in names_of_channels)
    published = [one for channel in names_of_channels for one in _publications(store, model, channel)]
    return ModelServing(
        model,
        channels,
        running,
        tuple(sorted(published, key=lambda one: one.at, reverse=True)[:SHOWN_PUBLICATIONS]),
        tuple(checks),
        len(store.versions(model)),
    )


def _publications(store: ArtifactStore, model: str, channel: str) -> list[Publication]:
    try:
        return [Publication(channel, one.version, one.at, one.by) for one in store.history(model, channel)]
    except TasukiError:
        return []


def _channel(store: ArtifactStore, service: ServiceHealth, model: str, channel: str) -> ChannelState:
    answering = tuple(one for one in service.models.get(model, ()) if one.channel == channel)
    try:
        history = store.history(model, channel)
    except TasukiError as error:
        return ChannelState(channel, None, None, "", answering, "unreadable", error.what)
    if not history:
        return ChannelState(channel, None, None, "", answering)
    newest = history[-1]
    doubt, why = _doubt(newest.version, answering)
    return ChannelState(channel, newest.version, newest.at, newest.by, answering, doubt, why, newest.default)


def _doubt(version: str, answering: Sequence[Answering]) -> tuple[str, str]:
    for one in answering:
        if one.version is None:
            return "unavailable", one.error
        if one.version != version:
            return "last_good" if one.state == "last_good" else "differs", one.error
    return "", ""


def _checks(workspace: Workspace, models: Sequence[str]) -> dict[str, tuple[CheckHealth, ...]]:
    """By model the newest report of each A/B 1 on it that ran last, the newest first."""
    started, shelf = workspace.ledger.started_models(), workspace.ledger.shelf()
    found: dict[str, list[CheckHealth]] = {model: [] for model in models}
    for line in Wanted(kind="check").of(found_lines(shelf)):
        wanted = found.get(started.get((line.state.idea, line.experiment.name), ""))
        if wanted is not None and len(wanted) < SHOWN_CHECKS:
            wanted += _newest_report(workspace.ledger.whole(line.state), line.experiment.name)
        if all(len(one) == SHOWN_CHECKS for one in found.values()):
            break
    return {model: tuple(sorted(one, key=lambda check: check.at, reverse=True)) for model, one in found.items()}


def _newest_report(state: IdeaState, experiment: str) -> list[CheckHealth]:
    for entry in reversed(state.evidence):
        if entry.kind == "check_report" and entry.record["experiment"] == experiment:
            evidence = read_evidence(entry.body)
            if isinstance(evidence.record, CheckReport):
                return [_health(state.idea, state.title, evidence.at, evidence.record)]
    return []


def _health(idea: str, title: str, at: datetime, report: CheckReport) -> CheckHealth:
    return CheckHealth(
        idea,
        title,
        report.experiment,
        at,
        report.passed,
        report.days,
        report.days_required,
        tuple((one.name, one.fault) for one in report.probes if not one.passed),
        tuple(one.name for one in report.probes),
        tuple(DayHealth(one.day, one.exposures, one.asked, one.failed) for one in report.by_day),
    )
