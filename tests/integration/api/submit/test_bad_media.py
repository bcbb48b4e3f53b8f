"""Media that are refused at submit: a stable code and the field, nothing inserted, nothing stored."""

import msgspec
import pytest
from sqlalchemy import text, update

from core.errors.unavailable import StorageUnavailable
from core.storage.directory import DirectoryStore
from jobs.schema.tables import idempotency, inputs, jobs, tenants
from tests.support.media.media import data_url, image_file
from tests.support.service.api_server import api_server

IMAGE, VIDEO, CUTOUT = "/generate/image/v1", "/generate/video/v1", "/generate/remove-background/v1"
URL = "https://shop.example/chair.jpg"
PNG = data_url(image_file())
AUDIO = data_url(b"fLaC" + bytes(60), "audio/flac")


@pytest.fixture(autouse=True)
def _nothing_is_left(rows, all_models, store):
    uploads_before = set(store.keys())
    yield
    for table in (jobs, inputs, idempotency):
        assert [] == rows.execute(table.select())
    assert uploads_before == set(filter(lambda key: "/inputs/inp_" not in key, store.keys()))


def refused(answer, code, field, status=422):
    problem = answer.json()
    assert (status, code, field) == (answer.status_code, problem["code"], problem.get("field")), problem
    assert "." == problem["detail"][-1]
    return problem["detail"]


@pytest.mark.parametrize(
    ("route", "fields", "code", "field"),
    [
        # the wrong media type, judged by the content
        (CUTOUT, {"image_url": data_url(b"%PDF-1.7")}, "unsupported_media", "$.image_url"),
        (CUTOUT, {"image_url": "data:image/svg+xml,%3Csvg/%3E"}, "unsupported_media", "$.image_url"),
        (CUTOUT, {"image_url": "data:image/png,hello"}, "unsupported_media", "$.image_url"),
        (CUTOUT, {"image_url": "data:image/png;base64,"}, "unsupported_media", "$.image_url"),
        (VIDEO, {"input_image": AUDIO}, "unsupported_media", "$.input_image"),
        (VIDEO, {"input_image": PNG, "last_image": AUDIO}, "unsupported_media", "$.last_image"),
        (IMAGE, {"reference_images": [PNG, URL, AUDIO]}, "unsupported_media", "$.reference_images[2]"),
        # not to be decoded
        (CUTOUT, {"image_url": "data:image/png;base64,!!!"}, "input_unreadable", "$.image_url"),
        (CUTOUT, {"image_url": "data:image/png"}, "input_unreadable", "$.image_url"),
        (VIDEO, {"input_image": PNG, "last_image": "data:,%"}, "input_unreadable", "$.last_image"),
        # too large
        (CUTOUT, {"image_url": data_url(bytes(20_000_001))}, "input_too_large", "$.image_url"),
        (CUTOUT, {"image_url": "data:," + "a" * 1_000_001}, "input_too_large", "$.image_url"),
        # where the service must not go
        (CUTOUT, {"image_url": "http://10.0.0.1/"}, "forbidden_url", "$.image_url"),
        (CUTOUT, {"image_url": "http://[::1]/"}, "forbidden_url", "$.image_url"),
        (CUTOUT, {"image_url": "http://2130706433/"}, "forbidden_url", "$.image_url"),
        (CUTOUT, {"image_url": "http://0x7f000001/"}, "forbidden_url", "$.image_url"),
        (CUTOUT, {"image_url": "http://localhost:8000/a.png"}, "forbidden_url", "$.image_url"),
        (CUTOUT, {"image_url": "http://169.254.169.254/latest/meta-data"}, "forbidden_url", "$.image_url"),
        (VIDEO, {"input_image": URL, "last_image": "http://192.168.1.1/a.png"}, "forbidden_url", "$.last_image"),
        (IMAGE, {"reference_images": [URL, "http://127.1/"]}, "forbidden_url", "$.reference_images[1]"),
        (IMAGE, {"callback_url": "http://127.0.0.1:8080/hook"}, "forbidden_url", "$.callback_url"),
        # not a source at all
        (CUTOUT, {"image_url": "chair.jpg"}, "invalid_request", "$.image_url"),
        (CUTOUT, {"image_url": "file:///etc/passwd"}, "invalid_request", "$.image_url"),
        (CUTOUT, {"image_url": "stored:image_url"}, "invalid_request", "$.image_url"),
        (CUTOUT, {"image_url": "ftp://shop.example/chair.jpg"}, "invalid_request", "$.image_url"),
        (CUTOUT, {"image_url": URL + "a" * 4096}, "out_of_range", "$.image_url"),
        (CUTOUT, {"image_url": "https://a\0b/"}, "nul_in_text", "$.image_url"),
        (CUTOUT, {"image_url": ""}, "out_of_range", "$.image_url"),
        (CUTOUT, {}, "missing_field", "$.input_image"),
        (IMAGE, {"reference_images": [URL] * 17}, "out_of_range", "$.reference_images"),
        # uploads that are none
        (CUTOUT, {"image_url": "inp_" + "0" * 32}, "unknown_input", "$.image_url"),
        (CUTOUT, {"image_url": "inp_nonsense"}, "unknown_input", "$.image_url"),
        (CUTOUT, {"image_url": "inp_" + "0" * 20_000_000}, "unknown_input", "$.image_url"),
        (VIDEO, {"input_image": PNG, "last_image": "inp_" + "0" * 32}, "unknown_input", "$.last_image"),
        # what no model, or not this one, can do
        (VIDEO, {"model": "chaos-video"}, "missing_field", "$.input_image"),
        (VIDEO, {"last_image": URL}, "missing_field", "$.input_image"),
        (IMAGE, {"strength": 0.5}, "missing_field", "$.input_image"),
        (
            *(VIDEO, {"model": "chaos-video", "input_image": PNG, "duration_seconds": 10.0}),
            *("out_of_range", "$.duration_seconds"),
        ),
        (
            *(VIDEO, {"model": "chaos-video", "input_image": PNG, "last_image": PNG}),
            *("not_supported_by_model", "$.last_image"),
        ),
        (IMAGE, {"model": "chaos", "input_image": PNG}, "not_supported_by_model", "$.input_image"),
        (IMAGE, {"model": "chaos", "reference_images": [PNG]}, "not_supported_by_model", "$.reference_images"),
        (IMAGE, {"model": "chaos-edit", "reference_images": [URL] * 3}, "out_of_range", "$.reference_images"),
        (
            *(IMAGE, {"model": "chaos-references", "input_image": PNG, "strength": 0.5}),
            *("not_supported_by_model", "$.strength"),
        ),
        (
            *(IMAGE, {"model": "chaos-references", "input_image": URL, "reference_images": [URL] * 3}),
            *("out_of_range", "$.reference_images"),
        ),
        (VIDEO, {"model": "chaos", "input_image": PNG}, "unknown_model", "$.model"),
        # sizes and lengths of films
        (VIDEO, {"input_image": URL, "width": 900}, "out_of_range", "$.width"),
        (VIDEO, {"input_image": URL, "height": 1568}, "out_of_range", "$.height"),
        (VIDEO, {"input_image": URL, "duration_seconds": 10.1}, "out_of_range", "$.duration_seconds"),
        (VIDEO, {"input_image": URL, "duration_seconds": 0}, "out_of_range", "$.duration_seconds"),
        (VIDEO, {"input_image": URL, "output_format": "gif"}, "out_of_range", "$.output_format"),
        (CUTOUT, {"image_url": URL, "background_color": "white"}, "out_of_range", "$.background_color"),
    ],
)
def test_what_is_refused_at_submit(client, route, fields, code, field):
    body = ({"prompt": "a"} if route == IMAGE else {}) | fields
    refused(client.post(route, json=body, headers={"Idempotency-Key": "k"}), code, field)


