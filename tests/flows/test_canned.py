"""Canned replies say what they should in each conversation, and nobody changes what another is changing."""

from __future__ import annotations

import pytest

from domain.errors import ConflictError, NotAllowedError, NotFoundError
from flows.canned import CannedReplies, checked, render, values_of
from flows.desk import Actor
from flows.refusals import RefusedError
from store.database import Database
from tests.database import Number, make_number
from tests.flows.door import Door


def test_that_variables_are_filled_in_once_and_missing_ones_leave_no_gap() -> None:
    sly = {"contact.name": "{{operator.name}}", "operator.name": "Ana"}
    assert render("Oi {{ contact.name }}!", sly).text == "Oi {{operator.name}}!"
    found = render("Oi {{contact.first_name}}, aqui é {{operator.name}}.  \nTudo bem?", {"operator.name": "Ana"})
    assert found.text == "Oi, aqui é Ana.\nTudo bem?"
    assert found.missing == ("contact.first_name",)
    for text, left in (
        ("Oi, {{contact.name}}! Tudo bem?", "Oi! Tudo bem?"),
        ("Um momento, {{contact.name}}, já vejo.", "Um momento, já vejo."),
        ("{{contact.name}}, obrigada!\n{{contact.phone}}: certo?", "obrigada!\ncerto?"),
    ):
        assert render(text, {}).text == left


@pytest.mark.parametrize(
    ("shortcut", "text"),
    [("com espaço", "oi"), ("", "oi"), ("x" * 41, "oi"), ("oi", "  "), ("oi", "a" * 4001), ("oi", "{{contact.cpf}}")],
)
def test_that_what_cannot_be_kept_is_refused(shortcut: str, text: str) -> None:
    with pytest.raises(RefusedError):
        checked(shortcut, text)


async def test_that_shared_and_own_replies_live_beside_each_other(
    db: Database, owner_dsn: str, number: Number, door: Door
) -> None:
    replies, ana = CannedReplies(db), Actor(number.tenant_id, number.user_id, "Ana")
    other = await make_number(owner_dsn, "other")
    stranger = Actor(other.tenant_id, other.user_id, "Ana")
    shared = await replies.create(ana, "/Oi", "Olá {{contact.first_name}}!", shared=True, shares=True)
    own = await replies.create(ana, "oi", "Opa {{contact.name}}, {{operator.name}} aqui.", shared=False, shares=False)
    assert [(one.shortcut, one.is_shared) for one in await replies.of(ana)] == [("oi", False), ("oi", True)]
    assert await replies.of(stranger) == []
    with pytest.raises(RefusedError):
        await replies.create(ana, "oi", "de novo", shared=True, shares=True)
    with pytest.raises(NotAllowedError):
        await replies.change(ana, shared.id, "oi", "outra", version=1, shares=False)
    changed = await replies.change(ana, own.id, "oi", "Opa {{contact.name}}!", version=1, shares=False)
    with pytest.raises(ConflictError):
        await replies.change(ana, own.id, "oi", "tarde", version=1, shares=False)
    assert changed.version == 2
    await door.take(door.message(push_name="Bruno Lima"))
    async with db.transaction(number.tenant_id) as tx:
        conversation = await tx.fetchval("SELECT id FROM conversation")
        values = await values_of(tx, conversation, number.user_id)
    assert (values["contact.name"], values["operator.name"], values["business.name"]) == ("Bruno Lima", "Ana", "shop")
    assert (await replies.render(ana, own.id, conversation)).text == "Opa Bruno Lima!"
    for attempt in (replies.one(stranger, shared.id), replies.render(stranger, shared.id, conversation)):
        with pytest.raises(NotFoundError):
            await attempt
    await replies.remove(ana, shared.id, version=1, shares=True)
    async with db.transaction(number.tenant_id) as tx:
        told = [row["kind"] for row in await tx.fetch("SELECT kind FROM event WHERE kind LIKE 'reply.%' ORDER BY id")]
    assert told == ["reply.created", "reply.removed"]
