"""What the hub says of a repository's files, and the bytes of a file from it or from any https address.

huggingface_hub's client does the talking, so `HF_ENDPOINT` (a mirror), `HF_TOKEN`, `HTTPS_PROXY`, `SSL_CERT_FILE` and
its time-outs mean here what they mean everywhere. Its `hf_hub_download` is not used: since version 1 it throws a
partial file away when the connection is lost, and it knows no sha256 to hold the file against. Files stored by xet
are read through the plain address that the hub keeps for them, which a mirror has too and which can be resumed.
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
from pipelines.weights.lockfile import Facts, LockedFile

constants.HF_HUB_DISABLE_TELEMETRY = True  # nobody is told which torch asks, and on whose behalf

NEVER_READ = [
    ".gitattributes",
    ".gitignore",
    *(f"*.{ending}" for ending in ("png", "jpg", "jpeg", "gif", "webp", "mp4")),
]
"""Files of a repository that no loader reads; they are not locked."""

_SHA256_LENGTH = 64


class FetchError(Exception):
    """A file could not be had; the text says why and what to do."""


class Transient(FetchError):
    """The same may go well in a moment."""


def list_files(source: Source) -> dict[str, LockedFile]:
    """The wanted files of a repository at its commit, by path; sha256 of those in large file storage only.

    Raises `FetchError`.
    """
    assert source.repo is not None
    with explain_errors(source):
        info = HfApi().model_info(
            source.repo, revision=source.revision, files_metadata=True, timeout=constants.HF_HUB_DOWNLOAD_TIMEOUT
        )
    _refuse_moved(source, info.sha)
    return {
        sibling.rfilename: LockedFile(size=sibling.size, sha256=sibling.lfs.sha256 if sibling.lfs else None)
        for sibling in info.siblings or []
        if is_wanted(source, sibling.rfilename)
    }


def is_wanted(source: Source, path: str) -> bool:
    """Whether a file of the repository is one that the source means."""

    def fits(patterns: Iterable[str]) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in patterns)

    return fits(source.include or ["*"]) and not fits([*NEVER_READ, *source.exclude])


def check(source: Source, path: str, facts: Facts) -> None:
    """Ask for a file's metadata before its bytes. Raises `FetchError` when they speak of another file than `facts`."""
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
    """Where a file is."""
    if source.repo is None:
        assert source.url is not None
        return source.url
    return hf_hub_url(source.repo, path, revision=source.revision)


@contextmanager
def opened(source: Source, path: str, offset: int) -> Iterator[httpx2.Response]:
    """The answer to a request for a file from byte `offset` on, its body not yet read. Raises `FetchError`.

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
    """Turns the client's errors into `FetchError`s that say what to do."""
    where = source.repo or source.url
    try:
        yield
    except GatedRepoError:
        page = f"{constants.ENDPOINT}/{source.repo}"
        raise FetchError(f"{where} is gated: accept its terms at {page} and set HF_TOKEN") from None
    except RevisionNotFoundError:
        raise FetchError(f"{where} has no commit {source.revision} any more; choose one that it has") from None
    except RepositoryNotFoundError:
        raise FetchError(f"there is no {where} at {constants.ENDPOINT}, or only for others: set HF_TOKEN") from None
    except EntryNotFoundError:
        raise FetchError(f"{where} has no {path} at {source.revision}") from None
    except OfflineModeIsEnabled:
        raise FetchError("HF_HUB_OFFLINE is set, so nothing is asked of the hub") from None
    except HfHubHTTPError as error:
        status = error.response.status_code
        kind = Transient if status in (408, 429) or status >= 500 else FetchError
        raise kind(f"{where} answers {status} {error.response.reason_phrase}") from None
    except httpx2.TransportError as error:
        host = constants.ENDPOINT if source.repo else where
        kind = FetchError if "CERTIFICATE_VERIFY_FAILED" in str(error) else Transient
        raise kind(f"{host}: {str(error) or type(error).__name__}") from None
    except httpx2.HTTPError as error:
        raise FetchError(f"{where}: {str(error) or type(error).__name__}") from None


def _refuse_moved(source: Source, commit: str | None) -> None:
    if commit is None:
        raise FetchError(f"{constants.ENDPOINT} does not answer like a hub; look at HF_ENDPOINT and at the proxy")
    if commit != source.revision:
        raise FetchError(
            f"{source.repo} was asked for at {source.revision} and answers with {commit}; nothing was fetched"
        )
