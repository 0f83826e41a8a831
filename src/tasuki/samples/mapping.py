"""The mapping file of a real log: a TOML file that says which column is what. `docs/real-logs.md` explains each key.

A definition only; `tasuki.samples.real_logs` applies it.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from tasuki.errors import Fault, Invalid, Missing

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

Text = Annotated[str, Field(min_length=1)]
Columns = Annotated[tuple[Text, ...], Field(min_length=1)]
Hours = Annotated[float, Field(ge=0)]

BUILT_IN = Path(__file__).parent / "files" / "mappings"
"""The mappings that come with tasuki; their model files lie in `files/real` beside it."""

_KEYS = frozenset({"at", "user", "unit", "arm", "exposure"})
_LABELS = frozenset({"clicked", "clicked_at", "installed", "installed_at"})
_LOGGED = frozenset({"price", "action", "position", "propensity"})


@dataclass(frozen=True, config=_STRICT)
class TimeColumn:
    """When a row happened.

    Args:
        column: The column.
        format: `iso`, `unix_s`, `unix_ms`, or a pattern of `strptime` as `%Y-%m-%d %H:%M:%S`.
        utc_offset_hours: For texts without a zone: how far the clock they were written by is ahead of UTC.
    """

    column: Text
    format: Text = "iso"
    utc_offset_hours: Annotated[float, Field(ge=-14, le=14)] = 0.0


@dataclass(frozen=True, config=_STRICT)
class UnitColumns:
    """Who is randomised. Several columns together are one unit; `hashed` writes long ones as a short hash."""

    columns: Columns
    hashed: bool = False


@dataclass(frozen=True, config=_STRICT)
class LabelColumn:
    """What happened, when it became known, and how long one waits for it.

    Args:
        what: `click` makes the columns clicked and clicked_at, `install` installed and installed_at.
        column: 1 or true where it happened.
        time: The moment it became known, in the format of the row's own time; optional.
        delay_hours: The attribution window: later ones do not count, and younger rows are not judged yet.
    """

    what: Literal["click", "install"]
    column: Text
    time: Text | None = None
    delay_hours: Hours = 0.0


@dataclass(frozen=True, config=_STRICT)
class FeatureColumn:
    """A feature by the name that model files use.

    Args:
        name: Its name in the workspace.
        type: `category` (kept as text), `number`, or `earlier_rows`: how many rows before this one have the same
            values in `columns`, which an online counter would know.
        column: Where it is; its name when not given.
        columns: For `earlier_rows`: what is counted together; for `category`: several columns joined by `:`.
    """

    name: Text
    type: Literal["category", "number", "earlier_rows"] = "category"
    column: Text | None = None
    columns: tuple[Text, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of the log that it is made of."""
        return self.columns or (self.column or self.name,)


@dataclass(frozen=True, config=_STRICT)
class LoggedPolicy:
    """What the policy that wrote the log did, and how likely that was: kept for off-policy estimates."""

    action: Text | None = None
    position: Text | None = None
    propensity: Text | None = None


@dataclass(frozen=True, config=_STRICT)
class LogFiles:
    """Where the files are when none is named.

    Args:
        package: An installed distribution that carries them; only its files are read, its code never runs.
        files: Their paths inside it.
        origin: Gives each row the stem of its file's name as a column of this name.
    """

    package: Text | None = None
    files: tuple[Text, ...] = ()
    origin: Text | None = None


@dataclass(frozen=True, config=_STRICT)
class ModelFiles:
    """The two model files, relative to the mapping file."""

    champion: Text
    challenger: Text


@dataclass(frozen=True, config=_STRICT)
class ReplayRules:
    """How the end of the log is replayed: how much of it, and which share of its opportunities an arm may buy."""

    held_out_hours: Annotated[float, Field(gt=0)] = 24.0
    share: Annotated[float, Field(gt=0, lt=1)] = 0.2


