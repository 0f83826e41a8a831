"""The real service, over real HTTP: what it answers, what it refuses, and that it never stops answering."""

import http.client
import json
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions.artifacts import read_version, store_of
from tasuki.actions.models import publish_model, roll_back_model
from tasuki.actions.workspace import Workspace
from tasuki.clock import system_clock
from tasuki.experiments.assignment import assign
from tasuki.experiments.routing import RoutedArm, Routing, plain_routing
from tasuki.models.artifact import Artifact
from tasuki.serving.request import LARGEST_BODY
from tasuki.store.files import replace_file
from tasuki.store.routing import routing_path, save_routing

FEATURES = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z", "minutes_since_last": 12.5, "os": "ios"}
SHARES = {"control": 0.5, "treatment": 0.5}


@dataclass
class Desk:
    workspace: Workspace
    service: model_desk.Running
    champion: str
    challenger: str

    @property
    def folder(self) -> Path:
        return self.workspace.folder

    def artifact(self, version: str) -> Artifact:
        return read_version(store_of(self.workspace), "ctr", version)

    def route(self, experiment: str, location: str = "artifacts") -> None:
        arms = (
            RoutedArm("control", 0.5, "champion", "artifacts"),
            RoutedArm("treatment", 0.5, "challenger", location),
        )
        save_routing(self.folder, Routing("ctr", experiment, "check", experiment, arms))
        self.service.wait(lambda health: health["experiment"] == experiment)

    def end(self) -> None:
        save_routing(self.folder, plain_routing("ctr", "artifacts"))
        self.service.wait(lambda health: health["experiment"] is None)

    def arms(self) -> Any:
        return self.service.health()["models"]["ctr"]["arms"]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    folder = tmp_path_factory.mktemp("serving") / "w"
    workspace = model_desk.new_workspace(folder)
    champion = model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    challenger = model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "challenger")
    service = model_desk.start_service(folder)
    try:
        yield Desk(workspace, service, champion, challenger)
    finally:
        service.stop()
        workspace.close()


def random_rows(count: int, seed: int = 1) -> list[dict[str, Any]]:
    drawn = random.Random(seed)
    return [
        {
            "unit": f"u{drawn.randrange(10**6)}",
            "features": {
                "app": f"app{drawn.randrange(10)}",
                "slot": drawn.choice(["top", "side", "bottom", "new"]),
                "at": f"2026-03-{drawn.randrange(1, 29):02d}T{drawn.randrange(24):02d}:00:00+09:00",
                "minutes_since_last": round(drawn.expovariate(0.02), 3),
                "os": "ios",
            },
        }
        for _ in range(count)
    ]


def as_columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = rows[0]["features"]
    return {
        "units": [row["unit"] for row in rows],
        "columns": {name: [row["features"][name] for row in rows] for name in names},
    }


def test_service_starts_within_three_seconds(at: Desk) -> None:
    assert at.service.start_s < 3.0


def test_champion_answers_everybody_without_an_experiment(at: Desk) -> None:
    status, answer = at.service.score({"unit": "u1", "features": FEATURES})
    assert status == 200
    assert (answer["arm"], answer["version"], answer["fallback"]) == ("control", at.champion, False)
    assert answer["score"] == at.artifact(at.champion).scorer.score_row(FEATURES)
    assert at.service.ask("GET", "/ready") == (200, {"ready": True})
    assert at.service.health()["status"] == "ok"


def test_three_forms_give_the_same_answers_and_each_arm_its_version(at: Desk) -> None:
    at.route("forms")
    rows = random_rows(120)
    single = [at.service.score(row)[1] for row in rows]
    listed = at.service.score({"rows": rows})[1]["answers"]
    columns = at.service.score(as_columns(rows))[1]
    versions = {"control": at.champion, "treatment": at.challenger}
    artifacts = {arm: at.artifact(version) for arm, version in versions.items()}
    for place, row in enumerate(rows):
        arm = assign(row["unit"], "forms", SHARES)[0]
        expected = (arm, versions[arm], artifacts[arm].scorer.score_row(row["features"]), False, None)
        said = [
            (one["arm"], one["version"], one["score"], one["fallback"], one["reason"])
            for one in (single[place], listed[place])
        ]
        together = tuple(columns[name][place] for name in ("arms", "versions", "scores", "fallbacks", "reasons"))
        assert said == [expected, expected]
        assert together == expected
    names = [one["exposure"] for one in [*single, *listed]] + columns["exposures"]
    assert len(set(names)) == 360
    at.end()


