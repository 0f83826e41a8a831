"""What lets people and programs in: accounts, sessions, tokens, invitations and failed tries, in the ledger's database.

These rows change and go away, unlike events: a password hash or an ended session must not be kept for ever. What
happened to an account is also an event of `ACCOUNT_STREAM`, so that it can be read later.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Connection, Engine, RowMapping, bindparam, delete, func, insert, select, update

from tasuki.accounts.account import Account, Invitation, Session, Token
from tasuki.accounts.rights import Scope
from tasuki.accounts.throttle import Limit, wait_s
from tasuki.clock import from_text, to_text
from tasuki.store.database import asking, reading, writing
from tasuki.store.head import HEAD_COLUMNS, Head, head_of
from tasuki.store.schema import accounts, failures, invitations, sessions, tokens


@dataclass(frozen=True)
class Arrival:
    """A session with the account it belongs to, None where that is gone, and the ledger's head at that moment."""

    session: Session
    account: Account | None
    head: Head


_ARRIVAL = (
    select(sessions, *(column for column in accounts.c if column.name != "member"), *HEAD_COLUMNS)
    .join_from(sessions, accounts, accounts.c.member == sessions.c.member, isouter=True)
    .where(sessions.c.secret_hash == bindparam("secret_hash"))
)


class AccountStore:
    """Reads and writes what lets people in. Every call is one transaction."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def accounts(self) -> dict[str, Account]:
        """Every account by member."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(accounts).order_by(accounts.c.member)).mappings().all()
        return {row["member"]: _account(row) for row in rows}

    def account(self, member: str) -> Account | None:
        """The account of a member; None when there is none."""
        return self._one_account(accounts.c.member == member)

    def account_of_subject(self, subject: str) -> Account | None:
        """The account that an identity provider's subject belongs to."""
        return self._one_account(accounts.c.subject == subject)

    def save(self, account: Account) -> None:
        """Writes an account as it is now."""
        row = {
            "administrator": int(account.is_administrator),
            "disabled": int(account.is_disabled),
            "password_hash": account.password_hash,
            "subject": account.subject,
        }
        with writing(self._engine) as connection:
            changed = connection.execute(update(accounts).where(accounts.c.member == account.member).values(row))
            if not changed.rowcount:
                connection.execute(insert(accounts).values(member=account.member, **row))

    def open_session(self, secret_hash: str, session: Session) -> None:
        """Remembers a session under the hash of its id."""
        row = {"secret_hash": secret_hash, "member": session.member, "csrf": session.csrf}
        moments = {"created_at": to_text(session.created_at), "seen_at": to_text(session.seen_at)}
        with writing(self._engine) as connection:
            connection.execute(insert(sessions).values(row | moments))

    def session(self, secret_hash: str) -> Session | None:
        """The session with this id's hash, over or not."""
        with asking(self._engine) as connection:
            row = connection.execute(select(sessions).where(sessions.c.secret_hash == secret_hash)).mappings().first()
        return None if row is None else _session(row)

    def arrival(self, secret_hash: str) -> Arrival | None:
        """What a page must know first of who asks by a session, in one question; None for no such session."""
        with asking(self._engine) as connection:
            row = connection.execute(_ARRIVAL, {"secret_hash": secret_hash}).mappings().first()
        if row is None:
            return None
        account = None if row["administrator"] is None else _account(row)
        return Arrival(_session(row), account, head_of(row))

    def touch_session(self, secret_hash: str, seen_at: datetime) -> None:
        """Remembers that a session was used."""
        with writing(self._engine) as connection:
            mine = sessions.c.secret_hash == secret_hash
            connection.execute(update(sessions).where(mine).values(seen_at=to_text(seen_at)))

    def close_session(self, secret_hash: str) -> None:
        """Forgets one session."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.secret_hash == secret_hash))

    def forget_sessions(self, begun_before: datetime) -> None:
        """Forgets the sessions that have ended by their age."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.created_at <= to_text(begun_before)))

    def close_sessions(self, member: str) -> None:
        """Forgets every session of a member."""
        with writing(self._engine) as connection:
            connection.execute(delete(sessions).where(sessions.c.member == member))

    def invite(self, secret_hash: str, invitation: Invitation) -> None:
        """Keeps an invitation and forgets earlier ones of the same member and purpose."""
        same = (invitations.c.member == invitation.member) & (invitations.c.purpose == invitation.purpose)
        row = {"secret_hash": secret_hash, "member": invitation.member, "purpose": invitation.purpose}
        with writing(self._engine) as connection:
            connection.execute(delete(invitations).where(same))
            connection.execute(insert(invitations).values(row | {"expires_at": to_text(invitation.expires_at)}))

    def invitation(self, secret_hash: str) -> Invitation | None:
        """The invitation with this secret's hash, whether or not it has ended."""
        query = select(invitations).where(invitations.c.secret_hash == secret_hash)
        with reading(self._engine) as connection:
            row = connection.execute(query).mappings().first()
        return None if row is None else Invitation(row["member"], row["purpose"], from_text(row["expires_at"]))

    def take_invitation(self, secret_hash: str) -> bool:
        """Uses an invitation up; False when somebody else just did."""
        with writing(self._engine) as connection:
            found = connection.execute(delete(invitations).where(invitations.c.secret_hash == secret_hash))
            return bool(found.rowcount)

    def add_token(self, secret_hash: str, token: Token) -> None:
        """Keeps a token under its secret's hash."""
        row = {
            "id": token.id,
            "secret_hash": secret_hash,
            "member": token.member,
            "label": token.label,
            "service": int(token.is_service),
            "scopes": " ".join(token.scopes),
            "created_at": to_text(token.created_at),
            "expires_at": to_text(token.expires_at),
        }
        with writing(self._engine) as connection:
            connection.execute(insert(tokens).values(row))

    def token(self, secret_hash: str) -> Token | None:
        """The token with this secret's hash, expired or not."""
        with asking(self._engine) as connection:
            row = connection.execute(select(tokens).where(tokens.c.secret_hash == secret_hash)).mappings().first()
        return None if row is None else _token(row)

    def tokens(self, member: str | None = None) -> tuple[Token, ...]:
        """The tokens of a member, or all; the newest first."""
        query = select(tokens).order_by(tokens.c.created_at.desc(), tokens.c.id)
        if member is not None:
            query = query.where(tokens.c.member == member)
        with reading(self._engine) as connection:
            return tuple(_token(row) for row in connection.execute(query).mappings())

    def use_token(self, token_id: str, at: datetime) -> None:
        """Remembers when a token was last used."""
        with writing(self._engine) as connection:
            connection.execute(update(tokens).where(tokens.c.id == token_id).values(used_at=to_text(at)))

    def revoke_token(self, token_id: str) -> bool:
        """Forgets a token; False when there is none."""
        with writing(self._engine) as connection:
            return bool(connection.execute(delete(tokens).where(tokens.c.id == token_id)).rowcount)

    def count_try(self, limits: Mapping[str, Limit], now: datetime) -> int:
        """Counts a try of each subject as failed until it is judged, and forgets what no longer counts.

        Returns:
            Seconds to wait where too many failed lately: then nothing is counted, and no try is allowed.
        """
        with writing(self._engine) as connection:
            wait = max(wait_s(_failed(connection, one, now, limit), now, limit) for one, limit in limits.items())
            if wait:
                return wait
            longest = max(limit.window for limit in limits.values())
            connection.execute(delete(failures).where(failures.c.at <= to_text(now - longest)))
            connection.execute(insert(failures), [{"subject": one, "at": to_text(now)} for one in limits])
        return 0

    def uncount_try(self, subjects: Sequence[str], at: datetime) -> None:
        """Takes back one try of each subject that was counted at this moment."""
        with writing(self._engine) as connection:
            for subject in subjects:
                mine = (failures.c.subject == subject) & (failures.c.at == to_text(at))
                number = select(func.max(failures.c.number)).where(mine).scalar_subquery()
                connection.execute(delete(failures).where(failures.c.number == number))

    def forget_failures(self, subject: str) -> None:
        """Lets a subject start anew."""
        with writing(self._engine) as connection:
            connection.execute(delete(failures).where(failures.c.subject == subject))

    def _one_account(self, condition: Any) -> Account | None:
        with asking(self._engine) as connection:
            row = connection.execute(select(accounts).where(condition)).mappings().first()
        return None if row is None else _account(row)


def _failed(connection: Connection, subject: str, now: datetime, limit: Limit) -> list[datetime]:
    since = to_text(now - limit.window)
    query = select(failures.c.at).where(failures.c.subject == subject, failures.c.at > since)
    return [from_text(at) for at in connection.execute(query).scalars()]


def _session(row: RowMapping) -> Session:
    return Session(row["member"], row["csrf"], from_text(row["created_at"]), from_text(row["seen_at"]))


def _account(row: RowMapping | Mapping[str, Any]) -> Account:
    flags = bool(row["administrator"]), bool(row["disabled"])
    return Account(row["member"], *flags, row["password_hash"], row["subject"])


def _token(row: RowMapping | Mapping[str, Any]) -> Token:
    return Token(
        id=row["id"],
        member=row["member"],
        label=row["label"],
        is_service=bool(row["service"]),
        scopes=tuple(cast(Scope, scope) for scope in row["scopes"].split()),
        created_at=from_text(row["created_at"]),
        expires_at=from_text(row["expires_at"]),
        used_at=None if row["used_at"] is None else from_text(row["used_at"]),
    )
