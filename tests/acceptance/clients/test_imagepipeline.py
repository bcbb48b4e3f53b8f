"""`imagepipeline` 0.4.0 from the package registry, unmodified: only its base URL and its key are ours."""

import json
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import trimesh
from imagepipeline import ImagePipeline, Job, JobStatus
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


@pytest.fixture(scope="module")
def client(studio: Service) -> ImagePipeline:
    return ImagePipeline(studio.key, base_url=f"{studio.url}/imagepipeline")


@pytest.fixture(scope="module")
def jobs(client: ImagePipeline, shop: MediaServer) -> dict[str, Job]:
    """The job of every call, submitted at once: the later ones are computed while tests look at the earlier ones."""
    mug, logo = f"{shop.url}/mug.jpg", f"{shop.url}/logo.png"
    image = {"prompt": PROMPT, "width": SIDE, "height": SIDE, "seed": 7, "output_format": "png"}
    uploaded = client.upload.image(str(PHOTO))
    return {
        "plain": client.generate.image(**image, wait=False),
        "stamped": client.generate.image(**image, logo_url=logo, wait=False),
        "palette": client._transport.submit("generate/image/v1", image | {"palette": PALETTE}),
        "film": client.generate.video(input_image=mug, width=128, height=96, duration_seconds=0.5, wait=False),
        "speech": client.generate.speech(text="Good morning.", wait=False),
        "mesh": client.generate.generate_3d(image_path=mug, mesh_save_name="mug.glb", wait=False),
        "cutout": client.background.remove(input_image=uploaded.url, wait=False),
        "recolored": client.background.remove(
            input_image=mug, recolor="#F0F0F0", drop_shadow=True, shadow_dx=0.05, output_format="jpeg", wait=False
        ),
        "branded": client.branding.logo(
            input_image=mug, logo_url=logo, position="top_left", output_format="png", wait=False
        ),
        "changed": client.background.change(
            input_image=mug, prompt=PROMPT, subject_description="mug", output_format="png", seed=7, wait=False
        ),
        "kept": client.edit.image(
            prompt=PROMPT, input_image=mug, mask_segment="background", output_format="png", seed=7, wait=False
        ),
        "template": client.branding.template(
            input_image=mug, background_prompt=PROMPT, logo_url=logo, seed=7, wait=False
        ),
        "missing": client.background.remove(input_image=f"{shop.url}/missing.jpg", wait=False),
    }


@pytest.fixture
def ended(client: ImagePipeline, studio: Service) -> Callable[[Job], Job]:
    """A job as the client's own poll reads it, which looks every 3 s; it is asked once the job has ended."""

    def poll(job: Job) -> Job:
        studio.ended(job.job_id, 120)
        return client._transport.poll(job.endpoint, job.job_id)

    return poll


def picture(url: str | None) -> Image.Image:
    assert url is not None
    return Image.open(BytesIO(download(url)))


def pixels(url: str | None) -> Any:
    return np.asarray(picture(url).convert("RGB")).astype(int)


def photo() -> Any:
    with Image.open(PHOTO) as shown:
        return np.asarray(shown.convert("RGB")).astype(int)


def status(studio: Service, job: Job) -> dict[str, Any]:
    """All of the answer that the client reads a part of."""
    answer = studio.client.get(f"/imagepipeline/{job.endpoint}/status/{job.job_id}")
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


@pytest.mark.contract("F43")
def test_an_image_is_generated_and_downloaded(client: ImagePipeline) -> None:
    job = client.generate.image(prompt=PROMPT, width=SIDE, height=SIDE)
    image = picture(job.url)
    assert ("WEBP", (SIDE, SIDE)) == (image.format, image.size)
    assert (JobStatus.COMPLETED, 100, "image/webp") == (job.status, job.progress, job.result_mime_type)
    assert job.inference_time_seconds <= job.total_elapsed_seconds
    assert (0, None, None) == (job.cost_usd, job.error, job.failure_reason_code)


