"""Running a training as a process of its own: with a time limit, a memory limit, and repeated when it may help.

The command that trains does not know of this: it is started as it is, and what it leaves when it is ended goes on in
the next attempt (`tasuki.actions.training_journal`).
"""

import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tasuki.errors import Fault, Invalid, Refused, Unavailable

PASSED_ON = (0, 2, 3, 4, 5)
"""Exit codes that another attempt would give again: done, or a fault of question, input or rule."""

_LEAST_MEMORY_MB = 256
"""With less, loading the libraries was seen never to end: probably OpenBLAS asks for its buffers again and again."""
START_S = 60.0
"""A process with a memory limit may take so long until it has loaded its libraries: one that is held up never ends."""
_TOLD_ITSELF = 4
"""The exit code of a process that said itself that its libraries do not fit."""
_GRACE_S = 5.0
_LONGEST_WAIT_S = 300.0
_BOOT = """
import sys
limit, started = int(sys.argv.pop(1)), int(sys.argv.pop(1))
if limit:
    import os, resource
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
if sys.platform == "linux":
    import ctypes, signal
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # end with the process that watches
if limit:
    try:
        import numpy, scipy.linalg
    except BaseException as error:
        words = "the memory does not suffice to load the libraries (--memory): allow more"
        print("%s; %s" % (words, str(error)[:200] or type(error).__name__), file=sys.stderr, flush=True)
        os._exit(4)
    os.write(started, b"1")
    os.close(started)
from tasuki.cli.main import run
run()
"""


@dataclass(frozen=True)
class Limits:
    """What a training may use.

    Args:
        timeout_s: Seconds that one attempt may take; None for no limit.
        retries: How often it is repeated after an attempt that failed by chance.
        memory_mb: What its process may hold (RLIMIT_DATA); None for no limit.
        first_wait_s: Seconds before the first repetition; each further one waits twice as long, at most five minutes.
        start_s: Seconds until a process with a memory limit must have loaded its libraries.
    """

    timeout_s: float | None = None
    retries: int = 0
    memory_mb: int | None = None
    first_wait_s: float = 5.0
    start_s: float = START_S

    @property
    def any(self) -> bool:
        """Whether there is any limit, so that a process of its own is needed."""
        return self.timeout_s is not None or self.retries != 0 or self.memory_mb is not None


@dataclass(frozen=True)
class Attempt:
    """How one attempt ended: `code` as a shell sees it, None when time ran out; `started` once libraries are loaded."""

    code: int | None
    output: str
    errors: str
    took_s: float
    started: bool = True


def run_limited(arguments: Sequence[str], limits: Limits, say: Callable[[str], None]) -> tuple[int, str]:
    """Runs `tasuki` with these arguments until it ends for good; returns its exit code and what it printed.

    Args:
        arguments: The command line, without the command itself.
        limits: What it may use.
        say: Told about every attempt that failed, and what the last one wrote as errors.

    Raises:
        Invalid: When a limit makes no sense.
        Unavailable: When time ran out or the process was ended, in the last attempt, too.
        Refused: When it needed more memory than it may have.
    """
    _check(limits)
    for number in range(limits.retries + 1):
        attempt = run_once(arguments, limits)
        if not attempt.started and attempt.code != _TOLD_ITSELF:
            raise Refused(
                f"the training {_unloaded(attempt)}, probably for want of memory",
                rule=f"it may hold {limits.memory_mb} MB (--memory)",
                next_step="allow more memory; on a machine that is only slow, run it again when it is less busy",
            )
        if attempt.code in PASSED_ON:
            if attempt.errors:
                say(attempt.errors.rstrip())
            return int(attempt.code or 0), attempt.output
        what = _told(attempt, limits)
        if number < limits.retries:
            wait_s = min(limits.first_wait_s * 2**number, _LONGEST_WAIT_S)
            say(f"attempt {number + 1} of {limits.retries + 1}: {what}; the next one begins in {wait_s:g} s")
            time.sleep(wait_s)
    if limits.memory_mb is not None and attempt.code is not None and attempt.code > 128:
        raise Refused(
            f"the training {what}, most likely for want of memory",
            rule=f"it may hold {limits.memory_mb} MB (--memory)",
            next_step="allow more, take fewer days, or train on Spark (--engine spark)",
        )
    if attempt.code is not None and attempt.code < 128 and attempt.errors:
        say(attempt.errors.rstrip())
        return attempt.code, attempt.output
    raise Unavailable(
        f"the training {what} (attempt {limits.retries + 1} of {limits.retries + 1})",
        expected="a training that ends within its limits",
        next_step="run it again: it goes on where it was interrupted; or raise --timeout, --retries or --memory",
    )


