"""`data:` URLs, good and bad."""

import base64
import random

import pytest

from api.submit.data_urls import STEP, decode, is_data_url
from core.errors.inputs import InputTooLarge, InputUnreadable

LIMIT = 5_000_000


def whole(url, limit=LIMIT):
    return b"".join(decode(url, limit=limit, field="$.image_url"))


def as_url(content, media_type="image/png"):
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 1000, STEP // 4 * 3, STEP // 4 * 3 + 1, 3_000_001, LIMIT])
def test_base64_of_any_length(size):
    content = random.Random(size).randbytes(size)
    assert content == whole(as_url(content))
    assert content == whole(as_url(content).replace("+", "%2B").replace("/", "%2f").replace("=", "%3D"))


@pytest.mark.parametrize(
    ("url", "content"),
    [
        ("data:,a%20b", b"a b"),
        ("data:image/png,%89PNG%0D%0a", b"\x89PNG\r\n"),
        ("data:;base64,QQ==", b"A"),
        ("DATA:Image/PNG;charset=x;BASE64,QQ==", b"A"),
        ("data:,", b""),
        ("data:text/plain,a,b", b"a,b"),
        ("data:image/svg%2Bxml;base64,QQ%3D%3D", b"A"),
        ("data:image/svg%2Bxml;base64,QQ==", b"A"),
    ],
)
def test_forms(url, content):
    assert is_data_url(url)
    assert content == whole(url)


@pytest.mark.parametrize(
    "url",
    [
        "data:",
        "data:image/png;base64",
        "data:image/png;base64,QQ",
        "data:image/png;base64,QQ=",
        "data:image/png;base64,Q Q=",
        "data:image/png;base64,QQ==\n",
        "data:image/png;base64,QQ==QQ==",
        "data:image/png;base64,=QQ=",
        "data:image/png;base64,Q-_=",
        "data:image/png;base64,QQ%3",
        "data:image/png;base64,éé==",
        "data:image/png;base64," + "QUFB" * (STEP // 4 - 1) + "QQ==" + "QUFB",  # padding at the end of a piece
        "data:,100%",
        "data:,%zz",
        "data:,é",
    ],
)
def test_what_can_not_be_decoded(url):
    with pytest.raises(InputUnreadable) as caught:
        whole(url)
    assert "$.image_url" == caught.value.field
    assert "." == caught.value.detail[-1]


@pytest.mark.parametrize("url", [as_url(bytes(101)), as_url(bytes(5000)), "data:," + "%00" * 101, "data:," + "a" * 101])
def test_what_holds_too_much(url):
    with pytest.raises(InputTooLarge) as caught:
        whole(url, 100)
    assert "$.image_url" == caught.value.field
    assert 100 == len(whole(as_url(bytes(100)), 100))


def test_much_must_be_base64():
    with pytest.raises(InputTooLarge, match="must be base64"):
        whole("data:," + "a" * 1_000_001)
