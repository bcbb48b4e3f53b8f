"""The media library's work on a real database, store and web server: from a sent file to an item with previews."""

import asyncio
import io

import msgspec
import pytest
from PIL import Image
from sqlalchemy import func, text

from core.database import async_engine
from core.ids import new_id
from core.settings import Settings
from core.storage.store import open_store
from jobs.job import Artifact
from jobs.media import folder_of, media_from_row
from jobs.previews import Preview
from jobs.schema.tables import jobs, media
from jobs.statements.maintenance import retention
from jobs.statements.media import library, library_removal, library_work
from jobs.statements.queue import tenant_jobs
from tests.support.media.recordings import tone
from tests.support.servers.media_server import MediaServer, Reply, png
from tests.support.service.cpu_worker import cpu_worker
from tests.support.wait import until
from workers.cpu.retention import Retention
from workers.library.service import LibraryWork

PNG = png()


@pytest.fixture
def settings(database_url, broker_url, tmp_path):
    return Settings(
        database_url=database_url,
        broker_url=broker_url,
        storage_url=f"file://{tmp_path}/objects",
        scratch_dir=str(tmp_path / "scratch"),
        secret_key="a secret",
        development=True,
        allowed_networks="127.0.0.0/8",
        upkeep_seconds=0.1,
        input_poll_seconds=0.1,
        input_backoff=0.0,
        grace_seconds=1.0,
    )


@pytest.fixture
def store(settings):
    return open_store(settings)


@pytest.fixture
def host():
    with MediaServer() as server:
        yield server


@pytest.fixture
def worker(settings):
    with cpu_worker(settings):
        yield


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def put(store, tmp_path):
    def put(key, content):
        (tmp_path / "source").write_bytes(content)
        store.put(key, tmp_path / "source", "application/octet-stream")

    return put


@pytest.fixture
def item(rows, tenant):
    """Add an item as the API does; columns as keyword arguments."""

    def add(**values):
        media_id = new_id("med")
        values = {"status": "waiting", "source": "upload", "key": f"{folder_of(tenant, media_id)}raw"} | values
        limits = {"max_items": 10, "max_bytes": 10**9, "bytes_each": 1000}
        (row,) = rows.execute(library.add_media(media_id, tenant, values, **limits))
        return media_from_row(row)

    return add


def now(rows, one):
    found = rows.execute(media.select().where(media.c.id == one.id))
    return media_from_row(found[0]) if found else None


def done(rows, one):
    """The item, once it no longer waits."""
    return until(lambda: seen if (seen := now(rows, one)).status != "waiting" else None, 60, "the item to be looked at")


class DyingDrawer:
    """A drawer whose process ends before its answer, as one that is killed for its memory."""

    def __init__(self):
        self.calls = 0

    def draw(self, folder, **limits):
        self.calls += 1

    def close(self):
        """Nothing is open."""


async def process(settings, store, row, drawer=None):
    """Look at an item that was taken."""
    db = async_engine(settings)
    work = LibraryWork(settings, db, store)
    if drawer is not None:
        work._drawer.close()
        work._drawer = drawer
    try:
        await work._process(row)
    finally:
        await work.close()
        await db.dispose()


def test_a_file_that_was_sent_is_measured_and_drawn(rows, item, put, worker, store):
    sent = item(filename="a.png")
    put(sent.key, PNG)
    seen = done(rows, sent)
    width, height = Image.open(io.BytesIO(PNG)).size
    assert ("ready", "image", "image/png", len(PNG)) == (seen.status, seen.kind, seen.media_type, seen.bytes)
    assert (width, height) == (seen.width, seen.height)
    assert f"{sent.folder}{seen.sha256}.png" == seen.key
    assert "thumbnail" in [preview.name for preview in seen.previews]
    until(lambda: set(seen.keys) == set(store.keys(sent.folder)), what="the file as it was sent to be removed")
    assert rows.scalar(media.select().with_only_columns(media.c.look_at)) is None


@pytest.mark.long
def test_a_file_is_waited_for(rows, item, put, worker):
    sent = item()
    until(lambda: rows.scalar(media.select().with_only_columns(media.c.attempt)), 30, "a look that finds no file")
    put(sent.key, tone())
    seen = done(rows, sent)
    assert ("ready", "audio", "audio/wav") == (seen.status, seen.kind, seen.media_type)
    assert 0 < seen.duration_seconds < 1


