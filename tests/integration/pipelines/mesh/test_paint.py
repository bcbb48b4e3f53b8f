"""A mesh painted with an image looks like the image from the front.

The bound is 30 dB inside the silhouette; measured: 42 dB on the product's relief, 48 dB on a ball.
"""

from pathlib import Path

import numpy as np
import pytest
import trimesh
from PIL import Image

from core.errors.failures import EncodeFailed
from jobs.params.mesh import MeshParams
from pipelines.mesh.decimate import reduced
from pipelines.mesh.encode import encode
from pipelines.mesh.inflate import relief_of
from pipelines.mesh.paint import painted
from pipelines.mesh.render import render, turned
from pipelines.mesh.silhouette import read_object_image
from pipelines.mesh.surface import Mesh
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_triposg
from tests.support.checkpoints.specs import spec
from tests.support.media.solids import ball, raw_of, two_balls, welded
from tests.support.media.videos import psnr
from tests.support.paths import DOCS

IMAGES = DOCS / "images"
SIDE = 600
BOUND = 30.0


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The product's cut-out, cropped: RGBA."""
    file = tmp_path_factory.mktemp("product") / "cutout.png"
    with Image.open(IMAGES / "product.jpg") as photo, Image.open(IMAGES / "product_mask.png") as mask:
        photo.putalpha(mask)
        photo.save(file)
    return read_object_image(file)


@pytest.fixture(scope="module")
def waves() -> np.ndarray:
    """A round image of colored waves: RGBA."""
    y, x = np.mgrid[:300, :300]
    colors = np.stack([127 + 100 * np.sin(x / 9), 127 + 100 * np.cos(y / 13), np.full_like(x, 90)], axis=-1)
    alpha = np.where(np.hypot(x - 149.5, y - 149.5) < 150, 255, 0)
    return np.dstack([colors, alpha]).astype(np.uint8)


def expected(image: np.ndarray) -> np.ndarray:
    """The image as `render` places it: its longer side on 92 % of a square."""
    height, width = image.shape[:2]
    scale = 0.92 * SIDE / max(height, width)
    left, top = (SIDE - width * scale) / 2, (SIDE - height * scale) / 2
    back = (1 / scale, 0, -left / scale, 0, 1 / scale, -top / scale)
    placed = Image.fromarray(image).transform((SIDE, SIDE), Image.Transform.AFFINE, back, Image.Resampling.BILINEAR)
    return np.asarray(placed)


def likeness(mesh: Mesh, image: np.ndarray, yaw: float = 0) -> float:
    """Decibels between a view of the mesh and the image, where both are solid, which is nearly everywhere."""
    drawn, wanted = render(mesh, SIDE, turned(yaw, 0), lit=False), expected(image)
    if yaw:
        wanted = wanted[:, ::-1]
    both = (drawn[..., 3] > 0) & (wanted[..., 3] > 250)
    assert both.sum() > 0.97 * max((drawn[..., 3] > 0).sum(), (wanted[..., 3] > 127).sum())
    return float(psnr(wanted[both][:, :3], drawn[both][:, :3]))


def relief(image: np.ndarray, faces: int) -> Mesh:
    shape = relief_of(np.ascontiguousarray(image[..., 3]), 20_000)
    return reduced(Mesh(shape.vertices, shape.faces), faces)[0]


def test_the_front_of_the_products_relief_is_the_photo(product: np.ndarray) -> None:
    mesh = painted(relief(product, 4000), product)

    assert likeness(mesh, product) >= BOUND
    assert likeness(mesh, product, yaw=180) >= BOUND
    assert welded(trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)).is_watertight


@pytest.mark.long
def test_the_back_of_a_ball_is_the_mirrored_image(waves: np.ndarray) -> None:
    mesh = painted(ball(), waves)

    assert likeness(mesh, waves) >= BOUND
    assert likeness(mesh, waves, yaw=180) >= BOUND


