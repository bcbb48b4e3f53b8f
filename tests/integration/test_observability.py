"""What can be seen of a running service: one job through API, GPU worker and CPU worker, and what each shows of it."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from core import metrics
from core.tracing import trace_id
from jobs.job import Job, JobStatus
from tests.support.ports import free_port
from tests.support.servers.collector import Collector, Seen
from tests.support.servers.webhook_receiver import Received, WebhookReceiver
from tests.support.service.scrape import Scraped, scrape
from tests.support.service.service import Service, service
from tests.support.wait import until

PROMPT = "zebrafinch compute=0.05 steps=3 noisy=1"
TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SETTINGS = {
    "ATELIER_DEVELOPMENT": "1",
    "ATELIER_ALLOWED_NETWORKS": "127.0.0.0/8",
    "ATELIER_LOG_FORMAT": "json",
    "ATELIER_METRICS_HOST": "127.0.0.1",
    "OTEL_BSP_SCHEDULE_DELAY": "100",
}
PARTS = ("POST /generate/image/v1", "ring", "attempt", "claim", "load", "compute", "encode", "upload", "webhook")
"""The spans of a job that goes well."""


class Stack(msgspec.Struct):
    """A service that has done one job, and what was seen of it."""

    service: Service
    job: Job
    hook: Received
    spans: dict[str, Seen]
    api: Scraped
    gpu: Scraped
    cpu: Scraped

    def lines(self, name: str) -> list[dict[str, Any]]:
        """The log of a process."""
        return [msgspec.json.decode(line) for line in self.service.log(name).splitlines()]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, module_database_url: str, valkey: str) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("seeing")
    gpu, cpu = free_port(), free_port()
    with (
        Collector() as collector,
        WebhookReceiver() as sink,
        service(
            folder,
            database_url=module_database_url,
            broker_url=valkey,
            ATELIER_OTLP_ENDPOINT=collector.url,
            **SETTINGS,
        ) as made,
    ):
        made.cpu(ATELIER_METRICS_PORT=str(cpu))
        made.gpu("one", wait=False, ATELIER_METRICS_PORT=str(gpu))
        made.api()
        made.up("one")
        made.client.headers["traceparent"] = f"00-{TRACE}-{CALLER}-01"
        job_id = made.submit(PROMPT, callback_url=sink.url)
        job = made.ended(job_id)
        until(lambda: len(sink.received) == 1, 20, "the webhook")
        until(lambda: {span.name for span in collector.of(TRACE)} >= set(PARTS), 20, "every span")
        seen = until(lambda: _settled(gpu), 20, "the engine's gauges")
        api = until(lambda: _idle(made.url), 20, "the heartbeat that says idle")
        delivered = ("atelier_webhook_deliveries_total", "delivered")
        cpu_seen = until(lambda: _counted(cpu, *delivered), 20, "the delivery to be counted")
        spans = {span.name: span for span in collector.of(TRACE)}
        assert len(PARTS) == len(collector.of(TRACE)) == len(spans)
        yield Stack(made, job, sink.received[0], spans, api, seen, cpu_seen)


def _settled(port: int) -> Scraped | None:
    shown = scrape(f"http://127.0.0.1:{port}/metrics")
    return shown if shown.value("atelier_resident_bytes", model="chaos", place="device") is not None else None


def _idle(url: str) -> Scraped | None:
    shown = scrape(f"{url}/metrics")
    return shown if shown.value("atelier_servers", state="idle") == 1 else None


def _counted(port: int, name: str, outcome: str) -> Scraped | None:
    shown = scrape(f"http://127.0.0.1:{port}/metrics")
    return shown if shown.value(name, outcome=outcome) else None


def names_of(registry: CollectorRegistry) -> set[str]:
    return {family.name for family in registry.collect()}


def test_every_metric_comes_from_the_process_it_belongs_to(stack: Stack) -> None:
    assert JobStatus.COMPLETED == stack.job.status
    never = {"atelier_evictions", "atelier_out_of_memory"}  # by model, of which none had to leave
    never |= {"atelier_backend_circuit", "atelier_backend_jobs"}  # by backend, of which this catalog has none
    for shown, registry in ((stack.api, metrics.API), (stack.gpu, metrics.GPU), (stack.cpu, metrics.CPU)):
        assert names_of(registry) - never == shown.names
        assert shown.value("process_cpu_seconds_total")


def test_one_job_is_one(stack: Stack) -> None:
    chaos = {"model": "chaos"}
    route = {"route": "/generate/image/v1", "method": "POST"}
    assert 1.0 == stack.api.value("atelier_http_requests_total", **route, status="202")
    assert 1.0 == stack.api.value("atelier_http_request_seconds_count", **route)
    assert 1.0 == stack.api.value("atelier_jobs_submitted_total", **chaos, modality="image")
    assert (1.0, 1.0) == (stack.api.value("atelier_database_up"), stack.api.value("atelier_broker_up"))
    assert 1.0 == stack.api.value("atelier_servers", state="idle")
    for state in ("pending", "queued", "processing"):
        assert 0.0 == stack.api.value("atelier_queue_jobs", **chaos, state=state)
    assert 1.0 == stack.gpu.value("atelier_jobs_ended_total", **chaos, outcome="completed")
    assert 1.0 == stack.gpu.value("atelier_job_wait_seconds_count", **chaos)
    assert 0.05 < (stack.gpu.value("atelier_engine_busy_seconds_total") or 0) < 60
    assert (stack.gpu.value("atelier_memory_budget_bytes") or 0) > 10**8
    assert 0.0 == stack.gpu.value("atelier_uploads_stuck")
    assert {0.0} == {stack.gpu.value("atelier_engine_restarts_total", reason=reason) for reason in metrics.RESTARTS}
    assert 1.0 == stack.cpu.value("atelier_webhook_deliveries_total", outcome="delivered")
    assert 0.0 == stack.cpu.value("atelier_webhook_deliveries_total", outcome="failed")


def test_the_seconds_of_a_stage_are_those_of_its_span(stack: Stack) -> None:
    spent = {}
    for stage in ("load", "compute", "encode", "upload"):
        assert 1.0 == stack.gpu.value("atelier_stage_seconds_count", model="chaos", stage=stage)
        spent[stage] = stack.gpu.value("atelier_stage_seconds_sum", model="chaos", stage=stage) or 0
        span = stack.spans[stage]
        assert spent[stage] == pytest.approx((span.ended - span.began) / 1e9, abs=1e-5)
    # A first report that is read late counts as `load`, never as nothing.
    assert 0.05 < spent["load"] + spent["compute"] < 60
    assert 0 < spent["compute"] < 30


def test_labels_are_templates_and_known_names(stack: Stack) -> None:
    catalog = {model["id"] for model in stack.service.client.get("/models/v1").json()["models"]} | {metrics.OTHER}
    assert catalog == stack.api.labels("atelier_queue_jobs", "model")
    assert {"chaos"} == stack.gpu.labels("atelier_jobs_ended_total", "model")
    routes = stack.api.labels("atelier_http_requests_total", "route")
    assert {"/generate/image/v1", "/health/live"} <= routes
    for shown in (stack.api, stack.gpu, stack.cpu):
        text = repr(shown.samples)
        assert stack.job.id not in text
        assert stack.job.tenant not in text


def test_all_spans_of_a_job_hang_together(stack: Stack) -> None:
    spans = stack.spans
    submit, attempt = spans["POST /generate/image/v1"], spans["attempt"]
    assert CALLER == submit.parent
    assert {submit.id} == {spans[name].parent for name in ("ring", "attempt", "webhook")}
    assert {attempt.id} == {spans[name].parent for name in ("claim", "load", "compute", "encode", "upload")}
    assert trace_id(stack.job.traceparent) == TRACE
    assert f"00-{TRACE}-{submit.id}-01" == stack.job.traceparent
    services = {name: span.service for name, span in spans.items()}
    assert "atelier-api" == services[submit.name] == services["ring"]
    assert "atelier-cpu" == services["webhook"]
    assert {"atelier-gpu"} == {services[name] for name in PARTS[2:-1]}


def test_spans_say_whose_they_are_and_never_what_was_asked_for(stack: Stack) -> None:
    for span in stack.spans.values():
        assert stack.job.id == span.facts["atelier.job_id"], span.name
        assert span.error is None
        assert "zebrafinch" not in repr(span)
    facts = stack.spans["compute"].facts
    assert ("chaos", "one", 1) == tuple(facts[f"atelier.{name}"] for name in ("model", "server_id", "attempt"))
    assert "completed" == stack.spans["attempt"].facts["atelier.outcome"]
    assert 200 == stack.spans["webhook"].facts["atelier.status"]


def test_spans_follow_one_another(stack: Stack) -> None:
    attempt = stack.spans["attempt"]
    before = attempt.began
    for name in ("claim", "load", "compute", "encode", "upload"):
        span = stack.spans[name]
        assert before <= span.began <= span.ended <= attempt.ended, name
        before = span.ended
    assert attempt.began < stack.spans["webhook"].began


def test_the_receiver_gets_the_trace(stack: Stack) -> None:
    assert f"00-{TRACE}-{stack.spans['webhook'].id}-01" == stack.hook.headers["traceparent"]


@pytest.mark.parametrize("process", ["api", "one", "cpu"])
def test_every_line_of_a_log_is_json_that_names_the_job(stack: Stack, process: str) -> None:
    until(lambda: stack.job.id in stack.service.log(process), 10, "the job to be logged")
    lines = stack.lines(process)
    assert all({"time", "level", "logger", "message", "process"} <= line.keys() for line in lines)
    said = {"api": "api", "one": "gpu", "cpu": "cpu"}[process]
    about = [line for line in lines if line.get("job_id") == stack.job.id and line["process"] == said]
    assert {(stack.job.tenant, TRACE)} == {(line["tenant_id"], line["trace_id"]) for line in about}
    if process == "api":
        assert all(line["request_id"].startswith("req_") for line in about)


def test_what_an_engine_prints_is_json_too(stack: Stack) -> None:
    until(lambda: "in a thread" in stack.service.log("one"), 10, "the end of the thread")
    noise = [line for line in stack.lines("one") if "noise" in line["message"] + line.get("exc_info", "")]
    assert {"engine"} == {line["process"] for line in noise}
    assert {"printed", "10 %", "100 %", "logged", "written by C"} <= {
        line["message"].removeprefix("noise: ") for line in noise
    }
    assert any('{"noise":' == line["message"] for line in noise)
    (warned,) = [line for line in noise if "noise: warned" in line["message"]]
    (logged,) = [line for line in noise if "noise: logged" in line["message"]]
    (uncaught,) = [line for line in noise if "in a thread" in line.get("exc_info", "")]
    assert ("py.warnings", "diffusers.models") == (warned["logger"], logged["logger"])
    assert "CRITICAL" == uncaught["level"]


@pytest.mark.parametrize("process", ["api", "one", "cpu"])
def test_no_log_holds_a_prompt_or_a_secret(stack: Stack, process: str) -> None:
    log = stack.service.log(process)
    for secret in ("zebrafinch", stack.service.key, stack.service.settings.secret_key):
        assert secret not in log


def test_the_end_of_a_worker_is_json_too(stack: Stack) -> None:
    process = stack.service.newest["one"]
    process.terminate()
    assert 0 == process.wait(30)
    assert {"gpu", "engine"} <= {line["process"] for line in stack.lines("one")}
