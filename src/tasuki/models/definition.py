"""A model as a value: what a data scientist writes in one Python file.

Nothing here reads data or trains. `tasuki.models.file` reads the file, `tasuki.models.encoding` computes the features,
`tasuki.models.training` trains.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any

from tasuki.errors import Fault
from tasuki.models.default_answer import DefaultAnswer, default_faults
from tasuki.models.features import TIME_PARTS, CountOver, Cross, Feature, HourOfDay, InputType, Number, TimePart

LARGEST_BUCKETS = 2**24
LARGEST_BINS = 1_000
LIMITS = ("latency_p99_ms", "max_size_mb", "max_score_shift", "max_champion_shift")
FEATURE_WORDS = "category, cross, hour_of_day, day_of_week, time_part, number or count_over"


@dataclass(frozen=True)
class Target:
    """What the model predicts: a column that is true (or 1) for a positive.

    Args:
        column: The label's column.
        delay_hours: The attribution window. A row is mature, and may be trained on, once this much time has passed
            since it happened; a label that arrived later than this after its row does not count.
        time: The column with the moment the label arrived, null for negatives; without it the label column is taken
            as it is.
    """

    column: str
    delay_hours: float = 0.0
    time: str | None = None


@dataclass(frozen=True)
class Model:
    """Everything that defines a model: where it learns, from what, what it predicts and how.

    Args:
        name: The model's name; champion and challenger are two files with the same name.
        table: The training table: a table of the workspace's warehouse.
        unit: The column of what is randomised in experiments, usually the user.
        time: The column of the moment a row happened.
        target: What is predicted.
        features: What it is predicted from.
        estimator: Any scikit-learn classifier with `predict_proba`, LightGBM's or XGBoost's.
        storage: For scikit-learn: `skops` or `onnx`; `auto` keeps linear models as weights and others as skops.
        buckets: The size of the hash table that categories share in linear models.
        training_days: How far back from the end of the data the training window reaches.
        segments: The columns by which offline validation also reports.
        seed: For the estimator and the hash.
        intended_use: What it is for.
        unsuitable_use: What it must not be used for.
        baseline: What it has to beat.
        retraining_cadence: How often the training job is to run.
        latency_p99_ms: How long one score may take at most, 99 times of 100.
        max_size_mb: How large the artifact may be.
        max_score_shift: How far (PSI) the scores of the table's newest rows may be from those of the training rows when
            a version is published.
        max_champion_shift: How far (PSI) they may be from the champion's scores of the same rows. A good new feature
            spreads scores and moves them by 1 or so; scores that lost their meaning move by much more.
        outcomes: Columns of the table that are filled only after the row happened, besides the target's: no client can
            send them, so none is asked for or accepted, and no feature may read one.
        default: What is answered when neither an arm nor control can, and why that; 0 without one.
    """

    name: str
    table: str
    unit: str
    time: str
    target: Target
    features: tuple[Feature, ...]
    estimator: Any = field(compare=False)
    storage: str = "auto"
    buckets: int = 2**16
    training_days: float = 7.0
    segments: tuple[str, ...] = ()
    seed: int = 1
    intended_use: str = ""
    unsuitable_use: str = ""
    baseline: str = ""
    retraining_cadence: str = "daily"
    latency_p99_ms: float = 10.0
    max_size_mb: float = 100.0
    max_score_shift: float = 0.25
    max_champion_shift: float = 2.5
    outcomes: tuple[str, ...] = ()
    default: DefaultAnswer | None = None

    @property
    def inputs(self) -> dict[str, InputType]:
        """The columns an inference request must give, with the type of each, in the order the features name them."""
        return dict(one for feature in self.features for one in feature.inputs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the table that training reads, each once."""
        label = (self.target.column, *([self.target.time] if self.target.time else []))
        return tuple(dict.fromkeys((self.unit, self.time, *label, *sources_of(self.features), *self.segments)))

    @property
    def counts(self) -> tuple[CountOver, ...]:
        """The counts over windows among its features."""
        return tuple(one for one in self.features if isinstance(one, CountOver))


