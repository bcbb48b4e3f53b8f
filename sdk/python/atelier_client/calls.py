"""The calls of the API as data, for the blocking and the asynchronous client alike; nothing here does I/O."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

import httpx
import msgspec

from atelier_client import models, requests
from atelier_client.errors import (
    ApiError,
    ApiUnavailable,
    ChainCancelled,
    ChainFailed,
    JobCancelled,
    JobFailed,
    Problem,
    UnreadableAnswer,
)

T = TypeVar("T")

TERMINAL = ("completed", "failed", "cancelled")
"""The statuses that no other follows."""
PREVIEW = "preview"
"""The name of the event that is a preview of a step."""
TIMEOUT = httpx.Timeout(30.0, connect=5.0)
SOUND_SECONDS = 600.0
"""How long the sound of a job is waited for, and how long it may be silent while the job computes."""
SILENCE_SECONDS = 45.0
"""How long an event stream may be silent: the API sends a comment every 15 s."""
RECONNECT_SECONDS, PATIENCE_SECONDS = 1.0, 60.0
"""The pause before an event stream is opened again, and how long an API that is away is waited for."""
RETRIED = (429, 502, 503, 504)
MOST_PAUSE_SECONDS = 30.0
NO_KEY = "There is no API key: set ATELIER_API_KEY, or give the client one as `key`."
NO_FILE = "data:,"
"""What stands for a local file where its content does not matter."""


class Call(msgspec.Struct, Generic[T], frozen=True, kw_only=True):
    """One request; its answer is read as `answer`, and `None` stands for no body.

    A call that may be sent twice without harm is `repeatable`: one that `asks` changes nothing, whatever its method,
    and what one that `settles` leaves is the same after a repeat.
    """

    method: str
    path: str
    answer: type[T] | None
    json: Any = None
    params: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    asks: bool = False
    settles: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether the call may be sent again when it is not known whether it arrived."""
        is_safe = self.asks or self.settles or self.method in ("GET", "PUT", "DELETE")
        return is_safe or "Idempotency-Key" in self.headers


def submit(modality: str, fields: Mapping[str, Any], idempotency_key: str | None) -> Call[models.Accepted]:
    """Submit a job; without a key of the caller one is made, so that a repeat of the request makes no second job."""
    if modality not in requests.PATHS:
        raise ValueError(f"there is no modality {modality!r}; there are: {', '.join(requests.PATHS)}")
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return Call(
        method="POST", path=requests.PATHS[modality], answer=models.Accepted, json=dict(fields), headers=headers
    )


def submit_many(jobs: Sequence[Mapping[str, Any]], idempotency_key: str | None) -> Call[models.AcceptedJobs]:
    """Submit jobs together, all or none; each has its `modality` beside its fields."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    body = {"jobs": [dict(one) for one in jobs]}
    return Call(method="POST", path="/jobs/v1", answer=models.AcceptedJobs, json=body, headers=headers)


def estimate(modality: str, fields: Mapping[str, Any]) -> Call[models.EstimateAnswer]:
    """Ask what a job would take and cost; its files are not read."""
    files = dict.fromkeys(files_in(modality, fields), NO_FILE)
    body = {"modality": modality} | with_uploads(modality, fields, files)
    return Call(method="POST", path="/estimates/v1", answer=models.EstimateAnswer, json=body, asks=True)


def set_priority(job_id: str, priority: int) -> Call[models.StatusAnswer]:
    """Change the priority of a waiting job."""
    path = f"/jobs/v1/{_quoted(job_id)}"
    return Call(method="PATCH", path=path, answer=models.StatusAnswer, json={"priority": priority}, settles=True)


def pause_queue() -> Call[models.QueueState]:
    """Start none of the tenant's jobs."""
    return Call(method="POST", path="/jobs/v1/pause", answer=models.QueueState, settles=True)


