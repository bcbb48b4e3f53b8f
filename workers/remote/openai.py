"""Jobs at a backend that speaks OpenAI's protocol: images and speech."""

import base64
import binascii
from pathlib import Path
from typing import Any

import msgspec

from jobs.params.image import ImageParams
from jobs.params.media import PICTURE
from jobs.params.speech import SpeechParams
from pipelines.catalog.requirements import CONTROL, MASK
from workers.remote.connection import BackendConnection
from workers.remote.outcomes import RemoteAway, RemoteFiles, RemoteRefused, RemoteRequest, Report

BASE64 = 4 / 3
SLACK_BYTES = 100_000
"""What an answer may have beside its files."""


class _Image(msgspec.Struct):
    b64_json: str | None = None


class _Images(msgspec.Struct):
    data: list[_Image]


class _Model(msgspec.Struct):
    id: str = ""


class _Models(msgspec.Struct):
    data: list[_Model] = []


class OpenAIJob:
    """One job: one request, which is closed when it is cancelled."""

    def __init__(self, connection: BackendConnection, request: RemoteRequest, report: Report) -> None:
        self._connection = connection
        self._request = request
        self._report = report

    async def make(self) -> RemoteFiles:
        """Have the job made. Raises `RemoteAway` and `RemoteRefused`."""
        self._report(0.0)
        self._request.folder.mkdir(parents=True, exist_ok=True)
        if isinstance(self._request.params, SpeechParams):
            return await self._speak(self._request.params)
        assert isinstance(self._request.params, ImageParams), "the catalog lets no other modality here"
        return await self._draw(self._request.params)

    async def abandon(self) -> None:
        """Do nothing: the request is closed, and that is all that this protocol knows."""

    async def _draw(self, params: ImageParams) -> RemoteFiles:
        if params.padding is not None or {MASK, CONTROL} & {*self._request.inputs}:
            advice = "This backend paints whole pictures alone; leave `mask`, `padding` and `control_image` out."
            raise RemoteRefused(advice)
        pictures = _pictures(self._request)
        fields = self._fields(params)
        most = int(params.num_images * self._request.backend.max_output_bytes * BASE64) + SLACK_BYTES
        if pictures:
            parts = [("image[]", (picture.name, picture.read_bytes(), "image/png")) for picture in pictures]
            texts = {name: str(value) for name, value in fields.items()}
            answer = await self._connection.post("/images/edits", most=most, data=texts, files=parts)
        else:
            answer = await self._connection.post("/images/generations", most=most, json=fields)
        images = answer.read(_Images).data
        if len(images) != params.num_images:
            detail = f"{len(images)} images instead of {params.num_images}"
            raise RemoteAway("bad_answer", detail, may_have_computed=True)
        return RemoteFiles(tuple(self._keep(number, image) for number, image in enumerate(images)))

    def _fields(self, params: ImageParams) -> dict[str, Any]:
        request, size = self._request, self._request.size
        fields: dict[str, Any] = {"model": request.model, "prompt": params.prompt, "n": params.num_images}
        if size is not None:
            fields["size"] = f"{size[0]}x{size[1]}"
        own = {
            "seed": request.job.seed,
            "negative_prompt": params.negative_prompt,
            "num_inference_steps": request.spec.steps_of(params),
            "guidance_scale": params.guidance_scale,
        }
        fields |= {name: own[name] for name in request.place.sends if own[name] is not None}
        return fields | {"response_format": "b64_json"}

    async def _speak(self, params: SpeechParams) -> RemoteFiles:
        if params.target_voice_path is not None:
            raise RemoteRefused("This backend speaks with voices of its own only; leave `target_voice_path` out.")
        fields = {
            "model": self._request.model,
            "input": params.spelled,
            "voice": self._request.place.voice or self._request.spec.voice or "alloy",
            "response_format": "wav",
        }
        most = self._request.backend.max_output_bytes
        answer = await self._connection.post("/audio/speech", most=most, json=fields)
        file = self._request.folder / "0"
        file.write_bytes(answer.body)
        return RemoteFiles((file,))

    def _keep(self, number: int, image: _Image) -> Path:
        """Write an image as the backend sent it. Raises `RemoteAway` for one that it did not send along."""
        try:
            content = base64.b64decode(image.b64_json or "", validate=True)
        except (binascii.Error, ValueError):
            content = b""
        if not 0 < len(content) <= self._request.backend.max_output_bytes:
            detail = "an image without its bytes in `b64_json`, or with too many"
            raise RemoteAway("bad_answer", detail, may_have_computed=True)
        file = self._request.folder / str(number)
        file.write_bytes(content)
        return file


async def offered(connection: BackendConnection, models: set[str]) -> set[str]:
    """Return which of the models the backend has now. Raises `RemoteAway`.

    One without a list of models, or with an empty one, has all of them.
    """
    try:
        answer = await connection.get("/models")
    except RemoteRefused as error:
        raise RemoteAway("failed", error.detail, may_have_computed=False) from None
    except RemoteAway as error:
        if error.problem == "not_found":
            return models
        raise
    listed = {model.id for model in answer.read(_Models).data}
    return models & listed if listed else models


def _pictures(request: RemoteRequest) -> list[Path]:
    """Return the picture that the job starts from, and then its references, in their order."""
    references = sorted(
        (int(name.rpartition(".")[2]), file) for name, file in request.inputs.items() if name != PICTURE
    )
    return [*([request.inputs[PICTURE]] if PICTURE in request.inputs else []), *(file for _, file in references)]
