"""What is refused before the database is asked."""

import pytest

from api.auth import Caller
from api.door import check, draw_seed, once_of
from jobs.errors import InvalidRequest, NotSupportedYet, NulInText, OutOfRange
from jobs.params import ImageParams, SpeechParams

CALLER = Caller("ten_1", "key_1", 5)


@pytest.mark.parametrize(
    "url", ["https://example.org/hook", "http://127.0.0.1:8080/x?y=z", "HTTPS://EXAMPLE.ORG", "http://[::1]:80/"]
)
def test_a_callback_url_that_is_fine(url):
    check(ImageParams(prompt="a", callback_url=url), CALLER)


@pytest.mark.parametrize(
    "url",
    [
        "example.org",
        "ftp://example.org",
        "http://",
        "https:///x",
        "http://a:99999/",
        "http://[::1/",
        "http://a b/",
        "x",
    ],
)
def test_a_callback_url_that_is_none(url):
    with pytest.raises(InvalidRequest) as caught:
        check(ImageParams(prompt="a", callback_url=url), CALLER)
    assert "$.callback_url" == caught.value.field


@pytest.mark.parametrize(
    ("params", "kind", "field"),
    [
        ({"prompt": "a\0b"}, NulInText, "$.prompt"),
        ({"prompt": "a", "server_id": "x\0"}, NulInText, "$.server_id"),
        ({"prompt": "a", "enhance_prompt": True}, NotSupportedYet, "$.enhance_prompt"),
        ({"prompt": "a", "palette": ("#000000",)}, NotSupportedYet, "$.palette"),
        ({"prompt": "a", "priority": 6}, OutOfRange, "$.priority"),
    ],
)
def test_what_needs_no_database_to_be_refused(params, kind, field):
    with pytest.raises(kind) as caught:
        check(ImageParams(**params), CALLER)
    assert field == caught.value.field


def test_a_priority_within_the_keys_ceiling_is_fine():
    assert 5 == check(ImageParams(prompt="a", priority=5), CALLER).priority


def test_the_usual_priority_is_lowered_to_the_keys_ceiling():
    assert 3 == check(ImageParams(prompt="a"), Caller("ten_1", "key_1", 3)).priority


def test_minus_one_draws_a_seed_and_any_other_is_kept():
    drawn = {draw_seed(ImageParams(prompt="a")) for _ in range(20)}
    assert len(drawn) > 1
    assert all(0 <= seed < 2**31 for seed in drawn)
    assert 0 == draw_seed(ImageParams(prompt="a", seed=0))
    assert 2**53 - 1 == draw_seed(ImageParams(prompt="a", seed=2**53 - 1))


def test_a_modality_without_a_seed_has_none():
    assert draw_seed(SpeechParams(text="a")) is None


def test_an_idempotency_key_stands_for_route_and_body():
    assert once_of(None, "/a", b"x") is None
    assert once_of("k", "/a", b"x") == once_of("k", "/a", b"x")
    assert once_of("k", "/a", b"x") != once_of("k", "/b", b"x")
    assert once_of("k", "/a", b"x") != once_of("k", "/a", b"y")
