"""URLs in messages: no secret in them, however the URL was mistyped."""

import pytest

from core.urls import shown


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("redis://localhost:6379/0", "redis://localhost:6379/0"),
        ("file:///var/lib/atelier", "file:///var/lib/atelier"),
        ("/var/lib/atelier", "/var/lib/atelier"),
        ("rediss://user:SECRET@broker:6380/0", "rediss://…@broker:6380/0"),
        ("rediss://:SECRET@[::1]:6380/0", "rediss://…@[::1]:6380/0"),
        ("sentinel://:SECRET@a:1,b:2/main/0?sentinel_password=SECRET", "sentinel://…@a:1,b:2/main/0?…"),
        ("s3://bucket?access_key=A&secret_key=SECRET", "s3://bucket?…"),
        ("s3:///bucket?access_key=A&secret_key=SECRET", "s3:///bucket?…"),
        ("https://collector/#SECRET", "https://collector/?…"),
    ],
)
def test_the_place_is_shown(url, text):
    assert text == shown(url)


@pytest.mark.parametrize(
    "url",
    [
        "redis://:SECRET/0",
        "redis://user:SECRET",
        "redis://:12345/0",
        "redis://:SEC/RET@broker/0",
        "redis://:SEC?RET@broker/0",
        "redis://:SEC#RET@broker/0",
        "redis://:SEC@RET@broker/0",
        "redis://:S@EC?RET@broker/0",
        "redis://:SECRET@a;redis://:SECRET@b",
        "redis//:SECRET@broker",
        ":SECRET@broker",
        "user:SECRET@broker:6379",
        "SECRET?x=1",
    ],
)
def test_a_mistyped_url_shows_no_secret(url):
    assert not any(part in shown(url) for part in ("SEC", "RET", "12345"))
