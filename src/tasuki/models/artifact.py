"""A trained model as files and back: nothing in them can execute, and what is read is proved before it is used.

features.json   the features in order, the hash's seed and buckets, scales, vocabularies, intercept
schema.json     what a request must give: name, type, nullable
weights.npy     linear models: float64, one weight per slot, then one per number without bins
trees.txt       LightGBM and XGBoost models: LightGBM's text
estimator.*     other scikit-learn models: .skops or .onnx
golden.json     inputs with the score any implementation must give
training.json   what the version was made from, and the score distribution to expect
"""

import io
import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from tasuki.errors import Fault, Invalid, TasukiError, said
from tasuki.models.default_answer import DefaultAnswer, default_from, default_to
from tasuki.models.encoding import Column, RawValue, WrongValue, count_value, plain_column, to_raw
from tasuki.models.estimator_scorer import Estimator, EstimatorScorer
from tasuki.models.features import (
    TIME_PARTS,
    Category,
    CountOver,
    Cross,
    Feature,
    HourOfDay,
    InputType,
    Number,
    TimePart,
)
from tasuki.models.linear import Linear, LinearScorer, Scale, plain_numbers
from tasuki.models.onnx_file import ONNX_TOLERANCE
from tasuki.models.trees import Trees, TreesScorer

FORMAT = "tasuki.model/1"
SCHEMA = "schema.json"
TOLERANCE = 1e-9
"""How far a score may be from its golden example: the last digits of another machine's exp, nothing more."""

Parameters = Linear | Trees | Estimator
Scorer = LinearScorer | TreesScorer | EstimatorScorer

_KINDS: dict[str, Callable[..., Feature]] = {
    "category": Category,
    "cross": Cross,
    "hour_of_day": HourOfDay,
    "time_part": TimePart,
    "number": Number,
    "count_over": CountOver,
}
_KIND_OF: dict[object, str] = {kind: name for name, kind in _KINDS.items()}


@dataclass(frozen=True)
class Input:
    """A named input of a model. `count` says of a number that it counts something: it is whole and not below 0."""

    name: str
    type: InputType
    nullable: bool
    count: bool = False


@dataclass(frozen=True)
class Schema:
    """What a request must give, and the names it may give: enough to tell a wrong one, without any parameters."""

    inputs: Mapping[str, Input]
    accepts: frozenset[str]


@dataclass(frozen=True)
class Golden:
    """Inputs and the score that any implementation must give for them."""

    row: Mapping[str, RawValue]
    score: float


@dataclass(frozen=True)
class Artifact:
    """A version that was read and can score.

    `inputs` is what a request must give; `accepts` are all the names it may give, for logging and for other versions.
    `default` is what the model file declared to be answered when nothing can be computed; publication may say another.
    """

    model: str
    version: str
    inputs: Mapping[str, Input]
    accepts: frozenset[str]
    features: tuple[Feature, ...]
    scorer: Scorer
    golden: tuple[Golden, ...]
    training: Mapping[str, Any]
    default: DefaultAnswer | None = None

    @property
    def tolerance(self) -> float:
        """How far two computations of one score may differ: by the form it is kept in, never by what a file says."""
        is_onnx = isinstance(self.scorer, EstimatorScorer) and self.scorer.model.storage == "onnx"
        return ONNX_TOLERANCE if is_onnx else TOLERANCE


