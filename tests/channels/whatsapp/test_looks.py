"""The miniature and the pages that a sender's device tells of a document, wherever a provider puts them."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

import pytest

from channels.base import MessageReceived
from tests.channels.whatsapp import test_convert, test_evolution_events, test_waha_events, test_wppconnect_events

JPEG = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40
TEXT = base64.b64encode(JPEG).decode()
INDEXED = {str(index): byte for index, byte in enumerate(JPEG)}
BUFFER = {"type": "Buffer", "data": TEXT}
PAGE = base64.b64encode(b"<svg onload='alert(1)'/>").decode()


def _content(picture: Any) -> dict[str, Any]:
    document = {"mimetype": "application/pdf", "fileName": "a.pdf", "jpegThumbnail": picture, "pageCount": 3}
    return {"documentMessage": document}


def _webjs(picture: Any, **data: Any) -> MessageReceived:
    payload = {"type": "document", "body": picture, "pageCount": 3, **data}
    return test_waha_events.message(hasMedia=True, media={"mimetype": "application/pdf"}, _data=payload)


READERS: dict[str, Callable[[Any], MessageReceived]] = {
    "neonize": lambda picture: test_convert.received(_content(picture)),
    "evolution": lambda picture: test_evolution_events.message(_content(picture)),
    "waha gows": lambda picture: test_waha_events.gows(_content(picture), hasMedia=True),
    "waha noweb": lambda picture: test_waha_events.noweb(_content(picture), hasMedia=True),
    "waha webjs": _webjs,
    "wppconnect": lambda picture: test_wppconnect_events.message(
        type="document", mimetype="application/pdf", body=picture, pageCount=3, size="70000"
    ),
}


@pytest.mark.parametrize("reader", READERS)
def test_that_every_provider_s_miniature_of_a_document_is_kept_with_its_pages(reader: str) -> None:
    media = READERS[reader](TEXT).media
    assert media is not None
    assert (media.extra["preview"], media.extra["pages"]) == (TEXT, 3)


@pytest.mark.parametrize("shape", [INDEXED, BUFFER, list(JPEG)])
@pytest.mark.parametrize("reader", ["evolution", "waha noweb"])
def test_that_javascript_s_shapes_of_bytes_are_the_same_picture(reader: str, shape: Any) -> None:
    media = READERS[reader](shape).media
    assert media is not None
    assert media.extra["preview"] == TEXT


@pytest.mark.parametrize("junk", [PAGE, "no base64!", "", None, 7, {"0": 300}, [[]], TEXT * 8])
@pytest.mark.parametrize("reader", READERS)
def test_that_what_is_no_small_jpeg_is_no_miniature(reader: str, junk: Any) -> None:
    event = READERS[reader](junk)
    assert event.media is not None
    assert "preview" not in event.media.extra


def test_that_what_may_be_seen_once_is_not_kept_as_a_miniature() -> None:
    film = {"videoMessage": {"mimetype": "video/mp4", "JPEGThumbnail": TEXT}}
    shown, once = test_convert.received(film), test_convert.received({"viewOnceMessage": {"message": film}})
    assert shown.media is not None
    assert shown.media.extra["preview"] == TEXT
    assert once.media is not None
    assert "preview" not in once.media.extra
    for event in (
        _webjs(TEXT, isViewOnce=True),
        test_wppconnect_events.message(type="video", mimetype="video/mp4", body=TEXT, isViewOnce=True),
    ):
        assert event.media is not None
        assert "preview" not in event.media.extra
