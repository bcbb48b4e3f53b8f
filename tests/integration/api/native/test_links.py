"""Links behind a path prefix: each leads back to the service, followed as RFC 3986 says."""

import re
from urllib.parse import urljoin

import pytest

from tests.support.rows.rows import ARTIFACT
from tests.support.service.api_server import api_server

PREFIX = "/atelier"
ROUTE = "/generate/image/v1"


@pytest.fixture(scope="module")
def behind(settings):
    """An API whose callers reach it below a path that the proxy strips."""
    with api_server(settings, PREFIX) as server:
        yield server


@pytest.fixture
def follow(behind, key):
    """GET a link that was found at `path` of the service, the way a client and the proxy do."""
    public = behind.settings.public_url
    with behind.client(key) as client:

        def get(path, link):
            target = urljoin(public + path, link)
            assert target.startswith(f"{public}/"), link
            return client.get(target.removeprefix(public))

        yield get


def test_links_of_a_job_stay_below_the_prefix(behind, rows, key, server, worker, follow):
    with behind.client(key) as client:
        accepted = client.post(ROUTE, json={"prompt": "a"})
        body = accepted.json()
        job_id = body["job_id"]
        for link in (accepted.headers["Location"], body["status_url"]):
            assert job_id == follow(ROUTE, link).json()["job_id"]
        worker.complete(worker.claim(), ARTIFACT)
        assert "event: completed" in follow(ROUTE, body["events_url"]).text
        status = client.get(f"{ROUTE}/status/{job_id}").json()
        first = follow(ROUTE, status["result_url"])
        assert (302, True) == (
            first.status_code,
            first.headers["Location"].startswith(f"{behind.settings.public_url}/files/"),
        )


@pytest.mark.parametrize("path", ["/nowhere", "//nowhere", ROUTE, "/jobs/v1/x"])
def test_the_type_of_a_problem_does_too(behind, follow, path):
    with behind.client() as client:
        problem = client.get(f"{str(client.base_url).rstrip('/')}{path}").json()  # else `//nowhere` is a host
        assert problem["code"] == follow(path, problem["type"]).json()["code"]


@pytest.mark.long
def test_the_page_of_the_document_does_too(behind, follow):
    with behind.client() as client:
        head = client.get("/schema").text.split("</head>")[0]
        loaded = re.findall(r"""(?:src|href)=['"]([^'"]+)""", head)
        assert [200] * 4 == [follow("/schema", link).status_code for link in loaded]
        assert [{"url": PREFIX}] == client.get("/schema/openapi.json").json()["servers"]


@pytest.mark.long
def test_links_without_a_prefix_are_as_they_were(api, client, create):
    assert f"{ROUTE}/status/" in client.post(ROUTE, json={"prompt": "a"}).headers["Location"][: len(ROUTE) + 8]
