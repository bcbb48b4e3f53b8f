"""What is added to a worker's offer, and when."""

from pathlib import Path

import pytest

from core.settings import Settings
from pipelines.catalog.loader import Catalog
from pipelines.weights.local_lock import local_lock
from pipelines.weights.lockfile import Lock, write_lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints.specs import spec
from workers.gpu.server.offer import ServerOffer
from workers.gpu.server.weights_watch import WeightsWatch

HUB = {"repo": "a/b", "revision": "1" * 40}
TINY, BARE, LAST = spec(id="tiny", source=HUB), spec(id="bare", source={}), spec(id="last", source={})


class Bench:
    """A watch of a worker that offers `bare` and `last`, and the models that it has added."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.weights = folder / "weights"
        self.lock = folder / "weights.lock"
        write_lock(Lock(), self.lock)
        self.offer = ServerOffer(catalog=Catalog((BARE, TINY, LAST)), models=("bare", "last"))
        self.added: list[tuple[str, ...]] = []
        named = Settings(weights_dir=str(self.weights), weights_lock=str(self.lock), **settings)
        self.offered_at_subscription: list[tuple[str, ...]] = []
        self.watch = WeightsWatch(named, self.offer, self.added.append, seconds=0.01, subscribe=self.subscribe)

    def subscribe(self, models: tuple[str, ...]) -> None:
        assert ("tiny",) == models
        self.offered_at_subscription.append(self.offer.models)

    def fetch(self) -> None:
        (self.weights / "tiny").mkdir(parents=True)
        (self.weights / "tiny" / "model.safetensors").write_bytes(b"x")

    def locked(self) -> Lock:
        return Lock({"tiny": lock_directory(TINY, self.weights / "tiny")})


def test_a_model_that_has_come_is_offered_in_the_catalogs_order(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.watch.look()
    bench.fetch()
    write_lock(bench.locked(), bench.lock)
    bench.watch.look()
    bench.watch.look()

    assert ("bare", "tiny", "last") == bench.offer.models
    assert [("tiny",)] == bench.added


def test_its_queue_is_heard_before_it_is_offered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fetch()
    write_lock(bench.locked(), bench.lock)
    bench.watch.look()

    assert [("bare", "last")] == bench.offered_at_subscription


def test_files_that_no_lock_knows_are_not_offered(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fetch()
    bench.watch.look()
    assert [] == bench.added

    write_lock(bench.locked(), local_lock(bench.weights))
    bench.watch.look()
    assert [("tiny",)] == bench.added


def test_a_license_that_is_not_allowed_is_not_offered(tmp_path: Path) -> None:
    bench = Bench(tmp_path, allowed_licenses="MIT")
    bench.fetch()
    write_lock(bench.locked(), bench.lock)
    bench.watch.look()

    assert [] == bench.added


def test_a_lock_that_cannot_be_read_is_looked_at_again(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    bench.fetch()
    good = bench.locked()
    bench.lock.write_text("{")
    with pytest.raises(ValueError, match=r"weights\.lock"):
        bench.watch.look()

    write_lock(good, bench.lock)
    bench.watch.look()
    assert [("tiny",)] == bench.added


def test_the_same_failure_is_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    watch = Bench(tmp_path).watch
    reasons = ["away", "away", "", "away", "broken"]

    def look() -> None:
        reason = reasons.pop(0)
        if not reasons:
            watch.stop()
        if reason:
            raise OSError(reason)

    monkeypatch.setattr(watch, "look", look)
    watch.start()
    watch._thread.join(10)
    assert ["away", "away", "broken"] == [record.args[0] for record in caplog.records if isinstance(record.args, tuple)]
