"""WhaleTools' routes on an API whose worker the test plays: deadlines, batches, refusals, voices, keys."""

import base64
from concurrent.futures import ThreadPoolExecutor

import msgspec
import pytest
from sqlalchemy import update

from jobs.events import Publisher
from jobs.job import JobError
from jobs.schema.tables import tenants
from jobs.statements.queue.tenant_jobs import listing
from tests.support.rows.rows import ARTIFACT
from tests.support.rows.worker_stub import WorkerStub
from tests.support.service.api_server import api_server

IMAGE, VOICE, CUTOUT = "/whaletools/v1/generate/image", "/v1/generate/voice", "/v1/generate/remove-background"
PHOTOS = ["https://shop.example/1.jpg", "https://shop.example/2.jpg"]


@pytest.fixture(scope="module")
def running(settings):
    with api_server(msgspec.structs.replace(settings, sync_seconds=0.5)) as server:
        yield server


def paint(client, key=None, **fields):
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(IMAGE, json={"prompt": "a red circle"} | fields, headers=headers)


def jobs_of(rows, tenant):
    with rows.engine.connect() as connection:
        return connection.execute(listing(tenant, limit=100)).all()


def test_what_takes_long_is_answered_with_where_to_look(client, server, worker):
    answer = paint(client, model="dall-e-3")
    assert (202, "chaos") == (answer.status_code, answer.headers["x-atelier-model"])
    waiting = answer.json()
    assert {"status": "processing", "model": "dall-e-3"}.items() <= waiting.items()
    assert f"/v1/generate/image/{waiting['id']}" == waiting["poll_url"]
    assert waiting == client.get(waiting["poll_url"]).json()
    worker.complete(worker.claim(), ARTIFACT)
    done = client.get(f"/whaletools{waiting['poll_url']}").json()
    assert ("completed", "dall-e-3", waiting["id"]) == (done["status"], done["model"], done["id"])


def test_a_failed_one_is_shown_as_failed(client, server, worker):
    waiting = paint(client).json()
    worker.fail(worker.claim(), JobError("pipeline_failed", "The model failed."))
    shown = client.get(waiting["poll_url"])
    assert (200, "failed", "The model failed.") == (shown.status_code, shown.json()["status"], shown.json()["message"])
    assert "pipeline_failed" == shown.json()["error"]["code"]


def test_a_repeated_key_is_answered_with_the_same_one(client, server):
    first, second = paint(client, key="k").json(), paint(client, key="k").json()
    assert first["id"] == second["id"]
    changed = paint(client, key="k", prompt="another")
    assert (422, "idempotency_key_reused") == (changed.status_code, changed.json()["error"]["code"])


def test_the_batch_is_accepted_whole_or_not_at_all(client, all_models, rows, tenant):
    waiting = client.post(CUTOUT, json={"image_urls": PHOTOS}, headers={"Idempotency-Key": "b"}).json()
    assert [{"status": "processing", "url": None, "transparent": False}] * 2 == [
        {name: item[name] for name in ("status", "url", "transparent")} for item in waiting
    ]
    again = client.post(CUTOUT, json={"image_urls": PHOTOS}, headers={"Idempotency-Key": "b"}).json()
    assert [item["id"] for item in waiting] == [item["id"] for item in again]
    refused = client.post(CUTOUT, json={"image_urls": [PHOTOS[0], "ftp://shop.example/2.jpg"]})
    assert (422, "image_url") == (refused.status_code, refused.json()["error"]["param"])
    assert ["cancelled", "pending", "pending"] == sorted(row.status for row in jobs_of(rows, tenant))


def test_hair_and_glass_are_asked_for(client, all_models, rows, tenant):
    assert 202 == client.post(CUTOUT, json={"image_url": PHOTOS[0], "semitransparency": True}).status_code
    (job,) = jobs_of(rows, tenant)
    assert job.params["semitransparency"] is True


def test_a_batch_that_was_refused_halfway_can_be_repeated(client, all_models, rows, tenant):
    statuses = []
    for cap in (1, 5):
        rows.execute(update(tenants).where(tenants.c.id == tenant).values(max_waiting_jobs=cap))
        answer = client.post(CUTOUT, json={"image_urls": PHOTOS}, headers={"Idempotency-Key": "b"})
        statuses.append(answer.status_code)
    assert [429, 200] == statuses
    assert ["processing"] * 2 == [item["status"] for item in answer.json()]
    assert ["cancelled", "pending", "pending"] == sorted(row.status for row in jobs_of(rows, tenant))


def test_names_of_models_and_ids_of_others(client, stranger, all_models):
    mine = paint(client).json()
    assert 404 == stranger.get(mine["poll_url"]).status_code
    assert 404 == client.get(mine["poll_url"].replace("gen_img", "gen_vid")).status_code
    assert "chaos-two" == paint(client, model="chaos-two").headers["x-atelier-model"]
    speech = client.post(VOICE, json={"text": "Good morning.", "voice_id": "alloy", "model": "tts-1"})
    assert (202, "chaos-speech", "tts-1") == (
        speech.status_code,
        speech.headers["x-atelier-model"],
        speech.json()["model"],
    )


