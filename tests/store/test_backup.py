"""A backup is whole or refused; a restore gives back the same ledger and destroys nothing."""

import contextlib
import hashlib
import json
import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest
from stories import comment, joining, opening, tamper, tell, together

from tasuki.errors import Invalid, Missing, Refused, Unavailable
from tasuki.flow.event import TEAM_STREAM
from tasuki.store.backup import read_backup, write_backup
from tasuki.store.ledger import Ledger, open_ledger
from tasuki.store.restore import restore

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def told(ledger: Ledger) -> Ledger:
    ledger.append(TEAM_STREAM, 0, [joining("aoi")])
    ledger.append("idea-1", 0, [opening(), comment("行を\u2028またぐ\r\n文")], key="k")
    tell(ledger, "idea-2", 3)
    ledger.move_cursor("slack", 4)
    return ledger


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.jsonl"


def everything(ledger: Ledger):
    return ledger.feed(0, 1000), ledger.ideas(), ledger.members(), ledger.earlier("k"), ledger.cursor("slack")


@pytest.mark.parametrize("target", ["sqlite", "postgresql"])
def test_a_restored_ledger_is_the_same_on_either_database(told, file, new_database, target):
    made = write_backup(told, file, NOW)
    assert (made.events, made.streams, made.at) == (7, 3, "2026-05-01T12:00:00.000000Z")
    url = new_database(target)
    assert restore(file, url, NOW).set_aside is None
    with contextlib.closing(open_ledger(url)) as again:
        assert everything(again) == everything(told)
        assert again.verify() == ()
        again.append("idea-1", 2, [comment("and on it goes")])


def test_an_empty_ledger_can_be_backed_up_and_restored(ledger, file, new_database):
    write_backup(ledger, file, NOW)
    url = new_database("sqlite")
    restore(file, url, NOW)
    with contextlib.closing(open_ledger(url)) as again:
        assert again.feed(0, 1) == ()


def test_a_backup_while_others_write_is_one_consistent_state(ledger, ledger_url, tmp_path):
    def write() -> None:
        with contextlib.closing(open_ledger(ledger_url)) as own:
            for number in range(40):
                own.append("idea-1", number, [comment(f"{number}") if number else opening()], key=f"{number}")

    def copy() -> list[int]:
        counts = []
        with contextlib.closing(open_ledger(ledger_url)) as own:
            for number in range(8):
                made = write_backup(own, tmp_path / f"{number}.jsonl", NOW)
                counts.append([made.events, len(made.rows["key"])])
        return counts

    ledger.close()
    _, counts = together([write, copy])
    assert all(events == keys for events, keys in counts)


def test_a_damaged_ledger_is_not_backed_up_over_a_good_backup(told, file):
    write_backup(told, file, NOW)
    good = file.read_bytes()
    tamper(told, "UPDATE events SET actor = 'mallory' WHERE idea = 'idea-2' AND sequence = 2")
    with pytest.raises(Invalid) as caught:
        write_backup(told, file, NOW)
    assert caught.value.faults[0].where == "idea-2 2"
    assert file.read_bytes() == good


@pytest.mark.parametrize("kept", [0, 1, 3, -1])
def test_a_backup_that_was_cut_off_is_refused(told, file, kept):
    write_backup(told, file, NOW)
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(lines[:kept]))
    with pytest.raises(Invalid, match="no whole backup"):
        read_backup(file)


def test_every_single_flipped_letter_of_a_backup_is_noticed(told, file):
    write_backup(told, file, NOW)
    good = file.read_bytes()
    for place in range(0, len(good), 97):
        file.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        with pytest.raises(Invalid):
            read_backup(file)


