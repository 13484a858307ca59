"""Fetches a description over the web, under the same guard as every request to an address that a tenant chose."""

from __future__ import annotations

from collections.abc import Collection
from urllib.parse import urljoin

import aiohttp

from domain.errors import InvalidInputError
from tools.openapi_text import MOST_BYTES, DocumentUnusableError
from tools.public_web import PrivateAddressError, check_url, public_client

_SECONDS = 30.0
_MOST_REDIRECTS = 3


async def fetch_document(url: str, allowed_hosts: Collection[str]) -> tuple[bytes, str]:
    """The raw document and the address it really came from. Raises DocumentUnusableError or PrivateAddressError."""
    async with public_client(allowed_hosts, timeout_seconds=_SECONDS) as http:
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                async with http.get(check_url(url, allowed_hosts), allow_redirects=False) as answer:
                    if answer.status in {301, 302, 303, 307, 308} and "Location" in answer.headers:
                        url = urljoin(url, answer.headers["Location"])
                        continue
                    if answer.status != 200:
                        raise DocumentUnusableError(f"its address answered with status {answer.status}")
                    raw = bytearray()
                    async for piece in answer.content.iter_chunked(65_536):
                        raw += piece
                        if len(raw) > MOST_BYTES:
                            raise DocumentUnusableError(f"it is larger than {MOST_BYTES // 1024 // 1024} MB")
                    return bytes(raw), url
            except (PrivateAddressError, InvalidInputError):
                raise
            except (aiohttp.ClientError, OSError) as error:
                raise DocumentUnusableError(f"its address cannot be reached ({type(error).__name__})") from None
    raise DocumentUnusableError("its address keeps redirecting")
