"""`imagepipeline` 0.4.0 from the package registry, unmodified: only its base URL and its key are ours."""

import json
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import trimesh
from imagepipeline import ImagePipeline, JobStatus
from imagepipeline.exceptions import APIError, AuthenticationError, JobFailedError
from PIL import Image
from skimage.color import rgb2lab
from standardwebhooks import Webhook

from core.signing import webhook_secret
from pipelines.matting.evaluate import PHOTO, PHOTO_MASK, overlap
from tests.support.servers.media_server import MediaServer
from tests.support.servers.webhook_receiver import WebhookReceiver
from tests.support.service.finished import download
from tests.support.service.service import Service
from tests.support.wait import until

PROMPT = "a red circle on a blue background"
SIDE = 256
LOGO_COLOR = (0, 255, 0)
PALETTE = ["#D62828", "#003049"]


@pytest.fixture(scope="module")
def shop() -> Iterator[MediaServer]:
    """A web server of the caller's, with a photo of a mug and a logo that is a green square."""
    logo = BytesIO()
    Image.new("RGBA", (40, 40), (*LOGO_COLOR, 255)).save(logo, "PNG")
    with MediaServer() as server:
        server.serve("/mug.jpg", PHOTO.read_bytes(), headers={"content-type": "image/jpeg"})
        server.serve("/logo.png", logo.getvalue(), headers={"content-type": "image/png"})
        yield server


@pytest.fixture
def client(studio: Service) -> ImagePipeline:
    return ImagePipeline(studio.key, base_url=f"{studio.url}/imagepipeline")


def picture(url: str | None) -> Image.Image:
    assert url is not None
    return Image.open(BytesIO(download(url)))


def status(studio: Service, job: Any) -> dict[str, Any]:
    """All of the answer that the client reads a part of."""
    answer = studio.client.get(f"/imagepipeline/{job.endpoint}/status/{job.job_id}")
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def generate(client: ImagePipeline, **fields: Any) -> Any:
    return client.generate.image(prompt=PROMPT, **({"width": SIDE, "height": SIDE, "seed": 7} | fields))


@pytest.mark.contract("F43")
def test_an_image_is_generated_and_downloaded(client: ImagePipeline) -> None:
    job = generate(client)
    image = picture(job.url)
    assert ("WEBP", (SIDE, SIDE)) == (image.format, image.size)
    assert (JobStatus.COMPLETED, 100, "image/webp") == (job.status, job.progress, job.result_mime_type)
    assert job.inference_time_seconds <= job.total_elapsed_seconds
    assert (0, None, None) == (job.cost_usd, job.error, job.failure_reason_code)


def test_a_film_is_generated(client: ImagePipeline, shop: MediaServer) -> None:
    job = client.generate.video(input_image=f"{shop.url}/mug.jpg", width=128, height=96, duration_seconds=0.5)
    with av.open(BytesIO(download(job.url))) as film:
        frames = list(film.decode(video=0))
    assert ("video/mp4", (128, 96)) == (job.result_mime_type, (frames[0].width, frames[0].height))
    assert 5 < len(frames)


def test_a_text_is_spoken(client: ImagePipeline) -> None:
    job = client.generate.speech(text="Good morning.")
    with av.open(BytesIO(download(job.url))) as recording:
        samples = sum(frame.samples for frame in recording.decode(audio=0))
    assert ("audio/wav", True) == (job.result_mime_type, samples > 4000)


@pytest.mark.contract("C43")
def test_the_clients_default_gives_the_mesh_and_the_painted_one(
    client: ImagePipeline, studio: Service, shop: MediaServer
) -> None:
    job = client.generate.generate_3d(image_path=f"{shop.url}/mug.jpg", mesh_save_name="mug.glb")
    assert "model/gltf-binary" == job.result_mime_type
    painted, _, plain = status(studio, job)["result_urls"]
    assert painted == job.url
    meshes = [
        trimesh.load(BytesIO(download(url)), file_type="glb", force="mesh", process=False) for url in (painted, plain)
    ]
    assert all(len(mesh.faces) > 500 for mesh in meshes)
    assert [True, False] == [getattr(mesh.visual, "uv", None) is not None for mesh in meshes]


def test_an_upload_is_the_input_of_a_call(client: ImagePipeline) -> None:
    uploaded = client.upload.image(str(PHOTO))
    assert (PHOTO.name, "image/jpeg", PHOTO.stat().st_size) == (
        uploaded.filename,
        uploaded.content_type,
        uploaded.size_bytes,
    )
    assert PHOTO.read_bytes() == download(uploaded.url)
    cutout = picture(client.background.remove(input_image=uploaded.url).cutout_url)
    assert (1024, 768) == cutout.size