def resume_queue() -> Call[models.QueueState]:
    """Start the tenant's jobs again."""
    return Call(method="POST", path="/jobs/v1/resume", answer=models.QueueState, settles=True)


def me() -> Call[models.MeAnswer]:
    """Read what the key is and may do."""
    return Call(method="GET", path="/me/v1", answer=models.MeAnswer)


def usage(**filters: Any) -> Call[models.UsageAnswer]:
    """Read usage."""
    return Call(method="GET", path="/usage/v1", answer=models.UsageAnswer, params=_given(filters))


def keys(**filters: Any) -> Call[models.KeyPage]:
    """Read a page of keys."""
    return Call(method="GET", path="/keys/v1", answer=models.KeyPage, params=_given(filters))


def add_key(name: str, fields: Mapping[str, Any]) -> Call[models.KeyWithSecret]:
    """Make a key."""
    return Call(method="POST", path="/keys/v1", answer=models.KeyWithSecret, json={"name": name} | dict(fields))


def revoke_key(key_id: str) -> Call[None]:
    """Revoke a key."""
    return Call(method="DELETE", path=f"/keys/v1/{_quoted(key_id)}", answer=None)


def job(job_id: str) -> Call[models.StatusAnswer]:
    """Read a job."""
    return Call(method="GET", path=f"/jobs/v1/{_quoted(job_id)}", answer=models.StatusAnswer)


def job_request(job_id: str) -> Call[models.JobRequest]:
    """Read what a job was asked for."""
    return Call(method="GET", path=f"/jobs/v1/{_quoted(job_id)}/request", answer=models.JobRequest)


def manifest(job_id: str) -> Call[models.Manifest]:
    """Read what a completed job was made with."""
    return Call(method="GET", path=f"/jobs/v1/{_quoted(job_id)}/manifest", answer=models.Manifest)


def reproduce(job_id: str, idempotency_key: str | None) -> Call[models.Accepted]:
    """Make a completed job again."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return Call(method="POST", path=f"/jobs/v1/{_quoted(job_id)}/reproduce", answer=models.Accepted, headers=headers)


def redrive(job_id: str) -> Call[models.Accepted]:
    """Do a failed job again."""
    return Call(method="POST", path=f"/jobs/v1/{_quoted(job_id)}/redrive", answer=models.Accepted, settles=True)


def submit_chain(
    steps: Sequence[Mapping[str, Any]], callback_url: str | None, idempotency_key: str | None
) -> Call[models.ChainAnswer]:
    """Submit the steps of a chain."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    body = _given({"steps": [dict(one) for one in steps], "callback_url": callback_url})
    return Call(method="POST", path="/chains/v1", answer=models.ChainAnswer, json=body, headers=headers)