BAD: dict[str, tuple[Any, str]] = {
    "broken JSON": (b'{"unit": "u1", ', "body"),
    "not UTF-8": (b'{"unit": "\xff"}', "body"),
    "a list": ([], "body"),
    "a number": (3, "body"),
    "nothing": (b"", "body"),
    "no unit": ({"features": FEATURES}, "unit"),
    "empty unit": ({"unit": "", "features": FEATURES}, "unit"),
    "unit is null": ({"unit": None, "features": FEATURES}, "unit"),
    "unit is a list": ({"unit": ["u"], "features": FEATURES}, "unit"),
    "no features": ({"unit": "u"}, "features"),
    "features are a list": ({"unit": "u", "features": [1]}, "features"),
    "extra field": ({"unit": "u", "features": FEATURES, "arm": "treatment"}, "arm"),
    "missing feature": ({"unit": "u", "features": {"app": "a", "at": FEATURES["at"]}}, "features.slot"),
    "extra feature": ({"unit": "u", "features": {**FEATURES, "colour": 1}}, "features.colour"),
    "the label as a feature": ({"unit": "u", "features": {**FEATURES, "clicked": 1}}, "features.clicked"),
    "null": ({"unit": "u", "features": {**FEATURES, "app": None}}, "features.app"),
    "a nested value": ({"unit": "u", "features": {**FEATURES, "app": {"x": 1}}}, "features.app"),
    "NaN": (b'{"unit": "u", "features": {"app": NaN, "slot": "s", "at": "2026-03-01T00:00:00Z"}}', "features.app"),
    "no moment": ({"unit": "u", "features": {**FEATURES, "at": "noon"}}, "features.at"),
    "moment without a zone": ({"unit": "u", "features": {**FEATURES, "at": "2026-03-01T00:00:00"}}, "features.at"),
    "moment as a number": ({"unit": "u", "features": {**FEATURES, "at": 1_772_000_000}}, "features.at"),
    "moment out of range": ({"unit": "u", "features": {**FEATURES, "at": "9999-12-31T23:00:00Z"}}, "features.at"),
    "rows are no list": ({"rows": {}}, "rows"),
    "no rows": ({"rows": []}, "rows"),
    "a row is no object": ({"rows": [3]}, "rows.0"),
    "a row without unit": ({"rows": [{"unit": "u", "features": FEATURES}, {"features": FEATURES}]}, "rows.1.unit"),
    "a row with null": ({"rows": [{"unit": "u", "features": {**FEATURES, "slot": None}}]}, "rows.0.features.slot"),
    "columns without units": ({"columns": {"app": ["a"]}}, "units"),
    "columns of other lengths": ({"units": ["u"], "columns": {"app": ["a", "b"]}}, "columns.app"),
    "column is no list": ({"units": ["u"], "columns": {"app": "a"}}, "columns.app"),
    "a unit is null": ({"units": [None], "columns": {}}, "units.0"),
    "column is missing": (
        {"units": ["u"], "columns": {"app": ["a"], "at": [FEATURES["at"]]}},
        "columns.slot",
    ),
    "a value in a column": (
        {"units": ["u", "v"], "columns": {"app": ["a", ["b"]], "slot": ["s", "s"], "at": [FEATURES["at"]] * 2}},
        "columns.app.1",
    ),
    "a moment in a column": (
        {"units": ["u", "v"], "columns": {"app": ["a", "b"], "slot": ["s", "s"], "at": [FEATURES["at"], "x"]}},
        "columns.at.1",
    ),
    "too many rows": ({"units": ["u"] * 10_001, "columns": {}}, "units"),
    "a body too large": (b" " * (LARGEST_BODY + 1), "body"),
    "ten megabytes": (json.dumps({"unit": "u" * 10_000_000, "features": FEATURES}).encode(), "body"),
    "deep nesting": (b"[" * 100_000, "body"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_body_is_refused_by_field(at: Desk, case: str) -> None:
    body, field = BAD[case]
    status, answer = at.service.score(body)
    assert status == 400
    assert field in [fault["where"] for fault in answer["error"]["faults"]]


def test_every_faulty_field_is_named_at_once(at: Desk) -> None:
    _, answer = at.service.score({"unit": "u", "features": {"app": None, "at": "x", "colour": 1}})
    where = {fault["where"] for fault in answer["error"]["faults"]}
    assert where == {"features.app", "features.at", "features.colour", "features.slot"}


REFUSED_UNREAD = ["null", "NaN", "Infinity", "1e999", "-1e999", "[1]", "{}", '{"a": NaN}', '"' + "é" * 513 + '"']


@pytest.mark.parametrize("value", REFUSED_UNREAD)
def test_value_that_no_feature_can_be_is_refused_where_no_model_reads_it(at: Desk, value: str) -> None:
    read = json.dumps({name: one for name, one in FEATURES.items() if name != "os"})[1:-1]
    row = '{"unit": "u", "features": {%s, "os": %s}}' % (read, value)  # noqa: UP031  # braces are JSON's
    columns = json.dumps({name: [one] for name, one in FEATURES.items() if name != "os"})[1:-1]
    asked = {
        row: "features.os",
        '{"rows": [%s]}' % row: "rows.0.features.os",  # noqa: UP031
        '{"units": ["u"], "columns": {%s, "os": [%s]}}' % (columns, value): "columns.os.0",  # noqa: UP031
    }
    for body, field in asked.items():
        status, answer = at.service.score(body.encode())
        assert (status, [fault["where"] for fault in answer["error"]["faults"]]) == (400, [field])


@pytest.mark.parametrize("value", ["ios", "", 3, -2.5, True, 10**25, "é" * 512])
def test_value_that_some_feature_can_be_is_answered_where_no_model_reads_it(at: Desk, value: Any) -> None:
    features = {**FEATURES, "os": value}
    bodies = ({"unit": "u", "features": features}, {"rows": [{"unit": "u", "features": features}]})
    for body in (*bodies, as_columns([{"unit": "u", "features": features}])):
        assert at.service.score(body)[0] == 200


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        (
            {"unit": None, "features": {"app": None, "zzz": 3}, "arm": "a"},
            {"unit", "features.app", "features.zzz", "features.slot", "features.at", "arm"},
        ),
        (
            {"rows": [{"unit": "", "features": {**FEATURES, "zzz": 3}}, 7], "more": 1},
            {"more", "rows.0.unit", "rows.0.features.zzz", "rows.1"},
        ),
        (
            {"units": ["u", None], "columns": {"app": ["a", [1]], "slot": ["s"], "zzz": [1, 2]}, "more": 1},
            {"more", "units.1", "columns.app.1", "columns.slot", "columns.zzz", "columns.at"},
        ),
        ({"columns": {"zzz": 3}}, {"units", "columns.zzz", "columns.app", "columns.slot", "columns.at"}),
        ({"units": [], "columns": []}, {"units", "columns"}),
        (
            {"unit": "u" * 1025, "features": {**FEATURES, "app": "é" * 513}},
            {"unit", "features.app"},
        ),
        (
            {"units": ["u" * 1025], "columns": {**{name: [one] for name, one in FEATURES.items()}, "app": ["é" * 513]}},
            {"units.0", "columns.app.0"},
        ),
    ],
)
def test_fault_of_one_place_hides_none_of_another(at: Desk, body: Any, fields: set[str]) -> None:
    status, answer = at.service.score(body)
    said = {fault["where"] for fault in answer["error"]["faults"]}
    assert (status, said >= fields) == (400, True), (said, fields)