def test_a_background_is_removed(client: ImagePipeline, shop: MediaServer) -> None:
    job = client.background.remove(input_image=f"{shop.url}/mug.jpg")
    image = picture(job.cutout_url)
    assert ("PNG", "RGBA", None) == (image.format, image.mode, job.url)
    assert 0.9 < overlap(np.asarray(image.getchannel("A"), np.float32) / 255, mask())


def test_a_background_is_recolored_with_a_shadow(client: ImagePipeline, shop: MediaServer) -> None:
    plain = client.background.remove(input_image=f"{shop.url}/mug.jpg", recolor="F0F0F0")
    shaded = client.background.remove(
        input_image=f"{shop.url}/mug.jpg", recolor="#F0F0F0", drop_shadow=True, shadow_dx=0.05, output_format="jpeg"
    )
    flat, shadowed = (np.asarray(picture(job.url).convert("RGB")).astype(int) for job in (plain, shaded))
    assert (240, 240, 240) == tuple(flat[3, 3])
    assert ("image/png", "image/jpeg") == (plain.result_mime_type, shaded.result_mime_type)
    outside = mask() == 0
    assert 10 < (flat[outside] - shadowed[outside]).max()
    assert "RGBA" == picture(shaded.cutout_url).mode


@pytest.mark.contract("C20", "F41")
def test_a_logo_is_stamped_bottom_right_at_half_opacity(client: ImagePipeline, shop: MediaServer) -> None:
    plain, stamped = (
        np.asarray(picture(generate(client, output_format="png", **fields).url)).astype(int)
        for fields in ({}, {"logo_url": f"{shop.url}/logo.png"})
    )
    changed = np.abs(stamped - plain).max(axis=2) > 0
    rows, columns = np.nonzero(changed)
    assert SIDE * 3 // 4 < rows.min() <= rows.max() < SIDE
    assert SIDE * 3 // 4 < columns.min() <= columns.max() < SIDE
    half = (plain + np.array(LOGO_COLOR)) / 2
    assert np.abs(stamped - half)[changed].max() <= 1.5


