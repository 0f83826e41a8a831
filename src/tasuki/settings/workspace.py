"""A workspace's folder: made by `init_workspace`, opened by `open_workspace`. Every fault of its files at once."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from tasuki.accounts.door import Door
from tasuki.actions.members import add_member
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.clock import Clock, system_clock
from tasuki.errors import Fault, Invalid, Missing, Refused
from tasuki.flow.decide import member_faults
from tasuki.flow.plan import Member, Playbook
from tasuki.flow.playbook import default_playbook, default_texts, read_playbook
from tasuki.settings.door import read_door

FILE = "tasuki.toml"
LOG_SUFFIXES = (".parquet", ".csv", ".csv.gz")
_FOLDERS = ("models", "logs", "artifacts", "serving", "evidence")
_METRICS = """\
# The metrics this team declares, one [metric.NAME] each. `tasuki metric check` says every fault of this file.
"""


@dataclass(frozen=True)
class Choices:
    """What a team chooses when it makes a workspace.

    Args:
        name: What the workspace is called; the folder's name when empty.
        language: `ja` or `en`.
        flow: The flow of a new idea.
        formation: The formation of a new idea.
        member: Who acts when nobody is named; empty for nobody.
        roles: The roles with which that member joins the team; empty when they are added later.
        ledger: Where the ledger is; `sqlite:///ledger.db` is a file in the workspace.
    """

    name: str = ""
    language: str = "ja"
    flow: str = "model"
    formation: str = "planner_maker_evaluator"
    member: str = ""
    roles: tuple[str, ...] = ()
    ledger: str = "sqlite:///ledger.db"


def init_workspace(folder: Path, choices: Choices | None = None, clock: Clock = system_clock) -> Workspace:
    """Makes a workspace in a folder and opens it. Files that are there already stay as they are.

    Raises:
        Refused: The folder is a workspace already.
        Invalid: A choice that no workspace could have. Nothing was made.
    """
    chosen = choices or Choices()
    if (folder / FILE).exists():
        raise Refused(
            f"{folder} is a workspace already",
            rule="a workspace is made once",
            next_step=f"use it, or change {folder / FILE}",
        )
    from tasuki.experiments.check import thresholds_text

    text = _settings_text(chosen, chosen.name or folder.resolve().name)
    faults: list[Fault] = []
    read = _Settings(tomllib.loads(text), faults).read(folder.resolve(), default_playbook())
    if chosen.roles:
        faults += member_faults(Member(chosen.member, chosen.roles))
    if faults:
        raise Invalid(f"no workspace was made in {folder}: {len(faults)} fault(s)", faults)
    _make_folder(folder)
    for name in _FOLDERS:
        (folder / name).mkdir(exist_ok=True)
    (folder / "playbook").mkdir(exist_ok=True)
    for name, content in default_texts().items():
        _write_new(folder / "playbook" / name, content)
    _write_new(folder / "playbook" / "check.toml", thresholds_text())
    _write_new(folder / "metrics.toml", _METRICS)
    _write_new(folder / FILE, text)
    _make_ledger(read.ledger, clock)
    made = open_workspace(folder, clock)
    if chosen.roles:
        speaks: Literal["ja", "en"] = "en" if chosen.language == "en" else "ja"
        add_member(made, chosen.member, actor=chosen.member, roles=chosen.roles, language=speaks)
    return made


def _make_ledger(url: str, clock: Clock) -> None:
    from tasuki.store.ledger import open_ledger

    open_ledger(url, clock).close()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(
            f"{folder} cannot be made: {error.strerror}", expected="a folder that you may write to"
        ) from error


def _write_new(path: Path, content: str) -> None:
    if not path.exists():
        path.write_text(content, encoding="utf-8")


def open_workspace(folder: Path | None = None, clock: Clock = system_clock) -> Workspace:
    """Opens the workspace in a folder (the current one when none is named).

    Raises:
        Missing: The folder is no workspace.
        Invalid: `tasuki.toml` or the playbook has faults; all of them at once.
        Unavailable: The ledger cannot be opened.
    """
    place = (folder or Path()).resolve()
    try:
        text = (place / FILE).read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        raise Missing(
            f"{place} is no workspace",
            expected=f"a folder with a {FILE}",
            next_step="tasuki init, or name a workspace with --workspace DIR",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{place / FILE} cannot be read: {error}", expected="a text file in UTF-8") from error
    faults: list[Fault] = []
    playbook = _playbook(place / "playbook", faults)
    settings = _Settings(_parsed(text, faults), faults)
    read = settings.read(place, playbook)
    if faults or playbook is None:
        raise Invalid(f"the workspace in {place} has {len(faults)} fault(s)", faults)
    return _opened(place, read, playbook, clock)


def _opened(place: Path, read: "_Read", playbook: Playbook, clock: Clock) -> Workspace:
    from tasuki.store.database import require_there
    from tasuki.store.ledger import open_ledger

    require_there(read.ledger)
    return Workspace(
        folder=place,
        name=read.texts["name"],
        language=read.texts["language"],
        ledger=open_ledger(read.ledger, clock),
        playbook=playbook,
        clock=clock,
        flow=read.texts["flow"],
        formation=read.texts["formation"],
        member=read.texts["member"],
        tables=Tables(place, read.tables),
        webhooks=read.webhooks,
        artifacts_location=read.texts["artifacts"],
        serving_host=read.host,
        serving_port=read.port,
        door=read.door,
        engine=read.texts["engine"],
        serving_url=read.texts["serving_url"],
    )


class Tables(Mapping[str, str]):
    """The warehouse's tables as they are now: those named in the settings, and every folder below `logs/`.

    Looked up anew each time, since a service that is started later makes the folders it logs into.
    """

    def __init__(self, folder: Path, named: Mapping[str, str]) -> None:
        self._folder = folder
        self._named = named

    def __getitem__(self, name: str) -> str:
        return self._now()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._now())

    def __len__(self) -> int:
        return len(self._now())

    def __repr__(self) -> str:
        return f"Tables({self._now()!r})"

    def _now(self) -> dict[str, str]:
        return {**log_tables(self._folder), **self._named}


def log_tables(folder: Path) -> dict[str, str]:
    """Every folder below `logs/` as a table of its name; Parquet unless it holds CSV only."""
    tables = {}
    logs = folder / "logs"
    for one in sorted(logs.iterdir()) if logs.is_dir() else ():
        if one.is_dir():
            suffixes = [suffix for suffix in LOG_SUFFIXES if any(one.glob(f"*{suffix}"))]
            tables[one.name] = str(one / f"*{suffixes[0] if suffixes else LOG_SUFFIXES[0]}")
    return tables


def _playbook(folder: Path, faults: list[Fault]) -> Playbook | None:
    try:
        return read_playbook(folder)
    except Invalid as error:
        faults += [Fault(f"playbook/{fault.where}", fault.what, fault.expected) for fault in error.faults]
        return None


def _parsed(text: str, faults: list[Fault]) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        faults.append(Fault(FILE, f"is no TOML: {error}", "TOML as `tasuki init` writes it"))
        return {"name": "?"}


@dataclass(frozen=True)
class _Read:
    texts: Mapping[str, str]
    ledger: str
    tables: Mapping[str, str]
    webhooks: tuple[Webhook, ...]
    host: str
    port: int
    door: Door


_DEFAULTS = {
    "name": "",
    "language": "ja",
    "flow": "model",
    "formation": "planner_maker_evaluator",
    "member": "",
    "ledger": "sqlite:///ledger.db",
    "artifacts": "artifacts",
    "engine": "duckdb",
    "serving_url": "",
}


class _Settings:
    """One reading of `tasuki.toml`; collects every fault."""

    def __init__(self, table: Mapping[str, Any], faults: list[Fault]) -> None:
        self.table = table
        self.faults = faults

    def read(self, place: Path, playbook: Playbook | None) -> _Read:
        self._known(self.table, (*_DEFAULTS, "tables", "webhook", "serving", "web"), FILE)
        texts = {name: self._text(self.table, name, default, FILE) for name, default in _DEFAULTS.items()}
        if not texts["name"].strip():
            self._fault(FILE, "name is missing", "what the workspace is called")
        self._one_of("language", texts["language"], ("ja", "en"))
        if playbook is not None:
            self._one_of("flow", texts["flow"], tuple(playbook.flows))
            self._one_of("formation", texts["formation"], tuple(playbook.formations))
        self._engine(texts["engine"])
        if texts["serving_url"] and not _is_address(texts["serving_url"]):
            self._fault(FILE, f"serving_url is {texts['serving_url']!r}", "http://HOST:PORT of the inference service")
        host, port = self._serving()
        ledger, tables = self._ledger(place, texts["ledger"]), self._tables(place)
        return _Read(texts, ledger, tables, self._webhooks(), host, port, read_door(self._part("web"), self.faults))

    def _fault(self, where: str, what: str, expected: str) -> None:
        self.faults.append(Fault(where, what, expected))

    def _known(self, table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in known:
                self._fault(where, f"unknown key {key!r}", ", ".join(known))

    def _text(self, table: Mapping[str, Any], name: str, default: str, where: str) -> str:
        value = table.get(name, default)
        if isinstance(value, str):
            return value
        self._fault(where, f"{name} is no text", 'a text in "quotes"')
        return default

    def _one_of(self, name: str, value: str, known: tuple[str, ...]) -> None:
        if value not in known:
            self._fault(FILE, f"{name} is {value!r}", ", ".join(known))

    def _engine(self, name: str) -> None:
        # The engine's room knows which there are; it takes a moment to load and is seldom another than the default.
        if name == _DEFAULTS["engine"]:
            return
        from tasuki.warehouse.engine import require_engine

        try:
            require_engine(name)
        except Invalid as error:
            self._fault(FILE, f"engine is {name!r}", error.expected)

    def _part(self, name: str) -> Mapping[str, Any]:
        value = self.table.get(name, {})
        if isinstance(value, Mapping):
            return value
        self._fault(FILE, f"{name} is no table", f"[{name}]")
        return {}

    def _ledger(self, place: Path, url: str) -> str:
        """The address with a relative SQLite path taken from the workspace."""
        scheme, found, path = url.partition(":///")
        if not url.startswith(("sqlite:///", "postgresql")):
            self._fault(FILE, f"ledger is {url!r}", "sqlite:///FILE or postgresql://USER@HOST/DATABASE")
        return f"sqlite:///{place / path}" if found and scheme == "sqlite" else url

    def _tables(self, place: Path) -> dict[str, str]:
        entries = self._part("tables")
        globs = {name: self._text(entries, name, "", f"{FILE} tables") for name in entries}
        return {name: str(place / glob) if "://" not in glob else glob for name, glob in globs.items()}

    def _webhooks(self) -> tuple[Webhook, ...]:
        entries = self.table.get("webhook", [])
        if not isinstance(entries, list) or not all(isinstance(one, Mapping) for one in entries):
            self._fault(FILE, "webhook is no list of tables", "[[webhook]] with url and perhaps secret")
            return ()
        return tuple(self._webhook(one, f"{FILE} webhook {number}") for number, one in enumerate(entries, 1))

    def _webhook(self, entry: Mapping[str, Any], where: str) -> Webhook:
        self._known(entry, ("url", "secret", "private"), where)
        url = self._text(entry, "url", "", where)
        if not _is_address(url):
            self._fault(where, f"url is {url!r}", "an address that begins with http:// or https://")
        private = entry.get("private", False)
        if not isinstance(private, bool):
            self._fault(where, f"private is {private!r}", "true where the name may lead to a private place, or false")
        return Webhook(url, self._text(entry, "secret", "", where), private is True)

    def _serving(self) -> tuple[str, int]:
        entry = self._part("serving")
        self._known(entry, ("host", "port"), f"{FILE} serving")
        port = entry.get("port", 8765)
        if not isinstance(port, int) or isinstance(port, bool) or not 0 <= port <= 65535:
            self._fault(f"{FILE} serving", f"port is {port!r}", "a number from 0 to 65535")
            port = 8765
        return self._text(entry, "host", "127.0.0.1", f"{FILE} serving"), port


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        return False


def _settings_text(chosen: Choices, name: str) -> str:
    # A JSON string is a TOML string too.
    quoted = {key: json.dumps(value, ensure_ascii=False) for key, value in {**vars(chosen), "name": name}.items()}
    return f"""\
