"""Files are hashed once as long as their identity stays; the clock is made up, as no test can make a file old."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pipelines.weights import hash_cache
from pipelines.weights.hash_cache import FileIdentity, HashCache, HashedFile


def later() -> float:
    """Return a time at which today's files are settled."""
    return time.time() + 2 * hash_cache.SETTLED_SECONDS


@pytest.fixture
def file(tmp_path: Path) -> Path:
    made = tmp_path / "model.safetensors"
    made.write_bytes(b"weights")
    return made


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files whose content was hashed, in order."""
    done: list[Path] = []
    hash_content = hash_cache.hash_content
    monkeypatch.setattr(hash_cache, "hash_content", lambda file: done.append(file) or hash_content(file))
    return done


def test_an_unchanged_file_is_hashed_once(file: Path, hashed: list[Path]) -> None:
    cache = HashCache(clock=later)
    assert hash_cache.hash_content(file) == cache.sha256_of(file) == cache.sha256_of(file)
    assert [file, file] == hashed  # the first was the test's own


def test_another_process_takes_the_hashes_over(file: Path, hashed: list[Path]) -> None:
    reported: list[HashedFile] = []
    sha256 = HashCache(reported.append, later).sha256_of(file)
    assert [HashedFile(FileIdentity.of(file), sha256)] == reported

    cache = HashCache()
    cache.add(reported)
    assert sha256 == cache.sha256_of(file)
    assert [file] == hashed


def test_a_change_with_the_old_time_set_back_is_seen(file: Path, hashed: list[Path]) -> None:
    cache, before = HashCache(clock=later), file.stat()
    sha256 = cache.sha256_of(file)
    while file.stat().st_ctime_ns == before.st_ctime_ns:  # the clock of the file system ticks in milliseconds
        with file.open("r+b") as stream:
            stream.write(b"WEIGHTS")
        os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))

    assert (before.st_size, before.st_mtime_ns, before.st_ino) == (
        file.stat().st_size,
        file.stat().st_mtime_ns,
        file.stat().st_ino,
    )
    assert sha256 != cache.sha256_of(file)
    assert 2 == len(hashed)


def test_a_file_that_was_changed_just_now_is_not_kept(file: Path, hashed: list[Path]) -> None:
    reported: list[HashedFile] = []
    cache = HashCache(reported.append)
    assert cache.sha256_of(file) == cache.sha256_of(file)
    assert ([file, file], []) == (hashed, reported)


def test_a_file_that_changes_meanwhile_is_not_kept(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hash_content(file: Path) -> str:
        file.write_bytes(b"longer weights")
        return "0" * 64

    monkeypatch.setattr(hash_cache, "hash_content", hash_content)
    reported: list[HashedFile] = []
    assert "0" * 64 == HashCache(reported.append, later).sha256_of(file)
    assert [] == reported


def test_two_threads_hash_a_file_once(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    may_end = threading.Event()

    def hash_content(file: Path) -> str:
        calls.append(file)
        assert may_end.wait(10)
        return "0" * 64

    monkeypatch.setattr(hash_cache, "hash_content", hash_content)
    cache = HashCache(clock=later)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(cache.sha256_of, file) for _ in range(2)]
        may_end.set()
        assert ["0" * 64] * 2 == [one.result(10) for one in both]
    assert [file] == calls


def test_a_file_that_cannot_be_read_is_tried_again(file: Path) -> None:
    cache = HashCache(clock=later)
    file.unlink()
    with pytest.raises(OSError, match="No such file"):
        cache.sha256_of(file)
    file.write_bytes(b"weights")
    assert hash_cache.hash_content(file) == cache.sha256_of(file)


def test_what_is_known_can_be_taken_over(file: Path, hashed: list[Path]) -> None:
    cache, other = HashCache(clock=later), HashCache()
    cache.sha256_of(file)
    other.add(cache.known())

    assert cache.sha256_of(file) == other.sha256_of(file)
    assert [file] == hashed