def score_rows(artifact: Artifact, columns: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """The probability of each row of a table: arrays or lists, one per input of the model; more are ignored.

    Raises:
        Invalid: Naming the columns that are missing or hold values the model cannot take.
    """
    lacking = [name for name in artifact.inputs if name not in columns]
    if lacking:
        what = said("{model} cannot score these rows", model=artifact.model)
        raise Invalid(what, [Fault(name, "is missing") for name in lacking])
    needed: dict[str, Column] = {name: plain_column(columns[name]) for name in artifact.inputs}
    try:
        return artifact.scorer.score_columns(needed)
    except WrongValue as error:
        what = said("{model} cannot score these rows", model=artifact.model)
        raise Invalid(what, [Fault(error.column, error.what, error.expected)]) from error


def prove(artifact: Artifact) -> None:
    """Scores the golden examples one by one and together, and compares with what was written in training.

    Raises:
        Invalid: Naming each example that differs.
    """
    try:
        faults = _golden_faults(artifact)
    except TasukiError:
        raise
    except Exception as error:  # parameters that no training writes: edges that are texts, zones of centuries
        raise Invalid(
            said(
                "version {version} of {model} cannot score its golden examples",
                version=artifact.version,
                model=artifact.model,
            ),
            [Fault("golden.json", repr(error)[:300])],
        ) from error
    if faults:
        what = said(
            "version {version} of {model} fails its golden examples", version=artifact.version, model=artifact.model
        )
        raise Invalid(what, faults[:10])


def _golden_faults(artifact: Artifact) -> list[Fault]:
    """The golden examples that are scored otherwise, alone or together, than was written in training."""
    faults = []
    together = score_rows(artifact, {name: [one.row.get(name) for one in artifact.golden] for name in artifact.inputs})
    for place, (one, batch) in enumerate(zip(artifact.golden, together.tolist(), strict=True)):
        faults += _no_counts(artifact, one, f"golden.json example {place}")
        single = artifact.scorer.score_row(one.row)
        if not (abs(single - one.score) <= artifact.tolerance and abs(batch - one.score) <= artifact.tolerance):
            what = said("scores {single} alone, {batch} in a batch", single=single, batch=float(batch))
            faults.append(Fault(f"golden.json example {place}", what, str(one.score)))
    return faults


def _no_counts(artifact: Artifact, golden: Golden, where: str) -> list[Fault]:
    """The values of an example that its own schema would refuse from a caller."""
    faults = []
    for one in (one for one in artifact.inputs.values() if one.count):
        try:
            count_value(one.name, golden.row.get(one.name), one.nullable)
        except WrongValue as error:
            faults.append(Fault(f"{where} {one.name}", error.what, error.expected))
    return faults


def parameters_files(model: Parameters) -> dict[str, bytes]:
    """The files that hold the parameters."""
    spec: dict[str, Any] = {
        "format": FORMAT,
        "features": [{"kind": _KIND_OF[type(one)], **asdict(one)} for one in model.features],
    }
    if isinstance(model, Trees):
        spec |= {"kind": "trees", "vocabularies": model.vocabularies}
        return {"features.json": to_json(spec), "trees.txt": model.text.encode()}
    if isinstance(model, Estimator):
        spec |= {"kind": "estimator", "layout": model.layout, "vocabularies": model.vocabularies}
        return {
            "features.json": to_json({**spec, "storage": model.storage}),
            f"estimator.{model.storage}": model.content,
        }
    scales = {name: asdict(scale) for name, scale in model.scales.items()}
    spec |= {"kind": "linear", "buckets": model.buckets, "seed": model.seed, "scales": scales}
    spec |= {"hash": "murmur3_x86_32", "intercept": model.intercept}
    array = io.BytesIO()
    np.save(array, model.weights, allow_pickle=False)
    return {"features.json": to_json(spec), "weights.npy": array.getvalue()}


def schema_file(inputs: Mapping[str, Input], accepts: Sequence[str], default: DefaultAnswer | None = None) -> bytes:
    """What a request must and may give, and what is answered when nothing can be computed, as `schema.json`.

    Counts are named beside the inputs, so that a reader that knows of none reads the inputs as ever.
    """
    listed = [{"name": one.name, "type": one.type, "nullable": one.nullable} for one in inputs.values()]
    counts = [one.name for one in inputs.values() if one.count]
    more: dict[str, Any] = {"counts": counts} if counts else {}
    more |= {} if default is None else {"default": default_to(default)}
    return to_json({"format": FORMAT, "inputs": listed, "accepts": list(accepts), "output": "probability", **more})


def golden_file(golden: tuple[Golden, ...], tolerance: float = TOLERANCE) -> bytes:
    """The golden examples as `golden.json`."""
    return to_json({"format": FORMAT, "tolerance": tolerance, "examples": [asdict(one) for one in golden]})


def inputs_of(features: tuple[Feature, ...]) -> dict[str, Input]:
    """The named inputs of features; one is nullable only when every feature that reads it allows null."""
    found: dict[str, Input] = {}
    for feature in features:
        for name, kind in feature.inputs:
            earlier = found.get(name)
            nullable = feature.nullable and (earlier is None or earlier.nullable)
            found[name] = Input(name, kind, nullable, isinstance(feature, CountOver))
    return found


def raw_value(one: Input, value: object) -> str | int | float | None:
    """A table's value in the form a request gives it: the inputs of golden examples."""
    raw = to_raw(one.type, value)
    return int(raw) if one.count and raw is not None else raw


def read_artifact(model: str, version: str, files: Mapping[str, bytes]) -> Artifact:
    """A version out of its files; `prove` it before it serves.

    Raises:
        Invalid: Naming the file that cannot be read or does not fit the others.
    """
    try:
        return _read(model, version, files)
    except TasukiError:
        raise
    except Exception as error:  # whoever wrote the files may have meant harm: sizes, depths and types of any kind
        raise Invalid(
            said("version {version} of {model} cannot be read", version=version, model=model),
            [Fault("features.json, schema.json, golden.json or the parameters", repr(error)[:300])],
        ) from error


def read_schema(content: bytes) -> Schema:
    """The schema of a version out of its file alone.

    Raises:
        Invalid: When it is none.
    """
    try:
        return _schema(_json({SCHEMA: content}, SCHEMA))
    except (KeyError, TypeError, AttributeError) as error:
        raise Invalid("the schema cannot be read", [Fault(SCHEMA, repr(error)[:300])]) from error


def _schema(document: Mapping[str, Any]) -> Schema:
    counts = frozenset(map(str, document.get("counts", ())))
    inputs = {one["name"]: replace(Input(**one), count=one["name"] in counts) for one in document["inputs"]}
    return Schema(inputs, frozenset(map(str, document["accepts"])) | set(inputs))


def _read(model: str, version: str, files: Mapping[str, bytes]) -> Artifact:
    spec = _json(files, "features.json")
    features = tuple(_feature(one) for one in spec["features"])
    parameters = _READERS[spec["kind"]](spec, features, files)
    schema = _json(files, SCHEMA)
    asks = _schema(schema)
    inputs, accepts = asks.inputs, asks.accepts
    golden = tuple(Golden(one["row"], float(one["score"])) for one in _json(files, "golden.json")["examples"])
    if not _fits(inputs, inputs_of(features)) or not golden:
        raise Invalid(
            said("version {version} of {model} cannot be read", version=version, model=model),
            [Fault("schema.json", "does not fit features.json, or there is no golden example")],
        )
    scorer, training = _scorer(parameters), _json(files, "training.json")
    return Artifact(model, version, inputs, accepts, features, scorer, golden, training, default_from(schema))


def _fits(told: Mapping[str, Input], read: Mapping[str, Input]) -> bool:
    """Whether a schema says what the features read. Versions from before counts were named do not name them."""
    return told.keys() == read.keys() and all(
        one == read[name] or one == replace(read[name], count=False) for name, one in told.items()
    )


def _scorer(parameters: Parameters) -> Scorer:
    match parameters:
        case Linear():
            return LinearScorer(parameters)
        case Trees():
            return TreesScorer(parameters)
        case Estimator():
            return EstimatorScorer(parameters)


def to_json(value: Mapping[str, Any]) -> bytes:
    """The one form in which an artifact's JSON is written: the same value always gives the same bytes."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False).encode()


def _json(files: Mapping[str, bytes], name: str) -> dict[str, Any]:
    try:
        document = json.loads(files[name])
    except KeyError:
        raise Invalid("the artifact is not complete", [Fault(name, "is missing")]) from None
    except (ValueError, RecursionError) as error:
        raise Invalid("the artifact cannot be read", [Fault(name, str(error))]) from error
    if not isinstance(document, dict):
        raise Invalid("the artifact cannot be read", [Fault(name, "is no JSON object")])
    return document


def _feature(value: Mapping[str, Any]) -> Feature:
    fields = {name: tuple(one) if isinstance(one, list) else one for name, one in value.items() if name != "kind"}
    feature = _KINDS[value["kind"]](**fields)
    if isinstance(feature, TimePart) and feature.part not in TIME_PARTS:
        raise ValueError(f"{feature.part!r} is no part of a moment")
    return feature


def _linear(spec: Mapping[str, Any], features: tuple[Feature, ...], files: Mapping[str, bytes]) -> Linear:
    weights = np.load(io.BytesIO(files["weights.npy"]), allow_pickle=False)
    wanted = (int(spec["buckets"]) + len(plain_numbers(features)),)
    if weights.dtype != np.float64 or weights.shape != wanted or not np.isfinite(weights).all():
        raise Invalid(
            "the weights do not fit",
            [
                Fault(
                    "weights.npy", f"{weights.dtype} {weights.shape}", said("finite float64 {shape}", shape=str(wanted))
                )
            ],
        )
    scales = {name: Scale(float(one["mean"]), float(one["deviation"])) for name, one in spec["scales"].items()}
    intercept = float(spec["intercept"])
    if not math.isfinite(intercept) or any(not one.deviation > 0 for one in scales.values()):
        raise Invalid("the parameters are out of range", [Fault("features.json", "intercept or scales")])
    return Linear(features, int(spec["buckets"]), int(spec["seed"]), scales, intercept, weights)


def _trees(spec: Mapping[str, Any], features: tuple[Feature, ...], files: Mapping[str, bytes]) -> Trees:
    return Trees(features, _vocabularies(spec), files["trees.txt"].decode())


def _estimator(spec: Mapping[str, Any], features: tuple[Feature, ...], files: Mapping[str, bytes]) -> Estimator:
    layout, storage = spec["layout"], spec["storage"]
    if layout not in ("codes", "indicators") or storage not in ("skops", "onnx"):
        raise ValueError(f"{layout!r} or {storage!r} is unknown")
    return Estimator(features, layout, _vocabularies(spec), storage, files[f"estimator.{storage}"])


def _vocabularies(spec: Mapping[str, Any]) -> dict[str, dict[str, int]]:
    found = {name: {str(key): int(at) for key, at in one.items()} for name, one in spec["vocabularies"].items()}
    if any(sorted(one.values()) != list(range(len(one))) for one in found.values()):
        raise ValueError("a vocabulary does not number its keys from 0")
    return found


_READERS: dict[str, Callable[[Mapping[str, Any], tuple[Feature, ...], Mapping[str, bytes]], Parameters]] = {
    "linear": _linear,
    "trees": _trees,
    "estimator": _estimator,
}