def test_texts_of_exactly_the_longest_length_are_answered(at: Desk) -> None:
    features = {**FEATURES, "app": "é" * 512}
    assert at.service.score({"unit": "u" * 1024, "features": features})[1]["unit"] == "u" * 1024
    assert at.service.score(as_columns([{"unit": "u" * 1024, "features": features}]))[0] == 200


def test_more_faults_than_are_named_are_counted(at: Desk) -> None:
    _, answer = at.service.score({"rows": [{"features": {}} for _ in range(30)]})
    assert "120 faults" in answer["error"]["what"]
    assert len(answer["error"]["faults"]) == 20


def test_unknown_model_is_not_echoed_at_full_length(at: Desk) -> None:
    status, answer = at.service.score({"unit": "u", "features": FEATURES}, "m" * 5_000)
    assert status == 400
    assert "m" * 80 in answer["error"]["what"]
    assert "m" * 81 not in json.dumps(answer)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/v1/models/cvr/score", 400),
        ("POST", "/v1/models/..%2Fctr/score", 400),
        ("POST", "/v1/models/score", 404),
        ("GET", "/v1/models/ctr/score", 405),
        ("DELETE", "/v1/models/ctr/score", 405),
        ("GET", "/", 404),
        ("POST", "/health", 405),
    ],
)
def test_other_paths_are_refused(at: Desk, method: str, path: str, status: int) -> None:
    given, answer = at.service.ask(method, path, {"unit": "u", "features": FEATURES} if method == "POST" else None)
    assert given == status
    assert answer["error"]["faults"]


