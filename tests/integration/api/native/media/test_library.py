"""/media/v1: what is brought and what jobs made is found, shown, changed, published and deleted, by its owner alone."""

import io

import httpx
import msgspec
import pytest
from PIL import Image
from sqlalchemy import select

from core.ids import new_id
from core.storage.store import open_store
from jobs.job import Artifact
from jobs.previews import Preview
from jobs.schema.tables import inputs, media
from jobs.statements.media.library_work import take_media
from tests.support.service.api_server import api_server, make_key


def png(side=8, color="red"):
    file = io.BytesIO()
    Image.new("RGB", (side, side), color).save(file, "PNG")
    return file.getvalue()


PNG = png()
CUTOUT = "/generate/remove-background/v1"


def added(answer):
    assert 201 == answer.status_code, answer.text
    return answer.json()


def refused(answer, status, code, field=None):
    assert (status, code, field) == (answer.status_code, answer.json()["code"], answer.json().get("field"))
    return answer.json()["detail"]


def names(answer):
    assert 200 == answer.status_code, answer.text
    return [item["filename"] for item in answer.json()["media"]]


@pytest.fixture
def bring(client, store):
    """Bring a picture under a name; fields of the form as keyword arguments."""

    def send(name, **fields):
        return added(client.post("/media/v1", files={"file": (name, PNG, "image/png")}, data=fields))

    return send


@pytest.fixture
def made(rows, server, tenant, store, tmp_path):
    """Complete a job, with the bytes of its output in the store; the job."""

    def complete(prompt="a red circle", **fields):
        job = rows.submit(tenant, prompt=prompt, **fields)
        claimed = rows.claim(server)
        key = f"{tenant}/{job.id}/1/ab.png"
        (tmp_path / "output").write_bytes(PNG)
        store.put(key, tmp_path / "output", "image/png")
        metadata = {"width": 8, "height": 8}
        output = Artifact(key=key, media_type="image/png", bytes=len(PNG), sha256="ab", metadata=metadata)
        assert rows.complete(claimed, output) is not None
        return job

    return complete


@pytest.fixture
def speech(rows, server, tenant, store, tmp_path):
    """A completed job of speech: a recording, and the picture of its waveform."""
    job = rows.submit(tenant, prompt="good evening")
    claimed = rows.claim(server)
    files = [("a.wav", "audio/wav", {"duration_seconds": 2.0}), ("b.png", "image/png", {"width": 8, "height": 8})]
    (tmp_path / "output").write_bytes(PNG)
    artifacts = []
    for name, media_type, metadata in files:
        key = f"{tenant}/{job.id}/1/{name}"
        store.put(key, tmp_path / "output", media_type)
        artifacts.append(Artifact(key=key, media_type=media_type, bytes=len(PNG), sha256="ab", metadata=metadata))
    assert rows.complete(claimed, *artifacts) is not None
    return job


@pytest.fixture
def items(rows):
    """The ids of the items of a job, in the order of its outputs."""

    def find(job):
        of_job = select(media.c.id).where(media.c.job_id == job.id).order_by(media.c.output_number)
        return [row.id for row in rows.execute(of_job)]

    return find


def outputs(client, job):
    return [output["url"] for output in client.get(f"/jobs/v1/{job.id}").json()["outputs"]]


def follow(url):
    with httpx.Client() as plain:
        answer = plain.get(url)
        return plain.get(answer.headers["Location"]).content if 302 == answer.status_code else answer.status_code


@pytest.mark.contract("A83", "A84", "A85", "A86")
def test_a_form_brings_a_file_with_its_name_and_tags(client, bring):
    item = bring("red.png", tags="spring, sale", labels='{"shop": "eu"}', description="a red square")
    assert ("image", "ready", "red.png", "image/png") == tuple(
        item[name] for name in ("kind", "status", "filename", "media_type")
    )
    assert (["spring", "sale"], {"shop": "eu"}, "a red square") == (item["tags"], item["labels"], item["description"])
    assert PNG == follow(item["url"])
    assert item == client.get(f"/media/v1/{item['media_id']}").json()


