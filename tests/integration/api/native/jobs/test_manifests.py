"""GET /jobs/v1/{job_id}/manifest and POST /jobs/v1/{job_id}/reproduce, on rows that a worker would have written."""

import pytest
from sqlalchemy import select, text, update

from jobs.job import JobError, JobRun
from jobs.manifests.environment import BundleWeights, Environment
from jobs.schema.tables import inputs, jobs, tenants
from jobs.statements.manifests.environments import add_environment
from jobs.statements.queue import commit_function
from tests.support.rows.rows import ARTIFACT
from tests.support.service.api_server import make_key

ENVIRONMENT = Environment(
    model="chaos",
    settings_sha256="5e",
    versions={"atelier": "0.1.0", "torch": "2.13"},
    device="NVIDIA H200",
)
URL = "https://shop.example/chair.jpg"


@pytest.fixture
def complete(rows, worker):
    """Complete the next job in an environment; its id."""

    def commit(environment=ENVIRONMENT):
        rows.execute(add_environment(environment.digest, environment))
        job, run = worker.claim(), JobRun(environment.digest, {"load": 2.0, "compute": 1.5})
        done = commit_function.call(job.id, job.fence, artifacts=[ARTIFACT], warnings=["careful"], cost=0.0, run=run)
        return worker.tell(rows.change(done)).id

    return commit


def refused(answer, code, status=409):
    problem = answer.json()
    assert (status, code) == (answer.status_code, problem["code"]), problem


def manifest(client, job_id):
    answer = client.get(f"/jobs/v1/{job_id}/manifest")
    assert 200 == answer.status_code, answer.text
    return answer.json()


def reproduce(client, job_id, **headers):
    return client.post(f"/jobs/v1/{job_id}/reproduce", headers=headers)


class TestManifests:
    def test_it_says_what_a_job_was_made_of_and_with(self, client, create, complete, rows):
        create(prompt="a star", width=64, seed=5)
        made = manifest(client, complete())
        assert ("chaos", 5, "a star", 64) == (
            made["model"],
            made["seed"],
            *map(made["params"].get, ("prompt", "width")),
        )
        assert (ENVIRONMENT.digest, ENVIRONMENT.versions) == (made["environment_sha256"], made["versions"])
        assert ("NVIDIA H200", "local", "gpu-1") == (made["device"], made["backend"]["name"], made["server_id"])
        assert {"load": 2.0, "compute": 1.5} == made["timings"]
        (output,) = made["outputs"]
        assert ("ab", 10, 8) == (output["sha256"], output["bytes"], output["width"])
        assert (["careful"], None, []) == (made["warnings"], made["reproduces"], made["inputs"])

    def test_it_lacks_what_a_version_before_did_not_write(self, client, create, worker):
        job_id = create()
        worker.complete(worker.claim(), ARTIFACT)
        made = manifest(client, job_id)
        assert (None, [], {}, None) == tuple(
            made[name] for name in ("environment_sha256", "weights", "versions", "device")
        )
        assert 1 == len(made["outputs"])

    def test_it_stays_when_the_prompt_is_forgotten(self, client, create, complete, rows):
        create()
        job_id = complete()
        rows.execute(text("UPDATE jobs SET params = '{}'"))
        assert (None, "NVIDIA H200") == (manifest(client, job_id)["params"], manifest(client, job_id)["device"])

    def test_only_a_completed_job_of_the_caller_has_one(self, client, stranger, create, worker):
        job_id = create()
        refused(client.get(f"/jobs/v1/{job_id}/manifest"), "job_not_completed")
        refused(reproduce(client, job_id), "job_not_completed")
        worker.fail(worker.claim(), JobError("pipeline_failed", "no"))
        refused(client.get(f"/jobs/v1/{job_id}/manifest"), "job_not_completed")
        for asked in (stranger.get(f"/jobs/v1/{job_id}/manifest"), reproduce(stranger, job_id)):
            refused(asked, "unknown_job", 404)


class TestReproductions:
    def test_it_is_the_same_job_once_more(self, client, create, complete, rows):
        create(prompt="a star", width=64, labels={"a": "b"}, model="chaos")
        first = complete()
        answer = reproduce(client, first)
        assert 202 == answer.status_code, answer.text
        (one, again) = rows.execute(select(jobs).order_by(jobs.c.seq))
        assert answer.json()["job_id"] == again.id
        assert (one.params, one.seed, one.labels, one.model) == (again.params, again.seed, again.labels, again.model)
        assert {"reproduces": first, "environment": ENVIRONMENT.digest} == again.origin
        assert "queued" == again.status
        assert {"job_id": first, "identical": True} == manifest(client, complete())["reproduces"]

    def test_one_key_makes_it_once(self, client, create, complete, rows):
        create()
        first = complete()
        made, again = (reproduce(client, first, **{"Idempotency-Key": "once"}) for _ in range(2))
        assert made.json()["job_id"] == again.json()["job_id"]
        assert ("true", 2) == (again.headers["Idempotency-Replayed"], len(rows.execute(select(jobs.c.id))))

    def test_its_inputs_are_the_clean_copies_of_the_first(self, client, all_models, create, complete, rows):
        first = create(input_image=URL, model="chaos-edit")
        clean = {"status": "ready", "key": "ten/clean", "media_type": "image/png", "bytes": 3, "sha256": "cc"}
        rows.execute(update(inputs).values(clean))
        rows.execute(update(jobs).values(status="completed"))
        assert [{"name": "input_image", "media_type": "image/png", "bytes": 3, "sha256": "cc"}] == manifest(
            client, first
        )["inputs"]
        answer = reproduce(client, first)
        assert (202, "pending") == (answer.status_code, answer.json()["status"]), answer.text
        (copy,) = rows.execute(select(inputs).where(inputs.c.job_id == answer.json()["job_id"]))
        assert ("input_image", "ten/clean", None, "waiting") == (copy.name, copy.source_key, copy.url, copy.status)
        rows.execute(update(inputs).values(key=None))
        refused(reproduce(client, first), "inputs_forgotten")

    def test_a_forgotten_prompt_is_refused(self, client, create, complete, rows):
        create()
        job_id = complete()
        rows.execute(text("UPDATE jobs SET params = '{}'"))
        refused(reproduce(client, job_id), "prompt_forgotten")

    def test_another_revision_of_the_model_is_refused(self, client, create, complete, rows):
        create()
        weights = BundleWeights(bundle="chaos", repo="ours/chaos", revision="f" * 40, files={"a": "0"})
        changed = Environment(model="chaos", settings_sha256="5e", weights=(weights,))
        job_id = complete(changed)
        refused(reproduce(client, job_id), "model_changed")
        assert ("f" * 40, {"a": "0"}) == (
            manifest(client, job_id)["revision"],
            manifest(client, job_id)["weights"][0]["files"],
        )
        assert 1 == len(rows.execute(select(jobs.c.id)))

    def test_budget_and_priority_are_those_of_the_key(self, api, rows, tenant, client, create, complete):
        create(priority=9)
        first = complete()
        with api.client(make_key(rows, api.settings, tenant, priority_ceiling=3)) as lower:
            assert 202 == reproduce(lower, first).status_code
        assert [9, 3] == [row.priority for row in rows.execute(select(jobs.c.priority).order_by(jobs.c.seq))]
        rows.execute(update(tenants).values(budget_usd=0.0))
        refused(reproduce(client, first), "budget_exhausted", 402)
