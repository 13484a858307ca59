"""Where files lie: one contract for the folder and the bucket."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from domain.errors import InvalidInputError, NotFoundError
from store.media import MediaFolder, MediaStore
from store.media_bucket import MediaBucket
from tests.s3_server import KEY_ID, SECRET, S3Server, running_s3

DATA = bytes(range(256)) * 4096
"""1 MiB."""


@pytest.fixture
async def s3(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[S3Server]:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    async with running_s3() as server:
        yield server


@pytest.fixture(params=["folder", "bucket"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, s3: S3Server) -> MediaStore:
    if request.param == "folder":
        return MediaFolder(tmp_path)
    return MediaBucket.open(f"s3://atende-media/files?endpoint={s3.url}&region=sa-east-1")


async def test_that_bytes_are_kept_under_their_digest_apart_for_each_tenant(store: MediaStore) -> None:
    ours, theirs = uuid.uuid4(), uuid.uuid4()
    sha256 = await store.put(ours, DATA)
    assert sha256 == hashlib.sha256(DATA).hexdigest() == await store.put(ours, DATA)
    assert await store.get(ours, sha256) == DATA
    for tenant, digest in ((theirs, sha256), (ours, "0" * 64), (ours, "../../etc/passwd"), (ours, sha256.upper())):
        with pytest.raises(NotFoundError):
            await store.get(tenant, digest)
    await store.put(theirs, DATA)
    for _ in range(2):  # what is not there needs no forgetting
        await store.delete(ours, sha256)
    with pytest.raises(NotFoundError):
        await store.get(ours, sha256)
    assert await store.get(theirs, sha256) == DATA


async def test_that_a_bucket_is_used_as_addressed_signed_and_asked_again_when_it_is_busy(s3: S3Server) -> None:
    store, tenant = MediaBucket.open(f"s3://atende-media/files?endpoint={s3.url}"), uuid.uuid4()
    s3.failing = 1
    sha256 = await store.put(tenant, b"oi")
    assert s3.objects == {f"/atende-media/files/{tenant}/{sha256[:2]}/{sha256}": b"oi"}
    assert (s3.refused, s3.failing, store.path(tenant, sha256)) == (0, 0, None)


async def test_that_a_wrong_key_is_no_missing_file(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "another")
    store = MediaBucket.open(f"s3://atende-media?endpoint={s3.url}")
    with pytest.raises(Exception, match=r"(?i)denied|forbidden|403") as raised:
        await store.get(uuid.uuid4(), "0" * 64)
    assert not isinstance(raised.value, NotFoundError)
    assert s3.refused


@pytest.mark.parametrize(
    "url", ["", "media", "http://x/y", "s3://", "s3://A_B", "s3://abc?endpoint=ftp://x", "s3://abc?secret=1"]
)
def test_that_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError, match="no address of a bucket"):
        MediaBucket.open(url)
