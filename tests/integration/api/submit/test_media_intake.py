"""Requests that name media as URLs, `data:` URLs and uploads; videos and cut-outs."""

import socket
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from redis import Redis
from sqlalchemy import func, select, text

from api.submit.media_intake import THREADS
from jobs.doorbell import model_queue
from jobs.job import JobStatus, job_from_row
from jobs.schema.tables import idempotency, inputs, jobs
from jobs.statements.media import inputs as input_statements
from jobs.statements.queue.tenant_jobs import by_id
from tests.support.media.media import data_url, image_file
from tests.support.service.api_server import api_server
from tests.support.service.published import published
from tests.support.wait import until

IMAGE, VIDEO, CUTOUT = "/generate/image/v1", "/generate/video/v1", "/generate/remove-background/v1"
URL = "https://Shop.Example:8443/chair.jpg?size=large"
PNG = image_file()


@pytest.fixture(autouse=True)
def _served(all_models):
    """A server for everything."""


@pytest.fixture
def post(client, rows):
    """Submit; the job as the row has it."""

    def submit(route, **fields):
        answer = client.post(route, json=fields)
        assert 202 == answer.status_code, answer.text
        return job_from_row(rows.execute(by_id(answer.json()["job_id"]))[0])

    return submit


def fetched(store, key, tmp_path):
    store.get(key, tmp_path / "object")
    return (tmp_path / "object").read_bytes()


@pytest.mark.contract("C24", "C25", "C26", "C27", "C28", "C30", "C31")
def test_an_image_is_all_a_video_requires(client, rows):
    answer = client.post(VIDEO, json={"input_image": URL})
    body = answer.json()
    assert (202, "pending", "video", "chaos-video", 42) == (
        *(answer.status_code, body["status"], body["modality"], body["model"], body["seed"]),
    )
    assert f"{VIDEO}/status/{body['job_id']}" == body["status_url"] == answer.headers["Location"]
    params = job_from_row(rows.execute(by_id(body["job_id"]))[0]).read_params()
    assert ("cinematic motion", 896, 512, 2.0, 42, "mp4") == (
        *(params.prompt, params.width, params.height, params.duration_seconds, params.seed, params.output_format),
    )
    status = client.get(body["status_url"]).json()
    assert ("pending", None) == (status["status"], status["queue_position"])


@pytest.mark.contract("C29", "C30")
def test_sizes_and_durations_of_videos(client):
    for good in ({"width": 1536, "height": 64}, {"duration_seconds": 0.1}, {"duration_seconds": 10.0}):
        assert 202 == client.post(VIDEO, json={"input_image": URL} | good).status_code, good
    for bad in ({"width": 1568}, {"height": 500}, {"duration_seconds": 0.09}, {"duration_seconds": 10.01}):
        assert 422 == client.post(VIDEO, json={"input_image": URL} | bad).status_code, bad


@pytest.mark.long
@pytest.mark.parametrize("route", [IMAGE, VIDEO, CUTOUT])
def test_the_examples_of_the_document_are_taken(client, route):
    document = client.get("/schema/openapi.json").json()
    schema = document["paths"][route]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert len(schema["examples"]) >= 2
    for example in schema["examples"]:
        answer = client.post(route, json=example)
        assert 202 == answer.status_code, answer.text


def test_a_cut_out_in_the_same_shape(client):
    answer = client.post(CUTOUT, json={"image_url": URL, "background_color": "#FFFFFF", "crop": True})
    body = answer.json()
    assert (202, "pending", "remove-background", "chaos-cutout", None) == (
        *(answer.status_code, body["status"], body["modality"], body["model"], body["seed"]),
    )
    assert "pending" == client.get(f"{CUTOUT}/status/{body['job_id']}").json()["status"]
    assert 404 == client.get(f"{VIDEO}/status/{body['job_id']}").status_code


def test_a_url_is_written_down_and_not_fetched(post, rows, store):
    job = post(VIDEO, input_image=URL)
    assert (JobStatus.PENDING, None, URL) == (job.status, job.queued_at, job.params["input_image"])
    (row,) = rows.inputs(job)
    assert ("input_image", "image", URL, None, "shop.example:8443", "waiting", job.tenant) == (
        *(row.name, row.kind, row.url, row.source_key, row.host, row.status, row.tenant),
    )
    assert [] == list(store.keys())


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://shop.example:443/a", "shop.example"),
        ("http://user:pw@SHOP.example/a", "shop.example"),
        ("https://bücher.example/a", "xn--bcher-kva.example"),
        ("https://8.8.8.8:80/a", "8.8.8.8:80"),
        ("https://[2606:2800::1]/a", "[2606:2800::1]"),
        ("https://xn--a/a", "xn--a"),
    ],
)
def test_the_host_is_what_limits_count(post, rows, url, host):
    assert host == rows.inputs(post(CUTOUT, image_url=url))[0].host


