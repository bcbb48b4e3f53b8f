"""VideoGen's Python client, unmodified, against the running service: what each call makes is downloaded and decoded.

Calls without a result are in `tests/integration/api/dialects/videogen`.
"""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import pytest
import videogen
from PIL import Image, ImageOps

from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from pipelines.vectorize.svg import read_shapes
from tests.support.media.drawings import LIKE, UNLIKE, flat_art, likeness, png
from tests.support.media.films import film_of, moving_art
from tests.support.media.mug_film import mug_film, overlaps, transparency
from tests.support.media.music import tempo
from tests.support.media.recordings import tone
from tests.support.media.spectra import decoded_sound, loudest_hertz
from tests.support.media.videos import psnr
from tests.support.servers.media_server import MediaServer
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.service import Service
from tests.support.wait import until

POLL = {"poll_interval_ms": 100, "timeout_ms": 180_000}
FLAT = {"aspect_ratio": {"width": 16, "height": 1}, "quality": "LOW"}
"""The smallest pictures that a ratio can ask for, 1024 x 64."""
pytestmark = pytest.mark.contract("F44")


@pytest.fixture(scope="module")
def vg(studio: Service) -> Iterator[videogen.VideoGen]:
    with videogen.VideoGen(api_key=studio.key, base_url=f"{studio.url}/videogen") as client:
        yield client


@pytest.fixture(scope="module")
def photo(vg: Any) -> str:
    """The file id of an uploaded photograph of a mug, once it may be used."""
    uploaded = vg.upload_file(PHOTO.read_bytes(), display_name="mug.jpg", type="IMAGE", poll_interval_ms=100)
    return str(uploaded["file_id"])


@pytest.fixture(scope="module")
def execution(vg: Any) -> dict[str, Any]:
    """An execution that has made a picture."""
    ended: dict[str, Any] = vg.tools.generate_image_and_wait(
        prompt="a green star on a white background",
        aspect_ratio={"width": 4, "height": 3},
        quality="LOW",
        **POLL,
    )
    return ended


@pytest.fixture(scope="module")
def picture(execution: dict[str, Any]) -> str:
    """The file id of its picture."""
    return str(execution["results"][0]["file_id"])


def download(result: dict[str, Any]) -> bytes:
    return httpx.get(result["download_url"], follow_redirects=True).raise_for_status().content


