"""Signing in to the console: the cookie, what it counts for, and when it ends."""

from http.cookies import SimpleCookie

import httpx
import msgspec
import pytest
from sqlalchemy import text

from api.session.cookie import NAME, SECURE_NAME, SessionCookie
from core.settings import Settings
from tests.support.service.api_server import NO_TLS, api_server, make_key

ROUTE, MARK = "/console/session", {"X-Atelier-Console": "1"}


def signed_in(client: httpx.Client, key: str) -> httpx.Response:
    answer = client.post(ROUTE, json={"key": key}, headers=MARK)
    assert 204 == answer.status_code, answer.text
    return answer


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (status, code) == (answer.status_code, answer.json()["code"])
    return answer.json()["detail"]


@pytest.fixture
def browser(api):
    """A client that keeps cookies, without a key."""
    with api.client() as client:
        yield client


def test_a_key_becomes_a_cookie_that_scripts_cannot_read(browser, key, rows):
    answer = signed_in(browser, key)
    cookie = SimpleCookie(answer.headers["Set-Cookie"])[NAME]
    assert (True, "Strict", "/", "604800") == (
        cookie["httponly"],
        cookie["samesite"],
        cookie["path"],
        cookie["max-age"],
    )
    assert not cookie["secure"]
    assert "no-store" == answer.headers["Cache-Control"]
    stored = str(rows.execute(text("SELECT * FROM console_sessions")))
    assert key not in stored
    assert cookie.value not in stored


def test_over_https_the_cookie_is_of_this_host_alone():
    header = SessionCookie(Settings(public_url="https://gpu.example.org/studio")).set("secret")
    assert header.startswith(f"{SECURE_NAME}=secret; Path=/; ")
    assert header.endswith("; HttpOnly; SameSite=Strict; Secure")


def test_a_session_is_its_key(browser, key, create):
    signed_in(browser, key)
    job_id = create()
    me = browser.get("/me/v1").json()
    assert ("studio", "test") == (me["tenant"], me["key_name"])
    assert job_id == browser.get(f"/jobs/v1/{job_id}").json()["job_id"]
    assert [job_id] == [job["job_id"] for job in browser.get("/jobs/v1").json()["jobs"]]
    with browser.stream("GET", f"/jobs/v1/{job_id}/events") as events:
        assert 200 == events.status_code
    assert 200 == browser.post(f"/jobs/v1/{job_id}/cancel", headers=MARK).status_code


def test_a_browser_asks_whether_it_is_signed_in(browser, key, rows):
    assert {"signed_in": False} == browser.get(ROUTE).json()
    signed_in(browser, key)
    assert {"signed_in": True} == browser.get(ROUTE).json()
    rows.execute(text("UPDATE api_keys SET revoked_at = now()"))
    assert {"signed_in": False} == browser.get(ROUTE).json()


def test_a_key_in_the_headers_comes_before_the_cookie(browser, key, rows, settings):
    signed_in(browser, key)
    other = make_key(rows, settings, rows.tenant("another"))
    assert "another" == browser.get("/me/v1", headers={"X-API-Key": other}).json()["tenant"]
    assert 401 == browser.get("/me/v1", headers={"Authorization": "Bearer nonsense"}).status_code


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**MARK, "Sec-Fetch-Site": "same-site"},
        {**MARK, "Sec-Fetch-Site": "cross-site"},
        {**MARK, "Origin": "http://127.0.0.1:1"},
        {**MARK, "Origin": "null"},
        {"Sec-Fetch-Site": "same-origin"},
    ],
    ids=str,
)
def test_another_page_changes_nothing_with_the_cookie(browser, key, create, headers):
    signed_in(browser, key)
    job_id = create()
    refused(browser.post(f"/jobs/v1/{job_id}/cancel", headers=headers), 403, "cross_site_request")
    refused(browser.delete(f"/jobs/v1/{job_id}", headers=headers), 403, "cross_site_request")
    refused(browser.post(ROUTE, json={"key": key}, headers=headers), 403, "cross_site_request")
    refused(browser.delete(ROUTE, headers=headers), 403, "cross_site_request")
    assert "queued" == browser.get(f"/jobs/v1/{job_id}").json()["status"]


def test_the_consoles_own_page_changes_what_its_key_may(browser, api, key, create):
    signed_in(browser, key)
    for headers in (MARK, {**MARK, "Origin": api.url}, {**MARK, "Sec-Fetch-Site": "same-origin", "Origin": "null"}):
        assert 200 == browser.post(f"/jobs/v1/{create()}/cancel", headers=headers).status_code


