"""/chains/v1: the API, a CPU worker's turns, and a GPU worker that the test plays."""

import json

import pytest
from sqlalchemy import func, select, update

from core.ids import new_id
from jobs.job import Artifact, JobError
from jobs.schema.tables import chain_steps, chains, inputs, jobs, outbox, tenants
from jobs.statements.clauses import now
from jobs.statements.queue import claimed, tenant_jobs
from jobs.statements.webhooks.endpoints import add_webhook, change_webhook
from jobs.wire.webhooks import EVENTS
from tests.support.rows.rows import Rows
from workers.chains.service import ChainWork

ROUTE = "/chains/v1"
PICTURE = {"name": "picture", "modality": "image", "prompt": "a red chair", "model": "chaos-edit"}
CUTOUT = {"name": "cutout", "modality": "remove-background", "input_image": "step:picture"}
FILM = {"modality": "video", "prompt": "it turns", "input_image": "step:cutout", "model": "chaos-video"}
STEPS = [PICTURE, CUTOUT, FILM]


@pytest.fixture
def turns(rows, settings):
    """A CPU worker's turns; each looks at every chain at once."""
    work = ChainWork(settings, rows.engine)

    def turn(times=1):
        for _ in range(times):
            rows.execute(chains.update().where(chains.c.look_at.is_not(None)).values(look_at=now))
            while work.advance():
                pass

    return turn


@pytest.fixture
def start(client, all_models):
    """Submit a chain; its answer."""

    def submit(steps=STEPS, **fields):
        answer = client.post(ROUTE, json={"steps": steps} | fields)
        assert 202 == answer.status_code, answer.text
        return answer.json()

    return submit


@pytest.fixture
def complete(rows: Rows, all_models):
    """Complete the job of a step, whose inputs are clean by now; its key."""

    def finish(chain, number):
        job_id = chain["steps"][number]["job"]["job_id"]
        rows.execute(update(inputs).where(inputs.c.job_id == job_id).values(status="ready", key="clean"))
        rows.execute(update(jobs).where(jobs.c.id == job_id, jobs.c.status == "pending").values(status="queued"))
        job = rows.claim(all_models)
        assert job_id == job.id
        key = f"{job.tenant}/{job.id}/{job.fence}/a.png"
        assert rows.complete(job, Artifact(key=key, media_type="image/png", bytes=9, sha256="a")) is not None
        return key

    return finish


def show(client, chain):
    return client.get(f"{ROUTE}/{chain['chain_id']}").json()


def states(answer):
    return [step["job"]["status"] for step in answer["steps"]]


def refused(answer, status, code, field=None):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field")), problem


def count(rows, table=jobs):
    return rows.scalar(select(func.count()).select_from(table))


