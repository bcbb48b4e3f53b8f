"""Images of OpenAI's routes that are shown while they are made; the test plays the worker and what it draws."""

import base64
import json

import msgspec
import pytest

from jobs.job import JobError
from jobs.statements.queue.tenant_jobs import listing
from jobs.step_previews import PreviewPublisher, StepPreview
from tests.support.rows.rows import ARTIFACT
from tests.support.wait import until

IMAGES, EDITS = "/openai/v1/images/generations", "/openai/v1/images/edits"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@pytest.fixture
def previews(settings):
    return PreviewPublisher(settings)


@pytest.fixture
def paint(server, client, worker, previews):
    """Ask for partial images, show `steps` as `(step, of, is passed on)`, end the job; returns the events."""

    def paint(wanted, steps, finish):
        fields = {"prompt": "a red circle", "stream": True, "partial_images": wanted, "quality": "low"}
        received = []
        with client.stream("POST", IMAGES, json=fields) as answer:
            assert (200, "text/event-stream") == (answer.status_code, answer.headers["content-type"].partition(";")[0])
            job = worker.claim()
            until(lambda: previews.is_asked_for(job.id), what="a stream that asks")
            parts = (line.removeprefix("data: ") for line in answer.iter_lines() if line.startswith("data: "))
            for step, of, is_passed_on in steps:
                previews.publish(job.id, StepPreview(step=step, of=of, image=f"data:image/webp;base64,{step}"))
                if is_passed_on:
                    received.append(json.loads(next(parts)))
            finish(job)
            received += [json.loads(part) for part in parts]
        until(lambda: not previews.is_asked_for(job.id), what="the end of the asking")
        return received

    return paint


def test_partial_images_come_while_an_image_is_made(paint, worker, store, tmp_path):
    (tmp_path / "image").write_bytes(PNG)
    store.put(ARTIFACT.key, tmp_path / "image", "image/webp")
    image = msgspec.structs.replace(ARTIFACT, bytes=len(PNG), metadata={"width": 8, "height": 4})
    steps = [(2, 9, False), (3, 9, True), (4, 9, False), (7, 9, True), (9, 9, False)]

    *partial, completed = paint(2, steps, lambda job: worker.complete(job, image))

    assert ["3", "7"] == [event["b64_json"] for event in partial]
    assert [0, 1] == [event["partial_image_index"] for event in partial]
    assert {
        "type": "image_generation.partial_image",
        "size": "1024x1024",
        "quality": "low",
        "background": "opaque",
        "output_format": "webp",
    } == {name: partial[0][name] for name in ("type", "size", "quality", "background", "output_format")}
    assert ("image_generation.completed", PNG) == (completed["type"], base64.b64decode(completed["b64_json"]))


def test_what_fails_after_a_partial_image_is_an_event_too(paint, worker):
    error = JobError("gpu_out_of_memory", "It does not fit.")
    partial, failed = paint(1, [(1, 2, True)], lambda job: worker.fail(job, error))
    assert "image_generation.partial_image" == partial["type"]
    assert ("gpu_out_of_memory", "server_error") == (failed["error"]["code"], failed["error"]["type"])


def test_an_edit_has_partial_images_of_its_own_name(client, all_models, rows, tenant, previews):
    fields = {"prompt": "in velvet", "model": "chaos-edit", "stream": "true", "partial_images": "1"}
    with client.stream("POST", EDITS, data=fields, files={"image": ("a.png", PNG)}) as answer:
        assert 200 == answer.status_code
        with rows.engine.connect() as connection:
            (job,) = connection.execute(listing(tenant, limit=2)).all()
        until(lambda: previews.is_asked_for(job.id), what="a stream that asks")
        previews.publish(job.id, StepPreview(step=1, of=2, image="data:image/webp;base64,AA=="))
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert "image_edit.partial_image" == json.loads(first.removeprefix("data: "))["type"]
