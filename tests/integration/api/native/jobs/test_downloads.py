"""From result_url to the bytes, whole and in part; nothing without a signature."""

import hashlib
import time
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from jobs.job import Artifact
from jobs.previews import Preview
from jobs.statements.maintenance.retention import forget_outputs
from tests.support.rows.rows import ARTIFACT

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def completed(client, create, worker, store, tmp_path):
    """A way to complete a job whose output is `CONTENT`; the stable link of that."""

    def complete(**metadata):
        job_id = create()
        job = worker.claim()
        source = tmp_path / "picture"
        source.write_bytes(CONTENT)
        key = f"{job.tenant}/{job.id}/{job.fence}/{SHA256}.webp"
        store.put(key, source, "image/webp")
        output = Artifact(key=key, media_type="image/webp", bytes=len(CONTENT), sha256=SHA256, metadata=metadata)
        worker.complete(job, output)
        return client.get(f"/jobs/v1/{job_id}").json()["result_url"]

    return complete


@pytest.fixture
def result_url(completed):
    """The stable link of an output whose name no caller chose."""
    return completed()


@pytest.fixture
def anybody(api):
    with api.client() as client:
        yield client


@pytest.fixture
def link(anybody, result_url):
    """The link of the object store behind it."""
    return anybody.get(result_url).headers["Location"]


@pytest.mark.contract("C9")
def test_a_result_url_leads_to_the_bytes_without_a_key(anybody, result_url):
    first = anybody.get(result_url)
    assert (302, "no-store", b"") == (first.status_code, first.headers["Cache-Control"], first.content)
    answer = anybody.get(first.headers["Location"])
    assert (200, CONTENT) == (answer.status_code, answer.content)
    assert "image/webp" == answer.headers["Content-Type"]
    assert str(len(CONTENT)) == answer.headers["Content-Length"]
    assert "nosniff" == answer.headers["X-Content-Type-Options"]
    job_id = urlsplit(result_url).path.split("/")[2]
    assert f'inline; filename="{job_id}-0.webp"' == answer.headers["Content-Disposition"]
    assert (f'"{SHA256}"', "bytes") == (answer.headers["ETag"], answer.headers["Accept-Ranges"])


def test_an_output_is_saved_under_the_name_of_its_caller(anybody, completed):
    answer = anybody.get(anybody.get(completed(name="Stühle.webp")).headers["Location"])
    assert (
        "inline; filename=\"St_hle.webp\"; filename*=UTF-8''St%C3%BChle.webp" == answer.headers["Content-Disposition"]
    )


@pytest.fixture
def shown(client, create, worker, store, tmp_path):
    """The output of a completed job, as the status shows it; it has a thumbnail and a web copy."""
    job_id = create()
    job = worker.claim()
    previews = []
    for name, extension, media_type in (("thumbnail", "webp", "image/webp"), ("web", "mp4", "video/mp4")):
        source = tmp_path / name
        source.write_bytes(name.encode())
        key = f"{job.tenant}/{job.id}/{job.fence}/{hashlib.sha256(name.encode()).hexdigest()}.{extension}"
        store.put(key, source, media_type)
        previews.append(Preview(name=name, key=key, media_type=media_type, bytes=len(name), width=32, height=18))
    key = f"{job.tenant}/{job.id}/{job.fence}/{SHA256}.mp4"
    worker.complete(
        job, Artifact(key=key, media_type="video/mp4", bytes=9, sha256=SHA256, previews=tuple(previews), metadata={})
    )
    (output,) = client.get(f"/jobs/v1/{job_id}").json()["outputs"]
    return output


