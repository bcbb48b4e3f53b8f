"""The root and the paths that people try first: a page for browsers, JSON for programs, a way to the documentation."""

import base64
import hashlib
import re

import msgspec
import pytest

from tests.support.service.api_server import api_server

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.fixture
def anybody(api):
    with api.client() as client:
        yield client


def test_a_browser_gets_a_page_of_what_is_served(anybody, rows):
    rows.server("gpu-1", serves=["chaos", "chaos-mesh"])
    page = anybody.get("/", headers=BROWSER)
    assert (200, "text/html; charset=utf-8") == (page.status_code, page.headers["Content-Type"])
    assert "Ready: jobs are accepted." in page.text
    assert re.findall(r"<code>(POST [^<]+)</code>", page.text) == ["POST /generate/image/v1", "POST /generate/3d/v1"]
    assert "<code>chaos</code>" in page.text
    links = re.findall(r'href="([^"]+)"', page.text)
    assert "/schema" in links
    assert [200] * len(links) == [anybody.get(link).status_code for link in links]


def test_a_page_without_servers_says_so(anybody):
    assert "no GPU worker is running" in anybody.get("/", headers=BROWSER).text


def test_a_program_gets_json(anybody, rows):
    rows.server("gpu-1", serves=["chaos"])
    answer = anybody.get("/")
    assert (200, "application/json") == (answer.status_code, answer.headers["Content-Type"])
    said = answer.json()
    assert ("atelier", "ok", None) == (said["name"], said["status"], said["problem"])
    assert [{"id": "chaos", "title": "Chaos", "modality": "image"}] == said["models"]
    assert ["/schema", "/schema/openapi.json", "/health/ready"] == [
        said[name] for name in ("documentation", "openapi", "readiness")
    ]


@pytest.mark.long
def test_a_service_that_is_not_ready_says_why(settings, empty_database_url):
    empty = msgspec.structs.replace(settings, database_url=empty_database_url)
    with api_server(empty) as server, server.client() as anybody:
        answer, page = anybody.get("/"), anybody.get("/", headers=BROWSER)
    assert (200, "unavailable") == (answer.status_code, answer.json()["status"])
    assert "atelier migrate" in answer.json()["problem"]
    assert "Not ready. The schema is at" in page.text


def test_a_browser_runs_nothing_in_the_page(anybody):
    page = anybody.get("/", headers=BROWSER)
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = page.headers["Content-Security-Policy"]
    assert policy.startswith(f"default-src 'none'; style-src 'sha256-{digest}';")
    assert "unsafe" not in policy
    assert "<script" not in page.text
    assert " style=" not in page.text


@pytest.mark.long
def test_links_lead_below_the_prefix_of_a_proxy(settings, rows):
    with api_server(settings, "/media") as server, server.client() as anybody:
        links = re.findall(r'href="([^"]+)"', anybody.get("/", headers=BROWSER).text)
        assert {"/media"} == {link[:6] for link in links}
        assert "/media/schema" == anybody.get("/").json()["documentation"]
        assert "/media/schema" == anybody.get("/docs").headers["Location"]
        scripts = re.findall(r'(?:src|href|data-document)="([^"]+)"', anybody.get("/schema").text)
        assert 6 == len(scripts)
        assert {"/media/schema"} == {script[:13] for script in scripts}


@pytest.mark.parametrize("path", ["/docs", "/docs/", "/redoc", "/swagger", "/api-docs"])
def test_other_names_of_the_documentation_lead_to_it(anybody, path):
    answer = anybody.get(path)
    assert (307, "/schema") == (answer.status_code, answer.headers["Location"])


def test_other_names_of_the_document_lead_to_it(anybody):
    assert "/schema/openapi.json" == anybody.get("/openapi.json").headers["Location"]


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("/health", "/health/ready"),
        ("/healthz", "/health/live"),
        ("/generate/image", "/generate/image/v1"),
        ("/generate/images/v1", "/generate/image/v1"),
        ("/models", "/models/v1"),
        ("/jobs", "/jobs/v1"),
        ("/uploads", "/inputs/v1"),
    ],
)
def test_an_unknown_path_is_answered_with_the_right_one(anybody, path, meant):
    answer = anybody.get(path)
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])
    assert f"did you mean `{meant}`?" in answer.json()["detail"]


@pytest.mark.parametrize("path", ["/wp-login.php", "/" + "a" * 4000, "/x/y"])
def test_a_path_like_none_of_them_is_only_refused(anybody, path):
    assert "This path does not exist; the page at /schema lists all paths." == anybody.get(path).json()["detail"]
