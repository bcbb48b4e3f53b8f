"""OpenAI's routes of speech and of voices."""

import asyncio
import base64
from collections.abc import Iterator
from typing import Any

import msgspec
from litestar import Controller, Response, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, SkipValidation

from api.dialects.openai.forms import received_form
from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import event, event_stream, headers_of, no_result, read_artifact
from api.dialects.openai.schema import OpenAINewVoice, SpeechRequest, VoiceId
from api.dialects.voice_choice import choose_voice, shown_id, stored_id
from api.http.auth import Caller, needs
from api.http.strict_json import StrictRequest
from api.operations.uploads import UploadOperations
from api.operations.voices import VoiceOperations
from api.submit.endpoint import IdempotencyKeyHeader
from core.settings import Settings
from core.storage.store import Store
from jobs.params.media import Medium
from jobs.params.speech import SpeechParams, tokens_for
from jobs.wire.dialects.openai import NAME
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

CHUNK = 24_000
"""Bytes of a recording in one event of a stream."""


class OpenAIVoice(msgspec.Struct, frozen=True, tag_field="object", tag="audio.voice"):
    """A stored voice."""

    id: str
    name: str
    created_at: int
    type: str = "audio_sample"


class OpenAISpeechRoutes(Controller):
    """Routes of speech and of stored voices."""

    path = "/audio"
    opt = needs("jobs")

    @post("/speech", status_code=200)
    async def speak(
        self,
        request: StrictRequest,
        data: JSONBody[SpeechRequest],
        openai_requests: NamedDependency[OpenAIRequests],
        catalog: NamedDependency[Catalog],
        aliases: NamedDependency[Aliases],
        store: NamedDependency[SkipValidation[Store]],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any]:
        """Speak a text, and answer with the recording, or with events of its pieces."""

        async def read() -> JobsOfRequest:
            return speech_jobs(data, aliases, catalog)

        jobs = await openai_requests.submit(request, read, idempotency_key)
        jobs = await openai_requests.wait(request, jobs)
        refused = no_result(jobs)
        if refused is not None:
            return refused
        recording = jobs[0].artifacts[0]
        content = await asyncio.to_thread(read_artifact, store, recording)
        headers = headers_of(jobs)
        if data.stream_format == "sse":
            return event_stream(_events(content), headers)
        return Response(content, media_type=recording.media_type, headers=headers)

    @post("/voices", status_code=200, request_max_body_size=None)
    async def store_voice(
        self,
        request: StrictRequest,
        voices: NamedDependency[VoiceOperations],
        uploads: NamedDependency[UploadOperations],
        settings: NamedDependency[Settings],
    ) -> OpenAIVoice:
        """Store the recording of a form as a voice."""
        async with received_form(request, settings, settings.input_max_bytes) as form:
            asked = form.read(OpenAINewVoice)
            form.check_files("audio_sample")
            (recording, *_) = form.files_of("audio_sample")
            stored = await uploads.add(request.user, recording.path, "audio", "$.audio_sample")
        medium = Medium("audio_sample", "audio", stored)
        row = await voices.add(request.user.tenant, asked.name.strip(), medium, None)
        return OpenAIVoice(shown_id(row.id), row.name, int(row.created_at.timestamp()))

    @delete("/voices/{voice_id:str}", status_code=200)
    async def remove_voice(
        self, voice_id: FromPath[str], caller: NamedDependency[Caller], voices: NamedDependency[VoiceOperations]
    ) -> dict[str, Any]:
        """Remove a stored voice."""
        await voices.remove(caller.tenant, stored_id(voice_id))
        return {"id": voice_id, "object": "audio.voice.deleted", "deleted": True}


def speech_jobs(asked: SpeechRequest, aliases: Aliases, catalog: Catalog) -> JobsOfRequest:
    """Return the job of a text. Raises what `choose_voice` raises."""
    voice = asked.voice.id if isinstance(asked.voice, VoiceId) else asked.voice
    model = aliases.model(catalog, "speech", asked.model, NAME)
    chosen = choose_voice(voice, model, aliases, catalog, field="voice")
    params = SpeechParams(
        text=asked.input,
        model=chosen.model or model,
        target_voice_path=chosen.stored,
        output_format="ogg" if asked.response_format == "opus" else asked.response_format,
        language_id=asked.language,
        max_new_tokens=tokens_for(asked.input),
        speed=asked.speed,
        seed=asked.seed,
    )
    warnings = ("instructions is ignored",) if asked.instructions else ()
    return JobsOfRequest([params], asked.model, voice, warnings)


def _events(content: bytes) -> Iterator[bytes]:
    """Yield the events of a recording, and the last one."""
    for start in range(0, len(content), CHUNK):
        audio = base64.b64encode(content[start : start + CHUNK]).decode()
        yield event({"type": "speech.audio.delta", "audio": audio})
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield event({"type": "speech.audio.done", "usage": usage})