def test_a_preview_has_a_link_as_its_output_has(anybody, shown):
    small, web = shown["previews"]
    assert ("thumbnail", "image/webp", 9, 32, 18) == tuple(
        small[name] for name in ("name", "media_type", "bytes", "width", "height")
    )
    assert small["url"] == shown["thumbnail_url"]
    assert ["0.mp4", "0-thumbnail.webp", "0-web.mp4"] == [
        urlsplit(answer["url"]).path.rpartition("/")[2] for answer in (shown, small, web)
    ]
    for answer in (small, web):
        found = anybody.get(anybody.get(answer["url"]).headers["Location"])
        assert (200, answer["name"].encode()) == (found.status_code, found.content)
        assert answer["media_type"] == found.headers["Content-Type"]
        assert answer["url"].split("?")[0].rpartition("/")[2] in found.headers["Content-Disposition"]


def test_a_preview_has_its_own_signature_and_its_outputs_end(anybody, shown, rows):
    url = shown["thumbnail_url"]
    assert 403 == anybody.get(url.replace("thumbnail", "web")).status_code
    rows.execute(forget_outputs(0.0))
    answer = anybody.get(url)
    assert (410, "output_expired") == (answer.status_code, answer.json()["code"])


def test_an_output_of_before_has_no_previews(client, result_url):
    job_id = urlsplit(result_url).path.split("/")[2]
    (output,) = client.get(f"/jobs/v1/{job_id}").json()["outputs"]
    assert (None, []) == (output["thumbnail_url"], output["previews"])


def test_an_output_whose_retention_is_over_is_gone(client, anybody, result_url, rows):
    job_id = urlsplit(result_url).path.split("/")[2]
    rows.execute(forget_outputs(0.0))
    answer, status = anybody.get(result_url), client.get(f"/jobs/v1/{job_id}").json()
    assert (410, "output_expired") == (answer.status_code, answer.json()["code"])
    assert ("completed", None, []) == (status["status"], status["result_url"], status["outputs"])
    assert status["outputs_removed_at"] is not None


def test_head_tells_the_same_without_the_bytes(anybody, result_url, link):
    assert 302 == anybody.head(result_url).status_code
    whole, head = anybody.get(link), anybody.head(link)
    assert (200, b"") == (head.status_code, head.content)
    passing = {"date", "x-request-id", "transfer-encoding"}
    assert {n: v for n, v in whole.headers.items() if n not in passing} == {
        n: v for n, v in head.headers.items() if n not in passing
    }


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=1000-300000", 1000, 300_000),
        ("bytes=-5", 1_023_995, 1_023_999),
        ("bytes=1023990-", 1_023_990, 1_023_999),
        ("bytes=0-", 0, 1_023_999),  # what a browser asks of a film, to learn whether it can seek
    ],
)
def test_a_part(anybody, link, asked, first, last):
    answer = anybody.get(link, headers={"Range": asked})
    assert (206, CONTENT[first : last + 1]) == (answer.status_code, answer.content)
    assert f"bytes {first}-{last}/{len(CONTENT)}" == answer.headers["Content-Range"]
    assert str(last + 1 - first) == answer.headers["Content-Length"]


def test_a_part_beyond_the_end(anybody, link):
    answer = anybody.get(link, headers={"Range": f"bytes={len(CONTENT)}-"})
    assert (416, "range_not_satisfiable") == (answer.status_code, answer.json()["code"])
    assert f"bytes */{len(CONTENT)}" == answer.headers["Content-Range"]


def test_a_part_of_another_version_is_answered_whole(anybody, link):
    stale = anybody.get(link, headers={"Range": "bytes=0-1", "If-Range": '"old"'})
    assert (200, len(CONTENT)) == (stale.status_code, len(stale.content))
    fresh = anybody.get(link, headers={"Range": "bytes=0-1", "If-Range": f'"{SHA256}"'})
    assert 206 == fresh.status_code


@pytest.mark.parametrize("tags", [f'"x", "{SHA256}"', f'W/"{SHA256}"', "*"])
def test_what_the_client_already_has(anybody, link, tags):
    """Tags that a proxy made weak, when it compressed on its way, are the same."""
    answer = anybody.get(link, headers={"If-None-Match": tags})
    assert (304, b"") == (answer.status_code, answer.content)


def test_what_the_client_has_of_another_version(anybody, link):
    assert 200 == anybody.get(link, headers={"If-None-Match": '"x", W/"y"'}).status_code


