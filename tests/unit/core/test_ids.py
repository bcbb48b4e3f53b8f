"""Ids: a prefix and 128 random bits."""

import pytest

from core.errors import MalformedId
from core.ids import check_id, new_id


def test_an_id_has_its_prefix_and_never_comes_twice():
    ids = {new_id("job") for _ in range(1000)}
    assert 1000 == len(ids)
    assert all(check_id("job", id_) == id_ for id_ in ids)


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
