"""What the service needs of a store, asked of both: a directory, and a real S3 server."""

import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from core.errors.access import BadSignature
from core.errors.unknown import UnknownOutput
from core.ids import new_id
from core.settings import Settings
from core.storage.directory import DirectoryStore
from core.storage.s3 import S3Store
from core.storage.store import open_store
from tests.support.wait import until

BUCKET = "test-storage"


@pytest.fixture(params=["directory", "s3"])
def store(request, tmp_path):
    if request.param == "directory":
        settings = Settings(storage_url=f"file://{tmp_path}/objects", secret_key="a secret")
    else:
        settings = Settings(storage_url=request.getfixturevalue("s3").storage_url(BUCKET))
    opened = open_store(settings)
    if isinstance(opened, S3Store):
        opened.make_bucket()
    return opened


@pytest.fixture
def prefix():
    """A place in the store that no other test uses."""
    return f"{new_id('ten')}/"


@pytest.fixture
def put(store, tmp_path):
    def put(key, content=b"picture", media_type="image/webp"):
        source = tmp_path / "source"
        source.write_bytes(content)
        store.put(key, source, media_type)
        return key

    return put


def fetch(store, key, tmp_path):
    target = tmp_path / "target"
    store.get(key, target)
    return target.read_bytes()


def test_the_url_names_the_kind(store):
    assert isinstance(store, DirectoryStore | S3Store)
    store.check()


@pytest.mark.matrix
def test_what_was_put_can_be_got(store, put, prefix, tmp_path):
    content = bytes(range(256)) * 10
    assert content == fetch(store, put(f"{prefix}job/1/a.webp", content), tmp_path)
    assert b"" == fetch(store, put(f"{prefix}job/1/empty.webp", b""), tmp_path)


@pytest.mark.matrix
def test_a_large_object_comes_back_whole(store, put, prefix, tmp_path):
    """Larger than one part of an S3 upload."""
    content = bytes(range(256)) * (24 * 1024)
    assert content == fetch(store, put(f"{prefix}large.mp4", content), tmp_path)


def test_the_last_put_counts(store, put, prefix, tmp_path):
    for content in (b"first, and longer", b"second"):
        put(f"{prefix}a.webp", content)
    assert b"second" == fetch(store, f"{prefix}a.webp", tmp_path)


def test_a_missing_object_is_an_unknown_output(store, put, prefix, tmp_path):
    put(f"{prefix}job/1/a.webp")
    for key in (f"{prefix}job/1/b.webp", f"{prefix}nothing/at/all.webp"):
        with pytest.raises(UnknownOutput):
            store.get(key, tmp_path / "target")
    assert not (tmp_path / "target").exists()


@pytest.mark.matrix
def test_keys_are_those_below_a_prefix(store, put, prefix):
    keys = [
        put(f"{prefix}{name}") for name in ("job_1/1/a.webp", "job_1/2/b.webp", "job_10/1/c.webp", "job_2/1/d.webp")
    ]
    assert sorted(keys) == sorted(store.keys(prefix))
    assert sorted(keys[:2]) == sorted(store.keys(f"{prefix}job_1/"))
    assert sorted(keys[:3]) == sorted(store.keys(f"{prefix}job_1"))
    assert keys[:1] == list(store.keys(keys[0]))
    assert [] == list(store.keys(f"{prefix}job_3/"))
    assert set(keys) <= set(store.keys())


@pytest.mark.matrix
def test_exactly_the_objects_of_a_prefix_are_removed(store, put, prefix):
    for name in ("job_1/1/a.webp", "job_1/2/b.webp", "job_10/1/c.webp"):
        put(f"{prefix}{name}")
    assert 2 == store.remove_prefix(f"{prefix}job_1/")
    assert [f"{prefix}job_10/1/c.webp"] == list(store.keys(prefix))
    assert 0 == store.remove_prefix(f"{prefix}job_1/")
    assert 0 == store.remove_prefix(f"{new_id('ten')}/")
    assert 1 == store.remove_prefix(prefix)


@pytest.mark.matrix
def test_exactly_one_object_is_removed(store, put, prefix):
    keys = [put(f"{prefix}job/1/{name}") for name in ("a", "ab", "b")]
    store.remove(keys[0])
    store.remove(keys[0])
    assert keys[1:] == list(store.keys(prefix))


def test_older_objects_are_those_written_before(store, put, prefix):
    key = put(f"{prefix}job/1/a.webp")
    assert key not in set(store.older(60.0))
    assert key in set(store.older(-60.0))


@pytest.mark.long
def test_many_objects_are_removed(store, put, prefix):
    for number in range(30):
        put(f"{prefix}job/1/{number}.webp")
    assert 30 == store.remove_prefix(prefix)
    assert [] == list(store.keys(prefix))