@pytest.mark.contract("C20", "F41")
def test_a_logo_is_stamped_bottom_right_at_half_opacity(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    plain, stamped = (pixels(ended(jobs[name]).url) for name in ("plain", "stamped"))
    changed = np.abs(stamped - plain).max(axis=2) > 0
    rows, columns = np.nonzero(changed)
    assert SIDE * 3 // 4 < rows.min() <= rows.max() < SIDE
    assert SIDE * 3 // 4 < columns.min() <= columns.max() < SIDE
    half = (plain + np.array(LOGO_COLOR)) / 2
    assert np.abs(stamped - half)[changed].max() <= 1.5


@pytest.mark.contract("C21", "F41")
def test_a_palette_moves_the_colors_as_the_status_says(
    jobs: dict[str, Job], ended: Callable[[Job], Job], studio: Service
) -> None:
    job = ended(jobs["palette"])
    found = status(studio, job)
    measured = distance(picture(job.url))
    assert measured == pytest.approx(found["palette_distance"], abs=0.5)
    assert measured < 0.9 * found["palette_distance_before"]
    assert measured < distance(picture(ended(jobs["plain"]).url))


@pytest.mark.long
def test_a_film_is_generated(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    job = ended(jobs["film"])
    with av.open(BytesIO(download(job.url))) as film:
        frames = list(film.decode(video=0))
    assert ("video/mp4", (128, 96)) == (job.result_mime_type, (frames[0].width, frames[0].height))
    assert 5 < len(frames)


@pytest.mark.long
def test_a_text_is_spoken(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    job = ended(jobs["speech"])
    with av.open(BytesIO(download(job.url))) as recording:
        samples = sum(frame.samples for frame in recording.decode(audio=0))
    assert ("audio/wav", True) == (job.result_mime_type, samples > 4000)


@pytest.mark.contract("C43")
def test_the_clients_default_gives_the_mesh_and_the_painted_one(
    jobs: dict[str, Job], ended: Callable[[Job], Job], studio: Service
) -> None:
    job = ended(jobs["mesh"])
    assert "model/gltf-binary" == job.result_mime_type
    painted, _, plain = status(studio, job)["result_urls"]
    assert painted == job.url
    meshes = [
        trimesh.load(BytesIO(download(url)), file_type="glb", force="mesh", process=False) for url in (painted, plain)
    ]
    assert all(len(mesh.faces) > 500 for mesh in meshes)
    assert [True, False] == [getattr(mesh.visual, "uv", None) is not None for mesh in meshes]


def test_the_background_of_an_upload_is_removed(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    job = ended(jobs["cutout"])
    image = picture(job.cutout_url)
    assert ("PNG", "RGBA", (1024, 768), None) == (image.format, image.mode, image.size, job.url)
    assert 0.9 < overlap(np.asarray(image.getchannel("A"), np.float32) / 255, mask())


def test_an_upload_downloads_as_it_was(client: ImagePipeline) -> None:
    uploaded = client.upload.image(str(PHOTO))
    size = PHOTO.stat().st_size
    assert (PHOTO.name, "image/jpeg", size) == (uploaded.filename, uploaded.content_type, uploaded.size_bytes)
    assert PHOTO.read_bytes() == download(uploaded.url)


@pytest.mark.long
def test_the_parts_of_an_upload_are_found(client: ImagePipeline, shop: MediaServer) -> None:
    found = client.segment.image(client.upload.image(str(PHOTO)).url)
    assert [("thing", "Thing")] == [(each.label, each.display) for each in found.segments]
    shown, before = pixels(found.preview_url), photo()
    colored = (np.abs(shown - before).max(axis=2) > 40).astype(np.float32)
    assert 0.85 < overlap(colored, mask())
    with pytest.raises(APIError, match=r"(fetched|404)") as refused:
        client.segment.image(f"{shop.url}/missing.jpg")
    assert 422 == refused.value.status_code


def test_a_background_is_recolored_with_a_shadow(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    job = ended(jobs["recolored"])
    shaded = pixels(job.url)
    assert "image/jpeg" == job.result_mime_type
    assert np.abs(shaded[3, 3] - 240).max() <= 2
    assert 10 < (240 - shaded[mask() == 0]).max()
    assert "RGBA" == picture(job.cutout_url).mode


def test_a_logo_is_stamped_on_a_picture_that_is_there(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    rows, columns = np.nonzero(np.abs(pixels(ended(jobs["branded"]).url) - photo()).max(axis=2) > 0)
    assert (40, 40) == (np.ptp(rows) + 1, np.ptp(columns) + 1)
    assert rows.max() < 768 // 4
    assert columns.max() < 1024 // 4


@pytest.mark.matrix
@pytest.mark.parametrize("call", ["changed", "kept"])
def test_a_subject_gets_another_background(jobs: dict[str, Job], ended: Callable[[Job], Job], call: str) -> None:
    made, before = pixels(ended(jobs[call]).url), photo()
    assert before.shape == made.shape
    inside = np.abs(made - before)[mask() == 1].max(axis=1)
    assert 0.9 < (inside <= 2).mean()
    assert 50 < np.abs(made - before)[:100, :100].mean()


@pytest.mark.contract("F41")
def test_a_template_takes_its_colors_from_the_subject(
    jobs: dict[str, Job], ended: Callable[[Job], Job], studio: Service
) -> None:
    job = ended(jobs["template"])
    assert (1024, 768) == picture(job.url).size
    found = status(studio, job)
    assert found["palette_distance"] < found["palette_distance_before"]


def test_a_job_that_fails_says_why(jobs: dict[str, Job], ended: Callable[[Job], Job]) -> None:
    with pytest.raises(JobFailedError, match=r"(fetched|404)"):
        ended(jobs["missing"])


@pytest.mark.contract("C22")
def test_a_profile_gives_the_defaults_of_a_job(
    client: ImagePipeline, ended: Callable[[Job], Job], studio: Service
) -> None:
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
    job = ended(client.generate.image(prompt="a red circle", profile_id=profile_id, wait=False))
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
        job = client.generate.image(prompt=PROMPT, width=SIDE, height=SIDE, callback_url=sink.url, wait=False)
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


def test_what_no_served_model_can_do_is_named(client: ImagePipeline) -> None:
    mug = "https://shop.example/mug.jpg"
    calls: dict[str, Callable[[], Any]] = {
        "edit": lambda: client.edit.image(prompt="in velvet", input_image=mug),
        "segment": lambda: client.edit.image(prompt="in velvet", input_image=mug, mask_segment="hat"),
        "faceswap": lambda: client.identity.faceswap(source=mug, target=mug),
        "lock": lambda: client.identity.lock(input_image=mug, prompt="a portrait"),
        "instamodel": lambda: client.identity.instamodel(face_image=mug, prompt="a portrait"),
        "tryon": lambda: client.identity.tryon(person_image=mug, clothing_image=mug),
        "voice": lambda: client.identity.voice_clone(text="Hello.", reference_voice_url=mug),
    }
    for name, call in calls.items():
        with pytest.raises(APIError) as refused:
            call()
        assert (422, "NO_MODEL_AVAILABLE") == (refused.value.status_code, refused.value.error_code), name


def test_refusals_are_the_clients_own_errors(client: ImagePipeline, studio: Service, tmp_path: Path) -> None:
    with pytest.raises(AuthenticationError):
        ImagePipeline("ip_live_x", base_url=f"{studio.url}/imagepipeline").account()
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