def test_a_backup_forged_with_a_fitting_digest_still_has_to_prove_its_chain(told, file):
    write_backup(told, file, NOW)
    body = file.read_bytes().replace(b'"actor":"ren"', b'"actor":"eve"')
    *lines, last = body.splitlines(keepends=True)
    end = json.loads(last)
    end["end"]["sha256"] = hashlib.sha256(b"".join(lines)).hexdigest()
    file.write_bytes(b"".join(lines) + json.dumps(end).encode() + b"\n")
    with pytest.raises(Invalid, match="damaged") as caught:
        read_backup(file)
    assert "hash" in str(caught.value)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"[]\n[]\n", b"[" * 100_000, b"\xff\xfe", b'{"schema":"tasuki.backup/1"}\n{"row":{}}\n']
)
def test_a_file_that_is_no_backup_is_refused(file, content):
    file.write_bytes(content)
    with pytest.raises(Invalid, match="no whole backup"):
        read_backup(file)


def test_a_missing_backup_is_missing(file):
    with pytest.raises(Missing, match="backup"):
        read_backup(file)


def test_a_backup_that_cannot_be_written_is_unavailable(told, tmp_path):
    (tmp_path / "taken").write_text("a file where a folder should be")
    with pytest.raises(Unavailable, match="taken"):
        write_backup(told, tmp_path / "taken" / "backup.jsonl", NOW)


def test_a_restore_never_overwrites_unasked(told, file, ledger_url):
    write_backup(told, file, NOW)
    told.append("idea-1", 2, [comment("newer than the backup")])
    before = everything(told)
    told.close()
    with pytest.raises(Refused, match="already holds") as caught:
        restore(file, ledger_url, NOW)
    assert caught.value.next_step
    with contextlib.closing(open_ledger(ledger_url)) as again:
        assert everything(again) == before


def test_a_forced_restore_sets_the_earlier_ledger_aside(file, new_database):
    url = new_database("sqlite")
    with contextlib.closing(open_ledger(url)) as ledger:
        tell(ledger, "idea-1", 1)
        write_backup(ledger, file, NOW)
        ledger.append("idea-1", 2, [comment("newer")])
    aside = restore(file, url, NOW, force=True).set_aside
    with contextlib.closing(open_ledger(url)) as now, contextlib.closing(open_ledger(f"sqlite:///{aside}")) as then:
        assert len(now.events("idea-1")) == 2
        assert len(then.events("idea-1")) == 3
    assert not list(file.parent.glob(".*restoring*"))


def test_a_restore_replaces_a_file_that_can_no_longer_be_opened(file, new_database):
    url = new_database("sqlite")
    with contextlib.closing(open_ledger(url)) as ledger:
        tell(ledger, "idea-1", 1)
        write_backup(ledger, file, NOW)
    target = Path(url.removeprefix("sqlite:///"))
    target.write_bytes(b"nothing of it is left" * 500)
    with pytest.raises(Refused):
        restore(file, url, NOW)
    aside = restore(file, url, NOW, force=True).set_aside
    assert aside.read_bytes().startswith(b"nothing of it is left")
    with contextlib.closing(open_ledger(url)) as again:
        assert again.verify() == ()
        assert len(again.events("idea-1")) == 2


def test_a_restore_waits_for_nobody_who_still_has_the_ledger_open(file, new_database):
    url = new_database("sqlite")
    with contextlib.closing(open_ledger(url)) as ledger:
        tell(ledger, "idea-1", 1)
        write_backup(ledger, file, NOW)
        ledger.events("idea-1")
        with pytest.raises(Unavailable, match="open"):
            restore(file, url, NOW, force=True)
        assert ledger.append("idea-1", 2, [comment("still here")])
    assert not list(file.parent.glob(".*restoring*"))


def test_nothing_changes_when_the_backup_is_not_whole(file, new_database):
    url = new_database("sqlite")
    open_ledger(url).close()
    file.write_bytes(b"{}")
    target = Path(url.removeprefix("sqlite:///"))
    before = target.read_bytes()
    with pytest.raises(Invalid):
        restore(file, url, NOW, force=True)
    assert target.read_bytes() == before
    with contextlib.closing(sqlite3.connect(target)) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)