def test_ten_seconds_of_a_five_second_model_are_refused(client, rows):
    said = refused(
        client.post(VIDEO, json={"input_image": PNG, "duration_seconds": 10.0, "model": "chaos-video"}),
        *("out_of_range", "$.duration_seconds"),
    )
    assert "`duration_seconds` must be at most 5 for chaos-video, or choose chaos-video-two." == said


@pytest.fixture
def few_models(rows):
    """In place of the server that serves everything."""
    rows.execute(text("DELETE FROM servers"))
    return rows.server("gpu-few", serves=["chaos", "chaos-video"])


@pytest.mark.parametrize(
    ("route", "fields", "code", "field"),
    [
        (VIDEO, {}, "missing_field", "$.input_image"),
        (VIDEO, {"input_image": PNG, "duration_seconds": 10.0}, "out_of_range", "$.duration_seconds"),
        (VIDEO, {"input_image": PNG, "last_image": PNG}, "not_supported_by_model", "$.last_image"),
        (IMAGE, {"prompt": "a", "input_image": PNG}, "not_supported_by_model", "$.input_image"),
    ],
)
def test_when_none_of_the_served_models_can_do_it(client, few_models, route, fields, code, field):
    assert "or choose chaos-" in refused(client.post(route, json=fields), code, field)


def test_a_modality_without_a_server_is_refused(client, few_models):
    refused(client.post(CUTOUT, json={"image_url": PNG}), "no_model_available", None, 503)


