"""What WhatsApp wants to be told of a picture that we send: its size, and a miniature shown until it is loaded."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass

_MINIATURE = (96, 96)
_MOST_PIXELS = 60_000_000
"""A picture that unfolds to more is sent without a miniature: decoding it would cost hundreds of megabytes."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Pixels (0: unreadable) and a small JPEG (empty: none)."""

    width: int = 0
    height: int = 0
    thumbnail: bytes = b""
    is_animated: bool = False


def look(data: bytes) -> Seen:
    """Look at a picture's bytes; what cannot be read says nothing. Never raises. Some 5 ms for a photo."""
    from PIL import Image  # noqa: PLC0415 - loaded by processes that send pictures only

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                width, height = picture.size
                animated = bool(getattr(picture, "is_animated", False))
                if width * height > _MOST_PIXELS:
                    return Seen(width, height, is_animated=animated)
                picture.draft("RGB", _MINIATURE)
                picture.thumbnail(_MINIATURE)
                out = io.BytesIO()
                picture.convert("RGB").save(out, "JPEG", quality=50)
    except Exception:  # any of the decoders' errors: the file is a stranger's
        return Seen()
    return Seen(width, height, out.getvalue(), animated)
