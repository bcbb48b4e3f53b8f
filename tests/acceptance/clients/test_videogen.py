"""VideoGen's Python client, unmodified, against the running service: what each call makes is downloaded and decoded."""

import io
from pathlib import Path

import av
import httpx
import numpy as np
import pytest
import videogen
from PIL import Image

from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from tests.support.media.recordings import tone
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.service import Service
from tests.support.wait import until

QUICK = {"poll_interval_ms": 200, "timeout_ms": 180_000}
pytestmark = pytest.mark.contract("F44")


@pytest.fixture(scope="module")
def vg(studio: Service):
    with videogen.VideoGen(api_key=studio.key, base_url=f"{studio.url}/videogen") as client:
        yield client


@pytest.fixture(scope="module")
def photo(vg) -> str:
    """The file id of an uploaded photograph of a mug, once it may be used."""
    uploaded = vg.upload_file(PHOTO.read_bytes(), display_name="mug.jpg", type="IMAGE", poll_interval_ms=200)
    return uploaded["file_id"]


@pytest.fixture(scope="module")
def picture(vg) -> dict:
    """The result of a tool that made a picture."""
    return vg.tools.generate_image_and_wait(prompt="a green star on a white background", **QUICK)["results"][0]


def download(result: dict) -> bytes:
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


@pytest.mark.contract("D1")
@pytest.mark.contract("D42")
def test_generate_image_makes_a_picture_of_its_ratio(vg):
    ended = vg.tools.generate_image_and_wait(
        prompt="a green star on a white background", aspect_ratio={"width": 4, "height": 3}, **QUICK
    )
    assert ("succeeded", 100, "GENERATE_IMAGE") == (ended["status"], ended["progress_percentage"], ended["tool_type"])
    (result,) = ended["results"]
    image = decoded(download(result))
    assert ("PNG", (1024, 768)) == (image.format, image.size)
    assert result["file_id"] == result["file"]["file_id"]


@pytest.mark.contract("D7")
def test_several_results_are_several_pictures(vg):
    ended = vg.tools.generate_image_and_wait(
        prompt="a red circle on a black background", num_results=3, quality="LOW", **QUICK
    )
    pictures = [np.asarray(decoded(download(result))) for result in ended["results"]]
    assert 3 == len({one.tobytes() for one in pictures}) == len({result["file_id"] for result in ended["results"]})


@pytest.mark.contract("D5")
def test_the_mark_is_there_where_it_is_asked_for(vg):
    marked, plain = (
        np.asarray(
            decoded(
                download(
                    vg.tools.generate_image_and_wait(
                        prompt="a red circle on a black background",
                        watermark_mode=mode,
                        aspect_ratio={"width": 1, "height": 1},
                        **QUICK,
                    )["results"][0]
                )
            ).convert("L")
        )[-64:, :320]
        for mode in ("VIDEO_GEN", "NONE")
    )
    assert np.count_nonzero(plain > 150) + 500 < np.count_nonzero(marked > 150)


@pytest.mark.contract("D13")
def test_a_clip_moves_over_its_first_frame(vg, photo):
    ended = vg.tools.generate_video_clip_and_wait(
        prompt="slow zoom in",
        start_frame_file_id=photo,
        duration_seconds=1,
        aspect_ratio={"width": 4, "height": 3},
        **QUICK,
    )
    (result,) = ended["results"]
    frames = frames_of(download(result))
    assert ("VIDEO", (576, 768, 3)) == (result["type"], frames[0].shape)
    assert 24 == pytest.approx(len(frames), abs=1)
    assert 1 < np.abs(frames[0].astype(int) - frames[-1]).mean()


