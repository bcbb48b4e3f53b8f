"""Traces: what ties spans together, what they tell, and that they cost nothing where nobody wants them."""

import subprocess
import sys
import threading

import pytest

from core.settings import Settings, read_settings
from core.tracing import OFF, Tracer, read_traceparent, trace_id
from tests.support.servers.collector import Collector
from tests.support.servers.sink import Tarpit

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


@pytest.fixture
def tracer(collector):
    made = Tracer(Settings(otlp_endpoint=collector.url, server_id="here"), "atelier-test")
    yield made
    made.close()


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "nonsense",
        PARENT.upper(),
        PARENT.replace("00-4", "ff-4"),
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{PARENT}-more",
        f"{PARENT}\n",
    ],
)
def test_what_is_no_traceparent_is_none(text):
    assert read_traceparent(text) is None
    assert trace_id(text) is None


def test_a_traceparent_names_its_trace():
    assert PARENT == read_traceparent(PARENT)
    assert TRACE == trace_id(PARENT)


def test_without_a_collector_a_callers_trace_is_only_handed_on():
    with OFF.span("submit", parent=PARENT, root=True) as span:
        span.note(job_id="job_1")
        span.fail("never mind")
        assert PARENT == span.traceparent
    with OFF.span("submit", parent="nonsense", root=True) as span:
        assert span.traceparent is None
    assert OFF.record("load", 1.0, 2.0, parent=PARENT) is None


def test_the_exporter_is_not_even_imported_without_a_collector():
    program = (
        "import sys, api.app, workers.cpu.main;"
        " print([m for m in sys.modules if m.startswith('opentelemetry.exporter')])"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "[]" == outcome.stdout.strip()


def test_spans_of_a_trace_hang_together(tracer, collector):
    with tracer.span(
        "submit", parent=PARENT, kind="server", root=True, facts={"model": "chaos", "server_id": None}
    ) as submit:
        submit.note(job_id="job_1")
    attempt = tracer.record("attempt", 10.0, 12.5, parent=submit.traceparent, failed="failed")
    tracer.record("load", 10.0, 11.0, parent=attempt)
    tracer.close()
    spans = {span.name: span for span in collector.spans}
    assert {TRACE} == {span.trace for span in spans.values()} == {trace_id(submit.traceparent)}
    assert (SPAN, spans["submit"].id, spans["attempt"].id) == tuple(
        spans[name].parent for name in ("submit", "attempt", "load")
    )
    assert {"atelier.model": "chaos", "atelier.job_id": "job_1"} == spans["submit"].facts
    assert (10_000_000_000, 12_500_000_000) == (spans["attempt"].began, spans["attempt"].ended)
    assert (None, "failed", None) == tuple(spans[name].error for name in ("submit", "attempt", "load"))
    assert {"atelier-test"} == {span.service for span in spans.values()}


def test_a_span_without_a_parent_is_made_only_where_a_trace_may_begin(tracer, collector):
    with tracer.span("ring", parent=None) as span:
        assert span.traceparent is None
    assert tracer.record("attempt", 1.0, 2.0, parent="nonsense") is None
    with tracer.span("submit", parent=None, root=True) as span:
        assert trace_id(span.traceparent)
    tracer.close()
    assert [("submit", "")] == [(span.name, span.parent) for span in collector.spans]


def test_who_wants_no_spans_of_a_trace_gets_none(tracer, collector):
    unwanted = PARENT[:-2] + "00"
    with tracer.span("submit", parent=unwanted, root=True) as span:
        assert (TRACE, "00") == (trace_id(span.traceparent), span.traceparent[-2:])
    tracer.close()
    assert [] == collector.spans


def test_the_words_of_an_error_are_not_told(tracer, collector):
    with pytest.raises(ValueError, match="a red circle"), tracer.span("submit", parent=PARENT):
        raise ValueError("a red circle")
    tracer.close()
    (span,) = collector.spans
    assert "ValueError" == span.error
    assert "circle" not in repr(span)


def test_a_collector_that_does_not_answer_does_not_hold_up_the_end(monkeypatch):
    monkeypatch.setattr("core.tracing.CLOSE_SECONDS", 0.05)
    with Tarpit() as tarpit:
        tracer = Tracer(Settings(otlp_endpoint=tarpit.url), "atelier-test")
        with tracer.span("submit", parent=PARENT):
            pass
        tracer.close()
        assert "close-traces" in {thread.name for thread in threading.enumerate()}  # it tries on, and nobody waits


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, ""),
        ({"ATELIER_OTLP_ENDPOINT": "http://ours:4318"}, "http://ours:4318"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://standard:4318"}, "http://standard:4318"),
        (
            {"ATELIER_OTLP_ENDPOINT": "http://ours:4318", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://standard:4318"},
            "http://ours:4318",
        ),
    ],
)
def test_the_standard_variable_names_it_too(environment, endpoint):
    assert endpoint == read_settings(environment).otlp_endpoint
