"""Whether a database is already as this version wants it, told without loading migrations, encoder or tenant.

A start that finds nothing to do then takes a second less. The note lies in the data folder; whatever is in doubt is
prepared again, which changes nothing where nothing is to change.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from app.settings import Settings

_FILE = "prepared.json"
_SOURCES = Path(__file__).parents[1]
_CODE = ("store", "flows", "agent", "tools", "domain")


@dataclass(frozen=True, slots=True)
class Login:
    """A sign-in of the demo. Its password is public."""

    email: str
    password: str
    name: str
    role: str


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the last preparation led to. ``numbers``: channel session ids of the demo tenant by their keys."""

    fingerprint: str
    revision: str = ""
    tenant: str = ""
    """The demo tenant's slug."""
    logins: tuple[Login, ...] = ()
    numbers: Mapping[str, str] = field(default_factory=dict)
    ideas: tuple[str, ...] = ()
    """Messages for the simulated phone to offer, each leading to another kind of decision."""

    def write(self, data_dir: Path) -> None:
        """Note it in the data folder, whole or not at all."""
        draft = data_dir / f".{_FILE}-{os.getpid()}"
        draft.write_text(json.dumps(asdict(self)))
        draft.chmod(0o600)
        draft.replace(data_dir / _FILE)

    @classmethod
    def read(cls, data_dir: Path) -> Prepared | None:
        """The note, or None if there is none that can be understood."""
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            values = json.loads((data_dir / _FILE).read_text())
            return cls(
                **{
                    **values,
                    "logins": tuple(Login(**login) for login in values["logins"]),
                    "ideas": tuple(values["ideas"]),
                }
            )
        return None


def fingerprint(settings: Settings) -> str:
    """Changes whenever preparing could lead to something else: code, migrations, demo, day, secret."""
    digest = hashlib.sha256()
    for file in _code():
        found = file.stat()
        digest.update(f"{file} {found.st_size} {found.st_mtime_ns}\n".encode())
    if settings.demo:
        # The example's dates are told from today on.
        digest.update(f"{settings.demo_folder} {datetime.now(UTC).date()}\n".encode())
        for file in sorted(settings.demo_folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                digest.update(f"{file}\n".encode() + file.read_bytes())
    # Stored vectors are the encoder's.
    read_by = (settings.encoder, settings.embedding_model, settings.embedding_base_url, settings.embedding_dimensions)
    digest.update(f"{read_by}\n".encode())
    digest.update(hashlib.sha256(settings.secret).digest())
    return digest.hexdigest()


def still_holds(url: str, settings: Settings) -> Prepared | None:
    """The note of the last preparation, if it is of this version and this database; None: prepare. Blocks for ms."""
    noted = Prepared.read(settings.data_dir)
    if noted is None or not noted.revision or noted.fingerprint != fingerprint(settings):
        return None
    import psycopg  # noqa: PLC0415 - only where there is something to compare

    with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as db:
        row = db.execute(
            "SELECT version_num, EXISTS (SELECT 1 FROM gate.list_tenants() WHERE slug = %s) FROM alembic_version",
            [noted.tenant],
        ).fetchone()
        if row is not None and row[0] == noted.revision and (row[1] or not noted.tenant):
            return noted
    return None


def _code() -> Iterator[Path]:
    for package in _CODE:
        yield from sorted(
            file for file in (_SOURCES / package).rglob("*") if file.suffix in {".py", ".sql"} and file.is_file()
        )
