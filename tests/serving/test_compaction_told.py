"""How the log's compaction went stands in `/health`, in `/metrics` and on the page, whichever worker is asked."""

import http.client
import os
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions.service_health import ask_service
from tasuki.cli.main import main
from tasuki.errors import Unavailable
from tasuki.serving import compacting
from tasuki.serving.compacting import Compacting
from tasuki.serving.compaction_told import CompactionTold, compact_and_tell, read_told, tell_failed, told_document
from tasuki.serving.exposures import LogPlace
from tasuki.serving.segments import Exposure, table_of, write_segment
from tasuki.texts import Teller, from_record

NOW = datetime(2026, 4, 3, 12, 30, tzinfo=UTC)


def write_segments(folder: Path, count: int, at: datetime, start: int = 0) -> list[Path]:
    """Segments as a service would have written them at that moment."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"exposures-20260401T000000-ab-{number:06d}.parquet" for number in range(start, start + count)]
    for number, path in enumerate(paths, start):
        row = Exposure(f"x{number}", at, None, "ctr", "u", "control", "v", 0.5, False, None, 9, "{}")
        write_segment(path, table_of([row]))
        os.utime(path, (at.timestamp(), at.timestamp()))
    return paths


def spoil(path: Path, at: datetime) -> None:
    path.write_bytes(b"PAR1 no longer")
    os.utime(path, (at.timestamp(), at.timestamp()))


@pytest.fixture
def place(tmp_path: Path) -> LogPlace:
    found = LogPlace.of(tmp_path)
    write_segments(found.segments, 4, NOW - timedelta(hours=3))
    found.write_ahead.mkdir(parents=True)
    return found


def told(place: LogPlace) -> CompactionTold:
    return read_told(place.write_ahead.parent)


def test_what_went_well_is_told_with_its_figures(place: LogPlace) -> None:
    assert told_document(told(place)) == {"last": None, "failure": None, "fails": False}
    compact_and_tell(place.segments, place.write_ahead, NOW)
    assert told_document(told(place)) == {
        "last": {"at": "2026-04-03T12:30:00.000000Z", "before": 4, "after": 1, "rows": 4},
        "failure": None,
        "fails": False,
    }


def test_segment_that_cannot_be_read_is_told_until_it_is_mended(place: LogPlace) -> None:
    broken = place.segments / "exposures-20260401T000000-ab-000001.parquet"
    spoil(broken, NOW - timedelta(hours=3))
    done = compact_and_tell(place.segments, place.write_ahead, NOW)
    assert (done.before, done.after) == (4, 2)
    said = told(place)
    assert (said.fails, said.at, said.failed_at) == (True, NOW, NOW)
    [reason] = said.reasons
    assert broken.name in reason["text"]
    assert f"{broken.name} を読み取れません" in (Teller().japanese(from_record(reason["said"], reason["text"])) or "")
    broken.unlink()
    later = NOW + timedelta(hours=1)
    compact_and_tell(place.segments, place.write_ahead, later)
    assert (told(place).fails, told(place).at, told(place).failed_at) == (False, later, NOW)
    assert told_document(told(place))["failure"]["reasons"] == [reason], "the last failure stays known"


def test_folder_that_cannot_be_written_is_told_and_the_last_success_stays_known(place: LogPlace) -> None:
    compact_and_tell(place.segments, place.write_ahead, NOW)
    room = place.segments / ".compaction"
    for one in room.iterdir():
        one.unlink()
    room.rmdir()
    room.write_text("in the way")
    later = NOW + timedelta(hours=1)
    with pytest.raises(Unavailable, match="cannot be compacted"):
        compact_and_tell(place.segments, place.write_ahead, later)
    said = told(place)
    assert (said.fails, said.at, said.failed_at) == (True, NOW, later)
    assert "cannot be compacted" in said.reasons[0]["text"]


def test_compaction_beside_another_one_tells_nothing_of_its_own(
    place: LogPlace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    room = place.segments / ".compaction"
    room.mkdir()
    with (room / "compactor").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert compact_and_tell(place.segments, place.write_ahead, NOW).busy
    assert told(place) == CompactionTold()


@pytest.mark.parametrize("kept", [b"", b"{", b"[]", b'{"at": 3}', b'{"at": null, "reasons": 4}'])
def test_note_that_cannot_be_read_says_nothing(place: LogPlace, kept: bytes) -> None:
    (place.write_ahead.parent / "compaction.json").write_bytes(kept)
    assert told(place) == CompactionTold()
    tell_failed(place.write_ahead.parent, ["the disk is full"], NOW)
    assert told(place).reasons[0]["text"] == "the disk is full"


def test_process_that_is_killed_or_cannot_begin_is_told(place: LogPlace, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    one = Compacting(place, 0.05, lambda: NOW, heard.append)
    whole = subprocess.Popen

    def killed(words: Any, **options: Any) -> Any:
        return whole(["sh", "-c", f"echo out of memory >&2; kill -{int(signal.SIGKILL)} $$"], **options)

    monkeypatch.setattr(compacting.subprocess, "Popen", killed)
    assert "out of memory" in one._compact()
    assert "-9" in told(place).reasons[0]["text"]

    def refused(words: Any, **options: Any) -> Any:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(compacting.subprocess, "Popen", refused)
    assert "unavailable" in one._compact()
    assert "unavailable" in told(place).reasons[0]["text"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("told") / "w"
    workspace = model_desk.new_workspace(folder)
    model_desk.train_and_publish(workspace, "champion", model_desk.CHAMPION, "champion")
    workspace.close()
    return folder


def metrics(service: model_desk.Running) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def asked_of_each_worker(service: model_desk.Running) -> list[Any]:
    """The health as each of two workers tells it; which one answers is by chance."""
    found: dict[int, Any] = {}
    until = time.monotonic() + 10
    while len(found) < 2 and time.monotonic() < until:
        health = service.health()
        found[health["worker"]["number"]] = health["compaction"]
    assert sorted(found) == [1, 2]
    return list(found.values())


def test_every_worker_tells_of_a_compaction_that_fails_and_of_one_that_went_well(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    segments = folder / "logs" / "exposures"
    past = datetime.now(UTC) - timedelta(hours=2)
    broken, *_ = write_segments(segments, 3, past)
    spoil(broken, past)
    service = model_desk.start_service(folder, "--compact-s", "0.2", "--workers", "2")
    try:
        health = service.wait(lambda said: said["compaction"]["fails"], 30)
        assert health["status"] == "degraded"
        for said in asked_of_each_worker(service):
            assert broken.name in said["failure"]["reasons"][0]["text"]
            assert said["last"]["after"] == 2
        assert "tasuki_compaction_fails 1\n" in metrics(service)
        assert "tasuki_compaction_failure_time_seconds " in metrics(service)
        seen = ask_service(f"http://127.0.0.1:{service.port}")
        assert seen.state == "degraded"
        assert "the exposure log was not compacted" in seen.detail
        assert broken.name in seen.detail
        assert "まとめられませんでした" in (Teller().japanese(seen.detail) or "")
        service.wait(lambda _: "was not compacted" in (folder / "serving" / "service.log").read_text())
        broken.unlink()
        # Nothing is due any more; by hand it is done at once, and the service tells of that as well.
        assert main(["model", "compact", "--workspace", str(folder), "--now"]) == 0
        capsys.readouterr()
        health = service.wait(lambda said: not said["compaction"]["fails"])
        assert health["compaction"]["failure"] is not None
        assert 'tasuki_compaction_segments{when="after"}' in metrics(service)
        assert "tasuki_compaction_fails 0\n" in metrics(service)
    finally:
        assert service.stop() == 0
    console = (folder / "serving" / "service.log").read_text()
    assert console.count("was not compacted") == 1, "said once, not at every look"
