"""The checker: it finds nothing in a clean run, and each planted breach under its name.

Rows and objects are real; what callers and the sink would have written down is made here.
"""

import msgspec
import pytest
from sqlalchemy import delete, func, text, update

from core.database import sync_engine
from core.ids import new_id
from core.settings import Settings
from core.signing import webhook_secret
from core.storage.store import open_store
from jobs.job import Artifact
from jobs.schema.tables import jobs, outbox
from jobs.statements.queue import claimed as run
from jobs.statements.queue import submit, tenant_jobs
from jobs.wire.status import QueueEstimate, status_answer
from jobs.wire.webhooks import WebhookEvent
from tests.support.faults.callers import Exchange
from tests.support.faults.promises import breaches
from tests.support.faults.records import gather
from tests.support.rows.rows import Rows
from tests.support.servers.webhook_receiver import Received
from workers.webhooks.payload import encode, sign

HOOK = "http://127.0.0.1/hook"


class World:
    """A clean run of four jobs, `done`, `spent`, `cancelled` and `deleted`, and what is written down of it."""

    def __init__(self, settings, engine, folder):
        self.settings, self.engine, self.folder = settings, engine, folder
        self.rows, self.store = Rows(engine), open_store(settings)
        self.exchanges, self.received = [], []
        self.tenant = self.rows.tenant()
        self.claimant = self.rows.server()
        self.done = self.complete(self.submit("k-1"))
        self.spent = self.exhaust(self.submit("k-2"))
        self.cancelled = self.submit("k-3")
        self.rows.cancel(self.cancelled)
        self.deleted = self.complete(self.submit("k-4"))
        self.deliver_all()
        self.delete(self.deleted)
        self.tell("cancel", self.cancelled, state="cancelled")
        self.tell("look", self.done, state="completed", outputs=(self.done.artifacts[0].sha256,))
        self.tell("submit", self.done, state="completed", key="k-1", body="b")

    def submit(self, key):
        job = self.rows.submit(self.tenant, callback_url=HOOK)
        self.rows.execute(submit.remember(self.tenant, key, "b", job.id))
        self.tell("submit", job, state="queued", key=key, body="b")
        return job

    def complete(self, job):
        claimed = self.rows.claim(self.claimant)
        assert job.id == claimed.id
        file = self.folder / "output"
        file.write_text(job.id)
        key = f"{job.tenant}/{job.id}/{claimed.fence}/a.png"
        self.store.put(key, file, "image/png")
        digest = gather(self.settings, self.engine, [], []).objects[key]
        return self.rows.complete(claimed, Artifact(key=key, media_type="image/png", bytes=36, sha256=digest))

    def exhaust(self, job):
        for _ in range(job.max_attempts):
            claimed = self.rows.claim(self.claimant)
            last = self.rows.change(run.lose(claimed.id, claimed.fence, backoff=0.0))
        return last

    def delete(self, job):
        self.rows.execute(tenant_jobs.forget_job_deliveries(job.id))
        self.rows.execute(tenant_jobs.erase(job.id, job.tenant))
        self.store.remove_prefix(f"{job.tenant}/{job.id}/")
        self.tell("delete", job, status=204)

    def deliver_all(self):
        """Deliver every end that was not delivered."""
        for row in self.rows.deliveries():
            if row.delivered_at is None:
                self.deliver(self.rows.job(msgspec.structs.replace(self.done, id=row.job_id)), row.id)
        self.rows.execute(update(outbox).values(delivered_at=func.now()))

    def deliver(self, job, message, *, type="", secret=""):
        data = status_answer(job, self.settings, QueueEstimate())
        body = encode(WebhookEvent(type or f"job.{job.status}", job.created_at, data))
        secret = secret or webhook_secret(self.settings.secret_key, job.tenant, 1)
        self.received.append(Received("/hook", sign(message, job.created_at, body, [secret]), body))

    def tell(self, verb, job, *, status=200, **more):
        at = float(len(self.exchanges))
        self.exchanges.append(Exchange(verb=verb, asked=at, answered=at, status=status, job_id=job.id, **more))

    def breaches(self):
        return breaches(gather(self.settings, self.engine, self.exchanges, self.received))


@pytest.fixture
def world(database_url, tmp_path):
    settings = Settings(database_url=database_url, storage_url=f"file://{tmp_path}/objects", secret_key="a secret")
    engine = sync_engine(settings)
    yield World(settings, engine, tmp_path)
    engine.dispose()


def test_a_clean_run_shows_no_breach(world):
    assert [] == world.breaches()


PLANTED = {}


def planted(promise, job, what):
    """A function that breaks `promise` for a job of the world, and words of the breach."""

    def name(plant):
        PLANTED[plant.__name__] = (plant, promise, job, what)
        return plant

    return name


@planted("G1", "done", "it does not exist")
def an_accepted_job_is_gone(world):
    world.rows.execute(delete(outbox).where(outbox.c.job_id == world.done.id))
    world.rows.execute(text("DELETE FROM idempotency"))
    world.rows.execute(delete(jobs).where(jobs.c.id == world.done.id))


@planted("G1", "spent", "then answered 404")
def an_accepted_job_is_hidden(world):
    world.tell("look", world.spent, status=404)


