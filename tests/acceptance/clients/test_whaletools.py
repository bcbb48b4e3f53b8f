"""The calls of WhaleTools' document over HTTP, as a client without an SDK sends them, on real parts."""

import base64
import hashlib
import hmac
import re
import time
from collections.abc import Iterator
from datetime import datetime
from io import BytesIO
from typing import Any

import av
import httpx
import numpy as np
import pytest
from PIL import Image

from core.signing import webhook_secret
from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from tests.support.media.recordings import tone
from tests.support.media.videos import decode_video
from tests.support.servers.media_server import MediaServer
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.finished import download
from tests.support.service.service import Service
from tests.support.wait import until

BASE, PLAIN = "/whaletools", ""
"""The base path that a client is given, and the plain paths."""
HEX = "[0-9a-f]{32}"


@pytest.fixture(scope="module")
def whale(studio: Service) -> Iterator[httpx.Client]:
    """A client as the provider's is: the key as `x-api-key`, JSON named always, a session beside."""
    headers = {"x-api-key": studio.key, "Content-Type": "application/json", "Authorization": "Bearer a.session.token"}
    with httpx.Client(base_url=studio.url, headers=headers, timeout=90) as client:
        yield client


@pytest.fixture(scope="module")
def shop() -> Iterator[MediaServer]:
    """Where the caller's pictures are."""
    with MediaServer() as server:
        for number in (1, 2):
            server.serve(f"/photo_{number}.jpg", PHOTO.read_bytes(), headers={"content-type": "image/jpeg"})
        yield server


def made(client: httpx.Client, path: str, **body: Any) -> dict[str, Any]:
    """The answer of a synchronous route."""
    answer = client.post(path, json=body)
    assert 200 == answer.status_code, answer.text
    found: dict[str, Any] = answer.json()
    return found


def is_time(text: str) -> bool:
    return text.endswith("Z") and datetime.fromisoformat(text).utcoffset() is not None


@pytest.mark.contract("A1", "A2", "A3", "A4", "A5", "A6", "A7", "A8", "A9", "A10", "A11", "A12", "A13")
@pytest.mark.contract("A96", "A98", "A99")
@pytest.mark.parametrize(
    ("base", "output_format", "name"), [(BASE, "png", "PNG"), (PLAIN, "jpeg", "JPEG"), (PLAIN, "webp", "WEBP")]
)
def test_an_image(whale: httpx.Client, base: str, output_format: str, name: str) -> None:
    answer = whale.post(
        f"{base}/v1/generate/image",
        json={
            "prompt": "a small red circle in the center on a white background",
            "model": "dall-e-3",
            "size": "256x256",
            "quality": "hd",
            "style": "natural",
            "aspect_ratio": "2:1",
            "output_format": output_format,
        },
    )

    assert (200, "demo-shapes") == (answer.status_code, answer.headers["x-atelier-model"]), answer.text
    image = answer.json()
    assert re.fullmatch(f"gen_img_{HEX}", image["id"])
    assert ("dall-e-3", "256x128") == (image["model"], image["size"])
    assert is_time(image["created_at"])
    picture = Image.open(BytesIO(download(image["url"])))
    assert (name, (256, 128)) == (picture.format, picture.size)
    assert image == whale.get(f"{base}/v1/generate/image/{image['id']}").json()


@pytest.mark.contract("A14", "A77", "A78", "A79", "A80", "A81", "A87", "A95")
def test_what_is_made_is_in_the_library(whale: httpx.Client) -> None:
    prompt = "a purple star on a white background"
    image = made(whale, "/v1/generate/image", prompt=prompt, size="256x256")

    def newest(kind: str) -> dict[str, Any]:
        query = {"type": kind, "limit": 1, "sort": "created_at:desc"}
        page = whale.get("/whaletools/v1/media", params=query).raise_for_status().json()
        assert ("list", 1, "/whaletools/v1/media") == (page["object"], len(page["data"]), page["url"])
        found: dict[str, Any] = page["data"][0]
        return found

    picture = newest("image")
    speech = made(whale, "/v1/generate/voice", text="Good evening.")  # its waveform is an image, too
    sound = newest("audio")
    assert (prompt, "demo-shapes", "image/png") == (picture["prompt"], picture["model"], picture["mime_type"])
    assert download(picture["url"]) == download(image["url"])
    assert download(sound["url"]) == download(speech["url"])
    assert is_time(picture["created_at"])
    assert picture == whale.get(f"/v1/media/{picture['id']}").json()


