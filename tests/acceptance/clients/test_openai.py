"""`openai` 3.57.0 from the package registry, unmodified: only its base URL and its key are ours."""

import base64
import json
import wave
from io import BytesIO
from typing import Any

import av
import httpx2
import numpy as np
import pytest
from openai import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    NotFoundError,
    OpenAI,
    PermissionDeniedError,
)
from PIL import Image
from sqlalchemy import select

from jobs.job import JobStatus
from jobs.schema.tables import jobs
from pipelines.matting.evaluate import PHOTO
from tests.support.servers.proxy import Proxy
from tests.support.service.finished import download
from tests.support.service.service import Service, paused
from tests.support.wait import until

PROMPT = "a red circle on a blue background"
SIZE = "256x256"
ENDPOINT: Any = "/v1/images/generations"
FILM: Any = {"prompt": "a green star on black", "model": "sora-2", "size": "128x96", "seconds": "0.5"}


@pytest.fixture(scope="module")
def client(studio: Service) -> OpenAI:
    return OpenAI(base_url=f"{studio.url}/openai/v1", api_key=studio.key)


def paint(client: OpenAI, **fields: Any) -> Any:
    return client.images.generate(**{"prompt": PROMPT, "model": "gpt-image-1", "size": SIZE} | fields)


def opened(content: bytes) -> Image.Image:
    return Image.open(BytesIO(content))


def decoded(content: bytes) -> tuple[str, float]:
    """The codec of a recording, and its seconds."""
    with av.open(BytesIO(content)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        return stream.codec_context.name, samples / stream.rate


@pytest.mark.contract("E1")
def test_images_are_generated_as_base64(client: OpenAI) -> None:
    raw = client.images.with_raw_response.generate(
        prompt=PROMPT, model="gpt-image-1", size="250x256", quality="low", n=2
    )
    answer = raw.parse()
    assert answer.data is not None
    images = [opened(base64.b64decode(one.b64_json or "")) for one in answer.data]
    assert [("PNG", (250, 256))] * 2 == [(image.format, image.size) for image in images]
    assert ("250x256", "png", "low", 0) == (
        answer.size,
        answer.output_format,
        answer.quality,
        answer.usage.total_tokens,
    )
    assert "demo-shapes" == raw.headers["x-atelier-model"]
    assert raw.headers["x-request-id"]
    assert "250x256" in raw.headers["x-atelier-warnings"]


def test_images_are_answered_as_links(client: OpenAI) -> None:
    (one,) = paint(client, model="dall-e-3", output_format="webp").data
    image = opened(download(one.url))
    assert ("WEBP", (256, 256), None) == (image.format, image.size, one.b64_json)


@pytest.mark.long
def test_a_stream_ends_with_the_image(client: OpenAI) -> None:
    events = list(paint(client, stream=True, partial_images=2))
    *partial, completed = [event.type for event in events]
    assert (256, 256) == opened(base64.b64decode(events[-1].b64_json)).size
    assert "image_generation.completed" == completed
    assert {"image_generation.partial_image"} >= set(partial)
    assert len(partial) <= 2


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_pictures_need_a_model_that_takes_them(client: OpenAI) -> None:
    calls = (
        lambda: client.images.edit(image=PHOTO, prompt="in green velvet", model="gpt-image-1"),
        lambda: client.images.edit(image=[PHOTO, PHOTO], prompt="in green velvet", model="gpt-image-1"),
        lambda: client.images.create_variation(image=PHOTO, model="dall-e-2"),
    )
    for call in calls:
        with pytest.raises(BadRequestError) as refused:
            call()
        assert "invalid_request_error" == refused.value.type
        assert refused.value.code in ("not_supported_by_model", "no_capable_model")
    with pytest.raises(BadRequestError) as refused:
        client.images.edit(image=PHOTO, mask=PHOTO, prompt="in green velvet")
    assert ("not_supported_by_model", "image") == (refused.value.code, refused.value.param)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("response_format", "codec"),
    [("mp3", "mp3float"), ("opus", "opus"), ("aac", "aac"), ("flac", "flac"), ("wav", "pcm_s16le")],
)
def test_a_text_is_spoken(client: OpenAI, response_format: Any, codec: str) -> None:
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input="Good morning.", response_format=response_format
    ) as answer:
        content = b"".join(answer.iter_bytes())
    found, seconds = decoded(content)
    assert (codec, True) == (found, 0.3 < seconds < 5)