def submit_storyboard(body: Any, idempotency_key: str | None) -> Call[models.ChainAnswer]:
    """Submit the shots of a film."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid4())}
    return Call(method="POST", path="/storyboards/v1", answer=models.ChainAnswer, json=body, headers=headers)


def estimate_storyboard(fields: Mapping[str, Any]) -> Call[models.ChainEstimate]:
    """Ask what the shots of a film would take and cost; their files are not read."""
    body = with_uploads_within(fields, dict.fromkeys(files_within(fields), NO_FILE))
    return Call(method="POST", path="/storyboards/v1/estimate", answer=models.ChainEstimate, json=body, asks=True)


def chain(chain_id: str) -> Call[models.ChainAnswer]:
    """Read a chain."""
    return Call(method="GET", path=f"/chains/v1/{_quoted(chain_id)}", answer=models.ChainAnswer)


def chains(**filters: Any) -> Call[models.ChainPage]:
    """Read a page of chains."""
    return Call(method="GET", path="/chains/v1", answer=models.ChainPage, params=_given(filters))


def cancel_chain(chain_id: str) -> Call[models.ChainAnswer]:
    """Cancel a chain."""
    return Call(method="POST", path=f"/chains/v1/{_quoted(chain_id)}/cancel", answer=models.ChainAnswer, settles=True)


def jobs(**filters: Any) -> Call[models.JobPage]:
    """Read a page of jobs."""
    return Call(method="GET", path="/jobs/v1", answer=models.JobPage, params=_given(filters))


def cancel(job_id: str) -> Call[models.StatusAnswer]:
    """Cancel a job."""
    return Call(method="POST", path=f"/jobs/v1/{_quoted(job_id)}/cancel", answer=models.StatusAnswer)


def delete(job_id: str) -> Call[None]:
    """Delete a job."""
    return Call(method="DELETE", path=f"/jobs/v1/{_quoted(job_id)}", answer=None)


def open_upload() -> Call[models.Upload]:
    """Ask for a link to send a file to."""
    return Call(method="POST", path="/inputs/v1", answer=models.Upload)


def model_list() -> Call[models.ModelList]:
    """Read the models."""
    return Call(method="GET", path="/models/v1", answer=models.ModelList)


def voices(**filters: str | None) -> Call[models.VoiceList]:
    """Read the voices."""
    return Call(method="GET", path="/voices/v1", answer=models.VoiceList, params=_given(filters))


def add_voice(name: str, source: str) -> Call[models.VoiceAnswer]:
    """Store a voice."""
    return Call(method="POST", path="/voices/v1", answer=models.VoiceAnswer, json={"name": name, "source": source})


def remove_voice(voice_id: str) -> Call[None]:
    """Remove a voice."""
    return Call(method="DELETE", path=f"/voices/v1/{_quoted(voice_id)}", answer=None)


def add_media(facts: Mapping[str, Any]) -> Call[models.MediaItem]:
    """Add an item to the media library, whose file is sent afterwards, or fetched from its `url`."""
    return Call(method="POST", path="/media/v1", answer=models.MediaItem, json=dict(facts))


def media(**filters: Any) -> Call[models.MediaPage]:
    """Read a page of the media library."""
    return Call(method="GET", path="/media/v1", answer=models.MediaPage, params=_given(filters))


def search_media(**filters: Any) -> Call[models.MediaMatches]:
    """Search the media library."""
    return Call(method="GET", path="/media/v1/search", answer=models.MediaMatches, params=_given(filters))


def media_item(media_id: str) -> Call[models.MediaItem]:
    """Read an item of the media library."""
    return Call(method="GET", path=f"/media/v1/{_quoted(media_id)}", answer=models.MediaItem)


def change_media(media_id: str, changes: Mapping[str, Any]) -> Call[models.MediaItem]:
    """Change an item of the media library."""
    return Call(method="PATCH", path=f"/media/v1/{_quoted(media_id)}", answer=models.MediaItem, json=dict(changes))


def link_media(media_id: str, target: Mapping[str, Any]) -> Call[models.MediaItem]:
    """Link an item of the media library to a product."""
    path = f"/media/v1/{_quoted(media_id)}/link"
    return Call(method="POST", path=path, answer=models.MediaItem, json=_given(target))


def unlink_media(media_id: str, target: Mapping[str, Any]) -> Call[models.MediaItem]:
    """Remove the link of an item of the media library to a product."""
    path = f"/media/v1/{_quoted(media_id)}/link"
    return Call(method="DELETE", path=path, answer=models.MediaItem, params=_given(target))


def act_on_media(media_id: str, verb: str) -> Call[models.MediaItem]:
    """Publish an item of the media library, unpublish it, or archive it."""
    return Call(method="POST", path=f"/media/v1/{_quoted(media_id)}/{verb}", answer=models.MediaItem)


def remove_media(media_id: str) -> Call[None]:
    """Delete an item of the media library."""
    return Call(method="DELETE", path=f"/media/v1/{_quoted(media_id)}", answer=None)


def webhooks() -> Call[models.WebhookList]:
    """Read the webhook endpoints."""
    return Call(method="GET", path="/webhooks/v1", answer=models.WebhookList)


def add_webhook(url: str, events: tuple[str, ...]) -> Call[models.WebhookWithSecret]:
    """Create a webhook endpoint."""
    body = {"url": url} | ({"events": events} if events else {})
    return Call(method="POST", path="/webhooks/v1", answer=models.WebhookWithSecret, json=body)


def remove_webhook(webhook_id: str) -> Call[None]:
    """Remove a webhook endpoint."""
    return Call(method="DELETE", path=f"/webhooks/v1/{_quoted(webhook_id)}", answer=None)


def enable_webhook(webhook_id: str) -> Call[models.Webhook]:
    """Enable a disabled webhook endpoint."""
    return Call(
        method="PATCH", path=f"/webhooks/v1/{_quoted(webhook_id)}", answer=models.Webhook, json={"enabled": True}
    )


def rotate_webhook(webhook_id: str) -> Call[models.WebhookWithSecret]:
    """Give a webhook endpoint a new secret."""
    return Call(method="POST", path=f"/webhooks/v1/{_quoted(webhook_id)}/rotate", answer=models.WebhookWithSecret)


def test_webhook(webhook_id: str) -> Call[models.Delivery]:
    """Send a test event to a webhook endpoint."""
    return Call(method="POST", path=f"/webhooks/v1/{_quoted(webhook_id)}/test", answer=models.Delivery)


def deliveries(**filters: Any) -> Call[models.DeliveryPage]:
    """Read a page of deliveries."""
    return Call(method="GET", path="/webhooks/v1/deliveries", answer=models.DeliveryPage, params=_given(filters))


def replay(delivery_id: str) -> Call[models.Delivery]:
    """Send a delivery again."""
    path = f"/webhooks/v1/deliveries/{_quoted(delivery_id)}/replay"
    return Call(method="POST", path=path, answer=models.Delivery)


def replay_range(**range_: Any) -> Call[models.Replayed]:
    """Send the deliveries of a range of time again, the oldest 10,000."""
    return Call(method="POST", path="/webhooks/v1/replay", answer=models.Replayed, json=_given(range_))


def server(server_id: str) -> Call[models.ServerAnswer]:
    """Read a server."""
    return Call(method="GET", path=f"/servers/v1/{_quoted(server_id)}", answer=models.ServerAnswer)


def set_desired_state(server_id: str, verb: str) -> Call[models.ServerAnswer]:
    """Cordon, uncordon or drain a server."""
    return Call(method="POST", path=f"/servers/v1/{_quoted(server_id)}/{verb}", answer=models.ServerAnswer)


def send_command(server_id: str, verb: str, body: Mapping[str, Any] | None) -> Call[None]:
    """Make a server preload, unload or recycle."""
    return Call(method="POST", path=f"/servers/v1/{_quoted(server_id)}/{verb}", answer=None, json=body)


def remove_server(server_id: str, *, force: bool) -> Call[None]:
    """Remove a server."""
    path = f"/servers/v1/{_quoted(server_id)}"
    return Call(method="DELETE", path=path, answer=None, params={"force": force})


def servers() -> Call[models.ServerList]:
    """Read the servers."""
    return Call(method="GET", path="/servers/v1", answer=models.ServerList)


def sound_path(job_id: str) -> str:
    """Return the path of the sound of a job."""
    return f"/jobs/v1/{_quoted(job_id)}/sound"


def events_path(job_id: str, *, previews: bool) -> str:
    """Return the path of a job's event stream, with previews of its steps or without."""
    return f"/jobs/v1/{_quoted(job_id)}/events" + ("?previews=true" if previews else "")