# The settings of this workspace. Paths are relative to this folder.
name = {quoted["name"]}
language = {quoted["language"]}        # ja or en: what pages and reports are written in
flow = {quoted["flow"]}         # the flow of a new idea (playbook/flows.toml)
formation = {quoted["formation"]}   # who owns which stage (playbook/formations.toml)
member = {quoted["member"]}           # who acts when no --as is given
ledger = {quoted["ledger"]}   # or postgresql://USER@HOST/DATABASE
artifacts = "artifacts"
# serving_url = "http://127.0.0.1:8600"   # where `tasuki model serve` answers, for the page of models

# Every folder below logs/ is a table by its name. Others are named here:
# [tables]
# impressions = "somewhere/else/*.parquet"
# Experiments are compared with DuckDB. When the logs outgrow one machine (above [tables], since it is no table):
# engine = "spark://HOST:7077"

# Offers, pick-ups, acceptances and returns are posted as JSON; a secret signs them (HMAC-SHA256).
# [[webhook]]
# url = "https://chat.example/hook"
# secret = "…"
# private = true                  # where its name leads to a private place

[serving]
host = "127.0.0.1"
port = 8765

# Pages for a whole team ask for a sign-in; `tasuki serve` prints a link for the first administrator.
# [web]
# sign_in = "on"                          # auto: only once there are accounts, or others can reach the host
# public_url = "https://tasuki.example"   # what people type
"""
