"""The playbook: reads a team's stages, flows, formations and contracts from TOML and reports every fault at once."""

import tomllib
from collections.abc import Mapping
from dataclasses import fields
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from tasuki.errors import Fault, Invalid, said
from tasuki.flow.checks import CHECKS
from tasuki.flow.plan import CASE, ROLES, Contract, Flow, Formation, Playbook, Requirement, Stage, TaskKind
from tasuki.flow.records import EVIDENCE_TYPES
from tasuki.titles import Titles

FILES = ("stages.toml", "flows.toml", "formations.toml", "contracts.toml")
"""The files of a playbook, in the order in which they build on each other."""

_ENVELOPE = ("data_window", "code_commit")
_Table = Mapping[str, Any]


@cache
def default_playbook() -> Playbook:
    """The built-in playbook: four flows, four formations and the contracts of their hand-offs."""
    return _Reading(default_texts()).playbook("tasuki.flow.defaults")


def default_texts() -> dict[str, str]:
    """The built-in files by name, as `tasuki init` copies them into a workspace."""
    folder = files("tasuki.flow") / "defaults"
    return {name: (folder / name).read_text(encoding="utf-8") for name in FILES}


def read_playbook(folder: Path) -> Playbook:
    """The playbook in a folder.

    Raises:
        Invalid: With every fault of all four files at once.
    """
    texts, faults = {}, []
    for name in FILES:
        try:
            texts[name] = (folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            faults.append(Fault(name, "the file is missing", "a file as `tasuki init` writes it"))
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(name, said("cannot be read: {error}", error=error), "a text file in UTF-8"))
    return _Reading(texts, faults).playbook(str(folder))


