"""The options of every command that calls the API: --url, --key and --data."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import rich_click as click

from cli.http.client import Client
from cli.local.data_dir import DataDirectory, data_option

DEFAULT_URL = "http://127.0.0.1:8000"


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Add --url, --key and --data to a command, and pass it a `client` made of them."""

    @click.option("--url", envvar="ATELIER_URL", show_envvar=True, help="The API; default: the `atelier up` on --data.")
    @click.option("--key", envvar="ATELIER_API_KEY", show_envvar=True, help="API key; default: --data's admin.key.")
    @data_option
    @wraps(command)
    def run_with_client(*args: Any, url: str | None, key: str | None, data: Path, **kwargs: Any) -> None:
        directory = DataDirectory(data)
        url = url or directory.read_settings().get("ATELIER_URL", DEFAULT_URL)
        with Client(url, key or _admin_key(directory)) as client:
            command(*args, client=client, **kwargs)

    return run_with_client


def _admin_key(directory: DataDirectory) -> str:
    try:
        return directory.admin_key.read_text().strip()
    except OSError:
        raise click.UsageError(
            "No API key: give --key, set ATELIER_API_KEY, or start `atelier up`, which writes one to"
            f" {directory.admin_key}."
        ) from None
