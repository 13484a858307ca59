"""How fast a number may send, as people set and see it. See domain.sending_pace for what each setting means."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

from domain.errors import InvalidInputError, NotFoundError
from domain.sending_pace import PACE_SETTINGS, SendingPace, read_pace_setting
from flows.versions import ANY, check_version, version_of
from store import events
from store.database import Database


async def change_pace(
    db: Database,
    tenant_id: UUID,
    number_id: UUID,
    wishes: Mapping[str, str],
    *,
    actor: str,
    version: str | None = ANY,
) -> None:
    """Set settings of PACE_SETTINGS, if nobody did since ``version``; an empty value takes one back. Processes follow
    within seconds.

    Raises NotFoundError, InvalidInputError or ChangedMeanwhileError; then nothing was changed.
    """
    for name, value in wishes.items():
        if name not in PACE_SETTINGS:
            raise InvalidInputError(name, f"is no setting of a number's pace; there are {', '.join(PACE_SETTINGS)}")
        if value.strip():
            read_pace_setting(name, value)
    async with db.transaction(tenant_id) as tx:
        config = await tx.fetchval("SELECT config FROM channel_session WHERE id = $1 FOR UPDATE", number_id)
        if config is None:
            raise NotFoundError("number", number_id)
        check_version("the number's pace", version, pace_version(config))
        now = {name: value.strip() or None for name, value in wishes.items()}
        changes = {name: [config.get(name), value] for name, value in now.items() if config.get(name) != value}
        await tx.execute(
            "UPDATE channel_session SET config = (config - $2::text[]) || $3 WHERE id = $1",
            number_id,
            list(wishes),
            {name: value for name, value in now.items() if value is not None},
        )
        payload = {"channel_session_id": str(number_id), "pace": sorted(wishes), "changes": changes}
        await events.append(tx, tenant_id, "session.pace", payload=payload, actor=actor)


async def pace_settings(db: Database, tenant_id: UUID, number_id: UUID) -> dict[str, str | None]:
    """What is set, by name; None: nothing. Raises NotFoundError."""
    async with db.transaction(tenant_id) as tx:
        config = await tx.fetchval("SELECT config FROM channel_session WHERE id = $1", number_id)
    if config is None:
        raise NotFoundError("number", number_id)
    return {name: None if config.get(name) is None else str(config[name]) for name in PACE_SETTINGS}


def pace_version(config: Mapping[str, Any]) -> str:
    """The version of what is set."""
    return version_of(*(None if config.get(name) is None else str(config[name]) for name in PACE_SETTINGS))


async def pace_lines(db: Database, tenant_id: UUID, number_id: UUID) -> list[str]:
    """What holds for a number now, in words. Raises NotFoundError."""
    async with db.transaction(tenant_id) as tx:
        row = await tx.fetchrow(
            "SELECT s.provider, s.config, now() - coalesce(p.new_since, s.created_at) AS age, "
            "(SELECT count(*) FROM first_contact f WHERE f.channel_session_id = s.id "
            "AND f.at > now() - interval '24 hours') AS begun "
            "FROM channel_session s LEFT JOIN number_pace p ON p.channel_session_id = s.id WHERE s.id = $1",
            number_id,
        )
    if row is None:
        raise NotFoundError("number", number_id)
    return lines_of(SendingPace.of(row["provider"], row["config"]), row["age"], row["begun"])


def lines_of(pace: SendingPace, age: timedelta, begun: int) -> list[str]:
    """The same of a number that is so old, and began to write to so many in 24 hours. Pages know each line by its form
    (web/told_lines.py)."""
    lines = ["Messages: no limit."]
    if pace.bucket is not None:
        lines = [f"Messages: {pace.bucket.per_minute:g} a minute, up to {pace.bucket.burst:g} at once."]
    if pace.new_contacts is None:
        return [*lines, "New contacts: no limit."]
    most = pace.new_contacts.most(age)
    least, longest = pace.new_contacts.gap
    apart = f"{least:g} to {longest:g} seconds apart"
    lines.append(f"New contacts: {most} in 24 hours, {apart}; {begun} in the last 24 hours.")
    if most < pace.new_contacts.per_day:
        lines.append(f"The number is new: later it may write to {pace.new_contacts.per_day} a day.")
    return lines
