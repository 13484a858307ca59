"""Traces over the API, for who works on the assistant: without personal data, names included."""

from __future__ import annotations

from pathlib import Path

from store.database import Database
from tests.web.api_world import opened_world

SAID = "Sou Joana Prado, CPF 529.982.247-25, cadê meu pedido 10234?"


async def test_that_who_may_read_no_conversations_gets_traces_without_names_numbers_and_addresses(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with opened_world(owner_dsn, db, tmp_path) as world:
        conversation = await world.site.message(world.tenant, SAID, "Joana Prado")
        async with db.transaction(world.tenant.tenant_id) as tx:
            turn = await tx.fetchval(
                """INSERT INTO turn (tenant_id, conversation_id, upto_message_id, fence, status, intent, confidence,
                                     decision, trace, prompt_bundle)
                   SELECT tenant_id, id, (SELECT max(m.id) FROM message m WHERE m.conversation_id = c.id), 1, 'decided',
                          'hours', 0.7, $2, '{}', 'abc'
                     FROM conversation c WHERE id = $1 RETURNING id""",
                conversation,
                {"kind": "reply", "text": "Olá, Joana!", "reasons": []},
            )
        engineer = await world.program("traces:read")
        reader = await world.program("traces:read", "conversations:read")
        async with engineer, reader:
            listed = await engineer.get("/api/v1/turns", params={"decision": "reply", "unsure": True})
            one = await engineer.get(f"/api/v1/turns/{turn}")
            whole = await reader.get(f"/api/v1/turns/{turn}")
            none = await engineer.get("/api/v1/turns", params={"decision": "hand_off"})
        assert listed.status_code == 200, listed.text
        assert [row["id"] for row in listed.json()["turns"]] == [str(turn)]
        assert "cadê meu pedido" in listed.json()["turns"][0]["said"]
        assert none.json()["turns"] == []
        for answer in (listed, one):
            assert not {"Joana", "Prado", "529.982"} & {
                word for word in ("Joana", "Prado", "529.982") if word in answer.text
            }
        assert (one.json()["masked"], whole.json()["masked"]) == (True, False)
        assert "Olá, Joana!" in whole.text
