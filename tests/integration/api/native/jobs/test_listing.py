"""GET /jobs/v1: newest first, filtered, page by page."""

import pytest
from sqlalchemy import text

from jobs.job import JobError


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


class TestTitles:
    """What a job was asked for, on a line of a list."""

    def titles(self, client):
        return [job["title"] for job in client.get("/jobs/v1").json()["jobs"]]

    def test_it_is_the_beginning_of_the_words_or_the_name_of_a_file(self, client, all_models, create):
        create(prompt=" a  red\nfox ")
        create(prompt="fox " * 100)
        picture = {"input_image": "https://shop.example/pictures/red%20chair.jpg?size=2"}
        assert 202 == client.post("/generate/remove-background/v1", json=picture).status_code
        assert ["red chair.jpg", ("fox " * 30)[:120], "a red fox"] == self.titles(client)

    def test_it_goes_with_the_prompt(self, client, made, rows):
        rows.execute(text("UPDATE jobs SET params = '{}'"))
        assert [None] * 7 == self.titles(client)

    def test_only_lists_have_it(self, client, made):
        assert "title" not in client.get(f"/jobs/v1/{made[0]}").json()


def test_filters_by_time_server_and_error(client, made, rows, worker):
    done = worker.complete(worker.claim())
    failed = worker.fail(worker.claim(), JobError("engine_lost", "The engine ended."))
    old = made[-1]
    rows.execute(text("UPDATE jobs SET created_at = '2026-01-02T03:00:00Z' WHERE id = :id").bindparams(id=old))
    assert [old] == ids(client.get("/jobs/v1?until=2026-01-02T03:00:01Z"))
    assert [] == ids(client.get("/jobs/v1?until=2026-01-02T03:00:00Z"))
    assert old in ids(client.get("/jobs/v1?since=2026-01-02T03:00:00Z"))
    assert 6 == len(ids(client.get("/jobs/v1?since=2026-01-02T03:00:01Z")))
    assert [failed.id] == ids(client.get("/jobs/v1?error_code=engine_lost"))
    assert [] == ids(client.get("/jobs/v1?error_code=pipeline_failed"))
    on_server = {"server_id": done.worker, "since": "2026-01-01T00:00:00Z"}
    assert {done.id, failed.id} == set(ids(client.get("/jobs/v1", params=on_server)))
    assert [done.id] == ids(client.get("/jobs/v1", params=on_server | {"status": "completed"}))
    assert [] == ids(client.get("/jobs/v1", params=on_server | {"server_id": "another"}))


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("server_id=gpu-1", "query.since"),
        ("since=2026-01-01T00:00:00", "query.since"),
        ("until=2026-01-01T00:00:00", "query.until"),
        ("error_code=%00", "query.error_code"),
        ("server_id=%00&since=2026-01-01T00:00:00Z", "query.server_id"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(client, query, field):
    answer = client.get(f"/jobs/v1?{query}")
    assert (422, field) == (answer.status_code, answer.json()["field"]), answer.text