def decoded(call: Call[T], response: httpx.Response) -> T:
    """Return the answer of a call. Raises `ApiError`, `ApiUnavailable` or `UnreadableAnswer`."""
    if not response.is_success:
        raise refusal(response)
    if call.answer is None:
        return None  # type: ignore[return-value]
    try:
        return msgspec.json.decode(response.content, type=call.answer)
    except msgspec.DecodeError as error:
        advice = f"{response.url} answers in another form ({error}); use a client of its version"
        raise UnreadableAnswer(advice) from None


def refusal(response: httpx.Response) -> ApiError:
    """Return the error of an answer that is not a success and that was read."""
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.DecodeError:  # from a proxy before the API, or the object store
        problem = Problem(detail=response.text[:200])
    if response.status_code == httpx.codes.UNAUTHORIZED and not response.request.headers.get("X-API-Key"):
        problem = msgspec.structs.replace(problem, detail=NO_KEY)
    kind = ApiUnavailable if response.is_server_error else ApiError
    return kind(
        problem.detail or response.reason_phrase,
        status=response.status_code,
        code=problem.code,
        field=problem.field,
        request_id=problem.request_id or response.headers.get("X-Request-Id"),
        retry_after=_retry_after(response),
    )


def unreachable(url: str, error: Exception) -> ApiUnavailable:
    """Return the error of an API that does not answer."""
    return ApiUnavailable(f"no API answers at {url} ({str(error) or type(error).__name__})")


