"""What a version has to pass before it is published: availability, schema, size, parity, speed, distribution of scores.

Every check runs, and each that fails says how to mend it: a refusal is a list to work through, not a first stumble.
The limits are data: the model file gives them, and the artifact carries them.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.actions.model_table import Asked, Columns, even_places, read_newest
from tasuki.actions.workspace import Workspace
from tasuki.errors import Fault, TasukiError, said
from tasuki.models.artifact import Artifact, inputs_of, raw_value, score_rows
from tasuki.models.encoding import WrongValue
from tasuki.stats.stability import population_stability

PARITY_ROWS = 200
_BINS = 10


@dataclass(frozen=True)
class Candidate:
    """A version that is to be published.

    Args:
        artifact: It, proved on its golden examples.
        size_bytes: What its files take.
        champion: The version that its clients know now; None for the first.
    """

    artifact: Artifact
    size_bytes: int
    champion: Artifact | None


def publication_faults(workspace: Workspace, candidate: Candidate) -> list[Fault]:
    """Each check that fails: what was found, what is allowed, and how to mend it."""
    faults = [*_availability(candidate), *_schema(candidate), *_size(candidate)]
    training = candidate.artifact.training
    asked = Asked(str(training.get("table")), str(training.get("time")), _features(candidate))
    try:
        fresh = read_newest(workspace, asked)
    except TasukiError as error:
        what = f"the table {asked.table} gives no fresh rows: {error.what}"
        faults.append(Fault("fresh rows", what, "rows to compare scores on", "bring the table back, or train again"))
        return faults
    return [*faults, *_parity(candidate, fresh), *_distribution(candidate, fresh)]


def _features(candidate: Candidate) -> tuple[Any, ...]:
    known = {one.name: one for one in candidate.artifact.features}
    champion = candidate.champion.features if candidate.champion else ()
    return (*known.values(), *(one for one in champion if one.name not in known))


def _availability(candidate: Candidate) -> Iterator[Fault]:
    for name in candidate.artifact.training["offline_only"]:
        how = "drop the feature, or bring it online first and remove online=False"
        yield Fault(name, "is marked online=False", "features that the service can have", how)


def _schema(candidate: Candidate) -> Iterator[Fault]:
    if candidate.champion is None:
        return
    # By its features: a champion from before counts were named in schemas counts all the same.
    known = inputs_of(candidate.champion.features)
    for name, one in candidate.artifact.inputs.items():
        if name in known and known[name].type != one.type:
            how = "give the feature another column, or publish under another model name"
            yield Fault(
                f"schema {name}",
                said("is a {type}, clients send a {sent}", type=one.type, sent=known[name].type),
                known[name].type,
                how,
            )
        elif name in known and known[name].nullable and not one.nullable:
            how = "declare it nullable=True: clients may send null today"
            yield Fault(f"schema {name}", "must not be null any more", "nullable, as in the champion", how)
        elif name in known and one.count and not known[name].count:
            how = "give the count another name=: clients may send any number today"
            yield Fault(f"schema {name}", "must be a whole number from 0 now", "any number, as in the champion", how)
        elif name not in known and name not in candidate.champion.accepts:
            how = (
                "let clients send it first: retrain the champion, whose version then accepts the name, and publish that"
            )
            yield Fault(f"schema {name}", "no client sends it: the champion refuses the name", "an accepted name", how)


def _size(candidate: Candidate) -> Iterator[Fault]:
    limit = _limit(candidate, "max_size_mb", 100.0)
    size = candidate.size_bytes / 1e6
    if size > limit:
        how = "a smaller model, or a higher max_size_mb in the model file"
        yield Fault(
            "size", said("the artifact has {size:.1f} MB", size=size), said("at most {limit:g}", limit=limit), how
        )


def _parity(candidate: Candidate, fresh: Columns) -> Iterator[Fault]:
    """The same rows one by one, as requests give them, and together, as training computes them."""
    artifact = candidate.artifact
    places = even_places(len(next(iter(fresh.values()))), PARITY_ROWS)
    rows = {name: column[places] for name, column in fresh.items()}
    try:
        together = score_rows(artifact, rows)
        requests = [
            {one.name: raw_value(one, rows[one.name][at]) for one in artifact.inputs.values()}
            for at in range(len(places))
        ]
        alone, taken = [], []
        for request in requests:
            began = time.perf_counter()
            alone.append(artifact.scorer.score_row(request))
            taken.append((time.perf_counter() - began) * 1_000)
        # The median: this machine may be busy with other things, and the limit is the service's.
        taken_ms = float(np.median(taken)) if taken else 0.0
    except (TasukiError, WrongValue) as error:
        how = "train again on the table as it is now, or mend the rows"
        yield Fault(
            "parity",
            said("fresh rows cannot be scored: {error}", error=" ".join(str(error).split())),
            "rows as in training",
            how,
        )
        return
    difference = float(np.abs(together - np.asarray(alone)).max()) if alone else 0.0
    if not difference <= artifact.tolerance:
        how = "report it with the version: a feature is computed in two ways"
        yield Fault(
            "parity",
            said("alone and together differ by {difference:.3g}", difference=difference),
            said("at most {tolerance:g}", tolerance=artifact.tolerance),
            how,
        )
    limit = _limit(candidate, "latency_p99_ms", 10.0)
    if taken_ms > limit:
        how = "a smaller model, or a higher latency_p99_ms in the model file"
        yield Fault(
            "latency",
            said("one score takes {taken_ms:.2f} ms (median)", taken_ms=taken_ms),
            said("at most {limit:g} (p99)", limit=limit),
            how,
        )


def _distribution(candidate: Candidate, fresh: Columns) -> Iterator[Fault]:
    artifact = candidate.artifact
    try:
        scores = score_rows(artifact, fresh)
    except TasukiError:
        return  # Parity has said it.
    if not np.isfinite(scores).all() or scores.min() < 0 or scores.max() > 1:
        how = "look at the estimator: it gives no probability for rows of today"
        yield Fault("scores", "are not all between 0 and 1", "probabilities", how)
        return
    expected = artifact.training["expected_scores"]
    shift = population_stability(_counts(scores, expected["edges"]), expected["shares"])
    limit = _limit(candidate, "max_score_shift", 0.25)
    if not shift <= limit:
        how = "train again up to now; if the world did change, raise max_score_shift in the model file and say why"
        yield Fault(
            "score distribution",
            said("PSI of fresh rows against training is {shift:.3f}", shift=shift),
            said("at most {limit:g}", limit=limit),
            how,
        )
    if candidate.champion is not None:
        yield from _change(candidate, candidate.champion, fresh, scores)


def _change(
    candidate: Candidate, champion: Artifact, fresh: Columns, scores: npt.NDArray[np.float64]
) -> Iterator[Fault]:
    try:
        before = score_rows(champion, fresh)
    except TasukiError:
        return  # A champion that cannot score today's rows is a reason to publish, not against it.
    edges = np.unique(np.quantile(before, np.linspace(0, 1, _BINS + 1)[1:-1])).tolist()
    shares = (np.asarray(_counts(before, edges)) / len(before)).tolist()
    shift = population_stability(_counts(scores, edges), shares)
    limit = _limit(candidate, "max_champion_shift", 2.5)
    if not shift <= limit:
        how = "compare the versions offline first; if the change is meant, raise max_champion_shift in the model file"
        yield Fault(
            "change",
            said("PSI of its scores against the champion's is {shift:.3f}", shift=shift),
            said("at most {limit:g}", limit=limit),
            how,
        )


def _counts(scores: npt.NDArray[np.float64], edges: list[float]) -> list[int]:
    counts: list[int] = np.bincount(np.searchsorted(edges, scores, side="right"), minlength=len(edges) + 1).tolist()
    return counts


def _limit(candidate: Candidate, name: str, default: float) -> float:
    return float(candidate.artifact.training.get("limits", {}).get(name, default))
