"""Samples of the reference run as they are, against a running API, in every language that is at hand."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from api.openapi.samples import SampleRequest, sample_request, samples
from api.wire_formats import WIRE_FORMATS
from tests.support.media.media import image_file

POST_IMAGE = "/generate/image/v1"


@pytest.fixture(scope="module")
def documents(running):
    """The document of each base path; that of the service is under an empty one."""
    with running.client() as client:
        return {
            base: client.get(f"{base}/schema/openapi.json").raise_for_status().json()
            for base in ("", *(one.document.base for one in WIRE_FORMATS if one.document))
        }


@pytest.fixture(scope="module")
def document(documents):
    return documents[""]


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


@pytest.mark.matrix
@pytest.mark.contract("C48")
@pytest.mark.parametrize("language", ["cURL", "JavaScript", "Python", "Java"])
def test_a_sample_submits_a_job_in_every_language(document, run, server, language):
    operation = document["paths"][POST_IMAGE]["post"]
    answer = run(sample_request("post", POST_IMAGE, operation, document["components"]["schemas"]), language)
    assert ("queued", "image") == (answer["status"], answer["modality"])


@pytest.mark.matrix
@pytest.mark.parametrize("language", ["cURL", "JavaScript", "Python"])
def test_a_sample_uploads_a_file(document, run, tmp_path, language):
    (tmp_path / "photo.jpg").write_bytes(image_file())
    operation = document["paths"]["/inputs/v1"]["post"]
    answer = run(sample_request("post", "/inputs/v1", operation, document["components"]["schemas"]), language)
    assert (True, "image/png") == (answer["uploaded"], answer["media_type"])


@pytest.mark.matrix
@pytest.mark.contract("C48")
@pytest.mark.parametrize(
    ("base", "method", "path", "language", "field"),
    [
        ("/imagepipeline", "post", "/generate/image/v1", "Python", "job_id"),
        ("/imagepipeline", "post", "/upload/image/v1", "cURL", "url"),
        ("/imagepipeline", "post", "/upload/image/v1", "Java", "url"),
        ("/videogen", "post", "/v1/tools/generate-image", "JavaScript", "toolExecutionId"),
        ("/whaletools", "get", "/v1/media", "cURL", "data"),
    ],
)
def test_a_sample_of_another_services_format_runs(
    documents, run, server, tmp_path, base, method, path, language, field
):
    (tmp_path / "photo.jpg").write_bytes(image_file("JPEG"))
    operation = documents[base]["paths"][base + path][method]
    request = sample_request(method, base + path, operation, documents[base]["components"]["schemas"])
    assert field in run(request, language)


@pytest.fixture(scope="module")
def programs(documents):
    """The samples of every route, in each language."""
    found = {"JavaScript": [], "Java": []}
    for document in documents.values():
        for path, item in document["paths"].items():
            for method in item.keys() & {"get", "post", "put", "patch", "delete"}:
                made = samples(sample_request(method, path, item[method], document["components"]["schemas"]))
                for language, all_of_it in found.items():
                    all_of_it.append(made[language])
    return found


def test_programs_of_javascript_are_valid(programs, node, tmp_path):
    (tmp_path / "all.mjs").write_text("".join(f"async () => {{\n{one}\n}};\n" for one in programs["JavaScript"]))
    outcome = subprocess.run([node, "--check", "all.mjs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, "") == (outcome.returncode, outcome.stderr)


@pytest.mark.long
def test_programs_of_java_are_valid(programs, tmp_path):
    if shutil.which("javac") is None:
        pytest.skip("no JDK here")
    (imports,) = {one.partition("class Sample {")[0] for one in programs["Java"]}
    bodies = [one.partition("class Sample {")[2] for one in programs["Java"]]
    text = imports + "\n".join(f"class Sample{number} {{{body}" for number, body in enumerate(bodies))
    (tmp_path / "All.java").write_text(text)
    command = ["javac", "-proc:none", "-d", str(tmp_path), "All.java"]
    outcome = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (0, "") == (outcome.returncode, outcome.stderr)
