"""GET /jobs/v1: newest first, filtered, page by page."""

import pytest


@pytest.fixture
def made(create):
    return [create(prompt=f"number {number}") for number in range(7)]


def ids(answer):
    return [job["job_id"] for job in answer.json()["jobs"]]


def test_newest_first(client, made):
    answer = client.get("/jobs/v1")
    assert made[::-1] == ids(answer)
    assert answer.json()["next_cursor"] is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_hold_every_job_once(client, made, limit):
    seen, cursor, pages = [], None, 0
    while cursor or not pages:
        answer = client.get("/jobs/v1", params={"limit": limit} | ({"cursor": cursor} if cursor else {}))
        assert len(ids(answer)) <= limit
        seen, cursor, pages = seen + ids(answer), answer.json()["next_cursor"], pages + 1
    assert made[::-1] == seen
    assert -(-7 // limit) == pages


def test_a_job_that_comes_between_two_pages_moves_nothing(client, made, create):
    page = client.get("/jobs/v1", params={"limit": 3})
    create()
    rest = client.get("/jobs/v1", params={"cursor": page.json()["next_cursor"]})
    assert made[::-1] == ids(page) + ids(rest)


def test_filters(client, made, create, worker):
    other = create(model="chaos-two")
    done = worker.complete(worker.claim())
    assert [done.id] == ids(client.get("/jobs/v1?status=completed"))
    assert [other] == ids(client.get("/jobs/v1?model=chaos-two"))
    assert 8 == len(ids(client.get("/jobs/v1?modality=image")))
    assert [] == ids(client.get("/jobs/v1?modality=speech"))
    assert [other] == ids(client.get("/jobs/v1?model=chaos-two&status=queued&modality=image"))


def test_a_deleted_job_is_not_listed(client, made):
    client.delete(f"/jobs/v1/{made[3]}")
    assert made[3] not in ids(client.get("/jobs/v1"))