def test_a_data_url_goes_into_the_store_and_never_into_a_row(post, rows, store, tmp_path):
    job = post(IMAGE, prompt="a", model="chaos-edit", input_image=data_url(PNG), reference_images=[URL, data_url(PNG)])
    assert ("stored:input_image", [URL, "stored:reference_images.1"]) == (
        *(job.params["input_image"], job.params["reference_images"]),
    )
    rows_of_it = rows.inputs(job)
    assert ["input_image", "reference_images.0", "reference_images.1"] == [row.name for row in rows_of_it]
    keys = [f"{job.tenant}/{job.id}/inputs/raw/{name}" for name in ("input_image", "reference_images.1")]
    assert keys == [row.source_key for row in rows_of_it if row.source_key] == sorted(store.keys())
    assert all(PNG == fetched(store, key, tmp_path) for key in keys)
    assert ["", "shop.example:8443", ""] == [row.host for row in rows_of_it]
    everything = rows.scalar(text("SELECT string_agg(t::text, '') FROM (SELECT * FROM jobs) t"))
    assert "base64" not in everything


@pytest.mark.long
def test_a_data_url_may_be_as_large_as_an_input(post, store):
    content = PNG + bytes(20_000_000 - len(PNG))
    job = post(CUTOUT, image_url=data_url(content))
    assert 20_000_000 == store.size(f"{job.tenant}/{job.id}/inputs/raw/image_url")


@pytest.mark.long
def test_urls_do_not_wait_behind_files_for_a_store_that_hangs(settings, key, rows):
    """Every thread that stores is in a connection that says nothing; a URL needs none of them."""
    with socket.create_server(("127.0.0.1", 0)) as hangs:
        address = f"127.0.0.1:{hangs.getsockname()[1]}"
        stuck = msgspec.structs.replace(
            settings, storage_url=f"s3://bucket?endpoint=http://{address}&access_key=a&secret_key=b"
        )
        with api_server(stuck) as running, running.client(key) as client, ThreadPoolExecutor(THREADS) as pool:
            files = [pool.submit(client.post, CUTOUT, json={"image_url": data_url(PNG)}) for _ in range(THREADS)]
            connections = [hangs.accept()[0] for _ in files]
            assert 202 == client.post(CUTOUT, json={"image_url": URL}).status_code
            hangs.close()
            for connection in connections:
                connection.close()
            assert {503} == {each.result().status_code for each in files}


def test_what_a_data_url_says_it_is_does_not_matter(post):
    assert post(CUTOUT, image_url=data_url(PNG, "text/html")).params["image_url"] == "stored:image_url"


def test_an_upload_is_named_by_its_id(post, upload, rows):
    input_id = upload(PNG)
    job = post(VIDEO, input_image=input_id, last_image=input_id)
    assert "chaos-video-two" == job.model
    assert (input_id, input_id) == (job.params["input_image"], job.params["last_image"])
    assert {(None, f"{job.tenant}/inputs/{input_id}", "")} == {
        (row.url, row.source_key, row.host) for row in rows.inputs(job)
    }


@pytest.mark.long
def test_the_same_on_s3(settings, s3, key, rows, tmp_path):
    """Uploads go straight to the S3 server, `data:` URLs through the API."""
    import httpx

    from core.storage.store import open_store

    s3_settings = msgspec.structs.replace(settings, storage_url=s3.storage_url("test-inputs"))
    store = open_store(s3_settings)
    store.make_bucket()
    with api_server(s3_settings) as server, server.client(key) as client:
        made = client.post("/inputs/v1").json()
        assert made["upload_url"].startswith(s3.endpoint)
        answer = httpx.put(made["upload_url"], content=PNG, headers=made["headers"])
        assert 200 == answer.status_code
        given = {"input_image": made["input_id"], "last_image": data_url(PNG)}
        job_id = client.post(VIDEO, json=given).json()["job_id"]
        never = client.post("/inputs/v1").json()["input_id"]
        refused = client.post(VIDEO, json=given | {"input_image": never})
    sources = [row.source_key for row in rows.execute(inputs.select().where(inputs.c.job_id == job_id))]
    assert all(PNG == fetched(store, key, tmp_path) for key in sources)
    assert (422, "unknown_input") == (refused.status_code, refused.json()["code"])
    assert sorted(sources) == sorted(store.keys())


def test_a_pending_job_is_published_and_rings_no_doorbell(post, broker_url):
    job = post(CUTOUT, image_url=URL)
    with Redis.from_url(broker_url) as broker:
        until(lambda: len(published(broker, job.id)) == 1, what="the event of the submit")
        queued = post(IMAGE, prompt="a")
        until(lambda: broker.llen(model_queue(queued.model)) == 1, what="the bell of the other job")
        assert 0 == broker.llen(model_queue(job.model))


