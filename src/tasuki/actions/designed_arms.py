"""What each arm of an experiment should have been answered by, and the artifacts behind the versions that were seen."""

from dataclasses import replace
from typing import TYPE_CHECKING

from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.trained import read_runs, with_labels, with_runs
from tasuki.actions.training_table import TrainingTable
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Missing, TasukiError, said
from tasuki.experiments.check import ArmDesign, TrainingSeen
from tasuki.experiments.routing import CONTROL
from tasuki.experiments.start import CHANNELS, Run
from tasuki.models.artifact import Artifact
from tasuki.store.artifacts import ArtifactStore, Pointer

if TYPE_CHECKING:
    from tasuki.warehouse import Warehouse


class DesignedArms:
    """The arms of an experiment as they were meant.

    Args:
        workspace: Whose artifacts, runs and tables are read.
        run: The experiment.
        warehouse: Where training tables lie.
    """

    def __init__(self, workspace: Workspace, run: Run, warehouse: "Warehouse") -> None:
        self._model = run.settings["model"]
        self._home = store_of(workspace)
        self._treatment = store_of(workspace, run.settings["treatment_location"])
        self._read: dict[str, Artifact | str] = {}
        self._warehouse = warehouse
        self._runs = read_runs(workspace.folder)
        self._window = (run.started_at, run.ended_at or workspace.clock())
        self.design = {arm: self._designed(arm, share) for arm, share in run.shares.items()}

    def artifact(self, version: str) -> Artifact | str:
        """The artifact of a version, from wherever it lies, or why it cannot be read."""
        if version not in self._read:
            self._read[version] = self._from_stores(version)
        return self._read[version]

    def artifact_of(self, arm: str) -> Artifact | None:
        """The artifact an arm was meant to be answered by."""
        version = self._version_of(arm, self.design[arm].versions)
        artifact = self.artifact(version) if version else None
        return artifact if isinstance(artifact, Artifact) else None

    def table_of(self, arm: str) -> TrainingTable | None:
        """The table the arm's version was trained on."""
        artifact = self.artifact_of(arm)
        return None if artifact is None else TrainingTable(self._warehouse, artifact)

    def others(self) -> tuple[str, ...]:
        """Every version of the model that is stored, the newest last."""
        return self._home.versions(self._model)

    def _from_stores(self, version: str) -> Artifact | str:
        faults = []
        for store in (self._treatment, self._home):
            try:
                return read_version(store, self._model, version)
            except Missing as error:
                faults.append(error.what)
            except Invalid as error:
                return "; ".join([error.what, *map(str, error.faults[:2])])
            except TasukiError as error:
                return error.what
        return faults[-1]

    def _designed(self, arm: str, share: float) -> ArmDesign:
        store = self._home if arm == CONTROL else self._treatment
        versions, fault = self._pointed_to(store, CHANNELS[arm])
        if not fault and store is not self._home:
            fault = self._stale(versions[-1], CHANNELS[arm], store.location)
        known = {one.version for one in self._history(store, CHANNELS[arm])}
        return ArmDesign(share, versions, fault, self._trained(arm, versions), tuple(known - {*versions}))

    def _stale(self, version: str, channel: str, location: str) -> str:
        """Whether the workspace published something newer than what lies where the service fetches."""
        published = self._history(self._home, channel)
        if not published or published[-1].version == version:
            return ""
        newest = published[-1]
        return said(
            "{location} points to {version}, but {newest} was published at {at:%Y-%m-%d %H:%M} UTC",
            location=location,
            version=version,
            newest=newest.version,
            at=newest.at,
        )

    def _trained(self, arm: str, versions: tuple[str, ...]) -> TrainingSeen:
        version = self._version_of(arm, versions)
        if not version:
            return TrainingSeen(
                said("nothing is published under {channel}", channel=CHANNELS[arm]), labels_fault=said("no version")
            )
        seen = with_runs(TrainingSeen(), self._runs, version, self._window)
        artifact = self.artifact(version)
        if isinstance(artifact, str):
            return replace(seen, fault=artifact, labels_fault=said("the version cannot be read"))
        lacking = [name for name in ("window", "rows", "data_hash") if not artifact.training.get(name)]
        fault = (
            said("version {version} does not say its training's {what}", version=version, what=tuple(lacking))
            if lacking
            else ""
        )
        return replace(with_labels(seen, self._warehouse, artifact), fault=fault)

    def _version_of(self, arm: str, versions: tuple[str, ...]) -> str | None:
        """The arm's version; the workspace's own pointer says what was meant to be at a location that lacks it."""
        if versions:
            return versions[-1]
        history = self._history(self._home, CHANNELS[arm])
        return history[-1].version if history else None

    def _history(self, store: ArtifactStore, channel: str) -> tuple[Pointer, ...]:
        """What a channel pointed to up to the experiment's end; nothing when that cannot be told."""
        try:
            history = store.history(self._model, channel)
        except TasukiError:
            return ()
        return tuple(one for one in history if one.at <= self._window[1])

    def _pointed_to(self, store: ArtifactStore, channel: str) -> tuple[tuple[str, ...], str]:
        """The versions a channel pointed to while it ran, oldest first, and why that cannot be told."""
        try:
            history = store.history(self._model, channel)
        except TasukiError as error:
            return (), error.what
        start, end = self._window
        before = [one.version for one in history if one.at <= start][-1:]
        versions = (*before, *(one.version for one in history if start < one.at <= end))
        return versions, "" if versions else said(
            "nothing was published under {channel} in {location} while it ran", channel=channel, location=store.location
        )
