"""Files to send, out of memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from channels.gateway import File
from domain.contents import Media


@dataclass
class Files:
    """A media source that holds what the test put in; an unknown reference is a KeyError turned into no file."""

    held: dict[str, File] = field(default_factory=dict)

    async def read(self, media: Media) -> File:
        if media.ref not in self.held:
            raise FileNotFoundError(media.ref)
        return self.held[media.ref]
