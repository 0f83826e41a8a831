"""What every page shares: templates, assets, the reader's language, and the names of people, stages and flows."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache, cached_property, lru_cache
from importlib.resources import files
from typing import Any
from urllib.parse import parse_qsl, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Request, Response
from litestar.datastructures import Cookie
from markupsafe import Markup

from tasuki.accounts.secret import form_mark, new_secret
from tasuki.actions.told import metric_titles
from tasuki.actions.workspace import Workspace
from tasuki.charts.frame import chart_style
from tasuki.clock import from_text
from tasuki.errors import Said
from tasuki.flow.plan import CASE, Contract, Member
from tasuki.flow.state import HandOff
from tasuki.texts import Teller, from_record, parts_of
from tasuki.titles import Titles
from tasuki.web.cookies import VISIT_COOKIE, cookie_for
from tasuki.web.drawings import calibration_of, drawn
from tasuki.web.intervals import reach_of, strip
from tasuki.web.language import LANGUAGES, Formats, Language, choose_language, known_language
from tasuki.web.readings import concern_in, fault_titles, is_absolute, offline_verdict, reasons_in
from tasuki.web.template_context import PageContext
from tasuki.web.texts import Texts
from tasuki.web.visitors import known_of
from tasuki.web.ways import WayOut, address_in, way_of

LANGUAGE_COOKIE = "tasuki_language"
_LONGEST_NUMBER = 9
ONCE_FIELD = "_once"
"""What each page puts into its forms, so that one that is sent twice is known as such."""
_A_YEAR_S = 365 * 86400
OPEN_KINDS = frozenset(
    {"hypothesis_brief", "offline_report", "check_report", "comparison_report", "decision", "learning"}
)
"""Evidence that people come to the page for: shown without a click."""

_SOME = re.compile(r"\b(([\d,]+) \w+)\(s\)")
_WORDS = re.compile(r"(?<![\w./-])[A-Za-z]{2,}(?![\w./-])(?!,)")

AnyRequest = Request[Any, Any, Any]


def workspace_of(request: AnyRequest) -> Workspace:
    """The workspace whose pages these are; for a request that only reads as of the moment it was let in."""
    workspace: Workspace = request.app.state.workspace
    head = known_of(request).head
    return workspace if head is None else workspace.as_of(head)


@dataclass(frozen=True)
class Asset:
    """A file the pages need, with its media type."""

    content: bytes
    media_type: str


@cache
def assets() -> Mapping[str, Asset]:
    """Every asset by name; read once."""
    folder = files("tasuki.web") / "assets"
    types = {"tasuki.css": "text/css", "tasuki.js": "text/javascript", "mark.svg": "image/svg+xml"}
    found = {name: Asset((folder / name).read_bytes(), media_type) for name, media_type in types.items()}
    return {**found, "charts.css": Asset(chart_style().encode(), "text/css")}


@cache
def assets_version() -> str:
    """Changes whenever an asset does, so that browsers may keep each version for ever."""
    joined = b"".join(asset.content for asset in assets().values())
    return hashlib.sha256(joined).hexdigest()[:12]


@cache
def environment() -> Environment:
    """The templates. Everything is escaped, and a name that does not exist is an error."""
    templates = Environment(
        loader=PackageLoader("tasuki.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    templates.context_class = PageContext
    templates.globals |= {
        "address": address,
        "assets_version": assets_version(),
        "calibration_of": calibration_of,
        "drawn": drawn,
        "date": date.fromisoformat,
        "fault_titles": fault_titles,
        "moment": from_text,
        "concern_in": concern_in,
        "offline_verdict": offline_verdict,
        "is_absolute": is_absolute,
        "reasons_in": reasons_in,
        "parts_of": parts_of,
        "reach": reach_of,
        "strip": strip,
        "OPEN_KINDS": OPEN_KINDS,
    }
    return templates


@lru_cache(maxsize=4096)
def address(path: str, **query: str | None) -> str:
    """A path with the parameters that have a value."""
    given = {name: value for name, value in query.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def whole_number(text: str | None) -> int | None:
    """The number that an address asks for; None where it is none, or too long to be one."""
    text = (text or "")[:_LONGEST_NUMBER]
    return int(text) if text.isdecimal() else None


def language_of(request: AnyRequest, default: str) -> Language:
    """The reader's language."""
    asked = request.query_params.get("lang")
    kept, accept = request.cookies.get(LANGUAGE_COOKIE), request.headers.get("accept-language")
    return choose_language(asked, kept, accept, default, known_of(request).language)


