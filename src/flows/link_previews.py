"""The card that stands below a link: title, description and a miniature, read from the page itself.

The page is somebody's and may be anything, so it is reached like a tenant's webhook: public hosts only, few redirects,
not much of it, not for long. What it says is shown, never obeyed.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Collection
from html.parser import HTMLParser
from urllib.parse import urljoin

import aiohttp

from channels.whatsapp.pictures import look
from domain.contents import LinkPreview
from domain.errors import AtendeError, InvalidInputError
from domain.text import storable
from tools.public_web import PrivateAddressError, check_url

_SECONDS = 8.0
_PAGE_BYTES = 512 * 1024
_PICTURE_BYTES = 2 * 1024 * 1024
_REDIRECTS = 3
_LONGEST_TITLE = 200
_LONGEST_DESCRIPTION = 400
_PAGES = frozenset({"text/html", "application/xhtml+xml"})


class NoPreviewError(InvalidInputError):
    """The page says nothing to show."""

    def __init__(self, url: str, why: str) -> None:
        super().__init__(
            "url",
            f"there is no preview of {url} ({why})",
            hint="Give a title yourself, or send the link as plain text.",
        )


class LinkPreviews:
    """Reads pages with a client of ``tools.public_web``; ``allowed_hosts`` may be private."""

    def __init__(self, http: aiohttp.ClientSession, allowed_hosts: Collection[str] = ()) -> None:
        self._http, self._allowed = http, allowed_hosts

    async def of(self, url: str) -> LinkPreview:
        """The card of a page. Raises NoPreviewError, or InvalidInputError for what is no address."""
        try:
            async with asyncio.timeout(_SECONDS):
                mime, page, place = await self._read(url, _PAGE_BYTES)
                if mime not in _PAGES:
                    raise NoPreviewError(url, f"it is {mime or 'of no known type'}")
                found = _Head()
                found.feed(page.decode(errors="replace"))
                title = found.said("og:title", "twitter:title") or found.title
                if not title:
                    raise NoPreviewError(url, "the page has no title")
                picture = await self._picture(found.said("og:image", "twitter:image"), place)
        except PrivateAddressError as error:
            raise NoPreviewError(url, str(error)) from error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise NoPreviewError(url, type(error).__name__) from error
        description = found.said("og:description", "description", "twitter:description")
        return LinkPreview(url, title[:_LONGEST_TITLE], description[:_LONGEST_DESCRIPTION], picture)

    async def _picture(self, address: str, page: str) -> str:
        """A miniature as base64; "" where there is none."""
        if not address:
            return ""
        try:
            _, data, _ = await self._read(urljoin(page, address), _PICTURE_BYTES)
        except (aiohttp.ClientError, OSError, ValueError, AtendeError):
            return ""
        return base64.b64encode((await asyncio.to_thread(look, data)).thumbnail).decode()

    async def _read(self, url: str, most: int) -> tuple[str, bytes, str]:
        """MIME type, the first bytes, and the address where they were found in the end."""
        for _ in range(_REDIRECTS + 1):
            async with self._http.get(check_url(url, self._allowed), allow_redirects=False) as answer:
                if answer.status in range(300, 400) and "location" in answer.headers:
                    url = urljoin(url, answer.headers["location"])
                    continue
                answer.raise_for_status()
                data = bytearray()
                async for part in answer.content.iter_chunked(64 * 1024):
                    data += part
                    if len(data) >= most:
                        break
                return answer.content_type, bytes(data[:most]), url
        raise aiohttp.ClientError("too many redirects")


class _Head(HTMLParser):
    """The title and the ``meta`` lines of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self._meta: dict[str, str] = {}
        self._in_title = False

    def said(self, *names: str) -> str:
        """The first of these ``meta`` lines that says something."""
        return next((self._meta[name] for name in names if self._meta.get(name)), "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._in_title = tag == "title" and not self.title
        if tag == "meta":
            given = dict(attrs)
            name = (given.get("property") or given.get("name") or "").lower()
            self._meta.setdefault(name, _words(given.get("content") or ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title = _words(f"{self.title} {data}")


def _words(text: str) -> str:
    return storable(" ".join(text.split()))[0]
