"""The object store as a directory, for a single machine; the API serves the files through links that it signs."""

import contextlib
import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from glob import escape
from pathlib import Path
from urllib.parse import quote, urlencode

from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.signing import check_link, sign_link
from core.storage.disposition import served_type

FULL = (errno.ENOSPC, errno.EDQUOT)


class DirectoryStore:
    """A folder of objects; a write ends with a rename, so that no reader sees a part of a file."""

    def __init__(self, folder: Path, public_url: str, secret_key: str) -> None:
        self.folder = folder
        self._public_url = public_url.rstrip("/")
        self._secret_key = secret_key

    def put(self, key: str, source: Path, media_type: str) -> None:
        """Store a file under `key`."""
        target = self.path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".part-", delete=False) as part:
                try:
                    with source.open("rb") as content:
                        shutil.copyfileobj(content, part)
                    part.flush()
                    os.fsync(part.fileno())
                    os.replace(part.name, target)
                    _flush(target.parent)
                except BaseException:
                    Path(part.name).unlink(missing_ok=True)
                    raise
        except OSError as error:
            raise _unavailable(error) from error

    def get(self, key: str, target: Path) -> None:
        """Copy the object to `target`."""
        try:
            shutil.copyfile(self.path(key), target)
        except FileNotFoundError as error:
            raise UnknownOutput from error
        except OSError as error:
            raise _unavailable(error) from error

    def size(self, key: str) -> int:
        """Return the bytes of an object."""
        try:
            return self.path(key).stat().st_size
        except FileNotFoundError as error:
            raise UnknownOutput from error
        except OSError as error:
            raise _unavailable(error) from error

    def head(self, key: str, length: int) -> bytes:
        """Return the first bytes of an object."""
        try:
            with self.path(key).open("rb") as content:
                return content.read(length)
        except FileNotFoundError as error:
            raise UnknownOutput from error
        except OSError as error:
            raise _unavailable(error) from error

    def link(self, key: str, *, seconds: float, media_type: str, name: str = "") -> str:
        """Return a link to the API's own `/files` route.

        The name has a signature of its own: an API of a version without names takes the link, too, and ignores it.
        """
        media_type = served_type(media_type)
        expires = int(time.time() + seconds)
        signature = sign_link(self._secret_key, _download(key, media_type), expires=expires)
        query: dict[str, str | int] = {"type": media_type, "expires": expires, "signature": signature}
        if name:
            query |= {
                "name": name,
                "name_signature": sign_link(self._secret_key, _name(key, name), expires=expires),
            }
        return f"{self._public_url}/files/{quote(key)}?{urlencode(query)}"

    def upload_link(self, key: str, *, seconds: float) -> str:
        """Return a link to PUT the object to, at the same route."""
        expires = int(time.time() + seconds)
        signature = sign_link(self._secret_key, _upload(key), expires=expires)
        return f"{self._public_url}/files/{quote(key)}?{urlencode({'expires': expires, 'signature': signature})}"

    def open_link(
        self, key: str, *, media_type: str, expires: int, signature: str, name: str = "", name_signature: str = ""
    ) -> Path:
        """Return the file of a link; raises `BadSignature` or `UnknownOutput`."""
        check_link(self._secret_key, _download(key, media_type), signature, expires=expires)
        if name:
            check_link(self._secret_key, _name(key, name), name_signature, expires=expires)
        path = self.path(key)
        if not path.is_file():
            raise UnknownOutput
        return path

    def check_upload(self, key: str, *, expires: int, signature: str) -> None:
        """Raise `BadSignature` unless the link is one to PUT this object to and has not expired."""
        check_link(self._secret_key, _upload(key), signature, expires=expires)

    def remove(self, key: str) -> None:
        """Remove one object; its folder stays."""
        try:
            self.path(key).unlink(missing_ok=True)
        except OSError as error:
            raise _unavailable(error) from error

    def remove_prefix(self, prefix: str) -> int:
        """Remove every object below `prefix`, and folders that became empty."""
        removed = 0
        try:
            for key in list(self.keys(prefix)):
                self.path(key).unlink(missing_ok=True)
                removed += 1
            if prefix.endswith("/"):
                shutil.rmtree(self.path(prefix.rstrip("/")), ignore_errors=True)
        except OSError as error:
            raise _unavailable(error) from error
        return removed

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all objects that begin with `prefix`; what is removed meanwhile may be left out."""
        root, (parent, _, name) = self.folder.resolve(), prefix.rpartition("/")
        tops: list[Path] = []
        with contextlib.suppress(FileNotFoundError):
            tops = sorted(self.path(parent).glob(f"{escape(name)}*"))
        for top in tops:
            for path in sorted(_files(top)):
                if path.is_file() and not path.name.startswith(".part-"):
                    yield path.relative_to(root).as_posix()

    def older(self, seconds: float) -> Iterator[str]:
        """Yield the keys of all objects written more than `seconds` ago, and of unfinished files as old."""
        before, root = time.time() - seconds, self.folder.resolve()
        for folder, _, names in os.walk(root):
            for path in (Path(folder, name) for name in names):
                with contextlib.suppress(FileNotFoundError):
                    if path.stat().st_mtime < before:
                        yield path.relative_to(root).as_posix()

    def unfinished(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Yield nothing: `older` has the files of unfinished writes."""
        return iter(())

    def abort(self, key: str, upload_id: str) -> None:
        """Do nothing: there are no uploads in parts."""

    def free_bytes(self) -> int | None:
        """Return what this account may still write."""
        try:
            return shutil.disk_usage(next(path for path in (self.folder, *self.folder.parents) if path.exists())).free
        except OSError as error:
            raise _unavailable(error) from error

    def check(self) -> None:
        """Write and remove a file."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.folder) as probe:
                probe.write(b"atelier")
        except OSError as error:
            raise _unavailable(error) from error

    def path(self, key: str) -> Path:
        """Return the file of a key; raises `UnknownOutput` for a key that leaves the folder."""
        path = (self.folder / key).resolve()
        if not path.is_relative_to(self.folder.resolve()):
            raise UnknownOutput
        return path


def _download(key: str, media_type: str) -> str:
    """Return the text that a download link signs; no key begins like those below."""
    return f"{key}\n{media_type}"


def _name(key: str, name: str) -> str:
    return f"NAME {key}\n{name}"


def _upload(key: str) -> str:
    return f"PUT {key}"


def _files(top: Path) -> Iterator[Path]:
    """Yield a file, or the files below a folder; `os.walk` leaves out folders that are removed meanwhile."""
    if not top.is_dir():
        yield top
        return
    for folder, _, names in os.walk(top):
        yield from (Path(folder, name) for name in names)


def _flush(folder: Path) -> None:
    """Flush the folder's entries to disk: the row that names an object must not outlive it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unavailable(error: OSError) -> StorageUnavailable:
    full = error.errno in FULL
    state = "is full" if full else f"cannot be used ({error.strerror})"
    reason = errno.errorcode.get(error.errno or 0, "unreachable")
    return StorageUnavailable(f"The object store's folder {state}.", full=full, reason=reason)
