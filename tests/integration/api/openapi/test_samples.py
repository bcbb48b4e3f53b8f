"""Samples of the reference run as they are, against a running API, in every language that is at hand."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from api.openapi.samples import SampleRequest, sample_request, samples
from tests.support.media.media import image_file

POST_IMAGE = "/generate/image/v1"


@pytest.fixture(scope="module")
def document(running):
    with running.client() as client:
        return client.get("/schema/openapi.json").json()


@pytest.fixture
def run(api, key, tmp_path, node):
    """Run the sample of a request in a language; return what it prints, as JSON."""

    def run(request: SampleRequest, language: str):
        code = samples(request)[language]
        if language == "Java":
            if shutil.which("java") is None:
                pytest.skip("no JDK here")
            (tmp_path / "Sample.java").write_text(code)
        commands = {
            "cURL": ["bash", "-c", code],
            "JavaScript": [node, "--input-type=module", "-e", code],
            "Python": [sys.executable, "-c", code],
            "Java": ["java", "Sample.java"],
        }
        environment = os.environ | {"ATELIER_URL": api.url, "ATELIER_API_KEY": key}
        outcome = subprocess.run(
            commands[language], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert 0 == outcome.returncode, outcome.stderr
        return json.loads(outcome.stdout)

    return run


@pytest.mark.contract("C48")
@pytest.mark.parametrize("language", ["cURL", "JavaScript", "Python", "Java"])
def test_a_sample_submits_a_job_in_every_language(document, run, server, language):
    operation = document["paths"][POST_IMAGE]["post"]
    answer = run(sample_request("post", POST_IMAGE, operation, document["components"]["schemas"]), language)
    assert ("queued", "image") == (answer["status"], answer["modality"])


@pytest.mark.parametrize("language", ["cURL", "JavaScript", "Python"])
def test_a_sample_uploads_a_file(document, run, tmp_path, language):
    (tmp_path / "photo.jpg").write_bytes(image_file())
    operation = document["paths"]["/inputs/v1"]["post"]
    answer = run(sample_request("post", "/inputs/v1", operation, document["components"]["schemas"]), language)
    assert (True, "image/png") == (answer["uploaded"], answer["media_type"])
