"""Rate limits of the running API: what a limited key and a guessing address are answered."""

import msgspec
import pytest

from core.signing import new_key
from tests.support.rows.statements import executed
from tests.support.service.api_server import api_server, make_key
from tests.support.wait import until

LIMITS = {
    "broker_timeout": 10.0,
    "rate_limit": 0.01,
    "rate_burst": 5,
    "unknown_key_limit": 0.01,
    "unknown_key_burst": 3,
}


@pytest.fixture(scope="module")
def limited(settings):
    with api_server(msgspec.structs.replace(settings, **LIMITS)) as server:
        yield server


@pytest.fixture
def guarded(settings):
    """An API whose addresses have sent nothing yet: each process has buckets of its own for them."""
    with api_server(msgspec.structs.replace(settings, **LIMITS)) as server:
        yield server


@pytest.fixture
def caller(limited, rows, key):
    with limited.client(key) as client:
        yield client


def ask(client, **headers):
    return client.get("/jobs/v1", params={"limit": 1}, headers=headers)


@pytest.mark.contract("B69")
def test_a_request_beyond_the_limit_says_when_to_come_again(caller):
    answers = [ask(caller) for _ in range(7)]
    assert [200] * 5 + [429] * 2 == [answer.status_code for answer in answers]
    assert ["4", "3", "2", "1", "0", "0", "0"] == [answer.headers["X-RateLimit-Remaining"] for answer in answers]
    refused = answers[-1]
    assert ("rate_limited", "application/problem+json") == (refused.json()["code"], refused.headers["Content-Type"])
    assert 90 <= int(refused.headers["Retry-After"]) <= 100
    assert 400 <= int(refused.headers["X-RateLimit-Reset"]) <= 500
    assert "5" == refused.headers["X-RateLimit-Limit"]


def test_each_key_has_a_limit_of_its_own(caller, limited, rows, settings, tenant):
    while ask(caller).status_code == 200:
        pass
    with limited.client(make_key(rows, settings, tenant)) as other:
        assert 200 == ask(other).status_code


def test_health_and_links_have_no_limit(caller):
    for _ in range(10):
        assert 200 == caller.get("/health/live").status_code
        assert 200 == caller.get("/health/ready").status_code
        assert 403 == caller.get("/o/job_1/0.webp").status_code


@pytest.mark.long
def test_without_a_limit_no_header_speaks_of_one(client):
    answer = ask(client)
    assert not [name for name in answer.headers if name.lower().startswith("x-ratelimit")]


@pytest.mark.long
def test_an_address_that_guesses_keys_is_slowed_down(guarded, rows):
    with guarded.client(new_key()) as guesser:
        answers = [ask(guesser, **{"X-API-Key": new_key()}) for _ in range(5)]
    assert [401] * 3 + [429] * 2 == [answer.status_code for answer in answers]
    assert "too_many_unknown_keys" == answers[-1].json()["code"]
    assert 0 < int(answers[-1].headers["Retry-After"]) <= 100


@pytest.mark.long
def test_a_forwarding_header_does_not_change_the_address(guarded, rows):
    with guarded.client() as guesser:
        for number in range(5):
            answer = ask(guesser, **{"X-API-Key": new_key(), "X-Forwarded-For": f"198.51.100.{number}"})
    assert "too_many_unknown_keys" == answer.json()["code"]


@pytest.mark.long
def test_a_valid_key_that_was_used_before_is_not_slowed_down(guarded, rows, key):
    with guarded.client(key) as caller, guarded.client() as guesser:
        assert 200 == ask(caller).status_code
        for _ in range(5):
            ask(guesser, **{"X-API-Key": new_key()})
        assert 200 == ask(caller).status_code


@pytest.mark.long
def test_while_redis_is_away_the_process_counts_alone(settings, rows, key):
    away = msgspec.structs.replace(settings, broker_url="redis://127.0.0.1:1/0", **LIMITS)
    with api_server(away) as server, server.client(key) as client:
        answers = [ask(client) for _ in range(7)]
    assert [200] * 5 + [429] * 2 == [answer.status_code for answer in answers]
    assert 90 <= int(answers[-1].headers["Retry-After"]) <= 100


@pytest.mark.long
def test_the_database_is_not_asked_about_a_refused_request(guarded, rows, key):
    with executed() as statements:
        for presented, status in ((key, 200), (new_key(), 401)):
            with guarded.client(presented) as client:
                until(lambda client=client, status=status: ask(client).status_code != status, what="the limit")
                assert statements
                statements.clear()
                assert 429 == ask(client).status_code
                assert [] == statements
