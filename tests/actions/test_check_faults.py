"""Faults put into a real service, its client and its real log: each is caught by the probe that names it.

One service runs for all of them; each fault is an experiment of its own, played over HTTP and checked. What a client
does wrong is sent by the client, what a file has wrong is in the file; only what a healthy service cannot be made to do
(be slow, have a clock of its own, lose rows on the way) is written into the segments of its log afterwards.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.client import HTTPConnection
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from urllib.parse import urlsplit

import pytest

from check_world import (
    MINUTES,
    START,
    Row,
    Versions,
    draw,
    idea_for,
    make_template,
    opened,
    request_of,
    rewrite_exposures,
    train,
    versions_of,
    write_outcomes,
)
from tasuki.actions import observation
from tasuki.actions.check import ClientSaid, check_experiment, start_experiment, stop_experiment
from tasuki.actions.models import publish_model
from tasuki.actions.workspace import Workspace
from tasuki.clock import MovableClock
from tasuki.demo.service_process import asked, running_service, wait_for_health
from tasuki.experiments.check import FAULTS, PROBES
from tasuki.flow.records import CheckReport
from tasuki.serving.watch import REMEMBERED
from tasuki.store.routing import load_routing

ROWS = draw(2_400, 2, 48)
UNITS = 800


@dataclass
class Play:
    """One experiment, and what is done to it.

    Args:
        world: The world.
        experiment: Its name.
        location: Where the treatment is fetched.
        send: What the client makes of a row.
        routed: What is done to the routing file once it runs.
        logged: What is done to a row of the log afterwards; None takes it out.
        seen: What the service says of its arms once it has taken in what was done; only then the client sends.
    """

    world: "World"
    experiment: str
    location: str = "artifacts"
    send: Callable[[Row], Row] = lambda row: row
    routed: Callable[[dict[str, Any]], None] | None = None
    logged: Callable[[Row], Row | None] | None = None
    seen: Callable[[dict[str, Any]], bool] = lambda arms: all(one["state"] == "serving" for one in arms.values())


@dataclass
class World:
    """A workspace with its service."""

    workspace: Workspace
    clock: MovableClock
    address: str
    versions: Versions
    reports: dict[str, CheckReport] = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        return self.workspace.folder

    def check(self, play: Play) -> CheckReport:
        """Starts, plays two days, stops and checks."""
        name, workspace = play.experiment, self.workspace
        # The service tries new versions on the last requests: they must not be those of another fault.
        for start in range(REMEMBERED):
            self.ask(ROWS[start : start + 1])
        idea = idea_for(workspace)
        request = request_of(workspace, name, treatment_location=play.location)
        start_experiment(workspace, idea, request, actor="yui")
        if play.routed is not None:
            self.reroute(play.routed)
        wait_for_health(self.address, "experiment", name)
        self.wait_until_seen(play)
        answers = self.ask([play.send(row) for row in ROWS])
        self.clock.advance(days=2)
        stop_experiment(workspace, idea, name, actor="yui")
        wait_for_health(self.address, "experiment", None)
        self.wait_for_log()
        if play.logged is not None:
            rewrite_exposures(self.folder, name, play.logged)
        write_outcomes(self.folder / "logs" / "outcomes", name, ROWS, answers["exposures"])
        sent = {arm: answers["arms"].count(arm) for arm in ("control", "treatment")}
        return check_experiment(workspace, idea, name, actor="yui", said=ClientSaid(sent, failed=0))

    def ask(self, rows: list[Row]) -> dict[str, list[Any]]:
        """The service's answers to rows in columns."""
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        body = json.dumps({"units": [f"u{number % UNITS}" for number in range(len(rows))], "columns": columns})
        connection = HTTPConnection(urlsplit(self.address).netloc, timeout=20)
        with closing(connection):
            connection.request("POST", "/v1/models/ctr/score", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
        assert answer.status == 200, text[:500]
        found: dict[str, list[Any]] = json.loads(text)
        return found

    def reroute(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Edits the routing file as a hand or a script would."""
        path = self.folder / "serving" / "routing.json"
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(document), encoding="utf-8")
        draft.replace(path)
        assert load_routing(self.folder) is not None

    def wait_until_seen(self, play: Play) -> None:
        """Until the service answers as the fault leaves it: what a fault brings must not depend on the hurry."""
        port, until = int(self.address.rsplit(":", 1)[1]), monotonic() + 15
        while True:
            health = asked(port, "/health")[1]
            arms = health["models"]["ctr"]["arms"]
            if load_salt(self.folder) == health["salt"] and play.seen(arms):
                return
            assert monotonic() < until, health
            sleep(0.05)

    def wait_for_log(self) -> None:
        """Until the service has written what it answered."""
        port, until = int(self.address.rsplit(":", 1)[1]), monotonic() + 10
        while asked(port, "/health")[1]["exposures"]["waiting"]:
            assert monotonic() < until
            sleep(0.02)

    def mirror(self, name: str) -> Path:
        """A copy of the artifacts at another location."""
        shutil.copytree(self.folder / "artifacts", self.folder / name)
        return self.folder / name / "ctr"


def load_salt(folder: Path) -> str:
    """The salt that the routing file says now."""
    routing = load_routing(folder)
    assert routing is not None
    return routing.salt


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("faults") / "workspace"
    make_template(folder)
    clock = MovableClock(START + timedelta(hours=1))
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(opened(folder, clock)) as workspace,
        running_service(folder, "ctr") as address,
    ):
        patch.setattr(observation, "LOG_DELAY_S", 1.0)
        made = World(workspace, clock, address, versions_of(workspace))
        made.reports["healthy"] = made.check(Play(made, "healthy"))
        yield made


def wrong_column_order(play: Play) -> None:
    play.send = lambda row: {**row, "app": row["place"], "place": row["app"]}


def stale_pointer(play: Play) -> None:
    """The copy at the treatment's location was made before the newest version was published."""
    mirror = play.world.mirror("stale")
    pointer = mirror / "channels" / "challenger.json"
    document = json.loads(pointer.read_text(encoding="utf-8"))
    old = document["history"][0]
    pointer.write_text(json.dumps({**document, **old, "history": [old]}), encoding="utf-8")
    play.location = "stale"
    play.seen = lambda arms: arms["treatment"]["version"] == old["version"]


def half_written_artifact(play: Play) -> None:
    """The copy was cut off in the middle of a file."""
    mirror = play.world.mirror("cut")
    weights = mirror / "versions" / play.world.versions.challenger.version / "weights.npy"
    weights.write_bytes(weights.read_bytes()[:1_000])
    play.location = "cut"
    play.seen = lambda arms: "1000 bytes" in arms["treatment"]["error"]


def nine_hours_off(play: Play) -> None:
    """A client in Tokyo sends its local time as UTC."""

    def send(row: Row) -> Row:
        return {**row, "at": (datetime.fromisoformat(row["at"]) + timedelta(hours=9)).isoformat()}

    play.send = send


def feature_renamed(play: Play) -> None:
    play.send = lambda row: {**{name: row[name] for name in ("at", "app", "place")}, "elapsed": row["minutes"] * 60}


def another_category_map(play: Play) -> None:
    """The client codes apps by the map of another version: the same codes, for other apps."""
    play.send = lambda row: {**row, "app": f"app{(int(row['app'][3:]) + 3) % 6}"}


def sampled_log(play: Play) -> None:
    play.logged = lambda row: row if int(row["exposure"].rsplit("-", 1)[1], 16) % 4 == 0 else None


def sticky_arm(play: Play) -> None:
    """The service goes on with the salt of the experiment before."""
    play.routed = lambda document: document.update(salt="healthy")


def arm_swap(play: Play) -> None:
    def swap(document: dict[str, Any]) -> None:
        first, second = document["arms"]
        first["channel"], second["channel"] = second["channel"], first["channel"]

    play.routed = swap
    play.seen = lambda arms: [arms[one]["channel"] for one in ("control", "treatment")] == ["challenger", "champion"]


def slow_arm(play: Play) -> None:
    play.logged = lambda row: {**row, "latency_us": row["latency_us"] + 30_000 * (row["arm"] == "treatment")}


def immature_labels(play: Play) -> None:
    """The model file waits a quarter of an hour for clicks that take up to fifty minutes: too little to show in the
    scores, and so to be refused at publication.
    """
    world = play.world
    version = train(world.workspace, "impatient", MINUTES, 1.0, delay=0.25)
    publish_model(world.workspace, "ctr", version, channel="challenger", actor="yui")
    world.clock.advance(minutes=1)


def clock_skew(play: Play) -> None:
    """Half of the rows come from a machine whose clock is two days ahead."""

    def ahead(row: Row) -> Row:
        late = int(row["exposure"].rsplit("-", 1)[1], 16) % 2
        return {**row, "at": row["at"] + timedelta(days=2) * late}

    play.logged = ahead


MATRIX: dict[str, tuple[Callable[[Play], None], str, str, str]] = {
    "wrong column order": (wrong_column_order, "features_as_trained", "columns_exchanged", "place"),
    "stale pointer": (stale_pointer, "version_published", "pointer_stale", "was published at"),
    "half-written artifact": (half_written_artifact, "training_succeeded", "artifact_damaged", "1000 bytes"),
    "time zone off by 9 hours": (nine_hours_off, "time_zone", "time_zone_shifted", "+9 h"),
    "feature renamed": (feature_renamed, "features_present", "feature_renamed", "elapsed is there instead"),
    "category map of another version": (another_category_map, "features_as_trained", "category_map_other", "app"),
    "sampled log": (sampled_log, "exposures_complete", "log_sampled", "1 in 4"),
    "sticky arm": (sticky_arm, "assignment_recomputed", "unit_sticks", "their arm of healthy"),
    "arm swap": (arm_swap, "version_published", "arms_exchanged", "control"),
    "slow arm": (slow_arm, "latency", "slow_arm", "p99"),
    "clock skew": (clock_skew, "clock", "clock_skewed", "48.0 h ahead"),
    "training on immature labels": (immature_labels, "labels_mature", "labels_immature", "0.25 h"),
}
SCORES = {"score_distribution", "score_distance"}
"""What follows when the treatment's own scores are others, or too few to be told."""
FALLS_BACK = {"version_published", "parameters_fetched", "fallback_rate", "calibration", *SCORES}
"""What follows when the treatment never answers by itself: nothing of it can be judged."""
FAILS: dict[str, set[str]] = {
    "wrong column order": {"features_as_trained", *SCORES},
    "stale pointer": {"version_published"},
    # The version at the treatment's location cannot be read, so neither can its inputs nor what it was trained on.
    "half-written artifact": {"training_succeeded", *FALLS_BACK, "labels_mature", "features_as_trained", "time_zone"},
    "time zone off by 9 hours": {"time_zone"},
    "feature renamed": {"features_present", "features_as_trained", *FALLS_BACK},
    "category map of another version": {"features_as_trained", *SCORES},
    "sampled log": {"exposures_complete"},
    "sticky arm": {"assignment_recomputed"},
    "arm swap": {"version_published"},
    "slow arm": {"latency"},
    "clock skew": {"clock"},
    "training on immature labels": {"labels_mature"},
}
"""Exactly the probes that each fault fails: one that fails for nothing is found as well as one that is silent."""


def failed(report: CheckReport) -> set[str]:
    return {one.name for one in report.probes if not one.passed}


def test_a_healthy_service_passes_every_probe(world: World) -> None:
    report = world.reports["healthy"]
    assert failed(report) == set()
    assert {one.name for one in report.probes} == set(PROBES)
    assert report.days == pytest.approx(2.0)
    assert [one.failed for one in report.by_day] == [(), (), ()]


@pytest.mark.parametrize("fault", MATRIX)
def test_each_fault_is_caught_by_the_probe_that_names_it(world: World, fault: str) -> None:
    inject, name, kind, said = MATRIX[fault]
    play = Play(world, fault.replace(" ", "-"))
    inject(play)
    report = world.check(play)
    found = next(one for one in report.probes if one.name == name)
    assert (found.passed, found.fault) == (False, kind)
    assert said in found.explanation
    assert FAULTS[kind].remedy.en in found.explanation
    assert failed(report) == FAILS[fault]


def test_the_table_names_every_fault_and_only_probes_that_there_are() -> None:
    assert FAILS.keys() == MATRIX.keys()
    for fault, (_, name, _, _) in MATRIX.items():
        assert name in FAILS[fault] <= set(PROBES)