def test_a_logo_is_stamped_on_a_picture_that_is_there(client: ImagePipeline, shop: MediaServer) -> None:
    job = client.branding.logo(
        input_image=f"{shop.url}/mug.jpg", logo_url=f"{shop.url}/logo.png", position="top_left", output_format="png"
    )
    with Image.open(PHOTO) as photo:
        before = np.asarray(photo.convert("RGB")).astype(int)
    after = np.asarray(picture(job.url).convert("RGB")).astype(int)
    rows, columns = np.nonzero(np.abs(after - before).max(axis=2) > 0)
    assert (40, 40) == (np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert rows.max() < 768 // 4
    assert columns.max() < 1024 // 4


@pytest.mark.contract("C21", "F41")
def test_a_palette_moves_the_colors_as_the_status_says(client: ImagePipeline, studio: Service) -> None:
    fields = {"prompt": PROMPT, "width": SIDE, "height": SIDE, "seed": 7, "output_format": "png", "palette": PALETTE}
    accepted = studio.client.post("/imagepipeline/generate/image/v1", json=fields).raise_for_status()
    job = client._transport.poll("generate/image/v1", accepted.json()["job_id"])
    found = status(studio, job)
    measured = distance(picture(job.url))
    assert measured == pytest.approx(found["palette_distance"], abs=0.5)
    assert measured < 0.9 * found["palette_distance_before"]
    assert measured < distance(picture(generate(client, output_format="png").url))


def test_a_subject_gets_another_background(client: ImagePipeline, shop: MediaServer) -> None:
    job = client.background.change(
        input_image=f"{shop.url}/mug.jpg", prompt=PROMPT, subject_description="mug", output_format="png", seed=7
    )
    made = np.asarray(picture(job.url).convert("RGB")).astype(int)
    with Image.open(PHOTO) as photo:
        before = np.asarray(photo.convert("RGB")).astype(int)
    assert before.shape == made.shape
    inside = np.abs(made - before)[mask() == 1].max(axis=1)
    assert 0.9 < (inside <= 2).mean()
    assert 50 < np.abs(made - before)[:100, :100].mean()


@pytest.mark.contract("F41")
def test_a_template_takes_its_colors_from_the_subject(
    client: ImagePipeline, studio: Service, shop: MediaServer
) -> None:
    job = client.branding.template(
        input_image=f"{shop.url}/mug.jpg", background_prompt=PROMPT, logo_url=f"{shop.url}/logo.png", seed=7
    )
    assert (1024, 768) == picture(job.url).size
    found = status(studio, job)
    assert found["palette_distance"] < found["palette_distance_before"]


@pytest.mark.contract("C22")
def test_a_profile_gives_the_defaults_of_a_job(client: ImagePipeline, studio: Service) -> None:
    made = client.identity.create_profile(
        name="Catalog",
        prompt_template="{{ user_prompt }} on a white background",
        width=128,
        height=192,
        output_format="png",
        seed_strategy="fixed",
        fixed_seed=11,
    )
    profile_id = made["profile_id"]
    assert made == client.identity.get_profile(profile_id)
    assert profile_id in [one["profile_id"] for one in client.identity.list_profiles()["profiles"]]
    job = client.generate.image(prompt="a red circle", profile_id=profile_id)
    image = picture(job.url)
    assert ("PNG", (128, 192)) == (image.format, image.size)
    request = studio.client.get(f"/jobs/v1/{job.job_id}/request").json()
    assert "a red circle on a white background" in json.dumps(request)
    assert 11 == status(studio, job)["seed"]
    client.identity.delete_profile(profile_id)
    with pytest.raises(APIError) as gone:
        client.identity.get_profile(profile_id)
    assert (404, "NOT_FOUND") == (gone.value.status_code, gone.value.error_code)


def test_the_callback_is_flat_and_signed(client: ImagePipeline, studio: Service) -> None:
    with WebhookReceiver() as sink:
        job = generate(client, callback_url=sink.url, wait=False)
        assert JobStatus.QUEUED is job.status
        (received,) = until(lambda: list(sink.received), 60, "the callback")
    secret = webhook_secret(studio.settings.secret_key, studio.tenant, 1)
    event = Webhook(secret).verify(received.body, received.headers)
    assert (job.job_id, "completed", "image/webp") == (event["job_id"], event["status"], event["result_mime_type"])
    assert event["result_size_bytes"] == len(download(event["result_url"]))


def test_the_account_lists_what_can_be_done(client: ImagePipeline) -> None:
    allowed = client.account()["allowed_operations"]
    assert {"generate/image/v1", "background/remove/image/v1", "branding/logo/image/v1"} <= set(allowed)
    assert "edit/image/v1" not in allowed


@pytest.mark.parametrize("call", ["edit", "upscale", "segment", "faceswap", "lock", "instamodel", "tryon", "voice"])
def test_what_no_served_model_can_do_is_named(client: ImagePipeline, shop: MediaServer, call: str) -> None:
    mug = f"{shop.url}/mug.jpg"
    calls = {
        "edit": lambda: client.edit.image(prompt="in velvet", input_image=mug),
        "upscale": lambda: client.upscale.image(input_image=mug),
        "segment": lambda: client.segment.image(mug),
        "faceswap": lambda: client.identity.faceswap(source=mug, target=mug),
        "lock": lambda: client.identity.lock(input_image=mug, prompt="a portrait"),
        "instamodel": lambda: client.identity.instamodel(face_image=mug, prompt="a portrait"),
        "tryon": lambda: client.identity.tryon(person_image=mug, clothing_image=mug),
        "voice": lambda: client.identity.voice_clone(text="Hello.", reference_voice_url=mug),
    }
    with pytest.raises(APIError) as refused:
        calls[call]()
    assert (422, "NO_MODEL_AVAILABLE") == (refused.value.status_code, refused.value.error_code)


def test_a_job_that_fails_says_why(client: ImagePipeline, shop: MediaServer) -> None:
    with pytest.raises(JobFailedError, match=r"(fetched|404)"):
        client.background.remove(input_image=f"{shop.url}/missing.jpg")


def test_a_wrong_key_is_the_clients_authentication_error(studio: Service) -> None:
    with pytest.raises(AuthenticationError):
        ImagePipeline("ip_live_x", base_url=f"{studio.url}/imagepipeline").account()


def test_an_upload_that_is_no_picture_is_refused(client: ImagePipeline, tmp_path: Path) -> None:
    (tmp_path / "notes.png").write_text("not a picture")
    with pytest.raises(APIError) as refused:
        client.upload.image(str(tmp_path / "notes.png"))
    assert (422, "INVALID_PARAMETERS") == (refused.value.status_code, refused.value.error_code)


def mask() -> np.ndarray:
    """Where the mug is, 0 to 1, as its renderer knows it."""
    with Image.open(PHOTO_MASK) as drawn:
        return np.asarray(drawn, np.float32) / 255


def distance(image: Image.Image) -> float:
    """The mean distance to the palette, by scikit-image's conversion of colors and not the service's."""
    colors = np.array([tuple(bytes.fromhex(color[1:])) for color in PALETTE], np.uint8)
    pixels = rgb2lab(np.asarray(image.convert("RGB"))).reshape(-1, 3)
    return float(np.linalg.norm(pixels[:, None] - rgb2lab(colors[None])[0][None], axis=-1).min(axis=1).mean())
