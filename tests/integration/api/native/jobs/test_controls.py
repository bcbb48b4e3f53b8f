"""Many jobs in one call, a time to start, priorities that change, a paused queue, and clients that leave."""

import httpx
import pytest
from sqlalchemy import func, select, text

from jobs.job import JobStatus
from jobs.schema.tables import jobs, tenants
from jobs.statements.maintenance import recovery
from tests.support.service.api_server import make_key
from tests.support.wait import until

ROUTE, IMAGE = "/jobs/v1", "/generate/image/v1"
URL = "https://shop.example/chair.jpg"
PICTURE = {"modality": "image", "prompt": "a red circle"}
CUTOUT = {"modality": "remove-background", "input_image": URL}


def refused(answer, status, code, field=None):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field")), problem
    return problem["detail"]


def count(rows):
    return rows.scalar(select(func.count()).select_from(jobs))


class TestManyJobs:
    @pytest.mark.contract("F8", "E12")
    def test_jobs_of_any_kind_are_accepted_together(self, client, all_models, rows):
        answer = client.post(ROUTE, json={"jobs": [PICTURE, CUTOUT, PICTURE | {"seed": 5, "model": "chaos-two"}]})
        assert 202 == answer.status_code, answer.text
        made = answer.json()["jobs"]
        assert ["queued", "pending", "queued"] == [job["status"] for job in made]
        assert ["chaos", "chaos-cutout", "chaos-two"] == [job["model"] for job in made]
        assert 5 == made[2]["seed"]
        for job in made:
            assert 200 == client.get(job["status_url"]).status_code
        listed = [job["job_id"] for job in client.get(ROUTE).json()["jobs"]]
        assert [job["job_id"] for job in made] == listed[::-1]
        assert 1 == len(rows.execute(text("SELECT * FROM inputs")))

    @pytest.mark.contract("F8")
    @pytest.mark.parametrize(
        ("wrong", "status", "code", "field"),
        [
            (PICTURE | {"width": 7}, 422, "out_of_range", "$.jobs[1].width"),
            (PICTURE | {"nonsense": 1}, 422, "unknown_field", "$.jobs[1].nonsense"),
            (PICTURE | {"model": "nowhere"}, 422, "unknown_model", "$.jobs[1].model"),
            (CUTOUT | {"input_image": "http://10.0.0.1/a.png"}, 422, "forbidden_url", "$.jobs[1].input_image"),
            (CUTOUT | {"input_image": "data:image/png;base64,aaaa"}, 422, "invalid_request", "$.jobs[1].input_image"),
            (CUTOUT | {"input_image": "inp_" + "0" * 32}, 422, "unknown_input", "$.jobs[1].input_image"),
            ({"prompt": "a"}, 422, "missing_field", "$.jobs[1].modality"),
            (PICTURE | {"modality": "smell"}, 422, "out_of_range", "$.jobs[1].modality"),
            (PICTURE | {"profile_id": "prf_1"}, 422, "no_such_profile", "$.jobs[1].profile_id"),
            (PICTURE | {"priority": 9, "server_id": "x"}, 404, "unknown_server", "$.jobs[1].server_id"),
        ],
    )
    def test_one_that_is_refused_refuses_all_and_is_named(self, client, all_models, rows, wrong, status, code, field):
        refused(client.post(ROUTE, json={"jobs": [PICTURE, wrong]}), status, code, field)
        assert 0 == count(rows)

    @pytest.mark.contract("F8")
    def test_a_budget_lets_all_in_or_none(self, client, all_models, rows):
        priced = PICTURE | {"model": "chaos-edit"}  # 0.01
        rows.execute(tenants.update().values(budget_usd=0.025))
        refused(client.post(ROUTE, json={"jobs": [priced] * 3}), 402, "budget_exhausted")
        assert 0 == count(rows) == rows.scalar(select(tenants.c.reserved_usd))
        assert 202 == client.post(ROUTE, json={"jobs": [priced] * 2}).status_code

    @pytest.mark.contract("F8")
    def test_one_key_makes_them_once(self, client, all_models, rows):
        headers = {"Idempotency-Key": "once"}
        body = {"jobs": [PICTURE, CUTOUT, PICTURE]}
        first, again = (client.post(ROUTE, json=body, headers=headers) for _ in range(2))
        assert ("true", 3) == (again.headers["Idempotency-Replayed"], count(rows))
        assert [job["job_id"] for job in first.json()["jobs"]] == [job["job_id"] for job in again.json()["jobs"]]
        other = client.post(ROUTE, json={"jobs": [PICTURE]}, headers=headers)
        refused(other, 422, "idempotency_key_reused", "header.Idempotency-Key")

    @pytest.mark.long
    def test_how_many_they_may_be(self, client, all_models, rows):
        refused(client.post(ROUTE, json={"jobs": []}), 422, "out_of_range", "$.jobs")
        refused(client.post(ROUTE, json={"jobs": [PICTURE] * 101}), 422, "out_of_range", "$.jobs")
        long = PICTURE | {"prompt": "a" * 4000}
        assert 202 == client.post(ROUTE, json={"jobs": [long] * 100}).status_code
        assert 100 == count(rows)


