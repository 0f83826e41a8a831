"""Validating a model file as a process of its own: a file that never ends, or wants all memory, holds nobody up.

When time runs out the process writes down where it stood, so that the line of an endless loop can be named.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tasuki.errors import Fault, Invalid

TIMEOUT_S = 300.0
LEAST_MEMORY_MB = 512
MEMORY_SHARE = 0.75
"""The share of this machine's memory that a validation may hold when nobody says how much."""
_GRACE_S = 5.0
_LAST_WORDS = 300
_FRAME = re.compile(r'^\s*File "(?P<file>.*)", line (?P<line>\d+)', re.MULTILINE)
_BOOT = """
import faulthandler, sys
seconds, limit, place = float(sys.argv.pop(1)), int(sys.argv.pop(1)), open(sys.argv.pop(1), "w")
faulthandler.dump_traceback_later(seconds, exit=True, file=place)
if sys.platform == "linux":
    import ctypes, resource, signal
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # end with the process that watches
from tasuki.cli.main import run
run()
"""


@dataclass(frozen=True)
class Ended:
    """How a validation ended: its exit code, what it printed, and what it wrote as errors."""

    code: int
    output: str
    errors: str


def validate_apart(
    arguments: Sequence[str], model_file: Path, timeout_s: float = TIMEOUT_S, memory_mb: int | None = None
) -> Ended:
    """Runs `tasuki` with these arguments, which validate the file, within limits.

    Args:
        arguments: The command line, without the command itself.
        model_file: The file, as the arguments name it.
        timeout_s: Seconds it may take.
        memory_mb: Megabytes it may hold; three quarters of this machine's memory by default.

    Raises:
        Invalid: When a limit makes no sense, when it did not end in time (naming the line where it stood), or when it
            was ended from outside, most likely for want of memory.
    """
    _check(timeout_s, memory_mb)
    memory_mb = memory_mb or round(_machine_mb() * MEMORY_SHARE)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "stood"
        words = [str(timeout_s), str(memory_mb * 1024 * 1024), str(place)]
        process = subprocess.Popen(
            [sys.executable, "-c", _BOOT, *words, *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            output, errors = process.communicate(timeout=timeout_s + _GRACE_S)
        except subprocess.TimeoutExpired:
            output = errors = ""
        finally:
            _end(process)
        stood = place.read_text(encoding="utf-8", errors="replace") if place.exists() else ""
    if stood or process.returncode == -signal.SIGKILL:
        raise _not_ended(model_file, stood, timeout_s)
    if process.returncode < 0:
        last = " ".join(errors.split())[-_LAST_WORDS:]
        what = f"was ended by signal {-process.returncode}, most likely for want of memory ({memory_mb:,} MB)"
        what += f"; its last words: {last}" if last else ""
        raise Invalid(f"{model_file} cannot be tried", [Fault(str(model_file), what, "less, or a higher --memory")])
    return Ended(process.returncode, output, errors)


def _not_ended(model_file: Path, stood: str, timeout_s: float) -> Invalid:
    """The innermost line of the file that was being run; without one, where else it stood."""
    frames = [(one["file"], int(one["line"])) for one in _FRAME.finditer(stood)]
    mine = next((line for file, line in frames if _is_same(file, model_file)), None)
    elsewhere = f" (in {Path(frames[0][0]).name}, line {frames[0][1]})" if frames and mine is None else ""
    where = f"{model_file}:{mine}" if mine else str(model_file)
    what = f"did not end within {timeout_s:g} s{elsewhere}"
    expected = "a file, features and an estimator that come to an end; or a higher --timeout"
    return Invalid(f"{model_file} cannot be tried", [Fault(where, what, expected)])


def _is_same(file: str, model_file: Path) -> bool:
    return Path(file).name == model_file.name and Path(file).resolve() == model_file.resolve()


def _end(process: "subprocess.Popen[str]") -> None:
    # The whole group: what the file itself started must not stay.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _machine_mb() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // (1024 * 1024)


def _check(timeout_s: float, memory_mb: int | None) -> None:
    faults = []
    if not timeout_s > 0:
        faults.append(Fault("--timeout", f"{timeout_s:g} s is no time", "more than 0"))
    if memory_mb is not None and memory_mb < LEAST_MEMORY_MB:
        faults.append(Fault("--memory", f"{memory_mb} MB hold not even the program", f"{LEAST_MEMORY_MB} or more"))
    if faults:
        raise Invalid("the validation cannot be limited so", faults)
