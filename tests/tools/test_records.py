from __future__ import annotations

from tools.records import InMemoryRecords


async def test_a_record_that_was_handed_out_cannot_be_changed_from_outside() -> None:
    records = InMemoryRecords({"orders": {"1": {"items": ["a"]}}})
    order = await records.get("orders", "1")
    assert order is not None
    order["items"].append("b")
    assert await records.get("orders", "1") == {"items": ["a"]}


async def test_find_compares_fields_and_answers_in_the_order_of_the_keys() -> None:
    records = InMemoryRecords()
    for key, city in (("3", "BH"), ("1", "BH"), ("2", "SP")):
        await records.put("orders", key, {"key": key, "city": city})
    assert [row["key"] for row in await records.find("orders", {"city": "BH"})] == ["1", "3"]
    assert [row["key"] for row in await records.find("orders", {}, limit=2)] == ["1", "2"]
    assert await records.find("orders", {"absent": None}) == []
    assert await records.get("invoices", "1") is None