def test_a_range_without_end_is_answered_whole(anybody, link):
    answer = anybody.get(link, headers={"Range": "bytes=0-" + "9" * 5000})
    assert (200, len(CONTENT)) == (answer.status_code, len(answer.content))


def changed(url, **query):
    parts = urlsplit(url)
    fields = {name: values[0] for name, values in parse_qs(parts.query).items()} | query
    return parts._replace(query=urlencode({n: v for n, v in fields.items() if v is not None})).geturl()


@pytest.mark.parametrize("signature", [None, "", "x", "é"])
def test_a_result_url_needs_its_signature(anybody, result_url, signature):
    answer = anybody.get(changed(result_url, signature=signature))
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])


def test_a_signature_is_for_one_output_only(anybody, result_url):
    answer = anybody.get(result_url.replace("/0.webp", "/1.webp"))
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])


@pytest.mark.parametrize(
    "change",
    [{"signature": None}, {"signature": "x"}, {"type": "text/html"}, {"expires": "0"}, {"expires": "99999999999"}],
)
def test_a_link_of_the_store_can_not_be_changed(anybody, link, change):
    answer = anybody.get(changed(link, **change))
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])


def test_a_link_of_the_store_expires(anybody, store, result_url):
    key = next(store.keys())
    answer = anybody.get(store.link(key, seconds=-1, media_type="image/webp"))
    assert (403, "bad_signature") == (answer.status_code, answer.json()["code"])
    assert "expired" in answer.json()["detail"]


def test_a_link_leads_nowhere_else(anybody, api, link):
    path = urlsplit(link).path
    for other in (
        "/files/../etc/passwd",
        "/files/%2e%2e/%2e%2e/etc/passwd",
        "/files//etc/passwd",
        "/files/",
        path + "x",
    ):
        answer = anybody.get(other + "?" + urlsplit(link).query)
        assert answer.status_code in (403, 404), other


def test_an_output_that_is_gone(anybody, client, result_url, link):
    job_id = urlsplit(result_url).path.split("/")[2]
    client.delete(f"/jobs/v1/{job_id}")
    answer = anybody.get(result_url)
    assert (404, "unknown_output") == (answer.status_code, answer.json()["code"])


def test_an_object_that_is_gone(anybody, store, link):
    store.remove_prefix("")
    answer = anybody.get(link)
    assert (404, "unknown_output") == (answer.status_code, answer.json()["code"])


def test_a_stable_link_outlives_the_links_behind_it(anybody, result_url):
    first = anybody.get(result_url).headers["Location"]
    later = int(parse_qs(urlsplit(first).query)["expires"][0])
    assert time.time() + 3000 < later < time.time() + 4000
    assert "expires" not in result_url


@pytest.mark.long
def test_with_another_store_there_are_no_files(settings, key, rows):
    import msgspec

    from tests.support.service.api_server import api_server

    url = "s3://bucket?endpoint=http://127.0.0.1:1&access_key=a&secret_key=b"
    with api_server(msgspec.structs.replace(settings, storage_url=url)) as server, server.client() as client:
        answer = client.get("/files/a/b/1/c.webp?type=x&expires=0&signature=y")
    assert (404, "not_found") == (answer.status_code, answer.json()["code"])


@pytest.mark.long
def test_with_s3_a_result_url_leads_to_a_presigned_link(settings, create, worker, key):
    import msgspec

    from tests.support.service.api_server import api_server

    job_id = create()
    worker.complete(worker.claim(), ARTIFACT)
    url = "s3://bucket?endpoint=http://store:9000&public_endpoint=https://media.example&access_key=a&secret_key=b"
    with api_server(msgspec.structs.replace(settings, storage_url=url)) as server, server.client(key) as client:
        link = client.get(client.get(f"/jobs/v1/{job_id}").json()["result_url"]).headers["Location"]
    assert link.startswith(f"https://media.example/bucket/{ARTIFACT.key}?")
    assert "X-Amz-Signature" in link
