"""The object store of outputs and inputs: one protocol, two implementations (S3 and a directory).

Keys are `tenant/job/fence/sha256.ext` for outputs, `tenant/job/inputs/…` for the inputs of a job, `tenant/inputs/id`
for uploads of callers `tenant/voices/id` for their stored voices and `tenant/media/id/…` for items of the library.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import SplitResult, unquote_to_bytes, urlsplit

from core.settings import Settings
from core.storage.directory import DirectoryStore
from core.storage.s3 import S3Store
from core.urls import shown


class Store(Protocol):
    """An object store, as the service needs it.

    Every method raises `StorageUnavailable` when the store cannot be reached or is full.
    """

    def put(self, key: str, source: Path, media_type: str) -> None:
        """Store a file; readers see all of it or nothing."""

    def get(self, key: str, target: Path) -> None:
        """Fetch an object into a file; raises `UnknownOutput` when it does not exist."""

    def size(self, key: str) -> int:
        """Return the bytes of an object; raises `UnknownOutput` when it does not exist."""

    def head(self, key: str, length: int) -> bytes:
        """Return the first bytes of an object that is not empty; raises `UnknownOutput` when it does not exist."""

    def link(self, key: str, *, seconds: float, media_type: str, name: str = "") -> str:
        """Return a URL that downloads the object, without a key, for so many seconds, as a file of this name."""

    def upload_link(self, key: str, *, seconds: float) -> str:
        """Return a URL that takes a PUT of the object, without a key, for so many seconds; the last whole one counts.

        The directory accepts at most `ATELIER_INPUT_MAX_BYTES`. S3 accepts what its server does, so check `size`.
        """

    def remove(self, key: str) -> None:
        """Remove one object, if it exists."""

    def remove_prefix(self, prefix: str) -> int:
        """Remove every object whose key begins with `prefix`; returns how many there were."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all objects that begin with `prefix`."""

    def older(self, seconds: float) -> Iterator[str]:
        """Yield the keys of all objects written more than `seconds` ago, and of what lost writers left behind."""

    def unfinished(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Yield key and id of the uploads in parts that were begun more than `seconds` ago and never finished."""

    def abort(self, key: str, upload_id: str) -> None:
        """Remove the parts of an unfinished upload."""

    def free_bytes(self) -> int | None:
        """Return the free bytes of the disk that it is on; None where it has no such bound that can be asked for."""

    def check(self) -> None:
        """Raise `StorageUnavailable` unless the store accepts data: something small is written and removed."""


def open_store(settings: Settings) -> Store:
    """Return the store of `ATELIER_STORAGE_URL`: `file:///dir` or `s3://bucket?endpoint=http://host:port`.

    The path of a file URL is percent-encoded, as `Path.as_uri` does it.

    An S3 URL takes `region`, `public_endpoint` (for links that work outside the cluster), `access_key` and
    `secret_key`; without keys the AWS chain (environment, IRSA) is used. Raises `ValueError`, without any secret in it,
    for another scheme, for one key without the other, and for an endpoint that is not an http(s) URL.
    """
    try:
        url = urlsplit(settings.storage_url)
    except ValueError:
        url = urlsplit("")
    if url.scheme == "file" and url.path and url.netloc in ("", "localhost"):
        return DirectoryStore(_folder(settings.storage_url, url), settings.public_url, settings.secret_key)
    if url.scheme == "s3" and url.netloc:
        return S3Store.from_url(settings.storage_url, ca_bundle=settings.ca_bundle)
    place = shown(settings.storage_url)
    raise ValueError(f"ATELIER_STORAGE_URL={place}: use file:///dir or s3://bucket?endpoint=... (two slashes)")


def _folder(text: str, url: SplitResult) -> Path:
    """Return the folder of a file URL; raise `ValueError` where a part of it would be read as a query or a fragment."""
    if "#" in text or "?" in text:
        raise ValueError(f"ATELIER_STORAGE_URL={shown(text)}: write # as %23 and ? as %3F in a file:// URL")
    return Path(os.fsdecode(unquote_to_bytes(os.fsencode(url.path))))
