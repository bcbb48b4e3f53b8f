"""VideoGen's own Python client, unmodified, on the module's API."""

import tempfile
from pathlib import Path

import pytest
import videogen
from sqlalchemy import select, update

from jobs.schema.tables import media
from tests.support.servers.media_server import png
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


@pytest.fixture
def upload_picture(vg, rows, store):
    """Puts a picture into the library, as a worker leaves it; its file id."""

    def call(name):
        file = vg.files.create_file_upload(display_name=name)["file_id"]
        item = media.c.id == file.replace("vg_file", "med")
        with tempfile.NamedTemporaryFile() as content:
            content.write(png())
            content.flush()
            store.put(rows.scalar(select(media.c.key).where(item)), Path(content.name), "image/png")
        rows.execute(update(media).where(item).values(status="ready", kind="image"))
        return file

    return call
