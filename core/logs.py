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

from core.log_capture import capture_prints
from core.settings import Settings

_context: ContextVar[Mapping[str, str]] = ContextVar("log_context", default=MappingProxyType({}))

QUIET = {
    "alembic": logging.WARNING,
    "httpx": logging.WARNING,
    "mcp": logging.WARNING,
    "diffusers.configuration_utils": logging.ERROR,
}
"""The least level of libraries that log routine events. httpx would log whole URLs, which may hold tokens of callers;
diffusers warns of entries of a configuration that a model does not read."""
WITH_HANDLERS = ("diffusers", "huggingface_hub", "transformers")
"""Libraries whose loggers write to stderr by themselves, in a form of their own."""


class PropagatingLogger(logging.Logger):
    """A logger of a library that installs a handler of its own: its records go to ours instead."""

    @property
    def propagate(self) -> bool:
        """Whether records go on to the root logger, whatever the library sets."""
        return True

    @propagate.setter
    def propagate(self, value: bool) -> None:
        pass

    def addHandler(self, hdlr: logging.Handler) -> None:  # noqa: N802
        """Install nothing."""


def start_logs(settings: Settings, process: str) -> None:
    """Start logging; `process` names this process in each line: api, cpu, gpu, engine or encoder."""
    handler = logging.StreamHandler()
    handler.addFilter(_add_context)
    handler.setFormatter(json_lines(process) if settings.log_format == "json" else text_lines(process))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler])
    logging.captureWarnings(True)
    for name, level in QUIET.items():
        logging.getLogger(name).setLevel(level)
    for name in WITH_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.__class__ = PropagatingLogger
    if settings.log_format == "json":
        capture_prints()


@contextmanager
def log_context(**names: str | None) -> Iterator[None]:
    """Add `names` to the lines logged in the block by this thread or task, and by the tasks that it starts."""
    before = _context.get()
    bind(**names)
    try:
        yield
    finally:
        _context.set(before)


def begin_context(**names: str) -> None:
    """Have the lines that this task logs from here on show `names`, and nothing that another task has begun."""
    _context.set(names)


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
