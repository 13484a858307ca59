"""Spans over OpenTelemetry's SDK, the extra ``atende[otel]``. Imported only where an endpoint is set.

The SDK's own variables keep their meaning: OTEL_EXPORTER_OTLP_HEADERS, OTEL_TRACES_SAMPLER and so on.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from importlib.metadata import version

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Decision, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from domain import telemetry
from domain.telemetry import Attributes, Origin, Span, SpanKind

_KINDS = {
    "internal": trace.SpanKind.INTERNAL,
    "client": trace.SpanKind.CLIENT,
    "producer": trace.SpanKind.PRODUCER,
    "consumer": trace.SpanKind.CONSUMER,
}
_EXPORT_TIMEOUT_SECONDS = 5
_ids: ContextVar[tuple[int, int] | None] = ContextVar("ids of the span that is about to start", default=None)


class OriginIds(RandomIdGenerator):
    """Random ids, but for the first span of a trace, which is named after its message."""

    def generate_trace_id(self) -> int:
        given = _ids.get()
        return given[0] if given else super().generate_trace_id()

    def generate_span_id(self) -> int:
        given = _ids.get()
        return given[1] if given else super().generate_span_id()


class OtelTracer:
    """Fulfils domain.telemetry.Tracer with a provider of the SDK (made with OriginIds)."""

    def __init__(self, provider: TracerProvider, *, shows_content: bool = False) -> None:
        self.shows_content = shows_content
        self._sampler: Sampler = provider.sampler
        self._tracer = provider.get_tracer("atende", version("atende"))

    @contextmanager
    def span(self, name: str, kind: SpanKind, attributes: Attributes, origins: Sequence[Origin]) -> Iterator[Span]:
        """As telemetry.span."""
        context, links = None, []
        if not trace.get_current_span().get_span_context().is_valid and origins:
            *earlier, last = origins
            context = trace.set_span_in_context(NonRecordingSpan(self._span_context(last)), Context())
            links = [trace.Link(self._span_context(origin)) for origin in earlier]
        with self._tracer.start_as_current_span(
            name,
            context,
            kind=_KINDS[kind],
            attributes=dict(attributes),
            links=links,
            record_exception=False,  # its words may be a customer's
            set_status_on_exception=False,
        ) as running:
            span = _OtelSpan(running)
            try:
                yield span
            except BaseException as error:
                span.failed(type(error).__qualname__)
                raise

    def origin(self, origin: Origin, name: str, attributes: Attributes, started_ns: int) -> None:
        """As telemetry.began."""
        token = _ids.set(_named(origin))
        try:
            span = self._tracer.start_span(
                name, Context(), kind=trace.SpanKind.CONSUMER, attributes=dict(attributes), start_time=started_ns
            )
        finally:
            _ids.reset(token)
        span.end()

    def _span_context(self, origin: Origin) -> SpanContext:
        trace_id, span_id = _named(origin)
        sampled = self._sampler.should_sample(None, trace_id, "").decision is not Decision.DROP
        flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)


class _OtelSpan:
    def __init__(self, span: trace.Span) -> None:
        self._span = span

    def set(self, attributes: Attributes) -> None:
        self._span.set_attributes(dict(attributes))

    def failed(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(trace.StatusCode.ERROR)


def _named(origin: Origin) -> tuple[int, int]:
    digest = hashlib.sha256(f"atende/{origin.tenant_id}/{origin.message_id}".encode()).digest()
    return int.from_bytes(digest[:16], "big") or 1, int.from_bytes(digest[16:24], "big") or 1


@contextmanager
def exporting(endpoint: str, process: str, *, shows_content: bool) -> Iterator[None]:
    """Send this process's spans to an OTLP endpoint over HTTP until the block ends; what is left is sent then."""
    names = {"service.version": version("atende"), "atende.process": process}
    if "OTEL_SERVICE_NAME" not in os.environ:
        names["service.name"] = "atende"
    provider = TracerProvider(resource=Resource.create(names), id_generator=OriginIds(), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint, timeout=_EXPORT_TIMEOUT_SECONDS)))
    telemetry.install(OtelTracer(provider, shows_content=shows_content))
    try:
        yield
    finally:
        telemetry.install(None)
        provider.shutdown()
