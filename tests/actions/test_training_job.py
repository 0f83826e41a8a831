"""A training job that is killed, out of time or out of memory: real processes, and one clean result in the end."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import model_desk
from tasuki.actions import training_job
from tasuki.actions.models import train_model
from tasuki.actions.relay import open_idea
from tasuki.actions.training_journal import open_journal
from tasuki.actions.workspace import Workspace
from tasuki.clock import system_clock
from tasuki.errors import Refused


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    made = model_desk.new_workspace(tmp_path_factory.mktemp("job") / "w")
    yield made
    made.close()


def command(workspace: Workspace, path: Path, *options: str) -> list[str]:
    words = ["model", "train", str(path), "--workspace", str(workspace.folder), "--as", "ren", "--json", *options]
    return [sys.executable, "-m", "tasuki.cli", *words]


def run(workspace: Workspace, path: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command(workspace, path, *options), capture_output=True, text=True, timeout=120, check=False)


def model_file(workspace: Workspace, name: str, first_lines: str = "", c: float = 1.0) -> Path:
    path = model_desk.write_model(workspace, name, model_desk.CHAMPION, c)
    path.write_text(f"{first_lines}\n{path.read_text()}")
    return path


def unfinished(workspace: Workspace) -> list[dict[str, Any]]:
    states = (workspace.folder / "runs" / "unfinished").glob("*/state.json")
    return [json.loads(one.read_text()) for one in states]


def test_job_killed_after_its_version_was_stored_goes_on_and_leaves_its_evidence_once(workspace: Workspace) -> None:
    path = model_file(workspace, "stored", c=0.7)
    idea = open_idea(workspace, "kill", actor="ren").idea
    process = subprocess.Popen(command(workspace, path, "--idea", idea), stdout=subprocess.DEVNULL)
    kept = None
    while process.poll() is None and kept is None:
        kept = next((one.get("version") for one in unfinished(workspace)), None)
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert kept is not None
    said = json.loads(run(workspace, path, "--idea", idea).stdout)
    assert said["version"] == kept
    assert unfinished(workspace) == []
    kinds = [one.kind for one in workspace.ledger.state(idea).evidence]
    assert sorted(kinds) == ["golden_examples", "model_card"]
    (log,) = (workspace.folder / "runs").glob(f"*-{kept}.log")
    assert "attempt 2 begins" in log.read_text()
    assert "it is not trained again" in log.read_text()
    assert train_model(workspace, path, actor="ren").version == kept


@pytest.mark.slow
def test_job_killed_at_any_moment_ends_with_the_version_of_an_uninterrupted_one(workspace: Workspace) -> None:
    path = model_file(workspace, "anywhere", c=0.6)
    began = time.monotonic()
    expected = json.loads(
        run(workspace, model_file(workspace, "calm", c=0.6), "--until", "2026-03-09T00:00:00Z").stdout
    )
    whole_s = time.monotonic() - began
    path.write_text((workspace.folder / "models" / "calm.py").read_text())
    versions = workspace.folder / "artifacts" / "ctr" / "versions"
    for share in (0.4, 0.7, 0.9):
        process = subprocess.Popen(
            command(workspace, path, "--until", "2026-03-09T00:00:00Z"), stdout=subprocess.DEVNULL
        )
        time.sleep(whole_s * share)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for folder in versions.iterdir():
            assert folder.name.startswith(".") or (folder / "manifest.json").is_file()
    again = json.loads(run(workspace, path, "--until", "2026-03-09T00:00:00Z").stdout)
    assert again["version"] == expected["version"]
    assert unfinished(workspace) == []


def test_job_out_of_time_is_ended_with_everything_it_started(workspace: Workspace) -> None:
    note = workspace.folder / "pid"
    path = model_file(
        workspace, "slow", f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(90)"
    )
    began = time.monotonic()
    ended = run(workspace, path, "--timeout", "8")
    assert time.monotonic() - began < 30
    assert ended.returncode == 7
    assert "did not end within 8 s" in ended.stderr
    with pytest.raises(ProcessLookupError):
        os.kill(int(note.read_text()), 0)


def test_attempt_that_dies_is_repeated_and_the_result_is_printed_once(workspace: Workspace) -> None:
    note = workspace.folder / "died"
    lines = f"import os, pathlib\nif not pathlib.Path({str(note)!r}).exists():\n"
    lines += f"    pathlib.Path({str(note)!r}).touch(); os.kill(os.getpid(), 9)"
    path = model_file(workspace, "dies", lines)
    ended = run(workspace, path, "--retries", "2", "--retry-wait", "0.1")
    assert ended.returncode == 0, ended.stderr
    assert "attempt 1 of 3: was ended by signal 9" in ended.stderr
    assert json.loads(ended.stdout)["schema"] == "tasuki.model-train/1"


def test_fault_of_the_file_is_not_repeated(workspace: Workspace) -> None:
    path = model_file(workspace, "faulty", "raise ValueError('no data today')")
    began = time.monotonic()
    ended = run(workspace, path, "--retries", "5", "--retry-wait", "60")
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "no data today" in ended.stderr
    assert time.monotonic() - began < 30


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what a process holds on Linux only")
def test_job_that_wants_more_memory_than_it_may_have_says_so(workspace: Workspace) -> None:
    path = model_file(workspace, "greedy", "import numpy as np\nheld = np.ones(400_000_000)")
    ended = run(workspace, path, "--memory", "1500")
    assert ended.returncode == 4, ended.stderr
    assert "memory" in ended.stderr
    assert "--memory" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA counts what a process holds on Linux only")
def test_job_whose_libraries_do_not_fit_ends_in_words_though_it_has_no_time_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(training_job, "_LEAST_MEMORY_MB", 1)
    began = time.monotonic()
    for memory_mb in (40, 80, 120, 160):
        said: list[str] = []
        limits = training_job.Limits(memory_mb=memory_mb, start_s=2.0, retries=3)
        try:
            code, output = training_job.run_limited(["--help"], limits, said.append)
            told = "\n".join(said)
        except Refused as refused:
            code, output, told = 4, "", str(refused)
        assert (code, output) == (4, ""), told  # it was refused, and not repeated
        assert "Traceback" not in told
        ways = [way for way, words in WAYS.items() if re.search(words, told)]
        assert len(ways) == 1, (memory_mb, told)
    assert time.monotonic() - began < 15


WAYS = {
    "it says itself that they do not fit": r"the memory does not suffice to load the libraries \(--memory\)",
    "it is ended by a signal": r"was ended by signal \d+ after [\d.]+ s, before its libraries were loaded.* memory",
    "a library gives up": r"was ended with exit code \d+ after [\d.]+ s, before its libraries were loaded.* memory",
    "a library tries without end": r"had not loaded its libraries after 2 s, probably for want of memory",
}
"""The ways in which too little memory ends a training before it begins; which one depends on the machine."""


def test_start_that_does_not_end_is_refused_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_job, "_BOOT", "import time; time.sleep(60)")
    limits = training_job.Limits(memory_mb=500, retries=3, start_s=0.5)
    with pytest.raises(Refused, match="libraries") as refused:
        training_job.run_limited([], limits, print)
    assert "allow more memory" in refused.value.next_step


def test_process_that_has_loaded_its_libraries_may_take_its_time(workspace: Workspace) -> None:
    path = model_file(workspace, "patient", "import time; time.sleep(6)")
    words = command(workspace, path)[3:]
    attempt = training_job.run_once(words, training_job.Limits(memory_mb=4_000, start_s=5.0))
    assert (attempt.code, attempt.started) == (0, True), attempt.errors


@pytest.mark.parametrize("options", [("--timeout", "0"), ("--retries", "-1"), ("--memory", "5")])
def test_limit_without_sense_is_refused(workspace: Workspace, options: tuple[str, str]) -> None:
    ended = run(workspace, model_file(workspace, "plain"), *options)
    assert ended.returncode == 3
    assert options[0] in ended.stderr


def test_torn_journal_is_begun_anew(tmp_path: Path) -> None:
    torn = tmp_path / "unfinished" / "job" / "state.json"
    torn.parent.mkdir(parents=True)
    for content in ("", "{", "[]", '{"run": ""}'):
        torn.parent.mkdir(exist_ok=True)
        torn.write_text(content)
        with open_journal(tmp_path, "job", system_clock) as journal:
            assert journal.state["attempts"] == 1
            assert not journal.is_resumed
        assert not torn.exists()