@pytest.mark.long
def test_a_file_at_a_url_is_fetched(rows, item, host, worker):
    sent = item(source="url", url=host.serve("/a.png", PNG), filename="a.png")
    seen = done(rows, sent)
    assert ("ready", "image", len(PNG)) == (seen.status, seen.kind, seen.bytes)


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("content", "said", "code"),
    [
        (PNG, {"media_type": "image/jpeg"}, "media_type_mismatch"),
        (PNG, {"kind": "audio"}, "media_type_mismatch"),
        (b"\x00\x01\x02\x03" * 9, {}, "unsupported_media"),
        (PNG[:40], {}, "input_unreadable"),
        (b"", {}, "input_unreadable"),
        (PNG, {"bytes": len(PNG) - 1}, "input_too_large"),
    ],
    ids=["another type", "another kind", "no known type", "broken", "empty", "larger than announced"],
)
def test_a_useless_file_fails_its_item_and_goes(rows, item, put, store, worker, content, said, code):
    sent = item(**said)
    put(sent.key, content)
    seen = done(rows, sent)
    assert ("failed", code) == (seen.status, seen.problem.code)
    until(lambda: not list(store.keys(sent.folder)), what="its objects to be removed")


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=404), "input_unreachable"),
        (Reply(status=302, headers={"Location": "http://10.0.0.1/"}), "forbidden_url"),
        (Reply(body=b"x", length="300000000"), "input_too_large"),
    ],
)
def test_a_url_of_no_use_fails_its_item(rows, item, host, worker, reply, code):
    host.replies["/a"] = reply
    assert code == done(rows, item(source="url", url=f"{host.url}/a")).problem.code


def test_a_slow_worker_removes_nothing_that_another_has_stored(rows, item, put, store, settings, host):
    host.replies["/a"] = Reply(status=404)
    sent = item(source="url", url=f"{host.url}/a")
    (slow,) = rows.execute(library_work.take_media(limit=1, lease_seconds=600))
    stored = {"attempt": slow.attempt + 1, "status": "ready", "key": f"{sent.folder}ab.png", "look_at": None}
    rows.execute(media.update().where(media.c.id == sent.id).values(stored))
    put(stored["key"], PNG)
    asyncio.run(process(settings, store, slow))
    assert [stored["key"]] == list(store.keys(sent.folder))
    assert "ready" == now(rows, sent).status


@pytest.mark.long
def test_without_previews_a_file_is_checked_and_measured(rows, item, put, settings, store):
    sent = item()
    put(sent.key, PNG)
    (row,) = rows.execute(library_work.take_media(limit=1, lease_seconds=600))
    asyncio.run(process(msgspec.structs.replace(settings, previews=False), store, row))
    seen = now(rows, sent)
    assert ("ready", *Image.open(io.BytesIO(PNG)).size, ()) == (seen.status, seen.width, seen.height, seen.previews)
    assert [seen.key] == list(store.keys(sent.folder))


@pytest.mark.parametrize(
    ("status", "tries", "calls"),
    [("waiting", 0, 3), ("waiting", 3, 0), ("ready", 1, 2)],
    ids=["never drawn", "ended its workers", "ready and never drawn"],
)
def test_a_file_that_is_never_drawn_is_given_up(rows, item, put, settings, store, status, tries, calls):
    sent, dying = item(status=status), DyingDrawer()
    put(sent.key, PNG)
    rows.execute(media.update().values(tries=tries, attempt=70))  # the file was waited for
    looks = 0
    while looks < 9 and rows.scalar(media.select().with_only_columns(media.c.look_at)) is not None:
        looks += 1
        rows.execute(media.update().values(look_at=func.now()))
        (row,) = rows.execute(library_work.take_media(limit=1, lease_seconds=600))
        asyncio.run(process(settings, store, row, dying))
    seen = now(rows, sent)
    assert (calls, max(calls, 1)) == (dying.calls, looks)
    if status == "ready":
        assert ("ready", [sent.key]) == (seen.status, list(store.keys(sent.folder)))
    else:
        assert ("failed", "input_unreadable", []) == (seen.status, seen.problem.code, list(store.keys(sent.folder)))
        assert "in 3 tries" in seen.problem.message


def test_an_upload_that_never_came_fails(rows, item, worker):
    sent = item()
    then = func.now() - text("interval '3 hours'")
    rows.execute(media.update().where(media.c.id == sent.id).values(created_at=then, look_at=func.now()))
    assert "input_unreachable" == done(rows, sent).problem.code


