"""Mesh files, read back by trimesh."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import trimesh
from PIL import Image

from core.errors.failures import EncodeFailed
from jobs.params.mesh import MeshParams
from pipelines.mesh.encode import encode, named
from pipelines.mesh.inflate import relief_of
from pipelines.mesh.render import render, turned
from pipelines.mesh.surface import Mesh
from pipelines.previews.maker import PreviewMaker
from pipelines.runtime.protocol import Output, Outputs, load_raw, save_raw
from tests.support.media.silhouettes import silhouette
from tests.support.media.solids import ball, raw_of, welded

pytestmark = pytest.mark.usefixtures("small_previews")

CLAY = ball(3)
TYPES = {"glb": "model/gltf-binary", "obj": "model/obj", "ply": "model/ply", "stl": "model/stl"}


def relief() -> Mesh:
    """A mug that is red on its left and blue on its right."""
    shape = relief_of(silhouette("mug"), 6000)
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:, :32], texture[:, 32:] = (200, 0, 0), (0, 0, 200)
    return Mesh(shape.vertices, shape.faces, shape.uv, texture)


DRAWN = relief()


def made(mesh: Mesh, folder: Path, **params: Any) -> Outputs:
    """Encoded as in the encoder process: from files, whose arrays cannot be written."""
    save_raw(raw_of(mesh), folder / "raw")
    return encode(load_raw(folder / "raw"), MeshParams(image_path="picture", **params), folder)


def read(folder: Path, output: Output) -> trimesh.Trimesh:
    loaded: trimesh.Trimesh = trimesh.load(folder / output.path, force="mesh")
    return loaded


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("mesh", [CLAY, DRAWN], ids=["clay", "drawn"])
def test_a_file_holds_the_mesh_and_beside_it_is_its_image(tmp_path: Path, kind: str, mesh: Mesh) -> None:
    outputs = made(mesh, tmp_path, output_format=kind)
    loaded = welded(read(tmp_path, outputs.files[0]))

    assert [f"0.{kind}", "1.png"] == [output.path for output in outputs.files]
    assert [TYPES[kind], "image/png"] == [output.media_type for output in outputs.files]
    assert loaded.is_watertight
    assert loaded.volume > 0
    assert len(mesh.faces) == len(loaded.faces)
    assert np.allclose([mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)], loaded.bounds, atol=1e-5)
    with Image.open(tmp_path / "1.png") as image:
        assert (64, 64) == image.size == (outputs.files[1].width, outputs.files[1].height)


def test_a_mesh_is_shown_by_its_picture(tmp_path: Path) -> None:
    outputs = made(DRAWN, tmp_path)
    with PreviewMaker(tmp_path) as maker:
        mesh, picture = maker.finish(outputs).files

    assert ["thumbnail", "poster"] == [preview.name for preview in mesh.previews]
    assert ["thumbnail", "web"] == [preview.name for preview in picture.previews]
    for preview in mesh.previews:
        with Image.open(tmp_path / preview.path) as image:
            shown = np.asarray(image.convert("RGB")).astype(int)
        red, blue = shown[..., 0] - shown[..., 2] > 60, shown[..., 2] - shown[..., 0] > 60
        assert red.sum() > 200 < blue.sum()
        assert np.nonzero(red)[1].mean() < np.nonzero(blue)[1].mean()


def test_the_picture_of_a_mesh_depends_on_the_view() -> None:
    front, side = (render(DRAWN, 64, turned(yaw, 0), lit=True) for yaw in (0, 60))
    assert (front[..., 3] > 0).mean() > 0.2 < (side[..., 3] > 0).mean()
    assert (np.abs(front.astype(int) - side).max(axis=2) > 40).mean() > 0.1


def test_a_glb_has_the_texture_and_is_closed_as_it_is(tmp_path: Path) -> None:
    outputs = made(DRAWN, tmp_path)
    loaded = read(tmp_path, outputs.files[0])

    assert loaded.is_watertight
    assert np.array_equal(DRAWN.texture, np.asarray(loaded.visual.material.baseColorTexture.convert("RGB")))
    assert np.allclose(np.sort(DRAWN.uv, axis=0), np.sort(loaded.visual.uv, axis=0), atol=1e-5)
    assert np.corrcoef(loaded.visual.uv.T, loaded.vertices[:, :2].T)[[0, 1], [2, 3]].min() > 0.9999
    assert () == outputs.warnings


@pytest.mark.parametrize("kind", ["obj", "ply"])
def test_obj_and_ply_have_colors_per_vertex_and_a_warning(tmp_path: Path, kind: str) -> None:
    outputs = made(DRAWN, tmp_path, output_format=kind)
    loaded = read(tmp_path, outputs.files[0])

    left = loaded.vertices[:, 0] < -0.1
    assert (loaded.visual.vertex_colors[left, 0] > 190).all()
    assert (loaded.visual.vertex_colors[left, 2] < 10).all()
    assert [f"this {kind} has its colors per vertex; ask for glb to have the texture itself"] == list(outputs.warnings)


def test_stl_has_no_colors_and_a_warning(tmp_path: Path) -> None:
    assert ("stl has no colors; ask for glb to have the texture",) == made(
        DRAWN, tmp_path, output_format="stl"
    ).warnings
    assert () == made(CLAY, tmp_path, output_format="stl").warnings


@pytest.mark.parametrize("kind", ["webp", "jpeg", "png"])
def test_formats_of_images_give_glb_and_a_warning(tmp_path: Path, kind: str) -> None:
    outputs = made(CLAY, tmp_path, output_format=kind)

    assert "0.glb" == outputs.files[0].path
    assert (f"`output_format` {kind} is for images; this mesh is glb",) == outputs.warnings


def test_a_mesh_is_reduced_to_the_faces_that_are_asked_for(tmp_path: Path) -> None:
    loaded = read(tmp_path, made(ball(5), tmp_path, max_faces=1000).files[0])

    assert 900 <= len(loaded.faces) <= 1000
    assert loaded.is_watertight


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("chair", "glb", "chair.glb"),
        ("chair.glb", "glb", "chair.glb"),
        ("chair.GLB", "glb", "chair.glb"),
        ("chair.glb", "stl", "chair.stl"),
        ("chair.v2", "obj", "chair.v2.obj"),
        ("a.b.ply", "ply", "a.b.ply"),
    ],
)
def test_a_name_ends_like_what_the_file_is(name: str, kind: str, expected: str) -> None:
    assert expected == named(name, kind)


def test_the_mesh_has_the_name_that_was_asked_for(tmp_path: Path) -> None:
    files = made(CLAY, tmp_path, mesh_save_name="chair", painted_save_name="painted").files

    assert ["chair.glb", None] == [output.name for output in files]
    assert [None, None] == [output.name for output in made(CLAY, tmp_path).files]


@pytest.mark.contract("C45")
def test_painted_and_plain_meshes_have_names_of_their_own(tmp_path: Path) -> None:
    only = made(DRAWN, tmp_path, mode="paint", painted_save_name="drawn.glb").files
    both = made(DRAWN, tmp_path, mode="paint", painted_save_name="drawn.glb", mesh_save_name="plain").files

    assert ["drawn.glb", None] == [output.name for output in only]
    assert ["drawn.glb", None, "plain.glb"] == [output.name for output in both]
    assert hasattr(read(tmp_path, both[0]).visual, "uv")
    assert not hasattr(read(tmp_path, both[2]).visual, "uv")
    assert read(tmp_path, both[2]).is_watertight


def test_the_same_mesh_gives_the_same_bytes(tmp_path: Path) -> None:
    for kind in TYPES:
        one, other = tmp_path / f"{kind}-1", tmp_path / f"{kind}-2"
        for folder in (one, other):
            folder.mkdir()
            made(DRAWN, folder, output_format=kind)
        assert (one / f"0.{kind}").read_bytes() == (other / f"0.{kind}").read_bytes()
        assert (one / "1.png").read_bytes() == (other / "1.png").read_bytes()


def test_arrays_that_are_no_mesh_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncodeFailed):
        made(Mesh(CLAY.vertices, CLAY.faces[:0]), tmp_path)