class TestSteps:
    def test_each_gets_the_output_of_the_one_before(self, client, start, turns, complete, rows):
        chain = start()
        assert ("queued", ["queued", "pending", "pending"]) == (chain["status"], states(chain))
        assert [[], ["picture"], ["cutout"]] == [step["waits_for"] for step in chain["steps"]]
        assert ["picture", "cutout", "3"] == [step["name"] for step in chain["steps"]]
        turns()
        assert 0 == count(rows, inputs)
        key = complete(chain, 0)
        turns(2)
        (given,) = rows.execute(select(inputs))
        assert (chain["steps"][1]["job"]["job_id"], key, "image_url") == (given.job_id, given.source_key, given.name)
        seen = show(client, chain)
        assert ("processing", [[], [], ["cutout"]]) == (seen["status"], [step["waits_for"] for step in seen["steps"]])
        complete(chain, 1)
        turns()
        complete(chain, 2)
        turns()
        ended = show(client, chain)
        assert ("completed", 1.0, None) == (ended["status"], ended["progress"], ended["error"])
        assert ended["outputs"] == ended["steps"][2]["job"]["outputs"]
        assert ended["result_url"] == ended["outputs"][0]["url"]
        assert [] == [row for row in rows.execute(select(chains)) if row.look_at is not None]
        asked = client.get(f"/jobs/v1/{chain['steps'][1]['job']['job_id']}/request").json()["params"]
        assert f"output:{chain['steps'][0]['job']['job_id']}/0" == asked["input_image"]

    def test_a_turn_that_is_lost_is_done_again(self, start, turns, complete, rows, monkeypatch):
        chain = start()
        complete(chain, 0)
        with monkeypatch.context() as patched:
            patched.setattr("workers.chains.service.work.mark_begun", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                turns()
        assert 0 == count(rows, inputs)
        turns(2)
        assert 1 == count(rows, inputs)

    def test_the_time_of_a_step_begins_with_it(self, start, turns, complete, rows):
        chain = start([PICTURE | {"deadline_seconds": 100}, CUTOUT | {"deadline_seconds": 10}])
        seconds = func.extract("epoch", jobs.c.deadline_at - now)
        found = select(seconds).where(jobs.c.id == chain["steps"][1]["job"]["job_id"])
        assert 105 < rows.scalar(found) <= 110
        complete(chain, 0)
        turns()
        assert 5 < rows.scalar(found) <= 10


class TestEnds:
    def test_a_failed_step_is_named_and_the_rest_is_cancelled(self, client, start, turns, rows, all_models):
        chain = start(callback_url="https://shop.example/hooks")
        job = rows.claim(all_models)
        rows.change(claimed.fail(job.id, job.fence, JobError("pipeline_failed", "it is broken")))
        turns(2)
        ended = show(client, chain)
        assert ("failed", "picture", "pipeline_failed") == (
            ended["status"],
            ended["failed_step"],
            ended["error"]["code"],
        )
        assert ["failed", "cancelled", "cancelled"] == states(ended)
        (sent,) = rows.execute(select(outbox))
        assert ("chain.failed", chain["chain_id"], None) == (sent.type, sent.job_id, sent.webhook_id)
        assert 0 == rows.scalar(select(tenants.c.reserved_usd))
        turns(2)
        assert 1 == count(rows, outbox)

    def test_endpoints_get_the_ends_that_they_subscribe_to(self, start, turns, rows, all_models, tenant):
        def add(*events, of=tenant, **fields):
            return rows.scalar(add_webhook(new_id("whk"), of, url="https://shop.example/", events=events, **fields))

        every, failures = add(*EVENTS), add("chain.failed")
        add("job.failed")
        add("chain.failed", dialect="videogen")
        add(*EVENTS, of=rows.tenant("another"))
        rows.execute(change_webhook(add(*EVENTS), tenant, enabled=False))
        chain, stopped = start([PICTURE]), start([PICTURE])
        job = rows.claim(all_models)
        rows.change(claimed.fail(job.id, job.fence, JobError("pipeline_failed", "it is broken")))
        rows.change(tenant_jobs.cancel(stopped["steps"][0]["job"]["job_id"], tenant))
        turns(2)
        sent = rows.execute(select(outbox).where(outbox.c.type.like("chain.%")))
        assert sorted(
            [
                ("chain.failed", chain["chain_id"], every),
                ("chain.failed", chain["chain_id"], failures),
                ("chain.cancelled", stopped["chain_id"], every),
            ]
        ) == sorted((one.type, one.job_id, one.webhook_id) for one in sent)

    def test_a_cancel_ends_what_has_not_ended(self, client, stranger, start, turns, complete, rows):
        chain = start(callback_url="https://shop.example/hooks")
        complete(chain, 0)
        path = f"{ROUTE}/{chain['chain_id']}/cancel"
        refused(stranger.post(path), 404, "unknown_chain")
        answer = client.post(path).json()
        assert ["completed", "cancelled", "cancelled"] == states(answer)
        assert ("cancelled", None) == (answer["status"], answer["failed_step"])
        assert answer["finished_at"] is not None
        turns(2)
        assert answer == show(client, chain) == client.post(path).json()
        assert ["chain.cancelled"] == [one.type for one in rows.execute(select(outbox))]

    def test_a_cancel_after_a_failed_step_leaves_it_named(self, client, start, turns, rows, all_models):
        chain = start()
        job = rows.claim(all_models)
        rows.change(claimed.fail(job.id, job.fence, JobError("pipeline_failed", "it is broken")))
        answer = client.post(f"{ROUTE}/{chain['chain_id']}/cancel").json()
        assert ["failed", "cancelled", "cancelled"] == states(answer)
        turns(2)
        ended = show(client, chain)
        assert ("failed", "picture") == (ended["status"], ended["failed_step"])

    def test_a_deleted_step_cancels_it(self, client, start, turns):
        chain = start()
        assert 204 == client.delete(f"/jobs/v1/{chain['steps'][0]['job']['job_id']}").status_code
        turns(2)
        ended = show(client, chain)
        assert ("cancelled", None) == (ended["status"], ended["steps"][0]["job"])


class TestSubmit:
    def test_its_price_is_the_sum_and_is_reserved_at_once(self, client, start, rows):
        rows.execute(tenants.update().values(budget_usd=0.025))
        chain = start([PICTURE, PICTURE | {"name": "two"}])
        assert (0.02, 0.0) == (chain["price_usd"], chain["cost_usd"])
        assert 0.02 == pytest.approx(float(rows.scalar(select(tenants.c.reserved_usd))))
        refused(client.post(ROUTE, json={"steps": [PICTURE]}), 402, "budget_exhausted")
        assert (2, 1) == (count(rows), count(rows, chains))

    @pytest.mark.parametrize(
        ("steps", "status", "code", "field"),
        [
            ([], 422, "out_of_range", "$.steps"),
            ([PICTURE] * 9, 422, "out_of_range", "$.steps"),
            ([PICTURE, PICTURE], 422, "invalid_request", "$.steps[1].name"),
            ([PICTURE | {"name": "A b"}], 422, "invalid_request", "$.steps[0].name"),
            ([PICTURE, CUTOUT | {"input_image": "step:film"}], 422, "unknown_input", "$.steps[1].input_image"),
            ([CUTOUT, PICTURE], 422, "unknown_input", "$.steps[0].input_image"),
            ([PICTURE, CUTOUT | {"input_image": "step:picture/1"}], 422, "unknown_input", "$.steps[1].input_image"),
            ([PICTURE, {"modality": "image", "prompt": ""}], 422, "out_of_range", "$.steps[1].prompt"),
            ([PICTURE, {"modality": "image", "prompt": "a", "model": "no"}], 422, "unknown_model", "$.steps[1].model"),
            (
                [PICTURE, CUTOUT | {"input_image": "data:image/png;base64,aa"}],
                422,
                "invalid_request",
                "$.steps[1].input_image",
            ),
        ],
    )
    def test_one_that_is_refused_refuses_all_and_is_named(self, client, all_models, rows, steps, status, code, field):
        refused(client.post(ROUTE, json={"steps": steps}), status, code, field)
        assert 0 == count(rows) == count(rows, chains)

    def test_a_step_takes_only_what_it_can_use(self, client, all_models):
        voice = {"name": "voice", "modality": "speech", "text": "hello", "model": "chaos-speech"}
        answer = client.post(ROUTE, json={"steps": [voice, CUTOUT | {"input_image": "step:voice"}]})
        refused(answer, 422, "invalid_request", "$.steps[1].input_image")
        assert "audio" in answer.json()["detail"]

    def test_films_are_joined_and_go_on_where_they_end(self, start, turns, complete, rows):
        going_on = {"modality": "video", "input_image": "step:first/last", "model": "chaos-video", "name": "second"}
        both = {"modality": "join", "films": ["step:first", "step:second"], "model": "chaos-join"}
        chain = start([FILM | {"name": "first", "input_image": "https://shop.example/a.png"}, going_on, both])
        key = complete(chain, 0)
        turns()
        second = chain["steps"][1]["job"]["job_id"]
        (row,) = rows.execute(select(inputs).where(inputs.c.job_id == second))
        assert ("input_image", "image", "last", key) == (row.name, row.kind, row.frame, row.source_key)
        keys = [key, complete(chain, 1)]
        turns()
        found = rows.execute(select(inputs).where(inputs.c.job_id == chain["steps"][2]["job"]["job_id"]))
        assert {(f"films.{number}", "video", None, key) for number, key in enumerate(keys)} == {
            (row.name, row.kind, row.frame, row.source_key) for row in found
        }

    def test_only_a_film_has_a_last_frame(self, client, all_models):
        answer = client.post(ROUTE, json={"steps": [PICTURE, CUTOUT | {"input_image": "step:picture/last"}]})
        refused(answer, 422, "invalid_request", "$.steps[1].input_image")
        assert "`/last` is the last frame of a film" in answer.json()["detail"]

    def test_one_key_makes_it_once(self, client, start, rows):
        headers = {"Idempotency-Key": "once"}
        first, again = (client.post(ROUTE, json={"steps": STEPS}, headers=headers) for _ in range(2))
        assert first.json()["chain_id"] == again.json()["chain_id"]
        assert ("true", 3) == (again.headers["Idempotency-Replayed"], count(rows))
        refused(
            client.post(ROUTE, json={"steps": [PICTURE]}, headers=headers),
            422,
            "idempotency_key_reused",
            "header.Idempotency-Key",
        )

    def test_other_inputs_of_a_waiting_step_are_kept_for_it(self, start, turns, complete, rows):
        logo = {"modality": "branding", "input_image": "step:picture", "logo_url": "https://shop.example/logo.png"}
        chain = start([PICTURE, logo])
        (waiting,) = rows.execute(select(chain_steps.c.wait).where(chain_steps.c.number == 1))
        assert "shop.example" in json.dumps(waiting.wait)
        key = complete(chain, 0)
        turns()
        given = {row.name: (row.source_key, row.url) for row in rows.execute(select(inputs))}
        assert {(key, None), (None, "https://shop.example/logo.png")} == set(given.values())

    def test_chains_are_listed_newest_first(self, client, stranger, start):
        made = [start([PICTURE])["chain_id"] for _ in range(3)]
        first = client.get(ROUTE, params={"limit": 2}).json()
        rest = client.get(ROUTE, params={"limit": 2, "cursor": first["next_cursor"]}).json()
        assert made[::-1] == [one["chain_id"] for one in first["chains"] + rest["chains"]]
        assert (None, []) == (rest["next_cursor"], stranger.get(ROUTE).json()["chains"])
        refused(stranger.get(f"{ROUTE}/{made[0]}"), 404, "unknown_chain")
        refused(client.get(f"{ROUTE}/nothing"), 404, "malformed_id")
