"""What outlives a job, and for how long: on a real database and a real store."""

import os
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, literal, select, text
from sqlalchemy.dialects.postgresql import JSONB

from core.errors.unavailable import StorageUnavailable
from core.settings import Settings
from core.storage.store import open_store
from jobs.job import Artifact
from jobs.previews import Preview
from jobs.schema.tables import inputs, jobs, outbox
from jobs.statements.maintenance import recovery, retention
from jobs.statements.media import input_removal, uploads
from jobs.statements.media.voices import add_voice
from jobs.statements.queue import tenant_jobs
from tests.support.wait import until
from workers.cpu.retention import Retention

DAY = 86_400.0


@pytest.fixture
def make_settings(database_url, tmp_path):
    def make(**more):
        return Settings(**({"database_url": database_url, "storage_url": f"file://{tmp_path}/objects"} | more))

    return make


@pytest.fixture
def store(make_settings):
    return open_store(make_settings())


@pytest.fixture
def put(store, tmp_path):
    """Store an object that was written so many seconds ago; its key."""

    def put(key, *, age=0.0):
        source = tmp_path / "source"
        source.write_bytes(b"picture")
        store.put(key, source, "image/webp")
        os.utime(store.path(key), (time.time() - age,) * 2)
        return key

    return put


@pytest.fixture
def completed(rows, put):
    """A job that ended so many days ago, with one stored output, its preview and a delivered webhook."""
    claimant = rows.server()

    def completed(tenant=None, *, days=0.0):
        rows.submit(tenant or rows.tenant(), prompt="a secret wish", callback_url="http://example.com/hook")
        job = rows.claim(claimant)
        key, small = (put(f"{job.tenant}/{job.id}/{job.fence}/{name}.webp", age=days * DAY) for name in ("ab", "abc"))
        preview = Preview(name="thumbnail", key=small, media_type="image/webp", bytes=7)
        rows.complete(job, Artifact(key=key, media_type="image/webp", bytes=7, sha256="ab", previews=(preview,)))
        then = func.now() - text(f"interval '{days} days'")
        rows.set(job, finished_at=then)
        rows.execute(
            outbox.update().where(outbox.c.job_id == job.id).values(created_at=then, delivered_at=then, attempt=1)
        )
        return rows.job(job)

    return completed


