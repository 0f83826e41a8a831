"""Train, publish, roll back and score with models: what `tasuki model` and the demo call."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from tasuki.actions.workspace import Workspace
    from tasuki.flow.evidence import Evidence


@dataclass(frozen=True)
class TrainedModel:
    """What a training run gives.

    Args:
        model: The model's name.
        version: The artifact's version: the same inputs give the same.
        card: The model card, as evidence.
        golden: The golden examples, as evidence.
        rows: Rows trained on.
        immature_share: The share of the window's rows that was left out because their labels may still change.
        metrics: Training metrics: log_loss, normalized_entropy, positive_rate.
        attached_to: The idea the evidence was attached to, if any.
    """

    model: str
    version: str
    card: "Evidence"
    golden: "Evidence"
    rows: int
    immature_share: float
    metrics: Mapping[str, float]
    attached_to: str | None = None


@dataclass(frozen=True)
class Published:
    """A channel that now points to a version."""

    model: str
    channel: str
    version: str
    previous: str | None
    evidence: "Evidence"


@dataclass(frozen=True)
class ScoredRows:
    """Rows of a model's table with their mature label and the score of each version asked for, in order of time."""

    labels: npt.NDArray[np.bool_]
    units: npt.NDArray[np.object_]
    times: npt.NDArray[np.datetime64]
    scores: Mapping[str, npt.NDArray[np.float64]]
    segments: Mapping[str, npt.NDArray[np.object_]]


def train_model(
    workspace: "Workspace", model_file: Path, *, until: datetime | None = None, actor: str, idea: str | None = None
) -> TrainedModel:
    """Trains the model of a file on its window before `until` (by default the end of the data) and stores it."""
    raise NotImplementedError


def score_versions(
    workspace: "Workspace",
    model_file: Path,
    versions: Mapping[str, str],
    *,
    since: datetime,
    until: datetime | None = None,
) -> ScoredRows:
    """Scores the mature rows of [since, until) with each of the versions (name → version)."""
    raise NotImplementedError


def publish_model(
    workspace: "Workspace",
    model: str,
    version: str,
    *,
    channel: str = "champion",
    actor: str,
    idea: str | None = None,
    key: str | None = None,
) -> Published:
    """Proves the version on its golden examples and points the channel at it."""
    raise NotImplementedError


def roll_back_model(
    workspace: "Workspace", model: str, *, channel: str = "champion", actor: str, idea: str | None = None
) -> Published:
    """Points the channel back at the version it had before."""
    raise NotImplementedError
