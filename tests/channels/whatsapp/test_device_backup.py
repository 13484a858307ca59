"""The encrypted file of a device: what opens it, and what is said of one that cannot be opened."""

from __future__ import annotations

import json

import pytest

from channels.whatsapp.device_backup import (
    FORMAT,
    BackupVersionError,
    NotABackupError,
    TruncatedBackupError,
    WrongPasswordError,
    seal,
    unseal,
)
from domain.errors import InvalidInputError

PASSWORD = "uma senha bem comprida"
CONTENT = {"account": "5511990001111:1@s.whatsapp.net", "device": {"tables": {"x": [{"key": "\\x00ff", "n": 2**53}]}}}


@pytest.fixture(scope="module")
def sealed() -> bytes:
    return seal(CONTENT, PASSWORD)


def test_that_what_was_sealed_is_opened_with_its_password_and_nothing_of_it_can_be_read(sealed: bytes) -> None:
    assert unseal(sealed, PASSWORD) == CONTENT
    assert b"5511990001111" not in sealed
    assert seal(CONTENT, PASSWORD) != sealed  # salt and nonce are new each time


def test_that_a_wrong_password_and_a_changed_file_are_told(sealed: bytes) -> None:
    with pytest.raises(WrongPasswordError, match="password is wrong"):
        unseal(sealed, PASSWORD + "!")
    lines, head, rest = sealed.split(b"\n", 2)
    for changed in (
        sealed[:-1] + bytes([sealed[-1] ^ 1]),
        b"\n".join([lines, head, bytes([rest[0] ^ 128]) + rest[1:]]),
        b"\n".join([lines, head.replace(b'"format"', b' "format"'), rest]),
    ):
        with pytest.raises(WrongPasswordError):
            unseal(changed, PASSWORD)


def test_that_a_file_that_is_cut_anywhere_or_is_something_else_is_told(sealed: bytes) -> None:
    for length in range(1, len(sealed)):
        with pytest.raises(TruncatedBackupError, match="cut off"):
            unseal(sealed[:length], PASSWORD)
    for other in (b"", b"PK\x03\x04" + bytes(9000), b"x" + sealed, sealed + b"x", b"atende session backup\n{}\n"):
        with pytest.raises(NotABackupError):
            unseal(other, PASSWORD)


def test_that_a_newer_version_says_what_to_do_and_a_costly_file_is_refused(sealed: bytes) -> None:
    kind, line, rest = sealed.split(b"\n", 2)
    head = json.loads(line)
    newer = b"\n".join([kind, json.dumps({**head, "format": FORMAT + 1}).encode(), rest])
    with pytest.raises(BackupVersionError) as told:
        unseal(newer, PASSWORD)
    assert "Update Atende" in told.value.sentence()
    for argon in ({"memory_kib": 1 << 30}, {"time": 10_000}, {"lanes": 0}):
        costly = {**head, "argon2id": {**head["argon2id"], **argon}}
        with pytest.raises(NotABackupError):
            unseal(b"\n".join([kind, json.dumps(costly).encode(), rest]), PASSWORD)


def test_that_a_short_password_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 10"):
        seal(CONTENT, "123456789")
