"""The sanitizer, as a function of a file's bytes."""

import pytest

from tests.support.media.cleaning import MAX_PIXELS
from workers.ingest.sanitizer import Sanitizer
from workers.ingest.sanitizer_messages import SOURCE


@pytest.fixture(scope="module")
def sanitizer():
    made = Sanitizer()
    yield made
    made.close()


@pytest.fixture
def clean(sanitizer, tmp_path):
    def make(data, kind="image", seconds=15.0, **more):
        (tmp_path / SOURCE).write_bytes(data)
        return sanitizer.clean(kind, tmp_path, seconds=seconds, **{"max_pixels": MAX_PIXELS} | more)

    return make
