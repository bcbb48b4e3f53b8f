"""The sender of webhooks: one HTTP POST to an address that the URL guard has checked."""

import asyncio
from contextlib import suppress
from datetime import datetime

import httpx
import msgspec

from core.net.pinned_http import BROKEN, open_client, request_arguments
from core.net.url_guard import ResolvedUrl
from core.settings import Settings
from workers.retry_policy import retry_after_seconds
from workers.webhooks.payload import WebhookMessage

DRAIN_BYTES, DRAIN_SECONDS = 64_000, 1.0
GONE = 410


class DeliveryResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of an attempt: the HTTP status, if any, and in plain words what went wrong.

    `final` rules out further attempts. `retry_after` is in seconds, and `milliseconds` is the duration.
    """

    status: int | None = None
    problem: str | None = None
    retry_after: float | None = None
    final: bool = False
    milliseconds: int = 0

    @property
    def delivered(self) -> bool:
        """Whether the receiver accepted the webhook."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def gone(self) -> bool:
        """Whether the receiver wants no further webhooks."""
        return self.status == GONE

    @property
    def blames_host(self) -> bool:
        """Whether the host is at fault: it did not answer, or with 5xx; a refusal is an answer."""
        return not self.final if self.status is None else self.status >= 500


class WebhookSender:
    """An HTTP client that posts JSON and follows no redirects."""

    def __init__(self, settings: Settings) -> None:
        self._connect_timeout = settings.webhook_connect_timeout
        self._client = open_client(settings, connect_timeout=settings.webhook_connect_timeout)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def post(self, target: ResolvedUrl, number: int, message: WebhookMessage) -> DeliveryResult:
        """POST a message to the checked address `number`; retries go round the addresses.

        The caller of this method bounds the total time.
        """
        headers = message.headers | {
            "host": target.authority,
            "content-type": "application/json",
            "user-agent": "Atelier-Webhooks/1",
            "accept-encoding": "identity",
        }
        request = self._client.stream(
            "POST", **request_arguments(target, number), content=message.body, headers=headers
        )
        try:
            async with request as response:
                with suppress(*BROKEN, TimeoutError):
                    async with asyncio.timeout(DRAIN_SECONDS):
                        await _drain(response)
                return _result_of(response, message.composed_at)
        except httpx.ConnectTimeout:
            return DeliveryResult(problem=f"No connection within {self._connect_timeout:g} s.")
        except BROKEN as error:
            return DeliveryResult(problem=f"{type(error).__name__}: {error}"[:500])


async def _drain(response: httpx.Response) -> None:
    """Read and drop a short answer, so that the receiver is not cut off while it sends."""
    seen = 0
    async for chunk in response.aiter_raw():
        seen += len(chunk)
        if seen > DRAIN_BYTES:
            return


def _result_of(response: httpx.Response, now: datetime) -> DeliveryResult:
    status = response.status_code
    if response.is_success:
        return DeliveryResult(status=status)
    if response.is_redirect:
        problem = f"The receiver answered {status}; redirects are not followed; use the final URL."
    elif status == GONE:
        problem = "The receiver answered 410 Gone, so nothing more is sent."
    else:
        problem = f"The receiver answered {status}."
    retry_after = retry_after_seconds(response.headers, now=now)
    return DeliveryResult(status=status, problem=problem, retry_after=retry_after, final=status == GONE)
