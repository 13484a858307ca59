"""Where the durable graph of approvals keeps its threads: the LangGraph saver on the same PostgreSQL, encrypted.

The saver knows no tenant and commits by itself, so its tables stand in a schema of their own that the application's
role cannot enter, and hold nothing readable.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.encrypted import EncryptedSerializer
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool


@asynccontextmanager
async def open_approval_threads(queue_url: str, secret: bytes) -> AsyncIterator[AsyncPostgresSaver]:
    """The saver, its values encrypted (AES-256, EAX) with a key derived from the installation's secret."""
    key = hmac.new(secret, b"approval threads", hashlib.sha256).digest()
    pool: AsyncConnectionPool[AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
        queue_url,
        min_size=0,
        max_size=4,
        open=False,
        kwargs={
            "autocommit": True,
            "prepare_threshold": 0,
            "row_factory": dict_row,
            "options": "-c search_path=approvals",
        },
    )
    async with pool:
        yield AsyncPostgresSaver(pool, serde=EncryptedSerializer.from_pycryptodome_aes(key=key))
