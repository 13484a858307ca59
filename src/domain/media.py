"""What a file is, told from its first bytes; names and claims of senders count for nothing."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Literal

from domain.contents import MediaKind

DEFAULT_LIMIT = 16 * 1024 * 1024
"""Bytes of one file; a tenant may set another (``media.limit_bytes``)."""
UNKNOWN = "application/octet-stream"

_STARTS: tuple[tuple[bytes, str], ...] = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"#!AMR", "audio/amr"),
    (b"\x1aE\xdf\xa3", "video/webm"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
    (b"\x1f\x8b", "application/gzip"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"MZ", "application/vnd.microsoft.portable-executable"),
    (b"\x7fELF", "application/x-elf"),
    (b"#!", "text/x-script"),
)
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"M4A ": "audio/mp4",
    b"M4B ": "audio/mp4",
    b"qt  ": "video/quicktime",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"mif1": "image/heic",
    b"avif": "image/avif",
}
_INSIDE = {
    # What a general container is, where the sender's word for it is one of the things that it can be.
    "application/zip": re.compile(
        r"application/(vnd\.openxmlformats-officedocument\.[\w.-]+|vnd\.oasis\.opendocument\.[\w.-]+|epub\+zip)"
    ),
    "application/x-ole-storage": re.compile(r"application/(msword|vnd\.ms-(excel|powerpoint|outlook))"),
    "text/plain": re.compile(r"text/(csv|plain|vcard|x-vcard|calendar|markdown)|application/json"),
    "video/webm": re.compile(r"video/(webm|x-matroska)|audio/webm"),
    "audio/ogg": re.compile(r"audio/ogg"),
    "video/mp4": re.compile(r"video/(mp4|3gpp)|audio/(mp4|x-m4a|aac)"),
}
_EXECUTABLE = frozenset({"application/vnd.microsoft.portable-executable", "application/x-elf", "text/x-script"})
_EXECUTABLE_NAME = re.compile(r"\.(exe|msi|bat|cmd|com|scr|ps1|vbs|js|jse|hta|apk|jar|lnk|sh|dll|reg)$", re.IGNORECASE)
SHOWN: frozenset[str] = frozenset(
    {
        *(f"image/{name}" for name in ("jpeg", "png", "gif", "webp")),
        *(f"audio/{name}" for name in ("ogg", "mpeg", "mp4", "wav", "amr", "flac", "aac", "webm")),
        *(f"video/{name}" for name in ("mp4", "webm", "3gpp", "quicktime")),
    }
)
"""What a page may show by itself."""
READ_IN_TAB = frozenset({"application/pdf"})
"""What a tab of its own may show, in the browser's own reader. Everything else is only offered for download."""
MOST_OF_MINIATURE = 64 * 1024
"""Bytes; WhatsApp's own are a tenth of it."""


def sniff(data: bytes, claimed: str = "") -> str:
    """The MIME type of these bytes, without parameters.

    ``claimed`` only decides among what the bytes can be (a ZIP may be a spreadsheet); it never makes a page or an
    image out of something else.
    """
    found = _container(data)
    claimed = claimed.partition(";")[0].strip().lower()
    inside = _INSIDE.get(found)
    return claimed if inside is not None and inside.fullmatch(claimed) else found


def _container(data: bytes) -> str:
    if data[:4] == b"RIFF" and (riff := _RIFF.get(data[8:12])):
        return riff
    if data[4:8] == b"ftyp":
        brand = data[8:12]
        return _BRANDS.get(brand) or ("video/3gpp" if brand[:2] == b"3g" else "video/mp4")
    for start, mime in _STARTS:
        if data.startswith(start):
            return mime
    if len(data) > 1 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        return "audio/aac" if data[1] & 0xF6 == 0xF0 else "audio/mpeg"
    head = data[:4096]
    if head and b"\0" not in head and _is_text(head):
        return "text/plain"
    return UNKNOWN


def _is_text(head: bytes) -> bool:
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return error.start > len(head) - 4 and len(head) == 4096  # cut in the middle of a character
    return True


def kind_of(mime_type: str) -> MediaKind:
    """As what a file of this type is sent. WhatsApp shows only some formats as pictures, sounds or films."""
    if mime_type in {"image/jpeg", "image/png"}:
        return "image"
    if mime_type in {"video/mp4", "video/3gpp"}:
        return "video"
    if mime_type in {"audio/ogg", "audio/mpeg", "audio/mp4", "audio/aac", "audio/amr"}:
        return "audio"
    return "document"


def is_executable(mime_type: str, file_name: str) -> bool:
    """Whether it is a program, by its bytes or by its name."""
    return mime_type in _EXECUTABLE or bool(_EXECUTABLE_NAME.search(file_name.strip()))


def miniature(value: object) -> str:
    """A small picture of a file, as senders' devices make it: a JPEG as base64; "" where ``value`` is not base64 text
    (or a data URL) of one, or larger than a miniature is."""
    if not isinstance(value, str) or not 0 < len(value) <= MOST_OF_MINIATURE * 4 // 3 + 64:
        return ""
    encoded = value.rpartition(",")[2] if value.startswith("data:") else value
    try:
        data = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return ""
    return encoded if len(data) <= MOST_OF_MINIATURE and sniff(data) == "image/jpeg" else ""


def disposition(mime_type: str) -> Literal["inline", "attachment"]:
    """How a browser may take it."""
    return "inline" if mime_type in SHOWN | READ_IN_TAB else "attachment"


def clean_name(name: str, *, longest: int = 120) -> str:
    """A file's name without folders and control characters; "" for none. Its end (the extension) is kept."""
    last = re.split(r"[/\\]", name)[-1]
    kept = "".join(char for char in last if char.isprintable() and char not in '"<>|:*?').strip(". ")
    return kept if len(kept) <= longest else kept[: longest - 20] + kept[-20:]