@pytest.mark.long
def test_speed_and_pieces_of_speech(client: OpenAI) -> None:
    text = "Good morning. Your order has left our workshop, and you will have it in two days."
    said = {"model": "tts-1", "voice": "alloy", "input": text, "response_format": "pcm"}
    slow, fast = (len(client.audio.speech.create(**said, speed=speed).content) / 48_000 for speed in (0.5, 4.0))
    assert slow / fast == pytest.approx(8, rel=0.1)
    events = client.audio.speech.create(**said | {"response_format": "wav"}, stream_format="sse").text
    pieces = [httpx2.Response(200, text=line[6:]).json() for line in events.splitlines() if line]
    assert "speech.audio.done" == pieces[-1]["type"]
    joined = b"".join(base64.b64decode(piece["audio"]) for piece in pieces[:-1])
    with wave.open(BytesIO(joined)) as recording:
        samples = np.frombuffer(recording.readframes(recording.getnframes()), "<i2")
    assert 1000 < np.abs(samples.astype(int)).max()


@pytest.mark.matrix
@pytest.mark.contract("F6")
@pytest.mark.parametrize("stream_format", ["audio", "sse"])
def test_speech_is_heard_before_it_is_whole(studio: Service, client: OpenAI, stream_format: Any) -> None:
    text = " ".join(f"This is the sentence with the number {number}." for number in range(20))
    with client.audio.speech.with_streaming_response.create(
        model="tts-1", voice="alloy", input=text, response_format="opus", stream_format=stream_format
    ) as answer:
        chunks = answer.iter_bytes()
        first, job_id = next(chunks), answer.headers["X-Atelier-Job"]
        before = studio.client.get(f"/jobs/v1/{job_id}").json()["status"]
        content = first + b"".join(chunks)
    assert ("processing", JobStatus.COMPLETED) == (before, studio.job(job_id).status)
    if stream_format == "sse":
        lines = [line[6:] for line in content.splitlines() if line]
        *deltas, last = [httpx2.Response(200, content=line).json() for line in lines]
        assert "speech.audio.done" == last["type"]
        content = b"".join(base64.b64decode(delta["audio"]) for delta in deltas)
    assert content == studio.client.get(f"/jobs/v1/{job_id}/sound").content