def test_another_tenants_upload_is_as_unknown_as_any(client, upload, stranger):
    input_id = upload(image_file())
    said = refused(stranger.post(CUTOUT, json={"image_url": input_id}), "unknown_input", "$.image_url")
    unknown = refused(stranger.post(CUTOUT, json={"image_url": "inp_" + "0" * 32}), "unknown_input", "$.image_url")
    assert said == unknown


def test_an_upload_that_was_never_sent(client):
    made = client.post("/inputs/v1").json()
    said = refused(client.post(CUTOUT, json={"image_url": made["input_id"]}), "unknown_input", "$.image_url")
    assert "PUT the file to its `upload_url` first" in said


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"fLaC" + bytes(60)])
def test_an_upload_of_the_wrong_media_type(client, upload, content):
    answer = client.post(CUTOUT, json={"image_url": upload(content)})
    refused(answer, "unsupported_media", "$.image_url")


@pytest.mark.long
def test_an_upload_that_is_too_large(client, settings, key, upload):
    """S3 may accept one: its links cannot limit the size."""
    input_id = upload(image_file() + bytes(1000))
    with api_server(msgspec.structs.replace(settings, input_max_bytes=1000)) as small, small.client(key) as strict:
        said = refused(strict.post(CUTOUT, json={"image_url": input_id}), "input_too_large", "$.image_url")
    assert "at most 1000" in said


def away(settings, address="127.0.0.1:1"):
    """Settings with a store that does not answer."""
    url = f"s3://bucket?endpoint=http://{address}&access_key=a&secret_key=b"
    return msgspec.structs.replace(settings, storage_url=url)


@pytest.mark.long
def test_a_store_that_is_away(settings, key):
    with api_server(away(settings)) as running, running.client(key) as client:
        answer = client.post(CUTOUT, json={"image_url": PNG}, headers={"Idempotency-Key": "k"})
    said = refused(answer, "storage_unavailable", None, 503)
    assert "127.0.0.1" not in said
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("quota", "code", "status"),
    [({"max_waiting_jobs": 0}, "too_many_jobs", 429), ({"budget_usd": 0}, "budget_exhausted", 402)],
)
def test_over_the_quota_no_store_is_asked(settings, key, rows, quota, code, status):
    rows.execute(update(tenants).values(**quota))
    with api_server(away(settings)) as running, running.client(key) as client:
        refused(client.post(CUTOUT, json={"image_url": PNG}), code, None, status)


@pytest.fixture
def quota_fills(rows, monkeypatch):
    """While media are being stored, other jobs of the tenant take the last places."""
    put = DirectoryStore.put

    def late(self, *args):
        put(self, *args)
        rows.execute(update(tenants).values(max_waiting_jobs=0))

    monkeypatch.setattr(DirectoryStore, "put", late)


def test_over_the_quota_nothing_stays_in_the_store(client, quota_fills):
    refused(client.post(CUTOUT, json={"image_url": PNG}), "too_many_jobs", None, 429)


@pytest.mark.long
def test_media_of_a_job_that_may_have_been_committed_are_kept(settings, key, tmp_path, rows, caplog):
    """A database that stops answering during the commit: the job may exist, so its inputs stay."""
    elsewhere = msgspec.structs.replace(settings, storage_url=f"file://{tmp_path}/elsewhere")
    with api_server(elsewhere) as running, running.client(key) as client, rows.engine.begin() as connection:
        connection.execute(text("SELECT 1 FROM tenants FOR UPDATE"))
        refused(client.post(CUTOUT, json={"image_url": PNG}), "database_unavailable", None, 503)
    (remaining,) = (path for path in (tmp_path / "elsewhere").rglob("*") if path.is_file())
    assert "image_url" == remaining.name
    assert "submit: commit in doubt, inputs kept" in caplog.text


@pytest.mark.long
def test_media_that_stay_behind_are_logged(settings, key, tmp_path, quota_fills, caplog, monkeypatch):
    """The store goes away between the two: the refusal stands, and the log says what was left."""

    def unreachable(self, prefix):
        raise StorageUnavailable("The object store cannot be reached.")

    elsewhere = msgspec.structs.replace(settings, storage_url=f"file://{tmp_path}/elsewhere")
    with api_server(elsewhere) as running, running.client(key) as client:
        monkeypatch.setattr(DirectoryStore, "remove_prefix", unreachable)
        refused(client.post(CUTOUT, json={"image_url": PNG}), "too_many_jobs", None, 429)
    (record,) = [record for record in caplog.records if record.name == "api.submit.media_intake"]
    assert "intake: objects not removed" in record.getMessage()
