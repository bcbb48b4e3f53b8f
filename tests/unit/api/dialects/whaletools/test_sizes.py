import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.dialects.whaletools.sizes import image_size, video_size

RATIOS = st.builds("{}:{}".format, st.integers(1, 99), st.integers(1, 99))


@pytest.mark.parametrize(
    ("size", "ratio", "sides"),
    [
        (None, None, (1024, 1024)),
        ("auto", None, (1024, 1024)),
        ("512x768", None, (512, 768)),
        ("1792x1024", None, (1024, 585)),
        ("1024x1024", "1:1", (1024, 1024)),
        ("1024x1024", "16:9", (1024, 576)),
        (None, "9:16", (576, 1024)),
        ("100x10", None, (640, 64)),
    ],
)
def test_an_image_has_the_size_within_the_limits(size, ratio, sides):
    assert sides == image_size(size, ratio)


@pytest.mark.parametrize(
    ("resolution", "ratio", "sides"),
    [
        (None, None, (896, 512)),
        ("1080p", "16:9", (1536, 864)),
        ("720p", "16:9", (1280, 704)),
        ("480p", "9:16", (480, 864)),
        ("720p", "1:1", (704, 704)),
        ("4K", None, (1536, 864)),
        ("640x360", None, (640, 352)),
        ("512x512", "2:1", (512, 256)),
    ],
)
def test_a_video_has_sides_of_32_within_the_limits(resolution, ratio, sides):
    assert sides == video_size(resolution, ratio)


@given(ratio=RATIOS, resolution=st.sampled_from([None, "100p", "480p", "1080p", "8k", "99999x10", "10x99999"]))
def test_every_size_is_one_that_is_taken(ratio, resolution):
    width, height = video_size(resolution, ratio)
    assert {0} == {width % 32, height % 32}
    assert 64 <= min(width, height) <= max(width, height) <= 1536
    width, height = image_size(resolution if resolution and "x" in resolution else None, ratio)
    assert 64 <= min(width, height) <= max(width, height) <= 1024