class TestTurn:
    """Prompts, outputs and deliveries."""

    def test_by_default_only_old_deliveries_are_removed(self, rows, make_settings, store, completed):
        old, new = completed(days=31), completed(days=29)
        assert Retention(make_settings(), rows.engine, store).forget_expired() is False
        assert [new.id] == [row.job_id for row in rows.deliveries()]
        assert [old, new] == [rows.job(old), rows.job(new)]

    def test_prompts_are_scrubbed(self, rows, make_settings, store, completed):
        old, new = completed(days=2), completed()
        Retention(make_settings(prompt_keep_seconds=DAY), rows.engine, store).forget_expired()
        assert {} == rows.job(old).params
        assert 1 == rows.scalar(text("SELECT count(*) FROM jobs WHERE jobs::text LIKE '%secret wish%'"))
        assert new == rows.job(new)

    def test_outputs_go_and_the_row_says_when(self, rows, make_settings, store, completed):
        old, new = completed(days=2), completed()
        Retention(make_settings(output_keep_seconds=DAY), rows.engine, store).forget_expired()
        assert ((), True) == (rows.job(old).artifacts, rows.job(old).outputs_removed_at is not None)
        assert new.artifacts[0].keys == set(store.keys())
        assert (old.params, new) == (rows.job(old).params, rows.job(new))

    def test_a_delivery_that_is_still_to_be_made_is_kept(self, rows, make_settings, store, completed):
        job = completed(days=60)
        rows.execute(outbox.update().values(delivered_at=None))
        Retention(make_settings(), rows.engine, store).forget_expired()
        assert [job.id] == [row.job_id for row in rows.deliveries()]

    @pytest.mark.matrix
    @pytest.mark.parametrize(("tenants", "kept"), [(DAY, False), (-1.0, True), (None, True)])
    def test_a_tenants_own_span_counts_before_the_services(self, rows, make_settings, store, completed, tenants, kept):
        own, other = completed(days=2), completed(rows.tenant("other"), days=2)
        rows.execute(retention.keep(own.tenant, outputs=tenants))
        Retention(make_settings(output_keep_seconds=3 * DAY), rows.engine, store).forget_expired()
        assert kept == bool(rows.job(own).artifacts)
        assert other == rows.job(other)

    def test_whole_jobs_go_as_if_their_callers_deleted_them(self, rows, make_settings, store, completed):
        old, new = completed(days=40), completed(days=20)
        rows.set(old, created_at=func.now() - text("interval '41 days'"))
        Retention(make_settings(job_keep_seconds=30 * DAY), rows.engine, store).forget_expired()
        assert [] == rows.execute(tenant_jobs.by_id(old.id))
        assert 1 == rows.scalar(text("SELECT count(*) FROM jobs WHERE jobs::text LIKE '%secret wish%'"))
        assert ([new.id], new) == ([row.job_id for row in rows.deliveries()], rows.job(new))
        assert [old.id] == [row.id for row in rows.execute(recovery.due_purges())]

    @pytest.mark.matrix
    @pytest.mark.parametrize(("days", "gone"), [(91, True), (89, False)])
    def test_a_bare_row_goes_by_default(self, rows, make_settings, store, completed, days, gone):
        bare, prompted, with_outputs = (completed(days=days) for _ in range(3))
        rows.execute(outbox.delete())
        long_ago = func.now() - text(f"interval '{days} days'")
        rows.set(bare, params=literal({}, JSONB), artifacts=literal([], JSONB), outputs_removed_at=long_ago)
        rows.set(prompted, artifacts=literal([], JSONB))
        rows.set(with_outputs, params=literal({}, JSONB))
        Retention(make_settings(), rows.engine, store).forget_expired()
        deleted = {row.id for row in rows.execute(select(jobs.c.id).where(jobs.c.deleted_at.is_not(None)))}
        assert ({bare.id} if gone else set()) == deleted

    def test_a_bare_rows_time_begins_when_its_outputs_go(self, rows, make_settings, store, completed):
        job = completed(days=400)
        rows.execute(outbox.delete())
        settings = make_settings(output_keep_seconds=DAY, prompt_keep_seconds=DAY)
        for _ in range(2):
            Retention(settings, rows.engine, store).forget_expired()
        assert ({}, ()) == (rows.job(job).params, rows.job(job).artifacts)
        assert [] == rows.execute(select(jobs.c.id).where(jobs.c.deleted_at.is_not(None)))

    def test_a_job_that_is_needed_outlives_its_retention(self, rows, make_settings, store, completed):
        """By a delivery that is due, or by a redriven job that waits for its inputs."""
        due, again, unfinished = completed(days=9), completed(days=9), rows.submit(rows.tenant())
        for job in (due, again, unfinished):
            rows.set(job, created_at=func.now() - text("interval '10 days'"))
        rows.execute(outbox.update().where(outbox.c.job_id == due.id).values(delivered_at=None))
        rows.input(again, "input_image", source_key="ten/a", key="ten/copy", status="ready")
        rows.input(rows.pending(again.tenant), "input_image", source_key="ten/copy")
        chore = Retention(make_settings(job_keep_seconds=DAY), rows.engine, store)

        def deleted():
            found = rows.execute(select(jobs.c.id).where(jobs.c.deleted_at.is_not(None)))
            return {row.id for row in found}

        chore.forget_expired()
        assert set() == deleted()
        rows.execute(outbox.update().values(delivered_at=func.now()))
        rows.execute(inputs.delete())
        chore.forget_expired()
        assert {due.id, again.id} == deleted()

    def test_zero_is_at_once(self, rows, make_settings, store, completed):
        job = completed()
        Retention(make_settings(output_keep_seconds=0.0), rows.engine, store).forget_expired()
        assert () == rows.job(job).artifacts

    def test_an_unfinished_job_keeps_its_prompt(self, rows, make_settings, store):
        job = rows.submit(rows.tenant())
        everything = make_settings(prompt_keep_seconds=0.0, output_keep_seconds=0.0, delivery_keep_seconds=0.0)
        Retention(everything, rows.engine, store).forget_expired()
        assert job == rows.job(job)

    def test_more_than_a_batch_says_so(self, rows, make_settings, store, completed, monkeypatch):
        monkeypatch.setattr(retention, "BATCH", 2)
        tenant = rows.tenant()
        for _ in range(5):
            completed(tenant)
        chore, turns = Retention(make_settings(prompt_keep_seconds=0.0), rows.engine, store), 1
        while chore.forget_expired():
            turns += 1
        assert 3 == turns

    def test_a_store_that_is_away_leaves_an_orphan_which_goes_later(
        self, rows, make_settings, store, completed, monkeypatch
    ):
        job = completed(days=2)

        def remove_prefix(prefix):
            raise StorageUnavailable("The object store cannot be reached.")

        settings = make_settings(output_keep_seconds=DAY)
        with monkeypatch.context() as patch:
            patch.setattr(store, "remove_prefix", remove_prefix)
            Retention(settings, rows.engine, store).forget_expired()
        assert () == rows.job(job).artifacts
        assert job.artifacts[0].keys == set(store.keys())
        Retention(settings, rows.engine, store).remove_orphans()
        assert [] == list(store.keys())

    @pytest.mark.long
    def test_a_store_that_is_away_is_not_asked_for_each_job(self, rows, make_settings, store, completed, monkeypatch):
        """A hung store takes half a minute to fail, and there may be 500 jobs in a batch."""
        jobs, asked = [completed(days=2) for _ in range(8)], []

        def remove_prefix(prefix):
            asked.append(prefix)
            raise StorageUnavailable("The object store cannot be reached.")

        monkeypatch.setattr(store, "remove_prefix", remove_prefix)
        Retention(make_settings(output_keep_seconds=DAY), rows.engine, store).forget_expired()
        assert 3 == len(asked)
        assert [()] * 8 == [rows.job(job).artifacts for job in jobs]

    def test_one_prefix_that_fails_leaves_the_others(self, rows, make_settings, store, completed, monkeypatch):
        stuck, remove = completed(days=2), store.remove_prefix
        for _ in range(6):
            completed(days=2)

        def remove_prefix(prefix):
            if stuck.id in prefix:
                raise StorageUnavailable("The object store answered AccessDenied.")
            return remove(prefix)

        monkeypatch.setattr(store, "remove_prefix", remove_prefix)
        Retention(make_settings(output_keep_seconds=DAY), rows.engine, store).forget_expired()
        assert stuck.artifacts[0].keys == set(store.keys())

    def test_twice_at_once_does_everything_once(self, rows, make_settings, store, completed):
        done = [completed(days=2) for _ in range(6)]
        settings = make_settings(prompt_keep_seconds=DAY, output_keep_seconds=DAY, delivery_keep_seconds=DAY)
        chores = [Retention(settings, rows.engine, store) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda chore: (chore.forget_expired(), chore.remove_orphans()), chores))
        chores[0].forget_expired()
        assert [({}, ())] * 6 == [(rows.job(job).params, rows.job(job).artifacts) for job in done]
        assert ([], []) == (list(rows.deliveries()), list(store.keys()))


