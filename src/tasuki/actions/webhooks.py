"""The webhooks as people see them: how far each has come, how the latest deliveries went, and trying one now."""

from collections.abc import Sequence

from tasuki.actions.deliveries import Told, deliveries_of, name_of
from tasuki.actions.notify import cursor_name, deliver_waiting, is_waiting
from tasuki.actions.workspace import Webhook, Workspace
from tasuki.errors import Missing, said


def told_webhooks(workspace: Workspace) -> Sequence[Told]:
    """Every webhook of the settings, with its newest delivery."""
    tried = deliveries_of(workspace)
    return [
        Told(
            name := name_of(one),
            bool(one.secret),
            workspace.ledger.cursor(cursor_name(one)),
            is_waiting(workspace, one),
            next((delivery for delivery in tried if delivery.webhook == name), None),
        )
        for one in workspace.webhooks
    ]


def deliver_now(workspace: Workspace, name: str) -> Told:
    """Tries at once what a webhook has not taken.

    Raises:
        Missing: There is no such webhook.
    """
    deliver_waiting(workspace, webhook_named(workspace, name))
    return next(one for one in told_webhooks(workspace) if one.name == name)


def webhook_named(workspace: Workspace, name: str) -> Webhook:
    """The webhook of that name.

    Raises:
        Missing: There is none.
    """
    known = {name_of(one): one for one in workspace.webhooks}
    if name not in known:
        raise Missing(
            said("there is no webhook {name!r}", name=name),
            expected=said("one of the webhooks: {names}", names=tuple(known) or ("–",)),
            next_step="see: tasuki webhook list",
        )
    return known[name]
