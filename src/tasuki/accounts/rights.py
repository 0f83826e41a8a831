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


def _verbs() -> tuple[Verb, ...]:
    anyone = Titles("any member", "メンバー全員")
    holder = Titles("who has the sash, or a role that owns the stage", "襷を持つ人、または工程を担う役割")
    sash = Titles("who has the sash", "襷を持つ人")
    stage = Titles("a role that owns the stage", "工程を担う役割")
    owner_or_holder = Titles("the idea's owner or who has the sash", "施策のオーナー、または襷を持つ人")
    receiver = Titles("the one who picked it up", "確認を始めた人")
    publisher = Titles("a data scientist or an ML engineer", "データサイエンティストか ML エンジニア")
    administrator = Titles("an administrator", "管理者")
    return (
        Verb("idea.list", "read", "anyone", anyone),
        Verb("idea.show", "read", "anyone", anyone),
        Verb(
            "idea.open",
            "relay",
            "rule",
            Titles("a role that owns the flow's first stage", "フローの最初の工程を担う役割"),
        ),
        Verb("idea.comment", "relay", "anyone", anyone),
        Verb("idea.look_up", "relay", "anyone", anyone),
        Verb("idea.rule", "relay", "rule", holder),
        Verb("idea.skip", "relay", "rule", owner_or_holder),
        Verb("idea.kill", "relay", "rule", owner_or_holder),
        Verb("idea.reopen", "relay", "rule", stage),
        Verb(
            "idea.settle_debt",
            "relay",
            "rule",
            Titles("who owes it, or who has the sash", "負債の担当者、または襷を持つ人"),
        ),
        Verb("idea.file_case", "relay", "anyone", anyone),
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
        Verb("evidence.list", "read", "anyone", anyone),
        Verb("evidence.show", "read", "anyone", anyone),
        Verb("evidence.attach", "relay", "rule", holder),
        Verb("handoff.offer", "relay", "rule", sash),
        Verb(
            "handoff.pick_up",
            "relay",
            "rule",
            Titles(
                "a role that owns the next stage; where it is offered to one of them, that one",
                "次の工程を担う役割（相手が指名されていれば本人のみ）",
            ),
        ),
        Verb("handoff.accept", "relay", "rule", receiver),
        Verb(
            "handoff.return",
            "relay",
            "rule",
            Titles(
                "the one who picked it up; the idea's owner, what another offered",
                "確認を始めた人。ほかの人が渡したものは施策のオーナーも可",
            ),
        ),
        Verb("my_work.show", "read", "anyone", anyone),
        Verb("case.search", "read", "anyone", anyone),
        Verb("case.show", "read", "anyone", anyone),
        Verb("metric.list", "read", "anyone", anyone),
        Verb("metric.show", "read", "anyone", anyone),
        Verb("metric.check", "run", "anyone", anyone),
        Verb("experiment.status", "read", "anyone", anyone),
        Verb("experiment.list", "read", "anyone", anyone),
        Verb("experiment.report", "read", "anyone", anyone),
        Verb("experiment.plan", "run", "rule", holder),
        Verb("experiment.book", "run", "rule", holder),
        Verb("experiment.start", "run", "rule", holder),
        Verb("experiment.ramp", "run", "rule", holder),
        Verb("experiment.stop", "run", "rule", holder),
        Verb("experiment.check", "run", "rule", holder),
        Verb("experiment.compare", "run", "rule", holder),
        Verb("experiment.decide", "run", "rule", holder),
        Verb("compare", "run", "anyone", anyone),
        Verb("offline.compare", "run", "anyone", anyone),
        Verb("plan", "run", "anyone", anyone),
        Verb("assign", "read", "anyone", anyone),
        Verb("model.list", "read", "anyone", anyone),
        Verb("model.show", "read", "anyone", anyone),
        Verb("model.publish", "run", "rule", publisher),
        Verb("model.rollback", "run", "rule", publisher),
        Verb("calendar.show", "read", "anyone", anyone),
        Verb("account.list", "read", "anyone", anyone),
        Verb(
            "account.own",
            "admin",
            "anyone",
            Titles("any member, of their own account", "メンバー全員（自分のアカウント）"),
        ),
        Verb("account.add", "admin", "administrator", administrator),
        Verb("account.invite", "admin", "administrator", administrator),
        Verb("account.role", "admin", "administrator", administrator),
        Verb("account.disable", "admin", "administrator", administrator),
        Verb("audit.show", "admin", "administrator", administrator),
    )


VERBS: Mapping[str, Verb] = {one.name: one for one in _verbs()}
"""The table, by name."""