class TestOrphans:
    """Objects that no row speaks of."""

    @pytest.fixture
    def sweep(self, rows, make_settings, store):
        """Goes through the whole store once."""

        def sweep():
            rows.execute(text("DELETE FROM chores"))
            chore = Retention(make_settings(), rows.engine, store)
            while chore.remove_orphans():
                pass

        return sweep

    def test_objects_of_lost_attempts_are_removed(self, completed, put, store, sweep):
        job = completed(days=2)
        for name in ("0/cd.webp", f"{job.fence}/cd.webp", "inputs/cd.png"):
            put(f"{job.tenant}/{job.id}/{name}", age=2 * DAY)
        sweep()
        assert job.artifacts[0].keys == set(store.keys())

    def test_what_is_young_stays(self, rows, put, store, sweep):
        key = put(f"{rows.tenant()}/job_gone/1/ab.webp", age=0.9 * DAY)
        sweep()
        assert [key] == list(store.keys())

    @pytest.mark.parametrize("status", ["pending", "queued", "processing"])
    def test_an_unfinished_job_keeps_all_it_has(self, rows, put, store, sweep, status):
        job = rows.submit(rows.tenant())
        rows.set(job, status=status, lease_until=func.now())
        keys = [put(f"{job.tenant}/{job.id}/{name}", age=2 * DAY) for name in ("1/ab.webp", "inputs/ab.png")]
        sweep()
        assert keys == list(store.keys())
        rows.set(job, status="failed", lease_until=None)
        sweep()
        assert [] == list(store.keys())

    def test_uploads_and_voices_and_sources_of_inputs_stay(self, rows, put, store, sweep):
        tenant = rows.tenant()
        keys = [put(f"{tenant}/{name}", age=9 * DAY) for name in ("inputs/inp_a", "inputs/inp_b", "voices/voi_a")]
        rows.execute(uploads.add_upload("inp_a", tenant, keys[0]))
        rows.input(rows.pending(tenant), "input_image", source_key=keys[1])
        rows.execute(add_voice("voi_a", tenant, name="Ada", key=keys[2], media_type="audio/wav", bytes=7))
        gone = [put(f"{tenant}/{name}", age=9 * DAY) for name in ("inputs/inp_c", "voices/voi_b")]
        sweep()
        assert keys == list(store.keys())
        assert not set(gone) & set(store.keys())

    def test_objects_of_another_installation_stay(self, put, store, sweep):
        keys = [put(key, age=9 * DAY) for key in ("backups/2026.tar", "ten_unknown/job_1/1/ab.webp")]
        sweep()
        assert keys == list(store.keys())

    def test_a_file_that_was_never_finished_goes(self, rows, put, store, sweep):
        part = store.path(f"{rows.tenant()}/job_gone/1/.part-x7")
        put(f"{part.parent.relative_to(store.folder)}/ab.webp", age=2 * DAY)
        part.write_bytes(b"half")
        os.utime(part, (time.time() - 2 * DAY,) * 2)
        sweep()
        assert not part.exists()

    def test_pages_are_gone_through_one_by_one(self, rows, make_settings, put, store, monkeypatch):
        monkeypatch.setattr("workers.cpu.retention.PAGE", 2)
        tenant = rows.tenant()
        for number in range(5):
            put(f"{tenant}/job_gone/1/{number}.webp", age=2 * DAY)
        chore = Retention(make_settings(), rows.engine, store)
        assert [True, True, False] == [chore.remove_orphans() for _ in range(3)]
        assert [] == list(store.keys())

    def test_one_worker_at_a_time_goes_through_the_store(self, rows, make_settings, put, store):
        one, two = (Retention(make_settings(), rows.engine, store) for _ in range(2))
        one.remove_orphans()
        key = put(f"{rows.tenant()}/job_gone/1/ab.webp", age=2 * DAY)
        assert (False, False) == (one.remove_orphans(), two.remove_orphans())
        assert [key] == list(store.keys())
        rows.execute(text("UPDATE chores SET next_at = now() - interval '1 second'"))
        two.remove_orphans()
        assert [] == list(store.keys())

    def test_orphans_can_be_kept_for_good(self, rows, make_settings, put, store):
        key = put(f"{rows.tenant()}/job_gone/1/ab.webp", age=9 * DAY)
        assert Retention(make_settings(orphan_seconds=0.0), rows.engine, store).remove_orphans() is False
        assert [key] == list(store.keys())


