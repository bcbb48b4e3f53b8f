"""Where `atelier generate` puts what was made."""

from pathlib import Path
from typing import Any

from cli.commands.client.generate import _files, _given
from jobs.wire.status import OutputAnswer


def output(number: int, ending: str, media_type: str) -> OutputAnswer:
    url = f"https://media.example/o/job_1/{number}.{ending}?signature=x"
    return OutputAnswer(url=url, media_type=media_type, bytes=1, sha256="0")


def test_one_output_is_the_file_that_was_named():
    assert [Path("a/star.jpg")] == _files([output(0, "jpeg", "image/jpeg")], Path("a/star.jpg"))


def test_several_of_one_kind_are_numbered():
    made = [output(number, "webp", "image/webp") for number in range(2)]
    assert [Path("a/star-1.webp"), Path("a/star-2.webp")] == _files(made, Path("a/star.webp"))


def test_what_comes_beside_takes_no_name_that_somebody_may_have_chosen():
    made = [output(0, "glb", "model/gltf-binary"), output(1, "png", "image/png")]
    assert [Path("a/mug.glb"), Path("a/mug-2.png")] == _files(made, Path("a/mug.glb"))


def test_a_server_that_is_only_preferred_is_asked_for_as_such():
    client: Any = None
    assert {"server_id": "b", "prefer_seconds": 5.0, "pin": "prefer"} == _given(
        client, {"server_id": "b", "prefer_seconds": 5.0, "model": None}, media=()
    )
    assert {"server_id": "b"} == _given(client, {"server_id": "b", "prefer_seconds": None}, media=())
