"""VideoGen's own Python client, unmodified, on the module's API."""

import pytest
import videogen

from tests.support.service.api_server import make_key


@pytest.fixture
def vg(api, key):
    with videogen.VideoGen(api_key=key, base_url=f"{api.url}/videogen") as client:
        yield client


@pytest.fixture
def stranger_vg(api, rows):
    key = make_key(rows, api.settings, rows.tenant("another"))
    with videogen.VideoGen(api_key=key, base_url=f"{api.url}/videogen") as client:
        yield client


@pytest.fixture
def refused():
    """Calls what must be refused; the error of the client."""

    def call(method, /, **fields):
        with pytest.raises(videogen.VideoGenError) as caught:
            method(**fields)
        return caught.value

    return call
