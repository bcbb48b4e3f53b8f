"""The options that say which API to ask, shared by every command that asks one."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import rich_click as click

from cli.local.data_dir import DataDirectory, data_option

DEFAULT_URL = "http://127.0.0.1:8000"


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Add --url, --key and --data, and pass the command a `client` made of them."""

    @click.option("--url", envvar="ATELIER_URL", show_envvar=True, help="The API; default: the `atelier up` on --data.")
    @click.option("--key", envvar="ATELIER_API_KEY", show_envvar=True, help="API key; default: --data's admin.key.")
    @data_option
    @wraps(command)
    def run_with_client(*args: Any, url: str | None, key: str | None, data: Path, **kwargs: Any) -> None:
        from cli.http.client import Client

        home = DataDirectory(data)
        with Client(url or home.read_settings().get("ATELIER_URL", DEFAULT_URL), key or _key_of(home)) as client:
            command(*args, client=client, **kwargs)

    return run_with_client


def _key_of(home: DataDirectory) -> str:
    try:
        return home.admin_key.read_text().strip()
    except OSError:
        raise click.UsageError(
            f"No API key: give --key, set ATELIER_API_KEY, or start `atelier up`, which keeps one in {home.admin_key}."
        ) from None
