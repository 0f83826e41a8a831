"""A durable log: what was answered is in the log, once, whenever the service is killed and wherever a file was torn."""

import asyncio
import http.client
import json
import random
import threading
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import model_desk
from tasuki.clock import system_clock
from tasuki.errors import Unavailable
from tasuki.experiments.routing import RoutedArm, Routing
from tasuki.serving import segments, write_ahead
from tasuki.serving.exposures import ExposureLog, LogPlace
from tasuki.serving.segments import Exposure
from tasuki.serving.write_ahead import Claim, WriteAheadFile, file_name, finish_abandoned, read_groups
from tasuki.store.routing import save_routing

FEATURES = {"app": "app3", "slot": "top", "at": "2026-03-12T01:30:00Z", "minutes_since_last": 12.5}


def exposure(number: int) -> Exposure:
    when = datetime(2026, 3, 1, 12, 0, 0, number % 1_000_000, tzinfo=UTC)
    experiment, reason = ("e", None) if number % 2 else (None, "parameters_unavailable")
    return Exposure(f"x{number}", when, experiment, "ctr", "猫", "control", None, 0.5, True, reason, number, "{}")


def write_groups(path: Path, groups: list[list[Exposure]]) -> None:
    file = WriteAheadFile(path)
    for group in groups:
        file.append(group)
    file.close()


GROUPS = st.lists(st.lists(st.integers(0, 10**6).map(exposure), min_size=1, max_size=4), min_size=1, max_size=5)