@pytest.mark.parametrize(
    ("path", "body", "code", "param"),
    [
        (IMAGE, {}, "missing_field", "prompt"),
        (IMAGE, {"prompt": 3}, "wrong_type", "prompt"),
        (IMAGE, {"prompt": "a", "size": "big"}, "out_of_range", "size"),
        (IMAGE, {"prompt": "a", "aspect_ratio": "16/9"}, "out_of_range", "aspect_ratio"),
        (IMAGE, {"prompt": "a", "quality": "best"}, "out_of_range", "quality"),
        (IMAGE, {"prompt": "a", "n": 4}, "unknown_field", "n"),
        (IMAGE, {"prompt": "a", "model": "dall-e-9"}, "unknown_model", "model"),
        (IMAGE, {"prompt": "a", "model": "veo-3"}, "unknown_model", "model"),
        (IMAGE, {"prompt": "a", "webhook_url": "ftp://a.example"}, "invalid_request", "webhook_url"),
        ("/v1/generate/video", {"prompt": "a", "duration": 60}, "out_of_range", "duration"),
        ("/v1/generate/video", {"prompt": "a", "resolution": "hd"}, "out_of_range", "resolution"),
        ("/v1/generate/video", {"prompt": "a", "model": "chaos-video"}, "missing_field", "image_url"),
        (VOICE, {"text": "Hello.", "voice_id": "voice_unheard"}, "unknown_input", "voice_id"),
        (VOICE, {"text": "Hello.", "output_format": "flac"}, "out_of_range", "output_format"),
        (VOICE, {"text": "..."}, "out_of_range", "text"),
        (CUTOUT, {}, "missing_field", "image_url"),
        (CUTOUT, {"image_url": PHOTOS[0], "image_urls": PHOTOS}, "invalid_request", "image_urls"),
        (CUTOUT, {"image_urls": PHOTOS * 26}, "out_of_range", "image_urls"),
        ("/v1/voices", {"name": "Anna", "audio_url": "https://a.example/b.wav"}, "invalid_request", "audio_url"),
        ("/v1/voices", {"name": "Anna", "audio_url": "data:audio/wav;base64,AAAA"}, "unsupported_media", "audio_url"),
    ],
)
def test_a_refusal_is_in_the_dialects_form(client, all_models, path, body, code, param):
    answer = client.post(path, json=body)
    error = answer.json()["error"]
    assert (422, "invalid_request_error", code, param) == (
        answer.status_code,
        error["type"],
        error["code"],
        error["param"],
    )
    assert {"error", "message"} == set(answer.json())
    assert error["message"] == answer.json()["message"]


def test_refusals_before_a_route_are_in_the_dialects_form(api, client, server):
    with api.client() as anonymous:
        refused = paint(anonymous)
    assert (401, "authentication_error") == (refused.status_code, refused.json()["error"]["type"])
    assert "Bearer" == refused.headers["www-authenticate"]
    for path in ("/whaletools/v1/none", "/v1/generate/none", f"/v1/generate/image/gen_img_{'0' * 32}"):
        assert (404, "not_found_error") == (client.get(path).status_code, client.get(path).json()["error"]["type"])
    assert 405 == client.put(IMAGE).status_code
    assert "invalid_json" == client.post(IMAGE, content="{").json()["error"]["code"]
    text = client.post("/v1/generate/text", json={})
    assert (422, "missing_field") == (text.status_code, text.json()["error"]["code"])
    assert "/problems/not_found" == client.get("/v1/none").json()["type"]


def test_x_api_key_wins_over_a_foreign_bearer(api, key, server):
    with api.client() as client:
        headers = {"x-api-key": key, "Authorization": "Bearer eyJhbGciOiJIUzI1NiJ9.e30.session"}
        assert 202 == client.post(IMAGE, json={"prompt": "a"}, headers=headers).status_code
        headers["x-api-key"] = "wk_live_none"
        assert 401 == client.post(IMAGE, json={"prompt": "a"}, headers=headers).status_code


@pytest.fixture
def items(client, store):
    """Three documents, the oldest first."""
    bodies = [
        {"file": base64.b64encode(b"%PDF-1.7 " + bytes([49 + n])).decode(), "filename": f"{n}.pdf"} for n in range(3)
    ]
    made = [client.post("/v1/media", json=body) for body in bodies]
    assert [201] * 3 == [answer.status_code for answer in made], made[0].text
    return [answer.json()["id"] for answer in made]


@pytest.mark.matrix
@pytest.mark.parametrize(("size", "status"), [(300_000, 201), (30_000_000, 413)])
def test_a_file_of_more_than_one_piece_is_stored_whole(client, store, size, status):
    content = base64.b64encode(b"%PDF-1.7 " + bytes(size)).decode()
    answer = client.post("/v1/media", json={"file": content, "filename": "a.pdf"})
    assert status == answer.status_code, answer.text
    assert answer.json().get("size_bytes") == (size + 9 if status == 201 else None)


