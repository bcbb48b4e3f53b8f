"""One file from a server that behaves badly, in the test's own process."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.catalog.spec import Source
from pipelines.weights import download
from pipelines.weights.download import Download
from pipelines.weights.hub import FetchError
from pipelines.weights.lockfile import Facts
from tests.support.servers.hub import Hub, sha256

DATA = os.urandom(100_000)
PATH = "/releases/net.onnx"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setattr(download, "PAUSE", 0.01)
    with Hub() as server:
        server.plain[PATH] = DATA
        yield server


def fetched(hub: Hub, file: Path, *, size: int | None = len(DATA), counted: list[int] | None = None) -> str:
    # Made without the catalog, which would insist on https.
    source, facts = Source(url=hub.url + PATH), Facts(size=size, sha256=None)
    advance = (lambda _: None) if counted is None else counted.append
    return Download(source, "net.onnx", file, facts=facts, advance=advance).run()


def ranges(hub: Hub) -> list[str | None]:
    return [one.range for one in hub.asked]


@pytest.mark.parametrize("size", [len(DATA), None])
def test_after_a_lost_connection_only_the_rest_is_asked_for(hub: Hub, tmp_path: Path, size: int | None) -> None:
    hub.cut["net.onnx"] = [60_000]
    counted: list[int] = []

    assert sha256(DATA) == fetched(hub, tmp_path / "net", size=size, counted=counted)

    assert [None, "bytes=60000-"] == ranges(hub)
    assert DATA == (tmp_path / "net").read_bytes()
    assert len(DATA) == sum(counted)


def test_a_server_without_ranges_starts_again(hub: Hub, tmp_path: Path) -> None:
    hub.ignores_range = True
    hub.cut["net.onnx"] = [60_000]
    counted: list[int] = []

    assert sha256(DATA) == fetched(hub, tmp_path / "net", counted=counted)

    assert DATA == (tmp_path / "net").read_bytes()
    assert len(DATA) == sum(counted)


def test_a_file_that_has_become_shorter_is_given_up(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(DATA[:60_000])
    hub.wrong["net.onnx"] = b"short"

    with pytest.raises(FetchError, match=r"ends before what is here \(tried 5 times"):
        fetched(hub, tmp_path / "net")


def test_a_beginning_that_is_too_long_is_thrown_away(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(DATA + b"more")

    assert sha256(DATA) == fetched(hub, tmp_path / "net")


def test_a_whole_file_is_only_hashed(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "net").write_bytes(DATA)

    assert sha256(DATA) == fetched(hub, tmp_path / "net")
    assert [] == hub.asked


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503])
def test_a_server_that_is_busy_is_asked_again(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.status["net.onnx"] = [status] * 4

    assert sha256(DATA) == fetched(hub, tmp_path / "net")


@pytest.mark.parametrize(("status", "tries"), [(404, 1), (403, 1), (503, 5)])
def test_it_is_given_up_with_the_reason(hub: Hub, tmp_path: Path, status: int, tries: int) -> None:
    hub.status["net.onnx"] = [status] * 10

    with pytest.raises(FetchError, match=f"net.onnx answers {status}"):
        fetched(hub, tmp_path / "net")

    assert tries == len(hub.asked)


def test_what_advance_raises_stops_it_and_what_came_stays(hub: Hub, tmp_path: Path) -> None:
    def advance(count: int) -> None:
        raise KeyboardInterrupt

    one = Download(
        Source(url=hub.url + PATH), "", tmp_path / "net", facts=Facts(size=None, sha256=None), advance=advance
    )
    with pytest.raises(KeyboardInterrupt):
        one.run()

    found = (tmp_path / "net").read_bytes()
    assert found
    assert DATA.startswith(found)
