"""The name under which a browser saves a file."""

import pytest

from core.storage.disposition import disposition, served_type


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("", "inline"),
        ("job_1-0.webp", 'inline; filename="job_1-0.webp"'),
        ("my chair (2).glb", 'inline; filename="my chair (2).glb"'),
        ("Stühle.glb", "inline; filename=\"St_hle.glb\"; filename*=UTF-8''St%C3%BChle.glb"),
        ('a"b\\c\r\nX: y.png', "inline; filename=\"a_b_c__X_ y.png\"; filename*=UTF-8''a%22b%5Cc%0D%0AX%3A%20y.png"),
    ],
)
def test_a_name_is_plain_and_where_it_must_be_encoded_too(name, value):
    assert value == disposition(name)
    assert value.replace("inline", "attachment", 1) == disposition(name, is_shown=False)


@pytest.mark.parametrize(
    ("media_type", "served"),
    [
        ("text/plain", "text/plain; charset=utf-8"),
        ("text/markdown", "text/markdown; charset=utf-8"),
        ("image/svg+xml", "image/svg+xml"),
        ("application/json", "application/json"),
    ],
)
def test_a_browser_need_not_guess_the_charset_of_a_text(media_type, served):
    assert served == served_type(media_type)
