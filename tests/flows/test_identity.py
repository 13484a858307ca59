"""Proven identities on a real database: attempts counted whatever dies, and for the tenant's time only."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml

from domain.identity import IdentityTerms
from flows.declared_files import TenantFilesError
from flows.identity import StoredIdentity, identity_of
from flows.tenant_files import load_tenant
from store.database import Database
from tests.flows.backroom import Backroom, open_backroom
from tests.flows.shop import Shop, open_shop
from tests.flows.test_groups import InGroup

FUNCTIONS = '''
from tools.declaration import BusinessError, Parameter, ParameterKind, business_function

CPF = Parameter("cpf", ParameterKind.CPF, ask={"pt": "Qual é o seu CPF?"})

@business_function(effect="read", parameters=[CPF])
async def confirm_customer(ctx, cpf):
    """Confirm who a customer is."""
    await ctx.records.get("tried", "any")
    if "".join(filter(str.isdigit, cpf)) != "52998224725":
        raise BusinessError("no_match")
    return True

@business_function(effect="read", identity="required")
async def my_balance(ctx):
    """Tell the balance."""
    return {"balance": "R$ 12,00"}
'''
INTENT = {
    "name": "balance",
    "description": "Saldo",
    "function": "my_balance",
    "examples": {"pt": ["qual é o meu saldo", "quanto tenho na conta", "saldo por favor", "quero ver meu saldo"]},
    "replies": {"ok": {"pt": "Seu saldo é {{ result.balance }}."}},
}
OTHER = {
    "name": "hours",
    "description": "Horário",
    "answer": {"pt": "Das 9h às 18h."},
    "examples": {"pt": ["que horas abrem", "qual o horário de vocês", "até que horas ficam abertos"]},
}
IDENTITY = {"verify": "confirm_customer", "attempts": 2, "valid_minutes": 30}
RIGHT, WRONG = "529.982.247-25", "111.444.777-35"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "tenants" / "bank"
    (made / "intents").mkdir(parents=True)
    settings = {
        "slug": "bank",
        "name": "Banco",
        "default_language": "pt",
        "languages": ["pt"],
        "timezone": "America/Sao_Paulo",
        "reply_mode": "auto",
        "threshold": 0.3,
        "debounce": {"seconds": 0, "cap_seconds": 2},
        "numbers": [{"key": "a", "name": "A", "provider": "simulator"}],
        "users": [
            {"name": "Ana", "email": "ana@bank.example", "role": "admin"},
            {"name": "Rui", "email": "rui@bank.example", "role": "operator"},
        ],
        "identity": IDENTITY,
    }
    (made / "tenant.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    (made / "functions.py").write_text(FUNCTIONS, encoding="utf-8")
    for intent in (INTENT, OTHER):
        (made / "intents" / f"{intent['name']}.yaml").write_text(
            yaml.safe_dump(intent, allow_unicode=True), encoding="utf-8"
        )
    return made


@pytest.fixture
async def bank(owner_dsn: str, db: Database, folder: Path) -> AsyncIterator[tuple[Shop, Backroom]]:
    async with open_shop(owner_dsn, db, folder) as shop, open_backroom(shop, folder) as backroom:
        yield shop, backroom


async def test_that_an_identity_is_proven_once_and_counts_for_the_tenants_time(bank: tuple[Shop, Backroom]) -> None:
    shop, backroom = bank
    for text in ("qual é o meu saldo", RIGHT, "qual é o meu saldo"):
        await shop.write("maria", text)
        await backroom.rest()
    assert [text.split("\n")[-1] for text in await shop.got("maria")] == [
        "Antes, preciso confirmar que é você. Qual é o seu CPF?",
        "Seu saldo é R$ 12,00.",
        "Seu saldo é R$ 12,00.",
    ]
    (turn,) = await shop.fetch("SELECT decision, trace FROM turn ORDER BY created_at OFFSET 1 LIMIT 1")
    assert "identity_verified" in {reason["code"] for reason in turn["decision"]["reasons"]}
    assert [call["function"] for call in turn["trace"]["tool_calls"]] == ["confirm_customer", "my_balance"]
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE identity_check SET verified_until = now()")
    await shop.write("maria", "qual é o meu saldo")
    await backroom.rest()
    assert "preciso confirmar que é você" in (await shop.got("maria"))[-1]
    await shop.write("joana", "qual é o meu saldo")
    await backroom.rest()
    assert "preciso confirmar que é você" in (await shop.got("joana"))[-1], "it is nobody else's"


async def test_that_attempts_are_used_up_for_good(bank: tuple[Shop, Backroom]) -> None:
    shop, backroom = bank
    for text in ("qual é o meu saldo", WRONG, WRONG):
        await shop.write("maria", text)
        await backroom.rest()
    (handoff,) = await shop.fetch("SELECT h.reason, t.decision FROM handoff h JOIN turn t ON t.id = h.turn_id")
    assert handoff["reason"] == "outside_policy"
    assert "identity_attempts_used_up" in {reason["code"] for reason in handoff["decision"]["reasons"]}
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    await shop.desk.return_to_bot(shop.operator, conversation["id"])
    await shop.write("maria", f"qual é o meu saldo? {RIGHT}")
    await backroom.rest()
    assert len(await shop.fetch("SELECT 1 FROM handoff")) == 2
    assert not any("R$" in text for text in await shop.got("maria"))


async def test_that_an_attempt_counts_before_it_is_made_and_once_for_a_message(bank: tuple[Shop, Backroom]) -> None:
    shop, _ = bank
    terms = IdentityTerms("confirm_customer", attempts=2)
    await shop.write("maria", "oi")
    (row,) = await shop.fetch("SELECT id, contact_id FROM conversation")

    def check(message_id: int) -> StoredIdentity:
        ids = {"conversation_id": row["id"], "contact_id": row["contact_id"], "message_id": message_id}
        found = identity_of(shop.db, shop.tenant_id, terms, **ids)
        assert found is not None
        return found

    first = check(1)
    assert [await first.begin() for _ in range(3)] == [True, True, True], "the turn of one message ran again"
    assert await check(2).begin()
    assert (await check(3).standing()).blocked
    assert not await check(3).begin()
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute("UPDATE identity_check SET tried_at = now() - interval '2 days'")
    assert await check(4).begin()
    await check(4).passed()
    standing = await check(5).standing()
    assert (standing.verified, standing.blocked) == (True, False)


async def test_that_nobody_proves_an_identity_before_a_whole_group(bank: tuple[Shop, Backroom], tmp_path: Path) -> None:
    shop, backroom = bank
    group = InGroup(backroom, tmp_path)
    await group.allow("mentioned")
    await group.say("qual é o meu saldo", mentions_me=True)
    told = [text for _, text in await group.answers()]
    assert told
    assert not any("CPF" in text or "R$" in text for text in told)  # the question itself would have it said aloud
    assert [row["reason"] for row in await shop.fetch("SELECT reason FROM handoff")] != []
    await group.say(RIGHT, mentions_me=True)
    await group.answers()
    assert not await shop.fetch("SELECT 1 FROM identity_check")
    assert not await shop.fetch("SELECT 1 FROM function_call")


def test_that_mistakes_in_the_files_are_named(folder: Path) -> None:
    settings = yaml.safe_load((folder / "tenant.yaml").read_text(encoding="utf-8"))
    for identity, mistake in (
        (None, "my_balance requires it"),
        ({"verify": "nobody"}, "there is no function nobody"),
        ({"verify": "my_balance"}, "must read, and need at least one value"),
        ({**IDENTITY, "functions": ["nothing"]}, "there is no function nothing"),
        ({**IDENTITY, "functions": ["confirm_customer"]}, "would need itself"),
    ):
        changed = {**settings, "identity": identity}
        (folder / "tenant.yaml").write_text(yaml.safe_dump(changed), encoding="utf-8")
        with pytest.raises(TenantFilesError, match=mistake):
            load_tenant(folder)
