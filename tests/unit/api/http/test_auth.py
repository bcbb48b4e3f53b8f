"""The key of a request."""

import pytest
from litestar.datastructures import Headers

from api.http.auth import presented_key
from core.errors.access import Unauthenticated


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
    assert "atl_1" == presented_key(Headers(headers))


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
        presented_key(Headers(headers))
