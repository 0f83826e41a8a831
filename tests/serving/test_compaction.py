"""Compaction: each exposure once for every reader, whatever is killed when, and beside a running service."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlglot import exp

import model_desk
from tasuki.cli.main import main
from tasuki.errors import Unavailable
from tasuki.serving import compaction
from tasuki.serving.compaction import Compacted, compact
from tasuki.serving.finished_hours import is_due
from tasuki.serving.segments import Exposure, table_of, write_segment
from tasuki.serving.write_ahead import file_name, segment_name
from tasuki.warehouse import Warehouse, source_of
from tasuki.warehouse.compacted import is_within, joined, ranges_of, replaced_by
from tasuki.warehouse.log_folder import room_of

NOW = datetime(2026, 4, 3, 12, 30, tzinfo=UTC)
TODAY = datetime(2026, 4, 3, tzinfo=UTC)


class Log:
    """Segments in a folder, as a service would have written them."""

    def __init__(self, folder: Path) -> None:
        self.segments, self.ahead = folder / "exposures", folder / "ahead"
        self.segments.mkdir(parents=True)
        self.ahead.mkdir()
        self.rows: list[str] = []
        self._number = 0

    def write(
        self, at: datetime, count: int = 3, log: str = "20260401T000000-ab", last: datetime | None = None
    ) -> Path:
        """A segment whose rows lie between two moments, written at the later one."""
        last = last or at
        names = [f"x{len(self.rows) + one}" for one in range(count)]
        moments = [at + (last - at) * one / max(1, count - 1) for one in range(count)]
        rows = [
            Exposure(name, when, "e", "ctr", f"u{name}", "control", "v", 0.5, False, None, 9, '{"app": "猫"}')
            for name, when in zip(names, moments, strict=True)
        ]
        path = self.segments / segment_name(log, self._number)
        write_segment(path, table_of(rows))
        os.utime(path, (last.timestamp(), last.timestamp()))
        self.rows += names
        self._number += 1
        return path

    def compact(self, now: datetime = NOW, *, everything: bool = False) -> Compacted:
        return compact(self.segments, self.ahead, now, everything=everything)

    def files(self) -> list[str]:
        return sorted(one.name for one in self.segments.glob("*.parquet"))

    def seen(self) -> Counter[str]:
        """What a reader of tasuki's sees."""
        with closing(Warehouse({"exposures": str(self.segments / "*.parquet")})) as warehouse:
            tree = exp.select("exposure").from_("exposures")
            return Counter(row["exposure"] for row in warehouse.rows(tree))

    def assert_whole(self) -> None:
        assert self.seen() == Counter(self.rows)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def test_hours_that_are_over_become_one_file_each_and_the_present_one_is_left_alone(log: Log) -> None:
    for hour in (9, 10):
        for minute in range(5):
            log.write(TODAY + timedelta(hours=hour, minutes=minute))
    present = [log.write(TODAY + timedelta(hours=12, minutes=one)).name for one in range(3)]
    assert is_due(log.segments, NOW)
    done = log.compact()
    assert (done.before, done.after, done.rows, done.left) == (13, 5, 30, ())
    assert set(present) < set(log.files())
    assert not is_due(log.segments, NOW)
    log.assert_whole()
    assert log.compact() == Compacted(5, 5)  # again: nothing is left to do
    # An hour that ended a moment ago may still be written.
    assert log.compact(NOW.replace(hour=13, minute=0, second=30)).made == ()
    assert len(log.compact(NOW.replace(hour=13, minute=1, second=1)).made) == 1
    log.assert_whole()


def test_the_hours_of_a_day_that_is_over_become_one_file_that_says_what_it_holds(log: Log) -> None:
    for hour in range(4):
        for minute in range(3):
            log.write(TODAY + timedelta(hours=hour, minutes=minute))
    hours = log.compact().made
    assert len(hours) == 4
    late = log.write(TODAY + timedelta(hours=23, minutes=59)).name
    done = log.compact(NOW + timedelta(days=1))
    (name,) = log.files()
    assert done.made == (name,)
    replaced = replaced_by(log.segments / name)
    assert replaced is not None
    assert replaced.segments == {"20260401T000000-ab": ((0, 12),)}
    assert set(replaced.files) == set(hours)
    assert all(replaced.covers(one) for one in (*hours, late))
    assert not replaced.covers("exposures-other-000001.parquet")
    assert pq.read_metadata(log.segments / name).row_group(0).column(1).statistics.min == TODAY
    log.assert_whole()


def test_files_whose_rows_lie_on_other_days_are_never_mixed(log: Log) -> None:
    midnight = TODAY - timedelta(days=1)
    for second in range(4):
        log.write(midnight - timedelta(seconds=9 - second))
        log.write(midnight + timedelta(seconds=9 + second))
        log.write(midnight - timedelta(seconds=second + 1), last=midnight + timedelta(seconds=2))
    log.compact()
    days = []
    for name in log.files():
        column = pq.read_table(log.segments / name)["at"].to_pylist()
        days.append((min(column).day, max(column).day))
    assert sorted(days) == [(1, 1), (1, 2), (2, 2)]
    log.assert_whole()


