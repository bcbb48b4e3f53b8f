"""The OpenAPI document of an API with default settings."""

import pytest

from api.app import create_app
from core.settings import Settings


@pytest.fixture(scope="package")
def document():
    settings = Settings(secret_key="a secret of the tests of 32 bytes", storage_url="file:///nowhere")
    return create_app(settings).openapi_schema.to_schema()
