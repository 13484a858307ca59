"""Static files under addresses that carry their content's hash, so that browsers may keep them for ever."""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

STATIC = Path(__file__).parent / "static"
_COMPRESSIBLE = frozenset({".css", ".js", ".svg"})
_SERVED = _COMPRESSIBLE | {".woff2", ".png", ".ico"}
_LINK = re.compile(r"url\(([\w./-]+)\)")
_STYLE_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}

_INBOX = ("keys", "settings", "files", "sending", "drafts", "list", "thread", "composer", "media", "acts")
BUNDLES: Mapping[str, Sequence[str]] = {
    "inbox.css": ("app.css", "desk.css", "drafts.css"),
    "inbox.js": (
        "connection.js",
        "presence.js",
        "inbox/patch.js",
        "app.js",
        *(f"inbox/{part}.js" for part in _INBOX),
    ),
}
"""What a page takes whole, in this order: one answer weighs less than its parts, and its words repeat themselves."""

mimetypes.add_type("font/woff2", ".woff2")


@dataclass(frozen=True)
class Asset:
    """One file, held in memory. ``brotli`` is the precompressed copy that may lie beside it (``.br``)."""

    name: str
    body: bytes
    brotli: bytes | None = None

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:12]

    @cached_property
    def gzipped(self) -> bytes | None:
        return gzip.compress(self.body, 9, mtime=0) if Path(self.name).suffix in _COMPRESSIBLE else None

    def encoded(self, accepted: str) -> tuple[str | None, bytes]:
        """The encoding to name and the body to send for an ``Accept-Encoding`` header."""
        offers = {offer.split(";")[0].strip() for offer in accepted.split(",") if not offer.strip().endswith(";q=0")}
        if self.brotli is not None and "br" in offers:
            return "br", self.brotli
        if self.gzipped is not None and "gzip" in offers:
            return "gzip", self.gzipped
        return None, self.body


class Assets:
    """All files below ``static``. Read once: the product is not edited while it runs."""

    def __init__(self, folder: Path = STATIC) -> None:
        self._assets = {
            asset.name: asset
            for path in sorted(folder.rglob("*"))
            if path.is_file() and path.suffix in _SERVED
            for asset in [_load(folder, path)]
        }
        for name, parts in BUNDLES.items():
            self._assets[name] = Asset(name, b"\n".join(self._assets[part].body for part in parts))
        for name, asset in list(self._assets.items()):
            if name.endswith(".css") and "/" not in name:  # ours: its links get the hash of what they point to
                linked = _LINK.sub(lambda found: f"url({self.url(found[1])})", asset.body.decode())
                self._assets[name] = Asset(name, linked.encode())

    def url(self, name: str) -> str:
        """The address of a file; raises KeyError for one that does not exist, so that a template's typo shows."""
        return f"/assets/{self._assets[name].digest}/{name}"

    def text(self, name: str) -> str:
        """A text file's content."""
        return self._assets[name].body.decode()

    def serve(self, request: Request) -> Response:
        """Answer ``/assets/{digest}/{name}``. Another digest is an older page's: served, but not kept for ever."""
        asset = self._assets.get(request.path_params["name"])
        if asset is None:
            return Response(status_code=404)
        encoding, body = asset.encoded(request.headers.get("accept-encoding", ""))
        current = request.path_params["digest"] == asset.digest
        headers = {"Vary": "Accept-Encoding", **(_FOREVER if current else {"Cache-Control": "no-cache"})}
        if encoding:
            headers["Content-Encoding"] = encoding
        media_type = mimetypes.guess_type(asset.name)[0] or "application/octet-stream"
        return Response(
            body, media_type=media_type.replace("application/javascript", "text/javascript"), headers=headers
        )


def _load(folder: Path, path: Path) -> Asset:
    brotli = path.with_name(path.name + ".br")
    name = path.relative_to(folder).as_posix()
    return Asset(name, _lean(name, path.read_bytes()), brotli.read_bytes() if brotli.exists() else None)


def _lean(name: str, body: bytes) -> bytes:
    """Our own scripts and styles without comments and indentation: a tenth of what they weigh. No line of code may
    begin with ``//`` within a text."""
    if name.startswith("vendor/") or not name.endswith((".js", ".css")):
        return body
    text = body.decode()
    if name.endswith(".css"):
        text = _STYLE_COMMENT.sub("", text)
    lines = (line.strip() for line in text.splitlines())
    return "\n".join(line for line in lines if line and not line.startswith("//")).encode()
