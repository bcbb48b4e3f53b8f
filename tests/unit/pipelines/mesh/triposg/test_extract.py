"""Surfaces of fields that are known: distances to spheres, tori and boxes, positive inside."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import trimesh
from torch import Tensor

from core.errors.failures import PipelineFailed
from pipelines.mesh.triposg.extract import BOUND, Field, Grid, extract, surface

FINE = 64


def sphere(points: Tensor, radius: float = 0.7) -> Tensor:
    return radius - points.norm(dim=-1)


def torus(points: Tensor) -> Tensor:
    ring = torch.stack([points[:, [0, 2]].norm(dim=-1) - 0.6, points[:, 1]], dim=-1)
    return 0.2 - ring.norm(dim=-1)


def two_parts(points: Tensor) -> Tensor:
    """A ball, and a needle that is thinner than a coarse cell."""
    center = torch.tensor([0.4, 0.3, 0.0])
    needle = 0.03 - torch.maximum(points[:, [0, 2]].add(0.56).norm(dim=-1), points[:, 1].abs() - 0.7)
    return torch.maximum(sphere(points - center, 0.35), needle)


def box(points: Tensor) -> Tensor:
    """With its sides exactly on samples of the grid, where the values are 0."""
    return BOUND / 2 - points.abs().amax(dim=-1)


def foam(points: Tensor) -> Tensor:
    return (points * 9).sin().prod(dim=-1) + 0.1 * (points * 23).cos().sum(dim=-1)


def mesh_of(field: Field, grid: Grid) -> trimesh.Trimesh:
    vertices, faces = extract(field, grid, "cpu", lambda part: None)
    assert (np.float32, np.int32) == (vertices.dtype, faces.dtype)
    return trimesh.Trimesh(vertices, faces, process=False)


DENSE = Grid(coarse=FINE, doublings=0)
HIERARCHICAL = Grid(coarse=FINE // 4, doublings=2, near=0.1, chunk=5000)


@pytest.mark.parametrize("grid", [DENSE, HIERARCHICAL])
class TestKnownShapes:
    def test_a_sphere(self, grid: Grid) -> None:
        mesh = mesh_of(sphere, grid)

        assert mesh.is_watertight
        assert math.isclose(4 / 3 * math.pi * 0.7**3, mesh.volume, rel_tol=0.01)
        assert np.allclose(0.7, np.linalg.norm(mesh.vertices, axis=1), rtol=0, atol=2e-3)
        assert 2 == mesh.euler_number

    def test_a_torus(self, grid: Grid) -> None:
        mesh = mesh_of(torus, grid)

        assert mesh.is_watertight
        assert math.isclose(2 * math.pi**2 * 0.6 * 0.2**2, mesh.volume, rel_tol=0.02)
        assert 0 == mesh.euler_number

    def test_axes_stay_in_their_order(self, grid: Grid) -> None:
        mesh = mesh_of(lambda points: sphere(points * torch.tensor([1.0, 2.0, 4.0])), grid)

        assert np.allclose([[-0.7, -0.35, -0.175], [0.7, 0.35, 0.175]], mesh.bounds, rtol=0, atol=5e-3)

    def test_normals_look_outward(self, grid: Grid) -> None:
        mesh = mesh_of(sphere, grid)

        assert (np.einsum("ij,ij->i", mesh.face_normals, mesh.triangles_center) > 0).all()

    @pytest.mark.matrix
    @pytest.mark.parametrize("field", [sphere, torus, two_parts, box, foam])
    def test_it_stays_closed_when_equal_vertices_are_welded(self, grid: Grid, field: Field) -> None:
        mesh = mesh_of(field, grid)
        welded = trimesh.Trimesh(mesh.vertices, mesh.faces, process=True)

        assert mesh.is_watertight
        assert welded.is_watertight
        assert welded.is_winding_consistent
        assert welded.volume > 0

    def test_a_shape_that_leaves_the_cube_is_closed_there(self, grid: Grid) -> None:
        mesh = mesh_of(lambda points: points[:, 0] + 1.5, grid)

        assert mesh.is_watertight
        assert np.abs(mesh.vertices).max() <= BOUND
        assert math.isclose((2 * BOUND) ** 3, mesh.volume, rel_tol=0.1)


@pytest.mark.parametrize("field", [sphere, torus, two_parts, box])
def test_the_hierarchical_surface_is_the_dense_one(field: Field) -> None:
    dense, hierarchical = mesh_of(field, DENSE), mesh_of(field, HIERARCHICAL)

    assert np.array_equal(dense.faces, hierarchical.faces)
    assert np.array_equal(dense.vertices, hierarchical.vertices)


def test_with_everything_near_it_is_the_dense_one_of_any_field() -> None:
    dense, hierarchical = mesh_of(foam, DENSE), mesh_of(foam, Grid(coarse=FINE // 4, doublings=2, near=10.0))

    assert np.array_equal(dense.faces, hierarchical.faces)
    assert np.array_equal(dense.vertices, hierarchical.vertices)


def test_a_part_thinner_than_a_coarse_cell_is_found() -> None:
    def seen(near: float) -> int:
        return mesh_of(two_parts, Grid(coarse=16, doublings=2, near=near)).body_count

    assert (1, 2) == (seen(0.0), seen(0.1))


def test_a_part_is_followed_from_where_the_coarse_grid_saw_it() -> None:
    """A ball on a sample, and a needle from it that runs between the samples."""
    between = BOUND / 16

    def needle(points: Tensor) -> Tensor:
        ball = sphere(points, 0.08)
        there = tube(points, (0, 0, 0), (between, between, between))
        onward = tube(points, (between, between, between), (0.8, between, between))
        return torch.stack([ball, there, onward]).amax(dim=0)

    dense, followed = mesh_of(needle, DENSE), mesh_of(needle, Grid(coarse=16, doublings=2, near=0.0))

    assert np.array_equal(dense.vertices, followed.vertices)
    assert followed.bounds[1, 0] > 0.8


def tube(points: Tensor, start: tuple[float, ...], end: tuple[float, ...]) -> Tensor:
    """Of radius 0.03, round at its ends."""
    origin = torch.tensor(start, dtype=torch.float32)
    way = torch.tensor(end, dtype=torch.float32) - origin
    along = ((points - origin) @ way / (way @ way)).clamp(0, 1)
    return 0.03 - (points - origin - along[:, None] * way).norm(dim=-1)


def counted(field: Field) -> tuple[Field, Callable[[], list[int]]]:
    asked: list[int] = []

    def count(points: Tensor) -> Tensor:
        asked.append(len(points))
        return field(points)

    return count, lambda: asked


def test_only_points_near_the_surface_are_refined_in_chunks() -> None:
    field, asked = counted(sphere)

    mesh_of(field, Grid(coarse=32, doublings=2, near=0.0, chunk=4096))

    assert max(asked()) <= 4096
    assert sum(asked()) < 0.15 * 129**3


def test_no_sample_is_asked_for_twice() -> None:
    places: list[Tensor] = []

    def field(points: Tensor) -> Tensor:
        places.append(points)
        return torus(points)

    mesh_of(field, HIERARCHICAL)

    asked = torch.cat(places)
    assert len(asked) == len(torch.unique(asked, dim=0))


def test_samples_reach_from_end_to_end() -> None:
    places: list[Tensor] = []

    def field(points: Tensor) -> Tensor:
        places.append(points)
        return sphere(points)

    mesh_of(field, Grid(coarse=4, doublings=0))

    assert torch.allclose(torch.linspace(-BOUND, BOUND, 5), torch.cat(places).unique(), atol=1e-6)


def test_progress_rises_to_one() -> None:
    reported: list[float] = []

    extract(torus, HIERARCHICAL, "cpu", reported.append)

    assert len(reported) >= 3
    assert sorted(reported) == reported
    assert (True, 1.0) == (reported[0] > 0, reported[-1])


def test_what_the_report_raises_ends_the_work() -> None:
    def stop(part: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        extract(torus, HIERARCHICAL, "cpu", stop)


def test_a_field_without_a_surface_is_an_error_that_says_so() -> None:
    with pytest.raises(PipelineFailed, match="no shape"):
        mesh_of(lambda points: points[:, 0] - 5, HIERARCHICAL)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_numbers_that_are_not_finite_are_an_error(value: float) -> None:
    with pytest.raises(PipelineFailed, match="not finite"):
        mesh_of(lambda points: torch.where(points[:, 0] > 0.9, value, sphere(points)), HIERARCHICAL)


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_closed_too(seed: int) -> None:
    volume = torch.randn(20, 20, 20, generator=torch.Generator().manual_seed(seed))

    assert is_closed(volume)


@pytest.mark.parametrize("largest", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_noise_of_few_values_with_zeros_and_ties_is_closed_too(seed: int, largest: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    volume = torch.randint(-largest, largest + 1, (16, 16, 16), generator=generator).float()

    assert is_closed(volume)


def is_closed(volume: Tensor) -> bool:
    mesh, welded = (trimesh.Trimesh(*surface(volume.clone()), process=process) for process in (False, True))
    return bool(mesh.is_watertight and welded.is_watertight and welded.volume > 0)
