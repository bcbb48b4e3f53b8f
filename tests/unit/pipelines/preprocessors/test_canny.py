"""Edges: where they are, how wide, and which weak ones stay."""

import numpy as np
import pytest
from PIL import Image

from pipelines.preprocessors.canny import draw_edges


def edges(gray):
    made = draw_edges(Image.fromarray(gray.astype(np.uint8)).convert("RGB"))
    assert ("RGB", gray.shape[::-1]) == (made.mode, made.size)
    return np.asarray(made)[..., 0]


def box(low=0, high=255):
    gray = np.full((64, 64), low, float)
    gray[16:48, 16:48] = high
    return gray


@pytest.mark.contract("F3")
def test_the_border_of_a_box_is_its_edge_one_pixel_wide():
    found = edges(box()) > 0
    assert {0, 255} == set(np.unique(edges(box())))
    for row in range(20, 44):
        assert 2 == found[row].sum()
        assert all(min(abs(at - 15.5), abs(at - 47.5)) <= 1 for at in np.flatnonzero(found[row]))
    assert not found[20:44, 20:44].any()
    assert not found[:13].any()


def test_a_flat_picture_and_a_faint_one_have_no_edges():
    assert not edges(np.full((40, 30), 90.0)).any()
    assert not edges(box(100, 115)).any()


def test_a_weak_edge_stays_where_it_leads_to_a_strong_one():
    gray = np.zeros((64, 96))
    gray[:, 48:] = np.linspace(60, 255, 64)[:, None]  # one edge, ever stronger downwards
    alone = np.zeros((64, 96))
    alone[:, 48:] = 60.0
    assert (edges(gray)[2:-2] > 0).any(1).all()
    assert not edges(alone).any()


def test_an_edge_in_any_direction_is_thin():
    y, x = np.mgrid[:80, :80]
    disc = 255.0 * (np.hypot(x - 40, y - 40) < 25)
    found = np.argwhere(edges(disc) > 0)
    radii = np.hypot(found[:, 1] - 40, found[:, 0] - 40)
    assert abs(radii - 24.7).max() < 1.8
    assert 2 * np.pi * 25 * 0.7 < len(found) < 2 * np.pi * 25 * 1.3
