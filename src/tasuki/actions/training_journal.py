"""The journal of a training job that has not ended: what it was asked, how far it came, and what it said.

It lies in `runs/unfinished/<job>/` until the job ends: `state.json`, replaced as a whole, and `log.txt`. A job that was
interrupted, however hard, finds its journal again when the same is asked, and goes on from the last step that was
kept: a version that is stored is not trained again, evidence that is attached is not attached again. A lock that ends
with its process keeps two of the same job apart.
"""

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasuki.clock import Clock, to_text
from tasuki.store.files import held, replace_file


@dataclass
class Journal:
    """One job's journal; each change is on the disk before the next step begins.

    Args:
        folder: Where it lies.
        clock: Where the time comes from.
        state: `run` (a name that stays over every attempt), `began`, `attempts`, and after training `version`,
            `data_hash` and `trained_s`.
    """

    folder: Path
    clock: Clock
    state: dict[str, Any] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """The job's name over every attempt: the key under which its evidence is attached once."""
        return str(self.state["run"])

    @property
    def is_resumed(self) -> bool:
        """Whether an earlier attempt was interrupted."""
        return int(self.state["attempts"]) > 1

    def say(self, text: str) -> None:
        """Adds a line to the log."""
        with (self.folder / "log.txt").open("a", encoding="utf-8") as log:
            log.write(f"{to_text(self.clock())} {text}\n")

    def keep(self, **found: Any) -> None:
        """Keeps how far the job came."""
        self.state |= found
        replace_file(self.folder / "state.json", json.dumps(self.state, ensure_ascii=False, indent=1).encode())

    def log(self) -> str:
        """What the job has said in every attempt."""
        path = self.folder / "log.txt"
        return path.read_text(encoding="utf-8") if path.is_file() else ""


def job_of(asked: Mapping[str, object]) -> str:
    """The name of a job: the same for the same question."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, default=str).encode()).hexdigest()[:16]


@contextmanager
def open_journal(runs: Path, job: str, clock: Clock) -> Iterator[Journal]:
    """The job's journal, found again or begun; it is removed when the work with it ends without an error.

    A journal that cannot be read is begun anew: nothing in it is needed for a right result.
    """
    folder = runs / "unfinished" / job
    with held(runs / "unfinished" / f".{job}.lock"):
        folder.mkdir(parents=True, exist_ok=True)
        state = _read(folder / "state.json") or {"run": f"run-{secrets.token_hex(8)}", "began": to_text(clock())}
        journal = Journal(folder, clock, state)
        journal.keep(attempts=int(state.get("attempts", 0)) + 1, pid=os.getpid())
        journal.say(f"attempt {journal.state['attempts']} begins (process {os.getpid()})")
        try:
            yield journal
        except Exception as error:
            journal.say(f"{type(error).__name__}: {' '.join(str(error).split())[:500]}")
            raise
        shutil.rmtree(folder)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_bytes())
        return found if isinstance(found, dict) and found["run"] and found["began"] else None
    except (OSError, ValueError, KeyError):
        return None
