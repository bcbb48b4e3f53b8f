"""Forms with several files, as they arrive in pieces."""

from types import SimpleNamespace

import pytest

from api.dialects.form_parts import receive_parts
from core.errors.fields import InvalidRequest
from core.errors.http import BodyTooLarge, UnsupportedType


def body(*parts, boundary="b"):
    """A form of (name, filename or None, content)."""
    made = b""
    for name, filename, content in parts:
        also = "" if filename is None else f'; filename="{filename}"'
        made += f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"{also}\r\n\r\n'.encode()
        made += content + b"\r\n"
    return made + f"--{boundary}--\r\n".encode()


async def receive(folder, content, *, boundary="b", limit=100, step=7, media_type="multipart/form-data"):
    folder.mkdir(exist_ok=True)

    async def stream():
        for start in range(0, len(content), step):
            yield content[start : start + step]

    request = SimpleNamespace(content_type=(media_type, {"boundary": boundary}), stream=stream)
    return await receive_parts(request, folder, limit)


PARTS = (("prompt", None, b"in velvet"), ("image[]", "a.png", b"first"), ("image[]", "b.png", b"second"))


async def test_texts_and_files_are_read_by_field(tmp_path):
    form = await receive(tmp_path, body(*PARTS))
    assert {"prompt": ["in velvet"]} == form.texts
    assert [("image[]", "a.png", 5, b"first"), ("image[]", "b.png", 6, b"second")] == [
        (file.field, file.filename, file.size, file.path.read_bytes()) for file in form.files
    ]


async def test_the_digest_is_of_the_parts_and_not_the_boundary(tmp_path):
    first = await receive(tmp_path / "1", body(*PARTS))
    other = await receive(tmp_path / "2", body(*PARTS, boundary="other"), boundary="other", step=50)
    changed = await receive(tmp_path / "3", body(*PARTS[:2], ("image[]", "b.png", b"secone")))
    shifted = await receive(tmp_path / "4", body(("prompt", None, b"in velve"), ("timage[]", "a.png", b"first")))
    assert first.digest == other.digest
    assert 3 == len({first.digest, changed.digest, shifted.digest})


@pytest.mark.parametrize(
    ("content", "fields", "error"),
    [
        (body(("image", "a.png", b"x" * 101)), {}, BodyTooLarge),
        (body(*PARTS)[:-30], {}, InvalidRequest),
        (body(("prompt", None, b"\xff")), {}, InvalidRequest),
        (body(("prompt", None, b"x" * 20_000)), {"step": 4096}, InvalidRequest),
        (b"{}", {"media_type": "application/json"}, UnsupportedType),
    ],
)
async def test_a_form_that_cannot_be_read_is_refused(tmp_path, content, fields, error):
    with pytest.raises(error):
        await receive(tmp_path, content, **fields)
