"""The fetcher of callers' URLs: every hop is checked, bytes and time are limited, and memory holds chunks only."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from core.errors.failures import InputUnreachable
from core.errors.fields import ForbiddenUrl
from core.errors.inputs import InputTooLarge
from core.net.pinned_http import BROKEN, open_client, request_arguments
from core.net.url_guard import ResolvedUrl, check_literal, resolve_and_check
from core.settings import Settings
from workers.ingest.retry_later import RetryLater
from workers.retry_policy import retry_after_seconds

log = logging.getLogger(__name__)

MAX_REDIRECTS = 3
MAX_LOOKUPS = 256
"""Names that are looked up at once; a name server that hangs delays only those."""
RETRIED = {408, 425, 429}
"""The 4xx answers after which another attempt may go well."""
LONGEST_RETRY_AFTER = 300.0
ADVICE = "Check that the URL answers 200 without a login."
UNREACHABLE = (
    "The service did not reach this URL; use a public host whose name resolves, on a port that is open to the service, "
    "with a valid certificate."
)
"""The one sentence for every target that is forbidden or does not answer.

A caller learns nothing from it about names and ports of the operator's network, nor about other people's ports.
"""


class Fetcher:
    """An HTTP client that GETs files; its errors are messages for the caller that name no address."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._client = open_client(settings, connect_timeout=settings.input_connect_timeout)
        self._resolvers = ThreadPoolExecutor(MAX_LOOKUPS, "resolve")

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
        self._resolvers.shutdown(wait=False, cancel_futures=True)

    async def fetch(
        self, url: str, target: Path, *, attempt: int, limit: int | None = None, most_bytes: int | None = None
    ) -> None:
        """Write the file of `url` into `target`; `limit` is that of the service, `most_bytes` that of a model.

        Raises `ForbiddenUrl`, `InputTooLarge` and `InputUnreachable` where another attempt would not help, `RetryLater`
        where it may, and `OSError` for the target.
        """
        seconds, answered = self._settings.input_timeout, asyncio.Event()
        limits = limit or self._settings.input_max_bytes, most_bytes
        try:
            async with asyncio.timeout(seconds):
                await self._follow(url, target, attempt, answered, limits)
        except TimeoutError:
            late = f"The file did not arrive within {seconds:g} s; use a faster host or a smaller file."
            raise RetryLater(InputUnreachable(late if answered.is_set() else UNREACHABLE)) from None
        except BROKEN as error:
            cut_off = "The host ended the answer early; check that the whole file arrives elsewhere."
            raise RetryLater(InputUnreachable(cut_off if answered.is_set() else UNREACHABLE)) from error

    async def _follow(
        self, url: str, target: Path, attempt: int, answered: asyncio.Event, limits: tuple[int, int | None]
    ) -> None:
        for hop in range(MAX_REDIRECTS + 1):
            found = await self._resolve(url, hop)
            headers = {
                "host": found.authority,
                "user-agent": "Atelier-Ingest/1",
                "accept": "*/*",
                "accept-encoding": "identity",
            }
            async with self._client.stream("GET", **request_arguments(found, attempt - 1), headers=headers) as response:
                if not response.has_redirect_location:
                    answered.set()
                    await self._receive(response, target, limits)
                    return
                url = str(httpx.URL(url).join(response.headers["location"]))
        raise InputUnreachable(f"The URL redirects more than {MAX_REDIRECTS} times; use the final URL.")

    async def _resolve(self, url: str, hop: int) -> ResolvedUrl:
        try:
            check_literal(url, self._settings)  # what the URL itself says, its caller may know
        except ForbiddenUrl:
            if hop == 0:
                raise
            raise ForbiddenUrl(  # the target of a redirect may be a secret of its network
                "The URL redirects to a place where the service does not connect; use a public URL. The operator can "
                "open networks with ATELIER_ALLOWED_NETWORKS."
            ) from None
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._resolvers, resolve_and_check, url, self._settings)
        except (ForbiddenUrl, OSError) as error:
            # Attempts too are the same for both, or their number and time would tell a name that resolves inside.
            log.info("input: not reached reason=%s", error)
            raise RetryLater(InputUnreachable(UNREACHABLE)) from error

    async def _receive(self, response: httpx.Response, target: Path, limits: tuple[int, int | None]) -> None:
        status = response.status_code
        if status in RETRIED or status >= 500:
            after = retry_after_seconds(response.headers) or 0.0
            raise RetryLater(
                InputUnreachable(f"The host answered {status}. {ADVICE}"), after=min(after, LONGEST_RETRY_AFTER)
            )
        if status != 200:
            raise InputUnreachable(f"The host answered {status}. {ADVICE}")
        coding = response.headers.get("content-encoding", "identity").strip().lower()
        if coding not in ("", "identity"):
            raise InputUnreachable(f"The host compressed the file ({coding[:20]}); serve it without Content-Encoding.")
        announced = response.headers.get("content-length", "")
        if announced.isdecimal():
            check_bytes(int(announced), *limits)
        seen = 0
        with target.open("wb") as file:
            async for chunk in response.aiter_raw():
                seen += len(chunk)
                check_bytes(seen, *limits)
                file.write(chunk)
        if seen == 0:
            raise InputUnreachable(f"The host answered {status} and sent an empty file. {ADVICE}")


def check_bytes(size: int, limit: int, of_model: int | None) -> None:
    """Raise `InputTooLarge` for a file above the limit of the service, or above that of its job's model."""
    if size > limit:
        raise InputTooLarge(f"The file has more than {limit / 1e6:g} MB, the most of an input; send a smaller one.")
    if of_model is not None and size > of_model:
        raise InputTooLarge(
            f"The file has more than the {of_model / 1e6:g} MB that the model takes; send a smaller one."
        )
