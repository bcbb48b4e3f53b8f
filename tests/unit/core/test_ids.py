"""Ids: a prefix and a UUID that sorts by its time."""

import time
import uuid

import pytest

from core.errors.unknown import MalformedId
from core.ids import check_id, new_id


def test_an_id_has_its_prefix_and_never_comes_twice():
    ids = {new_id("job") for _ in range(1000)}
    assert 1000 == len(ids)
    assert all(check_id("job", id_) == id_ for id_ in ids)


def test_the_body_is_a_uuid_of_version_7():
    body = uuid.UUID(new_id("job").removeprefix("job_"))
    assert 7 == body.version
    assert uuid.RFC_4122 == body.variant


def test_an_id_begins_with_its_milliseconds(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 0x0123_4567_89AB * 1_000_000 + 999_999)
    assert new_id("job").startswith("job_0123456789ab7")


def test_ids_sort_as_the_time_does(monkeypatch):
    made = []
    for milliseconds in (1, 255, 256, 1_764_000_000_000, 1_764_000_000_001, 2**48 - 1):
        monkeypatch.setattr(time, "time_ns", lambda now=milliseconds: now * 1_000_000)
        made.append(new_id("job"))
    assert sorted(made) == made


def test_ids_of_one_millisecond_share_no_random_bits(monkeypatch):
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    bodies = [int(new_id("job").removeprefix("job_"), 16) for _ in range(200)]
    differing = 0
    for body in bodies:
        differing |= body ^ bodies[0]
    assert 74 == differing.bit_count()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "job",
        "job_",
        "job_" + "0" * 31,
        "job_" + "0" * 33,
        "job_" + "0" * 31 + "g",
        "job_" + "A" * 32,
        "med_" + "0" * 32,
        "job_" + "0" * 32 + "\n",
        " job_" + "0" * 32,
        "job_" + "٠" * 32,
        "0" * 32,
        "job_" + "0" * 31 + "\0",
        "../" + "0" * 32,
        "x" * 100_000,
    ],
)
def test_anything_else_is_malformed(text):
    with pytest.raises(MalformedId) as caught:
        check_id("job", text)
    assert "job_" in caught.value.detail
    assert len(caught.value.detail) < 400


def test_a_prefix_may_have_parts():
    assert check_id("gen_img", new_id("gen_img"))