def test_a_session_has_no_more_rights_than_its_key(browser, api, rows, tenant, create):
    signed_in(browser, make_key(rows, api.settings, tenant, scopes=["read"]))
    job_id = create()
    assert 200 == browser.get(f"/jobs/v1/{job_id}").status_code
    refused(browser.post(f"/jobs/v1/{job_id}/cancel", headers=MARK), 403, "forbidden")


class TestWhenItEnds:
    def test_a_revoked_key_ends_its_sessions(self, browser, api, key, rows):
        signed_in(browser, key)
        assert 200 == browser.get("/me/v1").status_code
        rows.execute(text("UPDATE api_keys SET revoked_at = now()"))
        assert "sign in again" in refused(browser.get("/me/v1"), 401, "unauthenticated")

    def test_signing_out_ends_it_on_the_server(self, browser, key, rows):
        value = SimpleCookie(signed_in(browser, key).headers["Set-Cookie"])[NAME].value
        answer = browser.delete(ROUTE, headers=MARK)
        assert 204 == answer.status_code
        assert "0" == SimpleCookie(answer.headers["Set-Cookie"])[NAME]["max-age"]
        assert 0 == rows.scalar(text("SELECT count(*) FROM console_sessions"))
        refused(browser.get("/me/v1", headers={"Cookie": f"{NAME}={value}"}), 401, "unauthenticated")
        assert 204 == browser.delete(ROUTE, headers=MARK).status_code

    def test_an_idle_one_ends(self, browser, key, rows):
        signed_in(browser, key)
        assert 12 == rows.scalar(
            text("SELECT round(extract(epoch FROM expires_at - created_at) / 3600) FROM console_sessions")
        )
        rows.execute(text("UPDATE console_sessions SET expires_at = now()"))
        refused(browser.get("/me/v1"), 401, "unauthenticated")
        signed_in(browser, key)
        assert 1 == rows.scalar(text("SELECT count(*) FROM console_sessions"))  # a new one sweeps those that are over

    @pytest.mark.long
    def test_use_moves_its_end_up_to_the_longest_life(self, settings, rows, key):
        with api_server(settings) as server, server.client() as client:
            signed_in(client, key)
            rows.execute(text(
                "UPDATE console_sessions SET seen_at = now() - interval '5 min', expires_at = now() + interval '1 min',"
                " created_at = now() - interval '6 days 18 hours'"
            ))  # fmt: skip
            assert 200 == client.get("/me/v1").status_code
        left = rows.scalar(text("SELECT round(extract(epoch FROM expires_at - now()) / 3600) FROM console_sessions"))
        assert 6 == left  # not 12: it is a week old then


class TestWrongKeys:
    def test_a_wrong_key_is_refused_and_begins_nothing(self, browser, rows, key):
        refused(browser.post(ROUTE, json={"key": "atl_nonsense"}, headers=MARK), 401, "unauthenticated")
        rows.execute(text("UPDATE api_keys SET expires_at = now()"))
        refused(browser.post(ROUTE, json={"key": key}, headers=MARK), 401, "unauthenticated")
        refused(browser.post(ROUTE, json={"key": ""}, headers=MARK), 422, "out_of_range")
        assert 0 == rows.scalar(text("SELECT count(*) FROM console_sessions"))

    @pytest.mark.long
    def test_an_address_that_guesses_is_stopped(self, settings, rows, tenant):
        strict = msgspec.structs.replace(settings, unknown_key_limit=0.01, unknown_key_burst=3)
        key = make_key(rows, settings, tenant)
        rows.execute(text("UPDATE api_keys SET revoked_at = now()"))
        with api_server(strict) as server, server.client() as client:
            codes = [client.post(ROUTE, json={"key": key}, headers=MARK).status_code for _ in range(4)]
            assert [401, 401, 401, 429] == codes
            assert 429 == client.get("/me/v1", headers={"Cookie": f"{NAME}=guess"}).status_code


@pytest.mark.long
def test_the_rate_limit_of_a_key_counts_its_sessions(settings, rows, key):
    limited = msgspec.structs.replace(settings, rate_limit=0.001, rate_burst=3)
    with api_server(limited) as server, server.client() as first, server.client() as second:
        signed_in(first, key)
        signed_in(second, key)
        assert [200, 429] == [client.get("/me/v1").status_code for client in (first, second)]


@pytest.mark.long
def test_a_console_that_is_off_has_no_routes(settings: Settings, rows):
    with api_server(msgspec.structs.replace(settings, console=False)) as server:
        for path in ("/console", "/console/session"):
            answer = httpx.get(server.url + path, verify=NO_TLS)
            refused(answer, 404, "not_found")