@pytest.mark.long
def test_a_deleted_item_loses_its_objects_and_its_row(rows, item, put, store, tenant, worker):
    sent = item()
    put(sent.key, PNG)
    done(rows, sent)
    rows.execute(library_removal.erase_media(sent.id, tenant))
    until(lambda: now(rows, sent) is None and not list(store.keys(sent.folder)), 30, "row and objects to be removed")


def test_a_temporary_item_ends_after_a_day(rows, item, put, tenant, store):
    kept, gone = item(), item(temporary=True)
    assert 23.9 < (gone.expires_at - gone.created_at).total_seconds() / 3600 < 24.1
    assert [] == rows.execute(library_work.expire_media())
    rows.execute(media.update().where(media.c.id == gone.id).values(expires_at=func.now() - text("interval '1 s'")))
    assert [gone.id] == [row.id for row in rows.execute(library_work.expire_media())]
    found = rows.execute(library.find_media([kept.id, gone.id], tenant))
    assert [kept.id] == [row.id for row in found]


def test_tenants_take_turns(rows, item, tenant):
    mine = [item() for _ in range(3)]
    other = new_id("med")
    values = {"status": "waiting", "source": "upload", "key": "k"}
    limits = {"max_items": 10, "max_bytes": 10**9, "bytes_each": 1000}
    rows.execute(library.add_media(other, rows.tenant("another"), values, **limits))
    taken = [row.id for row in rows.execute(library_work.take_media(limit=2, lease_seconds=60))]
    assert {mine[0].id, other} == set(taken)
    assert 2 == len(rows.execute(library_work.take_media(limit=9, lease_seconds=60)))


@pytest.fixture
def made(rows, tenant, put):
    """A completed job with an output and a preview in the store."""
    server = rows.server()

    def make():
        job = rows.submit(tenant)
        claimed = rows.claim(server)
        keys = [f"{tenant}/{job.id}/{claimed.fence}/{name}" for name in ("a.webp", "a-thumbnail.webp")]
        for key in keys:
            put(key, b"content")
        preview = Preview(name="thumbnail", key=keys[1], media_type="image/webp", bytes=7)
        output = Artifact(key=keys[0], media_type="image/webp", bytes=7, sha256="a", previews=(preview,))
        assert rows.complete(claimed, output) is not None
        return job, keys

    return make


@pytest.mark.long
def test_outputs_outlive_the_row_of_their_job(rows, made, settings, store, worker):
    job, keys = made()
    rows.set(job, created_at=func.now() - text("interval '2 days'"), finished_at=func.now() - text("interval '2 days'"))
    assert [job.id] == [row.id for row in rows.execute(retention.forget_jobs(3600.0))]
    rows.set(job, deleted_at=func.now() - text("interval '1 day'"))
    until(lambda: not rows.execute(jobs.select()), 30, "the row of the job to be removed")
    assert sorted(keys) == sorted(store.keys())
    assert [keys[0]] == [row.key for row in rows.execute(media.select())]


def test_the_sweep_of_orphans_leaves_the_library(rows, made, item, put, settings, store, tenant):
    _, keys = made()
    sent = item()
    put(sent.key, PNG)
    put(f"{tenant}/media/{new_id('med')}/raw", PNG)
    rows.execute(jobs.delete())
    Retention(msgspec.structs.replace(settings, orphan_seconds=1e-9), rows.engine, store).remove_orphans()
    assert sorted([*keys, sent.key]) == sorted(store.keys())


@pytest.mark.long
def test_outputs_and_prompts_go_with_their_retention(rows, made, worker, store):
    job, _ = made()
    (artifact,) = rows.job(job).artifacts
    noted = msgspec.structs.replace(artifact, metadata={**artifact.metadata, "revised_prompt": "a very red circle"})
    rows.set(job, finished_at=func.now() - text("interval '2 days'"), artifacts=msgspec.to_builtins([noted]))
    assert 1 == len(rows.execute(retention.scrub_prompts(3600.0)))
    assert (artifact,) == rows.job(job).artifacts
    (row,) = rows.execute(media.select())
    assert (None, False) == (row.prompt, "circle" in row.search)
    assert 1 == len(rows.execute(retention.forget_outputs(3600.0)))
    until(lambda: not rows.execute(media.select()), 30, "the item to be removed")


@pytest.mark.long
def test_a_deleted_job_loses_everything(rows, made, tenant, store, worker):
    job, _ = made()
    rows.execute(tenant_jobs.erase(job.id, tenant))
    rows.execute(library_removal.erase_outputs(job.id, tenant))
    until(lambda: not list(store.keys()) and not rows.execute(media.select()), 30, "everything to be removed")
