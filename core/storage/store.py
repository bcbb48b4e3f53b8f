"""Where outputs and inputs live: one protocol, two implementations (S3 and a directory).

Keys are `tenant/job/fence/sha256.ext` for outputs, `tenant/job/inputs/…` for the inputs of a job, `tenant/inputs/id`
for what callers upload and `tenant/voices/id` for the voices that they keep. Every method raises `StorageUnavailable`
when the store can not be reached or is full.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

from core.settings import Settings
from core.storage.directory import DirectoryStore
from core.storage.s3 import S3Store


class Store(Protocol):
    """What the service needs of an object store."""

    def put(self, key: str, source: Path, media_type: str) -> None:
        """Store a file; visible whole or not at all."""

    def get(self, key: str, target: Path) -> None:
        """Fetch an object into a file; raises `UnknownOutput` when there is none."""

    def size(self, key: str) -> int:
        """Bytes of an object; raises `UnknownOutput` when there is none."""

    def head(self, key: str, length: int) -> bytes:
        """The first bytes of an object that is not empty; raises `UnknownOutput` when there is none."""

    def link(self, key: str, *, seconds: float, media_type: str) -> str:
        """A URL that anybody can download the object from for so many seconds."""

    def upload_link(self, key: str, *, seconds: float) -> str:
        """A URL to which anybody can PUT the object for so many seconds; the last whole one counts.

        The directory takes at most `ATELIER_INPUT_MAX_BYTES`; S3 takes what its server takes, so ask for the `size`.
        """

    def remove(self, key: str) -> None:
        """Remove one object, if it is there."""

    def remove_prefix(self, prefix: str) -> int:
        """Remove every object whose key begins with `prefix`; returns how many there were."""

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Keys of all objects that begin with `prefix`."""

    def older(self, seconds: float) -> Iterator[str]:
        """Keys of all objects that were written more than `seconds` ago, and of what lost writers left."""

    def check(self) -> None:
        """Raise `StorageUnavailable` unless the store answers and takes data."""


def open_store(settings: Settings) -> Store:
    """The store that `ATELIER_STORAGE_URL` names: `file:///dir` or `s3://bucket?endpoint=http://host:port`.

    An S3 URL takes `region`, `public_endpoint` (for links that work outside the cluster), `access_key` and
    `secret_key`; without keys the AWS chain (environment, IRSA) is used. Raises `ValueError` for another scheme.
    """
    url = urlsplit(settings.storage_url)
    if url.scheme == "file" and url.path:
        return DirectoryStore(Path(url.path), settings.public_url, settings.secret_key)
    if url.scheme == "s3" and url.netloc:
        return S3Store.from_url(settings.storage_url, ca_bundle=settings.ca_bundle)
    raise ValueError(f"ATELIER_STORAGE_URL={settings.storage_url!r}: use file:///dir or s3://bucket?endpoint=...")
