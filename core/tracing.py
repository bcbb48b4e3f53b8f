"""Traces: one per job, from the request that made it to the webhooks that report its end.

The `traceparent` (W3C Trace Context) in a job's row ties its spans together. It is that of the submit's span, which
continues the caller's trace where the caller sent one. Spans name jobs, models and servers, never prompts.

OpenTelemetry's API makes no spans without its SDK, and passes a caller's trace on. The SDK and the exporter are
imported only where `ATELIER_OTLP_ENDPOINT` is set.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from core.settings import Settings
from core.urls import shown

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

Fact = str | int | float | bool
Facts = Mapping[str, Fact | None]

CLOSE_SECONDS = 3.0
"""How long the end of a process waits for a collector that does not answer."""

_W3C = TraceContextTextMapPropagator()


def start_tracing(settings: Settings, service: str) -> Callable[[], None]:
    """Send the spans of this process to the collector of `ATELIER_OTLP_ENDPOINT`, if that is set.

    Spans are sent from a thread; those that the collector does not accept are lost. Returns the function that ends
    tracing: it sends the spans that are left, for at most `CLOSE_SECONDS`. Raises `ValueError` for an endpoint that is
    not an http(s) URL.
    """
    if not settings.otlp_endpoint:
        return lambda: None
    _check_endpoint(settings.otlp_endpoint)
    provider = _provider(settings, service)
    trace.set_tracer_provider(provider)

    def stop() -> None:
        closing = threading.Thread(target=provider.shutdown, name="close-traces", daemon=True)
        closing.start()
        closing.join(CLOSE_SECONDS)

    return stop


@contextmanager
def span(
    name: str,
    *,
    parent: str | None,
    kind: SpanKind = SpanKind.INTERNAL,
    root: bool = False,
    facts: Facts | None = None,
) -> Iterator[Span]:
    """Open a span for the length of the block, below the span of the traceparent `parent`.

    Without a parent no span is made, unless a trace may begin with this one (`root`). An error marks the span as
    failed by its type alone: its message may hold a caller's words.
    """
    if not parent and (not root or isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)):
        yield INVALID_SPAN  # no trace to continue, and none begins: the provider is not the SDK's
        return
    context = _context(parent)
    if not (root or trace.get_current_span(context).get_span_context().is_valid):
        yield INVALID_SPAN
        return
    with trace.get_tracer("atelier").start_as_current_span(
        name, context, kind, attributes(facts or {}), record_exception=False, set_status_on_exception=False
    ) as opened:
        try:
            yield opened
        except BaseException as error:
            opened.set_status(StatusCode.ERROR, type(error).__name__)
            raise


def record_span(
    name: str,
    began: float,
    ended: float,
    *,
    parent: str | None,
    kind: SpanKind = SpanKind.INTERNAL,
    failed: str | None = None,
    facts: Facts | None = None,
) -> str | None:
    """Make a span of the past, from `began` to `ended` in seconds since 1970, and return its traceparent.

    Returns None without a `parent`, and the parent itself where no spans are made. `failed` says what went wrong.
    """
    context = _context(parent)
    if not trace.get_current_span(context).get_span_context().is_valid:
        return None
    made = trace.get_tracer("atelier").start_span(
        name, context, kind, attributes(facts or {}), start_time=round(began * 1e9)
    )
    if failed:
        made.set_status(StatusCode.ERROR, failed)
    made.end(round(ended * 1e9))
    return traceparent_of(made)


def traceparent_of(span: Span) -> str | None:
    """Return the traceparent that stands for `span`; None for one that belongs to no trace."""
    if not span.get_span_context().is_valid:
        return None
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span, Context()))
    return carrier.get("traceparent")


def trace_id(traceparent: str | None) -> str | None:
    """Return the 32 hexadecimal digits that all spans of a trace share."""
    context = trace.get_current_span(_context(traceparent)).get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


def attributes(facts: Facts) -> dict[str, Fact]:
    """Return the attributes of a span: `job_id` becomes `atelier.job_id`; facts that are None are left out."""
    return {f"atelier.{name}": value for name, value in facts.items() if value is not None}


def _provider(settings: Settings, service: str) -> "TracerProvider":
    """Make the provider; OpenTelemetry's own variables set the rest: headers, sampling, resource attributes."""
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


def _check_endpoint(endpoint: str) -> None:
    """Refuse what the exporter would repeat in the log for every batch, with the password."""
    try:
        parts = urlsplit(endpoint)
        readable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        readable = False
    if not readable:
        raise ValueError(f"ATELIER_OTLP_ENDPOINT={shown(endpoint)}: use http://host:4318")


def _context(traceparent: str | None) -> Context:
    if not traceparent:
        return Context()
    return _W3C.extract({"traceparent": traceparent}, Context())