@dataclass(frozen=True, config=_STRICT)
class LogMapping:
    """Which column of a log is what.

    Args:
        name: What the log is called; names its files.
        time: When a row happened. Rows are sorted by it: the log may be shuffled.
        unit: Who is randomised.
        label: What happened.
        features: What models may learn from.
        models: The champion's and the challenger's model file.
        log: Where the files are, if the mapping knows.
        price: The column of what the opportunity cost, if it was logged.
        logged: The logging policy, if it was logged.
        replay: How the end of the log is replayed.
        notes_en: What a reader should know of this log, in English.
        notes_ja: The same in Japanese.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,40}$")]
    time: TimeColumn
    unit: UnitColumns
    label: LabelColumn
    features: tuple[FeatureColumn, ...]
    models: ModelFiles
    log: LogFiles = field(default_factory=LogFiles)
    price: Text | None = None
    logged: LoggedPolicy = field(default_factory=LoggedPolicy)
    replay: ReplayRules = field(default_factory=ReplayRules)
    notes_en: tuple[Text, ...] = ()
    notes_ja: tuple[Text, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the log's files that is read, each once."""
        named = [
            self.time.column,
            *self.unit.columns,
            self.label.column,
            self.label.time,
            *(column for feature in self.features for column in feature.sources),
            self.price,
            self.logged.action,
            self.logged.position,
            self.logged.propensity,
        ]
        return tuple(dict.fromkeys(one for one in named if one is not None and one != self.log.origin))

    @property
    def label_name(self) -> Literal["clicked", "installed"]:
        """The label's column in the workspace: clicked or installed."""
        return "clicked" if self.label.what == "click" else "installed"


def read_mapping(path: Path) -> LogMapping:
    """The mapping in a TOML file.

    Raises:
        Missing: There is no such file.
        Invalid: It is no TOML, or not a mapping: every fault at once, with the key it is at.
    """
    try:
        value = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(
            f"there is no mapping file {path}", next_step="docs/real-logs.md shows how to write one"
        ) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Invalid(f"{path} is no mapping file", [Fault(str(path), str(error), "TOML in UTF-8")]) from error
    try:
        mapping: LogMapping = TypeAdapter(LogMapping).validate_python(value)
    except ValidationError as error:
        faults = [_fault(path, one) for one in error.errors(include_url=False)]
        raise Invalid(f"{path} is no mapping file", faults, next_step="see docs/real-logs.md") from error
    faults = list(_clashes(mapping))
    if faults:
        raise Invalid(f"{path} contradicts itself", faults, next_step="see docs/real-logs.md")
    return mapping


def built_in_mappings() -> dict[str, Path]:
    """The mapping files that come with tasuki, by the name of their log."""
    return {path.stem: path for path in sorted(BUILT_IN.glob("*.toml"))}


def _fault(path: Path, error: Any) -> Fault:
    where = ".".join(map(str, error["loc"]))
    return Fault(f"{path.name}: {where}" if where else path.name, error["msg"])


def _clashes(mapping: LogMapping) -> Iterator[Fault]:
    names = [feature.name for feature in mapping.features]
    if not names:
        yield Fault("features", "there is none", "at least one [[features]]")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault("features", f"{name!r} is there {names.count(name)} times", "each name once")
    for name in sorted(set(names) & (_KEYS | _LABELS | _LOGGED)):
        yield Fault("features", f"the name {name!r} has a meaning already", "another name")
    told = {mapping.label.column, mapping.label.time}
    for feature in mapping.features:
        if set(feature.sources) & told:
            yield Fault(f"features.{feature.name}", "is made of the label: a leak", "what is known before")
        if feature.column and feature.columns:
            yield Fault(f"features.{feature.name}", "has column and columns", "one of the two")
        if feature.type == "earlier_rows" and not feature.columns:
            yield Fault(f"features.{feature.name}", "counts nothing", "columns = [...]")
        if feature.type == "number" and len(feature.sources) > 1:
            yield Fault(f"features.{feature.name}", "is a number of several columns", "one column")
    if mapping.log.files and not mapping.log.package:
        yield Fault("log", "names files of no package", 'package = "…", or no files')