@pytest.mark.parametrize("sent", [0, LARGEST_BODY + 1])
def test_body_declared_too_large_is_refused_before_it_arrives(at: Desk, sent: int) -> None:
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", at.service.port), timeout=10) as connection:
        head = f"POST /v1/models/ctr/score HTTP/1.1\r\nhost: x\r\ncontent-length: {LARGEST_BODY + 1}\r\n\r\n"
        connection.sendall(head.encode() + b" " * sent)
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert time.monotonic() - began < 2
    assert at.service.health()["status"] == "ok"


def test_body_sent_in_chunks_is_read_and_limited(at: Desk) -> None:
    for size, wanted in ((1, 200), (LARGEST_BODY, 400)):
        body = json.dumps({"unit": "u", "features": FEATURES}).encode() + b" " * size
        connection = http.client.HTTPConnection("127.0.0.1", at.service.port, timeout=10)
        try:
            chunks = iter([body[start : start + 65_536] for start in range(0, len(body), 65_536)])
            connection.request(
                "POST", "/v1/models/ctr/score", chunks, {"transfer-encoding": "chunked"}, encode_chunked=True
            )
            assert connection.getresponse().status == wanted
        except OSError:
            assert wanted == 400  # the service may answer and close before all of a body that is too large was sent
        finally:
            connection.close()


