"""What is found out about items of the library: once each, by jobs that leave nothing behind."""

import json

import pytest
from sqlalchemy import func, text, update

from core.errors.inputs import InputUnreadable
from core.settings import Settings
from core.storage.store import open_store
from jobs.job import Artifact, JobError, JobStatus, job_from_row
from jobs.media import media_from_row
from jobs.params.requests.origin import LIBRARY
from jobs.schema.tables import inputs, jobs, media
from jobs.statements.media import analyses, library, library_removal, library_search
from jobs.statements.queue import claimed
from jobs.statements.webhooks import endpoints
from jobs.wire.dialects.videogen_events import ANALYZED, NOT_ANALYZED
from tests.support.checkpoints.specs import entry
from workers.library.analyses import AnalysisWork
from workers.library.analysis_kinds import chosen_kinds

SEES, HEARS, SAYS = "sees", "hears", "says"
VECTOR = {"dimensions": 2, "vectors": [[0.6, 0.8]]}
HEARD = {
    "task": "transcribe",
    "language": "en",
    "duration": 2.0,
    "text": "a teal mug",
    "segments": [{"id": 0, "start": 0.0, "end": 2.0, "text": "a teal mug", "tokens": [1]}],
}


@pytest.fixture
def kinds():
    return "embedding,transcript"


@pytest.fixture
def settings(database_url, broker_url, tmp_path, kinds):
    models = entry(SEES, family="siglip", modality="embedding", capabilities=["pictures"])
    models += entry(HEARS, family="whisper", modality="transcript")
    models += entry(SAYS, family="transformers-text", modality="text", capabilities=["vision", "films"])
    (tmp_path / "models.toml").write_text(models)
    return Settings(
        database_url=database_url,
        broker_url=broker_url,
        storage_url=f"file://{tmp_path}/objects",
        catalog=str(tmp_path / "models.toml"),
        library_analyses=kinds,
    )


@pytest.fixture
def tenant(rows):
    return rows.tenant()


@pytest.fixture
def server(rows):
    return rows.server(serves=[SEES, HEARS])


@pytest.fixture
def work(rows, settings):
    """Takes every turn that is due, and nothing waits for its time."""
    made = AnalysisWork(settings, rows.engine, open_store(settings))

    def turns():
        rows.execute(update(media).where(media.c.analyze_at.is_not(None)).values(analyze_at=media.c.created_at))
        while made.advance():
            pass
        return [job_from_row(row) for row in rows.execute(jobs.select().order_by(jobs.c.seq)) if not row.deleted_at]

    return turns


@pytest.fixture
def bring(rows, tenant):
    """An item that has been looked at."""

    def add(media_id="med_1", **values):
        given = {"status": "ready", "source": "upload", "key": f"k/{media_id}.png", "kind": "image", "bytes": 6}
        given |= {"media_type": "image/png"} | values
        rows.execute(library.add_media(media_id, tenant, given, max_items=9, max_bytes=10**9, bytes_each=1))
        rows.execute(update(media).where(media.c.id == media_id).values(look_at=None))
        return media_id

    return add


@pytest.fixture
def answer(rows, server, settings, tmp_path):
    """The server claims a job whose inputs are there, and makes a file of JSON."""

    def complete(job, content, claimant=server):
        rows.execute(update(inputs).where(inputs.c.job_id == job.id).values(status="ready"))
        rows.set(job, status="queued")
        begun = rows.claim(claimant)
        file = tmp_path / "made.json"
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        key = f"{job.tenant}/{job.id}/1/made.json"
        open_store(settings).put(key, file, "application/json")
        assert job.id == begun.id
        assert (
            rows.complete(
                begun, Artifact(key=key, media_type="application/json", bytes=file.stat().st_size, sha256="a")
            )
            is not None
        )

    return complete


def row_of(rows, media_id="med_1"):
    (row,) = rows.execute(media.select().where(media.c.id == media_id))
    return row


def test_a_picture_gets_its_vector_once(rows, tenant, bring, work, answer):
    rows.execute(endpoints.add_webhook("whk_1", tenant, url="https://shop.example/hook", events=["job.completed"]))
    bring()
    (job,) = work()
    assert (JobStatus.PENDING, 0, LIBRARY, 0.0) == (job.status, job.priority, job.origin.dialect, job.price_usd)
    (source,) = rows.inputs(job)
    assert ("input_image", "image", "k/med_1.png") == (source.name, source.kind, source.source_key)
    assert [job.id] == [again.id for again in work()]
    answer(job, VECTOR)
    assert [] == work() == work()
    found = row_of(rows)
    assert ([0.6, 0.8], SEES, ["embedding"]) == (
        [round(number, 6) for number in found.embedding],
        found.embedding_model,
        found.analyzed,
    )
    assert (None, None) == (found.analyze_at, found.analysis_job)
    assert 1 == len(rows.execute(media.select())), "the file of vectors is an item"
    assert [] == rows.deliveries()


def test_a_recording_is_heard_and_its_words_compared(rows, tenant, bring, work, answer):
    bring(kind="audio", media_type="audio/wav", key="k/a.wav", description="An interview")
    (hearing,) = work()
    assert ("transcript", HEARS) == (hearing.modality, hearing.model)
    answer(hearing, HEARD)
    (comparing,) = work()
    assert {"texts": ["An interview\na teal mug"]}.items() <= comparing.params.items()
    answer(comparing, VECTOR)
    assert [] == work()
    found = row_of(rows)
    assert {"language": "en", "segments": [{"start": 0.0, "end": 2.0, "text": "a teal mug"}]} == found.transcript
    assert [0.6, 0.8] == [round(number, 6) for number in found.embedding]
    for word, matches in (("teal", 1), ("interview", 1), ("transcribe", 0)):
        assert matches == len(rows.execute(library_search.search_media(tenant, word, limit=2))), word