class Words:
    """The names of things in one language, as the templates call them."""

    def __init__(self, workspace: Workspace, members: Mapping[str, Member], language: Language) -> None:
        self._workspace = workspace
        self._playbook = workspace.playbook
        self._members = members
        self._language = language
        self._texts = Texts(language)
        self._teller = Teller(
            {
                "person": self.people,
                "stage": self.stage_title,
                "flow": self.flow_title,
                "formation": self.formation_title,
                "role": lambda role: self._texts.term("role", role),
                "kind": lambda kind: self._texts.term("kind", kind),
                "field": lambda name: self._texts.term("field", name),
                "arm": lambda name: self._texts.term("arm", name),
                "direction": lambda name: self._texts.term("direction", name),
                "probe": lambda name: self._texts.term("probe", name),
            }
        )

    def by_name(self) -> dict[str, Callable[..., Any]]:
        """What templates may call."""
        offered: tuple[Callable[..., Any], ...] = (
            self.people,
            self.people_list,
            self.stage_title,
            self.flow_title,
            self.formation_title,
            self.role_names,
            self.kind_names,
            self.question_of,
            self.said,
            self.way_out,
            self.place_of,
            self.said_by,
            self.all_said_by,
            self.metric_title,
        )
        return {one.__name__: one for one in offered}

    def people(self, name: str) -> str:
        """What a member is called; the bare name of somebody who is no member."""
        member = self._members.get(name)
        return (member.display_name if member else "") or name

    def people_list(self, names: Iterable[str]) -> str:
        """Several members."""
        return self._joined(self.people(name) for name in names)

    def stage_title(self, name: str) -> str:
        """The title of a stage, or of the case at the end."""
        if name == CASE:
            return self._texts("needs.case")
        stage = self._playbook.stages.get(name)
        return self._title(stage.titles if stage else None, name)

    def flow_title(self, name: str) -> str:
        """The title of a flow; its name when the playbook has dropped it."""
        flow = self._playbook.flows.get(name)
        return self._title(flow.titles if flow else None, name)

    def formation_title(self, name: str) -> str:
        """The title of a formation; its name when the playbook has dropped it."""
        formation = self._playbook.formations.get(name)
        return self._title(formation.titles if formation else None, name)

    def role_names(self, roles: Iterable[str]) -> str:
        """Roles, joined with "or" where there are several."""
        named = [self._texts.term("role", role) for role in roles]
        return ("・" if self._language == "ja" else " / ").join(named)

    def kind_names(self, kinds: Iterable[str]) -> str:
        """Kinds of evidence of which any one will do."""
        named = [self._texts(f"kind.{kind}") for kind in kinds]
        return (" または " if self._language == "ja" else " or ").join(named)

    def question_of(self, handoff: HandOff) -> str:
        """The question that was answered at a hand-off; empty when its contract is gone."""
        contract = self._contract(handoff)
        return contract.question.in_language(self._language) if contract else ""

    def said(self, sentence: str) -> str:
        """What a room said, in the reader's language and in a page's words; marked where only English is known."""
        if (way := way_of(sentence)) is not None:
            return self._filled(way[self._language], sentence)
        if self._language == "en":
            return _SOME.sub(lambda found: found[1] + ("" if found[2] == "1" else "s"), sentence)
        known = self._teller.japanese(sentence)
        if known is not None:
            return known
        return Markup('<span lang="en">{}</span>').format(sentence) if _is_english(sentence) else sentence

    def _filled(self, template: str, sentence: str) -> str:
        values = sentence.values if isinstance(sentence, Said) else {}
        return self._teller.filled(template, values) if self._language == "ja" else Said(template, values)

    def way_out(self, sentence: str) -> WayOut:
        """What to do next: a page's own way where it has one, the command to type otherwise."""
        told, way = self.said(sentence), way_of(sentence)
        if way is None:
            return WayOut(told, is_command=sentence.startswith("tasuki ") and told == sentence)
        return WayOut(told, address_in(way, sentence))

    def said_by(self, probe: Mapping[str, Any], part: str, text: str) -> str:
        """A sentence of a probe's record; `text` in English, and of a record from before sentences were kept."""
        return self.said(from_record((probe.get("said") or {}).get(part), text))

    def all_said_by(self, record: Mapping[str, Any], part: str) -> tuple[str, ...]:
        """The sentences of a part of a record; those it keeps in English where it was written before codes were."""
        texts = record[part] if isinstance(record[part], list | tuple) else (record[part],)
        kept = (record.get("said") or {}).get(part) or ()
        if len(kept) != len(texts):
            kept = ("",) * len(texts)
        doubts = {note["message"]: note for note in record.get("concerns") or ()}
        return tuple(
            concern_in(doubts[text], self._language) if text in doubts else self.said(from_record(one, text))
            for one, text in zip(kept, texts, strict=True)
        )

    def place_of(self, where: str) -> str:
        """The place of a fault: a kind of evidence and its field, a check, a field of a form; itself otherwise."""
        parts = where.removeprefix("record.").split(".")
        if numbers := [int(one) + 1 for one in parts if one.isdecimal()]:
            row = self._texts("form.number", number=numbers[0])
            names = [self._texts.term("field", one) for one in parts if not one.isdecimal()]
            return self._texts("form.place", what=names[0], row=row, part=names[-1]) if len(names) > 1 else where
        noun, _, rest = where.partition(" ")
        if noun == "check":
            return self._texts.term("check", rest)
        kind, _, name = where.partition(".")
        if name and self._texts.term("kind", kind) != kind:
            return f"{self._texts.term('kind', kind)}: {self._texts.term('field', name)}"
        kinds = where.split(" or ")
        if all(self._texts.term("kind", one) != one for one in kinds):
            return self.kind_names(kinds)
        named = self._texts.term("field", where.replace(" ", "_"))
        return where if named == where.replace(" ", "_") else named

    def metric_title(self, name: str) -> str:
        """What the team calls a metric; its name where it declares none."""
        return self._metric_titles.get(name) or name

    @cached_property
    def _metric_titles(self) -> Mapping[str, str]:
        return metric_titles(self._workspace, self._language)

    def _contract(self, handoff: HandOff) -> Contract | None:
        return self._playbook.contracts.get((handoff.from_stage, handoff.to_stage)) or next(
            (one for (from_stage, _), one in self._playbook.contracts.items() if from_stage == handoff.from_stage), None
        )

    def _title(self, titles: Titles | None, name: str) -> str:
        return titles.in_language(self._language) if titles else name

    def _joined(self, names: Iterable[str]) -> str:
        return ("、" if self._language == "ja" else ", ").join(names)


