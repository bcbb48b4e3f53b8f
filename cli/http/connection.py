"""The options of every command that calls the API: --url, --key and --data."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import rich_click as click
from click import get_current_context
from click.core import ParameterSource

from cli.http.client import Client
from cli.http.problems import UNAUTHENTICATED, ApiError
from cli.local.data_dir import DataDirectory, data_option

DEFAULT_URL = "http://127.0.0.1:8000"


def with_client(command: Callable[..., None]) -> Callable[..., None]:
    """Add --url, --key and --data to a command, and pass it a `client` made of them.

    What is typed wins over the environment: with --data neither the URL nor the key comes from there.
    """

    @click.option(
        "--url", "api_url", envvar="ATELIER_URL", show_envvar=True, help="The API; default: the `atelier up` on --data."
    )
    @click.option(
        "--key", "api_key", envvar="ATELIER_API_KEY", show_envvar=True, help="API key; default: --data's admin.key."
    )
    @data_option
    @wraps(command)
    def run_with_client(*args: Any, api_url: str | None, api_key: str | None, data: Path, **kwargs: Any) -> None:
        directory, url, key = DataDirectory(data), api_url, api_key
        if _source("data") is ParameterSource.COMMANDLINE:
            url, key = (
                None if _is_from_environment(name) else value for name, value in (("api_url", url), ("api_key", key))
            )
        url = url or directory.read_settings().get("ATELIER_URL", DEFAULT_URL)
        place = (
            str(directory.admin_key) if not key else "ATELIER_API_KEY" if _is_from_environment("api_key") else "--key"
        )
        with Client(url, key or _admin_key(directory)) as client:
            try:
                command(*args, client=client, **kwargs)
            except ApiError as error:
                if error.code != UNAUTHENTICATED:
                    raise
                raise type(error)(f"{url} refused the key of {place}. {error.message}", error.code) from None

    return run_with_client


def _source(option: str) -> ParameterSource | None:
    return get_current_context().get_parameter_source(option)


def _is_from_environment(option: str) -> bool:
    return _source(option) is ParameterSource.ENVIRONMENT


def _admin_key(directory: DataDirectory) -> str:
    try:
        return directory.admin_key.read_text().strip()
    except OSError:
        raise click.UsageError(
            "No API key: give --key, set ATELIER_API_KEY, or start `atelier up`, which writes one to"
            f" {directory.admin_key}."
        ) from None
