"""Traces: what ties spans together, what they say, and that nothing is exported without a collector."""

import subprocess
import sys
import threading

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from core.settings import Settings, read_settings
from core.tracing import attributes, record_span, span, start_tracing, trace_id, traceparent_of
from tests.support.servers.collector import Collector
from tests.support.servers.webhook_receiver import Tarpit

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def collector():
    with Collector() as running:
        yield running


@pytest.fixture(autouse=True)
def no_provider(monkeypatch):
    """Let each test set the provider, which OpenTelemetry otherwise allows once in a process."""
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER", None)
    monkeypatch.setattr("opentelemetry.trace._TRACER_PROVIDER_SET_ONCE._done", False)


@pytest.fixture
def stop_tracing(collector):
    stop = start_tracing(Settings(otlp_endpoint=collector.url, server_id="here"), "atelier-test")
    yield stop
    stop()


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
        f"{PARENT}\nmore",
    ],
)
def test_what_is_not_a_traceparent_begins_no_trace(text):
    assert trace_id(text) is None
    with span("submit", parent=text, root=True) as opened:
        assert traceparent_of(opened) is None


@pytest.mark.parametrize("text", [PARENT, f" {PARENT} ", PARENT.replace("00-4", "01-4"), f"{PARENT}\n"])
def test_a_traceparent_is_handed_on_in_its_plain_form(text):
    assert TRACE == trace_id(text)
    with span("submit", parent=text, root=True) as opened:
        assert PARENT == traceparent_of(opened)


def test_a_callers_trace_is_handed_on_without_a_collector():
    start_tracing(Settings(otlp_endpoint=""), "atelier-test")()
    with span("submit", parent=PARENT, root=True, kind=SpanKind.SERVER) as opened:
        opened.set_attributes(attributes({"job_id": "job_1"}))
        opened.set_status(StatusCode.ERROR, "never mind")
        assert PARENT == traceparent_of(opened)
    assert PARENT == record_span("load", 1.0, 2.0, parent=PARENT)
    assert record_span("load", 1.0, 2.0, parent=None) is None


@pytest.mark.long
def test_the_sdk_is_imported_only_for_a_collector():
    program = (
        "import sys, api.app, workers.cpu.main;"
        " print([m for m in sys.modules if m.startswith('opentelemetry.exporter')])"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "[]" == outcome.stdout.strip()
    program = (
        "import sys; from core import tracing; from core.settings import Settings;"
        " tracing.start_tracing(Settings(), 'test');"
        " print([m for m in sys.modules if m.startswith('opentelemetry.sdk')])"
    )
    outcome = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert "[]" == outcome.stdout.strip()


def test_spans_of_a_trace_hang_together(stop_tracing, collector):
    facts = {"model": "chaos", "server_id": None}
    with span("submit", parent=PARENT, kind=SpanKind.SERVER, root=True, facts=facts) as opened:
        opened.set_attributes(attributes({"job_id": "job_1"}))
        submit = traceparent_of(opened)
    attempt = record_span("attempt", 10.0, 12.5, parent=submit, failed="failed")
    record_span("load", 10.0, 11.0, parent=attempt)
    stop_tracing()
    spans = {seen.name: seen for seen in collector.spans}
    assert {TRACE} == {seen.trace for seen in spans.values()} == {trace_id(submit)}
    assert (SPAN, spans["submit"].id, spans["attempt"].id) == tuple(
        spans[name].parent for name in ("submit", "attempt", "load")
    )
    assert {"atelier.model": "chaos", "atelier.job_id": "job_1"} == spans["submit"].facts
    assert (10_000_000_000, 12_500_000_000) == (spans["attempt"].began, spans["attempt"].ended)
    assert (None, "failed", None) == tuple(spans[name].error for name in ("submit", "attempt", "load"))
    assert {"atelier-test"} == {seen.service for seen in spans.values()}


def test_only_a_root_span_is_made_without_a_parent(stop_tracing, collector):
    with span("ring", parent=None) as opened:
        assert traceparent_of(opened) is None
    assert record_span("attempt", 1.0, 2.0, parent="nonsense") is None
    with span("submit", parent=None, root=True) as opened:
        assert trace_id(traceparent_of(opened))
    stop_tracing()
    assert [("submit", "")] == [(seen.name, seen.parent) for seen in collector.spans]


def test_an_unsampled_trace_is_not_exported(stop_tracing, collector):
    with span("submit", parent=PARENT[:-2] + "00", root=True) as opened:
        assert (TRACE, "00") == (trace_id(traceparent_of(opened)), traceparent_of(opened)[-2:])
    stop_tracing()
    assert [] == collector.spans


def test_a_span_does_not_hold_the_message_of_an_error(stop_tracing, collector):
    with pytest.raises(ValueError, match="a red circle"), span("submit", parent=PARENT):
        raise ValueError("a red circle")
    stop_tracing()
    (seen,) = collector.spans
    assert "ValueError" == seen.error
    assert "circle" not in repr(seen)


def test_a_collector_that_hangs_does_not_delay_the_end(monkeypatch):
    monkeypatch.setattr("core.tracing.CLOSE_SECONDS", 0.05)
    with Tarpit() as tarpit:
        stop = start_tracing(Settings(otlp_endpoint=tarpit.url), "atelier-test")
        with span("submit", parent=PARENT):
            pass
        stop()
        assert "close-traces" in {thread.name for thread in threading.enumerate()}  # it goes on in its thread


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