def test_what_is_not_finished_not_readable_or_not_the_services_own_is_left_alone(log: Log) -> None:
    hour = TODAY + timedelta(hours=3)
    waiting = log.write(hour)
    (log.ahead / file_name("20260401T000000-ab", 0)).write_bytes(b"")  # its segment may be written once more
    for _ in range(3):
        log.write(hour)
    other = log.segments / "part-0.parquet"
    pq.write_table(table_of([Exposure("mine", hour, None, "ctr", "u", "a", None, 0.0, True, None, 1, "{}")]), other)
    odd = log.segments / segment_name("odd", 1)
    pq.write_table(pq.read_table(other).drop_columns(["reason"]), odd)
    torn = log.segments / segment_name("torn", 1)
    torn.write_bytes(b"PAR1 and no more")
    for path in (other, odd, torn):
        os.utime(path, (hour.timestamp(), hour.timestamp()))
    done = log.compact()
    assert [one.partition(" ")[0] for one in done.left] == [torn.name, odd.name]
    assert {waiting.name, other.name, odd.name, torn.name} < set(log.files())
    torn.unlink()
    odd.unlink()
    assert len(log.compact().made) == 1
    (log.ahead / file_name("20260401T000000-ab", 0)).unlink()
    other.unlink()
    log.assert_whole()


MOMENTS = st.tuples(st.integers(0, 2), st.integers(0, 23), st.integers(0, 59), st.integers(1, 4))


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn=st.lists(MOMENTS, min_size=1, max_size=14), steps=st.lists(st.integers(0, 30), max_size=3))
def test_whatever_was_written_and_whenever_it_is_compacted_each_row_is_there_once(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[tuple[int, int, int, int]], steps: list[int]
) -> None:
    log = Log(tmp_path_factory.mktemp("drawn"))
    for place, (day, hour, minute, count) in enumerate(drawn):
        at = TODAY - timedelta(days=1) + timedelta(days=day, hours=hour, minutes=minute)
        log.write(at, count, log=f"2026-{place % 3}")
    before = len(log.files())
    for step in sorted(steps):
        log.compact(TODAY + timedelta(hours=2 * step))
        log.assert_whole()
    log.compact(TODAY + timedelta(days=9))
    log.assert_whole()
    assert len(log.files()) == min(before, len({one[0] for one in drawn}))


def killed_at(log: Log, step: int) -> bool:
    """Compacts in a process that kills itself at its n-th step on the disk; False when it came to its end."""
    child = os.fork()
    if child == 0:
        steps = iter(range(10**9))

        def counted(really: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any, **more: Any) -> Any:
                if next(steps) == step:
                    os.kill(os.getpid(), signal.SIGKILL)
                return really(*arguments, **more)

            return call

        for name in ("rename", "unlink", "mkdir"):
            setattr(Path, name, counted(getattr(Path, name)))
        os.fsync = counted(os.fsync)
        code = 1
        try:
            log.compact()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


@pytest.mark.slow
def test_a_kill_at_any_step_leaves_each_row_once_for_the_next_reader(tmp_path: Path) -> None:
    step, ended = 0, False
    while not ended:
        log = Log(tmp_path / str(step))
        for minute in range(4):
            log.write(TODAY + timedelta(hours=3, minutes=minute))
            log.write(TODAY - timedelta(hours=3, minutes=minute))
        ended = not killed_at(log, step)
        log.assert_whole()  # by name of the table, as tasuki's commands read
        if step % 2:  # and by folder, as a one-shot command reads
            with closing(Warehouse()) as warehouse:
                source = source_of(str(log.segments))
                assert len(warehouse.rows(exp.select("exposure").from_(warehouse.table(source)))) == len(log.rows)
        log.compact()
        log.assert_whole()
        assert len(log.files()) == 2
        assert sorted(one.name for one in room_of(log.segments).iterdir()) == ["compactor", "lock"]
        step += 1
    assert step > 15  # every step of both swaps was tried


