"""Search by words and by picture: real vectors of a tiny SigLIP, which a worker in this process makes."""

import io
import threading

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import select, update

from core.settings import Settings
from core.storage.store import open_store
from jobs.events import Publisher
from jobs.job import Artifact, JobError
from jobs.params.text import EmbeddingParams
from jobs.schema.tables import inputs, jobs, media
from pipelines.embedding.encode import encode
from pipelines.embedding.siglip import Siglip
from pipelines.runtime.protocol import Inputs, RunContext
from tests.support.checkpoints import tiny_vectors
from tests.support.checkpoints.specs import entry, spec
from tests.support.rows.worker_stub import WorkerStub
from tests.support.service.api_server import make_key
from tests.support.wait import until
from workers.library.analyses import AnalysisWork

SEARCH = "/media/v1/search"
NAMES = ("mug", "shoe", "hat")


@pytest.fixture(scope="module")
def settings(module_database_url, valkey, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vectors")
    models = entry("siglip", family="siglip", modality="embedding", capabilities=["pictures"])
    models += entry("minilm", family="sentence-embedding", modality="embedding")
    (folder / "models.toml").write_text(models)
    return Settings(
        database_url=module_database_url,
        broker_url=valkey,
        storage_url=f"file://{folder}/objects",
        secret_key="a secret of the tests of 32 bytes",
        catalog=str(folder / "models.toml"),
        library_analyses="embedding",
        sync_seconds=20.0,
    )


@pytest.fixture(scope="module")
def siglip(tmp_path_factory):
    weights = tiny_vectors.save_siglip(tmp_path_factory.mktemp("siglip"))
    return Siglip(spec(family="siglip", modality="embedding", capabilities=["pictures"]), weights, "cpu")


@pytest.fixture
def server(rows):
    return rows.server(serves=["siglip"])


def vectors_of(siglip, params, files=()):
    context = RunContext(seed=0, progress=lambda *report: None, warn=lambda text: None)
    return siglip.run(params, Inputs(dict(files)), context)


@pytest.fixture
def make(rows, server, settings, siglip, tmp_path):
    """The next job is made by the model, of the files that its inputs name; whether there was one."""
    stub, store = WorkerStub(rows, server, Publisher(settings)), open_store(settings)

    def once():
        rows.execute(update(inputs).values(status="ready"))
        rows.execute(update(jobs).where(jobs.c.status == "pending").values(status="queued"))
        job = rows.claim(server)
        if job is None:
            return False
        files = {}
        for row in rows.inputs(job):
            files[row.name] = tmp_path / row.name
            store.get(row.source_key, files[row.name])
        params = job.read_params()
        made = encode(vectors_of(siglip, params, files), params, tmp_path).files[0]
        key = f"{job.tenant}/{job.id}/1/{made.path}"
        store.put(key, tmp_path / made.path, made.media_type)
        size = (tmp_path / made.path).stat().st_size
        stub.complete(job, Artifact(key=key, media_type=made.media_type, bytes=size, sha256="a"))
        return True

    return once


@pytest.fixture
def worker(make):
    """The same in a thread, while a request waits."""
    over = threading.Event()

    def work():
        while not over.is_set():
            make() or over.wait(0.05)

    thread = threading.Thread(target=work)
    thread.start()
    yield
    over.set()
    thread.join()


def png(seed):
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 255, (32, 32, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def library(client, rows, settings, make):
    """Pictures that have been looked at, with their vectors; ids and vectors by name."""
    for seed, name in enumerate(NAMES):
        client.post("/media/v1", files={"file": (f"{name}.png", png(seed), "image/png")}).raise_for_status()
    rows.execute(update(media).values(look_at=None))
    work = AnalysisWork(settings, rows.engine, open_store(settings))
    while rows.execute(select(media.c.id).where(media.c.analyze_at.is_not(None))):
        rows.execute(update(media).where(media.c.analyze_at.is_not(None)).values(analyze_at=media.c.created_at))
        work.advance()
        make()
    found = rows.execute(select(media.c.id, media.c.filename, media.c.embedding))
    return {row.filename.removesuffix(".png"): (row.id, np.array(row.embedding)) for row in found}


def found(client, **query):
    answer = client.get(SEARCH, params=query)
    assert 200 == answer.status_code, answer.text
    return {one["media"]["filename"].removesuffix(".png"): one["similarity"] for one in answer.json()["results"]}


def ranked(library, vector, without=""):
    """Names and cosines, best first."""
    cosines = {name: float(own @ vector) for name, (_, own) in library.items() if name != without}
    return dict(sorted(cosines.items(), key=lambda one: -one[1]))


@pytest.mark.contract("F42")
def test_items_are_found_by_words_and_by_picture(client, rows, library, siglip, worker, upload):
    assert set(NAMES) == library.keys()
    by_picture = found(client, similar_to=upload(png(1)))
    assert ("shoe", pytest.approx(1, abs=1e-4)) == next(iter(by_picture.items()))
    shoe, vector = library["shoe"]
    like = found(client, similar_to=shoe)
    assert list(ranked(library, vector, without="shoe").items()) == [
        (name, pytest.approx(cosine, abs=1e-4)) for name, cosine in like.items()
    ]
    (words,) = vectors_of(siglip, EmbeddingParams(texts=("a red shoe",))).arrays["vectors"]
    near = found(client, near="a red shoe", limit=2)
    assert list(ranked(library, words).items())[:2] == [
        (name, pytest.approx(cosine, abs=1e-4)) for name, cosine in near.items()
    ]
    assert {} == found(client, near="a red shoe", kind="audio")
    assert 204 == client.delete(f"/media/v1/{shoe}").status_code
    assert "shoe" not in found(client, near="a red shoe")
    assert [] == client.get("/jobs/v1").json()["jobs"], "jobs of searches are left"


def test_nothing_is_asked_of_a_library_without_vectors(client, server):
    assert {} == found(client, near="shoes") == found(client, similar_to="https://shop.example/a.png")
    assert [] == client.get("/jobs/v1").json()["jobs"]


WRONG = (
    ({}, "missing_field", "query.q"),
    ({"q": "a", "near": "b"}, "invalid_request", "query.near"),
    ({"near": "b", "cursor": "c"}, "invalid_request", "query.cursor"),
    ({"similar_to": "med_01a230cc42af7881b4b9dd90bfb8cafe"}, "unknown_media", None),
    ({"similar_to": "inp_01a230cc42af7881b4b9dd90bfb8cafe"}, "unknown_input", "query.similar_to"),
    ({"similar_to": "file:///etc/passwd"}, "invalid_request", "query.similar_to"),
    ({"near": "a\0b"}, "nul_in_text", "query.near"),
)


def test_what_cannot_be_answered_is_refused(api, client, rows, settings, tenant, library):
    for query, code, field in WRONG:
        problem = client.get(SEARCH, params=query).json()
        assert (code, field) == (problem["code"], problem.get("field")), problem
    with api.client(make_key(rows, settings, tenant, scopes=["media:read"])) as reader:
        assert 403 == reader.get(SEARCH, params={"near": "shoes"}).status_code
        assert len(NAMES) - 1 == len(found(reader, similar_to=library["mug"][0]))
    rows.execute(update(media).values(embedding_model="gone"))
    answer = client.get(SEARCH, params={"near": "shoes"})
    assert (503, "no_model_available") == (answer.status_code, answer.json()["code"])
    assert "gone" in answer.json()["detail"]
    rows.execute(update(media).values(embedding_model="minilm"))
    rows.server("gpu-2", serves=["minilm"])
    answer = client.get(SEARCH, params={"similar_to": "https://shop.example/a.png"})
    assert (422, "query.similar_to") == (answer.status_code, answer.json()["field"])


def test_a_search_whose_job_fails_says_why(client, rows, server, settings, library):
    stub, failed = WorkerStub(rows, server, Publisher(settings)), []

    def fail_next():
        rows.execute(update(jobs).where(jobs.c.status == "pending").values(status="queued"))
        job = rows.claim(server)
        if job is not None:
            failed.append(stub.fail(job, JobError(code="gpu_oom", message="The GPU was full.")))
        return job

    thread = threading.Thread(target=until, args=(fail_next, 20, "the job of the search"))
    thread.start()
    answer = client.get(SEARCH, params={"near": "a red shoe"})
    thread.join()
    assert (503, "vector_unavailable") == (answer.status_code, answer.json()["code"])
    assert "The GPU was full." in answer.json()["detail"]
    assert 1 == len(failed)
    assert [] == client.get("/jobs/v1").json()["jobs"]
