"""Whole numbers with a fraction of zero are integers, as the OpenAPI document says; others stay what they are."""

import pytest

from api.http.spooled_body import decode
from core.errors.fields import InvalidRequest, WrongType
from jobs.params.image import ImageParams
from jobs.params.requests.whole_numbers import whole_numbers

DEEP = "[" * 5000 + "5.0" + "]" * 5000


@pytest.mark.parametrize(
    ("value", "expected"),
    [(5.0, 5), (-0.0, 0), (5.5, 5.5), (1e300, 1e300), ("5.0", "5.0"), ({"a": [2.0, None]}, {"a": [2, None]})],
)
def test_what_is_whole_is_an_integer(value, expected):
    assert repr(expected) == repr(whole_numbers(value))


def test_a_body_may_have_them_where_integers_are_wanted():
    params = decode(b'{"prompt": "a", "width": 512.0, "seed": 7.0, "guidance_scale": 4.0}', ImageParams)
    assert (512, 7, 4.0) == (params.width, params.seed, params.guidance_scale)
    with pytest.raises(WrongType, match="`width` must be a whole number, not a number"):
        decode(b'{"prompt": "a", "width": 512.5}', ImageParams)
    with pytest.raises(WrongType, match="`prompt`"):
        decode(b'{"prompt": 5.0, "width": 512.0}', ImageParams)
    with pytest.raises(InvalidRequest):
        decode(f'{{"prompt": "a", "width": 512.0, "nonsense": {DEEP}}}'.encode(), ImageParams)
