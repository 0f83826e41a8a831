"""What is sent to experiments: the bodies of their endpoints, and what may stand in them."""

from datetime import date
from typing import Annotated, Literal

import msgspec

from tasuki.web.rest.ideas import Line, Text

Kind = Literal["check", "comparison"]
Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Shares = Annotated[dict[str, Share], msgspec.Meta(max_length=20)]
Names = Annotated[list[Name], msgspec.Meta(max_length=50)]
Level = Annotated[float, msgspec.Meta(gt=0, lt=1)]
Days = Annotated[int, msgspec.Meta(ge=1, le=1_000)]
Count = Annotated[int, msgspec.Meta(ge=0, le=10**15)]


class PlanBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is registered before A/B 2; `tasuki experiment plan` says what each is."""

    model: Name
    primary: Name
    mde: Annotated[float, msgspec.Meta(gt=0, le=1e6)]
    rule: Line
    stop_rule: Line
    interactions: Line
    guardrails: Shares = {}
    secondary: Names = []
    arms: Shares | None = None
    power: Level = 0.8
    alpha: Level = 0.05
    days: Days | None = None
    units_per_day: Annotated[float, msgspec.Meta(ge=1e-3, le=1e12)] | None = None
    salt: Annotated[str, msgspec.Meta(max_length=200)] = ""
    adjust: Literal["none", "holm", "bh"] = "holm"
    sequential: Literal["none", "always_valid", "group_sequential"] = "none"
    looks: Annotated[list[Share], msgspec.Meta(max_length=20)] = []
    segments: Names = []
    exclusions: Annotated[list[Line], msgspec.Meta(max_length=50)] = []
    label_delay_days: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    first_day: date | None = None
    aa: Annotated[int, msgspec.Meta(ge=0, le=2_000)] = 0
    baseline: Annotated[float, msgspec.Meta(ge=-1e12, le=1e12)] | None = None
    variance: Annotated[float, msgspec.Meta(ge=0, le=1e24)] | None = None


class BookBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which days: as planned and the first free ones, where nothing is said."""

    kind: Kind
    days: Days | None = None
    first_day: date | None = None
    lane: Annotated[str, msgspec.Meta(max_length=100)] = ""
    queue: bool = False


class ReleaseBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why the days are not needed: others read it on the calendar."""

    reason: Text


class StartBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the traffic is split. The treatment is fetched from the workspace's own artifacts."""

    kind: Kind
    model: Name
    split: Shares
    salt: Annotated[str, msgspec.Meta(max_length=200)] = ""
    layer: Annotated[str, msgspec.Meta(max_length=100)] = ""
    range: Annotated[list[Share], msgspec.Meta(min_length=2, max_length=2)] | None = None
    expose: Share = 1.0


class RampBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The share of its range that takes part from now on."""

    expose: Share


class StopBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Why, where it ends before its time."""

    reason: Text = ""


class CheckBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the client counted, where no log says it."""

    sent: Annotated[dict[str, Count], msgspec.Meta(max_length=20)] = {}
    failed: Count | None = None
    days: Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None = None
    days_required: Annotated[float, msgspec.Meta(ge=0, le=10_000)] | None = None
    daily: bool = False


class OtherQuestionBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Another question than the registered one: it explores, and no decision follows from it."""

    alpha: Level | None = None
    primary: Names = []
    adjust: Literal["none", "holm", "bh"] | None = None
    sequential: bool | None = None
    segments: Names = []
    increments: Literal["use", "rebuild", "ignore"] = "use"


class DecideBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the business does, and why."""

    decision: Literal["ship", "do_not_ship", "extend"]
    reason: Text
    monitoring_owner: Name
    clean_up: Line
    clean_up_done: bool = False
    clean_up_due: date | None = None