@pytest.mark.contract("A82", "A83", "A84", "A85", "A86", "A88", "A89", "A90", "A91", "A92", "A93", "A94", "A97")
@pytest.mark.parametrize("base", [BASE, PLAIN])
def test_a_file_is_kept_linked_and_removed(whale: httpx.Client, studio: Service, base: str) -> None:
    form = {"filename": "hero-banner.jpg", "content_type": "image/jpeg", "tags": ["banner", f"home{base}"]}
    file = {"file": ("blob", PHOTO.read_bytes(), "image/jpeg")}
    with httpx.Client(base_url=studio.url, headers={"x-api-key": studio.key}) as sender:  # a form names its own type
        stored = sender.post(f"{base}/v1/media", data=form, files=file)

    assert 201 == stored.status_code, stored.text
    item = stored.json()
    assert re.fullmatch(f"med_{HEX}", item["id"])
    assert ("hero-banner.jpg", "image", ["banner", f"home{base}"]) == (item["filename"], item["type"], item["tags"])
    assert PHOTO.read_bytes() == download(item["url"])
    tagged = whale.get(f"{base}/v1/media", params={"tags": ["banner", f"home{base}"]}).json()
    assert [item["id"]] == [one["id"] for one in tagged["data"]]

    linked = whale.post(f"{base}/v1/media/{item['id']}/link", json={"product_id": "prod_abc123", "position": 0})
    assert {"product_id": "prod_abc123", "variant_id": None, "position": 0}.items() <= linked.json().items()
    links = [{"media_id": item["id"], "variant_id": "var_def456", "position": 1}]
    assert 200 == whale.post(f"{base}/v1/media/link", json={"links": links}).status_code
    shown = whale.get(f"{base}/v1/stores/{studio.tenant}/media/{item['id']}").json()
    targets = {(link["product_id"], link["variant_id"], link["position"]) for link in shown["links"]}
    assert {("prod_abc123", None, 0), (None, "var_def456", 1)} == targets
    other = whale.get(f"{base}/v1/stores/another/media/{item['id']}")
    assert (403, "store_mismatch_error") == (other.status_code, other.json()["error"]["type"])

    assert 204 == whale.delete(f"{base}/v1/media/{item['id']}").status_code
    assert 404 == whale.get(f"{base}/v1/media/{item['id']}").status_code
    assert 404 == httpx.get(item["url"]).status_code


@pytest.mark.contract(*(f"A{number}" for number in (34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44)))
@pytest.mark.parametrize(
    ("base", "output_format", "codec", "voice_id"),
    [
        (BASE, "mp3", "mp3", "voice_rachel"),
        (PLAIN, "wav", "pcm", "voice_demo-espeak"),
        (PLAIN, "ogg", "opus", None),
    ],
)
def test_speech(whale: httpx.Client, base: str, output_format: str, codec: str, voice_id: str | None) -> None:
    voice = made(
        whale,
        f"{base}/v1/generate/voice",
        text="Welcome to our store. We have new arrivals every week.",
        voice_id=voice_id,
        model="eleven_turbo_v2",
        output_format=output_format,
    )

    assert re.fullmatch(f"gen_voice_{HEX}", voice["id"])
    assert ("eleven_turbo_v2", voice_id or "voice_demo-espeak") == (voice["model"], voice["voice_id"])
    assert is_time(voice["created_at"])
    with av.open(BytesIO(download(voice["url"]))) as opened:
        assert codec in opened.streams.audio[0].codec_context.name
        seconds = sum(frame.samples / frame.sample_rate for frame in opened.decode(audio=0))
    assert 2 < voice["duration_seconds"] == pytest.approx(seconds, abs=0.1)
    assert voice == whale.get(f"{base}/v1/generate/voice/{voice['id']}").json()


@pytest.mark.contract("A45", "A46", "A47", "A48")
def test_the_list_of_voices_with_previews(whale: httpx.Client) -> None:
    voices = whale.get("/whaletools/v1/voices").raise_for_status().json()

    (own,) = [voice for voice in voices if voice["id"] == "voice_demo-espeak"]
    assert "espeak-ng" in own["name"]
    sample = httpx.get(own["preview_url"], follow_redirects=True, timeout=90).raise_for_status().content
    with av.open(BytesIO(sample)) as opened:
        assert 1 < sum(frame.samples / frame.sample_rate for frame in opened.decode(audio=0)) < 20
    assert sample == download(own["preview_url"])
    refused = httpx.get(own["preview_url"].replace("espeak", "espeaks"))
    assert (403, "bad_signature") == (refused.status_code, refused.json()["code"])


def test_a_voice_is_stored_from_a_recording(whale: httpx.Client) -> None:
    recording = f"data:audio/wav;base64,{base64.b64encode(tone(3)).decode()}"

    stored = whale.post("/v1/voices", json={"name": "Anna", "audio_url": recording})

    assert 201 == stored.status_code, stored.text
    voice = stored.json()
    assert re.fullmatch(f"voice_{HEX}", voice["id"])
    assert voice["id"] in [one["id"] for one in whale.get("/v1/voices").json()]
    assert b"RIFF" == download(voice["preview_url"])[:4]
    refused = whale.post("/v1/generate/voice", json={"text": "Good morning.", "voice_id": voice["id"]})
    assert (422, "not_supported_by_model", "voice_id") == (
        refused.status_code,
        refused.json()["error"]["code"],
        refused.json()["error"]["param"],
    )  # the demo voice clones none; the models that do are in the catalog
    assert 204 == whale.delete(f"/v1/voices/{voice['id']}").status_code
    assert voice["id"] not in [one["id"] for one in whale.get("/v1/voices").json()]


