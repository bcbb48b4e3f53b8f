"""The settings that the operator's commands work with."""

import os
from pathlib import Path

from cli.local.data_dir import DataDirectory
from core.settings import Settings, read_settings


def local_settings(data: Path) -> Settings:
    """The environment's settings, and where it says nothing those of the `atelier up` that runs on `data`.

    Raises `ValueError` when one can not be read.
    """
    said = {name.removesuffix("_FILE") for name in os.environ}
    left = {
        name: value
        for name, value in DataDirectory(data).read_settings().items()
        if name.removesuffix("_FILE") not in said
    }
    return read_settings({**left, **os.environ})
