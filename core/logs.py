"""Logs: one line a record, on stderr; as JSON with the ids of job, tenant, request and trace, where they are known.

No line holds a prompt or a secret: nothing logs parameters or headers, and the database's errors hide theirs.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.msgspec import MsgspecFormatter

from core.settings import Settings

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))

QUIET = ("alembic", "httpx")
"""Libraries that log routine events as INFO; httpx would log whole URLs, which may hold tokens of callers."""


def start_logs(settings: Settings, process: str) -> None:
    """Start logging; `process` names this process in each line: api, cpu, gpu, engine or encoder."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_context)
    handler.setFormatter(json_lines(process) if settings.log_format == "json" else text_lines(process))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def log_context(**names: str | None) -> Iterator[None]:
    """Add `names` to the lines logged in the block by this thread or task, and by the tasks that it starts."""
    before = _context.get()
    bind(**names)
    try:
        yield
    finally:
        _context.set(before)


def bind(**names: str | None) -> None:
    """Add `names` to the lines logged by this task until it ends."""
    _context.set({**_context.get(), **{name: value for name, value in names.items() if value}})


def json_lines(process: str) -> logging.Formatter:
    """Return the formatter for JSON lines.

    Their fields: time (RFC 3339, UTC), level, logger, message, process, those of `log_context`, and `exc_info` with
    an exception's traceback.
    """
    return MsgspecFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
        static_fields={"process": process},
        reserved_attrs=[*RESERVED_ATTRS, "color_message", "data"],  # uvicorn and Celery add these for themselves
    )


def text_lines(process: str) -> logging.Formatter:
    """Return the formatter for people."""
    return logging.Formatter(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s")


def _add_context(record: logging.LogRecord) -> bool:
    record.__dict__.update(_context.get())
    return True
