"""The workspace's artifacts and the evidence about them, for the verbs that train, publish and check models."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasuki.actions.evidence import attach_evidence
from tasuki.actions.workspace import Workspace
from tasuki.errors import Invalid, Missing, said
from tasuki.flow.evidence import Evidence
from tasuki.models.artifact import Artifact, Input, prove, read_artifact
from tasuki.store.artifacts import ArtifactStore, Pointer


def store_of(workspace: Workspace, location: str | None = None) -> ArtifactStore:
    """The workspace's artifact store, or the one at a location: a URL, or relative to the workspace's folder."""
    return ArtifactStore.at(workspace.folder, location or workspace.artifacts_location)


def read_version(store: ArtifactStore, model: str, version: str) -> Artifact:
    """A version that was loaded, checked and proved on its golden examples."""
    artifact = read_artifact(model, version, store.load(model, version))
    prove(artifact)
    return artifact


def attach_once(workspace: Workspace, idea: str, evidence: Evidence, actor: str, key: str | None) -> None:
    """Attaches evidence, unless the key says that it was attached before."""
    # A run repeated with the same key has another moment and duration; what was attached first stays.
    if key is None or not workspace.ledger.earlier(key):
        attach_evidence(workspace, idea, evidence, actor=actor, key=key)


@dataclass(frozen=True)
class ModelEntry:
    """A model of the store.

    Args:
        name: Its name.
        versions: Its versions, the newest last.
        channels: The version each channel points to.
        broken: What is wrong with each channel whose pointer cannot be read.
    """

    name: str
    versions: tuple[str, ...]
    channels: Mapping[str, str]
    broken: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class VersionEntry:
    """A version: what it needs, what it was made from, and every pointer to it, oldest first."""

    model: str
    version: str
    inputs: tuple[Input, ...]
    training: Mapping[str, Any]
    published: tuple[tuple[str, Pointer], ...]


def describe_models(workspace: Workspace) -> tuple[ModelEntry, ...]:
    """Every model of the workspace's store; a channel that cannot be read hides nothing else."""
    store = store_of(workspace)
    return tuple(_entry(store, name) for name in store.models())


def _entry(store: ArtifactStore, name: str) -> ModelEntry:
    channels: dict[str, str] = {}
    broken: dict[str, str] = {}
    for channel in store.channels(name):
        try:
            current = store.current(name, channel)
        except Invalid as error:
            broken[channel] = "; ".join(map(str, error.faults)) or error.what
        else:
            channels |= {channel: current} if current else {}
    return ModelEntry(name, store.versions(name), channels, broken)


def describe_version(workspace: Workspace, model: str, version: str | None = None) -> VersionEntry:
    """One version; the champion's when none is named.

    Raises:
        Missing: When there is no such version, or no champion.
        Invalid: When it is damaged.
    """
    store = store_of(workspace)
    wanted = version or store.current(model, "champion")
    if wanted is None:
        raise Missing(
            said("{model} has no champion", model=model),
            expected=said(
                "one of its versions: {versions}", versions=tuple(store.versions(model)) or said("it has none")
            ),
            next_step=said("name a version, or: tasuki model publish {model} VERSION", model=model),
        )
    artifact = read_version(store, model, wanted)
    readable = set(_entry(store, model).channels)
    pointers = [
        (channel, one)
        for channel in store.channels(model)
        if channel in readable
        for one in store.history(model, channel)
        if one.version == wanted
    ]
    return VersionEntry(model, wanted, tuple(artifact.inputs.values()), artifact.training, tuple(pointers))
