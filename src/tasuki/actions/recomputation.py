"""Computing logged scores again: with the stored artifact, from the logged inputs, in the training's own code path."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import Any

from tasuki.actions.exposures import Exposures
from tasuki.actions.score_cause import cause_of
from tasuki.errors import Invalid, joined, said
from tasuki.experiments.check import Recomputed, ScoresSeen, VersionAgain
from tasuki.models.artifact import TOLERANCE, Artifact, score_rows

Sample = Sequence[Mapping[str, Any]]
BINS = 20


def recompute(sample: Sample, artifact_of: Callable[[str], Artifact | str], others: Sequence[str] = ()) -> Recomputed:
    """The largest difference between logged scores and those that their version gives for the logged inputs.

    What counts as a difference is said by the form a version is kept in (`Artifact.tolerance`): one kept as ONNX
    computes in 32 bits, so that a batch and a row may differ in their last digits; every other form is exact.

    Args:
        sample: Rows with `version`, `score` and `features`.
        artifact_of: The artifact of a version, or why it cannot be read.
        others: Versions that may have given the scores instead.
    """
    by_version: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in sample:
        by_version[row["version"]].append(row)
    seen, faults, cause, how = [], [], "", ""
    for version, mine in sorted(by_version.items()):
        artifact = artifact_of(version)
        if isinstance(artifact, str):
            faults.append(said("{count:,} scores cannot be computed again: {why}", count=len(mine), why=artifact))
            continue
        try:
            difference = _largest_difference(artifact, mine)
        except Invalid as error:
            why = ", ".join(map(str, error.faults[:3]))
            faults.append(
                said(
                    "{count:,} scores of {version} cannot be computed again: {why}",
                    count=len(mine),
                    version=version,
                    why=why,
                )
            )
            lacks = any(name not in row["features"] for name in artifact.inputs for row in mine)
            if lacks and not cause:
                cause, how = "feature_missing", said("inputs of the model are not in the log")
            continue
        if isnan(difference):
            faults.append(said("a score of {version} is no number", version=version))
            continue
        seen.append(VersionAgain(version, len(mine), difference, _lost_by_form(artifact)))
        if difference > artifact.tolerance:
            readable = [one for name in others if isinstance(one := artifact_of(name), Artifact)]
            cause, how = (cause, how) if cause else cause_of(artifact, mine, readable)
    return Recomputed(tuple(seen), joined(faults) if faults else "", cause, how)


def _lost_by_form(artifact: Artifact) -> float:
    """What the form alone may cost two computations of one score; nothing for the forms that are exact."""
    return artifact.tolerance if artifact.tolerance > TOLERANCE else 0.0


def scores_seen(exposures: Exposures, arm: str, artifact: Artifact | None, sample: Sample) -> ScoresSeen | None:
    """An arm's own scores in bins, against what its training expected or, failing that, the scores computed again."""
    if artifact is None:
        return None
    expected = artifact.training.get("expected_scores")
    if expected:
        counts = exposures.score_counts(arm, expected["edges"])
        return ScoresSeen(counts, tuple(expected["shares"]), said("the distribution on its training rows"))
    return _against_recomputed(exposures, arm, artifact, sample)


def _against_recomputed(exposures: Exposures, arm: str, artifact: Artifact, sample: Sample) -> ScoresSeen | None:
    import numpy as np

    mine = [row for row in sample if row["arm"] == arm]
    if not mine:
        return None
    try:
        again = score_rows(artifact, _columns(artifact, mine))
    except Invalid:
        return None
    edges = np.unique(np.quantile(again, np.linspace(0, 1, BINS + 1)[1:-1]))
    shares = np.bincount(np.searchsorted(edges, again, side="right"), minlength=len(edges) + 1) / len(again)
    counts = exposures.score_counts(arm, edges.tolist())
    source = said(
        "{count:,} scores computed again, since the version does not say what its training expected", count=len(mine)
    )
    return ScoresSeen(counts, tuple(shares.tolist()), source)


def _largest_difference(artifact: Artifact, rows: Sample) -> float:
    import numpy as np

    again = score_rows(artifact, _columns(artifact, rows))
    logged = np.asarray([row["score"] for row in rows], dtype=float)
    return float(np.abs(again - logged).max())


def _columns(artifact: Artifact, rows: Sample) -> dict[str, list[Any]]:
    return {name: [row["features"].get(name) for row in rows] for name in artifact.inputs}
