"""The OpenAPI documents of an API with default settings."""

import pytest

from api.app import create_app
from core.settings import Settings


@pytest.fixture(scope="package")
def app():
    return create_app(Settings(secret_key="a secret of the tests of 32 bytes", storage_url="file:///nowhere"))


@pytest.fixture(scope="package")
def document(app):
    return app.openapi_schema.to_schema()


@pytest.fixture(scope="package")
def dialects(app):
    """The document of each wire format, by its name."""
    return app.state.dialect_documents.all()


@pytest.fixture(scope="package")
def documents(document, dialects):
    """All of them."""
    return [document, *dialects.values()]
