"""The metrics of all processes, with their labels and buckets; docs/operations.md explains them.

Each kind of process has a registry of its own, so that it exports only what it measures. Labels are bounded: `model`
is an id of the catalog, `route` the template of a route, and everything else is `OTHER`.
"""

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)

from core.settings import Settings

OTHER = "other"

disable_created_metrics()  # type: ignore[no-untyped-call] # they would double the series, and Prometheus does not need them

API, GPU, CPU = CollectorRegistry(), CollectorRegistry(), CollectorRegistry()
REGISTRIES = {"API": API, "GPU worker": GPU, "CPU worker": CPU}
for _registry in REGISTRIES.values():
    ProcessCollector(registry=_registry)

ANSWER_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0)
WAIT_BUCKETS = (0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 14400.0)
STAGE_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1800.0)

QUEUE_JOBS = Gauge(
    "atelier_queue_jobs", "Unfinished jobs; state is pending, queued or processing.", ["model", "state"], registry=API
)
QUEUE_OLDEST = Gauge(
    "atelier_queue_oldest_seconds", "How long the oldest queued job has waited.", ["model"], registry=API
)
WEBHOOKS_DUE = Gauge("atelier_webhooks_due", "Deliveries that are due and wait only for the service.", registry=API)
WEBHOOKS_OLDEST = Gauge("atelier_webhooks_oldest_seconds", "How long the oldest of them is due.", registry=API)
SERVERS = Gauge("atelier_servers", "Named GPU servers.", ["state"], registry=API)
MODEL_SERVERS = Gauge("atelier_model_servers", "Living servers that serve a model.", ["model"], registry=API)
DATABASE_BYTES = Gauge("atelier_database_bytes", "What the database takes on its disk.", registry=API)
STORE_BYTES = Gauge("atelier_store_bytes", "Objects that rows name, as last measured.", ["kind"], registry=API)
STORE_FREE = Gauge(
    "atelier_store_free_bytes", "Free space of the store's disk; no number where it is S3.", registry=API
)
DATABASE_UP = Gauge("atelier_database_up", "1 while PostgreSQL answers this API.", registry=API)
BROKER_UP = Gauge("atelier_broker_up", "1 while Redis or Valkey answers this API.", registry=API)
HTTP_REQUESTS = Counter("atelier_http_requests", "Answers.", ["route", "method", "status"], registry=API)
HTTP_SECONDS = Histogram(
    "atelier_http_request_seconds",
    "Time until the answer begins; a held submit's wait is part of it, the length of an event stream is not.",
    ["route", "method"],
    buckets=ANSWER_BUCKETS,
    registry=API,
)
JOBS_SUBMITTED = Counter("atelier_jobs_submitted", "Accepted jobs.", ["model", "modality"], registry=API)

JOB_WAIT = Histogram(
    "atelier_job_wait_seconds", "From queued to claimed.", ["model"], buckets=WAIT_BUCKETS, registry=GPU
)
STAGE_SECONDS = Histogram(
    "atelier_stage_seconds",
    "What jobs spent in load, compile, compute, encode and upload; one observation per job and stage.",
    ["model", "stage"],
    buckets=STAGE_BUCKETS,
    registry=GPU,
)
JOBS_ENDED = Counter(
    "atelier_jobs_ended",
    "Jobs that left this worker: completed, failed, cancelled, or released to the queue again.",
    ["model", "outcome"],
    registry=GPU,
)
ENGINE_BUSY = Counter("atelier_engine_busy_seconds", "Time that the engine spent on jobs and commands.", registry=GPU)
RESIDENT_BYTES = Gauge(
    "atelier_resident_bytes", "Models in memory; place is device or host.", ["model", "place"], registry=GPU
)
MEMORY_BUDGET = Gauge("atelier_memory_budget_bytes", "What models may take on the device.", registry=GPU)
EVICTIONS = Counter(
    "atelier_evictions", "Models that left the device to make room for another one.", ["model"], registry=GPU
)
OUT_OF_MEMORY = Counter(
    "atelier_out_of_memory", "Times that memory ran out, the first of a job included.", ["model"], registry=GPU
)
ENGINE_RESTARTS = Counter("atelier_engine_restarts", "Engines that had to be replaced.", ["reason"], registry=GPU)
UPLOADS_STUCK = Gauge("atelier_uploads_stuck", "Results that wait for a store that refused them.", registry=GPU)
STORE_UP = Gauge("atelier_store_up", "1 while the object store takes this worker's data.", registry=GPU)

WEBHOOK_DELIVERIES = Counter("atelier_webhook_deliveries", "Attempts by outcome.", ["outcome"], registry=CPU)
INPUTS = Counter("atelier_inputs", "Attempts to fetch an input, by outcome.", ["outcome"], registry=CPU)
BACKEND_JOBS = Counter(
    "atelier_backend_jobs",
    "Jobs that left a remote backend: completed, failed, cancelled, released to the queue again, or broken off.",
    ["backend", "outcome"],
    registry=CPU,
)
BACKEND_CIRCUIT = Gauge(
    "atelier_backend_circuit",
    "1 for the state of a remote backend's circuit breaker: closed, half_open or open.",
    ["backend", "state"],
    registry=CPU,
)
UPKEEP = Counter("atelier_upkeep", "Rows that a maintenance task has handled.", ["task"], registry=CPU)

RESTARTS = ("died", "overran", "fault", "drift", "ordered")
DELIVERY_OUTCOMES = ("delivered", "failed", "gave_up", "superseded")
INPUT_OUTCOMES = ("fetched", "refused", "retried")
TASKS = (
    *("reap", "expire", "lost-inputs", "purge", "inputs", "uploads", "forget-keys", "reservations"),
    *("prompts", "outputs", "deliveries", "jobs", "rows", "orphans", "sizes", "analyses"),
)
for _counter, _values in (
    (ENGINE_RESTARTS, RESTARTS),
    (WEBHOOK_DELIVERIES, DELIVERY_OUTCOMES),
    (INPUTS, INPUT_OUTCOMES),
    (UPKEEP, TASKS),
):
    for _value in _values:
        _counter.labels(_value)  # shown as 0 from the start, so that the first event is an increase


class PortTaken(ValueError):
    """The address of `ATELIER_METRICS_HOST` and `ATELIER_METRICS_PORT` cannot be listened on."""


def expose(settings: Settings, registry: CollectorRegistry) -> None:
    """Serve a worker's registry from a thread, until the process ends, if `ATELIER_METRICS_PORT` is set.

    Raises `PortTaken` when it cannot listen there.
    """
    if not settings.metrics_port:
        return
    try:
        start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        place = f"ATELIER_METRICS_HOST={settings.metrics_host}, ATELIER_METRICS_PORT={settings.metrics_port}"
        raise PortTaken(f"{place}: {error.strerror or error}") from None
