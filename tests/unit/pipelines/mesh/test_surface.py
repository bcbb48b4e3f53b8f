"""Meshes as families return them, their normals and colors, and how they look."""

import numpy as np
import pytest

from core.errors.failures import EncodeFailed
from pipelines.mesh.decimate import is_closed, reduced, without_flaps
from pipelines.mesh.render import CLAY, SIDE, preview, render, turned
from pipelines.mesh.surface import Mesh, mesh_of, normals_of, sample
from pipelines.runtime.protocol import RawOutput
from tests.support.media.solids import ball, planar, raw_of, ring, welded

BALL = ball()
HALVES = np.zeros((4, 4, 3), np.uint8)
HALVES[:, 2:] = (255, 0, 0)
HALVES[:2, :, 2] = 255


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vertices": BALL.vertices.astype(np.float64)}, "float32, n x 3"),
        ({"vertices": BALL.vertices[:, :2]}, "float32, n x 3"),
        ({"vertices": np.where(BALL.vertices > 0.99, np.nan, BALL.vertices).astype(np.float32)}, "not finite"),
        ({"faces": BALL.faces.astype(np.int64)}, "int32, m x 3"),
        ({"faces": BALL.faces[:0]}, "at least one"),
        ({"faces": BALL.faces + 1}, "not there"),
        ({"faces": BALL.faces - 1}, "not there"),
        ({"texture": HALVES, "uv": BALL.vertices[1:, :2]}, "needs `uv`"),
        ({"texture": HALVES[..., 0], "uv": BALL.vertices[:, :2]}, "uint8, height x width x 3"),
    ],
)
def test_arrays_that_are_no_mesh_are_refused(changes: dict[str, np.ndarray], words: str) -> None:
    with pytest.raises(EncodeFailed, match=words):
        mesh_of(raw_of(BALL, **changes))


def test_arrays_that_are_missing_are_refused() -> None:
    with pytest.raises(EncodeFailed):
        mesh_of(RawOutput(arrays={}))


def test_the_normals_of_a_ball_are_its_places() -> None:
    assert np.allclose(BALL.vertices, normals_of(BALL), atol=0.01)


def test_a_seam_does_not_bend_the_normals() -> None:
    torn = Mesh(BALL.vertices[BALL.faces].reshape(-1, 3), np.arange(BALL.faces.size, dtype=np.int32).reshape(-1, 3))

    assert np.allclose(normals_of(BALL)[BALL.faces].reshape(-1, 3), normals_of(torn), atol=1e-5)


def test_colors_between_texels() -> None:
    uv = np.array([[0, 0], [1, 1], [0.5, 0.25], [0, 0.5]], np.float32)

    assert [[0, 0, 0], [255, 0, 255], [127.5, 0, 0], [0, 0, 127.5]] == sample(HALVES, uv).tolist()


def test_the_front_of_a_mesh_shows_its_texture_as_it_is() -> None:
    drawn = render(planar(BALL, HALVES), 100, turned(0, 0), lit=False)

    assert [0, 0, 0, 0] == drawn[2, 2].tolist()
    assert [0, 0, 255, 255] == drawn[30, 30].tolist()
    assert [255, 0, 255, 255] == drawn[30, 70].tolist()
    assert [255, 0, 0, 255] == drawn[70, 70].tolist()


def test_the_back_shows_it_mirrored() -> None:
    front, back = (render(planar(BALL, HALVES), 100, turned(yaw, 0), lit=False) for yaw in (0, 180))

    assert (front == back[:, ::-1]).all(axis=2).mean() > 0.98


def test_a_preview_is_lit_from_above_and_fills_its_frame() -> None:
    drawn = np.asarray(preview(BALL, SIDE)).astype(int)

    assert (512, 512, 3) == drawn.shape
    assert drawn[120, 200].sum() > drawn[400, 350].sum() + 60
    covered = (np.abs(drawn - (246, 246, 248)).max(axis=2) > 8).any(axis=0)
    assert 465 <= covered.sum() <= 477
    assert np.ptp(drawn[256, 256]) <= np.ptp(CLAY)


@pytest.mark.parametrize("mesh", [BALL, ring()], ids=["ball", "ring"])
def test_a_closed_mesh_looks_the_same_without_its_back(mesh: Mesh) -> None:
    whole, front = (np.asarray(preview(mesh, 200, closed=closed)) for closed in (False, True))
    assert np.array_equal(whole, front)


@pytest.mark.parametrize("max_faces", [500, 5000])
@pytest.mark.parametrize("mesh", [BALL, ring()], ids=["ball", "ring"])
def test_a_closed_mesh_stays_closed_within_its_budget(mesh: Mesh, max_faces: int) -> None:
    fewer, warnings = reduced(mesh, max_faces)

    assert () == warnings
    assert 0.9 * min(max_faces, len(mesh.faces)) <= len(fewer.faces) <= max_faces
    assert is_closed(fewer.faces)
    volumes = [welded_volume(one) for one in (mesh, fewer)]
    assert volumes[0] == pytest.approx(volumes[1], rel=0.03)


def welded_volume(mesh: Mesh) -> float:
    import trimesh

    return float(welded(trimesh.Trimesh(mesh.vertices, mesh.faces)).volume)


def test_a_mesh_within_its_budget_is_left_alone() -> None:
    assert (BALL, ()) == reduced(BALL, len(BALL.faces))


def test_what_closed_means() -> None:
    assert is_closed(BALL.faces)
    assert not is_closed(BALL.faces[1:])
    assert not is_closed(np.concatenate([BALL.faces[:1, ::-1], BALL.faces[1:]]))
    assert not is_closed(np.concatenate([BALL.faces, BALL.faces]))


def test_a_flap_is_taken_off() -> None:
    a, b = BALL.faces[0][:2]
    flap = np.array([[a, b, len(BALL.vertices)], [b, a, len(BALL.vertices)]], np.int32)

    assert np.array_equal(BALL.faces, without_flaps(np.concatenate([BALL.faces, flap])))
    assert np.array_equal(BALL.faces, without_flaps(np.concatenate([BALL.faces, [[a, a, b]]])))


@pytest.mark.parametrize("max_faces", [500, 3000])
def test_a_rough_surface_stays_closed(max_faces: int) -> None:
    """Like what a model makes: many small bumps, a hundred times more triangles than are wanted."""
    waves = 1 + 0.03 * np.sin(ball(6).vertices * 40).prod(axis=1, keepdims=True)
    rough = Mesh((ball(6).vertices * waves * 0.9).astype(np.float32), ball(6).faces)
    fewer, warnings = reduced(rough, max_faces)

    assert () == warnings
    assert is_closed(fewer.faces)
    assert 0.9 * max_faces <= len(fewer.faces) <= max_faces