def pause_before_retry(call: Call[Any], error: ApiError, attempt: int) -> float | None:
    """Return the seconds to wait before a call is sent again after its attempt `attempt`, from 1; None: do not.

    429 and 503 say that nothing was done, so any call is repeated after them. What else fails may have been done.
    """
    retried = error.status in RETRIED if error.status is not None else isinstance(error, ApiUnavailable)
    if not retried or not (call.repeatable or error.status in (429, 503)):
        return None
    pause = error.retry_after if error.retry_after is not None else 0.5 * 2 ** (attempt - 1)
    return min(pause, MOST_PAUSE_SECONDS) + random.uniform(0, 0.1)  # so that clients do not keep step


def succeeded(answer: models.StatusAnswer) -> models.StatusAnswer:
    """Return an ended job that completed. Raises `JobFailed` or `JobCancelled`."""
    if answer.status == "failed":
        raise JobFailed(answer)
    if answer.status == "cancelled":
        raise JobCancelled(answer)
    return answer


def completed(answer: models.ChainAnswer) -> models.ChainAnswer:
    """Return an ended chain that completed. Raises `ChainFailed` or `ChainCancelled`."""
    if answer.status == "failed":
        raise ChainFailed(answer)
    if answer.status == "cancelled":
        raise ChainCancelled(answer)
    return answer


def files_in(modality: str, fields: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the local files that the fields of a submit name by a `Path`."""
    for name in requests.MEDIA.get(modality, ()):
        yield from files_within(fields.get(name))


def with_uploads(modality: str, fields: Mapping[str, Any], uploaded: Mapping[Path, str]) -> dict[str, Any]:
    """Return the fields of a submit with the ids of uploads in the place of local files."""
    media = requests.MEDIA.get(modality, ())
    return {name: with_uploads_within(value, uploaded) if name in media else value for name, value in fields.items()}


def files_within(value: Any) -> Iterator[Path]:
    """Yield the local files in a value of JSON, however deep."""
    if isinstance(value, Path):
        yield value
    elif isinstance(value, Mapping):
        yield from files_within(list(value.values()))
    elif isinstance(value, list | tuple):
        for one in value:
            yield from files_within(one)


def with_uploads_within(value: Any, uploaded: Mapping[Path, str]) -> Any:
    """Return a value of JSON with the ids of uploads in the place of local files."""
    if isinstance(value, Mapping):
        return {name: with_uploads_within(one, uploaded) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [with_uploads_within(one, uploaded) for one in value]
    return uploaded[value] if isinstance(value, Path) else value


def _retry_after(response: httpx.Response) -> float | None:
    text = response.headers.get("Retry-After", "")
    return float(text) if re.fullmatch(r"\d+(\.\d+)?", text) else None


def _given(filters: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}


def _quoted(text: str) -> str:
    return quote(text, safe="")
