"""From a picture to a mesh, through every real part, with the demo relief."""

import base64
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image, ImageDraw

from jobs.job import JobStatus
from tests.support.paths import PHOTO
from tests.support.service import finished
from tests.support.service.finished import download
from tests.support.service.service import Service


def ring(mode: str = "RGBA") -> str:
    """A red ring on nothing, as a `data:` URL."""
    picture = Image.new(mode, (160, 120))
    ImageDraw.Draw(picture).ellipse((30, 10, 130, 110), outline="red", width=24)
    return data_url(picture)


def data_url(picture: Image.Image) -> str:
    file = BytesIO()
    picture.save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def make(studio: Service, **fields: Any) -> dict[str, Any]:
    return finished.make(studio, "3d", **{"image_path": ring(), "max_faces": 5000, **fields})


@pytest.mark.contract("C41", "C42", "C47")
@pytest.mark.parametrize("mode", ["generate", "paint"])
def test_a_picture_becomes_a_closed_glb_and_a_preview(studio: Service, mode: str) -> None:
    status = make(studio, mode=mode)

    mesh, preview = status["outputs"]
    assert "model/gltf-binary" == mesh["media_type"]
    made = trimesh.load_mesh(BytesIO(download(mesh["url"])), file_type="glb")
    assert made.is_watertight
    assert made.volume > 0
    assert 0 == made.euler_number  # a ring has one hole
    assert len(made.faces) <= 5000
    picture = np.asarray(Image.open(BytesIO(download(preview["url"]))).convert("RGB")).astype(int)
    assert "image/png" == preview["media_type"]
    assert picture.std() > 5


@pytest.mark.long
def test_a_photo_loses_its_background_first(studio: Service) -> None:
    """The service's own remover cuts the mug out: the mesh is closed and no slab of the whole picture."""
    status = make(studio, image_path=data_url(Image.open(PHOTO)))

    made = trimesh.load_mesh(BytesIO(download(status["result_url"])), file_type="glb")
    assert ["the image has no transparent background; demo-cutout removed it first"] == status["warnings"]
    assert made.is_watertight
    assert made.convex_hull.volume < 0.8 * np.prod(made.extents)


@pytest.mark.matrix
@pytest.mark.contract("C44")
@pytest.mark.parametrize("output_format", ["obj", "stl", "ply"])
def test_other_formats_under_a_name_of_ones_own(studio: Service, output_format: str) -> None:
    status = make(studio, output_format=output_format, mesh_save_name="ring.glb")

    assert [f"ring.{output_format}", None] == [output["name"] for output in status["outputs"]]
    made = trimesh.load_mesh(BytesIO(download(status["result_url"])), file_type=output_format)

    assert len(made.faces) > 100


def test_a_picture_without_an_object_fails_with_its_code(studio: Service) -> None:
    nothing = data_url(Image.new("RGBA", (64, 64)))
    answer = studio.client.post("/generate/3d/v1", json={"image_path": nothing})
    assert 202 == answer.status_code

    job = studio.ended(answer.json()["job_id"], 60)

    assert JobStatus.FAILED == job.status
    assert job.error is not None
    assert "input_unreadable" == job.error.code


@pytest.mark.parametrize("name", ["../../x", "a\0b", "a" * 300, "", "a/b.glb"])
@pytest.mark.parametrize("field", ["mesh_save_name", "painted_save_name"])
def test_a_hostile_name_is_refused(studio: Service, field: str, name: str) -> None:
    answer = studio.client.post("/generate/3d/v1", json={"image_path": ring(), field: name})

    assert (422, f"$.{field}") == (answer.status_code, answer.json()["field"])