@pytest.mark.long
def test_what_is_hidden_is_not_painted_with_what_hides_it() -> None:
    """A small red ball is before a large blue one: behind it the large one is blue too."""
    mesh = two_balls()
    low, high = mesh.vertices[:, :2].min(axis=0), mesh.vertices[:, :2].max(axis=0)
    y, x = np.mgrid[:280, :280] / 280
    places = np.stack([low[0] + x * (high - low)[0], high[1] - y * (high - low)[1]], axis=-1)
    red = np.hypot(*(places - (0.15, 0.1)).transpose(2, 0, 1)) < 0.19
    image = np.where(red[..., None], (220, 0, 0, 255), (0, 0, 220, 255)).astype(np.uint8)
    made = painted(mesh, image)

    large = (made.vertices[:, 2] > -0.3) & (made.vertices[:, 2] < 0.4)
    faces = made.faces[large[made.faces].all(axis=1)]
    drawn = render(Mesh(made.vertices, faces, made.uv, made.texture), 200, turned(0, 0), lit=False)
    assert (drawn[..., 3] > 0).sum() > 10_000
    assert (drawn[..., 0] > 110).sum() < 0.01 * (drawn[..., 3] > 0).sum()


@pytest.mark.long
def test_the_texture_has_no_seam_of_another_color() -> None:
    """One color stays one color, from every side."""
    image = np.full((64, 64, 4), (10, 200, 60, 255), np.uint8)
    mesh = painted(ball(3), image)

    assert ((10, 200, 60) == mesh.texture).all()
    assert mesh.uv is not None
    assert 0 <= mesh.uv.min() < mesh.uv.max() <= 1


@pytest.mark.long
def test_the_encoder_paints_a_mesh_that_came_without_a_texture(tmp_path: Path, waves: np.ndarray) -> None:
    params = MeshParams(image_path="picture", mode="paint", max_faces=2000, painted_save_name="ball")
    outputs = encode(raw_of(ball(), image=waves), params, tmp_path)
    loaded = trimesh.load(tmp_path / "0.glb", force="mesh")

    assert () == outputs.warnings
    assert "ball.glb" == outputs.files[0].name
    assert 1800 <= len(loaded.faces) <= 2000
    assert (1024, 1024) != loaded.visual.material.baseColorTexture.size
    assert np.asarray(loaded.visual.material.baseColorTexture).std() > 30
    assert welded(loaded).is_watertight


@pytest.mark.long
def test_what_triposg_makes_is_painted(tmp_path: Path) -> None:
    """With random weights the shape is nothing in particular, and slow to unwrap; its colors are the image's."""
    tiny_triposg.save(tmp_path / "triposg")
    Image.fromarray(np.full((40, 60, 4), (200, 30, 60, 255), np.uint8)).save(tmp_path / "red.png")
    entry = spec(
        id="triposg",
        family="tests.support.checkpoints.tiny_triposg:TinyTripoSG",
        modality="3d",
        source={"path": "triposg"},
        defaults={"num_inference_steps": 2},
    )
    pipeline = load(entry, tmp_path, Lock({"triposg": lock_directory(entry, tmp_path / "triposg")}), "cpu")
    params = MeshParams(image_path="picture", mode="paint", max_faces=800, painted_save_name="red")
    context = RunContext(seed=5, progress=lambda part, stage: None, warn=lambda text: None)
    raw = pipeline.run(params, Inputs({"image_path": tmp_path / "red.png"}), context)
    outputs = encode(raw, params, tmp_path)
    loaded = trimesh.load(tmp_path / "0.glb", force="mesh")

    assert "red.glb" == outputs.files[0].name
    assert len(loaded.faces) <= 800
    assert ((200, 30, 60) == np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))).all()


def test_without_an_image_it_cannot(tmp_path: Path) -> None:
    with pytest.raises(EncodeFailed, match="returns no image to paint"):
        encode(raw_of(ball(2)), MeshParams(image_path="picture", mode="paint"), tmp_path)


@pytest.mark.parametrize("pixels", [np.zeros((8, 8, 4), np.uint8), np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 4))])
def test_an_image_that_shows_nothing_is_refused(pixels: np.ndarray) -> None:
    with pytest.raises(EncodeFailed):
        painted(ball(1), pixels)
