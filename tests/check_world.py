"""A small world for A/B 1: traffic with a day and a night, labels that come late, versions, and what a client does."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.members import add_member
from tasuki.actions.models import publish_model, train_model
from tasuki.actions.relay import open_idea
from tasuki.actions.start import StartRequest
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.flow.plan import Flow, Titles
from tasuki.models.artifact import Artifact
from tasuki.settings.workspace import Choices, init_workspace, open_workspace

START = datetime(2026, 4, 1, 9, tzinfo=UTC)
SHARES = {"control": 0.6, "treatment": 0.4}
MODEL = """\
from sklearn.linear_model import LogisticRegression
from tasuki.models import Model, Target, category, hour_of_day, number
model = Model(
    name="ctr", table="impressions", unit="user", time="at",
    target=Target("clicked", delay_hours={delay}, time="clicked_at"),
    features=(category("app"), category("place"), hour_of_day("at"){more}),
    estimator=LogisticRegression(C={c}, max_iter=50),
    buckets=2**10, intended_use="bids", unsuitable_use="billing", baseline="the click rate",
)
"""
MINUTES = ', number("minutes")'
STAGES = {"check": ("ab_check", "evaluation"), "comparison": ("ab_comparison", "evaluation")}
APPS = np.array([0.32, 0.25, 0.18, 0.13, 0.08, 0.04])
PLACES = ("top", "side", "end")
LONGEST_DELAY_S = 3_000.0
STAMP = pa.timestamp("us", tz="UTC")
Row = dict[str, Any]


def draw(rows: int, seed: int, hours: int) -> list[Row]:
    """Requests in order of time: most in the evening, few at night; apps and places in unequal shares."""
    rng = np.random.default_rng(seed)
    by_hour = 1 + 0.8 * np.sin(2 * np.pi * (np.arange(hours) + START.hour - 13) / 24)
    hour = rng.choice(hours, rows, p=by_hour / by_hour.sum())
    seconds = np.sort(hour * 3_600 + rng.integers(0, 3_600, rows)).tolist()
    return [
        {
            "at": (START + timedelta(seconds=second)).isoformat(),
            "app": f"app{rng.choice(6, p=APPS)}",
            "place": PLACES[rng.choice(3, p=(0.6, 0.3, 0.1))],
            "minutes": round(float(rng.exponential(60)), 3),
        }
        for second in seconds
    ]


def chance(row: Row) -> float:
    """The true chance of a click."""
    logit = -1.2 + 0.3 * int(row["app"][3:]) - 0.4 * PLACES.index(row["place"]) - 0.01 * row["minutes"]
    return float(1 / (1 + np.exp(-logit)))


def clicks(rows: list[Row], seed: int) -> tuple[list[bool], list[float]]:
    """Whether each is clicked, and how many seconds later."""
    rng = np.random.default_rng(seed)
    clicked = (rng.random(len(rows)) < [chance(one) for one in rows]).tolist()
    return clicked, np.minimum(rng.exponential(600.0, len(rows)), LONGEST_DELAY_S).tolist()


def write_impressions(folder: Path) -> None:
    """The table that models learn from: four days that end six days before the experiments begin."""
    rows = draw(6_000, 1, 96)
    clicked, delays = clicks(rows, 7)
    at = [datetime.fromisoformat(one["at"]) - timedelta(days=10) for one in rows]
    table = {
        "at": pa.array(at, STAMP),
        "user": [f"u{number % 400}" for number in range(len(rows))],
        "app": [one["app"] for one in rows],
        "place": [one["place"] for one in rows],
        "minutes": [one["minutes"] for one in rows],
        "elapsed": [one["minutes"] * 60 for one in rows],
        "clicked": clicked,
        "clicked_at": pa.array(
            [
                when + timedelta(seconds=delay) if is_click else None
                for when, is_click, delay in zip(at, clicked, delays, strict=True)
            ],
            STAMP,
        ),
    }
    folder.mkdir(parents=True)
    pq.write_table(pa.table(table), folder / "part-0.parquet")


def write_outcomes(folder: Path, name: str, rows: list[Row], exposures: list[str]) -> None:
    """What became of rows that were answered as these exposures: clicks, and a spend that no arm changes.

    As in the demo's log, a row has columns that exposures have as well; what they say is not believed.
    """
    clicked, delays = clicks(rows, 11)
    at = [datetime.fromisoformat(one["at"]) for one in rows]
    came = [
        when + timedelta(seconds=delay) if is_click else None
        for when, is_click, delay in zip(at, clicked, delays, strict=True)
    ]
    table = {
        "exposure": exposures,
        "at": pa.array(at, STAMP),
        "unit": ["nobody"] * len(rows),
        "arm": ["as the bidder calls it"] * len(rows),
        "clicked": clicked,
        "clicked_at": pa.array(came, STAMP),
        "spend": np.random.default_rng(3).exponential(2.0, len(rows)),
    }
    folder.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(table), folder / f"{name}.parquet")


def make_template(folder: Path) -> None:
    """A workspace with a team, a champion, an old challenger and a new one; all published in this order."""
    clock = MovableClock(START)
    init_workspace(folder, Choices(formation="planner_maker_evaluator", language="en"), clock).close()
    write_impressions(folder / "logs" / "impressions")
    with closing(open_workspace(folder, clock)) as workspace:
        for name, role in (("yui", "ml_engineer"), ("mio", "data_scientist"), ("aoi", "analyst")):
            add_member(workspace, name, actor=name if name == "yui" else "yui", roles=[role])
        for name, channel, more, c in (
            ("champion", "champion", "", 1.0),
            ("old", "challenger", MINUTES, 0.001),
            ("new", "challenger", MINUTES, 1.0),
        ):
            version = train(workspace, name, more, c)
            publish_model(workspace, "ctr", version, channel=channel, actor="yui")
            clock.advance(minutes=1)


def train(workspace: Workspace, name: str, more: str, c: float, delay: float = 1.0) -> str:
    """Trains a version from a model file of this name."""
    path = workspace.folder / "models" / f"{name}.py"
    path.write_text(MODEL.format(more=more, c=c, delay=delay), encoding="utf-8")
    return train_model(workspace, path, actor="mio").version


@dataclass(frozen=True)
class Versions:
    """The versions of the template."""

    champion: Artifact
    challenger: Artifact
    old: Artifact


def opened(folder: Path, clock: MovableClock) -> Workspace:
    """The workspace with flows that have one measured stage only."""
    workspace = open_workspace(folder, clock)
    flows = {f"only_{kind}": Flow(f"only_{kind}", Titles("only", "のみ"), stages) for kind, stages in STAGES.items()}
    playbook = replace(workspace.playbook, flows={**workspace.playbook.flows, **flows})
    return replace(workspace, playbook=playbook)


def versions_of(workspace: Workspace) -> Versions:
    """The versions of the template, read and proved."""
    store = store_of(workspace)
    old, new = (one.version for one in store.history("ctr", "challenger"))
    champion = str(store.current("ctr", "champion"))
    return Versions(*(read_version(store, "ctr", version) for version in (champion, new, old)))


def idea_for(workspace: Workspace, kind: str = "check", actor: str = "yui") -> str:
    """A new idea in the stage where such an experiment runs."""
    return open_idea(workspace, "recency", actor=actor, flow=f"only_{kind}").idea


def request_of(workspace: Workspace, name: str, **changes: Any) -> StartRequest:
    """An A/B 1 of the model, from the workspace's own artifacts."""
    return replace(StartRequest(name, "check", "ctr", SHARES, workspace.artifacts_location), **changes)


def rewrite_exposures(folder: Path, experiment: str, change: Callable[[Row], Row | None]) -> None:
    """Changes the rows of an experiment in the segments themselves; a row for which nothing comes back is gone."""
    for path in sorted((folder / "logs" / "exposures").glob("*.parquet")):
        table = pq.read_table(path)
        rows = [change(one) if one["experiment"] == experiment else one for one in table.to_pylist()]
        if any(one["experiment"] == experiment for one in table.to_pylist()):
            kept = [one for one in rows if one is not None]
            pq.write_table(pa.Table.from_pylist(kept, schema=table.schema), path)


def as_json(features: Row) -> str:
    """Features as the service logs them."""
    return json.dumps(features)
