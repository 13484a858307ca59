"""Every kind of event there is, in one place: what the log holds, and what of it other systems may be told.

Webhooks out, ``/ws`` and ``GET /api/v1/events`` know the same names; docs/outgoing-webhooks.md shows this list (``make
events``), and a test finds a kind that is written somewhere and not told here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

TOLD: Final[Mapping[str, str]] = {
    "message.received": "somebody wrote, or a person on the paired phone did (`author`)",
    "message.queued": "a message is on its way out",
    "message.status": "what became of it: `state` (queued, sent, failed, cancelled, unknown) or `ack` (server, device, "
    "read, played)",
    "message.edited": "its author wrote it anew",
    "message.revoked": "its author took it back at WhatsApp",
    "message.withdrawn": "an operator took it back before it left",
    "message.completed": "the rest of one came whose beginning was told already",
    "message.other_content": "a message that was told already turned out to say something else",
    "message.media": "its file is here, was read, or will not come (`state`)",
    "message.lost": "WhatsApp's library acknowledged one that nobody was handed",
    "conversation.handed_off": "it waits for a person, with `handoff`: reason and summary",
    "conversation.claimed": "a person took it",
    "conversation.assigned": "a person was given it",
    "conversation.transferred": "it was given to a queue or a team",
    "conversation.taken_over": "a person wrote in it",
    "conversation.returned": "the agent holds it again",
    "conversation.released": "the same, by the clock, after somebody had typed on the phone",
    "conversation.closed": "it was closed",
    "conversation.closing_undone": "as if it had not been closed",
    "conversation.reopened": "a person opened it again",
    "conversation.snoozed": "it was put aside",
    "conversation.unsnoozed": "it is back in its queue",
    "conversation.labelled": "it has other labels",
    "conversation.prioritised": "it has another priority",
    "conversation.marked_unread": "a person marked it so",
    "conversation.noted": "a colleague wrote a note",
    "suggestion.asked": "somebody wants the agent to look at it now",
    "suggestion.created": "a reply waits for an operator",
    "suggestion.decided": "it was approved, edited, rejected, superseded or expired (`status`)",
    "approval.created": "a business function waits for a person's yes",
    "approval.decided": "a person said yes or no, or it expired",
    "approval.settled": "it ran, or will not",
    "function.called": "a business function was called",
    "turn.decided": "the agent decided what to do",
    "contact.changed": "its name or fields",
    "contact.tagged": "it has other tags",
    "contact.profile": "its picture or its group's name",
    "contact.merged": "two turned out to be one",
    "contact.opted_in": "it wants messages that the business begins",
    "contact.opted_out": "it does not",
    "contact.exported": "everything kept about it was handed out",
    "contact.erased": "it was forgotten",
    "lead.created": "somebody wrote for the first time",
    "lead.changed": "its status or score",
    "lead.withdrawn": "an older past showed up: it is none",
    "task.created": "something is to be done",
    "task.assigned": "by somebody else",
    "task.postponed": "at another time",
    "task.done": "it is done",
    "task.reopened": "it is to be done after all",
    "satisfaction.asked": "a contact was asked how it was",
    "satisfaction.answered": "its `score`, 1 to 5",
    "budget.reached": "language models may cost no more",
    "session.added": "a number",
    "session.changed": "its name, team or settings",
    "session.status": "how its connection is",
    "session.undelivered": "what it sends is accepted, but reaches no phone",
    "session.set_up": "at its gateway",
    "session.controlled": "started, stopped … at its gateway",
    "session.asked": "its session host is to do something",
    "session.carried_out": "it did",
    "session.refused": "it could not",
    "session.logged_out": "its pairing ended",
    "session.pace": "how fast it sends",
    "session.exported": "its keys, into a backup",
    "session.imported": "from a backup",
    "session.deleted": "with its conversations",
    "policy.changed": "how replies to an intent go out",
    "policy.stopped": "the kill switch",
    "policy.resumed": "automatic messages go out again",
    "autonomy.promoted": "an intent earned replying by itself",
    "autonomy.fell_back": "it does no longer",
    "autonomy.vetoed": "an administrator forbade it",
    "autonomy.veto_lifted": "it may earn it again",
    "intent.created": "by a program or a person",
    "intent.replaced": "its declaration",
    "intent.imported": "several, from a file",
    "intent.deleted": "it is understood no more",
    "functions.imported": "business functions were declared or brought in",
    "function.switched": "on or off",
    "function.trusted": "it acts without approval, or no more",
    "function.identity": "it wants to know who the contact is, or no more",
    "function.removed": "it is no more",
    "knowledge.changed": "a document",
    "knowledge.indexed": "a document can be found",
    "knowledge.removed": "a document",
    "bundle.drafted": "a prompt bundle",
    "bundle.published": "it is in force",
    "bundle.rolled_back": "an earlier one is in force again",
    "bundle.canary": "a share of the contacts meets it",
    "bundle.canary_ended": "no more",
    "eval_case.proposed": "a message, as a test case",
    "eval_case.changed": "its wording or what is expected",
    "eval_case.played": "whether it shows its failure",
    "eval_case.accepted": "into a suite",
    "eval_case.dropped": "it is none",
    "eval_case.reopened": "after all",
    "reply.created": "a shared canned reply",
    "reply.changed": "its words",
    "reply.removed": "it is no more",
    "settings.hours": "opening hours",
    "settings.targets": "service targets",
    "tenant.set": "other settings",
    "tenant.imported": "the business's files",
    "tenant.founded": "the business",
    "tenant.closed": "by the platform",
    "tenant.reopened": "by the platform",
    "trade.applied": "a template of the trade",
    "template.changed": "a message template at Meta",
    "templates.synchronised": "all of them",
    "presence.changed": "somebody is away, or back",
    "webhook.disabled": "another endpoint, and why",
    "webhook.test": "what the button sends; no event",
}
"""What an endpoint or a socket may ask for, by name, as ``message.*`` or as ``*``, and what each tells of."""
WITHIN: Final = frozenset(
    {
        "api_key.created",
        "api_key.revoked",
        "host.allowed",
        "host.disallowed",
        "invitation.created",
        "invitation.password",
        "invitation.taken_back",
        "login.failed",
        "login.opened",
        "notification.created",
        "person.changed",
        "person.joined",
        "person.password_set",
        "person.removed",
        "secret.removed",
        "secret.stored",
        "team.changed",
        "team.created",
        "team.removed",
        "webhook.added",
        "webhook.changed",
        "webhook.enabled",
        "webhook.removed",
    }
)
"""What concerns only who works here: in the log, the audit trail and our own pages; no other system is told."""
KINDS: Final = tuple(TOLD)


def wants(patterns: Sequence[str], kind: str) -> bool:
    """Whether somebody with these patterns is told of events of this kind. One that this version does not know comes
    with ``*``: a later version may have written it."""
    if kind in WITHIN:
        return False
    return any(one in {"*", kind} or (one.endswith(".*") and kind.startswith(one[:-1])) for one in patterns)


def markdown() -> str:
    """The list, for docs/outgoing-webhooks.md."""
    lines = ["| event | tells of |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{kind}` | {about} |" for kind, about in TOLD.items())])
