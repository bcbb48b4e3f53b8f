"""Scenario 35, the secret key: what the old one signed is valid for the overlap, then not."""

import httpx
import msgspec
import pytest

from core.signing import sign_link
from tests.support.service.api_server import api_server, make_key

OLD, NEW = "the old secret of the tests: 32 bytes", "the new secret of the tests: 32 bytes"
PATH = "/o/job_" + "0" * 32 + "/0.webp"


@pytest.fixture
def with_secret(settings, rows):
    def run(secret_key):
        return api_server(msgspec.structs.replace(settings, secret_key=secret_key))

    return run


def status(server, key):
    with server.client(key) as client:
        return client.get("/jobs/v1").status_code


def link_status(server, secret_key):
    """403 for a link that is not valid. A valid one is answered 404, because its job does not exist."""
    return httpx.get(f"{server.url}{PATH}", params={"signature": sign_link(secret_key, PATH)}).status_code


def test_35_a_secret_key_is_rotated_in_three_steps(with_secret, settings, rows, tenant):
    used, unused = (make_key(rows, msgspec.structs.replace(settings, secret_key=OLD), tenant) for _ in range(2))
    with with_secret(OLD) as server:
        assert (200, 404, 403) == (status(server, used), link_status(server, OLD), link_status(server, NEW))
    with with_secret(f"{OLD},{NEW}") as server:
        assert (200, 404, 404) == (status(server, used), link_status(server, OLD), link_status(server, NEW))
    with with_secret(f"{NEW},{OLD}") as server, with_secret(f"{OLD},{NEW}") as earlier:
        assert (200, 404, 404) == (status(server, used), link_status(server, OLD), link_status(server, NEW))
        assert (200, 200) == (status(earlier, used), status(server, used))  # either stores its own digest
    with with_secret(NEW) as server:
        assert (200, 403, 404) == (status(server, used), link_status(server, OLD), link_status(server, NEW))
        assert 401 == status(server, unused)


@pytest.mark.parametrize("secret_key", ["", "x", "x" * 31, "x," + "y" * 40])
def test_the_api_does_not_start_with_a_short_secret(with_secret, secret_key):
    with pytest.raises(ValueError, match="ATELIER_SECRET_KEY"):
        with_secret(secret_key).__enter__()
