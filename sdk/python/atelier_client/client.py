"""The blocking client, written from `aio.py` by `scripts/sdk_models.py`."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, TypeVar, Unpack

import httpx
import msgspec
from httpx_sse import EventSource, ServerSentEvent

from atelier_client import calls
from atelier_client import models as wire
from atelier_client.calls import Call
from atelier_client.errors import ApiError, ApiUnavailable, JobTimeout
from atelier_client.files import complete_file
from atelier_client.requests import (
    AvatarRequest,
    BrandingRequest,
    CutoutRequest,
    EmbeddingRequest,
    ImageRequest,
    InterpolateRequest,
    JoinRequest,
    MeshRequest,
    MusicRequest,
    SegmentRequest,
    SoundRequest,
    SpeechRequest,
    TextRequest,
    TranscriptRequest,
    UpscaleRequest,
    VectorizeRequest,
    VideoRequest,
)

T = TypeVar("T")

PIECE = 1 << 20

OnProgress = Callable[[wire.ProgressEvent], None]
"""What is called with each event of a job while it is waited for."""
OnPreview = Callable[[wire.StepPreview], None]
"""What is called with each preview of a job's steps: at most two a second, of models whose latents can be shown."""


class Atelier:
    """A client of one API with one key; a context manager that closes its connections.

    `url` and `key` are by default those of the environment, `ATELIER_URL` and `ATELIER_API_KEY`. A call that may be
    sent twice is sent up to `retries` times more while the API is away or asks to wait. `http` is a client of the
    caller's own, for proxies and certificates.
    """

    def __init__(
        self, url: str | None = None, key: str | None = None, *, retries: int = 3, http: httpx.Client | None = None
    ) -> None:
        self.url = (url or os.environ.get("ATELIER_URL", "http://127.0.0.1:8000")).rstrip("/")
        self._headers = {"X-API-Key": key if key is not None else os.environ.get("ATELIER_API_KEY", "")}
        self._http = http or httpx.Client(timeout=calls.TIMEOUT)
        self._retries = retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def image(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[ImageRequest],
    ) -> wire.StatusAnswer:
        """Make images, as `generate` does."""
        return self.generate("image", on_progress=on_progress, timeout=timeout, **fields)

    def video(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[VideoRequest],
    ) -> wire.StatusAnswer:
        """Make a film, as `generate` does."""
        return self.generate("video", on_progress=on_progress, timeout=timeout, **fields)

    def speech(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[SpeechRequest],
    ) -> wire.StatusAnswer:
        """Speak a text, as `generate` does."""
        return self.generate("speech", on_progress=on_progress, timeout=timeout, **fields)

    def mesh(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[MeshRequest],
    ) -> wire.StatusAnswer:
        """Make a mesh of a picture, as `generate` does."""
        return self.generate("3d", on_progress=on_progress, timeout=timeout, **fields)

    def remove_background(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[CutoutRequest],
    ) -> wire.StatusAnswer:
        """Cut the foreground out of a picture, as `generate` does."""
        return self.generate("remove-background", on_progress=on_progress, timeout=timeout, **fields)

    def branding(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[BrandingRequest],
    ) -> wire.StatusAnswer:
        """Put a logo or the colors of a palette on a picture, as `generate` does."""
        return self.generate("branding", on_progress=on_progress, timeout=timeout, **fields)

    def join(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[JoinRequest],
    ) -> wire.StatusAnswer:
        """Make one film of several, one after the other, as `generate` does."""
        return self.generate("join", on_progress=on_progress, timeout=timeout, **fields)

    def vectorize(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[VectorizeRequest],
    ) -> wire.StatusAnswer:
        """Make an SVG of a picture, as `generate` does."""
        return self.generate("vectorize", on_progress=on_progress, timeout=timeout, **fields)

    def text(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[TextRequest],
    ) -> wire.StatusAnswer:
        """Write a text, as `generate` does; it is `outputs[0].text`."""
        return self.generate("text", on_progress=on_progress, timeout=timeout, **fields)

    def transcript(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[TranscriptRequest],
    ) -> wire.StatusAnswer:
        """Write down what is said in a recording or a film, as `generate` does; the words are `outputs[0].text`."""
        return self.generate("transcript", on_progress=on_progress, timeout=timeout, **fields)

    def embedding(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[EmbeddingRequest],
    ) -> wire.StatusAnswer:
        """Make vectors of texts or of a picture, as `generate` does; they are in the file of `outputs[0]`."""
        return self.generate("embedding", on_progress=on_progress, timeout=timeout, **fields)

    def segment(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[SegmentRequest],
    ) -> wire.StatusAnswer:
        """Find the parts of a picture, as `generate` does; `outputs[0]` is their map, `outputs[1]` what they are."""
        return self.generate("segment", on_progress=on_progress, timeout=timeout, **fields)

    def upscale(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[UpscaleRequest],
    ) -> wire.StatusAnswer:
        """Enlarge a picture or a film, as `generate` does."""
        return self.generate("upscale", on_progress=on_progress, timeout=timeout, **fields)

    def sound(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[SoundRequest],
    ) -> wire.StatusAnswer:
        """Make a sound effect, as `generate` does."""
        return self.generate("sound", on_progress=on_progress, timeout=timeout, **fields)

    def music(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[MusicRequest],
    ) -> wire.StatusAnswer:
        """Make music, as `generate` does."""
        return self.generate("music", on_progress=on_progress, timeout=timeout, **fields)

    def avatar(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[AvatarRequest],
    ) -> wire.StatusAnswer:
        """Make a face say a recording, as `generate` does."""
        return self.generate("avatar", on_progress=on_progress, timeout=timeout, **fields)

    def interpolate(
        self,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        **fields: Unpack[InterpolateRequest],
    ) -> wire.StatusAnswer:
        """Draw frames between those of a video, as `generate` does."""
        return self.generate("interpolate", on_progress=on_progress, timeout=timeout, **fields)

    def generate(
        self,
        modality: str,
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> wire.StatusAnswer:
        """Submit a job, wait for it and return it with its outputs.

        Raises what `submit` and `wait` raise.
        """
        accepted = self.submit(modality, idempotency_key=idempotency_key, **fields)
        return self.wait(accepted.job_id, on_progress=on_progress, timeout=timeout)

    def submit(self, modality: str, *, idempotency_key: str | None = None, **fields: Any) -> wire.Accepted:
        """Submit a job; a `Path` in a field that takes a picture, a sound or a film is uploaded.

        Raises `ApiError`, and `OSError` for a file that cannot be read.
        """
        uploaded = {file: self.upload(file) for file in set(calls.files_in(modality, fields))}
        return self._send(calls.submit(modality, calls.with_uploads(modality, fields, uploaded), idempotency_key))

    def submit_many(
        self, jobs: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None
    ) -> list[wire.Accepted]:
        """Submit up to 100 jobs together, all or none; each has its `modality` beside its fields.

        Files are uploaded before. Raises `ApiError`.
        """
        return self._send(calls.submit_many(jobs, idempotency_key)).jobs

    def estimate(self, modality: str, **fields: Any) -> wire.EstimateAnswer:
        """Return what a job with these fields would take and cost now; nothing is submitted, and no file is sent."""
        return self._send(calls.estimate(modality, fields))

    def wait(
        self,
        job_id: str,
        *,
        on_progress: OnProgress | None = None,
        on_preview: OnPreview | None = None,
        timeout: float | None = None,
    ) -> wire.StatusAnswer:
        """Wait until a job has completed, and return it with its outputs. With `on_preview` it asks for previews.

        Raises `JobFailed`, `JobCancelled`, `JobTimeout` after `timeout` seconds, and what `subscribe` raises.
        """
        for event in self.subscribe(job_id, timeout=timeout, on_preview=on_preview):
            if on_progress is not None:
                on_progress(event)
        return calls.succeeded(self.job(job_id))

    def subscribe(
        self, job_id: str, *, timeout: float | None = None, on_preview: OnPreview | None = None
    ) -> Iterator[wire.ProgressEvent]:
        """Yield the events of a job until it has ended; an interrupted stream goes on after its last event.

        With `on_preview` it asks for previews, which are not among the events.

        Raises `JobTimeout` after `timeout` seconds, `ApiUnavailable` when the API does not answer for a minute, and
        `ApiError`.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        seen, away_since = "", None
        while True:
            try:
                for event in self._events(job_id, seen, ends_at, on_preview is not None):
                    seen, away_since = event.id, None
                    if event.event == calls.PREVIEW and on_preview is not None:
                        on_preview(msgspec.json.decode(event.data, type=wire.StepPreview))
                        continue
                    yield msgspec.json.decode(event.data, type=wire.ProgressEvent)
                    if event.event in calls.TERMINAL:
                        return
            except ApiUnavailable:
                away_since = away_since or time.monotonic()
                if time.monotonic() - away_since > calls.PATIENCE_SECONDS:
                    raise
            if self._has_ended(job_id):
                return
            if ends_at is not None and time.monotonic() >= ends_at:
                raise JobTimeout(job_id, timeout or 0.0)
            time.sleep(calls.RECONNECT_SECONDS)

    def listen(self, job_id: str) -> Iterator[bytes]:
        """Yield the sound of a speech job from its beginning, as it is made where the job has `stream`.

        It ends early where the job fails meanwhile; the job's status says so.
        """
        timeout = httpx.Timeout(5.0, read=calls.SOUND_SECONDS)
        url = self.url + calls.sound_path(job_id)
        try:
            with self._http.stream("GET", url, headers=self._headers, timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise calls.refusal(response)
                yield from response.iter_bytes()
        except httpx.HTTPError as error:
            raise calls.unreachable(self.url, error) from None

    def job(self, job_id: str) -> wire.StatusAnswer:
        """Return a job as it is now."""
        return self._send(calls.job(job_id))

    def job_request(self, job_id: str) -> wire.JobRequest:
        """Return what a job was asked for."""
        return self._send(calls.job_request(job_id))

    def manifest(self, job_id: str) -> wire.Manifest:
        """Return what a completed job was made of, and with."""
        return self._send(calls.manifest(job_id))

    def reproduce(self, job_id: str, *, idempotency_key: str | None = None) -> wire.Accepted:
        """Submit a completed job again, with its fields, seed and inputs, as a new job."""
        return self._send(calls.reproduce(job_id, idempotency_key))

    def redrive(self, job_id: str) -> wire.Accepted:
        """Do a failed job again as a new one that is tied to it; a repeated call returns the same new job."""
        return self._send(calls.redrive(job_id))

    def submit_chain(
        self,
        steps: Sequence[Mapping[str, Any]],
        *,
        callback_url: str | None = None,
        idempotency_key: str | None = None,
    ) -> wire.ChainAnswer:
        """Submit jobs of which one's output is another's input, as `step:<name>` in its field; all or none."""
        return self._send(calls.submit_chain(steps, callback_url, idempotency_key))

    def submit_storyboard(
        self, shots: Sequence[Mapping[str, Any]], *, idempotency_key: str | None = None, **fields: Any
    ) -> wire.ChainAnswer:
        """Submit shots that become one film; `fields` are the others of `POST /storyboards/v1`.

        A `Path` in the place of a picture or a film is uploaded. Raises `ApiError`, and `OSError` for a file that
        cannot be read.
        """
        asked = {**fields, "shots": shots}
        uploaded = {file: self.upload(file) for file in set(calls.files_within(asked))}
        return self._send(calls.submit_storyboard(calls.with_uploads_within(asked, uploaded), idempotency_key))

    def estimate_storyboard(self, shots: Sequence[Mapping[str, Any]], **fields: Any) -> wire.ChainEstimate:
        """Return what these shots would take and cost now; nothing is submitted, and no file is sent."""
        return self._send(calls.estimate_storyboard({**fields, "shots": shots}))

    def storyboard(
        self,
        shots: Sequence[Mapping[str, Any]],
        *,
        on_progress: OnProgress | None = None,
        timeout: float | None = None,
        idempotency_key: str | None = None,
        **fields: Any,
    ) -> wire.ChainAnswer:
        """Make one film of shots: submit them, wait for the chain and return it with its outputs.

        Raises what `submit_storyboard` and `wait_chain` raise.
        """
        chain = self.submit_storyboard(shots, idempotency_key=idempotency_key, **fields)
        return self.wait_chain(chain.chain_id, on_progress=on_progress, timeout=timeout)

    def wait_chain(
        self, chain_id: str, *, on_progress: OnProgress | None = None, timeout: float | None = None
    ) -> wire.ChainAnswer:
        """Wait until a chain has completed, and return it with its outputs.

        `on_progress` is called with the events of its jobs, step by step. Raises `ChainFailed`, `ChainCancelled`,
        `JobTimeout` after `timeout` seconds, and what `subscribe` raises.
        """
        ends_at = None if timeout is None else time.monotonic() + timeout
        try:
            for step in self.chain(chain_id).steps:
                left = None if ends_at is None else max(0.0, ends_at - time.monotonic())
                if step.job is not None:
                    for event in self.subscribe(step.job.job_id, timeout=left):
                        if on_progress is not None:
                            on_progress(event)
        except JobTimeout:
            raise JobTimeout(chain_id, timeout or 0.0) from None
        while (chain := self.chain(chain_id)).finished_at is None:
            if ends_at is not None and time.monotonic() >= ends_at:
                raise JobTimeout(chain_id, timeout or 0.0)
            time.sleep(calls.RECONNECT_SECONDS)
        return calls.completed(chain)

    def chain(self, chain_id: str) -> wire.ChainAnswer:
        """Return a chain as it is now, with the status of each of its jobs."""
        return self._send(calls.chain(chain_id))

    def chains(self, *, limit: int = 20) -> list[wire.ChainAnswer]:
        """Return the newest chains."""
        return self._send(calls.chains(limit=limit)).chains

    def cancel_chain(self, chain_id: str) -> wire.ChainAnswer:
        """Cancel what has not ended of a chain, and return it."""
        return self._send(calls.cancel_chain(chain_id))

    def jobs(self, *, limit: int = 20, **filters: Any) -> list[wire.ListedJob]:
        """Return the newest jobs; filters: `status`, `modality`, `model`, `label`, `error_code`, `since`, `until`."""
        return self._send(calls.jobs(limit=limit, **filters)).jobs

    def all_jobs(self, **filters: Any) -> Iterator[wire.ListedJob]:
        """Yield every job, newest first, page by page; filters as of `jobs`."""
        cursor = None
        while True:
            page = self._send(calls.jobs(limit=100, cursor=cursor, **filters))
            yield from page.jobs
            cursor = page.next_cursor
            if cursor is None:
                return

    def cancel(self, job_id: str) -> wire.StatusAnswer:
        """Cancel a job and return it; a job that has ended stays as it is."""
        return self._send(calls.cancel(job_id))

    def set_priority(self, job_id: str, priority: int) -> wire.StatusAnswer:
        """Change the priority of a waiting job, 0 to 9, and return it."""
        return self._send(calls.set_priority(job_id, priority))

    def pause_queue(self) -> wire.QueueState:
        """Start none of the tenant's jobs until `resume_queue`; those that run go on."""
        return self._send(calls.pause_queue())

    def resume_queue(self) -> wire.QueueState:
        """Start the tenant's jobs again."""
        return self._send(calls.resume_queue())

    def delete(self, job_id: str) -> None:
        """Delete a job with its prompt, inputs and outputs; one that runs is cancelled."""
        self._send(calls.delete(job_id))

    def upload(self, file: Path | BinaryIO) -> str:
        """Upload a file and return its id, which every field takes that takes a URL of media.

        Raises `OSError` for a file that cannot be read.
        """
        if isinstance(file, Path):
            with file.open("rb") as opened:
                return self.upload(opened)
        size = _size(file)
        upload = self._send(calls.open_upload())
        self._put(upload.upload_url, {**upload.headers, "Content-Length": str(size)}, file)
        return upload.input_id

    def download(self, output: wire.OutputAnswer | str, target: Path) -> Path:
        """Download an output, or the URL of one, and return the file, which appears when it is complete.

        A device or a pipe is written into, and a symbolic link stays. The link is signed, so the key is not sent.
        Raises `OSError` for a file that cannot be written.
        """
        with complete_file(target) as file:
            self.copy(output, file)
        return target

    def copy(self, output: wire.OutputAnswer | str, file: BinaryIO) -> None:
        """Write an output, or the URL of one, into an open file."""
        url = output if isinstance(output, str) else output.url
        try:
            with self._http.stream("GET", url, follow_redirects=True) as response:
                if not response.is_success:
                    response.read()
                    raise calls.refusal(response)
                for chunk in response.iter_bytes():
                    file.write(chunk)
        except httpx.HTTPError as error:
            raise calls.unreachable(httpx.URL(url).host, error) from None

    def models(self) -> list[wire.ModelAnswer]:
        """Return the models, with those that a running server serves as `available`."""
        return self._send(calls.model_list()).models

    def voices(self, *, model: str | None = None, language: str | None = None) -> list[wire.VoiceAnswer]:
        """Return the stored voices, then those of wire."""
        return self._send(calls.voices(model=model, language=language)).voices

    def add_voice(self, name: str, source: Path | str) -> wire.VoiceAnswer:
        """Store a recording as a voice: a local file, a URL or the id of an upload."""
        stored = self.upload(source) if isinstance(source, Path) else source
        return self._send(calls.add_voice(name, stored))

    def remove_voice(self, voice_id: str) -> None:
        """Remove a stored voice."""
        self._send(calls.remove_voice(voice_id))

    def add_media(self, file: Path | str, **facts: Any) -> wire.MediaItem:
        """Bring a local file, or the file of a URL, to the media library; `facts` are the fields of POST /media/v1.

        The item is `waiting` until the service has looked at its file. Raises `OSError` for a file that cannot be read.
        """
        if isinstance(file, str):
            return self._send(calls.add_media({"url": file, **facts}))
        with file.open("rb") as opened:
            size = _size(opened)
            item = self._send(calls.add_media({"filename": file.name, **facts}))
            if item.upload is not None:
                self._put(item.upload.url, {**item.upload.headers, "Content-Length": str(size)}, opened)
        return item

    def media(self, **filters: Any) -> wire.MediaPage:
        """Return a page of the media library; `filters` are the parameters of GET /media/v1."""
        return self._send(calls.media(**filters))

    def search_media(self, words: str | None = None, **filters: Any) -> wire.MediaMatches:
        """Return the items of the media library with these words, best first.

        Or those whose vectors are `near` other words, or the one of a picture, which `similar_to` names: an item, an
        output, an upload or a URL.
        """
        return self._send(calls.search_media(q=words, **filters))

    def media_item(self, media_id: str) -> wire.MediaItem:
        """Return an item of the media library."""
        return self._send(calls.media_item(media_id))

    def change_media(self, media_id: str, **changes: Any) -> wire.MediaItem:
        """Replace the `filename`, `description`, `tags` or `labels` of an item."""
        return self._send(calls.change_media(media_id, changes))

    def publish_media(self, media_id: str) -> wire.MediaItem:
        """Give an item a public link."""
        return self._send(calls.act_on_media(media_id, "publish"))

    def unpublish_media(self, media_id: str) -> wire.MediaItem:
        """Take the public link of an item away."""
        return self._send(calls.act_on_media(media_id, "unpublish"))

    def archive_media(self, media_id: str) -> wire.MediaItem:
        """Take an item out of lists and searches."""
        return self._send(calls.act_on_media(media_id, "archive"))

    def link_media(self, media_id: str, **target: Any) -> wire.MediaItem:
        """Link an item to a product of your shop; `target` has `product_id`, `variant_id` and `position`."""
        return self._send(calls.link_media(media_id, target))

    def unlink_media(self, media_id: str, **target: Any) -> wire.MediaItem:
        """Remove the link of an item to a product; `target` has `product_id` and `variant_id`."""
        return self._send(calls.unlink_media(media_id, target))

    def remove_media(self, media_id: str) -> None:
        """Delete an item of the media library with its file."""
        self._send(calls.remove_media(media_id))

    def webhooks(self) -> list[wire.Webhook]:
        """Return the webhook endpoints."""
        return self._send(calls.webhooks()).webhooks

    def add_webhook(self, url: str, *events: str) -> wire.WebhookWithSecret:
        """Create a webhook endpoint for `events`, or for all of them; its secret is shown only now."""
        return self._send(calls.add_webhook(url, events))

    def enable_webhook(self, webhook_id: str) -> wire.Webhook:
        """Enable a disabled webhook endpoint."""
        return self._send(calls.enable_webhook(webhook_id))

    def rotate_webhook(self, webhook_id: str) -> wire.WebhookWithSecret:
        """Give a webhook endpoint a new secret, which is shown only now; the old one signs for a day more."""
        return self._send(calls.rotate_webhook(webhook_id))

    def test_webhook(self, webhook_id: str) -> wire.Delivery:
        """Send a test event to a webhook endpoint; return its delivery."""
        return self._send(calls.test_webhook(webhook_id))

    def deliveries(self, **filters: Any) -> list[wire.Delivery]:
        """Return the newest deliveries; filters: `webhook_id`, `job_id`, `state`, `since`, `until`, `limit`."""
        return self._send(calls.deliveries(**filters)).deliveries

    def replay(self, delivery_id: str) -> wire.Delivery:
        """Send a delivery again; return its new state."""
        return self._send(calls.replay(delivery_id))

    def replay_range(self, **range_: Any) -> int:
        """Send the deliveries of a range of time again; return their number.

        `range_` has `since` and `until`, and optionally `webhook_id` and `state`.
        """
        replayed = 0
        while True:
            answer = self._send(calls.replay_range(**range_))
            replayed += answer.replayed
            if answer.next_since is None:
                return replayed
            range_["since"] = answer.next_since.isoformat()

    def remove_webhook(self, webhook_id: str) -> None:
        """Remove a webhook endpoint."""
        self._send(calls.remove_webhook(webhook_id))

    def me(self) -> wire.MeAnswer:
        """Return what the key is and may do, and what its tenant has left."""
        return self._send(calls.me())

    def usage(self, **filters: Any) -> list[wire.UsageRow]:
        """Return usage; filters are `from`, `to`, `step`, `by` (one or several) and `tenant`, as of GET /usage/v1."""
        return self._send(calls.usage(**filters)).usage

    def keys(self, **filters: Any) -> wire.KeyPage:
        """Return a page of keys, newest first."""
        return self._send(calls.keys(**filters))

    def add_key(self, name: str, **fields: Any) -> wire.KeyWithSecret:
        """Make a key; fields are `scopes`, `expires_in_seconds` and others of POST /keys/v1."""
        return self._send(calls.add_key(name, fields))

    def revoke_key(self, key_id: str) -> None:
        """Revoke a key."""
        self._send(calls.revoke_key(key_id))

    def server_list(self) -> wire.ServerList:
        """Return every named server, and for an operator what the service stores."""
        return self._send(calls.servers())

    def servers(self) -> list[wire.ServerAnswer]:
        """Return every server that was registered and not removed."""
        return self._send(calls.servers()).servers

    def server(self, server_id: str) -> wire.ServerAnswer:
        """Return a server as it is now."""
        return self._send(calls.server(server_id))

    def set_desired_state(self, server_id: str, verb: str) -> wire.ServerAnswer:
        """`cordon`, `uncordon` or `drain` a server, for operators; return its state."""
        return self._send(calls.set_desired_state(server_id, verb))

    def send_command(self, server_id: str, verb: str, body: dict[str, Any] | None = None) -> None:
        """Make a running server `preload`, `unload` or `recycle`, for operators; return when it has accepted it."""
        self._send(calls.send_command(server_id, verb, body))

    def remove_server(self, server_id: str, *, force: bool = False) -> None:
        """Remove a server that will not come back, for operators."""
        self._send(calls.remove_server(server_id, force=force))

    def _put(self, url: str, headers: dict[str, str], file: BinaryIO) -> None:
        """Send a file to the link of an upload, which is signed, so the key is not sent."""
        try:
            sent = self._http.put(url, content=_pieces(file), headers=headers)
        except httpx.HTTPError as error:
            raise calls.unreachable(httpx.URL(url).host, error) from None
        if not sent.is_success:
            raise calls.refusal(sent)

    def _send(self, call: Call[T]) -> T:
        """Return the answer of a call; repeat it where that is safe. Raises `ApiError`."""
        for attempt in range(1, self._retries + 2):
            try:
                return calls.decoded(call, self._request(call))
            except ApiError as error:
                pause = calls.pause_before_retry(call, error, attempt) if attempt <= self._retries else None
                if pause is None:
                    raise
                time.sleep(pause)
        raise AssertionError

    def _request(self, call: Call[Any]) -> httpx.Response:
        headers = {**self._headers, **call.headers}
        try:
            return self._http.request(
                call.method, self.url + call.path, json=call.json, params=dict(call.params) or None, headers=headers
            )
        except httpx.HTTPError as error:
            raise calls.unreachable(self.url, error) from None

    def _has_ended(self, job_id: str) -> bool:
        """Return whether the job has ended; False while the API does not answer."""
        call = calls.job(job_id)
        try:
            return calls.decoded(call, self._request(call)).status in calls.TERMINAL
        except ApiUnavailable:
            return False

    def _events(self, job_id: str, seen: str, ends_at: float | None, previews: bool) -> Iterator[ServerSentEvent]:
        headers = {**self._headers, **({"Last-Event-ID": seen} if seen else {})}
        left = calls.SILENCE_SECONDS if ends_at is None else max(0.05, ends_at - time.monotonic())
        timeout = httpx.Timeout(5.0, read=min(calls.SILENCE_SECONDS, left))
        url = self.url + calls.events_path(job_id, previews=previews)
        try:
            with self._http.stream("GET", url, headers=headers, timeout=timeout) as response:
                if not response.is_success:
                    response.read()
                    raise calls.refusal(response)
                if response.status_code == httpx.codes.NO_CONTENT:
                    return
                for event in EventSource(response).iter_sse():
                    if event.data:
                        yield event
                    if ends_at is not None and time.monotonic() >= ends_at:
                        return
        except httpx.HTTPError as error:
            raise calls.unreachable(self.url, error) from None


def _size(file: BinaryIO) -> int:
    """Return the size of a file that stands at its beginning."""
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    """Yield the content of a file."""
    while piece := file.read(PIECE):
        yield piece