_TYPES: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    *((name, str, "a text") for name in ("name", "table", "unit", "time")),
    ("target", Target, "a Target"),
    ("features", (tuple, list), "a tuple of features"),
    ("storage", str, "a text"),
    ("buckets", int, "a whole number"),
    ("training_days", (int, float), "a number of days"),
    ("segments", (tuple, list), "a tuple of column names"),
    ("outcomes", (tuple, list), "a tuple of column names"),
    ("seed", int, "a whole number"),
    ("latency_p99_ms", (int, float), "a number of milliseconds"),
    ("max_size_mb", (int, float), "a number of megabytes"),
    ("max_score_shift", (int, float), "a number"),
    ("max_champion_shift", (int, float), "a number"),
    *((name, str, "a text") for name in ("intended_use", "unsuitable_use", "baseline", "retraining_cadence")),
)


def sources_of(features: tuple[Feature, ...]) -> tuple[str, ...]:
    """The table's columns that features are computed from: their inputs, and for a count what it counts."""
    found: list[str] = []
    for feature in features:
        if isinstance(feature, CountOver):
            found += [feature.by, *([feature.event] if feature.event else [])]
        else:
            found += [name for name, _ in feature.inputs]
    return tuple(dict.fromkeys(found))


def definition_faults(model: Model) -> list[Fault]:
    """Everything about a definition that can be seen to be wrong without data, all at once."""
    faults, default = list(_type_faults(model)), list(default_faults(model.default))
    if faults:
        return [*faults, *default]
    return [
        *_own_faults(model),
        *default,
        *(fault for feature in model.features for fault in _feature_faults(feature)),
        *_clashes(model),
    ]


def is_readable(model: Model) -> bool:
    """Whether every part has the type it should, so that the columns a model reads can be named."""
    if any(_type_faults(model)):
        return False
    return all(isinstance(name, str) for one in model.features for name in _names(one))


def is_sound(feature: Feature) -> bool:
    """Whether a feature can be computed, from what is seen of it without data."""
    return not any(_feature_faults(feature))


def _names(feature: Feature) -> tuple[object, ...]:
    if isinstance(feature, CountOver):
        return (feature.by, *([feature.event] if feature.event else []))
    return tuple(name for name, _ in feature.inputs)


