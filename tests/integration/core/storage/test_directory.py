"""What only the directory has: a disk that can be full, links that the API signs, paths that must not leave it."""

import errno
import os
import shutil
import subprocess
import threading
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from core.errors.access import BadSignature
from core.errors.unavailable import StorageUnavailable
from core.errors.unknown import UnknownOutput
from core.storage.directory import DirectoryStore


@pytest.fixture
def store(tmp_path):
    return DirectoryStore(tmp_path / "objects", "https://media.example", "a secret")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"picture")
    return path


@pytest.fixture
def full_disk(tmp_path, monkeypatch):
    """A folder on a disk with 64 kB: a real one for root, else one where writing says so."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if shutil.which("mount") and subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield folder
        subprocess.run(["umount", str(folder)], check=True)
        return

    def copyfileobj(source, target):
        target.write(source.read(64_000))
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shutil, "copyfileobj", copyfileobj)
    yield folder


def test_a_full_disk_is_a_full_store_and_leaves_no_part(full_disk, tmp_path):
    store = DirectoryStore(full_disk, "https://media.example", "a secret")
    large = tmp_path / "large"
    large.write_bytes(b"x" * 200_000)
    with pytest.raises(StorageUnavailable, match="full") as caught:
        store.put("ten/job/1/a.mp4", large, "video/mp4")
    assert caught.value.full
    assert [] == list(store.keys())
    assert [] == [path for path in full_disk.rglob("*") if path.is_file()]


def test_an_unusable_folder_is_not_a_full_store(tmp_path, source):
    (tmp_path / "objects").write_text("a file where the folder should be")
    store = DirectoryStore(tmp_path / "objects", "https://media.example", "a secret")
    for use in (lambda: store.put("a/b", source, "text/plain"), store.check):
        with pytest.raises(StorageUnavailable) as caught:
            use()
        assert not caught.value.full


def test_a_reader_never_sees_half_a_file(store, tmp_path):
    """While one writer replaces the object a hundred times, every read is whole."""
    contents = [bytes([letter]) * 300_000 for letter in b"ab"]
    sources = [tmp_path / "a", tmp_path / "b"]
    for path, content in zip(sources, contents, strict=True):
        path.write_bytes(content)
    store.put("k", sources[0], "text/plain")

    def write():
        for number in range(100):
            store.put("k", sources[number % 2], "text/plain")

    writer = threading.Thread(target=write)
    writer.start()
    while writer.is_alive():
        store.get("k", tmp_path / "target")
        assert (tmp_path / "target").read_bytes() in contents
        assert ["k"] == list(store.keys())
    writer.join()


def test_empty_folders_do_not_stay(store, source, tmp_path):
    store.put("ten/job/1/a.webp", source, "image/webp")
    store.remove_prefix("ten/job/")
    assert not (tmp_path / "objects" / "ten" / "job").exists()


def test_a_folder_behind_a_link_is_a_folder(tmp_path, source):
    """As where a mount is linked to: keys are the same, and what is removed is gone."""
    (tmp_path / "disk").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "disk")
    store = DirectoryStore(tmp_path / "link", "https://media.example", "secret")
    store.put("ten/job/inputs/a", source, "image/png")
    for prefix in ("", "ten/", "ten/job/", "ten/job/inputs/a"):
        assert ["ten/job/inputs/a"] == list(store.keys(prefix))
    assert 1 == store.remove_prefix("ten/job/")
    assert [] == list((tmp_path / "disk" / "ten").iterdir())


def test_a_prefix_is_no_pattern(store, source):
    for key in ("ten/a[1]b", "ten/a1b", "ten/a*", "ten/ab/c"):
        store.put(key, source, "image/png")
    assert ["ten/a[1]b"] == list(store.keys("ten/a[1]"))
    assert ["ten/a*"] == list(store.keys("ten/a*"))
    assert ["ten/ab/c"] == list(store.keys("ten/ab"))


@pytest.mark.parametrize("gone", ["ten", "job", "inputs"])
def test_keys_leave_out_a_folder_that_goes_meanwhile(store, source, tmp_path, monkeypatch, gone):
    read = os.scandir

    def scandir(folder="."):
        if Path(folder).name == gone:
            Path(folder).rename(tmp_path / "gone")
        return read(folder)

    for key in ("ten/job/inputs/a", "ten/job-2/b"):
        store.put(key, source, "image/png")
    monkeypatch.setattr("os.scandir", scandir)
    assert "ten/job/inputs/a" not in list(store.keys("ten/job"))


def test_a_store_that_has_nothing_yet_has_no_keys(store):
    assert [] == list(store.keys())
    assert [] == list(store.keys("ten/"))
    assert 0 == store.remove_prefix("ten/")


@pytest.mark.parametrize("key", ["../secret", "a/../../secret", "/etc/passwd", "a/b/../../../secret"])
def test_no_key_leaves_the_folder(store, source, tmp_path, key):
    (tmp_path / "secret").write_text("x")
    with pytest.raises(UnknownOutput):
        store.get(key, tmp_path / "target")
    with pytest.raises(UnknownOutput):
        store.put(key, source, "text/plain")
    with pytest.raises(UnknownOutput):
        store.remove_prefix(key)
    assert "x" == (tmp_path / "secret").read_text()


class TestLinks:
    """`/files/<key>?type=…&expires=…&signature=…`, signed by ourselves."""

    def parts(self, store, **options):
        link = store.link("ten/job/1/a.webp", **({"seconds": 60, "media_type": "image/webp"} | options))
        assert link.startswith("https://media.example/files/ten/job/1/a.webp?")
        query = {name: values[0] for name, values in parse_qs(urlsplit(link).query).items()}
        return {
            "key": "ten/job/1/a.webp",
            "media_type": query["type"],
            "expires": int(query["expires"]),
            "signature": query["signature"],
        }

    def test_a_link_opens_its_object(self, store, source):
        store.put("ten/job/1/a.webp", source, "image/webp")
        assert b"picture" == store.open_link(**self.parts(store)).read_bytes()

    @pytest.mark.parametrize(
        "changed",
        [
            {"key": "ten/job/1/b.webp"},
            {"media_type": "text/html"},
            {"name": "b.webp"},
            {"expires": 2**40},
            {"expires": 0},
            {"signature": "x"},
        ],
    )
    def test_a_link_that_was_changed_opens_nothing(self, store, source, changed):
        for name in ("a", "b"):
            store.put(f"ten/job/1/{name}.webp", source, "image/webp")
        with pytest.raises(BadSignature):
            store.open_link(**(self.parts(store) | changed))

    def test_a_link_has_the_name_of_the_file(self, store, source):
        store.put("ten/job/1/a.webp", source, "image/webp")
        link = store.link("ten/job/1/a.webp", seconds=60, media_type="image/webp", name="Größe.webp")
        (signature,) = parse_qs(urlsplit(link).query)["name_signature"]
        parts = self.parts(store, name="Größe.webp")
        assert b"picture" == store.open_link(**parts, name="Größe.webp", name_signature=signature).read_bytes()
        with pytest.raises(BadSignature):
            store.open_link(**parts, name="setup.exe", name_signature=signature)

    def test_a_named_link_has_the_signature_of_a_plain_one(self, store, source):
        """So that an API of a version without names serves it."""
        store.put("ten/job/1/a.webp", source, "image/webp")
        assert b"picture" == store.open_link(**self.parts(store, name="a.webp")).read_bytes()

    def test_a_link_expires(self, store, source):
        store.put("ten/job/1/a.webp", source, "image/webp")
        with pytest.raises(BadSignature, match="expired"):
            store.open_link(**self.parts(store, seconds=-2))

    def test_a_link_to_a_removed_object_is_an_unknown_output(self, store):
        with pytest.raises(UnknownOutput):
            store.open_link(**self.parts(store))