@pytest.mark.contract("A50", "A51", "A52", "A53", "A54", "A55", "A56", "A57", "A60")
def test_a_background_is_removed(whale: httpx.Client, shop: MediaServer) -> None:
    photo = f"{shop.url}/photo_1.jpg"
    cutout = made(whale, "/whaletools/v1/generate/remove-background", image_url=photo)

    assert re.fullmatch(f"gen_rbg_{HEX}", cutout["id"])
    assert ("png", True, photo) == (cutout["format"], cutout["transparent"], cutout["original_url"])
    assert is_time(cutout["created_at"])
    with Image.open(BytesIO(download(cutout["url"]))) as picture, Image.open(PHOTO_MASK) as mask:
        assert ("PNG", "RGBA") == (picture.format, picture.mode)
        alpha = np.asarray(picture.getchannel("A"), np.float32) / 255
        assert 0.9 < overlap(alpha, np.asarray(mask, np.float32) / 255)


@pytest.mark.contract("A58", "A59")
def test_backgrounds_of_several_images(whale: httpx.Client, shop: MediaServer) -> None:
    photos = [f"{shop.url}/photo_{number}.jpg" for number in (1, 2)] + [f"{shop.url}/none.jpg"]
    answer = whale.post("/v1/generate/remove-background/batch", json={"image_urls": photos})

    assert 200 == answer.status_code, answer.text
    first, second, missing = answer.json()
    for item in (first, second):
        assert item["transparent"] is True
        assert "RGBA" == Image.open(BytesIO(download(item["url"]))).mode
    assert first["id"] != second["id"]
    assert (None, False, "failed") == (missing["url"], missing["transparent"], missing["status"])
    assert "input_unreachable" == missing["error"]["code"]


@pytest.mark.contract("A15", "A16", "A17", "A18", "A19", "A20", "A21", "A22", "A23", "A24", "A25")
@pytest.mark.contract("A26", "A27", "A28", "A29", "A30", "A31", "A32", "A33")
def test_a_video_is_polled_for_and_announced(whale: httpx.Client, studio: Service) -> None:
    with WebhookReceiver() as sink:
        answer = whale.post(
            "/whaletools/v1/generate/video",
            json={
                "prompt": "slow zoom in on a red circle on a white background",
                "duration": 0.5,
                "model": "veo-3",
                "resolution": "240p",
                "aspect_ratio": "16:9",
                "webhook_url": f"{sink.url}/done",
            },
        )

        assert (202, "demo-scene") == (answer.status_code, answer.headers["x-atelier-model"]), answer.text
        video = answer.json()
        done = finished_video(whale, f"/whaletools{video['poll_url']}")
        (received,) = until(lambda: list(sink.received), 90, "the webhook")
    assert re.fullmatch(f"gen_vid_{HEX}", video["id"])
    assert ("processing", f"/v1/generate/video/{video['id']}") == (video["status"], video["poll_url"])
    assert isinstance(video["estimated_seconds"], int)
    assert {"id": video["id"], "status": "completed", "model": "veo-3"}.items() <= done.items()
    assert 0.5 == pytest.approx(done["duration"])
    assert is_time(done["created_at"])
    film = decode_video(download(done["url"]), "mp4")
    assert (12, 256, 416, 3) == film.frames.shape

    secret = webhook_secret(studio.settings.secret_key, studio.tenant, 1)
    signature = hmac.digest(secret.encode(), received.body, hashlib.sha256).hex()
    assert f"sha256={signature}" == received.headers["x-webhook-signature"]
    event = received.data
    assert ("video.completed", received.headers["x-webhook-delivery-id"]) == (
        received.headers["x-webhook-event"],
        event["id"],
    )
    assert abs(time.time() - int(received.headers["x-webhook-timestamp"])) < 300
    assert is_time(event["created_at"])
    assert {"object": "video", **done} == event["data"]


@pytest.mark.contract("A33")
def test_an_image_becomes_a_video_in_webm(whale: httpx.Client, shop: MediaServer) -> None:
    body = {"prompt": "pan left", "duration": 0.2, "resolution": "128x128", "output_format": "webm"}
    answer = whale.post("/v1/generate/video", json={**body, "image_url": f"{shop.url}/photo_1.jpg"})
    done = finished_video(whale, answer.json()["poll_url"])

    assert (5, 128, 128, 3) == decode_video(download(done["url"]), "webm").frames.shape


def finished_video(client: httpx.Client, path: str) -> dict[str, Any]:
    """Poll as the document says."""

    def completed() -> dict[str, Any] | None:
        found: dict[str, Any] = client.get(path).raise_for_status().json()
        assert found["status"] in ("processing", "completed"), found
        return found if found["status"] == "completed" else None

    return until(completed, 90, "the video")


def test_a_failed_generation_is_an_error(whale: httpx.Client, shop: MediaServer) -> None:
    answer = whale.post("/whaletools/v1/generate/remove-background", json={"image_url": f"{shop.url}/none.jpg"})

    assert 422 == answer.status_code
    assert {"type": "generation_error", "code": "input_unreachable"}.items() <= answer.json()["error"].items()
    assert answer.json()["message"] == answer.json()["error"]["message"]
