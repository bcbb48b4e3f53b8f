"""The key of a request."""

import pytest

from api.http.auth import presented_key
from core.errors.access import Unauthenticated


def raw(headers):
    """The headers as a server passes them on."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


@pytest.mark.contract("C1")
@pytest.mark.parametrize(
    "headers",
    [
        {"X-API-Key": "atl_1"},
        {"x-api-key": " atl_1 "},
        {"Authorization": "Bearer atl_1"},
        {"authorization": "bearer   atl_1 "},
        {"X-API-Key": "atl_1", "Authorization": "Bearer atl_2"},
        {"X-API-Key": "", "Authorization": "Bearer atl_1"},
        {"X-API-Key": "atl_1", "Authorization": "Basic abc"},
    ],
)
def test_a_key_is_found(headers):
    assert "atl_1" == presented_key(raw(headers))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"X-API-Key": "  "},
        {"Authorization": "atl_1"},
        {"Authorization": "Bearer"},
        {"Authorization": "Basic atl_1"},
    ],
)
def test_no_key(headers):
    with pytest.raises(Unauthenticated):
        presented_key(raw(headers))