def test_a_link_downloads_the_object_with_its_media_type(store, put, prefix):
    key = put(f"{prefix}job/1/a b&c.webp", b"picture")
    link = store.link(key, seconds=60, media_type="image/webp")
    if isinstance(store, S3Store):
        with urllib.request.urlopen(link, timeout=10) as answer:
            assert (b"picture", "image/webp") == (answer.read(), answer.headers["content-type"])
    else:
        parts, query = urlsplit(link), {name: value[0] for name, value in parse_qs(urlsplit(link).query).items()}
        path = store.open_link(
            unquote(parts.path).removeprefix("/files/"),
            media_type=query["type"],
            expires=int(query["expires"]),
            signature=query["signature"],
        )
        assert (b"picture", "image/webp") == (path.read_bytes(), query["type"])


@pytest.mark.matrix
def test_the_size_of_an_object(store, put, prefix):
    put(f"{prefix}job/inputs/raw/input_image", b"x" * 300_000)
    put(f"{prefix}empty", b"")
    assert (300_000, 0) == (store.size(f"{prefix}job/inputs/raw/input_image"), store.size(f"{prefix}empty"))
    for key in (f"{prefix}job/inputs/raw/last_image", f"{prefix}nothing/at/all"):
        with pytest.raises(UnknownOutput):
            store.size(key)
        with pytest.raises(UnknownOutput):
            store.head(key, 8)


def test_the_first_bytes_of_an_object(store, put, prefix):
    key = put(f"{prefix}a", b"\x89PNG and more")
    assert (b"\x89PNG", b"\x89PNG and more") == (store.head(key, 4), store.head(key, 64))


def send(store, link, content):
    """PUT to an upload link, the way its store takes it: by HTTP, or in the API's own route."""
    parts, query = urlsplit(link), {name: value[0] for name, value in parse_qs(urlsplit(link).query).items()}
    if isinstance(store, S3Store):
        request = urllib.request.Request(link, data=content, method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert 200 == answer.status
        return
    key = unquote(parts.path).removeprefix("/files/")
    store.check_upload(key, expires=int(query["expires"]), signature=query["signature"])
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        store.put(key, Path(file.name), "application/octet-stream")


@pytest.mark.matrix
def test_the_last_upload_of_a_link_counts(store, prefix, tmp_path):
    key = f"{prefix}inputs/{new_id('inp')}"
    link = store.upload_link(key, seconds=60)
    for content in (b"first, and longer", b"second"):
        send(store, link, content)
        assert content == fetch(store, key, tmp_path)
        assert len(content) == store.size(key)
    assert [key] == list(store.keys(prefix))


@pytest.mark.matrix
def test_an_upload_link_is_for_one_object_and_ends(store, prefix):
    link = store.upload_link(f"{prefix}inputs/a", seconds=60)
    refused = (BadSignature, urllib.error.HTTPError)
    with pytest.raises(refused):
        send(store, link.replace("/inputs/a?", "/inputs/b?"), b"x")
    short = store.upload_link(f"{prefix}inputs/a", seconds=1)

    def is_over():
        try:
            send(store, short, b"x")
        except refused:
            return True
        return False

    until(is_over, what="the link to expire")


def test_a_download_link_takes_no_upload(store, put, prefix, tmp_path):
    key = put(f"{prefix}a")
    with pytest.raises((BadSignature, urllib.error.HTTPError)):
        send(store, store.link(key, seconds=60, media_type="image/webp"), b"other")
    assert b"picture" == fetch(store, key, tmp_path)


@pytest.mark.matrix
def test_uploads_at_once_do_not_disturb_each_other(store, prefix, tmp_path):
    def upload(number):
        source = tmp_path / f"source-{number}"
        source.write_bytes(str(number).encode() * 1000)
        store.put(f"{prefix}{number}", source, "text/plain")

    threads = [threading.Thread(target=upload, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(8):
        assert str(number).encode() * 1000 == fetch(store, f"{prefix}{number}", tmp_path)


def test_a_presigned_link_expires_and_is_signed(s3, tmp_path):
    store = S3Store.from_url(s3.storage_url(BUCKET))
    store.make_bucket()
    for name in ("a", "b"):
        (tmp_path / name).write_bytes(b"x")
        store.put(name, tmp_path / name, "text/plain")

    def status(link):
        try:
            with urllib.request.urlopen(link, timeout=10) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    link = store.link("a", seconds=60, media_type="text/plain")
    assert 200 == status(link)
    assert 403 == status(link.replace(f"/{BUCKET}/a?", f"/{BUCKET}/b?"))
    short = store.link("a", seconds=1, media_type="text/plain")
    until(lambda: status(short) == 403, what="the link to expire")