def test_json_without_a_length_has_the_same_limit(client, store, api):
    pieces = 1 + api.settings.media_body_limit // 1_000_000
    body = (b'{"filename": "a.pdf", "file": "', *[b"A" * 1_000_000] * pieces, b'"}')
    answer = client.post("/v1/media", content=iter(body), headers={"content-type": "application/json"})
    assert (413, "body_too_large") == (answer.status_code, answer.json()["error"]["code"])


def listed(client, **query):
    page = client.get("/v1/media", params=query).json()
    return [item["id"] for item in page["data"]], page["has_more"]


def test_pages_go_both_ways(client, items):
    first, second, third = items
    assert ([third, second], True) == listed(client, limit=2)
    assert ([first], False) == listed(client, limit=2, starting_after=second)
    assert ([third, second], False) == listed(client, ending_before=first)
    assert ([second], True) == listed(client, limit=1, ending_before=first)
    assert ([first, second], True) == listed(client, limit=2, sort="created_at:asc")
    assert ([first], False) == listed(client, sort="created_at:asc", ending_before=second)
    assert ([third, second, first], False) == listed(client, type="document")
    assert ([], False) == listed(client, type="image")


def test_links_are_made_all_or_none(client, items):
    links = [{"media_id": one, "product_id": "p", "position": place} for place, one in enumerate(items)]
    refused = client.post("/v1/media/link", json={"links": [*links, {"media_id": "med_0", "product_id": "p"}]})
    assert (404, "unknown_media") == (refused.status_code, refused.json()["error"]["code"])
    assert [] == client.get(f"/v1/media/{items[0]}").json()["links"]
    made = client.post("/v1/media/link", json={"links": links}).json()
    assert [0, 1, 2] == [link["position"] for link in made]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/media", {}, "missing_field"),
        ("/v1/media", {"file": "%"}, "input_unreadable"),
        ("/v1/media", {"file": "AAAA", "filename": "a.png"}, "unsupported_media"),
        (
            "/v1/media",
            {"file": base64.b64encode(b"%PDF-1.7").decode(), "content_type": "image/png"},
            "media_type_mismatch",
        ),
        ("/v1/media", {"url": "ftp://a.example/b"}, "invalid_request"),
        ("/v1/media", {"file": "AAAA", "tags": ["a" * 65]}, "out_of_range"),
        ("/v1/media/link", {"links": []}, "out_of_range"),
        ("/v1/media/link", {"links": [{"product_id": "p"}]}, "missing_field"),
    ],
)
def test_a_refusal_of_the_library_is_in_the_dialects_form(client, store, path, body, code):
    answer = client.post(path, json=body)
    assert (422, code) == (answer.status_code, answer.json()["error"]["code"]), answer.text


@pytest.mark.parametrize(
    "query", ["type=film", "sort=size", "limit=0", "limit=101", "ending_before=a&starting_after=b"]
)
def test_a_query_that_makes_no_sense_is_refused(client, query):
    answer = client.get(f"/v1/media?{query}")
    assert (422, "invalid_request_error") == (answer.status_code, answer.json()["error"]["type"])


def test_media_of_others_are_unknown(client, stranger, items, tenant):
    for path in (f"/v1/media/{items[0]}", f"/whaletools/v1/stores/{tenant}/media/{items[0]}"):
        assert 200 == client.get(path).status_code
        refused = stranger.get(path)
        expected = (403, "store_mismatch") if "stores" in path else (404, "unknown_media")
        assert expected == (refused.status_code, refused.json()["error"]["code"])
    assert 404 == stranger.get(f"/v1/media?starting_after={items[0]}").status_code
    assert 404 == stranger.post(f"/v1/media/{items[0]}/link", json={"product_id": "p"}).status_code
    assert 404 == stranger.delete(f"/v1/media/{items[0]}").status_code


def test_the_sample_of_a_voice_is_made_once(api, client, all_models, rows, settings):
    worker = WorkerStub(rows, all_models, Publisher(settings))
    (voice,) = client.get("/v1/voices").json()
    assert {"id": "voice_chaos-speech", "name": "Chaos"}.items() <= voice.items()
    assert {voice["preview_url"]} == {one["preview_url"] for one in client.get("/voices/v1").json()["voices"]}
    with api.client() as anonymous, ThreadPoolExecutor(2) as threads:
        early = anonymous.get(voice["preview_url"])
        assert (503, "sample_unavailable") == (early.status_code, early.json()["code"])
        asked = [threads.submit(anonymous.get, voice["preview_url"], follow_redirects=False) for _ in range(2)]
        worker.complete(worker.claim(), ARTIFACT)
        found = {future.result(30).headers.get("location") for future in asked}
        assert "/o/job_" in anonymous.get(voice["preview_url"], follow_redirects=False).headers["location"]
    assert found <= {None, anonymous_location(api, voice["preview_url"])}


def anonymous_location(api, url):
    with api.client() as client:
        return client.get(url, follow_redirects=False).headers["location"]


def test_a_store_of_another_is_refused(client, server, tenant):
    other = client.get("/whaletools/v1/stores/another/media")
    assert (403, "store_mismatch") == (other.status_code, other.json()["error"]["code"])
    assert 200 == client.get(f"/whaletools/v1/stores/{tenant}/media").status_code
