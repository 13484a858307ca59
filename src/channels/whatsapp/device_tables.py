"""Has the WhatsApp library make its tables: a program of its own, since it needs its environment from the start.

Run as ``python -m channels.whatsapp.device_tables`` with the database's address in ATENDE_DEVICE_URL.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping

from domain.errors import AtendeError

from .devices import DeviceStore
from .host_environment import HOST_ENVIRONMENT

_URL = "ATENDE_DEVICE_URL"


class TablesMissingError(AtendeError):
    """The library did not make its tables."""


async def make_device_tables(devices: DeviceStore, environment: Mapping[str, str]) -> None:
    """Make the library's tables where they are missing. Raises TablesMissingError."""
    if await devices.has_tables():
        return
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "channels.whatsapp.device_tables"),
        env={**environment, **HOST_ENVIRONMENT, _URL: devices.url},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await process.communicate()
    if process.returncode:
        words = told.decode(errors="replace").strip().splitlines()
        raise TablesMissingError(f"The WhatsApp library could not make its tables: {words[-1] if words else '?'}")


async def _make(devices: DeviceStore) -> None:
    from .neonize_client import prepare_process  # noqa: PLC0415 - the library, only in this program

    async with devices.preparing():
        await prepare_process(devices.library_url)


if __name__ == "__main__":
    asyncio.run(_make(DeviceStore(os.environ[_URL])))
    os._exit(0)  # the library's threads would hold the interpreter
