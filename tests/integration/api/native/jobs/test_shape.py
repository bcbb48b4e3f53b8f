"""One shape of answers, whatever is made and wherever it is asked for."""

import pytest

from jobs.params.registry import MODALITIES
from tests.support.service.sse import events

URL = "https://example.com/a.png"
BODIES = {
    "image": {"prompt": "a red circle"},
    "video": {"input_image": URL},
    "speech": {"text": "hello"},
    "3d": {"image_path": URL},
    "remove-background": {"image_url": URL},
    "branding": {"image_url": URL, "palette": ["#ff0000"]},
    "join": {"films": [URL, URL]},
    "vectorize": {"input_image": URL},
    "text": {"prompt": "a caption"},
    "embedding": {"texts": ["a caption"]},
    "segment": {"input_image": "https://shop.example/street.jpg"},
    "transcript": {"input_audio": URL},
    "upscale": {"input_image": URL},
    "sound": {"prompt": "rain"},
    "music": {"prompt": "a happy tune"},
    "avatar": {"input_image": URL, "input_audio": URL},
    "interpolate": {"input_video": URL},
}


@pytest.mark.contract("E9")
def test_every_modality_and_every_surface_answers_in_one_shape(client, all_models):
    accepted, ended = {}, {}
    for modality in MODALITIES:
        answer = client.post(modality.path, json=BODIES[modality.name])
        assert 202 == answer.status_code, answer.text
        accepted[modality.name] = answer.json()
        job_id = answer.json()["job_id"]
        cancelled = client.post(f"/jobs/v1/{job_id}/cancel").json()
        with client.stream("GET", f"/jobs/v1/{job_id}/events") as response:
            last = list(events(response))[-1]
        status = client.get(f"{modality.path}/status/{job_id}").json()
        assert cancelled == status == client.get(f"/jobs/v1/{job_id}").json() == last.data
        ended[modality.name] = status
    listed = client.get("/jobs/v1").json()["jobs"]
    without_titles = [{name: value for name, value in job.items() if name != "title"} for job in listed]
    assert list(ended.values()) == without_titles[::-1]
    waited = client.post("/generate/image/v1?wait=0.01", json=BODIES["image"]).json()
    assert 1 == len({tuple(answer) for answer in accepted.values()})
    assert 1 == len({tuple(answer) for answer in (*ended.values(), waited)})
    assert list(accepted) == [answer["modality"] for answer in ended.values()]


@pytest.mark.contract("E9")
@pytest.mark.parametrize("modality", MODALITIES, ids=lambda modality: modality.name)
def test_every_modality_refuses_in_one_shape(client, modality):
    answer = client.post(modality.path, json=BODIES[modality.name] | {"nonsense": 1})
    assert (422, "application/problem+json") == (answer.status_code, answer.headers["Content-Type"])
    problem = answer.json()
    assert {"type", "title", "status", "detail", "code", "field", "request_id"} == problem.keys()
    assert ("unknown_field", "$.nonsense") == (problem["code"], problem["field"])