class Load(threading.Thread):
    """Asks without a pause, in all three forms, and keeps what it was answered."""

    def __init__(self, port: int, seed: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.rows = random_rows(30, seed)
        self.stopped = threading.Event()
        self.failures: list[Any] = []
        self.seen: list[tuple[int, str, str | None, float, bool]] = []
        self.longest_s = 0.0

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        turn = 0
        while not self.stopped.is_set():
            turn += 1
            began = time.monotonic()
            try:
                self.ask(connection, turn % 3)
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failures.append(repr(error))
                connection.close()
            self.longest_s = max(self.longest_s, time.monotonic() - began)
        connection.close()

    def ask(self, connection: http.client.HTTPConnection, form: int) -> None:
        body = (self.rows[0], {"rows": self.rows[:5]}, as_columns(self.rows))[form]
        connection.request("POST", "/v1/models/ctr/score", json.dumps(body).encode())
        response = connection.getresponse()
        answer = json.loads(response.read())
        if response.status != 200:
            self.failures.append(answer)
            return
        if form == 2:
            names = ("arms", "versions", "scores", "fallbacks")
            found = list(zip(*(answer[name] for name in names), strict=True))
        else:
            answers = [answer] if form == 0 else answer["answers"]
            found = [(one["arm"], one["version"], one["score"], one["fallback"]) for one in answers]
        self.seen += [(place, *one) for place, one in enumerate(found)]


@pytest.mark.parametrize("swaps", [9, pytest.param(50, marks=pytest.mark.slow)])
def test_swaps_under_load_fail_no_request_and_mix_no_versions(at: Desk, swaps: int) -> None:
    others = [
        model_desk.train_and_publish(at.workspace, f"c{place}", model_desk.CHALLENGER, "challenger", c=0.1 * place)
        for place in (1, 2, 3)
    ]
    at.route("swaps")
    artifacts = {version: at.artifact(version) for version in (at.champion, *others)}
    loads = [Load(at.service.port, seed) for seed in (1, 2, 3)]
    for load in loads:
        load.start()
    try:
        for turn in range(swaps):
            version = others[turn % 3]
            publish_model(at.workspace, "ctr", version, channel="challenger", actor="sota")
            at.service.wait(lambda health, v=version: health["models"]["ctr"]["arms"]["treatment"]["version"] == v)
    finally:
        for load in loads:
            load.stopped.set()
            load.join()
    assert [failure for load in loads for failure in load.failures] == []
    for load in loads:
        assert {version for _, _, version, _, _ in load.seen} >= {at.champion, *others}
        for place, arm, version, score, fallback in load.seen:
            assert version is not None
            assert not fallback
            assert (version == at.champion) == (arm == "control")
            assert score == artifacts[version].scorer.score_row(load.rows[place]["features"])
    publish_model(at.workspace, "ctr", at.challenger, channel="challenger", actor="sota")
    at.end()


def point_by_hand(at: Desk, version: str) -> None:
    """Moves the champion's pointer without the checks that publishing makes."""
    when = "2026-04-01T00:00:00.000000Z"
    pointer = {"version": version, "at": when, "by": "x"}
    path = at.folder / "artifacts" / "ctr" / "channels" / "champion.json"
    replace_file(path, json.dumps({**pointer, "history": [pointer]}).encode())


SPOILS = {
    "weights.npy": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "features.json": lambda content: content[: len(content) // 2],
    "manifest.json": lambda content: content + b" ",
    "golden.json": None,
}


@pytest.mark.parametrize("name", SPOILS)
def test_damaged_version_never_serves_and_the_old_one_goes_on(at: Desk, name: str) -> None:
    file = model_desk.write_model(at.workspace, "spoilt", model_desk.CHAMPION, c=0.5 + 0.1 * list(SPOILS).index(name))
    version = model_desk.train_model(at.workspace, file, actor="ren").version
    path = at.folder / "artifacts" / "ctr" / "versions" / version / name
    spoil = SPOILS[name]
    if spoil is None:
        path.unlink()
    else:
        path.write_bytes(spoil(path.read_bytes()))
    point_by_hand(at, version)
    health = at.service.wait(lambda health: health["models"]["ctr"]["arms"]["control"]["state"] == "last_good")
    arm = health["models"]["ctr"]["arms"]["control"]
    assert health["status"] == "degraded"
    assert arm["version"] == at.champion
    assert name in arm["error"]
    answer = at.service.score({"unit": "u1", "features": FEATURES})[1]
    assert (answer["version"], answer["fallback"]) == (at.champion, False)
    point_by_hand(at, at.champion)
    at.service.wait(lambda health: health["status"] == "ok")


def test_version_that_fails_its_golden_examples_never_serves(at: Desk) -> None:
    store = store_of(at.workspace)
    files = store.load("ctr", at.champion)
    document = json.loads(files["golden.json"])
    document["examples"][0]["score"] += 0.001
    version = store.put("ctr", {**files, "golden.json": json.dumps(document).encode()})
    point_by_hand(at, version)
    health = at.service.wait(lambda health: health["models"]["ctr"]["arms"]["control"]["state"] == "last_good")
    assert "golden" in health["models"]["ctr"]["arms"]["control"]["error"]
    point_by_hand(at, at.champion)
    at.service.wait(lambda health: health["status"] == "ok")


def test_broken_pointer_keeps_the_last_good_version(at: Desk) -> None:
    path = at.folder / "artifacts" / "ctr" / "channels" / "champion.json"
    before = path.read_bytes()
    replace_file(path, b"{")
    at.service.wait(lambda health: health["models"]["ctr"]["arms"]["control"]["state"] == "last_good")
    assert at.service.score({"unit": "u1", "features": FEATURES})[1]["version"] == at.champion
    replace_file(path, before)
    at.service.wait(lambda health: health["status"] == "ok")


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"model": "ctr", "arms": [], "salt": ""}'])
def test_broken_routing_keeps_the_last_good_one_and_says_so(at: Desk, content: bytes) -> None:
    at.route("kept")
    replace_file(routing_path(at.folder), content)
    health = at.service.wait(lambda health: health["models"]["ctr"]["error"] != "")
    assert health["experiment"] == "kept"
    at.end()


def test_wrong_location_falls_back_to_control_with_a_reason_and_mends(at: Desk) -> None:
    at.route("nowhere", location="artifacts-staging")
    health = at.service.health()
    treatment = health["models"]["ctr"]["arms"]["treatment"]
    assert (health["status"], treatment["state"], treatment["version"]) == ("degraded", "unavailable", None)
    assert "artifacts-staging" in treatment["error"]
    rows = random_rows(60, seed=9)
    listed = at.service.score({"rows": rows})[1]["answers"]
    columns = at.service.score(as_columns(rows))[1]
    control = at.artifact(at.champion).scorer
    for place, (row, one) in enumerate(zip(rows, listed, strict=True)):
        falls = assign(row["unit"], "nowhere", SHARES)[0] == "treatment"
        said = ("treatment" if falls else "control", at.champion, control.score_row(row["features"]), falls)
        assert (one["arm"], one["version"], one["score"], one["fallback"]) == said
        assert one["reason"] == ("parameters_unavailable" if falls else None)
        names = ("arms", "versions", "scores", "fallbacks", "reasons")
        assert tuple(columns[name][place] for name in names) == (*said, one["reason"])
    shutil.copytree(at.folder / "artifacts", at.folder / "artifacts-staging")
    at.service.wait(lambda health: health["models"]["ctr"]["arms"]["treatment"]["version"] == at.challenger)
    at.end()


def test_feature_that_only_the_treatment_needs_falls_back_when_it_is_not_sent(at: Desk) -> None:
    at.route("lacking")
    lacking = {name: value for name, value in FEATURES.items() if name != "minutes_since_last"}
    rows = [{"unit": f"u{place}", "features": lacking} for place in range(40)]
    columns = at.service.score(as_columns(rows))[1]
    for place, one in enumerate(at.service.score({"rows": rows})[1]["answers"]):
        reason = "feature_missing: minutes_since_last" if one["arm"] == "treatment" else None
        assert (one["version"], one["fallback"], one["reason"]) == (at.champion, reason is not None, reason)
        assert (columns["arms"][place], columns["reasons"][place]) == (one["arm"], reason)
    status, answer = at.service.score({"unit": "u", "features": {**FEATURES, "minutes_since_last": "soon"}})
    assert (status, answer["error"]["faults"][0]["where"]) == (400, "features.minutes_since_last")
    at.end()


def test_rollback_reaches_the_service(at: Desk) -> None:
    newer = model_desk.train_and_publish(at.workspace, "newer", model_desk.CHAMPION, "champion", c=7.0)
    at.service.wait(lambda health: health["models"]["ctr"]["arms"]["control"]["version"] == newer)
    assert roll_back_model(at.workspace, "ctr", actor="sota").version == at.champion
    at.service.wait(lambda health: health["models"]["ctr"]["arms"]["control"]["version"] == at.champion)


def test_trees_are_served_as_they_score_offline(at: Desk) -> None:
    path = model_desk.write_model(at.workspace, "trees", model_desk.CHALLENGER)
    text = path.read_text().replace(
        "from sklearn.linear_model import LogisticRegression", "from lightgbm import LGBMClassifier"
    )
    text = text.replace("LogisticRegression(C=1.0, max_iter=50)", "LGBMClassifier(n_estimators=8)")
    # Eight trees score in few steps, far from the champion's: that is meant here.
    path.write_text(text.replace("    baseline=", "    max_champion_shift=100.0,\n    baseline="))
    version = model_desk.train_model(at.workspace, path, actor="ren").version
    publish_model(at.workspace, "ctr", version, channel="challenger", actor="sota")
    at.route("trees")
    at.service.wait(lambda health: health["models"]["ctr"]["arms"]["treatment"]["version"] == version)
    rows = [row for row in random_rows(60, seed=4) if assign(row["unit"], "trees", SHARES)[0] == "treatment"]
    scorer = at.artifact(version).scorer
    expected = [scorer.score_row(row["features"]) for row in rows]
    assert [one["score"] for one in at.service.score({"rows": rows})[1]["answers"]] == expected
    assert at.service.score(as_columns(rows))[1]["scores"] == expected
    publish_model(at.workspace, "ctr", at.challenger, channel="challenger", actor="sota")
    at.end()


def test_port_in_use_is_said_with_what_to_do(at: Desk) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [sys.executable, "-c", "from tasuki.cli.main import run; run()", "model", "serve"]
        command += ["--workspace", str(at.folder), "--port", str(taken.getsockname()[1])]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 7
    assert "cannot listen" in ended.stderr
    assert "--port" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_service_of_a_linear_model_loads_no_training_library(at: Desk) -> None:
    program = (
        "import sys; from pathlib import Path; from tasuki.clock import system_clock\n"
        "from tasuki.serving import run\nfrom tasuki.serving.watch import Watcher\n"
        f"w = Watcher(Path({str(at.folder)!r}), 'artifacts', None, system_clock); w.look()\n"
        "assert w.plans['ctr'].control.artifact\n"
        "print([one for one in ('sklearn', 'lightgbm', 'pandas', 'scipy', 'sqlalchemy', 'duckdb', 'pydantic')"
        " if one in sys.modules])"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=True)
    assert said.stdout.strip() == "[]"


def test_service_without_a_published_model_is_not_ready_and_answers_by_default(tmp_path: Path) -> None:
    folder = tmp_path / "w"
    model_desk.new_workspace(folder).close()
    service = model_desk.start_service(folder, "--model", "ctr")
    try:
        assert service.ask("GET", "/ready")[0] == 503
        status, answer = service.score({"unit": "u", "features": FEATURES})
        assert status == 200
        said = (answer["version"], answer["score"], answer["fallback"], answer["reason"])
        assert said == (None, 0.0, True, "parameters_unavailable")
    finally:
        assert service.stop() == 0
    assert [row["version"] for row in model_desk.exposures(folder)] == [None]


def test_folder_that_is_no_workspace_is_refused(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from tasuki.cli.main import run; run()", "model", "serve", "--workspace"]
    ended = subprocess.run([*command, str(tmp_path)], capture_output=True, text=True, timeout=20, check=False)
    assert ended.returncode == 5
    assert "no workspace" in ended.stderr


def second_service(at: Desk, folder: Path) -> model_desk.Running:
    """A service of a copy of the workspace, which a test may end as it likes."""
    shutil.copytree(at.folder, folder, ignore=shutil.ignore_patterns("exposures", "artifacts-staging"))
    arms = (RoutedArm("control", 0.5, "champion", "artifacts"), RoutedArm("treatment", 0.5, "challenger", "artifacts"))
    save_routing(folder, Routing("ctr", "logged", "check", "logged", arms))
    return model_desk.start_service(folder)


def test_every_answer_is_in_the_log_after_a_graceful_stop_and_can_be_recomputed(at: Desk, tmp_path: Path) -> None:
    service = second_service(at, tmp_path / "w")
    before = system_clock()
    rows = random_rows(150, seed=5)
    answers = [service.score(row)[1] for row in rows[:50]]
    answers += service.score({"rows": rows[50:100]})[1]["answers"]
    columns = service.score(as_columns(rows[100:]))[1]
    assert service.stop() == 0
    logged = {row["exposure"]: row for row in model_desk.exposures(tmp_path / "w")}
    told = [(one["exposure"], one["arm"], one["version"], one["score"]) for one in answers]
    told += list(zip(*(columns[name] for name in ("exposures", "arms", "versions", "scores")), strict=True))
    assert len(told) == len(logged) == 150
    artifacts = {version: at.artifact(version) for version in (at.champion, at.challenger)}
    for (exposure, arm, version, score), row in zip(told, rows, strict=True):
        kept = logged[exposure]
        assert (kept["arm"], kept["version"], kept["score"], kept["unit"]) == (arm, version, score, row["unit"])
        assert json.loads(kept["features"]) == row["features"]
        assert artifacts[version].scorer.score_row(json.loads(kept["features"])) == score
        assert (kept["experiment"], kept["model"], kept["fallback"], kept["reason"]) == ("logged", "ctr", False, None)
        assert before <= kept["at"] <= system_clock()
        assert kept["latency_us"] >= 0
    assert [one.name for one in (tmp_path / "w" / "logs" / "exposures").iterdir() if one.suffix != ".parquet"] == []


def test_killed_service_leaves_whole_segments_that_hold_what_is_older_than_a_second(at: Desk, tmp_path: Path) -> None:
    service = second_service(at, tmp_path / "w")
    told: list[tuple[float, str]] = []
    until = time.monotonic() + 2.2
    while time.monotonic() < until:
        answer = service.score({"unit": "u", "features": FEATURES})[1]
        told.append((time.monotonic(), answer["exposure"]))
    service.process.kill()
    killed = time.monotonic()
    service.process.wait(10)
    logged = [row["exposure"] for row in model_desk.exposures(tmp_path / "w")]
    assert len(logged) == len(set(logged))
    assert {exposure for when, exposure in told if when < killed - 1.5} <= set(logged) <= {one for _, one in told}