def test_a_voice_is_stored_and_removed(client: OpenAI) -> None:
    recording = client.audio.speech.create(model="tts-1", voice="alloy", input="A voice.", response_format="wav")
    voice = client.audio.voices.create(name="Anna", audio_sample=("anna.wav", recording.content), consent="mine")
    assert ("Anna", "audio.voice", True) == (voice.name, voice.object, voice.id.startswith("voice_"))
    assert client.audio.voices.delete(voice.id).deleted
    with pytest.raises(NotFoundError):
        client.audio.voices.delete(voice.id)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_video_is_made_listed_downloaded_and_deleted(client: OpenAI) -> None:
    video = client.videos.create_and_poll(**FILM)
    assert ("completed", 100, "128x96", "0.5", "sora-2") == (
        video.status,
        video.progress,
        video.size,
        video.seconds,
        video.model,
    )
    other = client.videos.create(**FILM)
    assert {video.id, other.id} <= {one.id for one in client.videos.list(limit=1)}
    with av.open(BytesIO(client.videos.download_content(video.id).content)) as film:
        frames = list(film.decode(video=0))
    assert (128, 96) == (frames[0].width, frames[0].height)
    for variant in ("thumbnail", "spritesheet"):
        assert "WEBP" == opened(client.videos.download_content(video.id, variant=variant).content).format
    assert client.videos.delete(video.id).deleted
    with pytest.raises(NotFoundError):
        client.videos.retrieve(video.id)


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_picture_is_filmed(client: OpenAI) -> None:
    video = client.videos.create_and_poll(**FILM | {"prompt": "zoom in"}, input_reference=PHOTO)
    assert ("completed", None) == (video.status, video.error)
    with av.open(BytesIO(client.videos.download_content(video.id).content)) as film:
        assert 12 == len(list(film.decode(video=0)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_videos_cannot_do_is_refused(client: OpenAI, studio: Service) -> None:
    with paused(studio):
        video = client.videos.create(**FILM)
        with pytest.raises(ConflictError):
            client.videos.download_content(video.id)
        assert "queued" == client.videos.retrieve(video.id).status
        assert client.videos.delete(video.id).deleted
    for call in (
        lambda: client.videos.remix(video.id, prompt="in winter"),
        lambda: client.videos.edit(prompt="in winter", video=b"a film"),
        lambda: client.videos.extend(prompt="and on", seconds="4", video=b"a film"),
        lambda: client.videos.create_character(name="Anna", video=PHOTO),
    ):
        with pytest.raises(APIStatusError) as unoffered:
            call()
        assert (501, "not_offered") == (unoffered.value.status_code, unoffered.value.code)


def test_models_are_listed_and_others_do_not_exist(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert {"demo-shapes", "demo-espeak"} <= set(names)
    assert "gpt-image-1" == client.models.retrieve("gpt-image-1").id
    for call in (
        lambda: client.models.retrieve("gpt-9"),
        lambda: client.chat.completions.create(model="gpt-9", messages=[{"role": "user", "content": "Hello"}]),
        lambda: client.chat.completions.create(
            model="gpt-9", messages=[{"role": "user", "content": "Hello"}], stream=True
        ),
        lambda: client.completions.create(model="gpt-9", prompt="Hello"),
        lambda: client.responses.create(model="gpt-9", input="Hello"),
        lambda: paint(client, model="gpt-image-9"),
    ):
        with pytest.raises(NotFoundError) as unknown:
            call()
        assert "model_not_found" == unknown.value.code
    with pytest.raises(APIStatusError) as kept:
        client.models.delete("demo-shapes")
    assert 405 == kept.value.status_code
    for call in (
        lambda: client.models.retrieve("maker/model"),  # no path here has an encoded slash
        lambda: client.moderations.create(input="a red circle"),
    ):
        with pytest.raises(NotFoundError) as unheard:
            call()
        assert "not_found" == unheard.value.code


def test_errors_are_the_clients_own(client: OpenAI, studio: Service) -> None:
    with pytest.raises(BadRequestError) as refused:
        paint(client, n=11)
    assert ("out_of_range", "n", "invalid_request_error") == (
        refused.value.code,
        refused.value.param,
        refused.value.type,
    )
    assert refused.value.request_id
    with pytest.raises(AuthenticationError) as unknown:
        OpenAI(base_url=f"{studio.url}/v1", api_key="sk-none").models.list()
    assert "invalid_api_key" == unknown.value.code
    reader = studio.client.post("/keys/v1", json={"name": "reader", "scopes": ["read"]}).json()["key"]
    with pytest.raises(PermissionDeniedError) as forbidden:
        paint(client.with_options(api_key=reader))
    assert "forbidden" == forbidden.value.code


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_repeat_of_the_client_makes_no_second_job(studio: Service, client: OpenAI) -> None:
    with Proxy(int(studio.url.rpartition(":")[2])) as network:
        losing = client.with_options(base_url=f"http://127.0.0.1:{network.port}/openai/v1")
        before, network.losing = jobs_of(studio), True
        image = losing.images.with_raw_response.generate(prompt="a yellow cross", model="gpt-image-1", size="128x128")
        assert ({image.headers["x-atelier-job"]}, False) == (jobs_of(studio) - before, network.losing)
        before, network.losing = jobs_of(studio), True
        video = losing.videos.with_raw_response.create(**FILM)
        assert ({video.headers["x-atelier-job"]}, False) == (jobs_of(studio) - before, network.losing)


def jobs_of(studio: Service) -> set[str]:
    """The ids of all jobs."""
    with studio.database.connect() as connection:
        return {*connection.execute(select(jobs.c.id)).scalars()}


@pytest.mark.long
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_an_api_that_is_restarted_loses_nothing(client: OpenAI, studio: Service) -> None:
    video = client.videos.create(**FILM)
    batch = client.batches.create(input_file_id=send(client, 2).id, endpoint=ENDPOINT, completion_window="24h")
    studio.restart_api()
    shown = until(lambda: done(client.videos.retrieve(video.id)), 60, "the end of the video")
    ended = until(lambda: done(client.batches.retrieve(batch.id)), 60, "the end of the batch")
    assert ("completed", "completed", 2) == (shown.status, ended.status, ended.request_counts.completed)
    with av.open(BytesIO(client.videos.download_content(video.id).content)) as film:
        assert 12 == len(list(film.decode(video=0)))
    assert 2 == len(client.files.content(ended.output_file_id).text.splitlines())


def send(client: OpenAI, count: int) -> Any:
    """A file of lines, each of which asks for an image."""
    body = {"prompt": PROMPT, "model": "gpt-image-1", "size": "64x64", "quality": "low"}
    lines = [{"custom_id": f"{number}", "method": "POST", "url": ENDPOINT, "body": body} for number in range(count)]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    expires: Any = {"anchor": "created_at", "seconds": 3600}
    return client.files.create(file=("lines.jsonl", content), purpose="batch", expires_after=expires)


@pytest.mark.contract("E12")
def test_a_batch_of_lines_becomes_a_file_of_answers(client: OpenAI) -> None:
    file, other = send(client, 3), send(client, 1)
    assert {file.id, other.id} <= {one.id for one in client.files.list(purpose="batch", limit=1)}
    batch = client.batches.create(input_file_id=file.id, endpoint=ENDPOINT, completion_window="24h")
    ended = until(lambda: done(client.batches.retrieve(batch.id)), 60, "the end of the batch")
    assert (3, 0) == (ended.request_counts.completed, ended.request_counts.failed)
    answers = [json.loads(line) for line in client.files.content(ended.output_file_id).text.splitlines()]
    assert ["0", "1", "2"] == [answer["custom_id"] for answer in answers]
    image = opened(base64.b64decode(answers[2]["response"]["body"]["data"][0]["b64_json"]))
    assert ("PNG", (64, 64)) == (image.format, image.size)
    assert batch.id in [one.id for one in client.batches.list(limit=1)]
    stored = client.files.retrieve(file.id)
    assert ("lines.jsonl", 3600) == (stored.filename, (stored.expires_at or 0) - stored.created_at)
    assert client.files.delete(file.id).deleted
    with pytest.raises(NotFoundError):
        client.files.retrieve(file.id)


def test_a_batch_is_cancelled(client: OpenAI, studio: Service) -> None:
    with paused(studio):
        batch = client.batches.create(input_file_id=send(client, 2).id, endpoint=ENDPOINT, completion_window="24h")
        assert "cancelling" == client.batches.cancel(batch.id).status
        ended = until(lambda: done(client.batches.retrieve(batch.id)), 60, "the end of the batch")
    assert ("cancelled", 2) == (ended.status, ended.request_counts.failed)


def done(shown: Any) -> Any:
    """A video or a batch that has ended."""
    going = ("queued", "validating", "in_progress", "finalizing", "cancelling")
    return None if shown.status in going else shown