@pytest.mark.parametrize(
    ("content", "content_type", "kind", "media_type"),
    [
        (PNG, "image/png", "image", "image/png"),
        (PNG, "application/octet-stream", "image", "image/png"),
        (b"# Care\n\nWash cold.\n", "text/markdown", "document", "text/markdown"),
        (b"%PDF-1.7\n%rest", "application/pdf", "document", "application/pdf"),
        (b"glTF\x02\0\0\0rest", "model/gltf-binary", "mesh", "model/gltf-binary"),
    ],
)
def test_a_whole_body_is_brought_too(client, store, content, content_type, kind, media_type):
    item = added(client.post("/media/v1", content=content, headers={"Content-Type": content_type}))
    assert (kind, media_type, len(content)) == (item["kind"], item["media_type"], item["bytes"])
    assert content == follow(item["url"])


def test_a_file_is_sent_to_the_link_of_its_item(client, store, tenant):
    item = added(client.post("/media/v1", json={"filename": "later.png", "kind": "image", "tags": ["new"]}))
    assert ("waiting", None, ["new"]) == (item["status"], item["url"], item["tags"])
    with httpx.Client() as plain:
        assert 204 == plain.put(item["upload"]["url"], content=PNG).status_code
    assert len(PNG) == store.size(f"{tenant}/media/{item['media_id']}/raw")


def test_a_url_is_written_down(client, rows):
    item = added(client.post("/media/v1", json={"url": "https://shop.example/films/a.mp4?x=1"}))
    assert ("waiting", "url", "a.mp4") == (item["status"], item["source"], item["filename"])
    (row,) = rows.execute(media.select())
    assert ("https://shop.example/films/a.mp4?x=1", True) == (row.url, row.look_at is not None)
    refused(client.post("/media/v1", json={"url": "http://127.0.0.1/a"}), 422, "forbidden_url", "$.url")


@pytest.mark.contract("A14", "A77", "A87")
def test_each_output_is_in_the_library(client, made):
    job = made("a red circle on blue", labels={"order": "7"})
    (item,) = client.get("/media/v1").json()["media"]
    assert (job.id, 0, "output", "a red circle on blue", 7) == tuple(
        item[name] for name in ("job_id", "output_number", "source", "prompt", "seed")
    )
    assert (8, 8, {"order": "7"}, job.model) == (item["width"], item["height"], item["labels"], item["model"])
    assert PNG == follow(item["url"])


@pytest.mark.contract("A78", "A79", "A80", "A95")
def test_an_output_brings_its_previews_along(client, rows, server, tenant, store, tmp_path):
    job = rows.submit(tenant)
    claimed, previews = rows.claim(server), []
    for name in ("thumbnail", "web"):
        (tmp_path / name).write_bytes(name.encode())
        key = f"{tenant}/{job.id}/1/{name}.webp"
        store.put(key, tmp_path / name, "image/webp")
        previews.append(Preview(name=name, key=key, media_type="image/webp", bytes=len(name), width=32, height=32))
    output = Artifact(
        key=f"{tenant}/{job.id}/1/ab.png", media_type="image/png", bytes=9, sha256="ab", previews=tuple(previews)
    )
    rows.complete(claimed, output)
    (item,) = client.get("/media/v1").json()["media"]
    assert ["thumbnail", "web"] == [preview["name"] for preview in item["previews"]]
    assert [item["thumbnail_url"], item["optimized_url"]] == [preview["url"] for preview in item["previews"]]
    assert [b"thumbnail", b"web"] == [follow(item[f"{name}_url"]) for name in ("thumbnail", "optimized")]
    assert 204 == client.delete(f"/media/v1/{item['media_id']}").status_code
    assert [] == list(store.keys(f"{tenant}/"))
    assert 404 == follow(item["thumbnail_url"])


