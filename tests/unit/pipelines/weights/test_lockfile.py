import json
from pathlib import Path

import pytest

from pipelines.catalog.loader import load_catalog
from pipelines.weights.hub import is_wanted
from pipelines.weights.lockfile import SHIPPED, Converted, Lock, LockedFile, LockedModel, read_lock, write_lock
from pipelines.weights.verify import verify

MODEL = LockedModel(files={"b": LockedFile(size=1, sha256="00"), "a": LockedFile(size=None, sha256=None)}, repo="r/r")


def test_what_is_written_is_read(tmp_path: Path) -> None:
    lock = Lock({"m": MODEL})

    write_lock(lock, tmp_path / "weights.lock")

    assert lock == read_lock(tmp_path / "weights.lock")
    assert ["weights.lock"] == [file.name for file in tmp_path.iterdir()]


def test_a_symbolic_link_to_the_lock_stays(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "weights.lock")
    write_lock(Lock({"m": MODEL}), link)
    assert link.is_symlink()
    assert Lock({"m": MODEL}) == read_lock(tmp_path / "weights.lock")


def test_the_order_of_facts_does_not_change_the_bytes(tmp_path: Path) -> None:
    turned = LockedModel(files=dict(reversed(MODEL.files.items())), repo="r/r")

    write_lock(Lock({"m": MODEL, "n": MODEL}), tmp_path / "one")
    write_lock(Lock({"n": turned, "m": turned}), tmp_path / "two")

    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert (tmp_path / "one").read_text().endswith("}\n")


@pytest.mark.parametrize("text", ["", "[]", '{"models": {"m": {"files": {"a": {"size": "x"}}}}}', '{"version": 2}'])
def test_what_is_no_lock_is_refused_by_name(tmp_path: Path, text: str) -> None:
    (tmp_path / "weights.lock").write_text(text)

    with pytest.raises(ValueError, match=r"weights\.lock: "):
        read_lock(tmp_path / "weights.lock")


def test_a_lock_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read_lock(tmp_path / "weights.lock")


@pytest.mark.parametrize("path", ["../x", "/x", "a/../../x", "a//b", "./x", "", "a\\b", "a/./b"])
def test_a_path_that_leads_elsewhere_is_refused(tmp_path: Path, path: str) -> None:
    files = {path: {"size": 1, "sha256": "00"}}
    (tmp_path / "weights.lock").write_text(json.dumps({"models": {"m": {"files": files}}}))

    with pytest.raises(ValueError, match="does not stay in its folder"):
        read_lock(tmp_path / "weights.lock")


class TestPickles:
    def test_on_disk_are_the_safetensors(self) -> None:
        made = Converted(size=2, sha256="11")
        pickled = LockedFile(size=1, sha256="00", converted=made)

        assert {"d/ve.safetensors": made} == LockedModel(files={"d/ve.pt": pickled}).on_disk()

    def test_both_of_one_name_are_refused(self) -> None:
        file = LockedFile(size=1, sha256="00")

        with pytest.raises(ValueError, match="choose one by `include` or `exclude`"):
            LockedModel(files={"ve.pt": file, "ve.safetensors": file})


class TestTheCommittedLock:
    def test_is_as_written(self, tmp_path: Path) -> None:
        write_lock(read_lock(), tmp_path / "again")

        assert (tmp_path / "again").read_bytes() == SHIPPED.read_bytes()

    def test_the_lock_has_exactly_the_bundles_of_the_catalog(self) -> None:
        lock, bundles = read_lock(), [bundle for model in load_catalog().models for bundle in model.bundles]

        assert {bundle.key for bundle in bundles} == set(lock.models)
        assert [] == [bundle.key for bundle in bundles if not lock.models[bundle.key].is_of(bundle)]

    def test_has_only_files_that_the_catalogue_wants(self) -> None:
        lock = read_lock()
        unwanted = [
            f"{bundle.key}: {path}"
            for model in load_catalog().models
            for bundle in model.bundles
            if bundle.source.repo is not None
            for path in lock.models[bundle.key].files
            if not is_wanted(bundle.source, path)
        ]

        assert [] == unwanted

    @pytest.mark.parametrize(
        "key",
        [
            *("flux2-klein-4b", "wan2.2-ti2v-5b", "qwen-image-edit-2511+lightning", "demo-shapes"),
            *("birefnet-general", "birefnet-general-lite", "isnet-general-use", "u2net"),
        ],
    )
    def test_knows_everything_about_these(self, key: str) -> None:
        files = read_lock().models[key].files

        assert [] == [path for path, facts in files.items() if facts.size is None or facts.sha256 is None]

    def test_has_the_file_that_each_lora_names(self) -> None:
        lock = read_lock()
        for model in load_catalog().models:
            for name, lora in model.loras.items():
                assert lora.file in lock.models[f"{model.id}+{name}"].files


def test_what_ships_with_the_repository_is_what_the_lock_says() -> None:
    for model in load_catalog().models:
        folder = model.directory(Path("weights"))
        if model.source.shipped and folder.exists():
            verify(model, read_lock(), Path("weights"))
