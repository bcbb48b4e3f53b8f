"""The command line's client, against a small real HTTP server with scripted answers."""

import json
import socket

import pytest

from cli.http.client import Client, refuse_unwritable
from cli.http.problems import ApiError, ApiUnavailable
from tests.support.service.scripted_api import ACCEPTED, problem, scripted_api, upload_to


@pytest.fixture
def api():
    with scripted_api() as script:
        yield script


@pytest.fixture
def client(api):
    with Client(api.url, "atl_key") as client:
        yield client


def test_a_problem_is_raised_with_its_sentence(api, client):
    api.add("/jobs/v1/x", problem("out_of_range", "Too wide.", "$.width"), 422)
    with pytest.raises(ApiError, match=r"^Too wide\. \(field \$\.width\) \[out_of_range\]$") as refusal:
        client.job("x")
    assert not isinstance(refusal.value, ApiUnavailable)


def test_a_problem_of_a_gateway_is_shown_with_its_status(api, client):
    api.add("/models/v1", {"title": "Too many requests", "status": 429, "detail": "Slow down."}, 429)
    with pytest.raises(ApiError, match=r"^Slow down\. \[429\]$"):
        client.models()


def test_an_answer_of_another_form_is_an_error_with_advice(api, client):
    api.add("/models/v1", {"models": [{"id": "m"}]})
    with pytest.raises(ApiError, match=r"/models/v1 answers in another form .*use the CLI of its version$"):
        client.models()


def test_an_error_of_a_proxy_is_shown_as_it_is(api, client):
    api.add("/models/v1", b"<h1>Bad gateway</h1>", 502)
    with pytest.raises(ApiUnavailable, match=r"Bad gateway.* \[502\]"):
        client.models()


def test_an_unreachable_api_is_an_error_with_advice():
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with (
        Client(f"http://127.0.0.1:{port}", "k") as client,
        pytest.raises(ApiUnavailable, match="start one on this machine with `atelier up`"),
    ):
        client.models()


def test_following_an_unknown_job_is_an_error(api, client):
    api.add("/jobs/v1/job_1/events", problem("unknown_job", "No such job."), 404)
    with pytest.raises(ApiError, match="No such job"):
        list(client.subscribe("job_1"))


def test_a_refused_download_leaves_no_file(api, client, tmp_path):
    api.add("/o/x", problem("unknown_output", "Gone."), 404)
    with pytest.raises(ApiError, match="Gone"):
        client.download(f"{api.url}/o/x", tmp_path / "a.webp")
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "text", ["https://example.org/a.png", "data:image/png;base64,AA==", "inp_" + 32 * "0", "voi_" + 32 * "0"]
)
def test_a_source_that_is_a_url_or_id_is_not_uploaded(api, client, text):
    assert text == client.source(text)
    assert [] == api.requests


def test_a_file_is_uploaded_without_the_key(api, client, tmp_path):
    file = tmp_path / "photo.png"
    file.write_bytes(b"pixels")
    upload = upload_to(f"{api.url}/put?signature=x", headers={"X-Given": "1"})
    api.add("/inputs/v1", upload, 201)
    api.add("/put?signature=x", b"", 200)

    assert "inp_7" == client.source(str(file))

    path, headers, body = api.requests[-1]
    assert ("/put?signature=x", b"pixels", "1", "6") == (path, body, headers["X-Given"], headers["Content-Length"])
    assert "X-API-Key" not in headers


def test_a_missing_file_is_an_error_with_its_name(api, client, tmp_path):
    with pytest.raises(ApiError, match=r"nowhere\.png: No such file"):
        client.source(str(tmp_path / "nowhere.png"))
    assert [] == api.requests


def test_a_text_under_a_locale_of_bytes_is_sent_as_typed(api, client):
    """As under a locale without UTF-8."""
    api.add("/generate/image/v1", ACCEPTED)
    typed = "ein grüner Kreis 😀"
    read = typed.encode().decode("ascii", "surrogateescape")
    client.submit("image", prompt=read, palette=(read, typed), seed=1)
    assert {"prompt": typed, "palette": [typed, typed], "seed": 1} == json.loads(api.requests[0][2])


def test_a_key_that_no_header_can_hold_is_one_sentence():
    with pytest.raises(ApiError, match="ASCII"):
        Client("http://127.0.0.1:9", "schlüssel")


@pytest.mark.parametrize("folder", ["none", "file"])
def test_a_file_that_cannot_be_written_is_one_sentence(api, client, tmp_path, folder):
    (tmp_path / "file").write_text("x")
    target = tmp_path / folder / "a.webp"
    api.add("/o/x", {})
    for write in (lambda: refuse_unwritable(target), lambda: client.download(f"{api.url}/o/x", target)):
        with pytest.raises(ApiError, match=r"a\.webp cannot be written: No"):
            write()


def test_looking_whether_a_file_can_be_written_leaves_none(tmp_path):
    refuse_unwritable(tmp_path / "a.webp")
    assert [] == list(tmp_path.iterdir())


def test_an_api_without_the_route_of_requests_says_nothing(api):
    api.add("/jobs/v1/job_1/request", problem("not_found", "This path does not exist."), 404)
    api.add("/jobs/v1/job_2/request", problem("unknown_job", "This job does not exist."), 404)
    with Client(api.url, "k") as client:
        assert client.known_request("job_1") is None
        with pytest.raises(ApiError, match="unknown_job"):
            client.known_request("job_2")