class TestStartDeadline:
    @pytest.mark.contract("F10")
    def test_a_job_that_did_not_start_in_time_fails_with_its_code(self, client, create, rows, server):
        job_id, other = create(start_within_seconds=60), create()
        rows.execute(text("UPDATE jobs SET deadline_at = now() WHERE run_deadline_at IS NOT NULL"))
        assert other == rows.claim(server).id, "what is too late is not started"
        rows.execute(recovery.expire())
        status = client.get(f"{ROUTE}/{job_id}").json()
        assert ("failed", "start_deadline_exceeded", 0) == (
            status["status"],
            status["error"]["code"],
            status["attempt"],
        )

    @pytest.mark.contract("F10")
    def test_one_that_started_has_its_whole_time(self, client, create, rows, server):
        job_id = create(start_within_seconds=60, deadline_seconds=7200)
        (row,) = rows.execute(select(jobs.c.deadline_at - jobs.c.created_at))
        assert 50 < row[0].total_seconds() < 70
        started = rows.claim(server)
        assert 7100 < (started.deadline_at - started.created_at).total_seconds() < 7300
        rows.set(started, deadline_at=func.now())
        rows.execute(recovery.expire())
        assert "deadline_exceeded" == client.get(f"{ROUTE}/{job_id}").json()["error"]["code"]


class TestPriority:
    @pytest.mark.contract("F11")
    def test_a_waiting_job_is_moved_ahead(self, client, create, rows, server):
        first, second = create(), create()
        answer = client.patch(f"{ROUTE}/{second}", json={"priority": 7})
        assert (200, 1) == (answer.status_code, answer.json()["queue_position"])
        assert 7 == client.get(f"{ROUTE}/{second}/request").json()["priority"]
        assert second == rows.claim(server).id
        refused(client.patch(f"{ROUTE}/{second}", json={"priority": 3}), 409, "job_not_waiting")
        assert first == rows.claim(rows.server("gpu-2")).id

    def test_whose_and_how_high(self, api, client, create, rows, tenant, stranger):
        job_id = create()
        refused(stranger.patch(f"{ROUTE}/{job_id}", json={"priority": 1}), 404, "unknown_job")
        refused(client.patch(f"{ROUTE}/{job_id}", json={"priority": 10}), 422, "out_of_range", "$.priority")
        with api.client(make_key(rows, api.settings, tenant, priority_ceiling=5)) as lower:
            refused(lower.patch(f"{ROUTE}/{job_id}", json={"priority": 6}), 422, "out_of_range", "$.priority")


@pytest.mark.contract("F11")
def test_a_paused_queue_starts_nothing_until_it_is_resumed(client, create, rows, server, stranger, admin):
    running = create()
    claimed = rows.claim(server)
    paused = client.post(f"{ROUTE}/pause").json()
    assert paused == client.post(f"{ROUTE}/pause").json()
    assert paused["paused_at"] is not None
    waiting = create()
    assert rows.claim(rows.server("gpu-2")) is None
    status = client.get(f"{ROUTE}/{waiting}").json()
    assert ("queued", "tenant_paused") == (status["status"], status["waiting_for"]["code"])
    assert paused["paused_at"] == client.get("/me/v1").json()["paused_at"]
    theirs = stranger.post(IMAGE, json={"prompt": "a"}).json()["job_id"]
    assert theirs == rows.claim(rows.server("gpu-3")).id, "others are not concerned"
    assert JobStatus.COMPLETED is rows.complete(claimed).status, "what runs goes on"
    assert claimed.id == running
    assert {"paused_at": None} == client.post(f"{ROUTE}/resume").json()
    assert waiting == rows.claim(rows.server("gpu-4")).id


class TestClientThatLeaves:
    def leave(self, api, key, **params):
        """Submit, and disconnect before the job has ended."""
        with api.client(key) as client, pytest.raises(httpx.ReadTimeout):
            client.post(IMAGE, json={"prompt": "a"}, params={"wait": 60} | params, timeout=1.0)

    @pytest.mark.contract("F9")
    def test_its_job_is_cancelled_if_it_asked_for_that(self, api, key, client, server):
        self.leave(api, key, cancel_on_disconnect="true")
        (job,) = until(lambda: client.get(f"{ROUTE}?status=cancelled").json()["jobs"], what="the cancelled job")
        assert job["finished_at"] is not None

    @pytest.mark.contract("F9")
    def test_its_job_goes_on_otherwise(self, api, key, client, server):
        self.leave(api, key)
        until(lambda: api.event_hub.following == 0, what="the end of the wait")
        assert ["queued"] == [job["status"] for job in client.get(ROUTE).json()["jobs"]]