@planted("G2", "spent", "is still processing")
def a_job_does_not_end(world):
    world.rows.set(world.spent, status="processing", error=None)


@planted("G2", "done", "after its deadline")
def a_job_ends_late(world):
    world.rows.set(world.done, deadline_at=text("finished_at - interval '61 seconds'"))


@planted("G2", "spent", "is failed, and was seen as completed")
def a_job_ends_twice(world):
    world.tell("look", world.spent, state="completed")


@planted("G2", "done", "has 2 terminal events")
def an_end_is_put_into_the_outbox_twice(world):
    again = {"id": new_id("msg"), "event_seq": world.done.event_seq + 1, "type": "job.completed"}
    again |= {"tenant": world.done.tenant, "job_id": world.done.id, "url": world.done.callback_url}
    world.rows.execute(outbox.insert().values(**again))


@planted("G3", "done", "an output is not in the store")
def an_output_is_lost(world):
    world.store.remove_prefix(world.done.artifacts[0].key)


@planted("G3", "done", "not what was stored")
def an_output_is_half_there(world):
    world.store.path(world.done.artifacts[0].key).write_text("half")


@planted("G3", "done", "of another attempt")
def an_output_is_of_another_attempt(world):
    world.rows.set(world.done, fence=2)


@planted("G3", "done", "has 0 outputs of 1")
def an_output_is_missing(world):
    world.rows.set(world.done, artifacts=[])
    world.exchanges[:] = [msgspec.structs.replace(exchange, outputs=()) for exchange in world.exchanges]


@planted("G3", "done", "other outputs were seen before")
def other_outputs_were_seen(world):
    world.tell("look", world.done, state="completed", outputs=("another",))


@planted("G3", "spent", "is failed and has outputs")
def a_failed_job_has_outputs(world):
    world.rows.set(world.spent, artifacts=[{"key": "a"}])


@planted("G4", "spent", "had 4 attempts of 3")
def a_job_is_tried_too_often(world):
    world.rows.set(world.spent, attempt=4, fence=4)


@planted("G4", "spent", "was given up after 1 attempts of 3")
def a_job_is_given_up_early(world):
    world.rows.set(world.spent, attempt=1)


@planted("G5", "done", "was not delivered")
def an_end_is_not_delivered(world):
    world.received[:] = [one for one in world.received if one.data["data"]["job_id"] != world.done.id]


@planted("G5", "done", "under several ids")
def an_end_is_delivered_under_two_ids(world):
    world.deliver(world.done, new_id("msg"))


@planted("G5", "done", "after its end")
def an_event_comes_after_the_end(world):
    world.deliver(world.done, new_id("msg"), type="job.started")


@planted("G5", "done", "not signed")
def a_delivery_is_signed_wrongly(world):
    own = next(one for one in world.received if one.data["data"]["job_id"] == world.done.id)
    world.deliver(world.done, own.id, secret=webhook_secret("another secret", world.tenant, 1))


@planted("G5", "done", "another end was delivered")
def another_end_is_delivered(world):
    own = next(one for one in world.received if one.data["data"]["job_id"] == world.done.id)
    world.received.remove(own)
    world.deliver(msgspec.structs.replace(world.done, status=world.spent.status), own.id)


@planted("G6", "done", "gave other jobs too")
def a_key_gives_two_jobs(world):
    world.tell("submit", world.spent, status=202, key="k-1", body="b")


@planted("G6", "done", "with two bodies")
def a_key_takes_two_bodies(world):
    world.tell("submit", world.done, status=202, key="k-1", body="another")


@planted("G6", "extra", "belongs to no caller")
def a_repeat_adds_a_job(world):
    world.extra = world.rows.submit(world.tenant)
    world.rows.set(world.extra, status="failed", finished_at=func.now())


@planted("G7", "done", "is completed; the cancel was answered cancelled")
def a_cancelled_job_completes(world):
    world.tell("cancel", world.done, state="cancelled")


@planted("G7", "cancelled", "no caller asked for it")
def a_job_is_cancelled_by_nobody(world):
    world.exchanges[:] = [exchange for exchange in world.exchanges if exchange.verb != "cancel"]


@planted("G8", "deleted", "was seen after it was deleted")
def a_deleted_job_comes_back(world):
    world.exchanges.append(Exchange(verb="look", asked=1e9, answered=1e9, status=200, job_id=world.deleted.id))


@planted("G8", "deleted", "what its caller wrote is there")
def a_prompt_stays(world):
    world.rows.set(world.deleted, params={"prompt": "a secret wish"})


@planted("G8", "deleted", "is there")
def an_object_stays(world):
    file = world.folder / "late"
    file.write_text("late")
    world.store.put(f"{world.tenant}/{world.deleted.id}/2/late.png", file, "image/png")


@pytest.mark.matrix
@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_breach_is_found_and_named(world, name):
    plant, promise, job, what = PLANTED[name]
    plant(world)
    (found,) = world.breaches()
    assert (promise, getattr(world, job).id) == (found.promise, found.job_id)
    assert what in found.what


def test_every_promise_has_a_planted_breach():
    assert {f"G{number}" for number in range(1, 9)} == {promise for _, promise, _, _ in PLANTED.values()}
