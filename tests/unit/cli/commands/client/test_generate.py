"""The files and fields of `atelier generate`."""

from typing import Any

import pytest
from click.testing import CliRunner

from cli.commands.client.generate import _upload
from cli.main import atelier

NOWHERE = ["--url", "http://127.0.0.1:1", "--key", "atl_key"]


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


def test_a_file_that_was_not_named_is_not_overwritten(tmp_path):
    (tmp_path / "a-2.webp").write_text("mine")
    words = ["generate", "image", "a star", "-n", "2", "-o", str(tmp_path / "a.webp"), *NOWHERE]
    outcome = CliRunner().invoke(atelier, words)
    assert (2, "mine") == (outcome.exit_code, (tmp_path / "a-2.webp").read_text())
    assert "a-2.webp would be overwritten" in outcome.output


def test_a_file_is_named_or_nothing_is_waited_for():
    outcome = CliRunner().invoke(atelier, ["generate", "image", "a star", *NOWHERE])
    assert (2, True) == (outcome.exit_code, "Missing option '-o'" in outcome.output)


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["-n", "2", "-o", "-"], "takes one image"),
        (["--json", "-o", "-"], "name a file"),
        (["--no-wait", "--timeout", "5s"], "leave out --timeout"),
        (["--no-wait", "--preview", "p.png"], "leave out --timeout"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, reason):
    outcome = CliRunner().invoke(atelier, ["generate", "image", "a star", *words, *NOWHERE])
    assert (2, True) == (outcome.exit_code, reason in outcome.output)
