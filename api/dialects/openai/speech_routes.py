"""OpenAI's routes of speech, of voices and of transcripts."""

import base64
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal

import msgspec
from litestar import Controller, Response, delete, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody
from litestar.response import Stream

from api.dialects.openai.errors import still_running
from api.dialects.openai.forms import received_form
from api.dialects.openai.requests import JobsOfRequest, OpenAIRequests
from api.dialects.openai.results import EVENTS, event, headers_of, no_result
from api.dialects.openai.schema import OpenAINewVoice, SpeechRequest, TranscriptionRequest, VoiceId
from api.dialects.voice_choice import choose_voice, shown_id, stored_id
from api.follow.output_stream import Beginning, OutputFeed, OutputStream
from api.http.auth import Caller, needs
from api.http.strict_json import StrictRequest
from api.operations.uploads import UploadOperations
from api.operations.voices import VoiceOperations
from api.submit.endpoint import IdempotencyKeyHeader
from core.errors.fields import InvalidRequest
from core.settings import Settings
from jobs.params.media import Medium
from jobs.params.speech import SpeechParams, tokens_for
from jobs.params.text import TranscriptParams
from jobs.statements.queue.look import JobView
from jobs.wire.dialects.openai import NAME
from pipelines.catalog.aliases import Aliases
from pipelines.catalog.loader import Catalog

MEDIA_TYPES = {
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "aac": "audio/aac",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "pcm": "audio/pcm",
}
FILES: Mapping[str, Literal["json", "txt", "srt", "vtt"]] = {
    "json": "json",
    "verbose_json": "json",
    "text": "txt",
    "srt": "srt",
    "vtt": "vtt",
}
"""The `output_format` of a transcript, by OpenAI's `response_format`."""
Granularity = Literal["segment", "word"]
GRANULARITIES = "timestamp_granularities[]"


class Transcription(msgspec.Struct, frozen=True):
    """A transcript without its times."""

    text: str


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
        output_feed: NamedDependency[OutputFeed],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any]:
        """Speak a text, and answer with the recording, or with events of its pieces, as it is made."""

        async def read() -> JobsOfRequest:
            return speech_jobs(data, aliases, catalog)

        jobs = await openai_requests.submit(request, read, idempotency_key)
        stream = OutputStream(output_feed, JobView(jobs[0]), request.user.key_id)
        beginning = await stream.begin(request.receive, min(settings.sync_seconds, settings.wait_limit))
        if beginning is Beginning.LATE:
            return still_running()
        ended = [stream.view.job]
        refused = no_result(ended) if beginning is Beginning.NOTHING else None
        if refused is not None:
            return refused
        headers = {**headers_of(ended), "Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        if data.stream_format == "sse":
            return Stream(_events(stream), media_type=EVENTS, headers=headers)
        return Stream(stream.chunks(), media_type=MEDIA_TYPES[data.response_format], headers=headers)

    @post("/transcriptions", status_code=200, request_max_body_size=None)
    async def transcribe(
        self,
        request: StrictRequest,
        openai_requests: NamedDependency[OpenAIRequests],
        uploads: NamedDependency[UploadOperations],
        catalog: NamedDependency[Catalog],
        aliases: NamedDependency[Aliases],
        settings: NamedDependency[Settings],
        idempotency_key: IdempotencyKeyHeader = None,
    ) -> Response[Any]:
        """Write down what is said in the recording or the film of a form."""
        async with received_form(request, settings, settings.input_max_bytes) as form:
            asked = form.read(TranscriptionRequest, also=(GRANULARITIES, "include[]"))
            form.check_files("file")
            granularities = read_granularities(form.texts.get(GRANULARITIES, ()), asked.response_format)
            (recording, *_) = form.files_of("file")

            async def read() -> JobsOfRequest:
                stored = await uploads.add(request.user, recording.path, "recording", "$.file")
                return transcript_jobs(asked, granularities, stored, aliases, catalog)

            jobs = await openai_requests.submit(request, read, idempotency_key)
        ended = await openai_requests.wait(request, jobs)
        refused = no_result(ended)
        if refused is not None:
            return refused
        content = await openai_requests.read_output(ended[0])
        if asked.response_format == "json":
            content = msgspec.json.encode(msgspec.json.decode(content, type=Transcription))
        media_type = "application/json" if FILES[asked.response_format] == "json" else "text/plain; charset=utf-8"
        return Response(content, media_type=media_type, headers=headers_of(ended))

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
        voice=chosen.voice,
        output_format="ogg" if asked.response_format == "opus" else asked.response_format,
        language_id=asked.language,
        max_new_tokens=tokens_for(asked.input),
        speed=asked.speed,
        seed=asked.seed,
        stream=True,
    )
    warnings = ("instructions is ignored",) if asked.instructions else ()
    return JobsOfRequest([params], asked.model, voice, warnings)


def read_granularities(texts: Sequence[str], form: str) -> tuple[Granularity, ...]:
    """Return what has times. Raises `InvalidRequest` for another word, and for words of a form without their times."""
    field = f"$.{GRANULARITIES.removesuffix('[]')}"
    if not {*texts} <= {"segment", "word"}:
        raise InvalidRequest("`timestamp_granularities` are `segment` and `word`; send one of them.", field=field)
    if "word" in texts and form != "verbose_json":
        raise InvalidRequest(
            'The times of words are in `response_format` "verbose_json" alone; ask for it.', field=field
        )
    return ("segment", "word") if "word" in texts else ("segment",)


def transcript_jobs(
    asked: TranscriptionRequest,
    granularities: tuple[Granularity, ...],
    stored: str,
    aliases: Aliases,
    catalog: Catalog,
) -> JobsOfRequest:
    """Return the job of the recording that is stored under this id."""
    params = TranscriptParams(
        input_audio=stored,
        model=aliases.model(catalog, "transcript", asked.model, NAME),
        language_id=asked.language,
        prompt=asked.prompt,
        output_format=FILES[asked.response_format],
        timestamp_granularities=granularities,
        temperature=asked.temperature,
        seed=asked.seed,
    )
    warnings = ("stream is ignored: a transcript is answered whole",) if asked.stream else ()
    return JobsOfRequest([params], asked.model, None, warnings)


async def _events(stream: OutputStream) -> AsyncIterator[bytes]:
    """Yield the events of a recording, and the last one: what is left out by an error is in none of them."""
    async for chunk in stream.chunks():
        yield event({"type": "speech.audio.delta", "audio": base64.b64encode(chunk).decode()})
    refused = no_result([stream.view.job])
    if refused is not None:
        yield event(msgspec.to_builtins(refused.content))
        return
    usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
    yield event({"type": "speech.audio.done", "usage": usage})
