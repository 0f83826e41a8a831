"""The parts of the service by themselves: any body is answered or refused, rows and columns agree, nothing is lost."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import model_desk
from tasuki.clock import system_clock
from tasuki.errors import Invalid
from tasuki.experiments.routing import RoutedArm, Routing, read_routing, routing_to_json
from tasuki.serving import exposures, segments
from tasuki.serving.app import ScoringApp
from tasuki.serving.exposures import ExposureLog, LogPlace
from tasuki.serving.segments import Exposure
from tasuki.serving.watch import Watcher
from tasuki.store.routing import save_routing


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoringApp]:
    folder = tmp_path_factory.mktemp("answers") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "challenger")
    arms = (RoutedArm("control", 0.4, "champion", "artifacts"), RoutedArm("treatment", 0.6, "challenger", "artifacts"))
    save_routing(folder, Routing("ctr", "e", "check", "e", arms))
    watcher = Watcher(folder, "artifacts", None, system_clock)
    watcher.look()
    yield ScoringApp(watcher, ExposureLog(LogPlace.of(folder), system_clock), system_clock)
    workspace.close()


FEATURES: dict[str, Any] = {"app": "a", "slot": "top", "at": "2026-03-01T00:00:00Z"}

JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=5), inner, max_size=3)),
    max_leaves=8,
)
NAMED = st.fixed_dictionaries(
    {"app": JSON, "slot": JSON, "at": st.one_of(JSON, st.just("2026-03-01T00:00:00Z"))},
    optional={"minutes_since_last": JSON, "os": JSON, "more": JSON},
)
BODIES = st.one_of(
    JSON,
    st.fixed_dictionaries({"unit": JSON, "features": st.one_of(JSON, NAMED)}),
    st.fixed_dictionaries({"unit": st.text(min_size=1), "features": NAMED}),
    st.fixed_dictionaries({"rows": st.lists(st.fixed_dictionaries({"unit": JSON, "features": NAMED}), max_size=3)}),
    st.fixed_dictionaries({"units": st.lists(JSON, max_size=2), "columns": st.one_of(JSON, NAMED)}),
    st.fixed_dictionaries(
        {
            "units": st.just(["u1", "u2"]),
            "columns": st.dictionaries(
                st.sampled_from(["app", "slot", "at", "minutes_since_last"]), st.lists(JSON, min_size=2, max_size=2)
            ),
        }
    ),
)


@settings(max_examples=400, deadline=None)
@given(body=BODIES)
def test_any_json_is_answered_or_refused_with_a_field(app: ScoringApp, body: Any) -> None:
    status, said = app.score("ctr", json.dumps(body).encode())
    answer = json.loads(said)
    assert status in (200, 400)
    assert status == 200 or all(fault["what"] for fault in answer["error"]["faults"])


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60))
def test_any_bytes_are_answered_or_refused(app: ScoringApp, body: bytes) -> None:
    assert app.score("ctr", body)[0] == 400


VALUES = {
    "app": st.one_of(st.text(max_size=3), st.integers(), st.booleans()),
    "slot": st.sampled_from(["top", "side"]),
    "at": st.sampled_from(["2026-03-01T00:00:00Z", "2026-03-01T23:59:59.999999+09:00", "20260301T120000-0330"]),
    "minutes_since_last": st.one_of(st.integers(-5, 500), st.floats(allow_nan=False, allow_infinity=False)),
}
ROWS = st.lists(
    st.fixed_dictionaries(
        {"unit": st.one_of(st.text(min_size=1, max_size=4), st.integers()), "features": st.fixed_dictionaries(VALUES)}
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=150, deadline=None)
@given(rows=ROWS, lacking=st.booleans())
def test_rows_and_columns_agree_whatever_the_values(app: ScoringApp, rows: list[dict[str, Any]], lacking: bool) -> None:
    names = [name for name in VALUES if not (lacking and name == "minutes_since_last")]
    rows = [{"unit": row["unit"], "features": {name: row["features"][name] for name in names}} for row in rows]
    columns = {name: [row["features"][name] for row in rows] for name in names}
    _, listed = app.score("ctr", json.dumps({"rows": rows}).encode())
    alone = [json.loads(app.score("ctr", json.dumps(row).encode())[1]) for row in rows]
    _, together = app.score("ctr", json.dumps({"units": [row["unit"] for row in rows], "columns": columns}).encode())
    answers, table = json.loads(listed)["answers"], json.loads(together)
    for name in ("arm", "version", "score", "fallback", "reason"):
        assert [one[name] for one in answers] == table[f"{name}s"]
        assert [one[name] for one in alone] == table[f"{name}s"]


def test_service_that_cannot_log_tells_clients_to_come_again(app: ScoringApp, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"unit": "u", "features": {"app": "a", "slot": "top", "at": "2026-03-01T00:00:00Z"}}
    monkeypatch.setattr(exposures, "LARGEST_BACKLOG", 0)
    status, said = app.score("ctr", json.dumps(body).encode())
    assert status == 503
    assert "exposure log" in json.loads(said)["error"]["what"]


def exposure(number: int) -> Exposure:
    when = datetime(2026, 3, 1, tzinfo=UTC)
    return Exposure(f"e{number}", when, None, "ctr", "u", "control", "v", 0.5, False, None, 3, features='{"app":"猫"}')


def test_log_keeps_what_a_full_disk_refused_and_writes_it_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    place = LogPlace.of(tmp_path)
    place.segments.mkdir(parents=True)
    log = ExposureLog(place, system_clock)
    with monkeypatch.context() as patched:
        patched.setattr(segments.os, "fsync", full)
        log.add(exposure(1))
        log.add(exposure(2))
        assert not log._flush()
        assert "No space" in log.error
        assert log.waiting == 2
    assert list(place.segments.iterdir()) == []
    log.start()
    log.stop()
    assert (log.waiting, log.written, log.error) == (0, 2, "")
    [segment] = place.segments.iterdir()
    assert pq.read_table(segment)["exposure"].to_pylist() == ["e1", "e2"]
    assert json.loads(pq.read_table(segment)["features"][0].as_py()) == {"app": "猫"}


def test_under_steady_load_there_is_one_segment_in_each_interval(tmp_path: Path) -> None:
    log = ExposureLog(replace(LogPlace.of(tmp_path), flush_s=0.2), system_clock)
    log.start()
    began, added = time.monotonic(), 0
    while time.monotonic() - began < 1.2:
        log.add(exposure(added))
        added += 1
        time.sleep(0.0005)
    log.stop()
    segments_made = list(log.place.segments.iterdir())
    assert len(segments_made) <= 9  # one per interval, the last on the way out, and some for a slow start
    kept = [one for path in segments_made for one in pq.read_table(path)["exposure"].to_pylist()]
    assert sorted(kept) == sorted(f"e{number}" for number in range(added))


def test_in_a_replay_exposures_carry_the_moment_that_is_replayed(tmp_path: Path, app: ScoringApp) -> None:
    log = ExposureLog(replace(LogPlace.of(tmp_path), replay_time="at"), system_clock)
    replaying = ScoringApp(app._watcher, log, system_clock)
    rows = [{"unit": f"u{day}", "features": FEATURES | {"at": f"2026-03-0{day}T08:00:00.5Z"}} for day in (1, 2, 3)]
    log.start()
    for body in (
        rows[0],
        {"rows": [rows[1]]},
        {"units": ["u3"], "columns": {name: [value] for name, value in rows[2]["features"].items()}},
    ):
        assert replaying.score("ctr", json.dumps(body).encode())[0] == 200
    log.stop()
    kept = pa.concat_tables([pq.read_table(one) for one in log.place.segments.iterdir()]).sort_by("unit")
    assert [one.isoformat() for one in kept["at"].to_pylist()] == [
        f"2026-03-0{day}T08:00:00.500000+00:00" for day in (1, 2, 3)
    ]


def test_a_replay_refuses_rows_without_their_moment(tmp_path: Path, app: ScoringApp) -> None:
    log = ExposureLog(replace(LogPlace.of(tmp_path), replay_time="when"), system_clock)
    status, said = ScoringApp(app._watcher, log, system_clock).score(
        "ctr", json.dumps({"unit": "u", "features": FEATURES}).encode()
    )
    assert status == 400
    assert b"features.when" in said


def test_log_writes_within_a_second_without_being_stopped(tmp_path: Path) -> None:
    log = ExposureLog(LogPlace.of(tmp_path), system_clock)
    log.start()
    try:
        log.add(exposure(1))
        until = time.monotonic() + 5
        while log.waiting and time.monotonic() < until:
            time.sleep(0.02)
        assert log.written == 1
    finally:
        log.stop()


def test_log_that_cannot_make_a_segment_says_so_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(rows: Any) -> Any:
        raise TypeError("no such type")

    log = ExposureLog(LogPlace.of(tmp_path, flush_s=0.05), system_clock)
    with monkeypatch.context() as patched:
        patched.setattr(segments, "table_of", broken)
        log.start()
        log.add(exposure(1))
        until = time.monotonic() + 5
        while not log.error and time.monotonic() < until:
            time.sleep(0.02)
        assert log.error == "TypeError: no such type"
        assert log.waiting == 1
    log.add(exposure(2))
    log.stop()
    assert (log.written, log.waiting, log.error) == (2, 0, "")


ARMS = st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=4, unique=True)


@given(names=ARMS, experiment=st.one_of(st.none(), st.text(min_size=1)), salt=st.text())
def test_routing_is_read_as_it_was_written(names: list[str], experiment: str | None, salt: str) -> None:
    arms = tuple(RoutedArm(name, 1 / len(names), "champion", "artifacts") for name in names)
    routing = Routing("ctr", experiment, "check", salt, arms)
    assert read_routing(routing_to_json(routing)) == routing


def test_every_fault_of_a_routing_is_named_at_once() -> None:
    arms = [{"name": "a", "share": "x", "channel": "c", "location": ""}, 3]
    with pytest.raises(Invalid) as refused:
        read_routing(json.dumps({"model": "", "kind": "other", "salt": None, "arms": arms}).encode())
    where = {fault.where for fault in refused.value.faults}
    assert where == {"model", "kind", "salt", "arms.0.share", "arms.0.location", "arms.1"}
    one = {"name": "a", "share": 0.4, "channel": "c", "location": "l"}
    with pytest.raises(Invalid, match="add up"):
        read_routing(json.dumps({"model": "m", "salt": "", "arms": [one]}).encode())