def test_the_3d_effect_moves_too(vg, photo):
    (result,) = vg.tools.image3d_effect_and_wait(image_file_id=photo, **QUICK)["results"]
    frames = frames_of(download(result))
    assert 1 < np.abs(frames[0].astype(int) - frames[len(frames) // 2]).mean()


@pytest.mark.contract("D14")
def test_speech_has_its_voice_and_speed(vg):
    (voice,) = vg.resources.list_tts_voices(query="espeak")["tts_voices"]
    text = "The quick brown fox jumps over the lazy dog."
    usual, fast = (
        vg.tools.text_to_speech_and_wait(tts_text=text, voice_id=voice[name], voice_speed=speed, **QUICK)["results"][0]
        for name, speed in (("voice_id", 1.0), ("display_name", 2.0))
    )
    assert ("AUDIO", None) == (usual["type"], usual["thumbnail_url"])
    lengths = [seconds_of(download(result)) for result in (usual, fast)]
    assert 1 < lengths[0]
    assert lengths[0] / 2 == pytest.approx(lengths[1], rel=0.15)


@pytest.mark.contract("D18")
def test_a_background_is_removed(vg, photo):
    (result,) = vg.tools.remove_image_background_and_wait(image_file_id=photo, **QUICK)["results"]
    image = decoded(download(result))
    assert ("PNG", "RGBA") == (image.format, image.mode)
    with Image.open(PHOTO_MASK) as mask:
        wanted = np.asarray(mask, np.float32) / 255
    assert 0.9 < overlap(np.asarray(image.getchannel("A"), np.float32) / 255, wanted)


@pytest.mark.contract("D22")
def test_a_cancelled_execution_is_not_computed(vg):
    started = vg.tools.generate_image(prompt="a blue ring on a white background", num_results=100)
    vg.tools.cancel_tool_execution(tool_execution_id=started["tool_execution_id"])
    ended = vg.poll_executed_tool(started["tool_execution_id"], throw_on_failure=False, **QUICK)
    assert ("cancelled", []) == (ended["status"], ended["results"])


@pytest.mark.contract("D27")
@pytest.mark.contract("D28")
def test_an_upload_comes_back_as_it_is(vg, photo):
    assert PHOTO.read_bytes() == vg.download_file(photo)
    file = vg.get_hydrated_file(photo)
    assert ("IMAGE", "mug.jpg", "ready") == (file["type"], file["display_name"], file["download_source"]["status"])


def test_a_recording_is_uploaded_with_a_content_type(vg):
    uploaded = vg.upload_file(tone(1), display_name="tone.wav", content_type="audio/wav", poll_interval_ms=200)
    assert ("AUDIO", None) == (uploaded["type"], uploaded["thumbnail_source"])
    assert tone(1) == vg.download_file(uploaded["file_id"])


@pytest.mark.contract("D24")
@pytest.mark.contract("D25")
@pytest.mark.contract("D26")
def test_what_was_made_is_found_again(vg, picture):
    listed = [file["file_id"] for file in vg.files.get_files(limit=200)["files"]]
    found = [one["file"]["file_id"] for one in vg.files.search_files(query="green star", num_results=100)["results"]]
    assert picture["file_id"] in listed
    assert picture["file_id"] in found
    file = vg.files.get_file(file_id=picture["file_id"])
    assert "PNG" == decoded(vg.download_file(file["file_id"])).format
    executions = vg.tools.list_tool_executions(limit=200)["tool_executions"]
    assert file["source_tool_execution_id"] in [one["tool_execution_id"] for one in executions]


def test_a_result_is_the_input_of_the_next_tool(vg, picture):
    (result,) = vg.tools.remove_image_background_and_wait(image_file_id=picture["file_id"], **QUICK)["results"]
    assert "RGBA" == decoded(download(result)).mode


@pytest.mark.contract("D30")
@pytest.mark.contract("D31")
@pytest.mark.contract("D43")
def test_a_public_preview_is_a_page_until_it_is_disabled(studio, vg, picture):
    shown = vg.create_public_preview(picture["file_id"], wait_for_embed_playback_id=True, poll_interval_ms=200)
    url = shown["static_public_preview_source"]["url"]
    viewer = f"{studio.url}/p/{shown['public_playback_id']}/view"
    assert "PNG" == decoded(httpx.get(url, follow_redirects=True).content).format
    page = httpx.get(viewer)
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["content-type"])
    assert f'<img src="/p/{shown["public_playback_id"]}"' in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    vg.files.disable_public_preview(file_id=picture["file_id"])
    assert [404, 404] == [httpx.get(each).status_code for each in (url, viewer)]


@pytest.mark.contract("D29")
def test_an_archived_file_leaves_the_lists(vg):
    file = vg.upload_file(tone(0.2), display_name="short.wav", poll_interval_ms=200)
    assert file["file_id"] == vg.files.archive_file(file_id=file["file_id"])["file_id"]
    assert file["file_id"] not in [one["file_id"] for one in vg.files.get_files(limit=200)["files"]]


@pytest.mark.contract("D38")
def test_a_webhook_is_verified_by_the_clients_own_verifier(vg):
    with WebhookReceiver() as sink:
        endpoint = vg.webhooks.create_webhook_endpoint(url=sink.url, events=["tool_execution.succeeded"])
        started = vg.tools.generate_image(prompt="a blue ring on a white background", num_results=9, quality="LOW")
        try:
            (received,) = until(lambda: list(sink.received), 180, "the webhook")
        finally:
            vg.webhooks.delete_webhook_endpoint(endpoint_id=endpoint["endpoint_id"])
    event = videogen.verify_webhook_signature(received.body, received.headers, endpoint["signing_secret"])
    assert ("tool_execution.succeeded", started["tool_execution_id"]) == (event["event"], event["tool_execution_id"])
    assert 9 == len(event["results"])
    assert "PNG" == decoded(download(event["results"][0])).format
    with pytest.raises(videogen.VideoGenError, match="Invalid webhook signature"):
        videogen.verify_webhook_signature(received.body + b" ", received.headers, endpoint["signing_secret"])


async def test_the_asynchronous_client_makes_a_picture(studio, tmp_path: Path):
    async with videogen.AsyncVideoGen(api_key=studio.key, base_url=f"{studio.url}/videogen") as client:
        ended = await client.tools.generate_image_and_wait(prompt="a red circle on a black background", **QUICK)
        content = await client.download_file(ended["results"][0]["file_id"], output_path=tmp_path / "circle.png")
    assert content == (tmp_path / "circle.png").read_bytes()
    assert "PNG" == decoded(content).format
