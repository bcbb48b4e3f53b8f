"""The main job: from a prompt to a stored, downloadable picture, through every real part."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image

from pipelines.catalog.loader import load_catalog
from tests.support.service import finished
from tests.support.service.service import Service
from tests.support.service.sse import events

PROMPT = "a red circle on a blue background"
SPEC = load_catalog().get("demo-shapes")
NATIVE = {"width": SPEC.defaults.width, "height": SPEC.defaults.height}


def make(studio: Service, **fields: Any) -> dict[str, Any]:
    return finished.make(studio, "image", **{"prompt": PROMPT, **fields})


def picture(status: dict[str, Any]) -> Image.Image:
    """The job's first output."""
    return Image.open(BytesIO(finished.download(status["result_url"])))


@pytest.mark.contract("C23", "E1")
def test_a_prompt_becomes_a_webp_that_shows_it(studio: Service) -> None:
    status = make(studio, **NATIVE, seed=1)
    image = picture(status)
    assert ("WEBP", (NATIVE["width"], NATIVE["height"])) == (image.format, image.size)
    red, green, blue = np.asarray(image.convert("RGB")).reshape(-1, 3).astype(int).T
    background = (blue > red + 60) & (blue > green + 60)
    circle = (red > blue + 60) & (red > green + 60)
    assert 0.5 < background.mean() < 0.99
    assert 0.01 < circle.mean() < 0.4
    assert ("studio", "demo-shapes", 1, []) == (
        status["server_id"],
        status["model"],
        status["seed"],
        status["warnings"],
    )
    (output,) = status["outputs"]
    assert {"url": status["result_url"], "media_type": "image/webp", **NATIVE}.items() <= output.items()


@pytest.mark.matrix
@pytest.mark.contract("C4")
@pytest.mark.parametrize(("output_format", "name"), [("webp", "WEBP"), ("jpeg", "JPEG"), ("png", "PNG")])
def test_each_output_format(studio: Service, output_format: str, name: str) -> None:
    assert name == picture(make(studio, **NATIVE, output_format=output_format)).format


@pytest.mark.long
def test_a_prompt_of_another_world_is_warned_of(studio: Service) -> None:
    (warning,) = make(studio, **NATIVE, prompt="a cat")["warnings"]
    assert warning.startswith('demo-shapes does not know "cat"')
    assert "atelier weights fetch flux2-klein-4b" in warning


@pytest.mark.contract("C14", "C15")
def test_another_size_than_the_models_own_is_made_and_said(studio: Service) -> None:
    status = make(studio, width=512, height=384)
    assert (512, 384) == picture(status).size
    assert any("256x256" in warning for warning in status["warnings"]), status["warnings"]
    assert (1024, 1024) == picture(make(studio)).size


@pytest.mark.contract("C16", "C17", "C18")
def test_the_same_prompt_and_seed_give_the_pixels_of_diffusers(studio: Service) -> None:
    torch.set_num_threads(1)
    pipeline = DiffusionPipeline.from_pretrained(SPEC.directory(Path()), dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    for seed, steps, guidance in ((7, 4, SPEC.defaults.guidance_scale or 0.0), (8, 6, 2.0)):
        direct = pipeline(
            prompt=PROMPT,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator("cpu").manual_seed(seed),
            **NATIVE,
        ).images[0]
        status = make(
            studio, **NATIVE, seed=seed, num_inference_steps=steps, guidance_scale=guidance, output_format="png"
        )
        assert seed == status["seed"]
        assert np.array_equal(np.asarray(direct.convert("RGB")), np.asarray(picture(status).convert("RGB")))


@pytest.mark.long
def test_a_random_seed_is_told_and_repeats_the_picture(studio: Service) -> None:
    first, second = make(studio, **NATIVE, output_format="png"), make(studio, **NATIVE, output_format="png")
    assert first["seed"] != second["seed"]
    again = make(studio, **NATIVE, output_format="png", seed=first["seed"])
    assert np.array_equal(np.asarray(picture(first)), np.asarray(picture(again)))


@pytest.mark.contract("C6")
def test_a_named_server_runs_the_job(studio: Service) -> None:
    assert "studio" == make(studio, **NATIVE, server_id="studio")["server_id"]


@pytest.mark.contract("E3")
def test_progress_is_told_step_by_step(studio: Service) -> None:
    accepted = studio.client.post("/generate/image/v1", json={"prompt": PROMPT, **NATIVE})
    assert 202 == accepted.status_code
    job_id = accepted.json()["job_id"]
    with studio.client.stream("GET", f"/jobs/v1/{job_id}/events") as stream:
        seen = list(events(stream))
    numbers = [event.number for event in seen]
    assert sorted(set(numbers)) == numbers
    fractions = [event.data["progress"] for event in seen]
    assert sorted(fractions) == fractions
    assert "completed" == seen[-1].name
    assert studio.client.get(accepted.headers["location"]).json()["result_url"] == seen[-1].data["result_url"]