@pytest.mark.parametrize(
    ("route", "fields", "model"),
    [
        (IMAGE, {"prompt": "a"}, "chaos"),
        (IMAGE, {"prompt": "a", "input_image": URL}, "chaos-edit"),
        (IMAGE, {"prompt": "a", "input_image": URL, "strength": 0.5}, "chaos-edit"),
        (IMAGE, {"prompt": "a", "reference_images": [URL] * 2}, "chaos-edit"),
        (IMAGE, {"prompt": "a", "reference_images": [URL] * 3}, "chaos-references"),
        (VIDEO, {}, "chaos-video-two"),
        (VIDEO, {"input_image": URL}, "chaos-video"),
        (VIDEO, {"input_image": URL, "last_image": URL}, "chaos-video-two"),
        (VIDEO, {"input_image": URL, "duration_seconds": 10.0}, "chaos-video-two"),
    ],
)
def test_the_default_model_is_the_first_that_can_do_it(post, route, fields, model):
    job = post(route, **fields)
    assert (model, JobStatus.PENDING if URL in str(fields) else JobStatus.QUEUED) == (job.model, job.status)


class TestRepeats:
    def post(self, client, **fields):
        body = {"image_url": data_url(PNG)} | fields
        return client.post(CUTOUT, json=body, headers={"Idempotency-Key": "k"})

    def test_a_repeat_returns_the_first_job_and_stores_nothing(self, client, rows, store):
        first, second = self.post(client), self.post(client)
        assert first.json() == second.json()
        assert "true" == second.headers["Idempotency-Replayed"]
        assert 1 == len(list(store.keys())) == rows.scalar(select(func.count()).select_from(jobs))

    @pytest.mark.long
    def test_a_repeat_needs_no_store(self, client, settings, key, rows):
        first = self.post(client)
        away = msgspec.structs.replace(
            settings, storage_url="s3://bucket?endpoint=http://127.0.0.1:1&access_key=a&secret_key=b"
        )
        with api_server(away) as running, running.client(key) as without_store:
            assert first.json() == self.post(without_store).json()
            refused = self.post(without_store, crop=True)
        assert (422, "idempotency_key_reused") == (refused.status_code, refused.json()["code"])

    def test_repeats_at_once_leave_the_objects_of_one(self, client, rows, store):
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: self.post(client), range(16)))
        assert {202} == {answer.status_code for answer in answers}
        (job_id,) = {answer.json()["job_id"] for answer in answers}
        (key,) = store.keys()
        assert job_id == key.split("/")[1]

    def test_a_refused_one_leaves_the_key_free(self, client, rows, store):
        assert 422 == self.post(client, image_url=data_url(b"nonsense")).status_code
        assert [] == rows.execute(idempotency.select())
        assert 202 == self.post(client).status_code


class TestEnding:
    def take(self, rows):
        return rows.execute(input_statements.take(limit=10, lease_seconds=60, max_attempts=3, tenant_bytes=1))

    def test_inputs_of_a_pending_job_are_there_to_be_taken(self, post, rows):
        job = post(CUTOUT, image_url=URL)
        assert [job.id] == [row.job_id for row in self.take(rows)]

    def test_a_cancelled_pending_job_is_not_ingested(self, client, post, rows):
        job = post(CUTOUT, image_url=URL, callback_url="https://example.org/hook")
        answer = client.post(f"/jobs/v1/{job.id}/cancel")
        assert (200, "cancelled") == (answer.status_code, answer.json()["status"])
        assert [] == self.take(rows)
        assert ["job.cancelled"] == [row.type for row in rows.deliveries()]

    def test_a_pending_job_can_be_deleted_and_leaves_no_url(self, client, post, rows, store, settings):
        job = post(VIDEO, input_image=data_url(PNG), last_image=URL)
        assert 204 == client.delete(f"/jobs/v1/{job.id}").status_code
        assert [] == rows.execute(inputs.select())
        assert {} == rows.execute(jobs.select())[0].params
        assert [] == self.take(rows)

    def test_the_purge_of_a_deleted_job_takes_its_inputs_along(self, client, post, rows, store, settings, tmp_path):
        from workers.cpu.job_maintenance import JobMaintenance

        job, other = post(CUTOUT, image_url=data_url(PNG)), post(CUTOUT, image_url=data_url(PNG))
        clean = tmp_path / "clean"
        clean.write_bytes(PNG)
        store.put(f"{job.tenant}/{job.id}/inputs/ab.png", clean, "image/png")
        client.delete(f"/jobs/v1/{job.id}")
        JobMaintenance(settings, rows.engine, store).purge_jobs()
        assert [f"{other.tenant}/{other.id}/inputs/raw/image_url"] == list(store.keys())
