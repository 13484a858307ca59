"""Every captured or documented payload of every gateway against the table that was read beside the payloads by eye."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path

import pytest

from tests.gateways.table import ARRIVAL, COLUMNS, Row, folder_rows, gateways, markdown, rows_of

CHECKOUT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("ATENDE_SHARED") or CHECKOUT.parent / "shared") / "gateways/fixtures"
REVIEWED = Path(__file__).with_name("reviewed.md")

shared = pytest.mark.skipif(
    not FOLDER.is_dir(), reason="the payloads are absent; ATENDE_SHARED may tell where they are"
)


def reviewed() -> dict[str, list[Row]]:
    """The reviewed rows by file."""
    found: dict[str, list[Row]] = defaultdict(list)
    for line in REVIEWED.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if len(cells) == len(COLUMNS) and "/" in cells[0]:
            found[cells[0]].append(Row(*cells))
    return found


@pytest.fixture(scope="module")
def found() -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = defaultdict(list)
    for row in folder_rows(FOLDER):
        rows[row.file].append(row)
    return rows


@pytest.mark.shared
@shared
def test_that_every_payload_was_reviewed(found: dict[str, list[Row]]) -> None:
    files = {f"{path.parent.name}/{path.stem}" for path in FOLDER.glob("*/*.json")}
    assert files == found.keys() == reviewed().keys()


@pytest.mark.shared
@shared
@pytest.mark.parametrize("name", reviewed())
def test_that_a_payload_becomes_what_was_read_in_it(found: dict[str, list[Row]], name: str) -> None:
    assert found[name] == reviewed()[name]


def test_that_the_table_tells_events_no_ops_and_the_quarantine_apart() -> None:
    gowa = gateways()["gowa"]
    message = {"id": "3EB0A1", "chat_id": "5511990001111@s.whatsapp.net", "chat_lid": "149000011210072@lid"}
    text = {**message, "timestamp": "2026-03-04T12:00:00Z", "body": "oi | olá\nde novo", "replied_to_id": "3EB0Q"}
    (row,) = rows_of(gowa, "gowa/text", {"event": "message", "payload": text})
    contact = "phone:5511990001111 = lid:149000011210072"
    assert row == Row(
        "gowa/text", "message", contact, "text", "oi ¦ olá de novo", ids="3EB0A1 ← 3EB0Q", time="2026-03-04T12:00:00"
    )
    (late,) = rows_of(gowa, "gowa/late", {"event": "message", "payload": {**message, "image": {"url": "x"}}})
    assert (late.kind, late.media, late.time) == ("image", "chat+message_id+whatsapp_url", ARRIVAL)
    (nothing,) = rows_of(gowa, "gowa/typing", {"event": "chat_presence", "payload": {}})
    (kept,) = rows_of(gowa, "gowa/new", {"event": "message.teleported", "payload": {}})
    assert (nothing.outcome, kept.outcome, kept.kind) == ("known no-op", "quarantined", "message.teleported")
    lines = markdown([row, late, nothing, kept]).splitlines()
    assert len(lines) == 6
    assert all(line.count(" | ") == len(COLUMNS) - 1 for line in lines)
    json.dumps(lines)
