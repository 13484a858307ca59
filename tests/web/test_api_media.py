"""Files of messages over the API: the bytes with their type, a part of them, for who sees the conversation."""

from __future__ import annotations

from pathlib import Path

from store.database import Database
from tests.web.api_world import opened_world

PDF = b"%PDF-1.7\n" + bytes(range(256)) * 4
_NAME = 'nota "fiscal"\r\nSet-Cookie: x=1; é.pdf'


async def test_that_the_file_of_a_message_is_downloaded_whole_or_in_part_by_who_sees_its_conversation(
    owner_dsn: str, db: Database, tmp_path: Path
) -> None:
    async with opened_world(owner_dsn, db, tmp_path) as world:
        conversation = world.known["conversations/{conversation_id}"][0]
        messages = f"/api/v1/conversations/{conversation}/messages"
        last = (await world.ours.get(messages)).json()["messages"][0]
        assert (last["file"], last["late"], last["historical"]) == (None, False, False)
        path = f"{messages}/{last['id']}/media"
        assert (await world.ours.get(path)).status_code == 404, "it has no file"
        kept = await world.ours.post(
            f"/api/v1/sessions/{world.tenant.session_id}/files",
            params={"name": "nota.pdf"},
            content=PDF,
            headers={"Content-Type": "application/pdf"},
        )
        assert kept.status_code == 201, kept.text
        await world.row(
            "UPDATE media_file SET message_id = $2, file_name = $3, state = 'wanted' WHERE id = $1 RETURNING id",
            kept.json()["id"],
            last["id"],
            _NAME,
        )
        late = """UPDATE message SET content = content || '{"late": true}' WHERE id = $1 RETURNING id"""
        await world.row(late, last["id"])
        told = (await world.ours.get(messages)).json()["messages"][0]
        assert (told["late"], told["file"]["state"], told["file"]["href"]) == (True, "wanted", None)
        soon = await world.ours.get(path)
        assert (soon.status_code, soon.json()["type"]) == (409, "urn:atende:problem:file-on-its-way")
        await world.row(
            "UPDATE media_file SET state = 'too_large', error = 'too big' WHERE message_id = $1 RETURNING id",
            last["id"],
        )
        never = await world.ours.get(path)
        assert (never.status_code, "too big" in never.json()["detail"]) == (410, True)
        await world.row("UPDATE media_file SET state = 'stored' WHERE message_id = $1 RETURNING id", last["id"])
        assert (await world.ours.get(messages)).json()["messages"][0]["file"]["href"] == path

        whole = await world.ours.get(path)
        assert (whole.status_code, whole.content) == (200, PDF)
        assert whole.headers["content-type"] == "application/pdf"
        assert whole.headers["content-length"] == str(len(PDF))
        disposition = whole.headers["content-disposition"]
        assert disposition.startswith("attachment; filename*=UTF-8''nota%20")
        assert "set-cookie" not in whole.headers
        assert "sandbox" in whole.headers["content-security-policy"]
        tag = whole.headers["etag"]
        assert (await world.ours.get(path, headers={"If-None-Match": f'"x", {tag}'})).status_code == 304
        size = len(PDF)
        for asked, start, end in (
            ("bytes=0-9", 0, 10),
            ("bytes=1000-", 1000, size),
            ("bytes=-7", size - 7, size),
            (f"bytes=5-{size + 99}", 5, size),
        ):
            part = await world.ours.get(path, headers={"Range": asked, "If-Range": tag})
            assert (part.status_code, part.content) == (206, PDF[start:end]), asked
            assert part.headers["content-range"] == f"bytes {start}-{end - 1}/{size}"
        for ignored in ("bytes=0-1,4-5", "lines=1-2", "bytes=-", "bytes=x-y"):
            assert (await world.ours.get(path, headers={"Range": ignored})).content == PDF, ignored
        assert (await world.ours.get(path, headers={"Range": "bytes=0-1", "If-Range": '"old"'})).content == PDF
        for beyond in (f"bytes={size}-", "bytes=9-3", "bytes=-0"):
            refused = await world.ours.get(path, headers={"Range": beyond})
            assert (refused.status_code, refused.headers["content-range"]) == (416, f"bytes */{size}"), beyond
            assert refused.json()["hint"]

        assert (await world.theirs.get(path)).status_code == 404
        other = world.known["conversations/{conversation_id}"][1]
        assert (await world.ours.get(path.replace(conversation, other))).status_code == 404
        async with await world.program("contacts:read") as limited:
            assert (await limited.get(path)).status_code == 403