@pytest.mark.long
def test_unfinished_uploads_in_parts_are_aborted(rows, make_settings, s3):
    """A worker that was killed leaves parts that no listing of objects shows; those of others in the bucket stay."""
    settings = make_settings(storage_url=s3.storage_url("test-unfinished"), orphan_seconds=0.001)
    store = open_store(settings)
    store.make_bucket()
    ours, theirs = f"{rows.tenant()}/job_1/1/ab.mp4", "ten_unknown/job_1/1/ab.mp4"
    for key in (ours, theirs):
        store._client._create_multipart_upload("test-unfinished", key, {})
    until(lambda: {ours, theirs} == {key for key, _ in store.unfinished(0.001)}, what="the uploads to be old")
    Retention(settings, rows.engine, store).remove_orphans()
    assert [theirs] == [key for key, _ in store.unfinished(0.001)]
    for key, upload_id in store.unfinished(0.001):
        store.abort(key, upload_id)


def test_a_store_without_such_a_list_is_swept_all_the_same(rows, make_settings, put, store, monkeypatch):
    def unfinished(seconds):
        raise StorageUnavailable("The object store answered NotImplemented.")

    monkeypatch.setattr(store, "unfinished", unfinished)
    put(f"{rows.tenant()}/job_gone/1/ab.webp", age=2 * DAY)
    Retention(make_settings(), rows.engine, store).remove_orphans()
    assert [] == list(store.keys())


def test_inputs_have_a_tenants_span_too(rows):
    job = rows.pending(rows.tenant(), "http://one.example/a.png")
    rows.set(job, status="completed", finished_at=func.now() - text("interval '2 days'"))
    found = [row.id for row in rows.execute(input_removal.finished(DAY))]
    rows.execute(retention.keep(job.tenant, inputs=-1.0))
    assert ([job.id], []) == (found, list(rows.execute(input_removal.finished(DAY))))
    rows.execute(retention.keep(job.tenant, inputs=3 * DAY))
    assert [] == list(rows.execute(input_removal.finished(0.0)))
    assert (None, 3 * DAY) == tuple(rows.execute(select(retention.kept(job.tenant).subquery()))[0])[:2]
