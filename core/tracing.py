"""Traces: one per job, from the request that made it to the webhooks that tell of its end.

What ties it together is a `traceparent` (W3C Trace Context) in the job's row: that of the span of the submit, which
goes on from the caller's own where there is one. Spans name jobs, models and servers, never prompts. Without
`ATELIER_OTLP_ENDPOINT` nothing of OpenTelemetry is imported, and a caller's trace is only handed on.
"""

import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from core.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Fact = str | int | float | bool
Facts = Mapping[str, Fact | None]
"""Attributes of a span: `job_id` becomes `atelier.job_id`; those that are None are left out."""

CLOSE_SECONDS = 3.0
"""How long the end of a process waits for a collector that does not answer."""

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})")


def read_traceparent(text: str | None) -> str | None:
    """`text` if it is a traceparent of the version that everybody speaks."""
    return text if text and _TRACEPARENT.fullmatch(text) else None


def trace_id(traceparent: str | None) -> str | None:
    """The 32 hexadecimal digits that all spans of a trace share."""
    match = _TRACEPARENT.fullmatch(traceparent or "")
    return match[1] if match else None


class OpenSpan:
    """A span that has begun. Every method does nothing where no traces are made."""

    def __init__(self, traceparent: str | None, span: "Span | None" = None) -> None:
        self.traceparent = traceparent
        """Of what comes of it."""
        self._span = span

    def note(self, **facts: Fact | None) -> None:
        """Further facts."""
        if self._span is not None:
            self._span.set_attributes(_attributes(facts))

    def fail(self, why: str) -> None:
        """It went wrong."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode

            self._span.set_status(StatusCode.ERROR, why)


class Tracer:
    """Makes spans of one process, and sends them from a thread of its own; what the collector does not take is lost."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._provider = _provider(settings, service) if settings.otlp_endpoint else None
        self._tracer = self._provider.get_tracer("atelier") if self._provider else None

    @contextmanager
    def span(
        self, name: str, *, parent: str | None, kind: Kind = "internal", root: bool = False, facts: Facts | None = None
    ) -> Iterator[OpenSpan]:
        """A span as long as the block, below the one that `parent`, a traceparent, stands for.

        Without a parent there is none, unless it is one that a trace may begin with (`root`).
        """
        parent = read_traceparent(parent)
        if self._tracer is None or not (parent or root):
            yield OpenSpan(parent)
            return
        from opentelemetry.trace import SpanKind

        span = self._tracer.start_span(
            name, _context(parent), kind=SpanKind[kind.upper()], attributes=_attributes(facts or {})
        )
        opened = OpenSpan(_traceparent(span), span)
        try:
            yield opened
        except BaseException as error:
            opened.fail(type(error).__name__)  # not its words: a caller's may be among them
            raise
        finally:
            span.end()

    def record(
        self,
        name: str,
        began: float,
        ended: float,
        *,
        parent: str | None,
        kind: Kind = "internal",
        failed: str | None = None,
        facts: Facts | None = None,
    ) -> str | None:
        """A span of the past, in seconds since 1970; returns its traceparent, or None where no span is made."""
        parent = read_traceparent(parent)
        if self._tracer is None or not parent:
            return None
        from opentelemetry.trace import SpanKind, StatusCode

        span = self._tracer.start_span(
            name,
            _context(parent),
            kind=SpanKind[kind.upper()],
            attributes=_attributes(facts or {}),
            start_time=round(began * 1e9),
        )
        if failed:
            span.set_status(StatusCode.ERROR, failed)
        span.end(round(ended * 1e9))
        return _traceparent(span)

    def close(self) -> None:
        """Send what waits, as far as `CLOSE_SECONDS` allow."""
        if self._provider is not None:
            closing = threading.Thread(target=self._provider.shutdown, name="close-traces", daemon=True)
            closing.start()
            closing.join(CLOSE_SECONDS)


OFF = Tracer(Settings(otlp_endpoint=""), "")
"""Makes no spans."""


def _provider(settings: Settings, service: str) -> "TracerProvider":
    """Everything else can be said with the variables of OpenTelemetry: headers, sampling, resource attributes."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID, SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    exporter = OTLPSpanExporter(
        endpoint=f"{settings.otlp_endpoint.rstrip('/')}/v1/traces", certificate_file=settings.ca_bundle or None
    )
    resource = Resource.create({SERVICE_NAME: service, SERVICE_INSTANCE_ID: settings.server_id})
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _context(parent: str | None) -> "Context":
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

    match = _TRACEPARENT.fullmatch(parent or "")
    if match is None:
        return Context()
    trace, span, flags = (int(part, 16) for part in match.groups())
    remote = SpanContext(trace, span, is_remote=True, trace_flags=TraceFlags(flags))
    return set_span_in_context(NonRecordingSpan(remote), Context())


def _traceparent(span: "Span") -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 1:02x}"


def _attributes(facts: Facts) -> dict[str, Fact]:
    return {f"atelier.{name}": value for name, value in facts.items() if value is not None}
