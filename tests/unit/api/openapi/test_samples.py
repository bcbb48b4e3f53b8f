"""Samples of requests: every route has one in each language, and none has a wrong syntax."""

import ast
import subprocess

from api.openapi.reference import outline, reference
from api.openapi.samples import LANGUAGES, SampleRequest, sample_request, samples

AWKWARD = {"text": 'it\'s "quoted" \\ and ünïcode', "yes": True, "none": None, "list": [1, 2.5]}


def requests(*documents):
    for document in documents:
        for path, item in document["paths"].items():
            for method, operation in item.items():
                if method in ("get", "post", "put", "patch", "delete"):
                    yield sample_request(method, path, operation, document["components"]["schemas"])


def test_every_route_is_in_its_reference_with_every_language(documents):
    for document in documents:
        text = reference(document)
        shown = list(requests(document))
        assert text.count("\n## ") == len(shown) > 20
        for name, language in LANGUAGES.items():
            assert len(shown) == text.count(f"\n{name}:\n\n```{language}\n")
        assert len(shown) == len(outline(document).splitlines())


def test_programs_of_python_are_valid(documents):
    for request in requests(*documents):
        compile(samples(request)["Python"], request.path, "exec")


def test_commands_of_the_shell_are_valid(documents):
    commands = "\n".join(samples(request)["cURL"] for request in requests(*documents))
    outcome = subprocess.run(["bash", "-n"], input=commands, capture_output=True, text=True, check=False)
    assert (0, "") == (outcome.returncode, outcome.stderr)


def test_a_body_is_the_first_example_or_the_required_fields(document):
    by_path = {(request.method, request.path): request for request in requests(document)}
    assert {"prompt": "a red circle on a blue background"} == by_path["POST", "/generate/image/v1"].body
    assert {"url": "https://example.org/hook"} == by_path["POST", "/webhooks/v1"].body
    assert by_path["GET", "/jobs/v1/JOB_ID"].body is None
    assert "photo.jpg" == by_path["POST", "/inputs/v1"].file


def test_a_public_route_is_asked_without_a_key(document):
    by_path = {request.path: request for request in requests(document)}
    assert "ATELIER_API_KEY" not in samples(by_path["/health/live"])["cURL"]
    assert "ATELIER_API_KEY" in samples(by_path["/models/v1"])["cURL"]


def test_texts_with_quotes_stay_as_they_are():
    request = SampleRequest(method="POST", path="/", body=AWKWARD)
    script = samples(request)["cURL"].replace("curl -fsS", "printf '%s\\n'")
    printed = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout
    assert 'it\'s \\"quoted\\" \\\\ and ünïcode' in printed
    literal = samples(request)["Python"].partition("    json=")[2].splitlines()[0].rstrip(",")
    assert AWKWARD == ast.literal_eval(literal)


def test_a_picture_is_sent_in_a_form_where_only_that_is_taken(dialects):
    (request,) = (one for one in requests(dialects["imagepipeline"]) if one.path.endswith("/upload/image/v1"))
    found = samples(request)
    assert "-F file=@photo.jpg" in found["cURL"]
    assert 'files={"file": open("photo.jpg", "rb")}' in found["Python"]
    assert 'form.append("file"' in found["JavaScript"]
    assert "multipart/form-data; boundary=edge" in found["Java"]
