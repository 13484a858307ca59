"""A tenant's rows as the agent's profile. Needs neither the encoder nor the classifier, so it is quick to load."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from zoneinfo import ZoneInfo

from agent.turn import TenantProfile
from domain.decisions import ReplyMode
from flows.attendance_declaration import AttendanceDeclaration
from flows.model_declaration import declared_budgets
from flows.tenant_declaration import IntentDeclaration
from store.database import Row
from store.functions import FunctionRow
from tools.declaration import BusinessFunction

_NO_FUNCTIONS: Mapping[str, BusinessFunction] = MappingProxyType({})


def profile_of(
    tenant: Row,
    intents: Sequence[Row] = (),
    function_rows: Sequence[FunctionRow] = (),
    functions: Mapping[str, BusinessFunction] = _NO_FUNCTIONS,
) -> TenantProfile:
    """From whole rows. The tenant's alone are enough for its texts, hours and policy."""
    settings = tenant["settings"]
    attendance = AttendanceDeclaration.stored(settings)
    specs = [IntentDeclaration.model_validate({**row["declaration"], "examples": {}}).spec() for row in intents]
    return TenantProfile(
        id=str(tenant["id"]),
        name=tenant["name"],
        version=str(tenant["profile_version"]),
        timezone=ZoneInfo(tenant["timezone"]),
        languages=tuple(settings.get("languages", ("pt", "es", "en"))),
        default_language=settings.get("default_language", "pt"),
        reply_mode=ReplyMode(settings.get("reply_mode", "suggest")),
        threshold=float(settings.get("threshold", 0.8)),
        knowledge_threshold=float(settings.get("knowledge_threshold", 0.5)),
        unmatched_mode=ReplyMode(settings["unmatched_mode"]) if settings.get("unmatched_mode") else None,
        intents={spec.name: spec for spec in specs},
        functions=functions,
        trusted_writes=frozenset(row.name for row in function_rows if row.trusted),
        trusted_only_for={row.name: frozenset(row.trusted_for) for row in function_rows if row.trusted_for},
        texts=settings.get("texts", {}),
        persona=settings.get("persona", ""),
        domains=frozenset(settings.get("domains", ())),
        **attendance.profile_fields(),
        budgets=declared_budgets(settings).budgets(),
        mask_model_prompts=settings.get("mask_model_prompts") is True,
        second_reading=settings.get("second_reading") is not False,
    )
