"""An open workspace: what every action works on."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from tasuki.accounts.door import Door
from tasuki.clock import Clock
from tasuki.flow.plan import Playbook
from tasuki.flow.rights import Act
from tasuki.store.head import Head
from tasuki.store.ledger import Ledger


@dataclass(frozen=True)
class Webhook:
    """Where hand-offs are announced.

    Args:
        url: The address; those of chat tools are secrets.
        secret: Signs every delivery with HMAC-SHA256; empty for none.
        is_private: Whether its name may lead to a private place.
    """

    url: str = field(repr=False)
    secret: str = field(default="", repr=False)
    is_private: bool = False


@dataclass(frozen=True)
class Workspace:
    """A workspace that was opened with `tasuki.settings.workspace.open_workspace`.

    Args:
        folder: Where it lies.
        name: What it is called.
        language: `ja` or `en`: what pages and reports are written in.
        ledger: The open ledger.
        playbook: The team's flows, formations and contracts.
        clock: Where the time comes from.
        flow: The flow of a new idea when none is named.
        formation: The formation of a new idea when none is named.
        member: Who acts when nobody is named.
        tables: The warehouse's tables: name to file, glob or folder.
        serving_url: Where the inference service answers, to be asked how it is; empty when nobody has said it.
        engine: What experiments are compared with: `duckdb`, `spark` or a Spark master.
        webhooks: Who is told about hand-offs.
        artifacts_location: Where models' artifacts lie.
        serving_host: Where the pages are served.
        serving_port: At which port.
        door: How people come to the pages.
    """

    folder: Path
    name: str
    language: str
    ledger: Ledger
    playbook: Playbook
    clock: Clock
    flow: str
    formation: str
    member: str
    tables: Mapping[str, str]
    webhooks: tuple[Webhook, ...] = ()
    artifacts_location: str = "artifacts"
    serving_host: str = "127.0.0.1"
    serving_port: int = 8765
    door: Door = field(default_factory=Door)
    engine: str = "duckdb"
    serving_url: str = ""

    def as_of(self, head: Head) -> "Workspace":
        """This workspace for one who has just asked for the ledger's head, see `Ledger.as_of`."""
        return replace(self, ledger=self.ledger.as_of(head))

    def act(self, actor: str) -> Act:
        """The actor, now, under this workspace's playbook and team."""
        return Act(actor, self.clock(), self.playbook, self.ledger.members())

    def close(self) -> None:
        """Closes the ledger."""
        self.ledger.close()
