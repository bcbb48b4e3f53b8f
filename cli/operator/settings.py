"""The settings of the operator's commands."""

import os
from pathlib import Path

import rich_click as click

from cli.local.data_dir import DataDirectory
from cli.local.libpq import forget_libpq_variables
from core.settings import Settings, read_settings

OF_A_SERVICE = ("ATELIER_DATABASE_URL", "ATELIER_BROKER_URL", "ATELIER_STORAGE_URL", "ATELIER_SECRET_KEY")


def is_service_known(data: Path) -> bool:
    """Return whether an `atelier up` runs on `data`, or the environment has a setting that is a service's own."""
    in_environment = {name.removesuffix("_FILE") for name in os.environ}
    return bool(DataDirectory(data).read_settings()) or not in_environment.isdisjoint(OF_A_SERVICE)


def local_settings(data: Path) -> Settings:
    """Read the environment's settings, and for missing ones those of the `atelier up` that runs on `data`.

    Variables of libpq are then removed from the environment: its database is at the URL alone. Raises `ClickException`
    for a setting that cannot be read.
    """
    in_environment = {name.removesuffix("_FILE") for name in os.environ}
    of_running_service = {
        name: value
        for name, value in DataDirectory(data).read_settings().items()
        if name.removesuffix("_FILE") not in in_environment
    }
    if "ATELIER_DATABASE_URL" in of_running_service:
        forget_libpq_variables()
    try:
        return read_settings({**of_running_service, **os.environ})
    except ValueError as error:
        raise click.ClickException(str(error)) from None
