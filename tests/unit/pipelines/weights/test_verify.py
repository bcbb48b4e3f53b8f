import hashlib
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from core.errors.failures import WeightsNotLocked
from pipelines.catalog.loader import Catalog
from pipelines.weights import hash_cache
from pipelines.weights import verify as weight_verify
from pipelines.weights.hash_cache import HashCache, HashedFile, hash_content
from pipelines.weights.lockfile import Converted, Lock, LockedFile, LockedModel
from pipelines.weights.verify import differences, lock_directory, misplaced, missing, servable, verify, verifying
from tests.support.checkpoints.specs import spec

TINY = spec()
HUB = {"repo": "a/b", "revision": "1" * 40}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Weights of `TINY` below the weights directory `tmp_path`."""
    made = tmp_path / "tiny"
    (made / "unet").mkdir(parents=True)
    (made / "model_index.json").write_text("{}")
    (made / "unet" / "model.safetensors").write_bytes(bytes(range(200)))
    return made


@pytest.fixture
def lock(folder: Path) -> Lock:
    return Lock({"tiny": lock_directory(TINY, folder)})


def test_untouched_weights_pass(folder: Path, lock: Lock) -> None:
    verify(TINY, lock, folder.parent)

    assert ["model_index.json", "unet/model.safetensors"] == sorted(lock.models["tiny"].files)


def tampered(folder: Path) -> None:
    file = folder / "unet" / "model.safetensors"
    data = bytearray(file.read_bytes())
    data[77] ^= 1
    file.write_bytes(data)


def truncated(folder: Path) -> None:
    os.truncate(folder / "unet" / "model.safetensors", 199)


def gone(folder: Path) -> None:
    (folder / "unet" / "model.safetensors").unlink()


def extra(folder: Path) -> None:
    (folder / "unet" / "other.safetensors").write_bytes(b"x")


def extra_hidden(folder: Path) -> None:
    (folder / ".hidden").write_bytes(b"x")


def pickled(folder: Path) -> None:
    (folder / "unet" / "model.BIN").write_bytes(b"x")


def link_outside(folder: Path) -> None:
    outside = folder.parent / "outside.safetensors"
    (folder / "unet" / "model.safetensors").rename(outside)
    (folder / "unet" / "model.safetensors").symlink_to(outside)


def folder_link(folder: Path) -> None:
    (folder / "unet").rename(folder.parent / "unet")
    (folder / "unet").symlink_to(folder.parent / "unet")


def dangling(folder: Path) -> None:
    (folder / "unet" / "model.safetensors").unlink()
    (folder / "unet" / "model.safetensors").symlink_to(folder / "nothing")


def fifo(folder: Path) -> None:
    os.mkfifo(folder / "pipe")


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (tampered, "unet/model.safetensors is not the file of weights.lock"),
        (truncated, "unet/model.safetensors has 199 bytes, weights.lock says 200"),
        (gone, "unet/model.safetensors is missing"),
        (extra, "unet/other.safetensors is not in weights.lock"),
        (extra_hidden, ".hidden is not in weights.lock"),
        (pickled, "unet/model.BIN is a pickle"),
        (link_outside, "unet/model.safetensors is a link that leads outside"),
        (folder_link, "unet is a link that leads outside"),
        (dangling, "unet/model.safetensors is not a regular file"),
        (fifo, "pipe is not a regular file"),
    ],
)
def test_harmed_weights_are_refused_by_name(folder: Path, lock: Lock, harm: Callable[[Path], None], says: str) -> None:
    verify(TINY, lock, folder.parent)
    harm(folder)

    with pytest.raises(WeightsNotLocked) as caught:
        verify(TINY, lock, folder.parent)

    assert says in caught.value.detail
    assert str(folder) not in caught.value.detail


def test_a_link_within_the_folder_is_fine(folder: Path) -> None:
    (folder / "copy.safetensors").symlink_to(Path("unet") / "model.safetensors")

    verify(TINY, Lock({"tiny": lock_directory(TINY, folder)}), folder.parent)


@pytest.mark.parametrize("suffix", ["bin", "pt", "pth", "ckpt", "pkl", "pickle"])
def test_a_pickle_is_refused_even_where_the_lock_names_it(folder: Path, lock: Lock, suffix: str) -> None:
    (folder / f"w.{suffix}").write_bytes(b"x")
    files = lock.models["tiny"].files | {f"w.{suffix}": LockedFile(size=1, sha256="00")}
    lock = Lock({"tiny": LockedModel(files=files)})

    with pytest.raises(WeightsNotLocked, match="is a pickle"):
        verify(TINY, lock, folder.parent)
    with pytest.raises(WeightsNotLocked, match="is a pickle"):
        lock_directory(TINY, folder)
    assert "is a pickle" in str(missing(TINY, lock, folder.parent))


def test_an_unknown_sha256_is_refused(folder: Path, lock: Lock) -> None:
    files = {path: LockedFile(size=facts.size, sha256=None) for path, facts in lock.models["tiny"].files.items()}
    lock = Lock({"tiny": LockedModel(files=files)})

    with pytest.raises(WeightsNotLocked, match="does not know"):
        verify(TINY, lock, folder.parent)
    assert () == servable(Catalog((TINY,)), lock, folder.parent)


def test_a_model_that_is_not_locked_is_refused(folder: Path) -> None:
    with pytest.raises(WeightsNotLocked, match=r"tiny is not in weights\.lock"):
        verify(TINY, Lock(), folder.parent)


def test_a_revision_that_was_edited_and_not_locked_is_refused(folder: Path, lock: Lock) -> None:
    moved = spec(source={"repo": "a/b", "revision": "1" * 40})

    with pytest.raises(WeightsNotLocked, match="run `atelier weights lock`"):
        verify(moved, lock, folder.parent)


def test_what_the_cache_knows_is_not_hashed(folder: Path, lock: Lock, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[Path] = []
    monkeypatch.setattr(
        hash_cache, "hash_content", lambda file: hashed.append(file) or weight_verify.hash_content(file)
    )
    first = HashCache(clock=lambda: time.time() + 3600)
    reported: list[HashedFile] = []
    second = HashCache(reported.append, clock=lambda: time.time() + 3600)

    verify(TINY, lock, folder.parent, second)
    assert {folder / "model_index.json", folder / "unet" / "model.safetensors"} == set(hashed)
    first.add(reported)
    verify(TINY, lock, folder.parent, first)
    assert 2 == len(hashed)

    os.utime(folder / "model_index.json", ns=(1, 1))
    verify(TINY, lock, folder.parent, first)
    assert folder / "model_index.json" == hashed[2]
    assert 3 == len(hashed)


class TestBesideTheLoad:
    """Large files of plain data are hashed while the block runs, with a hash that waits for a sign."""

    @pytest.fixture
    def may_hash(self, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
        sign = threading.Event()

        def hash_content(file: Path) -> str:
            if file.suffix == ".safetensors":
                assert sign.wait(10)
            return weight_verify.hash_content(file)

        monkeypatch.setattr(hash_cache, "hash_content", hash_content)
        return sign

    @pytest.fixture
    def load(self, folder: Path, lock: Lock, may_hash: threading.Event) -> Callable[..., None]:
        """Do some work while `TINY` is verified; its safetensors are hashed afterwards."""

        def load(work: Callable[[], object] = lambda: None) -> None:
            with verifying(TINY, lock, folder.parent):
                assert not may_hash.is_set()
                may_hash.set()
                work()

        return load

    def test_the_block_begins_before_safetensors_are_hashed(self, load: Callable[..., None]) -> None:
        load()

    def test_wrong_safetensors_are_refused_after_the_block(self, folder: Path, load: Callable[..., None]) -> None:
        tampered(folder)
        steps: list[str] = []
        with pytest.raises(WeightsNotLocked, match=r"model\.safetensors is not the file"):
            load(lambda: steps.append("loaded"))
        assert ["loaded"] == steps

    @pytest.mark.parametrize(("harm", "error"), [(tampered, WeightsNotLocked), (lambda folder: None, MemoryError)])
    def test_an_error_of_the_load_comes_after_wrong_weights(
        self, folder: Path, load: Callable[..., None], harm: Callable[[Path], None], error: type[Exception]
    ) -> None:
        def fail() -> None:
            raise MemoryError

        harm(folder)
        with pytest.raises(error):
            load(fail)

    def test_other_files_are_verified_before_the_block(self, folder: Path, lock: Lock) -> None:
        (folder / "model_index.json").write_text("[]")
        loading = verifying(TINY, lock, folder.parent)
        with pytest.raises(WeightsNotLocked, match=r"model_index\.json is not the file"):
            loading.__enter__()

    def test_a_file_that_changes_meanwhile_is_refused(self, folder: Path, load: Callable[..., None]) -> None:
        file = folder / "unet" / "model.safetensors"
        with pytest.raises(WeightsNotLocked, match=r"model\.safetensors was changed while it was loaded"):
            load(lambda: os.utime(file, ns=(1, 1)))

    def test_there_are_as_many_hashers_as_cores(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        cores = 6
        monkeypatch.setattr(weight_verify.os, "sched_getaffinity", lambda pid: set(range(cores)))
        together = threading.Barrier(cores)
        monkeypatch.setattr(hash_cache, "hash_content", lambda file: (together.wait(10) and "") or "0" * 64)
        for number in range(cores - 2):
            (folder / f"{number}.safetensors").write_bytes(b"x")
        lock = Lock({"tiny": lock_directory(TINY, folder)})
        with pytest.raises(WeightsNotLocked):
            verify(TINY, lock, folder.parent)
        assert not together.broken


class TestBundles:
    """A model with a LoRA: its own folder and one beside it, each verified."""

    WITH_LORA = spec(loras={"fast": {"source": HUB, "file": "lora.safetensors"}})

    @pytest.fixture
    def both(self, folder: Path, lock: Lock) -> Lock:
        beside = folder.parent / "tiny+fast"
        beside.mkdir()
        (beside / "lora.safetensors").write_bytes(b"lora")
        return Lock({**lock.models, "tiny+fast": lock_directory(self.WITH_LORA.bundles[1], beside)})

    def test_both_are_verified(self, folder: Path, both: Lock) -> None:
        verify(self.WITH_LORA, both, folder.parent)

        (folder.parent / "tiny+fast" / "lora.safetensors").write_bytes(b"arol")
        with pytest.raises(WeightsNotLocked, match=r"tiny\+fast: lora\.safetensors is not the file"):
            verify(self.WITH_LORA, both, folder.parent)

    def test_without_the_lora_the_model_is_not_served(self, folder: Path, lock: Lock, both: Lock) -> None:
        assert "tiny+fast is not in weights.lock" in str(missing(self.WITH_LORA, lock, folder.parent))
        assert missing(self.WITH_LORA, both, folder.parent) is None

        (folder.parent / "tiny+fast" / "lora.safetensors").unlink()
        assert "tiny+fast: lora.safetensors is missing" in str(missing(self.WITH_LORA, both, folder.parent))

    def test_a_file_of_a_url(self, tmp_path: Path) -> None:
        net = spec(id="net", source={"url": "https://example.org/v1/net.onnx"})
        (tmp_path / "net").mkdir()
        (tmp_path / "net" / "net.onnx").write_bytes(b"onnx")
        lock = Lock({"net": lock_directory(net, tmp_path / "net")})

        verify(net, lock, tmp_path)

        moved = spec(id="net", source={"url": "https://example.org/v2/net.onnx"})
        with pytest.raises(WeightsNotLocked, match=r"says https://example.org/v2/net.onnx, weights.lock says"):
            verify(moved, lock, tmp_path)

    def test_every_difference_is_told(self, folder: Path, both: Lock) -> None:
        extra(folder)
        truncated(folder)

        said = list(differences(self.WITH_LORA.bundles[0], both, folder.parent))

        assert [
            "tiny: unet/model.safetensors has 199 bytes, weights.lock says 200.",
            "tiny: unet/other.safetensors is not in weights.lock; remove it, or the model is not loaded.",
        ] == said
        assert said == list(misplaced(self.WITH_LORA.bundles[0], both, folder.parent))


class TestPickles:
    def test_its_safetensors_are_what_is_verified(self, tmp_path: Path) -> None:
        (tmp_path / "tiny").mkdir()
        (tmp_path / "tiny" / "ve.safetensors").write_bytes(b"made")
        pickled = LockedFile(size=9, sha256="0" * 64)
        made = Converted(size=4, sha256=hash_content(tmp_path / "tiny" / "ve.safetensors"))

        before = Lock({"tiny": LockedModel(files={"ve.pt": pickled})})
        assert "`atelier weights fetch` makes safetensors of it" in str(missing(TINY, before, tmp_path))

        lock = Lock({"tiny": LockedModel(files={"ve.pt": msgspec.structs.replace(pickled, converted=made)})})
        verify(TINY, lock, tmp_path)
        (tmp_path / "tiny" / "ve.safetensors").write_bytes(b"edam")
        with pytest.raises(WeightsNotLocked, match=r"ve\.safetensors is not the file"):
            verify(TINY, lock, tmp_path)


class TestStoredInAnotherPrecision:
    """A file that was cast after its download; the published one is right, too."""

    MODEL = spec(source=HUB | {"stored_as": [{"files": "unet/*", "dtype": "bfloat16", "float32": ["norm"]}]})

    @pytest.fixture
    def made(self, lock: Lock) -> LockedModel:
        """The lock of a model whose `unet/model.safetensors`, of 200 bytes, was cast to 4 bytes."""
        made = Converted(size=4, sha256=hashlib.sha256(b"cast").hexdigest(), dtype="bfloat16", float32=("norm",))
        path = "unet/model.safetensors"
        files = lock.models["tiny"].files
        both = msgspec.structs.replace(files[path], converted=made)
        return LockedModel(files={**files, path: both}, repo=HUB["repo"], revision=HUB["revision"])

    def test_both_are_verified_by_their_own_hash(self, folder: Path, made: LockedModel) -> None:
        file, lock = folder / "unet" / "model.safetensors", Lock({"tiny": made})
        published = file.read_bytes()
        for right, wrong in ((published, b"x" * 200), (b"cast", b"tsac")):
            file.write_bytes(right)
            verify(self.MODEL, lock, folder.parent)
            assert missing(self.MODEL, lock, folder.parent) is None
            file.write_bytes(wrong)
            with pytest.raises(WeightsNotLocked, match="other sha256"):
                verify(self.MODEL, lock, folder.parent)

    def test_any_other_size_is_refused(self, folder: Path, made: LockedModel) -> None:
        (folder / "unet" / "model.safetensors").write_bytes(b"short")
        assert "has 5 bytes, weights.lock says 4" in str(missing(self.MODEL, Lock({"tiny": made}), folder.parent))

    def test_one_of_another_cast_is_refused(self, folder: Path, made: LockedModel) -> None:
        wanted = {"files": "unet/*", "dtype": "bfloat16"}
        other = spec(source=HUB | {"stored_as": [wanted]})
        lock = Lock({"tiny": made})
        assert missing(other, lock, folder.parent) is None  # it lies there as it is published
        (folder / "unet" / "model.safetensors").write_bytes(b"cast")
        assert "`atelier weights fetch` stores it anew" in str(missing(other, lock, folder.parent))


class TestServable:
    def test_what_is_here_and_what_is_not(self, folder: Path, lock: Lock) -> None:
        other, none = spec(id="other"), spec(id="none", source={})

        assert (TINY, none) == servable(Catalog((TINY, other, none)), lock, folder.parent)
        assert "other is not in weights.lock" in str(missing(other, lock, folder.parent))

    @pytest.mark.parametrize("harm", [truncated, gone, extra, pickled, link_outside])
    def test_a_file_that_prevents_loading_removes_the_model(
        self, folder: Path, lock: Lock, harm: Callable[[Path], None]
    ) -> None:
        harm(folder)

        assert () == servable(Catalog((TINY,)), lock, folder.parent)

    def test_nothing_is_hashed(self, folder: Path, lock: Lock) -> None:
        tampered(folder)

        assert (TINY,) == servable(Catalog((TINY,)), lock, folder.parent)


class TestLocking:
    def test_an_empty_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(WeightsNotLocked, match="no files to lock"):
            lock_directory(TINY, tmp_path / "nowhere")