def _type_faults(model: Model) -> Iterator[Fault]:
    for name, kinds, expected in _TYPES:
        value = getattr(model, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield Fault(name, f"{value!r} is a {type(value).__name__}", expected)
    if isinstance(model.target, Target):
        yield from _target_type_faults(model.target)
    for where, named in (("segments", model.segments), ("outcomes", model.outcomes)):
        for name in named if isinstance(named, tuple | list) else ():
            if not _is_text(name):
                yield Fault(where, f"{name!r} is no column name", "a tuple of column names")
    features: object = model.features
    if isinstance(features, tuple | list):
        for place, feature in enumerate(features):
            if not isinstance(feature, Feature):
                yield Fault(f"features.{place}", f"{feature!r} is no feature", FEATURE_WORDS)


def _target_type_faults(target: Target) -> Iterator[Fault]:
    if not _is_text(target.column):
        yield Fault("target.column", f"{target.column!r} is no column name", "a text")
    if not _is_number(target.delay_hours):
        yield Fault("target.delay_hours", f"{target.delay_hours!r} is no number", "a number of hours")
    if not (target.time is None or _is_text(target.time)):
        yield Fault("target.time", f"{target.time!r} is no column name", "a text, or None")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _own_faults(model: Model) -> Iterator[Fault]:
    for name in ("table", "unit", "time"):
        if not getattr(model, name):
            yield Fault(name, "is empty", "a name")
    if not is_plain_name(model.name):
        yield Fault("name", f"{model.name!r} cannot name a folder", "letters, digits, - and _, at most 64")
    if not model.features:
        yield Fault("features", "there is none", "at least one")
    if not (2 <= model.buckets <= LARGEST_BUCKETS):
        yield Fault("buckets", f"{model.buckets!r} is out of range", f"2 to {LARGEST_BUCKETS}")
    if not model.training_days > 0:
        yield Fault("training_days", f"{model.training_days!r} is no window", "more than 0")
    if not 0 <= model.target.delay_hours < inf:
        yield Fault("target.delay_hours", f"{model.target.delay_hours!r} is no delay", "0 or more")
    for name in LIMITS:
        if not getattr(model, name) > 0:
            yield Fault(name, f"{getattr(model, name)!r} is no limit", "more than 0")
    for name in ("intended_use", "unsuitable_use", "baseline", "retraining_cadence"):
        if not getattr(model, name):
            yield Fault(name, "is empty", "a sentence; the model card carries it to the next owner")


def _feature_faults(feature: Feature) -> Iterator[Fault]:
    for column, _ in feature.inputs:
        if not isinstance(column, str) or not column:
            yield Fault("features", f"{column!r} is no column name", "a text")
    match feature:
        case Number(bins=bins) if not all(map(_is_number, bins)):
            yield Fault(f"features.{feature.name}", f"bins {bins!r} are no numbers", "ascending numbers")
        case HourOfDay(utc_offset_hours=offset) | TimePart(utc_offset_hours=offset) if not _is_number(offset):
            yield Fault(f"features.{feature.name}", f"utc_offset_hours {offset!r} is no number", "-14 to 14")
        case Cross(columns=columns) if len(columns) < 2 or len(set(columns)) < len(columns):
            yield Fault(f"features.{feature.name}", "does not combine anything", "two or more different columns")
        case Number(bins=bins) if list(bins) != sorted(set(bins)) or len(bins) > LARGEST_BINS:
            yield Fault(f"features.{feature.name}", "bins do not ascend", f"ascending edges, at most {LARGEST_BINS}")
        case HourOfDay(utc_offset_hours=offset) | TimePart(utc_offset_hours=offset) if not -14 <= offset <= 14:
            yield Fault(f"features.{feature.name}", f"utc_offset_hours {offset!r} is no time zone", "-14 to 14")
        case TimePart(part=part) if part not in TIME_PARTS:
            yield Fault(f"features.{feature.name}", f"{part!r} is no part of a moment", ", ".join(TIME_PARTS))
    if isinstance(feature, CountOver):
        yield from _count_faults(feature)


def _count_faults(feature: CountOver) -> Iterator[Fault]:
    where = f"features.{feature.name}"
    if not isinstance(feature.by, str) or not feature.by:
        yield Fault(where, f"by={feature.by!r} names no column", 'the column that must be the same: by="user"')
    try:
        if not 0 <= feature.lag_us < feature.window_us:
            yield Fault(where, f"the lag {feature.lag} is not inside the window {feature.window}", "a shorter lag")
    except ValueError as error:
        yield Fault(where, str(error), 'a whole number with m, h, d or w: "7d"')


def _clashes(model: Model) -> Iterator[Fault]:
    seen: set[str] = set()
    types: dict[str, InputType] = {}
    target = {model.target.column, model.target.time}
    sources = {model.unit, model.time, *sources_of(model.features)}
    for feature in model.features:
        if feature.name in seen:
            yield Fault(f"features.{feature.name}", "is there twice", "each feature once")
        seen.add(feature.name)
        for column, kind in feature.inputs:
            if column in model.outcomes:
                yield Fault(f"features.{feature.name}", f"{column!r} is an outcome: a leak", "what is known before")
            if column in target:
                yield Fault(f"features.{feature.name}", f"{column!r} is the target: a leak", "what is known before")
            if isinstance(feature, CountOver) and column in sources:
                yield Fault(f"features.{feature.name}", f"{column!r} names a column and a count", "another name=")
            if types.setdefault(column, kind) != kind:
                yield Fault(f"features.{feature.name}", f"{column!r} is a {kind} here and a {types[column]} elsewhere")


def is_plain_name(name: str) -> bool:
    """Whether a text can name a folder, a channel or a path part of a URL anywhere."""
    return 0 < len(name) <= 64 and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name)
