"""The object store in S3: MinIO, Ceph RGW, Garage, SeaweedFS, Swift, AWS; no feature of one server is used."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import certifi
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import ChainedProvider, EnvAWSProvider, IamAwsProvider, Provider, StaticProvider
from minio.deleteobjects import DeleteObject
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.storage.disposition import disposition, served_type
from core.urls import shown

FULL_CODES = {"QuotaExceeded", "InsufficientStorage", "XMinioStorageFull", "EntityTooLarge"}
INSUFFICIENT_STORAGE = 507
CONNECT_SECONDS, READ_SECONDS = 3.0, 30.0
SAVED = {"image/svg+xml"}
"""Types that a browser saves and does not open: a presigned link cannot carry the policy that forbids their scripts."""
CHECK_KEY = "atelier/check"
"""Key of the object that a check writes: of no tenant."""


class S3Store:
    """A bucket of objects; downloads go straight to the S3 server through presigned links."""

    def __init__(
        self, bucket: str, *, endpoint: str, public_endpoint: str, region: str, keys: Provider, ca_bundle: str
    ) -> None:
        self._bucket = bucket
        self._client = _client(endpoint, region, keys, ca_bundle)
        self._public = _client(public_endpoint or endpoint, region, keys, ca_bundle)

    @classmethod
    def from_url(cls, url: str, *, ca_bundle: str = "") -> "S3Store":
        """Return the store of `s3://bucket?endpoint=…&public_endpoint=…&region=…&access_key=…&secret_key=…`.

        Raises `ValueError` for one key without the other, and for an endpoint that is not an http(s) URL.
        """
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if ("access_key" in query) != ("secret_key" in query):
            raise ValueError(f"ATELIER_STORAGE_URL={shown(url)}: give access_key and secret_key, or neither of them")
        for name in ("endpoint", "public_endpoint"):
            if name in query and not _is_endpoint(query[name]):
                raise ValueError(f"ATELIER_STORAGE_URL={shown(url)}: {name} is http://host:port or https://host")
        keys: Provider
        if "access_key" in query:
            keys = StaticProvider(query["access_key"], query["secret_key"])
        else:
            keys = _AwsChain([EnvAWSProvider(), IamAwsProvider()])
        return cls(
            parts.netloc,
            endpoint=query.get("endpoint", "https://s3.amazonaws.com"),
            public_endpoint=query.get("public_endpoint", ""),
            region=query.get("region", "us-east-1"),
            keys=keys,
            ca_bundle=ca_bundle,
        )

    def put(self, key: str, source: Path, media_type: str) -> None:
        """Upload a file; S3 shows an object only once it is whole."""
        with _storage_errors():
            self._client.fput_object(self._bucket, key, str(source), content_type=media_type)

    def get(self, key: str, target: Path) -> None:
        """Download the object to `target`."""
        with _storage_errors():
            self._client.fget_object(self._bucket, key, str(target))

    def size(self, key: str) -> int:
        """Return the bytes of an object."""
        with _storage_errors():
            return int(self._client.stat_object(self._bucket, key).size or 0)

    def head(self, key: str, length: int) -> bytes:
        """Return the first bytes of an object."""
        with _storage_errors():
            response = self._client.get_object(self._bucket, key, length=length)
            try:
                return bytes(response.data)
            finally:
                response.close()
                response.release_conn()

    def link(self, key: str, *, seconds: float, media_type: str, name: str = "") -> str:
        """Return a presigned link of the public endpoint."""
        with _storage_errors():
            return self._public.presigned_get_object(
                self._bucket,
                key,
                expires=timedelta(seconds=min(seconds, 7 * 86_400)),
                response_headers={
                    "response-content-type": served_type(media_type),
                    "response-content-disposition": disposition(name, is_shown=media_type not in SAVED),
                },
            )

    def upload_link(self, key: str, *, seconds: float) -> str:
        """Return a presigned link of the public endpoint."""
        with _storage_errors():
            return self._public.presigned_put_object(
                self._bucket, key, expires=timedelta(seconds=min(seconds, 7 * 86_400))
            )

    def remove(self, key: str) -> None:
        """Remove one object."""
        with _storage_errors():
            self._client.remove_object(self._bucket, key)

    def remove_prefix(self, prefix: str) -> int:
        """Remove every object whose key begins with `prefix`."""
        keys = list(self.keys(prefix))
        with _storage_errors():
            for error in self._client.remove_objects(self._bucket, [DeleteObject(key) for key in keys]):
                raise StorageUnavailable(f"The object store did not remove {error.name}: {error.code}.")
        return len(keys)

    def keys(self, prefix: str = "") -> Iterator[str]:
        """Yield the keys of all objects that begin with `prefix`."""
        with _storage_errors():
            for item in self._client.list_objects(self._bucket, prefix=prefix, recursive=True):
                if item.object_name is not None:
                    yield item.object_name

    def older(self, seconds: float) -> Iterator[str]:
        """Yield the keys of all objects written more than `seconds` ago, by the server's clock."""
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        with _storage_errors():
            for item in self._client.list_objects(self._bucket, recursive=True):
                if item.object_name is not None and item.last_modified is not None and item.last_modified < before:
                    yield item.object_name

    def unfinished(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Yield key and id of multipart uploads that were begun more than `seconds` ago, by the server's clock.

        No listing of objects shows them, and a process that was killed leaves them. minio has no public method for it.
        """
        before = datetime.now(UTC) - timedelta(seconds=seconds)
        marker: str | None = None
        with _storage_errors():
            while True:
                # It always sends a delimiter, and with an empty one Swift lists nothing; no key of ours has this one.
                page = self._client._list_multipart_uploads(self._bucket, delimiter="|", key_marker=marker)
                for upload in page.uploads:
                    if upload.upload_id and upload.initiated_time and upload.initiated_time < before:
                        yield upload.object_name, upload.upload_id
                marker = page.next_key_marker
                if not (page.is_truncated and marker):
                    return

    def abort(self, key: str, upload_id: str) -> None:
        """Abort a multipart upload."""
        with _storage_errors():
            self._client._abort_multipart_upload(self._bucket, key, upload_id)

    def free_bytes(self) -> int | None:
        """Return None: S3 has no request for it."""
        return None

    def check(self) -> None:
        """Write and remove a small object; the bucket is not made here.

        Only a write shows that writes are allowed, and its answer, unlike that of a HEAD, says why they are not.
        """
        content = b"atelier"
        try:
            with _storage_errors():
                self._client.put_object(self._bucket, CHECK_KEY, BytesIO(content), len(content))
        except StorageUnavailable as error:
            if error.reason != "NoSuchBucket":
                raise
            detail = f"The bucket {self._bucket!r} does not exist; create it first."
            raise StorageUnavailable(detail, reason=error.reason) from error
        with suppress(StorageUnavailable):  # it is one small object, which the next check replaces
            self.remove(CHECK_KEY)

    def make_bucket(self) -> None:
        """Create the bucket unless it exists: for tests and first set-ups."""
        with _storage_errors():
            if not self._client.bucket_exists(self._bucket):
                self._client.make_bucket(self._bucket)


def _is_endpoint(text: str) -> bool:
    """Return whether `text` is an http(s) URL of a host alone, and so has no secret in it."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    rest = (parts.username, parts.password, parts.path.strip("/"), parts.query, parts.fragment)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port != 0 and not any(rest)


class _AwsChain(ChainedProvider):
    """Keys from the environment, else from the machine's or the pod's role."""

    def retrieve(self) -> Credentials:
        """Return the keys. Raises `StorageUnavailable`: a role whose service is away may be had again later."""
        try:
            return super().retrieve()
        except ValueError as error:
            raise StorageUnavailable("The object store's keys cannot be had.", reason="NoCredentials") from error


def _client(endpoint: str, region: str, keys: Provider, ca_bundle: str) -> Minio:
    parts = urlsplit(endpoint)
    pool = urllib3.PoolManager(
        timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=READ_SECONDS),
        retries=False,
        maxsize=16,
        cert_reqs="CERT_REQUIRED",
        ca_certs=ca_bundle or certifi.where(),
    )
    return Minio(parts.netloc, credentials=keys, secure=parts.scheme == "https", region=region, http_client=pool)


@contextmanager
def _storage_errors() -> Iterator[None]:
    """Raise the client's errors in the block as `UnknownOutput` or `StorageUnavailable`."""
    try:
        yield
    except S3Error as error:
        if error.code in ("NoSuchKey", "NoSuchObject"):
            raise UnknownOutput from error
        full = error.code in FULL_CODES
        detail = f"The object store answered {error.code}."
        raise StorageUnavailable(detail, full=full, reason=str(error.code)) from error
    except (InvalidResponseError, ServerError) as error:
        status = getattr(error, "status_code", None) or getattr(error, "_code", None)
        detail = f"The object store did not answer as S3 does: {error}"
        raise StorageUnavailable(detail, full=status == INSUFFICIENT_STORAGE, reason=f"HTTP {status}") from error
    except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
        raise StorageUnavailable(f"The object store cannot be reached: {error}") from error
