"""``atende templates`` against a stand-in of the Cloud API."""

from __future__ import annotations

import asyncio

from store.database import Database
from tests.app.serving import atende
from tests.database import SECRET, make_number
from tests.gateways.cloud_api_server import running_cloud_api

HELLO = {
    "name": "ola",
    "language": "pt_BR",
    "status": "APPROVED",
    "category": "MARKETING",
    "components": [{"type": "BODY", "text": "Olá {{1}}!"}],
}


async def test_that_templates_are_read_listed_and_sent_to_somebody_new(owner_dsn: str, db: Database) -> None:
    number = await make_number(owner_dsn, provider="cloud_api")
    settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode()}
    async with running_cloud_api() as graph:
        graph.templates = [HELLO]
        async with db.transaction(number.tenant_id) as tx:
            await tx.execute("UPDATE channel_session SET config = $1", graph.config)

        async def run(*words: str) -> tuple[int, str]:
            done = await asyncio.to_thread(atende, "templates", *words, **settings)
            return done.returncode, done.stdout + done.stderr

        number_id = str(number.session_id)
        assert await run("list", number_id) == (
            0,
            f"No templates are known. Read them with: atende templates sync {number_id}\n",
        )
        assert await run("sync", number_id) == (0, "1 templates, 1 of them can be sent.\n")
        assert await run("list", number_id) == (0, "ola  pt_BR  APPROVED  MARKETING  [1]\n")
        who = ("--to", "+55 11 99000-1111", "--as", "ana@shop.example", "--name", "ola")
        code, told = await run("send", number_id, *who)
        assert (code, "They are: 1." in told) == (2, True)
        assert (await run("send", number_id, *who, "--var", "Maria"))[0] == 0
    async with db.transaction(number.tenant_id) as tx:
        row = await tx.fetchrow(
            "SELECT o.state, o.content, m.text, c.address, c.status FROM outbox_message o "
            "JOIN message m ON m.id = o.message_id JOIN conversation c ON c.id = o.conversation_id"
        )
    assert (row["state"], row["text"], row["address"], row["status"]) == (
        "queued", "Olá Maria!", "phone:5511990001111", "human",
    )  # fmt: skip
    assert row["content"]["variables"] == ["Maria"]
