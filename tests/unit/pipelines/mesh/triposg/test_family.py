import numpy as np

from pipelines.mesh.triposg.family import centered


def test_the_middle_of_the_bounding_box_comes_to_the_origin() -> None:
    vertices = np.array([[0.1, 0, 0], [0.5, 0.2, 0], [0.1, 0.1, 0.4]], np.float32)

    moved = centered(vertices)

    assert np.float32 == moved.dtype
    assert np.allclose(0, moved.min(axis=0) + moved.max(axis=0), atol=1e-6)
    assert np.allclose(np.ptp(vertices, axis=0), np.ptp(moved, axis=0), atol=1e-6)


def test_what_is_too_large_is_made_smaller_in_proportion() -> None:
    moved = centered(np.array([[-1.005, 0, 0], [1.005, 0, 0], [0, 0.5, 0]], np.float32))

    assert 1.0 == np.abs(moved).max()
    assert np.allclose([2, 0.5 / 1.005, 0], np.ptp(moved, axis=0), atol=1e-6)