@pytest.mark.parametrize(
    ("media_type", "side", "is_its_own"),
    [("image/webp", 1600, True), ("image/jpeg", 800, True), ("image/webp", 1601, False), ("image/png", 8, False)],
)
def test_a_small_web_picture_is_its_own_web_copy(client, rows, server, tenant, media_type, side, is_its_own):
    rows.submit(tenant)
    claimed = rows.claim(server)
    shape = {"width": side, "height": 8}
    rows.complete(claimed, Artifact(key="a/b.webp", media_type=media_type, bytes=9, sha256="ab", metadata=shape))
    (item,) = client.get("/media/v1").json()["media"]
    assert (None, [], item["url"] if is_its_own else None) == (
        item["thumbnail_url"],
        item["previews"],
        item["optimized_url"],
    )


def test_a_list_is_of_a_kind_of_tags_and_of_labels(client, bring, store):
    bring("a.png", tags="red,round", labels='{"shop": "eu"}')
    bring("b.png", tags="red")
    added(client.post("/media/v1", files={"file": ("c.md", b"# c", "text/markdown")}, data={"tags": "red"}))
    assert ["c.md", "b.png", "a.png"] == names(client.get("/media/v1", params={"tag": "red"}))
    assert ["a.png"] == names(client.get("/media/v1", params={"tag": ["red", "round"]}))
    assert ["a.png"] == names(client.get("/media/v1", params={"label": "shop:eu"}))
    assert [] == names(client.get("/media/v1", params={"label": "shop:us"}))
    assert ["c.md"] == names(client.get("/media/v1", params={"kind": "document"}))
    assert ["c.md"] == names(client.get("/media/v1", params={"limit": 1}))


@pytest.mark.contract("A81")
@pytest.mark.parametrize("sort", ["newest", "oldest", "updated"])
def test_pages_follow_each_other_in_every_order(client, bring, sort):
    items = [bring(f"{number}.png")["media_id"] for number in range(5)]
    client.patch(f"/media/v1/{items[1]}", json={"description": "changed"})
    expected = {
        "newest": ["4.png", "3.png", "2.png", "1.png", "0.png"],
        "oldest": ["0.png", "1.png", "2.png", "3.png", "4.png"],
        "updated": ["1.png", "4.png", "3.png", "2.png", "0.png"],
    }
    seen, cursor = [], None
    while True:
        params = {"limit": 2, "sort": sort} | ({"cursor": cursor} if cursor else {})
        page = client.get("/media/v1", params=params)
        seen += names(page)
        cursor = page.json()["next_cursor"]
        if cursor is None:
            break
    assert expected[sort] == seen


@pytest.mark.parametrize(
    "cursor", ["x", "bm8", "WyJuZXdlc3QiXQ", "WyJvbGRlc3QiLCIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsIm1lZCJd"]
)
def test_a_tampered_cursor_is_refused(client, cursor):
    refused(client.get("/media/v1", params={"cursor": cursor}), 422, "invalid_request", "query.cursor")
    refused(client.get("/media/v1/search", params={"q": "a", "cursor": cursor}), 422, "invalid_request", "query.cursor")


def test_words_are_searched_in_all_texts(client, bring, made, store):
    made("a velvet armchair by the sea")
    bring("chair.png", description="An oak ARMCHAIR", tags="garden set")
    found = client.get("/media/v1/search", params={"q": "armchair"}).json()["results"]
    assert 2 == len(found)
    assert all(0 < one["similarity"] <= 1 for one in found)
    by_words = {
        words: [one["media"]["source"] for one in client.get("/media/v1/search", params={"q": words}).json()["results"]]
        for words in ("velvet armchair", "garden", "chair.png", '"oak armchair"', "armchair -oak", "nothing")
    }
    assert {
        "velvet armchair": ["output"],
        "garden": ["upload"],
        "chair.png": ["upload"],
        '"oak armchair"': ["upload"],
        "armchair -oak": ["output"],
        "nothing": [],
    } == by_words


