"""Contacts are found by their addresses, however many there are."""

from __future__ import annotations

from store.contacts import named_by
from store.database import Database
from tests.database import Number


async def test_that_looking_an_address_up_never_reads_all_contacts(db: Database, number: Number) -> None:
    async with db.transaction(number.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO contact (tenant_id) SELECT $1 FROM generate_series(1, 5000)",
            number.tenant_id,
        )
        await tx.execute(
            "INSERT INTO contact_address (tenant_id, kind, value, contact_id) "
            "SELECT tenant_id, 'phone', (5511900000000 + row_number() OVER ())::text, id FROM contact"
        )
        question = f"SELECT contact_id FROM {named_by('$1', '$2')} a"
        await tx.execute(f"PREPARE question(text[], text[]) AS {question}")
        plan = "\n".join(row[0] for row in await tx.fetch("EXPLAIN EXECUTE question('{phone}', '{1}')"))
        await tx.execute("DEALLOCATE question")
        found = await tx.fetch(question, ["phone", "phone", "lid"], ["5511900000007", "1", "5511900000008"])
    assert "Seq Scan" not in plan, plan
    assert "contact_address_pkey" in plan, plan
    assert len(found) == 1
