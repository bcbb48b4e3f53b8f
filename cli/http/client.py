"""A client of the API, for the command line."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec
import rich_click as click
from httpx_sse import EventSource, ServerSentEvent

from jobs.wire.jobs import Accepted, JobPage, ProgressEvent
from jobs.wire.models import ModelAnswer, ModelList
from jobs.wire.problems import ProblemDetails
from jobs.wire.servers import ServerAnswer, ServerList
from jobs.wire.status import StatusAnswer
from jobs.wire.uploads import Upload
from jobs.wire.voices import VoiceAnswer, VoiceList
from jobs.wire.webhooks import Delivery, DeliveryPage, Replayed, Webhook, WebhookList, WebhookWithSecret

T = TypeVar("T")

TIMEOUT = httpx.Timeout(30.0, connect=5.0)
SILENCE_SECONDS = 45.0  # a stream says something every 15 s
RECONNECT_SECONDS, PATIENCE_SECONDS = 1.0, 60.0
NO_MORE_EVENTS = 204
TERMINAL = ("completed", "failed", "cancelled")
ALREADY_A_SOURCE = ("http://", "https://", "data:", "inp_", "voi_")


class ApiError(click.ClickException):
    """The API refused; the text is for the person who typed the command."""


class ApiAway(ApiError):
    """The API is not there, or can do nothing now; the same call may work later."""


class Client:
    """Calls to one API with one key; closes its connections as a context manager."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url
        self._http = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=TIMEOUT, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def submit(self, path: str, body: dict[str, Any]) -> str:
        """Hand in a job; returns its id."""
        return self._ask("POST", path, Accepted, json=body).job_id

    def source(self, text: str) -> str:
        """What a field that takes media is given: a URL or an id as it is; for a local file its id, once uploaded."""
        if text.startswith(ALREADY_A_SOURCE):
            return text
        try:
            with Path(text).open("rb") as file:
                upload = self._ask("POST", "/inputs/v1", Upload)
                answer = httpx.put(
                    upload.upload_url, content=file, headers=upload.headers, timeout=TIMEOUT, trust_env=False
                )
        except OSError as error:
            raise ApiError(f"{text}: {error.strerror}") from None
        except httpx.HTTPError as error:
            raise ApiAway(f"{text} could not be uploaded: {error}") from None
        _refuse_problem(answer)
        return upload.input_id

    def job(self, job_id: str) -> StatusAnswer:
        """A job as it is now."""
        return self._ask("GET", f"/jobs/v1/{job_id}", StatusAnswer)

    def jobs(self, *, limit: int, status: str | None = None) -> list[StatusAnswer]:
        """The newest jobs."""
        filters = {"limit": limit} | ({"status": status} if status else {})
        return self._ask("GET", "/jobs/v1", JobPage, params=filters).jobs

    def cancel(self, job_id: str) -> StatusAnswer:
        """End a job; one that has ended stays as it is."""
        return self._ask("POST", f"/jobs/v1/{job_id}/cancel", StatusAnswer)

    def models(self) -> list[ModelAnswer]:
        """The catalog."""
        return self._ask("GET", "/models/v1", ModelList).models

    def voices(self, **filters: str | None) -> list[VoiceAnswer]:
        """The voices that are kept, and those of models; `model` and `language` choose among them."""
        chosen = {name: value for name, value in filters.items() if value is not None}
        return self._ask("GET", "/voices/v1", VoiceList, params=chosen).voices

    def add_voice(self, name: str, file: str) -> VoiceAnswer:
        """Upload a recording and keep it."""
        return self._ask("POST", "/voices/v1", VoiceAnswer, json={"name": name, "source": self.source(file)})

    def remove_voice(self, voice_id: str) -> None:
        """Remove a voice."""
        self._send("DELETE", f"/voices/v1/{quote(voice_id, safe='')}")

    def webhooks(self) -> list[Webhook]:
        """Every endpoint."""
        return self._ask("GET", "/webhooks/v1", WebhookList).webhooks

    def add_webhook(self, url: str, events: Sequence[str]) -> WebhookWithSecret:
        """Make an endpoint, told of `events`, or of everything."""
        body = {"url": url} | ({"events": events} if events else {})
        return self._ask("POST", "/webhooks/v1", WebhookWithSecret, json=body)

    def enable_webhook(self, webhook_id: str) -> Webhook:
        """Bring back an endpoint that was disabled."""
        return self._ask("PATCH", _webhook(webhook_id), Webhook, json={"enabled": True})

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove an endpoint."""
        self._send("DELETE", _webhook(webhook_id))

    def rotate_webhook(self, webhook_id: str) -> WebhookWithSecret:
        """Move an endpoint to a new secret."""
        return self._ask("POST", f"{_webhook(webhook_id)}/rotate", WebhookWithSecret)

    def test_webhook(self, webhook_id: str) -> Delivery:
        """Have a test event sent."""
        return self._ask("POST", f"{_webhook(webhook_id)}/test", Delivery)

    def deliveries(self, **filters: str | int | None) -> list[Delivery]:
        """The newest deliveries; `webhook_id`, `job_id`, `state`, `since`, `until` and `limit` choose among them."""
        chosen = {name: value for name, value in filters.items() if value is not None}
        return self._ask("GET", "/webhooks/v1/deliveries", DeliveryPage, params=chosen).deliveries

    def replay(self, delivery_id: str) -> Delivery:
        """Send a delivery again."""
        return self._ask("POST", f"/webhooks/v1/deliveries/{quote(delivery_id, safe='')}/replay", Delivery)

    def replay_range(self, **range_: str | None) -> int:
        """Send what was made in a range of time again; how many. `since`, `until`, and maybe `webhook_id`, `state`."""
        body: dict[str, Any] = {name: value for name, value in range_.items() if value is not None}
        replayed = 0
        while True:
            answer = self._ask("POST", "/webhooks/v1/replay", Replayed, json=body)
            replayed += answer.replayed
            if answer.next_since is None:
                return replayed
            body["since"] = answer.next_since.isoformat()

    def servers(self) -> list[ServerAnswer]:
        """Every server that was registered and not removed."""
        return self._ask("GET", "/servers/v1", ServerList).servers

    def server(self, server_id: str) -> ServerAnswer:
        """A server as it is now."""
        return self._ask("GET", _path_of(server_id), ServerAnswer)

    def wish(self, server_id: str, verb: str) -> ServerAnswer:
        """Cordon, uncordon or drain a server; the server as it is now."""
        return self._ask("POST", f"{_path_of(server_id)}/{verb}", ServerAnswer)

    def order(self, server_id: str, verb: str, body: dict[str, Any] | None = None) -> None:
        """Have a living server preload, unload or recycle; back once it has taken the order."""
        self._send("POST", f"{_path_of(server_id)}/{verb}", json=body)

    def remove_server(self, server_id: str, *, force: bool) -> None:
        """Take a server that is gone for good off the list."""
        self._send("DELETE", _path_of(server_id), params={"force": force})

    def follow(self, job_id: str) -> Iterator[ProgressEvent]:
        """The job's events until it has ended; comes back to a stream that was cut where it had been.

        Raises `ApiAway` when the API stays away for a minute.
        """
        seen, away_since = "", None
        while True:
            try:
                for event in self._events(job_id, seen):
                    seen, away_since = event.id, None
                    yield msgspec.json.decode(event.data, type=ProgressEvent)
                    if event.event in TERMINAL:
                        return
            except ApiAway:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > PATIENCE_SECONDS:
                    raise
            if self._has_ended(job_id):
                return
            time.sleep(RECONNECT_SECONDS)

    def download(self, url: str, target: Path) -> None:
        """Fetch an output; the file appears whole or not at all. The key stays here: the link is signed."""
        draft = target.with_name(f".{target.name}.part")
        try:
            with httpx.stream("GET", url, follow_redirects=True, timeout=TIMEOUT, trust_env=False) as answer:
                _refuse_problem(answer)
                with draft.open("wb") as file:
                    for chunk in answer.iter_bytes():
                        file.write(chunk)
            draft.replace(target)
        except httpx.HTTPError as error:
            raise ApiAway(f"the download from {httpx.URL(url).host} was cut: {error}") from None
        finally:
            draft.unlink(missing_ok=True)

    def _has_ended(self, job_id: str) -> bool:
        """Whether there is nothing to come back to; an API that is away has not said so."""
        try:
            return self.job(job_id).status in TERMINAL
        except ApiAway:
            return False

    def _events(self, job_id: str, seen: str) -> Iterator[ServerSentEvent]:
        headers = {"Last-Event-ID": seen} if seen else {}
        timeout = httpx.Timeout(5.0, read=SILENCE_SECONDS)
        try:
            with self._http.stream("GET", f"/jobs/v1/{job_id}/events", headers=headers, timeout=timeout) as answer:
                _refuse_problem(answer)
                if answer.status_code != NO_MORE_EVENTS:
                    yield from (event for event in EventSource(answer).iter_sse() if event.data)
        except httpx.HTTPError as error:
            raise self._away(error) from None

    def _ask(self, method: str, path: str, kind: type[T], **options: Any) -> T:
        return msgspec.json.decode(self._send(method, path, **options), type=kind)

    def _send(self, method: str, path: str, **options: Any) -> bytes:
        try:
            answer = self._http.request(method, path, **options)
            _refuse_problem(answer)
        except httpx.HTTPError as error:
            raise self._away(error) from None
        return answer.content

    def _away(self, error: Exception) -> ApiAway:
        return ApiAway(f"no Atelier answers at {self._url} ({error}); `atelier up` starts one on this machine")


def _webhook(webhook_id: str) -> str:
    return f"/webhooks/v1/{quote(webhook_id, safe='')}"


def _path_of(server_id: str) -> str:
    return f"/servers/v1/{quote(server_id, safe='')}"


def _refuse_problem(answer: httpx.Response) -> None:
    """Raise `ApiError` with the problem's own sentence."""
    if answer.is_success:
        return
    answer.read()
    try:
        problem = msgspec.json.decode(answer.content, type=ProblemDetails)
    except msgspec.DecodeError:  # not from the API: from a proxy before it, or the object store
        text = f"{answer.text[:200] or answer.reason_phrase} [{answer.status_code}]"
    else:
        text = f"{problem.detail}{f' (field {problem.field})' if problem.field else ''} [{problem.code}]"
    raise (ApiAway if answer.is_server_error else ApiError)(text)