def test_a_transcript_is_searched(client, store):
    said = {"languageCode": "en", "words": [{"word": "herringbone", "startSeconds": 0}]}
    item = added(client.post("/media/v1", json={"filename": "a.mp3", "transcript": said}))
    assert said == item["transcript"]
    found = client.get("/media/v1/search", params={"q": "herringbone"}).json()["results"]
    assert [item["media_id"]] == [one["media"]["media_id"] for one in found]


def test_a_backslash_and_u0000_are_six_characters(client, store):
    said = {"description": r"\u0000 is NUL", "transcript": [r"C:\u0000"]}
    item = added(client.post("/media/v1", json={"filename": "a.mp3", **said}))
    assert said == {name: item[name] for name in said}


def test_a_search_has_pages(client, bring):
    for number in range(5):
        bring(f"{number}.png", description="oak " * (1 + number % 2))
    seen, cursor = [], None
    while True:
        params = {"q": "oak", "limit": 2} | ({"cursor": cursor} if cursor else {})
        page = client.get("/media/v1/search", params=params).json()
        seen += [(one["similarity"], one["media"]["filename"]) for one in page["results"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert ["3.png", "1.png", "4.png", "2.png", "0.png"] == [name for _, name in seen]
    assert sorted((similarity for similarity, _ in seen), reverse=True) == [similarity for similarity, _ in seen]


def test_texts_tags_and_labels_are_changed(client, bring):
    item = bring("a.png", tags="old", description="teak")
    path = f"/media/v1/{item['media_id']}"
    changed = client.patch(path, json={"tags": ["new"], "labels": {"a": "b"}, "description": None}).json()
    assert (["new"], {"a": "b"}, None, "a.png") == tuple(
        changed[name] for name in ("tags", "labels", "description", "filename")
    )
    assert [] == client.get("/media/v1/search", params={"q": "teak"}).json()["results"]
    assert 1 == len(client.get("/media/v1/search", params={"q": "new"}).json()["results"])


@pytest.mark.contract("A88")
def test_a_deleted_item_is_gone_with_its_objects(client, bring, store, tenant):
    item = bring("a.png")
    public = client.post(f"/media/v1/{item['media_id']}/publish").json()["public_url"]
    assert PNG == follow(public)
    assert 204 == client.delete(f"/media/v1/{item['media_id']}").status_code
    assert 404 == follow(public)
    assert 404 == follow(item["url"])
    assert [] == list(store.keys(f"{tenant}/media/"))
    refused(client.get(f"/media/v1/{item['media_id']}"), 404, "unknown_media")
    refused(client.delete(f"/media/v1/{item['media_id']}"), 404, "unknown_media")


def test_the_item_of_an_output_goes_with_its_file(client, made, store, tenant):
    job = made()
    (item,) = client.get("/media/v1").json()["media"]
    url = client.get(f"/jobs/v1/{job.id}").json()["result_url"]
    assert PNG == follow(url)
    assert 204 == client.delete(f"/media/v1/{item['media_id']}").status_code
    assert [] == list(store.keys(f"{tenant}/{job.id}/"))
    assert 410 == follow(url)


def test_a_waveform_is_an_output_and_in_no_list(client, speech, items, all_models):
    sound, waveform = items(speech)
    assert [sound] == [item["media_id"] for item in client.get("/media/v1").json()["media"]]
    assert [] == client.get("/media/v1", params={"kind": "image"}).json()["media"]
    found = client.get("/media/v1/search", params={"q": "evening"}).json()["results"]
    assert [sound] == [one["media"]["media_id"] for one in found]
    assert [PNG, PNG] == [follow(url) for url in outputs(client, speech)]
    assert 202 == client.post(CUTOUT, json={"input_image": f"output:{speech.id}/1"}).status_code
    assert client.get(f"/media/v1/{waveform}").json()["archived_at"]


def test_a_waveform_goes_with_its_recording(client, rows, speech, items):
    sound, waveform = items(speech)
    urls = outputs(client, speech)
    assert 204 == client.delete(f"/media/v1/{sound}").status_code
    refused(client.get(f"/media/v1/{waveform}"), 404, "unknown_media")
    assert [410, 410] == [follow(url) for url in urls]
    (taken,) = rows.execute(take_media(limit=5, lease_seconds=60))
    assert waveform == taken.id


def test_a_waveform_is_deleted_alone(client, speech, items):
    sound, waveform = items(speech)
    urls = outputs(client, speech)
    assert 204 == client.delete(f"/media/v1/{waveform}").status_code
    assert 200 == client.get(f"/media/v1/{sound}").status_code
    assert [PNG, 410] == [follow(url) for url in urls]


def test_a_deleted_job_takes_its_items_along(client, made):
    job = made()
    assert 204 == client.delete(f"/jobs/v1/{job.id}").status_code
    assert [] == client.get("/media/v1").json()["media"]


def test_a_public_link_ends_when_it_is_taken_back(client, bring):
    path = f"/media/v1/{bring('a.png')['media_id']}"
    public = client.post(f"{path}/publish").json()["public_url"]
    assert public == client.post(f"{path}/publish").json()["public_url"]
    assert client.post(f"{path}/unpublish").json()["public_url"] is None
    assert 404 == follow(public)
    assert public != client.post(f"{path}/publish").json()["public_url"]


def test_a_long_transcript_is_read_whole(client, store):
    transcript = [f"word{number}" for number in range(12_000)]
    item = added(client.post("/media/v1", json={"filename": "a.wav", "transcript": transcript}))
    assert transcript == item["transcript"]
    (found,) = client.get("/media/v1/search", params={"q": "word11999"}).json()["results"]
    assert item["media_id"] == found["media"]["media_id"]


def test_the_page_of_an_item_has_no_link_that_outlives_it(client, rows, bring, store, tenant, tmp_path):
    item = bring("a.png")
    (tmp_path / "poster").write_bytes(b"poster")
    preview = Preview(name="poster", key=f"{tenant}/media/p.webp", media_type="image/webp", bytes=6, width=8, height=8)
    store.put(preview.key, tmp_path / "poster", "image/webp")
    values = {"kind": "video", "previews": [msgspec.to_builtins(preview)]}
    rows.execute(media.update().where(media.c.id == item["media_id"]).values(values))
    public = client.post(f"/media/v1/{item['media_id']}/publish").json()["public_url"]
    page = httpx.get(f"{public}/view")
    assert f'poster="{httpx.URL(public).path}/previews/poster"' in page.text
    assert "signature" not in page.text
    assert b"poster" == follow(f"{public}/previews/poster")
    assert 404 == follow(f"{public}/previews/web")
    client.post(f"/media/v1/{item['media_id']}/unpublish")
    assert [404, 404] == [follow(f"{public}/previews/poster"), httpx.get(f"{public}/view").status_code]


def test_what_is_not_there_is_not_published(client):
    item = added(client.post("/media/v1", json={"filename": "a.png"}))
    refused(client.post(f"/media/v1/{item['media_id']}/publish"), 409, "media_not_ready")


def test_an_archived_item_leaves_the_lists(client, bring):
    item = bring("a.png")
    assert client.post(f"/media/v1/{item['media_id']}/archive").json()["archived_at"]
    assert [] == names(client.get("/media/v1"))
    assert 200 == client.get(f"/media/v1/{item['media_id']}").status_code


@pytest.mark.contract("A89", "A90", "A91", "A92", "A93", "A94")
def test_items_are_linked_to_a_product(client, bring, stranger):
    first, second = (bring(name)["media_id"] for name in ("a.png", "b.png"))
    linked = client.post(f"/media/v1/{first}/link", json={"product_id": "p1", "variant_id": "v1", "position": 3})
    assert [{"product_id": "p1", "variant_id": "v1", "position": 3}] == linked.json()["links"]
    both = {"product_id": "p2", "media": [{"media_id": second, "position": 1}, {"media_id": first, "position": 2}]}
    assert {"media_ids": [second, first]} == client.post("/media/v1/link", json=both).json()
    assert ["b.png", "a.png"] == names(client.get("/media/v1", params={"product_id": "p2"}))
    assert ["a.png"] == names(client.get("/media/v1", params={"product_id": "p1", "variant_id": "v1"}))
    left = client.delete(f"/media/v1/{first}/link", params={"product_id": "p1", "variant_id": "v1"}).json()["links"]
    assert [{"product_id": "p2", "variant_id": None, "position": 2}] == left
    assert [] == names(stranger.get("/media/v1", params={"product_id": "p2"}))


def test_an_item_is_linked_to_a_variant_alone(client, bring):
    item, other = (bring(name)["media_id"] for name in ("a.png", "b.png"))
    alone = {"product_id": None, "variant_id": "v1", "position": 0}
    assert [alone] == client.post(f"/media/v1/{item}/link", json={"variant_id": "v1"}).json()["links"]
    client.post(f"/media/v1/{other}/link", json={"product_id": "p1", "variant_id": "v1"})
    assert ["b.png", "a.png"] == names(client.get("/media/v1", params={"variant_id": "v1"}))
    assert ["b.png"] == names(client.get("/media/v1", params={"variant_id": "v1", "product_id": "p1"}))
    assert [] == names(client.get("/media/v1", params={"variant_id": "v2"}))
    assert [] == client.delete(f"/media/v1/{item}/link", params={"variant_id": "v1"}).json()["links"]
    assert ["b.png"] == names(client.get("/media/v1", params={"variant_id": "v1"}))


def test_a_link_names_a_product_or_a_variant(client, bring):
    item = bring("a.png")["media_id"]
    path = f"/media/v1/{item}/link"
    refused(client.delete(path, params={"product_id": "a\0"}), 422, "nul_in_text")
    many = {"media": [{"media_id": item}]}
    for answer in (client.delete(path), client.post(path, json={}), client.post("/media/v1/link", json=many)):
        refused(answer, 422, "missing_field", "$.product_id")


def test_a_foreign_item_is_linked_with_none(client, bring, stranger):
    own, foreign = bring("a.png")["media_id"], added(stranger.post("/media/v1", json={}))["media_id"]
    both = {"product_id": "p", "media": [{"media_id": own}, {"media_id": foreign}]}
    assert foreign in refused(client.post("/media/v1/link", json=both), 404, "unknown_media")
    refused(client.post(f"/media/v1/{foreign}/link", json={"product_id": "p"}), 404, "unknown_media")
    assert [] == names(client.get("/media/v1", params={"product_id": "p"}))


@pytest.mark.parametrize("call", ["get", "patch", "delete", "publish", "unpublish", "archive", "link"])
def test_a_foreign_item_answers_as_an_unknown_one(client, stranger, bring, call):
    own, unknown = bring("a.png")["media_id"], new_id("med")

    def ask(media_id):
        path = f"/media/v1/{media_id}"
        if call in ("get", "delete"):
            answer = stranger.request(call, path)
        elif call == "patch":
            answer = stranger.patch(path, json={"tags": []})
        else:
            answer = stranger.post(f"{path}/{call}", json={"product_id": "p"} if call == "link" else None)
        return answer.status_code, answer.json()["detail"].replace(media_id, "")

    assert ask(own) == ask(unknown)
    assert 404 == ask(own)[0]
    assert ["a.png"] == names(client.get("/media/v1"))


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"files": {"file": ("a.png", PNG, "image/jpeg")}}, "media_type_mismatch"),
        ({"files": {"file": ("a.png", b"plain words", "image/png")}}, "media_type_mismatch"),
        ({"files": {"file": ("a.png", PNG)}, "data": {"kind": "audio"}}, "media_type_mismatch"),
        ({"content": PNG, "headers": {"Content-Type": "audio/mpeg"}}, "media_type_mismatch"),
        ({"files": {"file": ("a.html", b"<!DOCTYPE html><script>", "text/html")}}, "unsupported_media"),
        ({"files": {"file": ("a.bin", bytes(range(256)))}}, "unsupported_media"),
        ({"files": {"file": ("a.png", b"", "image/png")}}, "input_unreadable"),
        ({"files": {"file": ("a.png", PNG)}, "data": {"shade": "red"}}, "unknown_field"),
        ({"files": {"file": ("a.png", PNG)}, "data": {"labels": "{"}}, "wrong_type"),
        ({"files": {"picture": ("a.png", PNG)}}, "unknown_field"),
        ({"json": {"tags": ["x"] * 51}}, "out_of_range"),
        ({"json": {"tags": ["x" * 65]}}, "out_of_range"),
        ({"json": {"labels": {str(number): "" for number in range(17)}}}, "out_of_range"),
        ({"json": {"labels": {"a b": "c"}}}, "out_of_range"),
        ({"json": {"labels": {"a": "c" * 257}}}, "out_of_range"),
        ({"json": {"labels": {"a": 1}}}, "wrong_type"),
        ({"json": {"description": "a\0b"}}, "nul_in_text"),
        ({"json": {"transcript": [{"word": "a\\\0"}]}}, "nul_in_text"),
        ({"json": {"kind": "sculpture"}}, "out_of_range"),
        ({"json": {"shade": "red"}}, "unknown_field"),
        (
            {"content": b"--x\r\nContent-Disposition: form-data", "headers": {"Content-Type": "application/json"}},
            "invalid_json",
        ),
    ],
)
def test_bad_input_has_a_stable_code_and_leaves_nothing(client, store, tenant, rows, sent, code):
    answer = client.post("/media/v1", **sent)
    assert (code, "application/problem+json") == (answer.json()["code"], answer.headers["Content-Type"]), answer.text
    assert [] == list(store.keys(f"{tenant}/media/"))
    assert [] == rows.execute(media.select())