@pytest.mark.slow
def test_readers_see_each_row_once_while_files_are_exchanged_and_compactions_are_killed(log: Log) -> None:
    drawn, stop, faults = random.Random(3), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            whole = Counter(log.rows)
            if (seen := log.seen()) != whole:
                faults.append((len(seen), len(whole), seen.most_common(1)))

    for minute in range(150):
        log.write(TODAY - timedelta(days=1) + timedelta(minutes=9 * minute))
    log.compact(TODAY - timedelta(days=3))  # makes the lock: from now on readers hold the folder
    readers = [threading.Thread(target=read) for _ in range(2)]
    for one in readers:
        one.start()
    for _ in range(6):
        command = [sys.executable, "-m", "tasuki.serving.compacting", str(log.segments), str(log.ahead)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(drawn.uniform(0.4, 1.6))
        process.kill()
        process.wait()
    log.compact(TODAY + timedelta(days=2))
    stop.set()
    for one in readers:
        one.join()
    assert faults == []
    log.assert_whole()
    assert len(log.files()) < 10


def test_reader_that_stays_is_waited_for_and_nothing_is_changed(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in range(3):
        log.write(TODAY + timedelta(hours=3, minutes=minute))
    log.compact(TODAY)
    before = log.files()
    monkeypatch.setattr(compaction, "PATIENCE_S", 0.2)
    with closing(Warehouse({"exposures": str(log.segments / "*.parquet")})):
        done = log.compact()
        assert (done.made, log.files()) == ((), before)
        assert "readers held the log" in done.left[0]
    assert len(log.compact().made) == 1
    log.assert_whole()


def test_only_one_compaction_works_at_a_time(log: Log) -> None:
    for minute in range(3):
        log.write(TODAY + timedelta(hours=3, minutes=minute))
    with compaction._alone(log.segments) as first:
        assert first
        assert log.compact() == Compacted(3, 3, busy=True)
    assert len(log.compact().made) == 1


def test_folder_that_may_not_be_written_is_said_and_keeps_its_rows(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    for minute in range(3):
        log.write(TODAY + timedelta(hours=3, minutes=minute))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(compaction.os, "fsync", full)
        with pytest.raises(Unavailable, match="No space"):
            log.compact()
    log.assert_whole()
    assert len(log.compact().made) == 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compacted") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    workspace.close()
    return folder


ROW = {"unit": "u1", "features": {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z"}}


def asking(service: model_desk.Running, stop: threading.Event, told: list[str]) -> None:
    while not stop.is_set():
        try:
            status, said = service.score(ROW)
        except (OSError, ValueError, HTTPException):
            return  # the service was killed; what was not read to its end was not acknowledged
        if status == 200:
            told.append(said["exposure"])


@pytest.mark.slow
def test_service_that_is_killed_while_its_log_is_compacted_loses_and_doubles_nothing(folder: Path) -> None:
    told: list[str] = []
    segments, ahead = folder / "logs" / "exposures", folder / "serving" / "write-ahead"
    for round_ in range(3):
        service = model_desk.start_service(folder, "--durable", "--flush-s", "0.05", "--compact-s", "0")
        stop = threading.Event()
        asker = threading.Thread(target=asking, args=(service, stop, told), daemon=True)
        asker.start()
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            compact(segments, ahead, datetime.now(UTC), everything=True)
        service.process.kill()
        service.process.wait(10)
        stop.set()
        asker.join(10)
        assert len(told) > 20 * round_
    assert model_desk.start_service(folder, "--durable").stop() == 0
    compact(segments, ahead, datetime.now(UTC), everything=True)
    counted = Counter(row["exposure"] for row in model_desk.exposures(folder))
    assert [one for one in told if counted[one] != 1] == []
    assert max(counted.values()) == 1
    assert len(list(segments.glob("*.parquet"))) <= 2  # two days, when the test runs at midnight


def test_service_compacts_an_hour_that_is_over_by_itself_while_it_answers(folder: Path) -> None:
    segments = folder / "logs" / "exposures"
    before = Counter(row["exposure"] for row in model_desk.exposures(folder))
    service = model_desk.start_service(folder, "--flush-s", "0.05", "--compact-s", "0.3", "--workers", "2")
    try:
        told = []
        for _ in range(40):
            told.append(service.score(ROW)[1]["exposure"])
            time.sleep(0.02)
        service.wait(lambda _: len({row["exposure"] for row in model_desk.exposures(folder)}) >= len(before) + 40)
        past = time.time() - 7_200
        many = sorted(segments.glob("exposures-*.parquet"))
        assert len(many) > 5
        for path in many:
            os.utime(path, (past, past))
        until = time.monotonic() + 30
        while any(path.exists() for path in many):
            assert time.monotonic() < until, (folder / "serving" / "service.log").read_text()[-2000:]
            assert service.score(ROW)[0] == 200
            time.sleep(0.05)
    finally:
        assert service.stop() == 0
    counted = Counter(row["exposure"] for row in model_desk.exposures(folder))
    assert [one for one in (*before, *told) if counted[one] != 1] == []
    assert max(counted.values()) == 1


def test_command_says_what_it_did_and_refuses_a_folder_that_is_no_workspace(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["model", "compact", "--workspace", str(folder), "--now", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["schema"] == "tasuki.model-compact/1"
    assert said["after"] <= said["before"]
    assert main(["model", "compact", "--workspace", str(tmp_path)]) == 5
    assert "no workspace" in capsys.readouterr().err


NAMES = st.sets(st.tuples(st.sampled_from(["a", "b-1"]), st.integers(0, 30)), max_size=20)


@given(inner=NAMES, outer=NAMES)
def test_ranges_of_segments_say_what_sets_of_names_say(inner: Any, outer: Any) -> None:
    names = [[segment_name(*one) for one in part] for part in (inner, outer)]
    assert is_within(ranges_of(names[0]), ranges_of(names[1])) == (inner <= outer)
    assert joined(map(ranges_of, names)) == ranges_of([*names[0], *names[1]])