def run_once(arguments: Sequence[str], limits: Limits) -> Attempt:
    """One attempt, in a process group of its own that is ended as a whole when time runs out."""
    limit = (limits.memory_mb or 0) * 1024 * 1024
    told, tells = os.pipe()
    command = [sys.executable, "-c", _BOOT, str(limit), str(tells), *arguments]
    began, started, said_so = time.monotonic(), True, True
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors, os.fdopen(told, "rb") as start:
        try:
            process = subprocess.Popen(
                command, stdout=output, stderr=errors, start_new_session=True, pass_fds=[tells] if limit else []
            )
        finally:
            os.close(tells)
        try:
            if limit and (limits.timeout_s is None or limits.timeout_s > limits.start_s):
                # It is readable when the process says so, and when the process has ended.
                started = bool(select.select([start], [], [], limits.start_s)[0])
                said_so = started and os.read(start.fileno(), 1) == b"1"
            left_s = None if limits.timeout_s is None else max(0.0, limits.timeout_s - (time.monotonic() - began))
            code: int | None = process.wait(left_s) if started else None
            started = started and said_so
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end(process)
        output.seek(0)
        errors.seek(0)
        said = [one.read().decode("utf-8", "replace") for one in (output, errors)]
    if code is not None and code < 0:
        code = 128 - code
    return Attempt(code, said[0], said[1], time.monotonic() - began, started)


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is not None:
        return
    for number in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, number)
            process.wait(_GRACE_S)
        except ProcessLookupError:
            break
        except subprocess.TimeoutExpired:
            continue
        break


def _unloaded(attempt: Attempt) -> str:
    """How a process ended that never had its libraries; what these wrote in their trouble helps nobody."""
    if attempt.code is None:
        return f"had not loaded its libraries after {attempt.took_s:.0f} s"
    how = f"by signal {attempt.code - 128}" if attempt.code > 128 else f"with exit code {attempt.code}"
    return f"was ended {how} after {attempt.took_s:.1f} s, before its libraries were loaded"


def _told(attempt: Attempt, limits: Limits) -> str:
    if attempt.code is None:
        return f"did not end within {limits.timeout_s:g} s"
    if attempt.code > 128:
        return f"was ended by signal {attempt.code - 128} after {attempt.took_s:.1f} s"
    lines = [line for line in attempt.errors.splitlines() if line.strip()]
    return f"failed with exit code {attempt.code}" + (f": {lines[0].strip()[:200]}" if lines else "")


def _check(limits: Limits) -> None:
    faults = []
    if limits.timeout_s is not None and not limits.timeout_s > 0:
        faults.append(Fault("--timeout", f"{limits.timeout_s:g} s is no time", "more than 0"))
    if not 0 <= limits.retries <= 100:
        faults.append(Fault("--retries", f"{limits.retries} is out of range", "0 to 100"))
    if limits.memory_mb is not None and limits.memory_mb < _LEAST_MEMORY_MB:
        what = f"{limits.memory_mb} MB hold not even the program"
        faults.append(Fault("--memory", what, f"{_LEAST_MEMORY_MB} or more"))
    if faults:
        raise Invalid("the training cannot be limited so", faults)