@pytest.mark.matrix
@pytest.mark.parametrize("kinds", ["description"])
@pytest.mark.parametrize(
    ("said", "state", "event"), [(" A teal mug.\n", "done", ANALYZED), (" ", "failed", NOT_ANALYZED)]
)
def test_a_picture_is_described(rows, tenant, bring, work, answer, said, state, event):
    claimant = rows.server("sayer", serves=[SAYS])
    facts = {"url": "https://shop.example/hook", "events": [], "dialect": "videogen"}
    rows.execute(endpoints.add_webhook("whk_1", tenant, **facts, dialect_events=[ANALYZED, NOT_ANALYZED]))
    bring()
    assert "none" == media_from_row(row_of(rows)).analysis
    (job,) = work()
    assert {"template": "description", "images": ["med_1"], "temperature": 0.0}.items() <= job.params.items()
    (source,) = rows.inputs(job)
    assert ("images.0", "k/med_1.png") == (source.name, source.source_key)
    assert "running" == media_from_row(row_of(rows)).analysis
    assert [] == rows.deliveries()
    answer(job, said, claimant)
    assert [] == work()
    found = media_from_row(row_of(rows))
    assert (said.strip() or None, ("description",), state) == (found.description, found.analyzed, found.analysis)
    assert bool(said.strip()) == len(rows.execute(library_search.search_media(tenant, "teal", limit=2)))
    assert [("med_1", event)] == [(row.job_id, row.type) for row in rows.deliveries()]


@pytest.mark.parametrize("kinds", ["description"])
@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"kind": "video", "duration_seconds": 30.0}, {"input_video": "med_1"}),
        ({"kind": "video", "duration_seconds": 31.0}, {"images": ["med_1"]}),
        ({"description": "A mug"}, None),
        ({"kind": "audio", "transcript": "said"}, None),
        ({"temporary": True}, None),
    ],
)
def test_what_is_described(rows, bring, work, values, asked):
    rows.server("sayer", serves=[SAYS])
    bring(previews=[{"name": "poster", "key": "k/p.webp", "media_type": "image/webp", "bytes": 9}], **values)
    made = [job.params for job in work()]
    assert [] == made if asked is None else asked.items() <= made[0].items()


def test_a_film_without_sound_leaves_no_failed_job(rows, server, bring, work):
    preview = {"name": "poster", "key": "k/p.webp", "media_type": "image/webp", "bytes": 9}
    bring(kind="video", media_type="video/mp4", key="k/f.mp4", previews=[preview])
    (hearing,) = work()
    rows.set(hearing, status="queued")
    begun = rows.claim(server)
    rows.change(claimed.fail(begun.id, begun.fence, JobError.of(InputUnreadable)))
    (comparing,) = work()
    assert "k/p.webp" == rows.inputs(comparing)[0].source_key
    assert ["transcript", "embedding"] == row_of(rows).analyzed


def test_nothing_is_done_that_no_model_can_do(rows, bring, work):
    bring()
    assert [] == work()
    found = row_of(rows)
    assert [] == found.analyzed
    assert found.analyze_at > found.created_at


@pytest.mark.parametrize(
    "values", [{"temporary": True}, {"kind": "mesh"}, {"status": "waiting"}, {"kind": "audio", "transcript": "said"}]
)
def test_other_items_are_left_alone(rows, server, bring, work, values):
    bring(**values)
    made = work()
    assert ["embedding"] * ("transcript" in values) == [job.modality for job in made]


def test_two_workers_make_one_job(rows, settings, server, bring):
    bring()
    works = [AnalysisWork(settings, rows.engine, open_store(settings)) for _ in range(2)]
    found = [rows.execute(analyses.take_item(lease_seconds=0))[0] for _ in works]
    for work, row in zip(works, found, strict=True):
        work._turn(row)
    assert 1 == len(rows.execute(jobs.select()))


def test_the_answer_about_a_deleted_item_is_removed(rows, tenant, settings, bring, work, answer):
    bring()
    (job,) = work()
    rows.execute(library_removal.erase_media("med_1", tenant))
    rows.execute(library_removal.forget_media("med_1"))
    answer(job, VECTOR)
    assert [job.id] == [left.id for left in work()]
    rows.set(job, finished_at=func.now() - text("interval '2 hours'"))
    AnalysisWork(settings, rows.engine, open_store(settings)).remove_left()
    assert [] == work()


def test_a_forgotten_prompt_takes_its_vector_with_it(rows, server, bring, work, answer):
    bring(prompt="a red circle")
    answer(work()[0], VECTOR)
    work()
    rows.execute(update(media).values(**library.without_prompt()))
    found = row_of(rows)
    assert (None, None, []) == (found.embedding, found.embedding_model, found.analyzed)
    assert 1 == len(work())


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match="'sound' is none of description, embedding, transcript"):
        chosen_kinds("embedding,sound")
    names = ["transcript", "description", "embedding"]
    assert names == [kind.name for kind in chosen_kinds("embedding,description, transcript")]
