"""Logs: one line a record, on stderr; as JSON each has the names of the job, tenant, request and trace, where known.

Never a prompt and never a secret: nothing logs parameters or headers, and the database's errors hide theirs.
"""

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.msgspec import MsgspecFormatter

from core.settings import Settings

_known: ContextVar[Mapping[str, str]] = ContextVar("known", default=MappingProxyType({}))

QUIET = ("alembic", "httpx")
"""Libraries that tell the usual as if it were news; httpx would log whole URLs, which hold their owners' tokens."""


def start_logs(settings: Settings, process: str) -> None:
    """Have everything that this process says logged; `process` says which it is: api, cpu, gpu, engine, encoder."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_known)
    handler.setFormatter(json_lines(process) if settings.log_format == "json" else text_lines(process))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


@contextmanager
def log_context(**names: str | None) -> Iterator[None]:
    """What is logged in this block, by this thread or task and those tasks that it starts, is about these."""
    before = _known.get()
    bind(**names)
    try:
        yield
    finally:
        _known.set(before)


def bind(**names: str | None) -> None:
    """The same, for as long as this task lives."""
    _known.set({**_known.get(), **{name: value for name, value in names.items() if value}})


def json_lines(process: str) -> logging.Formatter:
    """Time (RFC 3339, UTC), level, logger, message, process, and what is known; an exception's trace in `exc_info`."""
    return MsgspecFormatter(
        ["levelname", "name", "message"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
        static_fields={"process": process},
        reserved_attrs=[*RESERVED_ATTRS, "color_message", "data"],  # what uvicorn and Celery add for themselves
    )


def text_lines(process: str) -> logging.Formatter:
    """For people."""
    return logging.Formatter(f"%(asctime)s {process} %(levelname)s %(name)s: %(message)s")


def _add_known(record: logging.LogRecord) -> bool:
    record.__dict__.update(_known.get())
    return True