def decoded(content: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def frames_of(content: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(content)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def seconds_of(content: bytes) -> float:
    with av.open(io.BytesIO(content)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


@pytest.mark.contract("D1", "D42")
def test_generate_image_makes_a_picture_of_its_ratio(execution: dict[str, Any]) -> None:
    assert ("succeeded", 100, "GENERATE_IMAGE") == tuple(
        execution[name] for name in ("status", "progress_percentage", "tool_type")
    )
    (result,) = execution["results"]
    image = decoded(download(result))
    assert ("PNG", (1024, 768)) == (image.format, image.size)
    assert result["file_id"] == result["file"]["file_id"]


@pytest.mark.contract("D7", "D38")
def test_many_results_are_pictures_and_one_webhook(vg: Any) -> None:
    with WebhookReceiver() as sink:
        endpoint = vg.webhooks.create_webhook_endpoint(url=sink.url, events=["tool_execution.succeeded"])
        started = vg.tools.generate_image(prompt="a red circle on a black background", num_results=9, **FLAT)
        try:
            (received,) = until(lambda: list(sink.received), 180, "the webhook")
        finally:
            vg.webhooks.delete_webhook_endpoint(endpoint_id=endpoint["endpoint_id"])
    event = videogen.verify_webhook_signature(received.body, received.headers, endpoint["signing_secret"])
    assert ("tool_execution.succeeded", started["tool_execution_id"]) == (event["event"], event["tool_execution_id"])
    pictures = {np.asarray(decoded(download(result))).tobytes() for result in event["results"]}
    assert 9 == len(pictures) == len({result["file_id"] for result in event["results"]})
    with pytest.raises(videogen.VideoGenError, match="Invalid webhook signature"):
        videogen.verify_webhook_signature(received.body + b" ", received.headers, endpoint["signing_secret"])


@pytest.mark.contract("D5")
def test_the_mark_is_there_where_it_is_asked_for(vg: Any) -> None:
    prompt, square = "a red circle on a black background", {"width": 1, "height": 1}
    marked, plain = (
        np.asarray(
            decoded(
                download(
                    vg.tools.generate_image_and_wait(
                        prompt=prompt, watermark_mode=mode, aspect_ratio=square, quality="LOW", **POLL
                    )["results"][0]
                )
            ).convert("L")
        )[-64:, :320]
        for mode in ("VIDEO_GEN", "NONE")
    )
    assert np.count_nonzero(plain > 150) + 500 < np.count_nonzero(marked > 150)


@pytest.mark.contract("D13")
def test_a_clip_moves_over_its_first_frame(vg: Any, photo: str) -> None:
    ended = vg.tools.generate_video_clip_and_wait(
        prompt="slow zoom in",
        start_frame_file_id=photo,
        duration_seconds=1,
        aspect_ratio={"width": 12, "height": 1},
        quality="LOW",
        **POLL,
    )
    (result,) = ended["results"]
    frames = frames_of(download(result))
    assert ("VIDEO", (128, 1536, 3)) == (result["type"], frames[0].shape)
    assert 24 == pytest.approx(len(frames), abs=1)
    assert 1 < np.abs(frames[0].astype(int) - frames[-1]).mean()


@pytest.mark.long
def test_the_3d_effect_moves_too(vg: Any, photo: str) -> None:
    (result,) = vg.tools.image3d_effect_and_wait(image_file_id=photo, **POLL)["results"]
    frames = frames_of(download(result))
    assert 1 < np.abs(frames[0].astype(int) - frames[len(frames) // 2]).mean()


@pytest.mark.contract("D14")
def test_speech_has_its_voice_and_speed(vg: Any) -> None:
    (voice,) = vg.resources.list_tts_voices(query="espeak")["tts_voices"]
    text = "The quick brown fox jumps over the lazy dog."
    usual, fast = (
        vg.tools.text_to_speech_and_wait(tts_text=text, voice_id=voice[name], voice_speed=speed, **POLL)["results"][0]
        for name, speed in (("voice_id", 1.0), ("display_name", 2.0))
    )
    assert ("AUDIO", None) == (usual["type"], usual["thumbnail_url"])
    lengths = [seconds_of(download(result)) for result in (usual, fast)]
    assert 1 < lengths[0]
    assert lengths[0] / 2 == pytest.approx(lengths[1], rel=0.15)


@pytest.mark.contract("D15")
def test_a_sound_effect_is_what_its_prompt_names(vg: Any) -> None:
    ended = vg.tools.generate_sound_effect_and_wait(prompt="a siren", duration_seconds=6, prompt_influence=0.5, **POLL)
    (result,) = ended["results"]
    assert ("GENERATE_SOUND_EFFECT", "AUDIO", None) == (ended["tool_type"], result["type"], result["thumbnail_url"])
    samples, rate = decoded_sound(download(result))
    hertz = loudest_hertz(samples, rate)[:59]
    assert len(samples) / rate == pytest.approx(6, abs=0.1)
    assert hertz.min() < 600
    assert hertz.max() > 1200
    assert np.abs(np.diff(hertz)).max() < 130
    with pytest.raises(videogen.VideoGenError, match="rain, wind"):
        vg.tools.generate_sound_effect(prompt="a purple idea")


@pytest.mark.long
def test_music_is_half_a_minute_in_a_style(vg: Any) -> None:
    (result,) = vg.tools.generate_music_and_wait(prompt="an energetic track", **POLL)["results"]
    samples, rate = decoded_sound(download(result))
    assert ("AUDIO", 30) == (result["type"], round(len(samples) / rate))
    assert tempo(samples[: 10 * rate], rate, 110) == pytest.approx(128, rel=0.01)


@pytest.mark.contract("D18")
def test_a_background_is_removed(vg: Any, photo: str) -> None:
    (result,) = vg.tools.remove_image_background_and_wait(image_file_id=photo, **POLL)["results"]
    image = decoded(download(result))
    assert ("PNG", "RGBA") == (image.format, image.mode)
    with Image.open(PHOTO_MASK) as mask:
        wanted = np.asarray(mask, np.float32) / 255
    assert 0.9 < overlap(np.asarray(image.getchannel("A"), np.float32) / 255, wanted)


@pytest.mark.contract("D19")
def test_the_background_of_a_film_is_removed(vg: Any) -> None:
    film = mug_film(still=3, moving=2)
    uploaded = vg.upload_file(film_of(film.frames), display_name="mug.mp4", type="VIDEO", poll_interval_ms=100)
    ended = vg.tools.remove_video_background_and_wait(video_file_id=uploaded["file_id"], **POLL)
    (result,) = ended["results"]
    assert ("REMOVE_VIDEO_BACKGROUND", "VIDEO") == (ended["tool_type"], result["type"])
    assert min(overlaps(film, transparency(download(result)))) > 0.9


@pytest.mark.contract("D17")
def test_flat_art_becomes_an_svg(vg: Any) -> None:
    art = flat_art()
    uploaded = vg.upload_file(png(art), display_name="logo.png", type="IMAGE", poll_interval_ms=100)
    ended = vg.tools.vectorize_image_and_wait(image_file_id=uploaded["file_id"], **POLL)
    (result,) = ended["results"]
    assert ("VECTORIZE_IMAGE", "IMAGE") == (ended["tool_type"], result["type"])
    svg = download(result)
    assert read_shapes(svg)  # and nothing else is in it
    assert likeness(svg, art) > LIKE
    assert likeness(svg, ImageOps.mirror(art)) < UNLIKE
    thumbnail = decoded(httpx.get(result["thumbnail_url"], follow_redirects=True).raise_for_status().content)
    assert psnr(np.asarray(art), np.asarray(thumbnail.convert("RGB"))) > LIKE


@pytest.mark.contract("D20")
def test_a_picture_becomes_four_times_as_large(vg: Any) -> None:
    small = flat_art().resize((80, 60), Image.Resampling.BOX)
    uploaded = vg.upload_file(png(small), display_name="logo.png", type="IMAGE", poll_interval_ms=100)
    ended = vg.tools.upscale_image_and_wait(image_file_id=uploaded["file_id"], **POLL)
    (result,) = ended["results"]
    assert ("UPSCALE_IMAGE", "IMAGE") == (ended["tool_type"], result["type"])
    whole, made = (np.asarray(image.convert("RGB")) for image in (flat_art(), decoded(download(result))))
    assert psnr(whole, made) > psnr(whole, np.asarray(small.resize(flat_art().size, Image.Resampling.LANCZOS))) + 0.5


@pytest.mark.contract("D21")
def test_a_film_becomes_twice_as_large(vg: Any) -> None:
    art = moving_art(3, (96, 64))
    uploaded = vg.upload_file(film_of(art), display_name="logo.mp4", type="VIDEO", poll_interval_ms=100)
    ended = vg.tools.upscale_video_and_wait(video_file_id=uploaded["file_id"], **POLL)
    (result,) = ended["results"]
    assert ("UPSCALE_VIDEO", "VIDEO") == (ended["tool_type"], result["type"])
    frames = frames_of(download(result))
    assert 3 == len(frames)
    for frame, original in zip(frames, art, strict=True):
        assert psnr(np.asarray(original.resize((192, 128), Image.Resampling.LANCZOS)), np.asarray(frame)) > 22


def test_a_result_is_the_input_of_the_next_tool(vg: Any, picture: str) -> None:
    (result,) = vg.tools.remove_image_background_and_wait(image_file_id=picture, **POLL)["results"]
    assert "RGBA" == decoded(download(result)).mode


@pytest.mark.contract("D22")
def test_a_cancelled_execution_is_not_computed(vg: Any) -> None:
    started = vg.tools.generate_image(prompt="a blue ring on a white background", num_results=100)
    vg.tools.cancel_tool_execution(tool_execution_id=started["tool_execution_id"])
    ended = vg.poll_executed_tool(started["tool_execution_id"], throw_on_failure=False, **POLL)
    assert ("cancelled", []) == (ended["status"], ended["results"])


@pytest.mark.contract("D27", "D28")
def test_an_upload_comes_back_as_it_is(vg: Any, photo: str) -> None:
    assert PHOTO.read_bytes() == vg.download_file(photo)
    file = vg.get_hydrated_file(photo)
    assert ("IMAGE", "mug.jpg", "ready") == (file["type"], file["display_name"], file["download_source"]["status"])


@pytest.mark.contract("D29")
def test_a_recording_is_uploaded_and_archived(vg: Any) -> None:
    file = vg.upload_file(tone(1), display_name="tone.wav", content_type="audio/wav", poll_interval_ms=100)
    assert ("AUDIO", None) == (file["type"], file["thumbnail_source"])
    assert tone(1) == vg.download_file(file["file_id"])
    assert file["file_id"] == vg.files.archive_file(file_id=file["file_id"])["file_id"]
    assert file["file_id"] not in [one["file_id"] for one in vg.files.get_files(limit=200)["files"]]


def test_an_upload_that_is_not_of_its_type_is_refused(vg: Any) -> None:
    with pytest.raises(RuntimeError, match="Uploaded file processing failed"):
        vg.upload_file(tone(0.2), display_name="chair.png", type="IMAGE", poll_interval_ms=100)
    (refused,) = [one for one in vg.files.get_files(limit=200)["files"] if one["display_name"] == "chair.png"]
    assert ("failed", None) == (refused["download_source"]["status"], refused["download_url"])


def test_an_import_is_a_file_or_says_why_not(vg: Any) -> None:
    with MediaServer() as shop:
        photo = shop.serve("/mug.jpg", PHOTO.read_bytes(), headers={"content-type": "image/jpeg"})
        noise = shop.serve("/noise.png", bytes(range(256)))
        ended = vg.files.create_file_url_import_and_wait(url=photo, display_name="cup.jpg", **POLL)
        refused = vg.files.create_file_url_import_and_wait(url=noise, throw_on_failure=False, **POLL)
    assert ("succeeded", None) == (ended["status"], ended["error"])
    assert ("IMAGE", "cup.jpg") == (ended["file"]["type"], ended["file"]["display_name"])
    assert PHOTO.read_bytes() == vg.download_file(ended["file_id"])
    assert ("failed", "file_failed", None, "unsupported_media") == (
        refused["status"],
        *(refused["error"][name] for name in ("code", "requirement", "internal_error_code")),
    )
    assert refused["error"]["message"]


@pytest.mark.contract("D24", "D25", "D26")
def test_what_was_made_is_found_again(vg: Any, picture: str) -> None:
    listed = [file["file_id"] for file in vg.files.get_files(limit=200)["files"]]
    found = [one["file"]["file_id"] for one in vg.files.search_files(query="green star", num_results=100)["results"]]
    assert picture in listed
    assert picture in found
    file = vg.files.get_file(file_id=picture)
    assert "PNG" == decoded(vg.download_file(picture)).format
    executions = vg.tools.list_tool_executions(limit=200)["tool_executions"]
    assert file["source_tool_execution_id"] in [one["tool_execution_id"] for one in executions]


@pytest.mark.contract("D30", "D31", "D43")
def test_a_public_preview_is_a_page_until_it_is_disabled(studio: Service, vg: Any, picture: str) -> None:
    shown = vg.create_public_preview(picture, wait_for_embed_playback_id=True, poll_interval_ms=100)
    url = shown["static_public_preview_source"]["url"]
    viewer = f"{studio.url}/p/{shown['public_playback_id']}/view"
    assert "PNG" == decoded(httpx.get(url, follow_redirects=True).content).format
    page = httpx.get(viewer)
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    assert f'<img src="/p/{shown["public_playback_id"]}"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    vg.files.disable_public_preview(file_id=picture)
    assert [404, 404] == [httpx.get(each).status_code for each in (url, viewer)]


async def test_the_asynchronous_client_makes_a_picture(studio: Service, tmp_path: Path) -> None:
    async with videogen.AsyncVideoGen(api_key=studio.key, base_url=f"{studio.url}/videogen") as client:
        ended = await client.tools.generate_image_and_wait(prompt="a red circle on a black background", **FLAT, **POLL)
        content = await client.download_file(ended["results"][0]["file_id"], output_path=tmp_path / "circle.png")
    assert content == (tmp_path / "circle.png").read_bytes()
    assert "PNG" == decoded(content).format


@pytest.mark.contract("D16")
def test_an_actor_says_a_recording(vg: Any) -> None:
    files = {
        kind: vg.upload_file(content, display_name=name, type=kind, poll_interval_ms=100)["file_id"]
        for kind, name, content in (
            ("IMAGE", "presenter.png", (PHOTO.parent / "presenter.png").read_bytes()),
            ("AUDIO", "hello.wav", tone(0.4)),
        )
    }
    actor = vg.entities.create_entity(entity_type="ACTOR", name="Anna")["entity_id"]
    call = {"audio_file_id": files["AUDIO"], "actor_entity_id": actor}
    with pytest.raises(videogen.VideoGenError, match="This actor has no picture"):
        vg.tools.generate_avatar(**call)
    changed = vg.entities.add_entity_reference(entity_id=actor, file_id=files["IMAGE"])
    assert changed["actor_config"]["has_avatar_presenter"]
    ended = vg.tools.generate_avatar_and_wait(**call, **POLL)
    (result,) = ended["results"]
    assert ("GENERATE_AVATAR", "VIDEO") == (ended["tool_type"], result["type"])
    assert 10 == len(frames_of(download(result)))
    assert pytest.approx(seconds_of(download(result)), abs=0.1) == 0.4


@pytest.mark.contract("D39")
def test_a_workflow_makes_a_film_of_words_by_way_of_a_picture(vg: Any) -> None:
    started = vg.workflows.prompt_to_video_clip(prompt="a red circle on white", duration_seconds=1, quality="LOW")
    assert [] == started["remix_action_ids"]
    run = vg.poll_workflow_run(started["workflow_run_id"], **POLL)
    assert ("succeeded", 100, "PROMPT_TO_VIDEO_CLIP") == tuple(
        run[name] for name in ("status", "progress_percentage", "workflow_type")
    )
    (result,) = run["results"]
    assert "VIDEO" == result["type"]
    assert run["download_url"] == result["download_url"]
    assert len(frames_of(download(result))) > 1
    (listed,) = vg.workflows.list_workflow_runs(limit=1)["workflow_runs"]
    assert (run["workflow_run_id"], None) == (listed["workflow_run_id"], listed["export_file_id"])
    stopped = vg.workflows.prompt_to_video_clip(prompt="a blue star on white", duration_seconds=1)["workflow_run_id"]
    vg.workflows.cancel_workflow_run(stopped)
    assert "cancelled" == vg.poll_workflow_run(stopped, throw_on_failure=False, **POLL)["status"]
