"""Jobs at another Atelier: submitted with a key of idempotency, followed to their end, and cancelled there, too."""

import asyncio
import base64
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from core.errors.fields import ForbiddenUrl
from core.net.pinned_http import BROKEN, open_client, request_arguments
from core.net.url_guard import resolve_and_check
from core.settings import Settings
from jobs.params.image import ImageParams
from jobs.params.speech import SpeechParams
from pipelines.catalog.requirements import CONTROL
from workers.remote.connection import CONNECT_SECONDS, BackendConnection, receive
from workers.remote.outcomes import RemoteAway, RemoteFiles, RemoteRefused, RemoteRequest, Report

POLL_SECONDS = 0.5
ENDED = ("failed", "cancelled")
IMAGE_FIELDS = (
    *("prompt", "quality", "num_images", "padding", "strength", "negative_prompt", "width", "height"),
    *("num_inference_steps", "guidance_scale"),
)
CONTROL_FIELDS = ("control_kind", "control_as_given", "control_scale")
"""Fields of a request with a control picture; another service may not know them yet."""
SPEECH_FIELDS = (
    *("text", "language_id", "voice", "max_new_tokens", "exaggeration", "temperature", "cfg_weight"),
    "apply_watermark",
)
"""What the other service is asked for; palettes, logos, tempo, loudness and formats are for this one's encoder."""


class _Output(msgspec.Struct):
    url: str
    media_type: str = ""


class _Error(msgspec.Struct):
    code: str = ""
    message: str = ""


class _Accepted(msgspec.Struct):
    """A job there, as its submit answers."""

    job_id: str


class _Status(msgspec.Struct):
    """A job there, as its status route answers."""

    job_id: str
    status: str
    progress: float = 0.0
    outputs: list[_Output] = []
    warnings: list[str] = []
    error: _Error | None = None


class _Model(msgspec.Struct):
    id: str
    available: bool = False


class _Models(msgspec.Struct):
    models: list[_Model]


