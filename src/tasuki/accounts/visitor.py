"""Who asks, and whether they may: the member behind a browser, a token or this machine's own user."""

from dataclasses import dataclass, field
from typing import Literal

from tasuki.accounts.rights import SCOPES, VERBS, Scope
from tasuki.errors import NotAllowed, said
from tasuki.titles import Titles

Way = Literal["local", "session", "token"]


@dataclass(frozen=True)
class Visitor:
    """Somebody who was let in.

    Args:
        member: The member in whose name everything is done.
        way: Through this machine alone (no sign-in), a browser session or a token.
        scopes: What they may use of the member's right.
        is_administrator: Whether the member's account may touch accounts.
        csrf: The session's secret from which forms get their mark; empty for tokens, which send no forms.
    """

    member: str
    way: Way
    scopes: tuple[Scope, ...] = SCOPES
    is_administrator: bool = False
    csrf: str = field(default="", repr=False)


def may(visitor: Visitor, verb: str) -> bool:
    """Whether the visitor may ask for the verb at all; where the table says `rule`, the relay decides the rest."""
    wanted = VERBS[verb]
    return wanted.scope in visitor.scopes and (wanted.who != "administrator" or visitor.is_administrator)


def require(visitor: Visitor, verb: str) -> None:
    """Lets the visitor ask for the verb.

    Raises:
        NotAllowed: The token's scope does not cover it, or it is for administrators.
    """
    wanted = VERBS[verb]
    if wanted.scope not in visitor.scopes:
        raise NotAllowed(
            said("the token of {member} may not {verb}", member=visitor.member, verb=_use_of(verb)),
            rule=said("{verb} needs a token with the scope {scope}", verb=verb, scope=wanted.scope),
            expected=said(
                "the scope {scope}; this token has {scopes}",
                scope=wanted.scope,
                scopes=tuple(visitor.scopes) or said("none"),
            ),
            next_step="make a token with that scope under your account",
        )
    if wanted.who == "administrator" and not visitor.is_administrator:
        raise NotAllowed(
            said("{member} may not {verb}", member=visitor.member, verb=_use_of(verb)),
            rule=said("{verb} is for {who}", verb=_TITLES.get(verb, verb), who=wanted.rule),
            expected="an administrator",
            next_step="ask an administrator; the team page says who they are",
        )


_TITLES = {
    "account.add": Titles("adding members", "メンバーの追加"),
    "account.invite": Titles("inviting members", "メンバーの招待"),
    "account.role": Titles("changing roles", "役割の変更"),
    "account.disable": Titles("disabling accounts", "アカウントの停止"),
    "audit.show": Titles("the audit log", "監査ログの表示"),
    "webhook.list": Titles("the list of webhooks", "Webhook の一覧"),
    "webhook.deliver": Titles("sending webhooks again", "Webhook の再送"),
}
"""What a page calls the verbs that are for administrators."""


def _use_of(verb: str) -> str:
    if verb in _TITLES:
        return said("use “{words}”", words=_TITLES[verb])
    noun, _, action = verb.partition(".")
    return said("use “{words}”", words=" ".join(filter(None, (noun, action))))
