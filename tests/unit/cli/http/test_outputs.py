"""The files of a job's outputs, with a client that writes down what it downloads."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import rich_click as click

from cli.http.outputs import numbered, own_names, save_outputs, succeeded
from jobs.job import JobError
from jobs.wire.status import OutputAnswer

PICTURE, MESH = "image/webp", "model/gltf-binary"


class Downloads(dict):
    """A client that only downloads: the last part of the link's path, by file."""

    def download(self, url, target):
        self[target.name] = url


def output(number, media_type, **fields):
    ending = {PICTURE: "webp", MESH: "glb", "image/png": "png"}[media_type]
    return OutputAnswer(
        url=f"https://o.example/{number}.{ending}?x=y", media_type=media_type, bytes=1, sha256="0", **fields
    )


def job(*outputs, status="completed", error=None):
    return SimpleNamespace(job_id="job_1", status=status, outputs=list(outputs), error=error)


def test_one_output_gets_the_named_file():
    client = Downloads()
    assert [Path("a.jpg")] == save_outputs(client, job(output(0, PICTURE)), Path("a.jpg"))
    assert {"a.jpg": "https://o.example/0.webp?x=y"} == client


def test_several_outputs_of_one_type_are_numbered():
    files = save_outputs(Downloads(), job(output(0, PICTURE), output(1, PICTURE)), Path("b/a.webp"))
    assert [Path("b/a-1.webp"), Path("b/a-2.webp")] == files == numbered(Path("b/a.webp"), 2)


def test_a_preview_is_saved_only_where_it_is_named():
    made = job(output(0, MESH), output(1, "image/png"))
    assert [Path("mug.glb")] == save_outputs(Downloads(), made, Path("mug.glb"))
    assert [Path("mug.glb"), Path("p.png")] == save_outputs(Downloads(), made, Path("mug.glb"), Path("p.png"))
    with pytest.raises(click.ClickException, match="no preview"):
        save_outputs(Downloads(), job(output(0, PICTURE)), Path("a.webp"), Path("p.png"))


def test_outputs_have_names_of_their_own():
    assert ["mug.glb", "job_1-1.png"] == own_names(job(output(0, MESH, name="mug.glb"), output(1, "image/png")))


def test_no_output_takes_anothers_file_or_leaves_the_folder():
    made = job(*(output(number, MESH, name=name) for number, name in enumerate(["a.glb", "a.glb", "../b.glb", ".."])))
    assert ["a.glb", "job_1-1.glb", "b.glb", "job_1-3.glb"] == own_names(made)


def test_a_job_without_outputs_is_an_error_with_its_reason():
    with pytest.raises(click.ClickException, match=r"Too wide\. \[out_of_range\]"):
        succeeded(job(error=JobError("out_of_range", "Too wide.")))
    with pytest.raises(click.ClickException, match="job_1 is completed and has no outputs"):
        succeeded(job())
    with pytest.raises(click.ClickException, match="job_1 was cancelled"):
        succeeded(job(status="cancelled"))