def test_items_and_outputs_are_inputs_of_jobs(client, bring, made, rows, tenant, all_models, stranger):
    item, job = bring("a.png"), made()
    keys = {item["media_id"]: f"{tenant}/media/{item['media_id']}/{item['sha256']}.png"}
    keys[f"output:{job.id}/0"] = f"{tenant}/{job.id}/1/ab.png"
    for source, key in keys.items():
        answer = client.post(CUTOUT, json={"input_image": source})
        assert 202 == answer.status_code, answer.text
        wanted = inputs.select().where(inputs.c.job_id == answer.json()["job_id"])
        assert [key] == [row.source_key for row in rows.execute(wanted)]
        refused(stranger.post(CUTOUT, json={"input_image": source}), 422, "unknown_input", "$.input_image")
    for source in (f"output:{job.id}/1", "output:x", new_id("med"), f"output:{job.id}/99999999999999999999"):
        refused(client.post(CUTOUT, json={"input_image": source}), 422, "unknown_input", "$.input_image")


@pytest.mark.long
def test_a_full_library_takes_no_more(settings, store, rows, tenant):
    limits = {"library_items": 3, "library_file_bytes": 1000, "library_bytes": 1500}
    with (
        api_server(msgspec.structs.replace(settings, **limits)) as small,
        small.client(make_key(rows, settings, tenant)) as client,
    ):
        added(client.post("/media/v1", content=PNG))
        added(client.post("/media/v1", json={}))  # it counts as much as a file may have
        for more in ({}, {"url": "https://example.com/a.png"}, {"bytes": 700}):
            refused(client.post("/media/v1", json=more), 422, "library_full")
        announced = added(client.post("/media/v1", json={"bytes": 400}))
        assert (400, 400) == (announced["bytes"], announced["upload"]["max_bytes"])
        refused(client.post("/media/v1", content=PNG), 422, "library_full")
        refused(client.post("/media/v1", json={"bytes": 1}), 422, "library_full")
        refused(client.post("/media/v1", json={"bytes": 1001}), 422, "input_too_large", "$.bytes")
        refused(client.post("/media/v1", json={"bytes": 0}), 422, "out_of_range", "$.bytes")
        refused(client.post("/media/v1", content=PNG + bytes(1000)), 413, "body_too_large")
    assert 1 == len(list(open_store(settings).keys(f"{tenant}/media/")))
