"""A model as a value: what a data scientist writes in one Python file.

Nothing here reads data or trains. `tasuki.models.file` reads the file, `tasuki.models.encoding` computes the features,
`tasuki.models.training` trains.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from tasuki.errors import Fault

InputType = Literal["number", "category", "time"]
"""What an inference request must give for a column: a number, a text (or whole number, or true/false), or a moment."""

LARGEST_BUCKETS = 2**24
LARGEST_BINS = 1_000


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
class Category:
    """One column as a category."""

    column: str
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return self.column

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "category"),)


@dataclass(frozen=True)
class Cross:
    """The combination of several columns as one category."""

    columns: tuple[str, ...]
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return "×".join(self.columns)

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return tuple((column, "category") for column in self.columns)


@dataclass(frozen=True)
class HourOfDay:
    """The hour 0..23 of a moment, on the clock `utc_offset_hours` ahead of UTC, as a category."""

    column: str
    utc_offset_hours: float = 0.0
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return f"hour_of_day({self.column})"

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "time"),)


@dataclass(frozen=True)
class Number:
    """A number: by the bin it falls in, or, without bins, standardised with the training rows' mean and deviation."""

    column: str
    bins: tuple[float, ...] = ()
    online: bool = True
    nullable: bool = False

    @property
    def name(self) -> str:
        """The feature's name in notes and manifests."""
        return self.column

    @property
    def inputs(self) -> tuple[tuple[str, InputType], ...]:
        """The columns it reads, with the type of each."""
        return ((self.column, "number"),)


Feature = Category | Cross | HourOfDay | Number


def category(column: str, *, online: bool = True, nullable: bool = False) -> Category:
    """A column as a category: app, slot, device.

    Args:
        column: The column's name, the same in the training table and in inference requests.
        online: Whether the inference service can have it in time; one that it cannot is refused at publication.
        nullable: Whether it may be null; null is then a category of its own.
    """
    return Category(column, online, nullable)


def cross(*columns: str, online: bool = True, nullable: bool = False) -> Cross:
    """The combination of two or more columns as one category, for tastes that neither column shows alone.

    Args:
        columns: The columns' names, in any order that then stays.
        online: Whether the inference service can have all of them in time.
        nullable: Whether they may be null.
    """
    return Cross(columns, online, nullable)


def hour_of_day(
    column: str, *, utc_offset_hours: float = 0.0, online: bool = True, nullable: bool = False
) -> HourOfDay:
    """The hour of day of a moment as a category.

    Args:
        column: A timestamp column; requests give ISO 8601 with a time zone.
        utc_offset_hours: The clock people live by: 9 for Japan. Training and serving always use the same.
        online: Whether the inference service can have it in time.
        nullable: Whether it may be null; null is then an hour of its own.
    """
    return HourOfDay(column, utc_offset_hours, online, nullable)


def number(column: str, *, bins: tuple[float, ...] = (), online: bool = True, nullable: bool = False) -> Number:
    """A number.

    Args:
        column: The column's name.
        bins: Ascending edges; a value equal to an edge belongs to the bin above it. Linear models learn one weight per
            bin, which lets them follow a curve. Without bins the standardised value itself is used.
        online: Whether the inference service can have it in time.
        nullable: Whether it may be null; null is then a bin of its own.
    """
    return Number(column, tuple(bins), online, nullable)


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
        estimator: A linear scikit-learn classifier or LightGBM's; see `tasuki.models.training` for the ones supported.
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
    """

    name: str
    table: str
    unit: str
    time: str
    target: Target
    features: tuple[Feature, ...]
    estimator: Any = field(compare=False)
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

    @property
    def inputs(self) -> dict[str, InputType]:
        """The columns an inference request must give, with the type of each, in the order the features name them."""
        return dict(one for feature in self.features for one in feature.inputs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the table that training reads, each once."""
        label = (self.target.column, *([self.target.time] if self.target.time else []))
        return tuple(dict.fromkeys((self.unit, self.time, *label, *self.inputs, *self.segments)))


_TYPES: tuple[tuple[str, type | tuple[type, ...], str], ...] = (
    *((name, str, "a text") for name in ("name", "table", "unit", "time")),
    ("target", Target, "a Target"),
    ("features", (tuple, list), "a tuple of features"),
    ("buckets", int, "a whole number"),
    ("training_days", (int, float), "a number of days"),
    ("segments", (tuple, list), "a tuple of column names"),
    ("seed", int, "a whole number"),
    ("latency_p99_ms", (int, float), "a number of milliseconds"),
    ("max_size_mb", (int, float), "a number of megabytes"),
    *((name, str, "a text") for name in ("intended_use", "unsuitable_use", "baseline", "retraining_cadence")),
)


def definition_faults(model: Model) -> list[Fault]:
    """Everything about a definition that can be seen to be wrong without data, all at once."""
    faults = list(_type_faults(model))
    if faults:
        return faults
    return [
        *_own_faults(model),
        *(fault for feature in model.features for fault in _feature_faults(feature)),
        *_clashes(model),
    ]


def _type_faults(model: Model) -> Iterator[Fault]:
    for name, kinds, expected in _TYPES:
        value = getattr(model, name)
        if not isinstance(value, kinds) or isinstance(value, bool):
            yield Fault(name, f"{value!r} is a {type(value).__name__}", expected)
    features: object = model.features
    if isinstance(features, tuple | list):
        for place, feature in enumerate(features):
            if not isinstance(feature, Feature):
                yield Fault(f"features.{place}", f"{feature!r} is no feature", "category, cross, hour_of_day or number")


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
    if not model.target.delay_hours >= 0:
        yield Fault("target.delay_hours", f"{model.target.delay_hours!r} is no delay", "0 or more")
    for name in ("latency_p99_ms", "max_size_mb"):
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
        case Cross(columns=columns) if len(columns) < 2 or len(set(columns)) < len(columns):
            yield Fault(f"features.{feature.name}", "does not combine anything", "two or more different columns")
        case Number(bins=bins) if list(bins) != sorted(set(bins)) or len(bins) > LARGEST_BINS:
            yield Fault(f"features.{feature.name}", "bins do not ascend", f"ascending edges, at most {LARGEST_BINS}")
        case HourOfDay(utc_offset_hours=offset) if not -14 <= offset <= 14:
            yield Fault(f"features.{feature.name}", f"utc_offset_hours {offset!r} is no time zone", "-14 to 14")


def _clashes(model: Model) -> Iterator[Fault]:
    seen: set[str] = set()
    types: dict[str, InputType] = {}
    target = {model.target.column, model.target.time}
    for feature in model.features:
        if feature.name in seen:
            yield Fault(f"features.{feature.name}", "is there twice", "each feature once")
        seen.add(feature.name)
        for column, kind in feature.inputs:
            if column in target:
                yield Fault(f"features.{feature.name}", f"{column!r} is the target: a leak", "what is known before")
            if types.setdefault(column, kind) != kind:
                yield Fault(f"features.{feature.name}", f"{column!r} is a {kind} here and a {types[column]} elsewhere")


def is_plain_name(name: str) -> bool:
    """Whether a text can name a folder, a channel or a path part of a URL anywhere."""
    return 0 < len(name) <= 64 and all(letter.isascii() and (letter.isalnum() or letter in "-_") for letter in name)
