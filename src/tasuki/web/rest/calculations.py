"""Calculations that change nothing: on numbers that are sent, or on the workspace's own tables by their names."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from typing import Annotated, Any, Literal

import msgspec
from litestar import post
from litestar.params import JSONBody

from tasuki.actions.workspace import Workspace
from tasuki.errors import Missing, Unavailable
from tasuki.web.rest.answers import Document, document
from tasuki.web.rest.ideas import Line
from tasuki.web.rest.problems import described
from tasuki.web.site import AnyRequest, workspace_of

AT_ONCE = 2
"""How many calculations run at once in one process; one more is told to come back."""
MEMORY_MB = 2_048
"""What one may use before it counts in passes and spills to disk."""
_few = threading.BoundedSemaphore(AT_ONCE)
_TAG = ["calculations"]

Column = Annotated[str, msgspec.Meta(min_length=1, max_length=2_000)]
Columns = Annotated[list[Column], msgspec.Meta(max_length=50)]
Texts = Annotated[dict[str, Column], msgspec.Meta(max_length=50)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Shares = Annotated[dict[str, Share], msgspec.Meta(max_length=20)]
Level = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Size = Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)]
Whole = Annotated[int, msgspec.Meta(ge=2, le=10**12)]


class RatioBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A ratio of sums."""

    numerator: Column
    denominator: Column


class QuantileBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A quantile of a column."""

    column: Column
    q: Level


class CompareBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A comparison of the arms in a table of the workspace; `tasuki compare` says what each is."""

    table: Line
    variant: Column
    control: Line | None = None
    unit: Column | None = None
    means: Columns = []
    proportions: Columns = []
    ratios: Annotated[list[RatioBody], msgspec.Meta(max_length=50)] = []
    quantiles: Annotated[list[QuantileBody], msgspec.Meta(max_length=50)] = []
    covariates: Annotated[dict[str, Columns], msgspec.Meta(max_length=50)] = {}
    margins: Texts = {}
    decrease: Columns = []
    winsor: Texts = {}
    filters: Texts = {}
    cluster: Column | None = None
    time: Column | None = None
    window_hours: Annotated[float, msgspec.Meta(gt=0, le=1e6)] | None = None
    segments: Annotated[list[Column], msgspec.Meta(max_length=10)] = []
    split: Shares | None = None
    alpha: Level = 0.05
    adjust: Literal["none", "holm", "bh"] = "holm"
    sequential: bool = False
    tuning: Whole | None = None
    looks: Annotated[list[Share], msgspec.Meta(max_length=20)] = []
    planned_units: Whole | None = None
    spending: Literal["obrien_fleming", "pocock"] = "obrien_fleming"
    stratum: Column | None = None
    method: Literal["auto", "bootstrap"] = "auto"
    prior: Level | None = None


class OfflineBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two models' probabilities on the rows of a table of the workspace."""

    table: Line
    label: Column
    champion: Column
    challenger: Column
    unit: Column | None = None
    time: Column | None = None
    segments: Annotated[list[Column], msgspec.Meta(max_length=10)] = []


class SizeBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The size of an A/B test, from numbers or from a table of the workspace; `tasuki plan` says what each is."""

    kind: Literal["mean", "proportion", "ratio"]
    baseline: Size | None = None
    variance: Annotated[float, msgspec.Meta(ge=0, le=1e24)] | None = None
    mde: Size | None = None
    relative: bool = False
    power: Level = 0.8
    alpha: Level = 0.05
    arms: Annotated[int, msgspec.Meta(ge=2, le=20)] = 2
    split: Annotated[list[Share], msgspec.Meta(max_length=20)] = []
    units: Whole | None = None
    units_per_day: Annotated[float, msgspec.Meta(ge=1e-3, le=1e12)] | None = None
    allocation: Share = 1.0
    looking: Literal["none", "always_valid", "group_sequential"] = "none"
    looks: Annotated[list[Share], msgspec.Meta(max_length=20)] = []
    label_delay_days: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    start: date | None = None
    table: Line | None = None
    numerator: Column | None = None
    denominator: Column | None = None
    unit: Column | None = None
    covariates: Columns = []
    aa: Annotated[int, msgspec.Meta(ge=0, le=2_000)] = 0


class HoldOutBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who is kept out of every experiment."""

    name: Line
    share: Share


class AssignBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Units, and how they are split."""

    units: Annotated[list[Line], msgspec.Meta(min_length=1, max_length=10_000)]
    salt: Line
    arms: Shares
    layer: Line = ""
    range: Annotated[list[Share], msgspec.Meta(min_length=2, max_length=2)] | None = None
    expose: Share = 1.0
    holdout: HoldOutBody | None = None


@contextmanager
def one_of_few() -> Iterator[None]:
    """Holds one of the places for long calculations.

    Raises:
        Unavailable: All are taken.
    """
    if not _few.acquire(blocking=False):
        raise Unavailable(
            f"{AT_ONCE} calculations are running",
            expected=f"at most {AT_ONCE} at once",
            next_step="try again when one has ended",
        )
    try:
        yield
    finally:
        _few.release()


def _post(path: str, verb: str) -> post:
    return post(
        f"/calculations/{path}",
        sync_to_thread=True,
        opt={"verb": verb},
        tags=_TAG,
        status_code=200,
        responses=described(404),
    )


@_post("compare", "compare")
def compare(request: AnyRequest, data: JSONBody[CompareBody]) -> Document:
    """Compares the arms of an A/B test in a table of the workspace."""
    from tasuki.actions.compare import compare as compare_arms

    workspace = workspace_of(request)
    asked: dict[str, Any] = _given(data, "table", "ratios", "quantiles")
    asked["ratios"] = [(one.numerator, one.denominator) for one in data.ratios]
    asked["quantiles"] = [(one.column, one.q) for one in data.quantiles]
    table = _own_table(workspace, data.table)
    with one_of_few():
        found = compare_arms(table, tables=workspace.tables, memory_limit_mb=MEMORY_MB, **asked)
    return document("compare/1", found.to_dict())


@_post("offline-compare", "offline.compare")
def offline_compare(request: AnyRequest, data: JSONBody[OfflineBody]) -> Document:
    """Compares two models' probabilities on the same rows of a table of the workspace."""
    from tasuki.actions.offline import offline_compare as compare_models

    workspace = workspace_of(request)
    table = _own_table(workspace, data.table)
    with one_of_few():
        found = compare_models(table, tables=workspace.tables, **_given(data, "table"))
    return document("offline_compare/1", found.to_dict())


@_post("plan", "plan")
def plan(request: AnyRequest, data: JSONBody[SizeBody]) -> Document:
    """Units and days that an effect needs, or the effect that so many units can find."""
    from tasuki.actions.plan import plan as plan_size
    from tasuki.actions.plan import read_calendar_file

    workspace = workspace_of(request)
    asked = _given(data, "table")
    table = None if data.table is None else _own_table(workspace, data.table)
    own = workspace.folder / "calendar.toml"
    holidays = read_calendar_file(own) if own.exists() else ()
    if asked["looks"] and asked["looks"][-1] != 1:
        asked["looks"] = [*asked["looks"], 1.0]
    with one_of_few():
        sized = plan_size(data=table, tables=workspace.tables, holidays=holidays, **asked)
    return document("plan/1", sized.to_dict())


@_post("assign", "assign")
def assign(data: JSONBody[AssignBody]) -> Document:
    """Says which arm each unit belongs to, exactly as the inference service does."""
    from tasuki.actions.assign import assign as assign_units
    from tasuki.experiments.allocation import HoldOut, Reach

    low, high = data.range or (0.0, 1.0)
    reach = Reach(low, high, data.expose)
    kept_out = None if data.holdout is None else HoldOut(data.holdout.name, data.holdout.share)
    found = assign_units(data.units, salt=data.salt, arms=data.arms, layer=data.layer, reach=reach, holdout=kept_out)
    return document("assign/1", found.to_dict())


def _given(data: msgspec.Struct, *without: str) -> dict[str, Any]:
    return {name: getattr(data, name) for name in data.__struct_fields__ if name not in without}


def _own_table(workspace: Workspace, name: str) -> str:
    """The table of that name. Never a path: a visitor must not read this machine's files.

    Raises:
        Missing: The workspace has no such table.
    """
    if name not in workspace.tables:
        raise Missing(
            f"the workspace has no table {name!r}",
            expected=f"one of {', '.join(workspace.tables)}" if workspace.tables else "a table; it has none",
            next_step="name it in the part [tables] of tasuki.toml",
        )
    return name


CALCULATIONS = (compare, offline_compare, plan, assign)
