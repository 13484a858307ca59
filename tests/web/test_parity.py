"""What people do on pages, programs do over the API: each page's act has an operation, or a reason why none.

A new act of a page that is not told here fails: name its operation, or say why programs need none.
"""

from __future__ import annotations

import re
from pathlib import Path

ACCESS = Path(__file__).parents[2] / "docs" / "access.md"
OWN = "one's own account and sign-in: POST /api/v1/auth/… is the programs' way"
WRITING = "helps a person who types; a program asks its own model"
FIRST = "leads a person through the first hour; each step alone is an operation of its own"
COMMANDS = "a prompt engineer's, whose programs call `atende bundle …` and `atende eval …` beside the files"
OPERATOR = "acts as the operator who is there and answers for it; a program has its own systems"
PLATFORM = "the installation's, not a business's: `atende tenant …`"

SAME = {
    "/functions/new": "PUT /api/v1/functions/{name}",
    "/functions/import": "PUT /api/v1/functions/{name}",
    "/functions/secrets": "PUT /api/v1/secrets/{name:path}",
    "/functions/secrets/remove": "DELETE /api/v1/secrets/{name:path}",
    "/functions/{function}/try": "POST /api/v1/functions/{name}/try",
    "/functions/{function}/{act}": "PATCH /api/v1/functions/{name}",
    "/inbox/bulk": "PATCH /api/v1/conversations/{conversation_id}",
    "/inbox/{conversation_id}/approvals/{approval_id}": (
        "POST /api/v1/conversations/{conversation_id}/approvals/{approval_id}"
    ),
    "/inbox/{conversation_id}/attachments": "POST /api/v1/sessions/{session_id}/files",
    "/inbox/{conversation_id}/claim": "POST /api/v1/conversations/{conversation_id}/claim",
    "/inbox/{conversation_id}/close": "POST /api/v1/conversations/{conversation_id}/close",
    "/inbox/{conversation_id}/closing/undo": "POST /api/v1/conversations/{conversation_id}/reopen",
    "/inbox/{conversation_id}/contact/fields": "PATCH /api/v1/contacts/{contact_id}",
    "/inbox/{conversation_id}/contact/lead": "PATCH /api/v1/leads/{contact_id}",
    "/inbox/{conversation_id}/contact/name": "PATCH /api/v1/contacts/{contact_id}",
    "/inbox/{conversation_id}/contact/opt-out": "PUT /api/v1/contacts/{contact_id}/consent",
    "/inbox/{conversation_id}/labels": "PATCH /api/v1/conversations/{conversation_id}",
    "/inbox/{conversation_id}/move": "POST /api/v1/conversations/{conversation_id}/transfer",
    "/inbox/{conversation_id}/notes": "POST /api/v1/conversations/{conversation_id}/notes",
    "/inbox/{conversation_id}/outbox/{outbox_id}": "POST /api/v1/outgoing/{outbox_id}/settle",
    "/inbox/{conversation_id}/priority": "PATCH /api/v1/conversations/{conversation_id}",
    "/inbox/{conversation_id}/read": "PATCH /api/v1/conversations/{conversation_id}",
    "/inbox/{conversation_id}/reopen": "POST /api/v1/conversations/{conversation_id}/reopen",
    "/inbox/{conversation_id}/reply": "POST /api/v1/conversations/{conversation_id}/replies",
    "/inbox/{conversation_id}/return": "POST /api/v1/conversations/{conversation_id}/return",
    "/inbox/{conversation_id}/snooze": "POST /api/v1/conversations/{conversation_id}/snooze",
    "/inbox/{conversation_id}/suggestions/{suggestion_id}/another": (
        "POST /api/v1/conversations/{conversation_id}/suggest"
    ),
    "/inbox/{conversation_id}/suggestions/{suggestion_id}/approve": "POST /api/v1/suggestions/{suggestion_id}/approve",
    "/inbox/{conversation_id}/suggestions/{suggestion_id}/reject": "POST /api/v1/suggestions/{suggestion_id}/reject",
    "/inbox/{conversation_id}/tags": "PATCH /api/v1/contacts/{contact_id}",
    "/inbox/{conversation_id}/tasks": "POST /api/v1/tasks",
    "/inbox/{conversation_id}/tasks/{task_id}": "PATCH /api/v1/tasks/{task_id}",
    "/inbox/{conversation_id}/unread": "PATCH /api/v1/conversations/{conversation_id}",
    "/inbox/{conversation_id}/unsnooze": "DELETE /api/v1/conversations/{conversation_id}/snooze",
    "/integrations": "POST /api/v1/webhooks",
    "/integrations/{endpoint_id}/deliveries/{delivery_id}/replay": (
        "POST /api/v1/webhooks/{endpoint_id}/deliveries/{delivery_id}/replay"
    ),
    "/integrations/{endpoint_id}/{action}": "PATCH /api/v1/webhooks/{endpoint_id}",
    "/intents/import": "POST /api/v1/intents/import",
    "/intents/new": "POST /api/v1/intents",
    "/intents/try": "POST /api/v1/intent-check",
    "/intents/{intent}": "PUT /api/v1/intents/{name}",
    "/intents/{intent}/delete": "DELETE /api/v1/intents/{name}",
    "/knowledge/files": "PUT /api/v1/knowledge/documents/{ref:path}",
    "/knowledge/remove": "DELETE /api/v1/knowledge/documents/{ref:path}",
    "/knowledge/search": "GET /api/v1/knowledge/search",
    "/knowledge/text": "PUT /api/v1/knowledge/documents/{ref:path}",
    "/leads/{contact_id}": "PATCH /api/v1/leads/{contact_id}",
    "/notifications/read": "POST /api/v1/notifications/read",
    "/notifications/{notification_id}/read": "POST /api/v1/notifications/{notification_id}/read",
    "/numbers/new": "POST /api/v1/sessions",
    "/numbers/{session_id}/act": "POST /api/v1/sessions/{session_id}/{wish}",
    "/numbers/{session_id}/control": "POST /api/v1/sessions/{session_id}/{wish}",
    "/numbers/{session_id}/groups": "PATCH /api/v1/sessions/{session_id}",
    "/numbers/{session_id}/pair": "POST /api/v1/sessions/{session_id}/{wish}",
    "/numbers/{session_id}/pair-code": "POST /api/v1/sessions/{session_id}/pair-code",
    "/numbers/{session_id}/pause": "POST /api/v1/sessions/{session_id}/{wish}",
    "/numbers/{session_id}/resume": "POST /api/v1/sessions/{session_id}/{wish}",
    "/numbers/{session_id}/set-up": "POST /api/v1/sessions/{session_id}/set-up",
    "/numbers/{session_id}/settings": "PATCH /api/v1/sessions/{session_id}/pace",
    "/people": "POST /api/v1/users",
    "/people/links/{link_id}/take-back": "DELETE /api/v1/invitations/{link_id}",
    "/people/{user_id}": "PATCH /api/v1/users/{user_id}",
    "/people/{user_id}/password-link": "POST /api/v1/users/{user_id}/password-link",
    "/people/{user_id}/remove": "DELETE /api/v1/users/{user_id}",
    "/policy/intents/{intent}/allow": "PUT /api/v1/policy/intents/{intent}/veto",
    "/policy/intents/{intent}/veto": "PUT /api/v1/policy/intents/{intent}/veto",
    "/policy/numbers/{session_id}/resume": "PUT /api/v1/policy/stop",
    "/policy/numbers/{session_id}/stop": "PUT /api/v1/policy/stop",
    "/policy/resume": "PUT /api/v1/policy/stop",
    "/policy/stop": "PUT /api/v1/policy/stop",
    "/presence": "PUT /api/v1/users/{user_id}/away",
    "/settings/budgets": "PATCH /api/v1/settings",
    "/settings/hours": "PUT /api/v1/hours",
    "/settings/keys": "POST /api/v1/api-keys",
    "/settings/keys/{key_id}/revoke": "DELETE /api/v1/api-keys/{key_id}",
    "/settings/replies": "POST /api/v1/canned-replies",
    "/settings/replies/{reply_id}": "PUT /api/v1/canned-replies/{reply_id}",
    "/settings/replies/{reply_id}/remove": "DELETE /api/v1/canned-replies/{reply_id}",
    "/settings/targets": "PUT /api/v1/targets",
    "/settings/{page}": "PATCH /api/v1/settings",
    "/supervision/assign": "POST /api/v1/conversations/{conversation_id}/assign",
    "/supervision/people/{user_id}/away": "PUT /api/v1/users/{user_id}/away",
    "/tasks": "POST /api/v1/tasks",
    "/tasks/{task_id}/{act}": "PATCH /api/v1/tasks/{task_id}",
    "/teams": "POST /api/v1/teams",
    "/teams/{team_id}": "PATCH /api/v1/teams/{team_id}",
    "/teams/{team_id}/remove": "DELETE /api/v1/teams/{team_id}",
}
"""Where a page's form goes, and the operation that does the same."""
NONE = {
    "/account/": OWN,
    "/logout": OWN,
    "/tenant": OWN,
    "/start/": FIRST,
    "/prompts/": COMMANDS,
    "/evals/": COMMANDS,
    "/inbox/{conversation_id}/turns/{turn_id}/case": COMMANDS,
    "/inbox/{conversation_id}/help/": WRITING,
    "/settings/replies/preview": WRITING,
    "/inbox/{conversation_id}/functions/": OPERATOR,
    "/inbox/{conversation_id}/outbox/{outbox_id}/withdraw": "what a page holds for some seconds before it sends",
    "/functions/mcp": "asks an MCP server what it offers, to look through it: `atende functions import`",
    "/numbers/quarantine/": "what nobody understood, for a person to read: `atende quarantine …`",
    "/platform/": PLATFORM,
}
"""Where there is none, by the beginning of the path, and why."""
READ = {
    "/audit": "GET /api/v1/audit",
    "/functions": "GET /api/v1/functions",
    "/inbox": "GET /api/v1/conversations",
    "/inbox/{conversation_id}": "GET /api/v1/conversations/{conversation_id}/messages",
    "/integrations/{endpoint_id}/log": "GET /api/v1/webhooks/{endpoint_id}/deliveries",
    "/intents/check": "GET /api/v1/intent-check",
    "/knowledge": "GET /api/v1/knowledge/documents",
    "/leads": "GET /api/v1/leads",
    "/notifications": "GET /api/v1/notifications",
    "/numbers": "GET /api/v1/sessions",
    "/numbers/{session_id}": "GET /api/v1/sessions/{session_id}/log",
    "/people": "GET /api/v1/users",
    "/policy": "GET /api/v1/policy",
    "/reports/{figure}": "GET /api/v1/reports/{figure}",
    "/settings/hours": "GET /api/v1/hours",
    "/settings/keys": "GET /api/v1/api-keys",
    "/settings/replies": "GET /api/v1/canned-replies",
    "/settings/targets": "GET /api/v1/targets",
    "/tasks": "GET /api/v1/tasks",
    "/teams": "GET /api/v1/teams",
    "/traces": "GET /api/v1/turns",
    "/traces/{turn_id}": "GET /api/v1/turns/{turn_id}",
}
"""What the pages of the menu show."""


def test_that_every_act_of_a_page_is_an_operation_of_the_api_or_says_why_not() -> None:
    routes = re.findall(r"^\| `((?:GET|POST|PUT|PATCH|DELETE) \S+)` \|", ACCESS.read_text(), re.MULTILINE)
    operations = {route for route in routes if " /api/v1/" in route}
    acts = [route.partition(" ")[2] for route in routes if route.startswith("POST /") and route not in operations]
    acts = [
        path
        for path in acts
        if not path.startswith(("/join", "/login", "/language", "/setup", "/simulator", "/webhooks"))
    ]
    assert len(acts) > 100
    assert len(operations) > 120
    told = {path for path in acts if path in SAME or any(path.startswith(beginning) for beginning in NONE)}
    assert set(acts) - told == set()
    assert {*SAME.values(), *READ.values()} - operations == set(), "there is no such operation"
    assert SAME.keys() - set(acts) == set(), "no page has it any more"
    assert {f"GET {path}" for path in READ} <= set(routes)
    assert all(any(path.startswith(beginning) for path in acts) for beginning in NONE)