class _Reading:
    """One reading of a playbook's texts. Collects faults on the way, so that all of them are said at once."""

    def __init__(self, texts: Mapping[str, str], faults: list[Fault] | None = None) -> None:
        self.faults = [] if faults is None else faults
        self.tables = {name: self._parsed(name, text) for name, text in texts.items()}
        self.stages: dict[str, Stage] = {}

    def playbook(self, place: str) -> Playbook:
        self.stages = {name: self._stage(name, entry, at) for name, entry, at in self._entries("stages.toml", "stage")}
        flows = {name: self._flow(name, entry, at) for name, entry, at in self._entries("flows.toml", "flow")}
        formations = {
            name: self._formation(name, entry, at) for name, entry, at in self._entries("formations.toml", "formation")
        }
        contracts = self._contracts()
        self._owners_of_all(flows, formations)
        if self.faults:
            raise Invalid(
                said("the playbook in {place} has {count} fault(s)", place=place, count=len(self.faults)), self.faults
            )
        return Playbook(self.stages, flows, formations, contracts)

    def fault(self, where: str, what: str, expected: str = "") -> None:
        self.faults.append(Fault(where, what, expected))

    def _parsed(self, name: str, text: str) -> _Table | None:
        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            self.fault(name, f"is no TOML: {error}", "TOML as `tasuki init` writes it")
            return None

    def _entries(self, file: str, noun: str) -> list[tuple[str, _Table, str]]:
        table = self.tables.get(file)
        if table is None:
            return []
        self._known_keys(table, (noun,), file)
        entries = table.get(noun)
        if not isinstance(entries, Mapping) or not entries:
            self.fault(file, f"holds no [{noun}.NAME]", "at least one")
            return []
        for name, entry in entries.items():
            if not isinstance(entry, Mapping):
                self.fault(f"{file} {noun}.{name}", "is no table", f"[{noun}.{name}] and its keys below")
        return [(name, one, f"{file} {noun}.{name}") for name, one in entries.items() if isinstance(one, Mapping)]

    def _known_keys(self, table: _Table, known: tuple[str, ...], where: str) -> None:
        for key in table:
            if key not in known:
                self.fault(where, f"unknown key {key!r}", ", ".join(known))

    def _text(self, table: _Table, key: str, where: str) -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value.strip():
            self.fault(where, f"{key} is missing" if value is None else f"{key} is no text", "a text")
            return ""
        return value

    def _texts(self, table: _Table, key: str, where: str) -> tuple[str, ...]:
        value = table.get(key)
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.fault(where, f"{key} is missing" if value is None else f"{key} is no list of names", "a list of names")
            return ()
        for name in dict.fromkeys(one for one in value if value.count(one) > 1):
            self.fault(where, f"{key} names {name!r} twice", "each name once")
        return tuple(value)

    def _names(self, table: _Table, key: str, where: str, known: tuple[str, ...], noun: str) -> tuple[str, ...]:
        names = self._texts(table, key, where)
        for name in names:
            self._known_name(name, where, known, noun)
        return names

    def _known_name(self, name: str, where: str, known: tuple[str, ...], noun: str) -> None:
        if name not in known:
            self.fault(where, f"there is no {noun} {name!r}", ", ".join(known))

    def _titles(self, table: _Table, where: str) -> Titles:
        return Titles(self._text(table, "en", where), self._text(table, "ja", where))

    def _stage(self, name: str, table: _Table, where: str) -> Stage:
        self._known_keys(table, ("task_kind", "en", "ja", "limit"), where)
        if name == CASE or "/" in name:
            self.fault(where, f"a stage cannot be called {name!r}", f"a word other than {CASE}, without /")
        kind: Any = self._text(table, "task_kind", where)
        if kind:
            self._known_name(kind, where, get_args(TaskKind), "task kind")
        limit = table.get("limit")
        if limit is not None and (not isinstance(limit, int) or isinstance(limit, bool) or limit < 1):
            self.fault(where, f"limit is {limit!r}", "how many ideas at once, 1 or more")
            limit = None
        return Stage(name, kind, self._titles(table, where), limit)

    def _flow(self, name: str, table: _Table, where: str) -> Flow:
        self._known_keys(table, ("en", "ja", "stages"), where)
        stages = self._texts(table, "stages", where)
        if not stages and isinstance(table.get("stages"), list):
            self.fault(where, "has no stage", "at least one stage")
        for stage in stages:
            self._known_stage(stage, where)
        return Flow(name, self._titles(table, where), stages)

    def _known_stage(self, stage: str, where: str) -> None:
        if self.tables.get("stages.toml") is not None:
            self._known_name(stage, where, tuple(self.stages), "stage")

    def _formation(self, name: str, table: _Table, where: str) -> Formation:
        self._known_keys(table, ("en", "ja", "one_person", "owners", "in_flow"), where)
        one_person = table.get("one_person", False)
        if not isinstance(one_person, bool):
            self.fault(where, "one_person is neither true nor false", "true or false")
        owners = self._owners(table.get("owners"), f"{where}.owners")
        in_flow = table.get("in_flow", {})
        if not isinstance(in_flow, Mapping):
            self.fault(where, "in_flow is no table", f"[formation.{name}.in_flow.FLOW]")
            in_flow = {}
        for flow, entry in in_flow.items():
            special = self._owners(entry, f"{where}.in_flow.{flow}")
            owners |= {f"{flow}/{stage}": roles for stage, roles in special.items()}
        return Formation(name, self._titles(table, where), owners, bool(one_person))

    def _owners(self, table: object, where: str) -> dict[str, tuple[str, ...]]:
        if not isinstance(table, Mapping):
            self.fault(where, "missing", 'stage = ["role", …] for every stage')
            return {}
        for stage in table:
            self._known_stage(stage, where)
        return {stage: self._names(table, stage, where, ROLES, "role") for stage in table}

    def _owners_of_all(self, flows: Mapping[str, Flow], formations: Mapping[str, Formation]) -> None:
        for formation in formations.values():
            where = f"formations.toml formation.{formation.name}"
            for name in dict.fromkeys(key.split("/")[0] for key in formation.owners if "/" in key):
                if flows:
                    self._known_name(name, f"{where}.in_flow", tuple(flows), "flow")
            ownerless: dict[str, list[str]] = {}
            for flow in flows.values():
                for stage in flow.stages:
                    if stage in self.stages and not formation.roles_for(flow.name, stage):
                        ownerless.setdefault(stage, []).append(flow.name)
            for stage, names in ownerless.items():
                self.fault(where, f"nobody owns {stage} (in the flow {', '.join(names)})", "at least one role")

    def _contracts(self) -> dict[tuple[str, str], Contract]:
        table = self.tables.get("contracts.toml")
        if table is None:
            return {}
        self._known_keys(table, ("contract",), "contracts.toml")
        entries = table.get("contract")
        if not isinstance(entries, list) or not entries:
            self.fault("contracts.toml", "holds no [[contract]]", "at least one")
            return {}
        found: dict[tuple[str, str], Contract] = {}
        for number, entry in enumerate(entries, 1):
            where = f"contracts.toml contract {number}"
            if not isinstance(entry, Mapping):
                self.fault(where, "is no table", "[[contract]] and its keys below")
                continue
            contract = self._contract(entry, where)
            key = (contract.from_stage, contract.to_stage)
            if key in found:
                self.fault(where, f"a second contract for {key[0]} → {key[1]}", "one contract for each hand-off")
            found[key] = contract
        return found

    def _contract(self, table: _Table, where: str) -> Contract:
        self._known_keys(table, ("from", "to", "checks", "question", "requires"), where)
        start, end = self._text(table, "from", where), self._text(table, "to", where)
        where = f"{where} ({start or '?'} → {end or '?'})"
        for stage in (start, "" if end == CASE else end):
            if stage:
                self._known_stage(stage, where)
        question = table.get("question")
        if not isinstance(question, Mapping):
            self.fault(where, "question is missing", "question.en and question.ja")
            question = {"en": "?", "ja": "?"}
        requires = table.get("requires", [])
        if not isinstance(requires, list) or not all(isinstance(one, Mapping) for one in requires):
            self.fault(where, "requires is no list of tables", "[[contract.requires]]")
            requires = []
        return Contract(
            start,
            end,
            tuple(self._requirement(one, f"{where} requires {number}") for number, one in enumerate(requires, 1)),
            self._names(table, "checks", where, tuple(CHECKS), "check") if "checks" in table else (),
            self._titles(question, f"{where} question"),
        )

    def _requirement(self, table: _Table, where: str) -> Requirement:
        self._known_keys(table, ("kinds", "fields", "how"), where)
        kinds = self._names(table, "kinds", where, tuple(EVIDENCE_TYPES), "kind of evidence")
        known = {one.name for kind in kinds if kind in EVIDENCE_TYPES for one in fields(EVIDENCE_TYPES[kind])}
        wanted = self._texts(table, "fields", where) if "fields" in table else ()
        for name in wanted:
            if known and name not in known and name not in _ENVELOPE:
                self.fault(where, f"{' or '.join(kinds)} has no field {name!r}", ", ".join(sorted(known)))
        return Requirement(kinds, wanted, self._text(table, "how", where))
