"""What A/B 1 looks at: the versions that should have answered, and what the logs say did."""

import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta

from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.exposures import Covered, Exposures
from tasuki.actions.recomputation import recompute, scores_seen
from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, TasukiError
from tasuki.experiments.check import ArmDesign, Counted, InputSeen, Seen
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import CHANNELS, TREATMENT, Run
from tasuki.flow.evidence import DataWindow
from tasuki.models.artifact import Artifact
from tasuki.store.artifacts import ArtifactStore

LOG_DELAY_S = 3.0
"""How long the inference service may take to bring its last exposures to the disk."""


@dataclass(frozen=True)
class Observation:
    """What was designed, what was seen, and the data it was seen in."""

    design: Mapping[str, ArmDesign]
    seen: Seen
    window: DataWindow | None


def observe(workspace: Workspace, run: Run, sent: Mapping[str, int] | None, days: float | None) -> Observation:
    """Everything the probes ask for.

    Args:
        workspace: Whose logs and artifacts are read.
        run: The experiment.
        sent: The client's own count of answers, by arm or under any one name.
        days: How long it ran, where the logs' time does not say it.

    Raises:
        Invalid: When the exposure log has not the columns that the inference service writes.
    """
    from tasuki.warehouse import Warehouse

    versions = _Versions(workspace, run)
    logs = workspace.folder / "logs"
    tables = {name: str(logs / name / "*.parquet") for name in ("exposures", "outcomes")}
    with closing(Warehouse({**tables, **workspace.tables})) as warehouse:
        exposures = Exposures(warehouse, run.name, run.settings["model"])
        _wait_for_log(exposures, sent)
        if not exposures.there():
            return Observation(versions.design, Seen(), None)
        return _seen(exposures, run, versions, sent, days)


def _wait_for_log(exposures: Exposures, sent: Mapping[str, int] | None) -> None:
    """Gives the service the time it may take to write what it has answered."""
    until = time.monotonic() + LOG_DELAY_S
    expected = sum((sent or {}).values())
    while time.monotonic() < until:
        logged = sum(exposures.logged().values()) if exposures.there() else 0
        if logged >= expected:
            return
        time.sleep(0.1)


def _seen(
    exposures: Exposures, run: Run, versions: "_Versions", sent: Mapping[str, int] | None, days: float | None
) -> Observation:
    totals = exposures.totals(run.settings["salt"], run.shares)
    if totals.covered is None:
        return Observation(versions.design, Seen(), None)
    outcomes = exposures.outcomes()
    covered = totals.covered if outcomes is None else outcomes[1]
    sample = exposures.sample()
    seen = Seen(
        arms=exposures.arms(),
        answers=exposures.answers(),
        exposures=totals.exposures,
        distinct_exposures=totals.distinct_exposures,
        units=totals.units,
        units_in_several_arms=exposures.units_in_several_arms(),
        misassigned_units=totals.misassigned_units,
        counted=_counted(exposures, sent) if sent else () if outcomes is None else (outcomes[0],),
        inputs=_inputs(exposures, versions),
        scores=scores_seen(exposures, TREATMENT, versions.artifact_of(TREATMENT), sample),
        recomputed=recompute(sample, versions.artifact),
        days=covered.hours / 24 if days is None else days,
        days_source=f"{covered.source} ({covered.hours} hours with rows)" if days is None else "the checker's word",
    )
    return Observation(versions.design, seen, _window(covered))


def _counted(exposures: Exposures, sent: Mapping[str, int]) -> tuple[Counted, ...]:
    logged = exposures.logged()
    if set(sent) <= set(CHANNELS):
        return tuple(Counted(arm, count, logged.get(arm, 0)) for arm, count in sent.items())
    return (Counted("all arms", sum(sent.values()), sum(logged.values())),)


def _inputs(exposures: Exposures, versions: "_Versions") -> tuple[InputSeen, ...]:
    found: list[InputSeen] = []
    for arm in versions.design:
        artifact = versions.artifact_of(arm)
        if artifact is not None:
            found += exposures.inputs(arm, {name: one.nullable for name, one in artifact.inputs.items()})
    return tuple(found)


def _window(covered: Covered) -> DataWindow:
    return DataWindow(covered.first, covered.last + timedelta(microseconds=1))


class _Versions:
    """What each arm should have been answered by, and the artifacts behind the versions that were seen."""

    def __init__(self, workspace: Workspace, run: Run) -> None:
        self._model = run.settings["model"]
        self._home = store_of(workspace)
        self._treatment = store_of(workspace, run.settings["treatment_location"])
        self._read: dict[str, Artifact | str] = {}
        window = (run.started_at, run.ended_at or workspace.clock())
        self.design = {arm: self._designed(arm, share, window) for arm, share in run.shares.items()}

    def artifact(self, version: str) -> Artifact | str:
        """The artifact of a version, from wherever it lies, or why it cannot be read."""
        if version not in self._read:
            self._read[version] = self._from_stores(version)
        return self._read[version]

    def artifact_of(self, arm: str) -> Artifact | None:
        """The artifact an arm was meant to be answered by."""
        versions = self.design[arm].versions
        version = versions[-1] if versions else self._intended(arm)
        artifact = self.artifact(version) if version else None
        return artifact if isinstance(artifact, Artifact) else None

    def _from_stores(self, version: str) -> Artifact | str:
        faults = []
        for store in (self._treatment, self._home):
            try:
                return read_version(store, self._model, version)
            except Missing as error:
                faults.append(error.what)
            except TasukiError as error:
                return error.what
        return faults[-1]

    def _designed(self, arm: str, share: float, window: tuple[datetime, datetime]) -> ArmDesign:
        store = self._home if arm == CONTROL else self._treatment
        versions, fault = _pointed_to(store, self._model, CHANNELS[arm], window)
        return ArmDesign(share, versions, fault, self._training_fault(arm, versions))

    def _training_fault(self, arm: str, versions: tuple[str, ...]) -> str:
        version = versions[-1] if versions else self._intended(arm)
        if not version:
            return f"nothing is published under {CHANNELS[arm]}"
        artifact = self.artifact(version)
        if isinstance(artifact, str):
            return artifact
        lacking = [name for name in ("window", "rows", "data_hash") if not artifact.training.get(name)]
        return f"version {version} does not say its training's {', '.join(lacking)}" if lacking else ""

    def _intended(self, arm: str) -> str | None:
        """The arm's version in the workspace's own store: what was meant to be at a location that lacks it."""
        try:
            return self._home.current(self._model, CHANNELS[arm])
        except TasukiError:
            return None


def _pointed_to(
    store: ArtifactStore, model: str, channel: str, window: tuple[datetime, datetime]
) -> tuple[tuple[str, ...], str]:
    """The versions a channel pointed to within a window, oldest first, and why that cannot be told."""
    try:
        history = store.history(model, channel)
    except TasukiError as error:
        return (), error.what
    before = [one.version for one in history if one.at <= window[0]][-1:]
    versions = (*before, *(one.version for one in history if window[0] < one.at <= window[1]))
    return versions, "" if versions else f"nothing was published under {channel} in {store.location} while it ran"
