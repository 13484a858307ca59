"""A number is deleted: nothing that was said there is left, in any table or in the media store."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from domain.contents import Media
from domain.errors import NotFoundError
from flows.session_removal import remove_session
from store.media import MediaFolder
from store.media_bucket import MediaBucket
from tests.app.serving import atende
from tests.database import SECRET, Number
from tests.flows.backroom import Backroom
from tests.flows.door import Door
from tests.flows.shop import Shop
from tests.flows.test_approvals import asked, threads
from tests.s3_server import KEY_ID, running_s3
from tests.s3_server import SECRET as S3_SECRET


async def test_that_sent_files_the_agents_memory_and_proven_identities_go_with_it(
    shop: Shop, backroom: Backroom, owner_dsn: str, tmp_path: Path
) -> None:
    media = MediaFolder(tmp_path)
    await asked(shop, backroom)
    (conversation,) = await shop.fetch("SELECT id FROM conversation")
    digest = await media.put(shop.tenant_id, b"%PDF-1.4 the invoice")
    await shop.desk.claim(shop.operator, conversation["id"])
    sent = Media("document", f"{shop.tenant_id}/{digest}", "application/pdf", "nota.pdf")
    await shop.desk.reply(shop.operator, conversation["id"], "segue a nota", content=sent)
    await backroom.rest()
    async with shop.db.transaction(shop.tenant_id) as tx:
        await tx.execute(
            "INSERT INTO identity_check (subject_id, tenant_id, message_id) VALUES ($1, $2, 1)",
            conversation["id"],
            shop.tenant_id,
        )
    assert await threads(owner_dsn) == 1
    await remove_session(shop.db, media, shop.tenant_id, shop.session.id, actor="test")
    assert media.path(shop.tenant_id, digest) is None
    assert await threads(owner_dsn) == 0
    assert not await shop.fetch("SELECT 1 FROM identity_check")


async def test_that_the_command_line_removes_files_from_the_bucket_that_is_set(
    door: Door, number: Number, owner_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running_s3() as s3:
        for name, value in (("AWS_ACCESS_KEY_ID", KEY_ID), ("AWS_SECRET_ACCESS_KEY", S3_SECRET)):
            monkeypatch.setenv(name, value)
        url = f"s3://atende-media?endpoint={s3.url}"
        bucket = MediaBucket.open(url)
        digest = await bucket.put(number.tenant_id, b"only here")
        async with door.db.transaction(number.tenant_id) as tx:
            await tx.execute(
                "INSERT INTO media_file (tenant_id, channel_session_id, state, sha256) VALUES ($1, $2, 'stored', $3)",
                number.tenant_id,
                number.session_id,
                digest,
            )
        settings = {"DATABASE_URL": owner_dsn, "ATENDE_SECRET": SECRET.decode(), "ATENDE_MEDIA_URL": url}
        deleted = await asyncio.to_thread(atende, "session", "delete", str(number.session_id), "--yes", **settings)
        assert deleted.returncode == 0, deleted.stderr
        with pytest.raises(NotFoundError):
            await bucket.get(number.tenant_id, digest)
