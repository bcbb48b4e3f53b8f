"""Framing that h11 refuses by itself, as another server would pass it on."""

import pytest

from api.front.front import check_framing
from core.errors.http import MalformedRequest


@pytest.mark.parametrize(
    "names", [("host", "host"), ("host", "content-length", "transfer-encoding")], ids=["two hosts", "two lengths"]
)
def test_a_request_that_a_proxy_may_read_otherwise_is_refused(names):
    with pytest.raises(MalformedRequest):
        check_framing({"headers": [(name.encode(), b"1") for name in names]})


@pytest.mark.parametrize("name", ["content-length", "transfer-encoding"])
def test_one_host_and_one_length_pass(name):
    check_framing({"headers": [(b"host", b"a"), (name.encode(), b"1")]})