@settings(max_examples=60, deadline=None)
@given(groups=GROUPS, data=st.data())
def test_file_that_is_torn_anywhere_gives_the_whole_groups_before(
    tmp_path_factory: pytest.TempPathFactory, groups: list[list[Exposure]], data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("torn") / "a-000000.wal"
    ends = [0]
    file = WriteAheadFile(path)
    for group in groups:
        file.append(group)
        ends.append(path.stat().st_size)
    file.close()
    content = path.read_bytes()
    cut = data.draw(st.integers(0, len(content)))
    spoilt = content[:cut] + data.draw(st.binary(max_size=3))
    whole = sum(1 for end in ends[1:] if end <= cut)
    read = list(read_groups(spoilt))
    assert len(read) >= whole
    assert [[tuple(row) for row in group] for group in read[:whole]] == [
        [tuple(row) for row in group] for group in groups[:whole]
    ]
    # What was spoilt is only taken when it happens to be the very bytes that were there.
    assert len(read) == whole or spoilt.startswith(content[: ends[whole + 1]])


def test_one_flipped_bit_ends_the_file(tmp_path: Path) -> None:
    write_groups(tmp_path / "a-000000.wal", [[exposure(1)], [exposure(2)], [exposure(3)]])
    content = bytearray((tmp_path / "a-000000.wal").read_bytes())
    content[len(content) // 2] ^= 4
    assert len(list(read_groups(bytes(content)))) == 1


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    place = LogPlace(tmp_path / "exposures", tmp_path / "ahead", durable=True, flush_s=0.05)
    place.segments.mkdir()
    place.write_ahead.mkdir()
    return place


def logged(place: LogPlace) -> list[str]:
    return [
        one for path in sorted(place.segments.glob("*.parquet")) for one in pq.read_table(path)["exposure"].to_pylist()
    ]


def test_abandoned_files_become_segments_once(place: LogPlace) -> None:
    write_groups(place.write_ahead / file_name("a", 0), [[exposure(1)], [exposure(2), exposure(3)]])
    write_groups(place.write_ahead / file_name("a", 1), [[exposure(4)]])
    (place.write_ahead / "a.lock").touch()
    draft = segments.draft_of(place.segments / write_ahead.segment_name("a", 1))
    draft.write_bytes(b"half a segment")
    # Killed between the segment's rename and the removal of its file: the segment is there, nothing is added.
    table = segments.table_of([exposure(one) for one in (1, 2, 3)])
    segments.write_segment(place.segments / write_ahead.segment_name("a", 0), table)
    assert finish_abandoned(place.write_ahead, place.segments) == 1
    assert sorted(logged(place)) == ["x1", "x2", "x3", "x4"]
    assert list(place.write_ahead.iterdir()) == []
    assert not draft.exists()
    assert finish_abandoned(place.write_ahead, place.segments) == 0


def test_files_of_a_log_that_lives_are_left_alone(place: LogPlace) -> None:
    claim = Claim(place.write_ahead, "b")
    write_groups(place.write_ahead / file_name("b", 0), [[exposure(1)]])
    assert finish_abandoned(place.write_ahead, place.segments) == 0
    assert (place.write_ahead / file_name("b", 0)).exists()
    claim.release()


def test_replayed_rows_equal_the_ones_that_were_answered(place: LogPlace) -> None:
    rows = [exposure(one) for one in range(6)]
    segments.write_segment(place.segments / "direct.parquet", segments.table_of(rows))
    write_groups(place.write_ahead / file_name("a", 0), [rows])
    (place.write_ahead / "a.lock").touch()
    finish_abandoned(place.write_ahead, place.segments)
    replayed = place.segments / write_ahead.segment_name("a", 0)
    assert pq.read_table(replayed).equals(pq.read_table(place.segments / "direct.parquet"))


def test_a_segment_written_with_rests_holds_the_same_rows(place: LogPlace) -> None:
    rows = [exposure(one) for one in range(2 * segments.ROWS_AT_A_STRETCH + 7)]
    table = segments.table_of(rows)
    segments.write_segment(place.segments / "at-once.parquet", table)
    segments.write_segment(place.segments / "with-rests.parquet", table, rest_s=0.001)
    assert pq.ParquetFile(place.segments / "with-rests.parquet").num_row_groups == 3
    assert pq.read_table(place.segments / "with-rests.parquet").equals(
        pq.read_table(place.segments / "at-once.parquet")
    )
    segments.write_segment(place.segments / "empty.parquet", table.slice(0, 0))
    assert pq.read_table(place.segments / "empty.parquet").num_rows == 0


def test_disk_that_refuses_fails_the_answer_and_heals(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    async def play(log: ExposureLog) -> None:
        log.add(exposure(1))
        await log.on_disk()
        with monkeypatch.context() as patched:
            patched.setattr(write_ahead.os, "fdatasync", full)
            log.add(exposure(2))
            with pytest.raises(Unavailable, match="No space"):
                await log.on_disk()
        log.add(exposure(3))
        await log.on_disk()

    log = ExposureLog(place, system_clock)
    log.start()
    asyncio.run(play(log))
    log.stop()
    assert sorted(logged(place)) == ["x1", "x3"]
    assert (log.refused, log.waiting, log.written) == (1, 0, 2)
    assert list(place.write_ahead.iterdir()) == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("durable") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    model_desk.train_and_publish(workspace, "challenger", model_desk.CHALLENGER, "challenger")
    workspace.close()
    arms = (RoutedArm("control", 0.5, "champion", "artifacts"), RoutedArm("treatment", 0.5, "challenger", "artifacts"))
    save_routing(folder, Routing("ctr", "killed", "check", "killed", arms))
    return folder


class Asker(threading.Thread):
    """Asks until the connection breaks, and keeps the exposures it was answered."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self.port = port
        self.number = number
        self.told: list[str] = []
        self.others: list[int] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        row = {"unit": f"u{self.number}", "features": FEATURES}
        bodies = [json.dumps(row).encode(), json.dumps({"rows": [row] * 3}).encode()]
        try:
            for turn in range(10**6):
                connection.request("POST", "/v1/models/ctr/score", bodies[turn % 2])
                response = connection.getresponse()
                answer = json.loads(response.read())
                if response.status != 200:
                    self.others.append(response.status)
                    continue
                self.told += [one["exposure"] for one in answer.get("answers", [answer])]
        except (OSError, http.client.HTTPException, ValueError):
            pass  # the service was killed; what was not read to its end was not acknowledged
        finally:
            connection.close()


def kill_under_load(folder: Path, times: int, seed: int) -> None:
    drawn, told = random.Random(seed), []
    before = set(segment_rows(folder))
    for _ in range(times):
        service = model_desk.start_service(folder, "--durable", "--flush-s", "0.1")
        askers = [Asker(service.port, number) for number in range(3)]
        for asker in askers:
            asker.start()
        time.sleep(drawn.uniform(0.05, 0.3))
        service.process.kill()
        service.process.wait(10)
        for asker in askers:
            asker.join(10)
        assert [one for asker in askers for one in asker.others] == []
        told += [one for asker in askers for one in asker.told]
    # The next start finishes what the last kill left.
    assert model_desk.start_service(folder, "--durable").stop() == 0
    counted = Counter(segment_rows(folder))  # reading them all also shows that each can be read
    assert len(told) > times
    assert [one for one in told if counted[one] != 1] == []
    assert max(counted.values()) == 1
    assert before <= counted.keys()
    assert list((folder / "serving" / "write-ahead").iterdir()) == []
    assert [one.name for one in (folder / "logs" / "exposures").iterdir() if one.suffix != ".parquet"] == []


def segment_rows(folder: Path) -> list[str]:
    paths = sorted((folder / "logs" / "exposures").glob("*.parquet"))
    return [one for path in paths for one in pq.read_table(path)["exposure"].to_pylist()]


def test_every_durable_answer_is_in_the_log_once_after_five_kills(folder: Path) -> None:
    kill_under_load(folder, 5, seed=1)


@pytest.mark.slow
def test_every_durable_answer_is_in_the_log_once_after_fifty_kills(folder: Path) -> None:
    kill_under_load(folder, 50, seed=2)
