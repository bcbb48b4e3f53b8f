"""The data directory of `atelier up`: files of the servers, objects, logs and two secrets."""

import fcntl
import os
import secrets
from pathlib import Path
from typing import IO

import rich_click as click

from core.signing import new_key

DEFAULT = Path("~/.local/share/atelier")


class DataDirectoryBusy(Exception):
    """A data directory that another `atelier up` runs on."""


class DataDirectoryUnusable(Exception):
    """A data directory that cannot be made, read or written."""


class DataDirectory:
    """The files and folders in a data directory, which only its owner may read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()
        self.postgres = self.folder / "postgres"
        self.valkey = self.folder / "valkey"
        self.objects = self.folder / "objects"
        self.logs = self.folder / "logs"
        self.admin_key = self.folder / "admin.key"
        self.secret_key = self.folder / "secret.key"
        self.settings = self.folder / "settings.env"
        self._lock: IO[str] | None = None

    @property
    def is_default(self) -> bool:
        """Whether every command takes this folder where none is named."""
        return self.folder == DEFAULT.expanduser().absolute()

    def lock(self) -> None:
        """Make the folder and lock it until this process ends.

        Raises `DataDirectoryBusy` or `DataDirectoryUnusable`.
        """
        if "\n" in str(self.folder) or "\r" in str(self.folder):  # PostgreSQL refuses it, too
            raise DataDirectoryUnusable(
                f"the data directory {str(self.folder)!r} has a line break in its name; choose another with --data"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self.folder.chmod(0o700)
            self.logs.mkdir(exist_ok=True)
            lock = (self.folder / "lock").open("a+")
        except OSError as error:
            at = f" ({error.filename})" if error.filename not in (None, str(self.folder)) else ""
            raise DataDirectoryUnusable(
                f"the data directory {self.folder} cannot be used: {error.strerror}{at}; choose another with --data"
            ) from None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "unknown"
            lock.close()
            url = self.read_settings().get("ATELIER_URL")
            state = f"which answers at {url}" if url else "which is still starting"
            raise DataDirectoryBusy(
                f"{self.folder} is in use by another `atelier up` (process {holder}), {state}; use that one, end it, or"
                " choose another --data"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def unlock(self) -> None:
        """Release the lock and remove the settings; do nothing where `lock` was refused."""
        if self._lock is not None:
            self.settings.unlink(missing_ok=True)
            self._lock.close()
            self._lock = None

    def ensure_secret_key(self) -> str:
        """Return the service's secret, which the first start makes."""
        return self._read_or_write(self.secret_key, secrets.token_urlsafe(48))

    def ensure_admin_key(self) -> tuple[str, bool]:
        """Return the admin key, and whether this call made it; the caller adds its row to the database."""
        new = not self.admin_key.exists()
        return self._read_or_write(self.admin_key, new_key()), new

    def write_settings(self, environment: dict[str, str]) -> None:
        """Write the settings by which other commands on this machine find the running service.

        Raises `ValueError` for one with a line break, since each has a line.
        """
        for name, value in environment.items():
            if "\n" in value:
                raise ValueError(f"{name} has a line break; remove it")
        write_private(self.settings, "".join(f"{name}={value}\n" for name, value in environment.items()))

    def read_settings(self) -> dict[str, str]:
        """Return the settings of the running service; empty when no `atelier up` runs here."""
        if not self.settings.exists():
            return {}
        pairs = (line.partition("=") for line in os.fsdecode(self.settings.read_bytes()).split("\n"))
        return {name: value for name, _, value in pairs if name}

    def _read_or_write(self, path: Path, fresh: str) -> str:
        if not path.exists():
            write_private(path, fresh + "\n")
        return path.read_text().strip()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(os.fsencode(text))
    draft.replace(path)


data_option = click.option(
    "--data",
    envvar="ATELIER_DATA",
    show_envvar=True,
    type=click.Path(path_type=Path, file_okay=False),
    default=DEFAULT,
    show_default=True,
    help="Data directory of `atelier up`: databases, outputs, keys, logs.",
)
