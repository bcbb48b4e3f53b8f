"""The files and fields of `atelier generate`."""

from pathlib import Path
from typing import Any

from cli.commands.client.generate import _files, _typed_fields
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


def test_prefer_seconds_makes_the_server_a_preference():
    client: Any = None
    assert {"server_id": "b", "prefer_seconds": 5.0, "pin": "prefer"} == _typed_fields(
        client, {"server_id": "b", "prefer_seconds": 5.0, "model": None}, media=()
    )
    assert {"server_id": "b"} == _typed_fields(client, {"server_id": "b", "prefer_seconds": None}, media=())
