"""Metadata of a repository's files from the hub, and the bytes of a file from the hub or any https address.

Requests go through huggingface_hub's client, so `HF_ENDPOINT` (a mirror), `HF_TOKEN`, `HTTPS_PROXY`, `SSL_CERT_FILE`
and its time-outs have their usual meaning. Its `hf_hub_download` is not used: since version 1 it deletes a partial file
when the connection is lost, and it checks no sha256. Files stored by xet are read through the plain address that the
hub keeps for them, which a mirror has too and which can be resumed.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from http import HTTPStatus

import httpx2  # huggingface_hub's own HTTP client, whose errors come through it
from huggingface_hub import (
    HfApi,
    constants,
    get_hf_file_metadata,
    get_session,
    get_token,
    hf_hub_url,
    hf_raise_for_status,
)
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from pipelines.catalog.spec import Source
from pipelines.weights.lockfile import Facts

constants.HF_HUB_DISABLE_TELEMETRY = True  # requests do not name the torch version or the library

NEVER_READ = [
    ".gitattributes",
    ".gitignore",
    *(f"*.{ending}" for ending in ("png", "jpg", "jpeg", "gif", "webp", "mp4")),
]
"""Files of a repository that no loader reads; they are not locked."""

_SHA256_LENGTH = 64


class FetchError(Exception):
    """A file could not be fetched; the text says why and what to do."""


class Transient(FetchError):
    """A failure that may not occur on the next try."""


class HubFile(Facts, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a commit says of a file: of a large one its pointer's sha256, of a small one git's name of its content.

    Both are part of the commit, so that another file under the same commit would be a lie of the hub.
    """

    blob_id: str | None


class Unreachable(Transient):
    """No answer came at all."""


def server_of(source: Source) -> str:
    """Return the address of the server that has a source: the hub's, or that of the `url`."""
    if source.repo is not None:
        return constants.ENDPOINT
    assert source.url is not None
    return "/".join(source.url.split("/", 3)[:3])


def list_files(source: Source) -> dict[str, HubFile]:
    """Return the wanted files of a repository at its commit, by path; sha256 only of those in large file storage.

    Raises `FetchError`.
    """
    assert source.repo is not None
    with explain_errors(source):
        info = HfApi().model_info(
            source.repo, revision=source.revision, files_metadata=True, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )
    _refuse_moved(source, info.sha)
    return {
        sibling.rfilename: HubFile(size=sibling.size, sha256=sibling.lfs.sha256, blob_id=None)
        if sibling.lfs
        else HubFile(size=sibling.size, sha256=None, blob_id=sibling.blob_id)
        for sibling in info.siblings or []
        if is_wanted(source, sibling.rfilename)
    }


def is_wanted(source: Source, path: str) -> bool:
    """Return whether a file of the repository is part of the source."""

    def fits(patterns: Iterable[str]) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in patterns)

    return fits(source.include or ["*"]) and not fits([*NEVER_READ, *source.exclude])


def check(source: Source, path: str, facts: Facts) -> None:
    """Check a file's metadata before its bytes. Raises `FetchError` when it contradicts `facts`."""
    if source.repo is None:
        return
    with explain_errors(source, path):
        said = get_hf_file_metadata(address(source, path), timeout=constants.HF_HUB_ETAG_TIMEOUT)
    _refuse_moved(source, said.commit_hash)
    if None not in (said.size, facts.size) and said.size != facts.size:
        raise FetchError(f"the hub has {said.size} bytes, weights.lock says {facts.size}; nothing was fetched")
    if facts.sha256 and said.etag and len(said.etag) == _SHA256_LENGTH and said.etag != facts.sha256:
        raise FetchError("the hub has another sha256 than weights.lock; nothing was fetched")


def address(source: Source, path: str) -> str:
    """Return the URL of a file."""
    if source.repo is None:
        assert source.url is not None
        return source.url
    return hf_hub_url(source.repo, path, revision=source.revision)


@contextmanager
def opened(source: Source, path: str, offset: int) -> Iterator[httpx2.Response]:
    """Request a file from byte `offset` on and yield the response, its body not yet read. Raises `FetchError`.

    The token is for the hub alone: neither a `url` source nor a redirect to another host gets it.
    """
    headers = {"Accept-Encoding": "identity"}
    token = get_token() if source.repo is not None else None
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if offset:
        headers["Range"] = f"bytes={offset}-"
    url = address(source, path)
    with (
        explain_errors(source, path),
        get_session().stream("GET", url, headers=headers, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT) as response,
    ):
        if url.startswith("https:") and response.url.scheme != "https":
            raise FetchError("it is redirected to an address without https")
        if response.status_code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            hf_raise_for_status(response)
        yield response


@contextmanager
def explain_errors(source: Source, path: str = "") -> Iterator[None]:
    """Turn the client's errors into `FetchError`s that say what to do."""
    where = source.repo or source.url
    try:
        yield
    except GatedRepoError:
        page = f"{constants.ENDPOINT}/{source.repo}"
        raise FetchError(f"{where} is gated: accept its terms at {page} and set HF_TOKEN") from None
    except RevisionNotFoundError:
        raise FetchError(f"{where} has no commit {source.revision} any more; choose one that it has") from None
    except RepositoryNotFoundError:
        raise FetchError(f"{constants.ENDPOINT} does not have {where}, or it is private: set HF_TOKEN") from None
    except EntryNotFoundError:
        raise FetchError(f"{where} has no {path} at {source.revision}") from None
    except OfflineModeIsEnabled:
        raise FetchError("HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE is set, so nothing is asked of the hub") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind = Transient if status in (408, 429) or status >= 500 else FetchError
        raise kind(f"{where} answers {status} {error.response.reason_phrase}") from None
    except httpx2.TransportError as error:
        kind = FetchError if "CERTIFICATE_VERIFY_FAILED" in str(error) else Unreachable
        raise kind(f"{server_of(source)}: {str(error) or type(error).__name__}") from None
    except httpx2.HTTPError as error:
        raise FetchError(f"{where}: {str(error) or type(error).__name__}") from None


def _refuse_moved(source: Source, commit: str | None) -> None:
    if commit is None:
        raise FetchError(f"{constants.ENDPOINT} does not answer like a hub; check HF_ENDPOINT and the proxy")
    if commit != source.revision:
        raise FetchError(
            f"{source.repo} was asked for at {source.revision} and answers with {commit}; nothing was fetched"
        )
