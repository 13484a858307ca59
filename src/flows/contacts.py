"""Contacts: found, called by a name, described by tags and fields, opted out of what the business begins, exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from domain.errors import ChangedMeanwhileError
from flows import desk_contact
from flows.pages import Page, checked_limit, page_of, place_in
from store import contact_records, events
from store.contact_records import ContactFilter, ContactRecord
from store.database import Database
from store.wakeup import EVENTS, Wakeup


class OutdatedContactError(ChangedMeanwhileError):
    """The contact changed since it was read; ``current`` is its version now."""

    def __init__(self, current: int) -> None:
        super().__init__(f"the contact (it is version {current} now)")
        self.current = current


class Contacts:
    """What people and programs do with a tenant's contacts. Raises NotFoundError, InvalidInputError or
    ChangedMeanwhileError; then nothing was changed."""

    def __init__(self, db: Database, wakeup: Wakeup) -> None:
        self._db, self._wakeup = db, wakeup

    async def page(
        self, tenant_id: UUID, wanted: ContactFilter | None = None, *, cursor: str | None = None, limit: int = 50
    ) -> Page[ContactRecord]:
        """Contacts, the newest first."""
        before, limit = place_in(cursor, datetime, UUID), checked_limit(limit)
        async with self._db.transaction(tenant_id) as tx:
            found = await contact_records.listed(tx, wanted or ContactFilter(), before=before, limit=limit + 1)
        return page_of(found, limit, lambda one: (one.created_at, one.id))

    async def get(self, tenant_id: UUID, contact_id: UUID) -> ContactRecord:
        """One contact."""
        async with self._db.transaction(tenant_id) as tx:
            return await contact_records.one(tx, contact_id)

    async def change(
        self, tenant_id: UUID, contact_id: UUID, changes: Mapping[str, Any], *, version: int | None, actor: str
    ) -> ContactRecord:
        """Another ``name`` (None: none of ours), other ``tags``, or ``fields`` to set (None: to remove); what is not
        named stays. ``version``: what the change is based on, None: whatever it is. Raises OutdatedContactError."""
        async with self._db.transaction(tenant_id) as tx:
            before = await contact_records.one(tx, contact_id, lock=True)
            if version is not None and version != before.version:
                raise OutdatedContactError(before.version)
            row = await desk_contact.lock(tx, contact_id)
            if "name" in changes and (changes["name"] or "") != (before.name or ""):
                await desk_contact.rename(tx, row, changes["name"] or "", actor=actor)
            if changes.get("tags") is not None and list(changes["tags"]) != before.tags:
                await desk_contact.tag(tx, row, changes["tags"], actor=actor)
            if changes.get("fields"):
                fields = {name: value or "" for name, value in changes["fields"].items()}
                await desk_contact.set_fields(tx, row, fields, actor=actor)
            after = await contact_records.one(tx, contact_id)
        self._wakeup.signal(EVENTS)
        return after

    async def set_consent(self, tenant_id: UUID, contact_id: UUID, *, opted_out: bool, actor: str) -> ContactRecord:
        """The contact told the business (on the phone, in the shop) to begin no more messages, or that it may again.

        Saying the same once more changes nothing.
        """
        async with self._db.transaction(tenant_id) as tx:
            row = await desk_contact.lock(tx, contact_id)
            await desk_contact.set_opt_out(tx, row, opted_out=opted_out, actor=actor)
            after = await contact_records.one(tx, contact_id)
        self._wakeup.signal(EVENTS)
        return after

    async def export(self, tenant_id: UUID, contact_id: UUID, *, actor: str) -> dict[str, Any]:
        """Everything that is kept about a contact, as JSON (LGPD, art. 18). That it was asked for is an event."""
        async with self._db.transaction(tenant_id) as tx:
            contact = await contact_records.one(tx, contact_id)
            kept = await contact_records.kept(tx, contact_id)
            payload = {"contact_id": str(contact_id)}
            await events.append(tx, tenant_id, "contact.exported", payload=payload, actor=actor)
        return {"exported_at": datetime.now(UTC), "contact": asdict(contact), **kept}
