"""The workspace's artifacts and the evidence about them, for the verbs that train, publish and check models."""

from tasuki.actions.evidence import attach_evidence
from tasuki.actions.workspace import Workspace
from tasuki.flow.evidence import Evidence
from tasuki.models.artifact import Artifact, prove, read_artifact
from tasuki.store.artifacts import ArtifactStore


def store_of(workspace: Workspace, location: str | None = None) -> ArtifactStore:
    """The workspace's artifact store, or the one at a location (relative to the workspace's folder)."""
    return ArtifactStore(workspace.folder / (location or workspace.artifacts_location))


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
