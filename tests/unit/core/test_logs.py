"""Log lines: one JSON object each, with the names of what they are about."""

import asyncio
import io
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import msgspec
import pytest

from core import logs
from core.logs import bind, json_lines, log_context, text_lines
from core.settings import Settings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture
def log():
    """A logger and the lines that it wrote, as JSON."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(logs._add_context)
    handler.setFormatter(json_lines("api"))
    logger = logging.Logger("workers.webhooks.dispatcher")
    logger.addHandler(handler)
    logger.lines = lambda: [msgspec.json.decode(line) for line in stream.getvalue().splitlines()]
    return logger


def test_a_line_has_time_level_logger_and_message(log):
    log.warning("%d of them", 3)
    (line,) = log.lines()
    age = datetime.now(UTC) - datetime.fromisoformat(line.pop("time"))
    assert 0 <= age.total_seconds() < 60
    assert {
        "level": "WARNING",
        "logger": "workers.webhooks.dispatcher",
        "message": "3 of them",
        "process": "api",
    } == line


def test_a_line_has_the_ids_of_its_context_only(log):
    with log_context(job_id="job_1", tenant_id="ten_1", trace_id=None):
        with log_context(trace_id=TRACE):
            log.info("inner")
        log.info("outer")
    log.info("after")
    names = [{name: line.get(name) for name in ("job_id", "tenant_id", "trace_id")} for line in log.lines()]
    assert [
        {"job_id": "job_1", "tenant_id": "ten_1", "trace_id": TRACE},
        {"job_id": "job_1", "tenant_id": "ten_1", "trace_id": None},
        {"job_id": None, "tenant_id": None, "trace_id": None},
    ] == names


def test_contexts_of_tasks_and_threads_are_separate(log):
    async def request(number):
        with log_context(request_id=f"req_{number}"):
            bind(tenant_id=f"ten_{number}")
            await asyncio.sleep(0)
            await asyncio.to_thread(log.info, "%d", number)

    async def both():
        await asyncio.gather(request(1), request(2))

    asyncio.run(both())
    with log_context(job_id="job_1"), ThreadPoolExecutor(1) as another:
        another.submit(log.info, "elsewhere").result()
    *ours, elsewhere = log.lines()
    assert {("1", "req_1", "ten_1"), ("2", "req_2", "ten_2")} == {
        (line["message"], line["request_id"], line["tenant_id"]) for line in ours
    }
    assert "job_id" not in elsewhere


def test_an_exception_is_part_of_its_line(log):
    try:
        raise KeyError("x")
    except KeyError:
        log.exception("broke")
    (line,) = log.lines()
    assert "broke" == line["message"]
    assert line["exc_info"].startswith("Traceback")
    assert line["exc_info"].endswith("KeyError: 'x'")


def test_text_is_for_people():
    record = logging.LogRecord("workers.gpu.main", logging.INFO, __file__, 1, "server %s", ("one",), None)
    assert text_lines("gpu").format(record).endswith(" gpu INFO workers.gpu.main: server one")


def test_httpx_may_not_log_urls(monkeypatch):
    monkeypatch.setattr(logging, "basicConfig", lambda **options: None)
    logs.start_logs(Settings(log_level="debug", log_format="json"), "cpu")
    assert not logging.getLogger("httpx").isEnabledFor(logging.INFO)
