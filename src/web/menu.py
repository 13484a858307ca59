"""The pages that a visitor may open, in groups. A page appears here once its route exists."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from domain.roles import Right
from web.i18n import N_

if TYPE_CHECKING:  # who is asking is told by errors, and errors are pages
    from web.access import Visitor


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the menu; ``name`` is translated where it is shown."""

    href: str
    name: str
    icon: str
    right: Right | None
    """None: for who runs the platform, whatever the role."""


GROUPS: tuple[tuple[str, str, tuple[Page, ...]], ...] = (
    (
        N_("Work"),
        "inbox",
        (
            Page("/inbox", N_("Inbox"), "inbox", Right.CONVERSATIONS_READ),
            Page("/supervision", N_("Supervision"), "users-group", Right.SUPERVISION),
            Page("/reports", N_("Reports"), "chart-bar", Right.REPORTS_READ),
            Page("/leads", N_("Leads"), "target", Right.CONTACTS_READ),
            Page("/tasks", N_("Tasks"), "checklist", Right.CONTACTS_READ),
            Page("/notifications", N_("Notifications"), "bell", Right.CONVERSATIONS_READ),
        ),
    ),
    (
        N_("Assistant"),
        "robot",
        (
            Page("/intents", N_("Intents"), "message-2", Right.INTENTS_READ),
            Page("/functions", N_("Business functions"), "tool", Right.FUNCTIONS_READ),
            Page("/knowledge", N_("Knowledge"), "book", Right.KNOWLEDGE_READ),
            Page("/prompts", N_("Prompts"), "versions", Right.PROMPTS_READ),
            Page("/policy", N_("Automatic replies"), "shield-check", Right.POLICY_READ),
            Page("/traces", N_("Traces"), "route", Right.TRACES_READ),
            Page("/evals/cases", N_("Test cases"), "circle-check", Right.CASES_WRITE),
            Page("/evals", N_("Evals"), "checks", Right.EVALS_READ),
        ),
    ),
    (
        N_("Channels"),
        "device-mobile",
        (
            Page("/numbers", N_("WhatsApp numbers"), "device-mobile", Right.SESSIONS_READ),
            Page("/integrations", N_("Webhooks"), "webhook", Right.WEBHOOKS_READ),
        ),
    ),
    (
        N_("Business"),
        "building-store",
        (
            Page("/start", N_("First steps"), "rocket", Right.SETTINGS_WRITE),
            Page("/settings", N_("Settings"), "settings", Right.SETTINGS_READ),
            Page("/people", N_("People"), "users", Right.USERS_READ),
            Page("/teams", N_("Teams"), "users-group", Right.USERS_READ),
            Page("/settings/hours", N_("Opening hours"), "clock", Right.SETTINGS_READ),
            Page("/settings/replies", N_("Canned replies"), "message-2", Right.CONVERSATIONS_READ),
            Page("/settings/budgets", N_("Budgets"), "coin", Right.SETTINGS_READ),
            Page("/settings/targets", N_("Service targets"), "alarm", Right.SETTINGS_READ),
            Page("/settings/keys", N_("API keys"), "key", Right.API_KEYS_WRITE),
            Page("/audit", N_("Audit trail"), "history", Right.AUDIT_READ),
        ),
    ),
)
"""(name, icon, pages) of each group, in the order of the bar."""

PLATFORM: Final = (N_("Platform"), "world", (Page("/platform/tenants", N_("Businesses"), "building-store", None),))
"""The group of who runs the platform."""


def menu(visitor: Visitor) -> list[tuple[str, str, list[Page]]]:
    """The groups with the pages that the visitor may open; groups without any are left out."""
    open_to = (
        (name, icon, [page for page in pages if page.right and visitor.may(page.right)]) for name, icon, pages in GROUPS
    )
    found = [group for group in open_to if group[2]]
    return [*found, (*PLATFORM[:2], list(PLATFORM[2]))] if visitor.runs_platform else found


def first_page(rights: Collection[str]) -> str | None:
    """The address of the first page that these rights open; None: of none in the menu."""
    return next((page.href for _, _, pages in GROUPS for page in pages if page.right in rights), None)


def current(path: str) -> str:
    """The href of the page that ``path`` belongs to: the longest one it begins with; ``""`` for none."""
    found = (
        page.href for _, _, pages in (*GROUPS, PLATFORM) for page in pages if f"{path}/".startswith(f"{page.href}/")
    )
    return max(found, key=len, default="")
