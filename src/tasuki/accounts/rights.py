"""Who may do what, as one table: every verb, the scope a token needs for it, and who among the team may.

Two questions are asked of each call: does the token's scope cover the verb (a browser session has every scope), and
may this member do it? The second is answered by `Who`: `anyone` in the team, `administrator`, or `rule`, which means
that the relay's own rules decide (`tasuki.flow.rights`: the stage's owner role, the one who has the sash, …).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from tasuki.titles import Titles

Scope = Literal["read", "relay", "run", "admin"]
SCOPES: tuple[Scope, ...] = ("read", "relay", "run", "admin")
"""`read` sees everything the team sees, `relay` works on ideas and hand-offs, `run` touches models and experiments,
`admin` touches accounts, also one's own: a token must not make another that may more or lives longer."""

Who = Literal["anyone", "rule", "administrator"]


@dataclass(frozen=True)
class Verb:
    """One thing that can be asked for.

    Args:
        name: `noun.verb`, as on the command line.
        scope: What a token needs.
        who: Who in the team may.
        rule: In words of both languages, who that is.
    """

    name: str
    scope: Scope
    who: Who
    rule: Titles


_ANYONE = Titles("any member", "メンバー全員")
_HOLDER = Titles("who has the sash, or a role that owns the stage", "襷を持つ人、または工程を担う役割")
_SASH = Titles("who has the sash", "襷を持つ人")
_STAGE = Titles("a role that owns the stage", "工程を担う役割")
_OWNER_OR_HOLDER = Titles("the idea's owner or who has the sash", "施策のオーナー、または襷を持つ人")
_RECEIVER = Titles("the one who picked it up", "確認を始めた人")
_PUBLISHER = Titles("a data scientist or an ML engineer", "データサイエンティストか ML エンジニア")
_ADMINISTRATOR = Titles("an administrator", "管理者")

_TABLE = (
    Verb("idea.list", "read", "anyone", _ANYONE),
    Verb("idea.show", "read", "anyone", _ANYONE),
    Verb(
        "idea.open",
        "relay",
        "rule",
        Titles("a role that owns the flow's first stage", "フローの最初の工程を担う役割"),
    ),
    Verb("idea.comment", "relay", "anyone", _ANYONE),
    Verb("idea.look_up", "relay", "anyone", _ANYONE),
    Verb("idea.rule", "relay", "rule", _HOLDER),
    Verb("idea.skip", "relay", "rule", _OWNER_OR_HOLDER),
    Verb("idea.kill", "relay", "rule", _OWNER_OR_HOLDER),
    Verb("idea.reopen", "relay", "rule", _STAGE),
    Verb(
        "idea.settle_debt",
        "relay",
        "rule",
        Titles("who owes it, or who has the sash", "負債の担当者、または襷を持つ人"),
    ),
    Verb("idea.file_case", "relay", "anyone", _ANYONE),
    Verb(
        "contribution.state",
        "relay",
        "anyone",
        Titles("any member, of their own work", "メンバー全員（自分の仕事について）"),
    ),
    Verb(
        "contribution.confirm",
        "relay",
        "rule",
        Titles("a member other than the one who stated it", "記録した本人以外のメンバー"),
    ),
    Verb("evidence.list", "read", "anyone", _ANYONE),
    Verb("evidence.show", "read", "anyone", _ANYONE),
    Verb("evidence.attach", "relay", "rule", _HOLDER),
    Verb("handoff.offer", "relay", "rule", _SASH),
    Verb(
        "handoff.pick_up",
        "relay",
        "rule",
        Titles(
            "a role that owns the next stage; where it is offered to one of them, that one",
            "次の工程を担う役割（相手が指名されていれば本人のみ）",
        ),
    ),
    Verb("handoff.accept", "relay", "rule", _RECEIVER),
    Verb(
        "handoff.return",
        "relay",
        "rule",
        Titles(
            "the one who picked it up; the idea's owner, what another offered",
            "確認を始めた人。ほかの人が渡したものは施策のオーナーも可",
        ),
    ),
    Verb("my_work.show", "read", "anyone", _ANYONE),
    Verb("case.search", "read", "anyone", _ANYONE),
    Verb("case.show", "read", "anyone", _ANYONE),
    Verb("metric.list", "read", "anyone", _ANYONE),
    Verb("metric.show", "read", "anyone", _ANYONE),
    Verb("metric.check", "run", "anyone", _ANYONE),
    Verb("experiment.status", "read", "anyone", _ANYONE),
    Verb("experiment.list", "read", "anyone", _ANYONE),
    Verb("experiment.report", "read", "anyone", _ANYONE),
    Verb("experiment.plan", "run", "rule", _HOLDER),
    Verb("experiment.book", "run", "rule", _HOLDER),
    Verb("experiment.release", "run", "rule", _HOLDER),
    Verb("experiment.start", "run", "rule", _HOLDER),
    Verb("experiment.ramp", "run", "rule", _HOLDER),
    Verb("experiment.stop", "run", "rule", _HOLDER),
    Verb("experiment.check", "run", "rule", _HOLDER),
    Verb("experiment.compare", "run", "rule", _HOLDER),
    Verb("experiment.decide", "run", "rule", _HOLDER),
    Verb("compare", "run", "anyone", _ANYONE),
    Verb("offline.compare", "run", "anyone", _ANYONE),
    Verb("plan", "run", "anyone", _ANYONE),
    Verb("assign", "read", "anyone", _ANYONE),
    Verb("model.list", "read", "anyone", _ANYONE),
    Verb("model.show", "read", "anyone", _ANYONE),
    Verb("model.publish", "run", "rule", _PUBLISHER),
    Verb("model.rollback", "run", "rule", _PUBLISHER),
    Verb("calendar.show", "read", "anyone", _ANYONE),
    Verb("account.list", "read", "anyone", _ANYONE),
    Verb(
        "account.own",
        "admin",
        "anyone",
        Titles("any member, of their own account", "メンバー全員（自分のアカウント）"),
    ),
    Verb("account.add", "admin", "administrator", _ADMINISTRATOR),
    Verb("account.invite", "admin", "administrator", _ADMINISTRATOR),
    Verb("account.role", "admin", "administrator", _ADMINISTRATOR),
    Verb("account.disable", "admin", "administrator", _ADMINISTRATOR),
    Verb("audit.show", "admin", "administrator", _ADMINISTRATOR),
    Verb("webhook.list", "admin", "administrator", _ADMINISTRATOR),
    Verb("webhook.deliver", "admin", "administrator", _ADMINISTRATOR),
)

VERBS: Mapping[str, Verb] = {one.name: one for one in _TABLE}
"""The table, by name: what doors ask, what the page *Team* shows and what `docs/rights.md` is made from."""
