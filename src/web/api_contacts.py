"""``/api/v1/contacts``: the people who write: found, described, opted out, exported and erased."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from domain.roles import Right
from flows.api_keys import ApiCaller
from flows.contact_erasure import ContactErasure
from flows.contacts import Contacts
from store.contact_records import ContactFilter
from web.api import Api, answer, etag, wanted_version
from web.api_schema import (
    A_TIME,
    AN_ID,
    Asked,
    Cursor,
    Limit,
    Shown,
    Words,
    body_of,
    listing,
    operation,
    shown,
    shown_page,
)

Value = Annotated[str, Field(max_length=1000)] | None


class Contact(Shown):
    """Somebody who writes, or a group."""

    id: UUID
    name: str | None = Field(description="What the business calls the contact")
    push_name: str | None = Field(description="What the contact calls itself on WhatsApp")
    is_group: bool
    addresses: list[str] = Field(description="`phone:5511990001111`, `lid:…`, `group:…`")
    tags: list[str]
    fields: dict[str, Any] = Field(description="The business's own names and values")
    opted_out_at: datetime | None = Field(description="Since when it wants no messages that the business begins")
    lead_status: str | None
    lead_score: int
    lead_source: str
    version: int
    created_at: datetime
    example: ClassVar[dict[str, Any]] = {
        "id": AN_ID,
        "name": "Bruno Lima",
        "push_name": "Bruno",
        "is_group": False,
        "addresses": ["phone:5511990001111"],
        "tags": ["vip"],
        "fields": {"cidade": "Recife"},
        "opted_out_at": None,
        "lead_status": "new",
        "lead_score": 20,
        "lead_source": "Vendas",
        "version": 3,
        "created_at": A_TIME,
    }


class ContactChange(Asked):
    """What is not named stays as it is."""

    name: Annotated[str, Field(max_length=120)] | None = Field(None, description="null: as it calls itself")
    tags: list[Annotated[str, Field(max_length=40)]] | None = Field(None, max_length=20)
    fields: dict[Annotated[str, Field(min_length=1, max_length=60)], Value] | None = Field(
        None, max_length=40, description="Values to set; null removes one. Others stay."
    )
    example: ClassVar[dict[str, Any]] = {"name": "Bruno Lima", "tags": ["vip"], "fields": {"cidade": "Recife"}}


class ConsentChange(Asked):
    """What the contact told the business, outside of a chat."""

    opted_out: bool
    example: ClassVar[dict[str, Any]] = {"opted_out": True}


class ContactExport(Shown):
    """Everything that is kept about a contact: its row, and the rows of each kind that are about it."""

    exported_at: datetime
    contact: dict[str, Any]
    addresses: list[dict[str, Any]]
    consent: list[dict[str, Any]]
    conversations: list[dict[str, Any]]
    messages: list[dict[str, Any]]
    example: ClassVar[dict[str, Any]] = {
        "exported_at": A_TIME,
        "contact": {"id": AN_ID, "name": "Bruno Lima"},
        "addresses": [{"kind": "phone", "value": "5511990001111"}],
        "consent": [],
        "conversations": [{"id": AN_ID, "status": "closed"}],
        "messages": [{"id": 4711, "author": "contact", "text": "Oi!"}],
    }


class Erasure(Shown):
    """What went."""

    conversations: int
    messages: int
    files: int
    example: ClassVar[dict[str, Any]] = {"conversations": 1, "messages": 42, "files": 3}


def contacts_router(api: Api, contacts: Contacts, erasure: ContactErasure) -> APIRouter:
    """List, read, change, opt out, export, erase."""
    router = APIRouter(prefix="/api/v1/contacts", tags=["contacts"])
    reads, writes = Depends(api.caller(Right.CONTACTS_READ)), Depends(api.caller(Right.CONTACTS_WRITE))

    @router.get("", **operation(listing("contacts", Contact)))
    async def list_all(
        *,
        request: Request,
        search: Words = None,
        tag: Words = None,
        lead_status: Words = None,
        opted_out: bool | None = None,
        cursor: Cursor = None,
        limit: Limit = 50,
        caller: ApiCaller = reads,
    ) -> Response:
        """Contacts, the newest first. `search` looks into names and addresses."""
        wanted = ContactFilter(search, tag, lead_status, opted_out)
        page = await contacts.page(caller.tenant_id, wanted, cursor=cursor, limit=limit)
        return shown_page(request, "contacts", Contact, page)

    @router.get("/{contact_id}", **operation(Contact, refusals=[404], versioned=True))
    async def get(contact_id: UUID, caller: ApiCaller = reads) -> Response:
        """One contact, with its ETag."""
        found = await contacts.get(caller.tenant_id, contact_id)
        return shown(Contact, found, etag=etag(found.version))

    @router.patch(
        "/{contact_id}", **operation(Contact, ContactChange, refusals=[404], versioned=True, based_on="counter")
    )
    async def change(request: Request, contact_id: UUID, caller: ApiCaller = writes) -> Response:
        """Another name, other tags, other fields."""
        version, body = wanted_version(request), await body_of(api, request, ContactChange)
        wanted = body.model_dump(exclude_unset=True)
        found = await contacts.change(caller.tenant_id, contact_id, wanted, version=version, actor=caller.actor)
        return shown(Contact, found, etag=etag(found.version))

    @router.put("/{contact_id}/consent", **operation(Contact, ConsentChange, refusals=[404], versioned=True))
    async def consent(request: Request, contact_id: UUID, caller: ApiCaller = writes) -> Response:
        """Stop (or allow again) messages that the business begins. Noted in the ledger of consent."""
        body = await body_of(api, request, ConsentChange)
        found = await contacts.set_consent(caller.tenant_id, contact_id, opted_out=body.opted_out, actor=caller.actor)
        return shown(Contact, found, etag=etag(found.version))

    @router.get("/{contact_id}/export", **operation(ContactExport, refusals=[404]))
    async def export(contact_id: UUID, caller: ApiCaller = writes) -> Response:
        """Everything that is kept about the contact (LGPD, art. 18). That it was asked for is logged."""
        found = await contacts.export(caller.tenant_id, contact_id, actor=caller.actor)
        return answer(found, cache_control="no-store")

    @router.delete("/{contact_id}", **operation(Erasure, refusals=[404]))
    async def erase(
        contact_id: UUID,
        confirm: Annotated[Literal["erase"], Query()],  # noqa: ARG001 - saying so is all that is asked
        caller: ApiCaller = writes,
    ) -> Response:
        """Erase the contact with all conversations, messages and files, for good; needs `?confirm=erase`.

        A slow hash of each address survives, so that no message is begun there again.
        """
        return shown(Erasure, await erasure.erase(caller.tenant_id, contact_id, actor=caller.actor))

    return router