def _is_english(text: str) -> bool:
    """Whether a text reads as English, not as names, numbers or a command."""
    return len(_WORDS.findall(text)) > 1 and not text.startswith("tasuki ")


def page(
    request: AnyRequest, workspace: Workspace, template: str, context: Mapping[str, Any], status: int = 200
) -> Response[str]:
    """A page in the reader's language; keeps the language in a cookie where the address asked for it."""
    language = language_of(request, workspace.language)
    members = context["members"] if "members" in context else workspace.ledger.members()
    words = Words(workspace, members, language)
    frame = _frame(request, workspace.name, language) | {"everyone": members}
    text = environment().get_template(template).render(**words.by_name(), **frame, **context)
    response = Response(text, media_type="text/html", status_code=status)
    if known_language(request.query_params.get("lang")):
        response.set_cookie(
            Cookie(LANGUAGE_COOKIE, value=language, max_age=_A_YEAR_S, path="/", httponly=True, samesite="lax")
        )
    known = known_of(request)
    if known.is_new_visit:
        response.set_cookie(cookie_for(VISIT_COOKIE, known.csrf, workspace.door, samesite="strict"))
    return response


def _frame(request: AnyRequest, workspace_name: str, language: Language) -> dict[str, Any]:
    other = next(one for one in LANGUAGES if one != language)
    query = [(name, value) for name, value in parse_qsl(request.url.query) if name != "lang"]
    known = known_of(request)
    return {
        "visitor": known.visitor,
        "once": new_secret(),
        "mark": form_mark(known.csrf) if known.csrf else "",
        "here": address(_local_path(request), **dict(query)),
        "t": Texts(language),
        "fmt": Formats(language),
        "language": language,
        "other_language": other,
        "other_language_address": f"{_local_path(request)}?{urlencode([*query, ('lang', other)])}",
        "workspace_name": workspace_name,
    }


def _local_path(request: AnyRequest) -> str:
    """The request's path as a path of this site: `//elsewhere` must not become the address of another host."""
    return "/" + request.url.path.lstrip("/\\")
