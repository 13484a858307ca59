"""The inbox's search: words whatever their accents and forms, names, telephone numbers, and only the own tenant's."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import pytest

from domain.errors import InvalidInputError
from store.database import Database
from store.search import Found, search
from store.search_question import folded
from tests.database import Number, make_number

FORMS = (
    ("informacao", "Preciso de INFORMAÇÕES, por favor!"),
    ("informações", "falta uma informação"),
    ("pedidos", "Cadê meu pedido?"),
    ("pedid", "dois pedidos atrasados"),
    ("entregaram atrasado", "o atraso da entrega: não vão entregar?"),
    ("papeis", "um papel rasgado"),
    ("facturas", "¿Dónde está mi factura?"),
    ("devoluciones", "quiero una devolución"),
    ("orders", "where is my order?"),
    ("delivered", "is it delivering today"),
    ("maca\u0303", "quero uma MAÇÃ"),
    ("orcamento", "manda o orc\u0327amento"),
    ("tudo", "Oi!Tudo bem?Quero"),
    ("boleto", "segunda via:boleto/fatura"),
    ("loja.com", "vi em https://www.loja.com.br/promo"),
    ("ana@loja", "meu e-mail é ana@loja.com.br"),
    ("98765", "me liga: (11) 98765-4321"),
    ("d'agua", "galão d'água"),
    ("заказ", "Где мой ЗАКАЗ"),
    ("a & b | !c", "a opção b ou c"),
)
"""What was asked for, and a message that has it."""


async def _conversation(
    db: Database, number: Number, name: str, *texts: str, phone: str | None = None, status: str = "bot"
) -> UUID:
    """A conversation of a contact with these messages, in this order."""
    async with db.transaction(number.tenant_id) as tx:
        contact = await tx.fetchval(
            "INSERT INTO contact (tenant_id, name) VALUES ($1, $2) RETURNING id", number.tenant_id, name
        )
        address = f"phone:{phone}" if phone else f"lid:{contact.int % 10**15}"
        await tx.execute(
            "INSERT INTO contact_address (tenant_id, kind, value, contact_id) "
            "VALUES ($1, split_part($2, ':', 1), split_part($2, ':', 2), $3)",
            number.tenant_id,
            address,
            contact,
        )
        conversation: UUID = await tx.fetchval(
            "INSERT INTO conversation (tenant_id, channel_session_id, contact_id, address, status) "
            "VALUES ($1, $2, $3, $4, $5) RETURNING id",
            number.tenant_id,
            number.session_id,
            contact,
            address,
            status,
        )
        for n, text in enumerate(texts):
            await tx.execute(
                """INSERT INTO message (tenant_id, conversation_id, channel_session_id, contact_id, provider_id, author,
                                        text, sent_at)
                   VALUES ($1, $2, $3, $4, $5, 'contact', $6, $7)""",
                number.tenant_id,
                conversation,
                number.session_id,
                contact,
                f"{conversation}-{n}",
                text,
                datetime.now(UTC),
            )
    return conversation


async def _found(db: Database, number: Number, text: str, **more: object) -> Found:
    async with db.transaction(number.tenant_id) as tx:
        return await search(tx, text, **more)  # type: ignore[arg-type]


async def _ids(db: Database, number: Number, text: str) -> list[UUID]:
    return [hit.conversation_id for hit in (await _found(db, number, text)).hits]


async def test_that_a_word_is_found_in_all_its_forms(db: Database, number: Number) -> None:
    await _conversation(db, number, "Xisto", "bom dia", "contrato assinado", "até logo")
    for asked, written in FORMS:
        wanted = await _conversation(db, number, "Zoé", "bom dia", written, "obrigado")
        assert await _ids(db, number, asked) == [wanted], asked
        async with db.transaction(number.tenant_id) as tx:
            await tx.execute("DELETE FROM conversation WHERE id = $1", wanted)


async def test_that_words_that_only_begin_alike_are_not_forms_of_each_other(db: Database, number: Number) -> None:
    await _conversation(db, number, "Zoé", "o contrato chegou")
    wanted = await _conversation(db, number, "Xisto", "minha conta")
    assert await _ids(db, number, "contas") == [wanted]


async def test_that_a_contact_is_found_by_its_name_and_by_any_digits_of_its_number(
    db: Database, number: Number
) -> None:
    ana = await _conversation(db, number, "Ana Cláudia Souza", "oi", phone="5511987654321")
    ze = await _conversation(db, number, "José", "a Ana mandou oi", phone="558187654321")
    assert await _ids(db, number, "claudia sou") == [ana]
    assert await _ids(db, number, "ana") == [ana, ze]  # who is called so, then who speaks of it
    for typed in ("98765-4321", "+55 (11) 98765", "65432", "11 98765 4321", "1187654321"):
        assert ana in await _ids(db, number, typed), typed
    assert await _ids(db, number, "81 98765-4321") == [ze]  # kept without the ninth digit
    found = (await _found(db, number, "ana")).hits
    assert [(hit.by, [piece.text for piece in hit.snippet if piece.found]) for hit in found] == [
        ("contact", ["Ana"]),
        ("message", ["Ana"]),
    ]


async def test_that_some_words_may_be_in_the_name_or_number_and_the_others_in_a_message(
    db: Database, number: Number
) -> None:
    ana = await _conversation(db, number, "Ana Souza", "oi", "cadê o BOLETO?", "obrigada", phone="5511987654321")
    speaks = await _conversation(db, number, "Zoé", "a Ana pagou o boleto", "tchau")
    await _conversation(db, number, "Xisto", "meu boleto", "oi")
    await _conversation(db, number, "Ana Lima", "oi", "bom dia")
    assert await _ids(db, number, "ana boletos") == [ana, speaks]
    assert await _ids(db, number, "boleto souza") == [ana]
    assert await _ids(db, number, "souza obrigado boleto") == []  # not in one message
    assert await _ids(db, number, "ana 98765") == [ana]
    assert await _ids(db, number, "boleto 98765") == [ana]
    assert await _ids(db, number, "boleto 98761") == []
    found = (await _found(db, number, "ana boleto")).hits
    assert [(hit.by, [piece.text for piece in hit.snippet if piece.found]) for hit in found] == [
        ("message", ["BOLETO"]),
        ("message", ["Ana", "boleto"]),
    ]


async def test_that_a_name_of_hundreds_and_a_word_find_each_conversation_once_over_all_pages(
    db: Database, number: Number
) -> None:
    made = [await _conversation(db, number, f"Ana Silva {n}", "oi", "quero", f"o boleto {n}") for n in range(7)]
    others = [await _conversation(db, number, "Rui", "boleto da Ana"), await _conversation(db, number, "Rui", "boleto")]
    async with db.transaction(number.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO contact (tenant_id, name) SELECT $1, 'Ana ' || n FROM generate_series(1, 150) n",
            number.tenant_id,
        )
    both = await _conversation(db, number, "Rui Ana", "boleto", "outro boleto")
    for asked, wanted in (
        ("ana boleto", [both, *reversed(made), others[0]]),
        ("boleto ana silva", [*reversed(made)]),
        ("ana rui", [both, others[0]]),
    ):
        seen: list[UUID] = []
        after = None
        while True:
            page = await _found(db, number, asked, after=after, limit=2)
            seen += [hit.conversation_id for hit in page.hits]
            if (after := page.after) is None:
                break
        assert seen == wanted, asked


async def test_that_nothing_of_another_tenant_is_found(db: Database, owner_dsn: str, number: Number) -> None:
    other = await make_number(owner_dsn, "other")
    await _conversation(db, other, "Segredo", "o segredo deles", phone="5511987654321")
    await _conversation(db, number, "Outro", "oi", phone="5511911111111")
    for asked in ("segredo", "98765", "segredo deles", "deles 98765", "segredo 98765"):
        assert (await _found(db, number, asked)).hits == ()
        assert len((await _found(db, other, asked)).hits) == 1


async def test_that_edited_heard_and_revoked_messages_are_found_as_they_are_now(db: Database, number: Number) -> None:
    conversation = await _conversation(db, number, "Zoé", "quero azul", "", "apagada laranja")
    async with db.transaction(number.tenant_id) as tx:
        for n, kind, content in (
            (0, "edit", {"text": "quero vermelho"}),
            (1, "transcript", {"kind": "speech", "text": "quero o verde"}),
            (2, "revoke", {}),
        ):
            await tx.execute(
                """INSERT INTO message_change (tenant_id, channel_session_id, contact_id, provider_id, kind, content,
                                               at)
                   SELECT tenant_id, channel_session_id, contact_id, provider_id, $2, $3, now()
                     FROM message WHERE provider_id = $1""",
                f"{conversation}-{n}",
                kind,
                content,
            )
    found = {asked: await _ids(db, number, asked) for asked in ("vermelho", "verdes", "azul", "laranja")}
    assert found == {"vermelho": [conversation], "verdes": [conversation], "azul": [], "laranja": []}


async def test_that_pages_give_every_conversation_once_the_newest_first(db: Database, number: Number) -> None:
    made = [
        await _conversation(db, number, f"Cliente {n}", "boleto antigo", "sem nada", f"boleto {n}") for n in range(7)
    ]
    made += [await _conversation(db, number, f"Boleto {n}", "oi") for n in range(5)]
    closed = await _conversation(db, number, "Outro", "boleto", status="closed")
    seen: list[UUID] = []
    after = None
    while True:
        page = await _found(db, number, "boleto", where="c.status <> $1", arguments=("closed",), after=after, limit=3)
        seen += [hit.conversation_id for hit in page.hits]
        if (after := page.after) is None:
            break
    assert seen == [*reversed(made[7:]), *reversed(made[:7])]
    assert closed not in seen


async def test_that_messages_far_back_are_found_behind_thousands_of_others(db: Database, number: Number) -> None:
    old = await _conversation(db, number, "Zoé", "jabuticaba rara")
    new = await _conversation(db, number, "Xisto", "jabuticaba de hoje", "oi")
    async with db.transaction(number.tenant_id) as tx:
        await tx.execute(
            """INSERT INTO message (id, tenant_id, conversation_id, channel_session_id, contact_id, author, text,
                                    sent_at)
               OVERRIDING SYSTEM VALUE
               SELECT id + 300000, tenant_id, conversation_id, channel_session_id, contact_id, 'bot',
                      'jabuticaba agora', now()
                 FROM message WHERE conversation_id = $1 ORDER BY id LIMIT 1""",
            new,
        )
    assert await _ids(db, number, "jabuticabas") == [new, old]
    assert await _ids(db, number, "rara jabuticaba") == [old]


async def test_that_a_question_without_words_finds_nothing_and_a_wrong_place_is_named(
    db: Database, number: Number
) -> None:
    await _conversation(db, number, "Zoé", "oi")
    for asked in ("", "  ", "!?&|", "''", "\\"):
        assert (await _found(db, number, asked)).hits == ()
    for place in ("m", "mx", "c~", "c2026-01-01~x", "y1", f"m{10**20}", "", "c2026-01-01~" + str(UUID(int=1))):
        with pytest.raises(InvalidInputError):
            await _found(db, number, "oi", after=place)


async def test_that_python_and_the_database_fold_alike(db: Database) -> None:
    text = "".join(map(chr, range(0x20, 0x180))) + "a\u0301 ação ÑANDÚ"
    async with db.raw() as tx:
        there: str = await tx.fetchval("SELECT public.folded($1)", text)
    assert [a for a, b in zip(there.lower(), folded(text), strict=True) if a not in {b, " "}] == []
