"""A collector of traces: a real OTLP/HTTP receiver on loopback that keeps every span it is sent."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """A span; ids are hexadecimal, and `parent` is empty for the first of a trace. Times are nanoseconds."""

    service: str
    name: str
    trace: str
    id: str
    parent: str
    began: int
    ended: int
    facts: dict[str, Any]
    error: str | None


class Collector:
    """Takes what is posted to /v1/traces. A context manager; `url` is what `ATELIER_OTLP_ENDPOINT` wants."""

    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.requests: list[dict[str, str]] = []
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                collector.requests.append(dict(self.headers.items()))
                collector.spans += read_spans(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def of(self, trace: str) -> list[Seen]:
        """The spans of one trace, in the order in which they began."""
        return sorted((span for span in list(self.spans) if span.trace == trace), key=lambda span: span.began)

    def __enter__(self) -> "Collector":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


def read_spans(body: bytes) -> list[Seen]:
    """The spans of an export request, by OpenTelemetry's own definition of it."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    return [
        _seen(_facts(of_process.resource.attributes)["service.name"], span)
        for of_process in ExportTraceServiceRequest.FromString(body).resource_spans
        for scope in of_process.scope_spans
        for span in scope.spans
    ]


def _seen(service: str, span: Any) -> Seen:
    return Seen(
        service=service,
        name=span.name,
        trace=span.trace_id.hex(),
        id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        began=span.start_time_unix_nano,
        ended=span.end_time_unix_nano,
        facts=_facts(span.attributes),
        error=span.status.message or "error" if span.status.code == 2 else None,
    )


def _facts(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
