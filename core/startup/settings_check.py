"""The settings that every process of the service checks before it starts, and the sentence that it ends with."""

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from core.broker.address import broker_address
from core.database import read_url
from core.logs import json_lines
from core.net.url_guard import parse_networks, parse_ports
from core.settings import Settings, read_log_format
from core.storage.store import open_store


@contextmanager
def settings_refused(process: str) -> Iterator[None]:
    """End the process with a sentence and status 1 where the block raises `ValueError` about a setting.

    `process` is its name at the beginning of the sentence, which is a JSON object where logs are.
    """
    try:
        yield
    except ValueError as error:
        if read_log_format() != "json":
            sys.exit(f"{process}: {error}")
        record = logging.LogRecord(__name__, logging.CRITICAL, __file__, 0, "%s", (error,), None)
        sys.exit(json_lines(process.partition(" ")[0]).format(record))


def check_settings(settings: Settings) -> None:
    """Raise `ValueError` for settings that no process can run with; nothing is connected to."""
    if settings.log_level.upper() not in logging.getLevelNamesMapping():
        raise ValueError(f"ATELIER_LOG_LEVEL={settings.log_level!r}: use DEBUG, INFO, WARNING or ERROR")
    if settings.ca_bundle and not Path(settings.ca_bundle).is_file():
        raise ValueError(f"ATELIER_CA_BUNDLE={settings.ca_bundle!r}; this file does not exist")
    parse_networks(settings.allowed_networks)
    parse_ports(settings.allowed_ports)
    open_store(settings)
    broker_address(settings)
    read_url(settings.database_url)