class AtelierJob:
    """One job. A repeat after a crash finds the job that was made before, since its key is of the job here."""

    def __init__(
        self, settings: Settings, connection: BackendConnection, request: RemoteRequest, report: Report
    ) -> None:
        self._settings = settings
        self._connection = connection
        self._request = request
        self._report = report
        self._path = f"/generate/{request.job.modality}/v1"
        self._job_id: str | None = None

    async def make(self) -> RemoteFiles:
        """Have the job made. Raises `RemoteAway` and `RemoteRefused`."""
        self._report(0.0)
        status = await self._submit()
        while status.status not in ("completed", *ENDED):
            await asyncio.sleep(POLL_SECONDS)
            status = await self._look(status.job_id)
            self._report(min(max(status.progress, 0.0), 1.0))
        if status.status == "completed":
            return await self._fetch(status)
        raise _end_of(status)

    async def abandon(self) -> None:
        """Cancel the job there, if it was submitted."""
        if self._job_id is not None:
            await self._connection.post(f"/jobs/v1/{self._job_id}/cancel")

    async def _submit(self) -> _Status:
        """Return the job, submitted now or by an earlier attempt; one that had ended without outputs is made anew."""
        body, number = self._body(), 0
        while True:
            number += 1
            headers = {"idempotency-key": f"{self._request.job.id}-{number}"}
            answer = await self._connection.post(self._path, json=body, headers=headers)
            self._job_id = answer.read(_Accepted).job_id
            status = await self._look(self._job_id)
            is_repeated = "idempotency-replayed" in answer.headers and number < self._request.job.fence
            if status.status not in ENDED or not is_repeated:
                return status

    async def _look(self, job_id: str) -> _Status:
        status: _Status = (await self._connection.get(f"{self._path}/status/{job_id}")).read(_Status)
        return status

    def _body(self) -> dict[str, Any]:
        request, params = self._request, self._request.params
        names: tuple[str, ...] = SPEECH_FIELDS if isinstance(params, SpeechParams) else IMAGE_FIELDS
        names += CONTROL_FIELDS if CONTROL in request.inputs else ()
        body = {name: msgspec.to_builtins(value) for name in names if (value := getattr(params, name)) is not None}
        body |= {"model": request.model, "seed": request.job.seed, **self._media()}
        if isinstance(params, ImageParams):
            width, height = request.size or (params.width, params.height)
            return body | {"width": width, "height": height, "output_format": "png"}
        if isinstance(params, SpeechParams):
            body |= {"replacements": msgspec.to_builtins(params.replacements)} if params.replacements else {}
        return body | {"output_format": "wav"}

    def _media(self) -> dict[str, Any]:
        """Return the inputs as `data:` URLs, by the fields of the parameters."""
        found: dict[str, Any] = {}
        for name, file in sorted(self._request.inputs.items(), key=lambda one: (len(one[0]), one[0])):
            field, dot, _ = name.partition(".")
            media_type = "image/png" if file.suffix == ".png" else "audio/wav"
            url = f"data:{media_type};base64,{base64.b64encode(file.read_bytes()).decode()}"
            found[field] = [*found.get(field, []), url] if dot else url
        return found

    async def _fetch(self, status: _Status) -> RemoteFiles:
        """Download the outputs. Raises `RemoteAway`."""
        wanted = "audio/" if self._request.job.modality == "speech" else "image/"
        count = getattr(self._request.params, "num_images", 1)
        outputs = [output for output in status.outputs if output.media_type.startswith(wanted)][:count]
        if len(outputs) != count:
            raise RemoteAway("bad_answer", f"{len(outputs)} outputs instead of {count}", may_have_computed=True)
        self._request.folder.mkdir(parents=True, exist_ok=True)
        files = []
        for number, output in enumerate(outputs):
            files.append(self._request.folder / str(number))
            await self._download(output.url, files[-1])
        return RemoteFiles(tuple(files), tuple(status.warnings), has_watermark=wanted == "audio/")

    async def _download(self, url: str, target: Path) -> None:
        """Download an output by the path of its link, wherever the other service believes that it is."""
        parts = urlsplit(url)
        location = await self._connection.download(f"{parts.path}?{parts.query}", target)
        if location is not None:
            await self._follow(location, target)

    async def _follow(self, location: str, target: Path) -> None:
        """Download from the object store that the other service names: by the rules for URLs of callers."""
        most = self._request.backend.max_output_bytes
        try:
            if location.startswith("/"):
                await self._connection.download(location, target)
                return
            found = await asyncio.to_thread(resolve_and_check, location, self._settings)
            async with (
                open_client(self._settings, connect_timeout=CONNECT_SECONDS) as client,
                client.stream("GET", **request_arguments(found, 0), headers={"host": found.authority}) as response,
            ):
                response.raise_for_status()
                await asyncio.to_thread(target.write_bytes, await receive(response, most))
        except (ForbiddenUrl, OSError, *BROKEN) as error:
            raise RemoteAway("store_unreachable", type(error).__name__, may_have_computed=True) from error


async def offered(connection: BackendConnection, models: set[str]) -> set[str]:
    """Return which of the models a server there serves now. Raises `RemoteAway`."""
    try:
        answer = await connection.get("/models/v1")
    except RemoteRefused as error:
        raise RemoteAway("failed", error.detail, may_have_computed=False) from None
    return models & {model.id for model in answer.read(_Models).models if model.available}


def _end_of(status: _Status) -> Exception:
    """Return what the end of a job without outputs means here."""
    error = status.error or _Error(code=status.status)
    if status.status == "cancelled":
        return RemoteAway("cancelled_there", "the job was cancelled there", may_have_computed=True)
    if error.code in ("pipeline_failed", "not_finite", "encode_failed", "gpu_out_of_memory"):
        return RemoteRefused(error.message[:300])
    return RemoteAway("failed", error.code, may_have_computed=True)
