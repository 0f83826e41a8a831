"""What was delivered to webhooks and how it went: a file of lines in the workspace, the newest last.

It holds no address, no secret and no text of an idea: only which webhook (by its name), which position, and how it
went. It may be deleted at any time; how far a webhook has come stands in the ledger's database.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tasuki.actions.posting import Outcome
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.clock import to_text

FILE = "deliveries.jsonl"
LARGEST = 512 * 1024
"""In bytes; then the file moves aside once and a new one begins."""


@dataclass(frozen=True)
class Delivery:
    """One try to deliver.

    Args:
        webhook: The webhook's name.
        position: Of the event in the ledger.
        at: When, as ISO text.
        status: The receiver's HTTP status; 0 when there was none.
        said: What happened.
        took_ms: How long it took.
    """

    webhook: str
    position: int
    at: str
    status: int
    said: str
    took_ms: int


def name_of(webhook: Webhook) -> str:
    """What a webhook is called: its host and a piece of a hash. Addresses of chat tools are secrets themselves."""
    digest = hashlib.sha256(webhook.url.encode()).hexdigest()[:8]
    return f"{urlsplit(webhook.url).hostname or '?'}-{digest}"


@dataclass(frozen=True)
class Told:
    """A webhook as people see it: its name, whether it is signed, how far it has come, and its newest delivery."""

    name: str
    is_signed: bool
    reached: int
    waiting: bool
    latest: Delivery | None


def remember(workspace: Workspace, webhook: Webhook, position: int, outcome: Outcome) -> None:
    """Adds a line. A disk that is full stops no delivery."""
    said = Delivery(name_of(webhook), position, to_text(workspace.clock()), *asdict(outcome).values())
    file = workspace.folder / FILE
    try:
        if file.exists() and file.stat().st_size > LARGEST:
            file.replace(file.with_suffix(".old.jsonl"))
        with file.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(asdict(said), ensure_ascii=False) + "\n")
    except OSError:
        return


def deliveries_of(workspace: Workspace, webhook: str | None = None) -> Sequence[Delivery]:
    """Every delivery that is remembered, the newest first; of one webhook, or of all."""
    file = workspace.folder / FILE
    found = [one for part in (file.with_suffix(".old.jsonl"), file) for one in _read(part)]
    return [one for one in reversed(found) if webhook in (None, one.webhook)]


def _read(file: Path) -> list[Delivery]:
    try:
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    read = []
    for line in lines:
        try:
            read.append(Delivery(**json.loads(line)))
        except (ValueError, TypeError):  # a line that was cut off when the machine stopped
            continue
    return read
