"""Spans for those who watch an installation from outside. Off unless the composition root installs a tracer.

Off, a span is one comparison and a shared object that does nothing. Names and attributes follow OpenTelemetry's
semantic conventions for generative AI (v1.41). What customers, agents and functions say is never an attribute unless
``shows_content``, and then personal data are masked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Final, Literal, Protocol
from uuid import UUID

from domain.personal_data import redact, redact_json

Attributes = Mapping[str, str | int | float | bool | Sequence[str]]
SpanKind = Literal["internal", "client", "producer", "consumer"]


@dataclass(frozen=True, slots=True)
class Origin:
    """The customer's message at which a trace begins.

    A trace and its first span are named after it, so that the processes that answer and send find the trace without
    anything being handed over the queue.
    """

    tenant_id: UUID
    message_id: int


class Span(Protocol):
    """A span that is running."""

    def set(self, attributes: Attributes) -> None:
        """Add attributes."""

    def failed(self, error_type: str) -> None:
        """It ended in an error of this low-cardinality type."""


class Tracer(Protocol):
    """What the composition root installs."""

    @property
    def shows_content(self) -> bool: ...

    def span(
        self, name: str, kind: SpanKind, attributes: Attributes, origins: Sequence[Origin]
    ) -> AbstractContextManager[Span]: ...

    def origin(self, origin: Origin, name: str, attributes: Attributes, started_ns: int) -> None: ...


class _NoSpan:
    """What stands for every span while nobody watches."""

    def __enter__(self) -> Span:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        pass

    def set(self, attributes: Attributes) -> None:
        pass

    def failed(self, error_type: str) -> None:
        pass


_NO_SPAN: Final = _NoSpan()
_installed: list[Tracer] = []


def install(tracer: Tracer | None) -> None:
    """Send all spans of this process to ``tracer``; None: to nobody."""
    _installed[:] = [tracer] if tracer else []


def is_on() -> bool:
    return bool(_installed)


def shows_content() -> bool:
    """Whether words may become attributes. Hand them to ``words`` first."""
    return bool(_installed) and _installed[0].shows_content


def span(
    name: str, *, kind: SpanKind = "internal", attributes: Attributes | None = None, origins: Sequence[Origin] = ()
) -> AbstractContextManager[Span]:
    """A span around a block. An exception that leaves the block is its error, told by its class alone.

    Its parent is the span that is running; if none is, the last of ``origins``, and the others are linked.
    """
    return _installed[0].span(name, kind, attributes or {}, origins) if _installed else _NO_SPAN


def began(origin: Origin, name: str, *, attributes: Attributes, started_ns: int) -> None:
    """A customer's message is stored: the first span of its trace, ended now. ``started_ns`` since the epoch."""
    if _installed:
        _installed[0].origin(origin, name, attributes, started_ns)


def words(value: Any) -> str:
    """Words as an attribute: personal data masked, anything but text as JSON."""
    return redact(value) if isinstance(value, str) else json.dumps(redact_json(value), ensure_ascii=False, default=str)
