"""The files and fields of `atelier generate`."""

from pathlib import Path
from typing import Any

from cli.commands.client.generate import _files, _upload
from jobs.wire.status import OutputAnswer


def output(number: int, ending: str, media_type: str) -> OutputAnswer:
    url = f"https://media.example/o/job_1/{number}.{ending}?signature=x"
    return OutputAnswer(url=url, media_type=media_type, bytes=1, sha256="0")


def test_one_output_gets_the_named_file():
    assert [Path("a/star.jpg")] == _files([output(0, "jpeg", "image/jpeg")], Path("a/star.jpg"))


def test_several_outputs_of_one_type_are_numbered():
    outputs = [output(number, "webp", "image/webp") for number in range(2)]
    assert [Path("a/star-1.webp"), Path("a/star-2.webp")] == _files(outputs, Path("a/star.webp"))


def test_a_second_output_of_another_type_is_numbered():
    outputs = [output(0, "glb", "model/gltf-binary"), output(1, "png", "image/png")]
    assert [Path("a/mug.glb"), Path("a/mug-2.png")] == _files(outputs, Path("a/mug.glb"))


class Uploads:
    """A client that only takes uploads."""

    def source(self, source: str) -> str:
        return f"inp_{source}"


def test_the_media_of_a_body_are_uploaded():
    client: Any = Uploads()
    body = {"prompt": "a cat", "input_image": "a.png", "reference_images": ("b.png", "c.png")}
    media = {"input_image": "image", "reference_images": "image", "last_image": "image"}
    sent = _upload(client, body, media)
    assert {"prompt": "a cat", "input_image": "inp_a.png", "reference_images": ["inp_b.png", "inp_c.png"]} == sent
