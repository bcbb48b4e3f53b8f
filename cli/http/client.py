"""The command line's client of the API."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
from httpx_sse import EventSource, ServerSentEvent

from cli.http.problems import ApiError, ApiUnavailable, NoRoute, raise_problem
from jobs.wire.job_request import JobRequest
from jobs.wire.jobs import Accepted, JobPage, ProgressEvent
from jobs.wire.models import ModelAnswer, ModelList
from jobs.wire.servers import ServerAnswer, ServerList
from jobs.wire.status import StatusAnswer
from jobs.wire.uploads import Upload
from jobs.wire.voices import VoiceAnswer, VoiceList
from jobs.wire.webhooks import Delivery, DeliveryPage, Replayed, Webhook, WebhookList, WebhookWithSecret

T = TypeVar("T")

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
SILENCE_SECONDS = 45.0  # the API sends a comment every 15 s
RECONNECT_SECONDS, PATIENCE_SECONDS = 1.0, 60.0
NO_MORE_EVENTS = 204
TERMINAL = ("completed", "failed", "cancelled")
ALREADY_A_SOURCE = ("http://", "https://", "data:", "inp_", "voi_")


class Client:
    """A client of one API with one key; a context manager that closes its connections."""

    def __init__(self, url: str, key: str) -> None:
        self.url = url
        if not key.isascii():
            raise ApiError("an API key has only letters of ASCII; this one was mistyped, or is another text")
        self._http = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, path: str, body: dict[str, Any]) -> Accepted:
        """Submit a job."""
        return self._request("POST", path, Accepted, json=body)

    def source(self, text: str) -> str:
        """Return the value of a media field: a URL or an id as it is; a local file is uploaded and becomes its id."""
        if text.startswith(ALREADY_A_SOURCE):
            return text
        try:
            with Path(text).open("rb") as file:
                upload = self._request("POST", "/inputs/v1", Upload)
                answer = httpx.put(
                    upload.upload_url, content=file, headers=upload.headers, timeout=TIMEOUT, trust_env=False
                )
        except OSError as error:
            raise ApiError(f"{text}: {error.strerror}") from None
        except httpx.HTTPError as error:
            raise ApiUnavailable(f"{text} could not be uploaded: {error}") from None
        raise_problem(answer)
        return upload.input_id

    def job(self, job_id: str) -> StatusAnswer:
        """Return the present state of a job."""
        return self._request("GET", _job_path(job_id), StatusAnswer)

    def job_request(self, job_id: str) -> JobRequest | None:
        """Return what a job was asked for; None where the API is too old to say."""
        try:
            return self._request("GET", f"{_job_path(job_id)}/request", JobRequest)
        except NoRoute:
            return None

    def jobs(self, *, limit: int, status: str | None = None) -> list[StatusAnswer]:
        """Return the newest jobs."""
        filters = {"limit": limit} | ({"status": status} if status else {})
        return self._request("GET", "/jobs/v1", JobPage, params=filters).jobs

    def cancel(self, job_id: str) -> StatusAnswer:
        """Cancel a job and return it; a job that has ended stays as it is."""
        return self._request("POST", f"{_job_path(job_id)}/cancel", StatusAnswer)

    def delete(self, job_id: str) -> None:
        """Delete a job with its prompt, inputs and outputs; one that runs is cancelled."""
        self._send("DELETE", _job_path(job_id))

    def models(self) -> list[ModelAnswer]:
        """Return the models of the catalog."""
        return self._request("GET", "/models/v1", ModelList).models

    def voices(self, **filters: str | None) -> list[VoiceAnswer]:
        """Return stored voices, then those of models; `model` and `language` filter them."""
        chosen = {name: value for name, value in filters.items() if value is not None}
        return self._request("GET", "/voices/v1", VoiceList, params=chosen).voices

    def add_voice(self, name: str, file: str) -> VoiceAnswer:
        """Upload a recording and store it as a voice."""
        return self._request("POST", "/voices/v1", VoiceAnswer, json={"name": name, "source": self.source(file)})

    def remove_voice(self, voice_id: str) -> None:
        """Remove a voice."""
        self._send("DELETE", f"/voices/v1/{quote(voice_id, safe='')}")

    def webhooks(self) -> list[Webhook]:
        """Return every webhook endpoint."""
        return self._request("GET", "/webhooks/v1", WebhookList).webhooks

    def add_webhook(self, url: str, events: Sequence[str]) -> WebhookWithSecret:
        """Create a webhook endpoint for `events`, or for all of them."""
        body = {"url": url} | ({"events": events} if events else {})
        return self._request("POST", "/webhooks/v1", WebhookWithSecret, json=body)

    def enable_webhook(self, webhook_id: str) -> Webhook:
        """Enable a disabled webhook endpoint."""
        return self._request("PATCH", _webhook_path(webhook_id), Webhook, json={"enabled": True})

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove a webhook endpoint."""
        self._send("DELETE", _webhook_path(webhook_id))

    def rotate_webhook(self, webhook_id: str) -> WebhookWithSecret:
        """Give a webhook endpoint a new secret."""
        return self._request("POST", f"{_webhook_path(webhook_id)}/rotate", WebhookWithSecret)

    def test_webhook(self, webhook_id: str) -> Delivery:
        """Send a test event to a webhook endpoint; return its delivery."""
        return self._request("POST", f"{_webhook_path(webhook_id)}/test", Delivery)

    def deliveries(self, **filters: str | int | None) -> list[Delivery]:
        """Return the newest deliveries; filters: `webhook_id`, `job_id`, `state`, `since`, `until`, `limit`."""
        chosen = {name: value for name, value in filters.items() if value is not None}
        return self._request("GET", "/webhooks/v1/deliveries", DeliveryPage, params=chosen).deliveries

    def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery again; return its new state."""
        return self._request("POST", f"/webhooks/v1/deliveries/{quote(delivery_id, safe='')}/replay", Delivery)

    def replay_range(self, **range_: str | None) -> int:
        """Send the deliveries of a range of time again; return their number.

        `range_` has `since` and `until`, and optionally `webhook_id` and `state`.
        """
        body: dict[str, Any] = {name: value for name, value in range_.items() if value is not None}
        replayed = 0
        while True:
            answer = self._request("POST", "/webhooks/v1/replay", Replayed, json=body)
            replayed += answer.replayed
            if answer.next_since is None:
                return replayed
            body["since"] = answer.next_since.isoformat()

    def server_list(self) -> ServerList:
        """Return every named server, and for an admin what the service stores."""
        return self._request("GET", "/servers/v1", ServerList)

    def servers(self) -> list[ServerAnswer]:
        """Return every server that was registered and not removed."""
        return self.server_list().servers

    def server(self, server_id: str) -> ServerAnswer:
        """Return the present state of a server."""
        return self._request("GET", _server_path(server_id), ServerAnswer)

    def set_desired_state(self, server_id: str, verb: str) -> ServerAnswer:
        """Cordon, uncordon or drain a server by `verb`; return its state."""
        return self._request("POST", f"{_server_path(server_id)}/{verb}", ServerAnswer)

    def send_command(self, server_id: str, verb: str, body: dict[str, Any] | None = None) -> None:
        """Make a running server preload, unload or recycle by `verb`; return when the server has accepted it."""
        self._send("POST", f"{_server_path(server_id)}/{verb}", json=body)

    def remove_server(self, server_id: str, *, force: bool) -> None:
        """Remove a server that will not come back."""
        self._send("DELETE", _server_path(server_id), params={"force": force})

    def follow(self, job_id: str) -> Iterator[ProgressEvent]:
        """Yield the job's events until it has ended; resume an interrupted stream after its last event.

        Raises `ApiUnavailable` when the API does not answer for a minute.
        """
        seen, away_since = "", None
        while True:
            try:
                for event in self._events(job_id, seen):
                    seen, away_since = event.id, None
                    yield msgspec.json.decode(event.data, type=ProgressEvent)
                    if event.event in TERMINAL:
                        return
            except ApiUnavailable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise
            if self._has_ended(job_id):
                return
            time.sleep(RECONNECT_SECONDS)

    def download(self, url: str, target: Path) -> None:
        """Download an output; the file appears when it is complete. The link is signed, so the key is not sent."""
        draft = _draft(target)
        try:
            with draft.open("wb") as file:
                self.copy(url, file)
            draft.replace(target)
        except OSError as error:
            raise ApiError(f"{target} cannot be written: {error.strerror}") from None
        finally:
            with suppress(OSError):
                draft.unlink()

    def copy(self, url: str, file: BinaryIO) -> None:
        """Write an output into an open file. Raises `OSError` where that cannot be written."""
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT, trust_env=False) as answer:
                raise_problem(answer)
                for chunk in answer.iter_bytes():
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise ApiUnavailable(f"the download from {httpx.URL(url).host} was interrupted: {error}") from None

    def _has_ended(self, job_id: str) -> bool:
        """Say whether the job has ended; False while the API does not answer."""
        try:
            return self.job(job_id).status in TERMINAL
        except ApiUnavailable:
            return False

    def _events(self, job_id: str, seen: str) -> Iterator[ServerSentEvent]:
        headers = {"Last-Event-ID": seen} if seen else {}
        timeout = httpx.Timeout(5.0, read=SILENCE_SECONDS)
        try:
            with self._http.stream("GET", f"{_job_path(job_id)}/events", headers=headers, timeout=timeout) as answer:
                raise_problem(answer)
                if answer.status_code != NO_MORE_EVENTS:
                    yield from (event for event in EventSource(answer).iter_sse() if event.data)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None

    def _request(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        content = self._send(method, path, **options)
        try:
            return msgspec.json.decode(content, type=kind)
        except msgspec.DecodeError as error:  # of an older or newer version, or not of the API at all
            raise ApiError(f"{self.url}{path} answers in another form ({error}); use the CLI of its version") from None

    def _send(self, method: str, path: str, **options: Any) -> bytes:
        if "json" in options:
            options["json"] = _readable(options["json"])
        try:
            answer = self._http.request(method, path, **options)
            raise_problem(answer)
        except httpx.HTTPError as error:
            raise self._unreachable(error) from None
        return answer.content

    def _unreachable(self, error: Exception) -> ApiUnavailable:
        return ApiUnavailable(f"no API answers at {self.url} ({error}); start one on this machine with `atelier up`")


def refuse_unwritable(target: Path) -> None:
    """Raise `ApiError` for a file that `download` could not write, before anything is computed for it."""
    try:
        _draft(target).touch()
        _draft(target).unlink()
    except OSError as error:
        raise ApiError(f"{target} cannot be written: {error.strerror}") from None


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.part")


def _readable(value: Any) -> Any:
    """Return JSON whose texts are those that were typed; under a locale without UTF-8 Python reads them as bytes."""
    if isinstance(value, dict):
        return {name: _readable(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(one) for one in value]
    return value.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(value, str) else value


def _job_path(job_id: str) -> str:
    return f"/jobs/v1/{quote(job_id, safe='')}"


def _webhook_path(webhook_id: str) -> str:
    return f"/webhooks/v1/{quote(webhook_id, safe='')}"


def _server_path(server_id: str) -> str:
    return f"/servers/v1/{quote(server_id, safe='')}"
