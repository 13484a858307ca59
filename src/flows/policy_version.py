"""The version of the reply policy: of what is written in it, not of what intents earn or of the kill switch."""

from __future__ import annotations

from flows.versions import ANY, check_version, version_of
from store import policy_version
from store.database import Connection


async def version_of_policy(tx: Connection) -> str:
    """Of the transaction's tenant."""
    return version_of(await policy_version.written(tx))


async def check_policy(tx: Connection, version: str | None) -> None:
    """Let one change be made at a time, if it is based on what is there. Raises ChangedMeanwhileError."""
    await policy_version.lock(tx)
    if version is not ANY:
        check_version("the reply policy", version, await version_of_policy(tx))
