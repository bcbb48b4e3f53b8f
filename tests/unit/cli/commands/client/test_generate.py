"""The files and fields of `atelier generate`."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest
from click.testing import CliRunner

from atelier_client import calls
from cli.commands.client.generate import _ended, _follow, _play, _upload, _with_paths
from cli.main import atelier
from cli.output.interrupts import TimedOut, TimeLimit
from jobs.wire.jobs import WaitReason

NOWHERE = ["--url", "http://127.0.0.1:1", "--key", "atl_key"]


class Uploads:
    """A client that only takes uploads."""

    def source(self, source: str) -> str:
        return f"inp_{source}"


class Late:
    """A client whose job takes too long; `end` is its status once it was cancelled."""

    def __init__(self, end: str, waiting_for: WaitReason | None = None) -> None:
        self.end = end
        self.waits_for = waiting_for

    def subscribe(self, job_id: str) -> None:
        raise TimeLimit

    def job(self, job_id: str) -> SimpleNamespace:
        return SimpleNamespace(waiting_for=self.waits_for)

    def cancel(self, job_id: str) -> SimpleNamespace:
        return SimpleNamespace(status=self.end, waiting_for=None, error=None, outputs=["an output"])


@pytest.mark.parametrize(
    ("waits_for", "reason"),
    [(WaitReason("queue", "Others are first."), "cancelled. Others are first."), (None, "cancelled")],
)
def test_a_job_that_took_too_long_says_what_it_waited_for(waits_for, reason):
    late: Any = Late("cancelled", waits_for)
    with pytest.raises(TimedOut, match=f"job_1 was not done in time and was {reason}$"):
        _ended(late, "job_1", None, _follow)


def test_a_job_that_ended_at_its_limit_is_done():
    late: Any = Late("completed")
    assert ["an output"] == _ended(late, "job_1", None, _follow).outputs


class Speaking(Late):
    """A service whose job has a sound."""

    def listen(self, job_id: str) -> Iterator[bytes]:
        yield from (b"go", b"od ", b"morning")

    def job(self, job_id: str) -> SimpleNamespace:
        return SimpleNamespace(job_id=job_id, status=self.end, error=None, outputs=["an output"])


def test_a_sound_is_played_as_it_comes(capfdbinary):
    speaking: Any = Speaking("completed")
    assert ["an output"] == _ended(speaking, "job_1", None, _play).outputs
    assert b"good morning" == capfdbinary.readouterr().out


def test_a_sound_that_ends_early_is_a_failure(capfdbinary):
    speaking: Any = Speaking("cancelled")
    with pytest.raises(click.ClickException, match="was cancelled"):
        _ended(speaking, "job_1", None, _play)


def test_the_media_of_a_body_are_uploaded():
    client: Any = Uploads()
    body = {"prompt": "a cat", "input_image": "a.png", "reference_images": ("b.png", "c.png")}
    media = {"input_image": "image", "reference_images": "image", "last_image": "image"}
    sent = _upload(client, body, media)
    assert {"prompt": "a cat", "input_image": "inp_a.png", "reference_images": ["inp_b.png", "inp_c.png"]} == sent


LORAS = [{"lora": "brand"}, {"lora": "./own.safetensors", "weight": 0.8}, {"lora": "http://x.example/a.safetensors"}]


def test_local_loras_are_uploaded_and_others_named():
    client: Any = Uploads()
    sent = _upload(client, {"prompt": "a cat", "loras": LORAS}, {})
    uploaded = {"lora": "inp_./own.safetensors", "weight": 0.8}
    assert [LORAS[0], uploaded, LORAS[2]] == sent["loras"]
    body = {"prompt": "a cat", "loras": LORAS}
    estimated = calls.estimate("image", _with_paths(body, {}))
    assert [LORAS[0], {"lora": calls.NO_FILE, "weight": 0.8}, LORAS[2]] == estimated.json["loras"]


def test_a_lora_that_is_not_there_is_named(tmp_path):
    words = ["generate", "image", "a mug", "--lora", f"{tmp_path}/no.safetensors:0.5", "-o", str(tmp_path / "a.webp")]
    outcome = CliRunner().invoke(atelier, [*words, *NOWHERE], env={"COLUMNS": "200"})
    assert 1 == outcome.exit_code
    assert "no.safetensors: No such file or directory" in outcome.output


def test_an_unknown_voice_names_the_list_of_voices(tmp_path):
    words = ["generate", "speech", "Hello", "--voice", "nosuch", "-o", str(tmp_path / "a.wav"), *NOWHERE]
    outcome = CliRunner().invoke(atelier, words, env={"COLUMNS": "200"})
    assert 1 == outcome.exit_code
    assert "nosuch: No such file or directory; `atelier voices list` has the ids of voices" in outcome.output


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
        (["image", "-n", "2", "-o", "-"], "takes one image"),
        (["image", "--json", "-o", "-"], "name a file"),
        (["image", "--no-wait", "--timeout", "5s"], "leave out --timeout"),
        (["image", "-o", "a.webp", "--preview", "p.png"], "No such option '--preview'"),
        (["speech", "--no-wait", "--preview", "p.png"], "leave out --timeout"),
        (["image", "-o", "a.webp", "--list", "a.json"], "No such option '--list'"),
        (["segment", "-o", "a.png", "--list", "nowhere/a.json"], "nowhere does not exist"),
    ],
)
def test_options_that_do_not_go_together_are_refused(words, reason):
    outcome = CliRunner().invoke(atelier, ["generate", *words, "a star", *NOWHERE])
    assert (2, True) == (outcome.exit_code, reason in outcome.output), outcome.output


def test_local_files_of_an_estimate_are_paths_and_are_not_read():
    body = {"prompt": "a cat", "input_image": "a.png", "reference_images": ("https://x.example/b.png", "c.png")}
    media = {"input_image": "image", "reference_images": "image"}
    assert body | {
        "input_image": Path("a.png"),
        "reference_images": ["https://x.example/b.png", Path("c.png")],
    } == _with_paths(body, media)
