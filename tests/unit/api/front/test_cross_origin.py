"""Origins, as an operator writes them."""

import pytest

from api.front.cross_origin import allowed_origins


def test_origins_are_separated_by_commas():
    assert frozenset() == allowed_origins(" , ")
    assert {"*"} == allowed_origins("*")
    assert {"https://a.example", "http://localhost:3000"} == allowed_origins(
        "https://A.example,http://localhost:3000 ,"
    )


@pytest.mark.parametrize(
    "text", ["studio.example", "https://a.example/", "https://a.example/x", "ftp://a", "https://", "null"]
)
def test_what_no_browser_sends_is_refused(text):
    with pytest.raises(ValueError, match=r"ATELIER_CORS_ORIGINS.*is not an origin"):
        allowed_origins(text)
