"""HTTP to a remote backend: its own address only, no redirects, bounds on bytes, and errors that show no secret."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import msgspec

from core.net.pinned_http import NO_HTTP, open_client
from core.settings import Settings
from pipelines.catalog.backends import Backend
from workers.remote.outcomes import RemoteAway, RemoteRefused
from workers.retry_policy import retry_after_seconds

CONNECT_SECONDS = 5.0
ANSWER_BYTES = 1_000_000
"""The longest JSON that says something of a job, and no file."""
SHOWN = 300
"""Characters of a backend's own sentence that the job's owner may read."""
NOT_BEGUN = (httpx.ConnectError, httpx.ConnectTimeout)
BROKEN = (httpx.HTTPError, ssl.SSLError, *NO_HTTP)
PROBLEMS = {401: "unauthorized", 402: "no_budget", 403: "unauthorized", 404: "not_found", 405: "not_found"}
"""What the operator has to mend, by the status that says so."""
LATER = {408: "unavailable", 425: "unavailable", 429: "rate_limited"} | dict.fromkeys((502, 503, 504), "unavailable")
"""What may go well later, without the job having been computed; other 4xx answers are about the job."""
NOT_ABOUT_THE_JOB = ("unknown_model", "idempotency_key_reused")
"""Codes of refusals that are."""


class BackendAnswer(msgspec.Struct, frozen=True):
    """An answer with a status below 300; header names are in small letters."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def read(self, type_: Any) -> Any:
        """Return the body as JSON of a type. Raises `RemoteAway` for anything else."""
        try:
            return msgspec.json.decode(self.body, type=type_)
        except msgspec.MsgspecError as error:
            raise RemoteAway("bad_answer", f"not the JSON of its protocol: {error}", may_have_computed=True) from None


class BackendConnection:
    """Requests to one backend, for as long as a context lasts; the caller bounds the time."""

    def __init__(self, settings: Settings, backend: Backend, key: str) -> None:
        self._backend = backend
        self._key = key
        self._client = open_client(settings, connect_timeout=min(CONNECT_SECONDS, settings.input_connect_timeout))

    async def __aenter__(self) -> "BackendConnection":
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._client.aclose()

    async def get(self, path: str) -> BackendAnswer:
        """GET a path below the backend's URL."""
        return await self._send("GET", path, most=ANSWER_BYTES)

    async def post(
        self, path: str, *, most: int = ANSWER_BYTES, headers: Mapping[str, str] | None = None, **body: Any
    ) -> BackendAnswer:
        """POST to a path below the backend's URL; `body` is as httpx takes it, `most` the bytes of the answer."""
        return await self._send("POST", path, most=most, headers=headers or {}, **body)

    async def download(self, path: str, target: Path) -> str | None:
        """Write the file at a path into `target`; returns the address that it is redirected to instead, if it is."""
        answer = await self._send("GET", path, most=self._backend.max_output_bytes, redirects=True)
        if answer.status >= 300:
            return answer.headers.get("location", "")
        await asyncio.to_thread(target.write_bytes, answer.body)
        return None

    async def _send(
        self,
        method: str,
        path: str,
        *,
        most: int,
        headers: Mapping[str, str] | None = None,
        redirects: bool = False,
        **body: Any,
    ) -> BackendAnswer:
        own = {"user-agent": "Atelier-Backends/1", "accept-encoding": "identity"}
        if self._key:
            own["authorization"] = f"Bearer {self._key}"
        url = f"{self._backend.url.rstrip('/')}{path}"
        try:
            async with self._client.stream(method, url, headers={**own, **(headers or {})}, **body) as response:
                is_wanted = response.is_success or (redirects and response.has_redirect_location)
                content = await receive(response, most if is_wanted else ANSWER_BYTES)
                if not is_wanted:
                    raise self._refusal(response, content)
                return BackendAnswer(response.status_code, dict(response.headers), content)
        except NOT_BEGUN as error:
            raise RemoteAway("unreachable", type(error).__name__, may_have_computed=False) from error
        except BROKEN as error:
            raise RemoteAway("broken_off", type(error).__name__, may_have_computed=method == "POST") from error

    def _refusal(self, response: httpx.Response, content: bytes) -> Exception:
        status, retry_after = response.status_code, retry_after_seconds(response.headers) or 0.0
        said, detail = _read_refusal(content), f"it answered {status}"
        problem = PROBLEMS.get(status) or ("not_found" if said.code in NOT_ABOUT_THE_JOB else None)
        if problem is not None or status in LATER:
            problem = problem or LATER[status]
            return RemoteAway(problem, detail, may_have_computed=False, retry_after=retry_after)
        if 400 <= status < 500:
            return RemoteRefused(self._without_key(said.sentence or f"It answered {status}."))
        return RemoteAway("failed", detail, may_have_computed=True)

    def _without_key(self, text: str) -> str:
        return text.replace(self._key, "...") if self._key else text


async def receive(response: httpx.Response, most: int) -> bytes:
    """Return the body. Raises `RemoteAway` for one that is longer than `most`."""
    parts, seen = [], 0
    async for part in response.aiter_raw():
        seen += len(part)
        if seen > most:
            raise RemoteAway("bad_answer", f"more than {most} bytes", may_have_computed=True)
        parts.append(part)
    return b"".join(parts)


class _Error(msgspec.Struct):
    message: str | None = None


class _Refusal(msgspec.Struct):
    """A refusal, as OpenAI's protocol has it (`error.message`) or as a problem (`detail`)."""

    error: _Error | str | None = None
    detail: str | None = None
    code: str | None = None

    @property
    def sentence(self) -> str:
        """What it says, on one line and not too long."""
        said = self.detail or (self.error.message if isinstance(self.error, _Error) else self.error) or ""
        return " ".join("".join(one if one.isprintable() else " " for one in said).split())[:SHOWN]


def _read_refusal(content: bytes) -> _Refusal:
    """Return a refusal; an empty one where it is of no known form."""
    try:
        return msgspec.json.decode(content, type=_Refusal)
    except msgspec.MsgspecError:
        return _Refusal()
