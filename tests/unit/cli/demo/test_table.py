"""The table of the demo: complete, in order, and typed as a person would type it."""

import shlex

import pytest

from cli.commands.client.generate import generate_command
from cli.commands.client.request_options import request_body
from cli.demo.table import IMAGES, JOBS
from cli.demo.typed import command_line


def test_pictures_and_films_are_cut_out_and_enlarged():
    shown = {(job.modality, field) for job in JOBS for field in job.fields}
    assert {("remove-background", "image_url"), ("upscale", "input_image")} < shown
    assert {("remove-background", "input_video"), ("upscale", "input_video")} < shown


def test_what_a_job_is_made_of_is_there_before_it():
    made = set[str]()
    for job in JOBS:
        assert job.file not in made
        assert all(name in made or (IMAGES / name).is_file() for name in job.sources), job.title
        made.add(job.file)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.file)
def test_the_command_of_a_job_is_the_job(job):
    line = command_line(job.spec, job.body | {"model": "any"}, job.file)
    generate, verb, *words = shlex.split(line)
    assert ("generate", job.spec.word) == (generate, verb)
    typed = generate_command(job.spec).make_context(verb, words).params
    assert job.file == str(typed["output"])
    body = request_body({name: typed[name] for name in (*job.fields, "model")})
    assert job.fields | {"model": "any"} == {
        name: [*value] if isinstance(value, tuple) else value for name, value in body.items()
    }
