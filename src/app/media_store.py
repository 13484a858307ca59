"""Where files of messages lie, as the settings say."""

from __future__ import annotations

from app.settings import Settings
from store.media import MediaFolder, MediaStore
from store.media_bucket import MediaBucket


def media_store(settings: Settings) -> MediaStore:
    """A folder of this machine, unless a bucket is set. Raises InvalidInputError and BucketLibraryMissingError."""
    if settings.media_url:
        return MediaBucket.open(settings.media_url)
    return MediaFolder(settings.data_dir / "media")
