"""Workloads: which requests are like each other, and how many times as long one takes."""

import msgspec
import pytest

from jobs.params.registry import PARAMS_OF
from pipelines.catalog.loader import load_catalog
from pipelines.catalog.workload import catalog_seconds, proportion, workload_of, workload_of_row

CATALOG = load_catalog()
LAMP = {"input_image": "https://shop.example/lamp.jpg"}


def workload(model, **fields):
    spec = CATALOG.get(model)
    needed = {
        "image": {"prompt": "a lamp"},
        "speech": {"text": "a lamp"},
        "sound": {"prompt": "rain"},
        "music": {"prompt": "happy"},
    }.get(spec.modality, {})
    params = msgspec.convert({"modality": spec.modality} | needed | fields, PARAMS_OF[spec.modality])
    return workload_of(spec, params)


@pytest.mark.parametrize(
    ("model", "fields", "amount"),
    [
        ("sdxl", {}, 30 * 1024 * 1024 / 1e6),
        ("sdxl", {"num_images": 2, "num_inference_steps": 10, "width": 500, "height": 500}, 5.0),
        ("sdxl", {"quality": "fast", "width": 1000, "height": 1000}, 20.0),
        ("sdxl", {"num_inference_steps": 10, "width": 1000, "height": 1000, "strength": 0.35} | LAMP, 3.0),
        ("sdxl", {"num_inference_steps": 10, "width": 1000, "height": 1000, "padding": {"left": 8}} | LAMP, 10.0),
        ("demo-shapes", {"width": 1024}, 12.0),  # it makes its own size
        ("wan2.2-ti2v-5b", {"width": 512, "height": 512, "duration_seconds": 4.0}, 50 * 4 * 512 * 512 / 1e6),
        ("chatterbox", {"text": "a" * 120}, 120.0),
        ("demo-sound", {"duration_seconds": 12.0}, 12.0),
        ("demo-music", {"duration_seconds": 60}, 60.0),
        ("birefnet-general", {"image_url": "https://shop.example/lamp.jpg"}, 1.0),
    ],
)
def test_work_is_what_the_request_makes_the_model_do(model, fields, amount):
    assert amount == pytest.approx(workload(model, **fields).amount)


@pytest.mark.parametrize(
    ("other", "is_like"),
    [
        ({"width": 960}, True),
        ({"width": 512}, False),
        ({"num_inference_steps": 31}, False),
        ({"num_images": 2}, False),
        ({"quality": "pro", "num_inference_steps": 30}, False),
        (LAMP | {"strength": 1.0}, False),
    ],
)
def test_jobs_are_alike_by_kind_steps_outputs_and_size(other, is_like):
    assert is_like == workload("sdxl").is_like(workload("sdxl", **other))


def test_a_row_has_the_workload_of_its_request():
    spec = CATALOG.get("chatterbox")
    params = msgspec.convert({"modality": "speech", "text": "Good morning."}, PARAMS_OF["speech"])
    row = msgspec.to_builtins(params)
    assert workload_of(spec, params) == workload_of_row(spec, row)
    assert workload_of(spec, params) == workload_of_row(spec, {**row, "text": ""}, characters=13)
    assert workload_of_row(spec, {}) is None, "the retention of prompts has removed it"
    assert workload_of_row(CATALOG.get("sdxl"), {"num_images": "many"}) is None


def test_the_catalogs_figure_is_in_proportion_to_the_work():
    spec = CATALOG.get("sdxl")
    assert spec.estimated_seconds == catalog_seconds(spec, workload("sdxl")) == catalog_seconds(spec, None)
    assert 2 * spec.estimated_seconds == pytest.approx(catalog_seconds(spec, workload("sdxl", num_images=2)))
    assert 0.1 == proportion(workload("sdxl", width=64, height=64), workload("sdxl"))


def test_the_size_is_the_one_that_is_made():
    spec = CATALOG.get("sdxl")
    limits = msgspec.structs.replace(spec.limits, resolutions=("2K",), max_side=2048)
    larger = msgspec.structs.replace(spec, limits=limits)
    params = msgspec.convert({"prompt": "a lamp", "resolution": "2K"}, PARAMS_OF["image"])
    assert 4.0 == pytest.approx(proportion(workload_of(larger, params), workload("sdxl")))
    longest = msgspec.structs.replace(CATALOG.get("demo-scene").limits, durations=(2.0, 4.0))
    film = msgspec.structs.replace(CATALOG.get("demo-scene"), limits=longest)
    asked = msgspec.convert({"prompt": "a lamp", "duration_seconds": 3.5}, PARAMS_OF["video"])
    assert 2.0 == proportion(workload_of(film, asked), workload("demo-scene", prompt="a lamp"))


def test_a_film_is_not_like_a_picture():
    picture, film = (
        workload("demo-upscale", **{name: "https://shop.example/lamp"}) for name in ("input_image", "input_video")
    )
    assert not film.is_like(picture)
    assert film.is_like(workload("demo-upscale", input_video="https://shop.example/other"))
