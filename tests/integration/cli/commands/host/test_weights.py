"""`atelier weights list`, `verify` and `import`, without a hub."""

import json
import os
from pathlib import Path

import msgspec
import pytest

from pipelines.weights.lockfile import Converted, LockedFile, write_lock
from tests.support.servers.hub import Hub, Machine, sha256

REPO, COMMIT = "maker/model", "c" * 40
SOURCE = f'{{ repo = "{REPO}", revision = "{COMMIT}" }}'
FILES = {"model_index.json": b"{}", "unet/model.safetensors": os.urandom(3000), "vae/model.safetensors": bytes(3000)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with one model in its catalog that cannot reach a hub."""
    with Hub() as hub:
        machine = Machine(tmp_path, hub)
    machine.add_model("tiny", SOURCE)
    machine.write_lock("tiny", REPO, COMMIT, FILES)
    return machine


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def hub_cache(folder: Path) -> Path:
    """Write the files as huggingface_hub stores them: links below `snapshots` to blobs by sha256."""
    repo = folder / "hub" / "models--maker--model"
    write(repo / "blobs", {sha256(data): data for data in FILES.values()})
    for path, data in FILES.items():
        link = repo / "snapshots" / COMMIT / path
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(repo / "blobs" / sha256(data), link.parent))
    return folder


def plain_repository(folder: Path) -> Path:
    return write(folder / "model", FILES).parent


def weights_folder(folder: Path) -> Path:
    return write(folder / "tiny", FILES).parent


def heap(folder: Path) -> Path:
    return write(folder, {f"{number}.dat": data for number, data in enumerate(FILES.values())})


class TestImport:
    @pytest.mark.parametrize("layout", [hub_cache, plain_repository, weights_folder, heap])
    @pytest.mark.parametrize("link", [False, True])
    def test_files_are_found_in_any_layout(self, machine: Machine, tmp_path: Path, layout, link: bool) -> None:
        source = layout(tmp_path / "source")

        assert "tiny: ready" in machine.run_here("import", str(source), *(["--link"] if link else []))

        assert FILES == machine.files("tiny")
        inode = (machine.weights / "tiny" / "unet" / "model.safetensors").stat().st_ino
        assert link == (inode in {file.stat().st_ino for file in source.rglob("*")})
        assert "tiny: as locked" in machine.run_here("verify", "tiny")

    def test_only_right_files_are_imported(self, machine: Machine, tmp_path: Path) -> None:
        source = write(tmp_path / "source", FILES | {"unet/model.safetensors": b"x" * 3000})
        (source / "model_index.json").unlink()

        output = machine.run_here("import", str(source), status=1)

        assert "tiny: unet/model.safetensors: only files with another sha256 are there" in output
        assert "tiny: model_index.json: it is not there" in output
        assert {"vae/model.safetensors"} == set(machine.files("tiny"))

    def test_a_model_without_files_fails_only_when_named(self, machine: Machine, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()

        assert "tiny: not fetched" in machine.run_here("import", str(tmp_path / "empty"))
        assert "it is not there" in machine.run_here("import", str(tmp_path / "empty"), "tiny", status=1)

    def test_an_unknown_sha256_is_refused(self, machine: Machine, tmp_path: Path) -> None:
        lock = machine.lock()
        lock.models["tiny"].files["vae/model.safetensors"] = LockedFile(size=3000, sha256=None)
        write_lock(lock, machine.lock_file)

        said = machine.run_here("import", str(plain_repository(tmp_path / "source")), "tiny", status=1)

        assert "run `atelier weights lock tiny` on a connected machine" in said
        assert {} == machine.files("tiny")

    def test_a_pickle_converted_elsewhere_is_imported(self, machine: Machine, tmp_path: Path) -> None:
        tensors = b"tensors of the pickle"
        lock = machine.lock()
        lock.models["tiny"].files["ve.pt"] = LockedFile(
            size=5, sha256="0" * 64, converted=Converted(size=len(tensors), sha256=sha256(tensors))
        )
        write_lock(lock, machine.lock_file)

        machine.run_here("import", str(write(tmp_path / "source", {**FILES, "ve.safetensors": tensors})))

        assert {**FILES, "ve.safetensors": tensors} == machine.files("tiny")
        assert "tiny: as locked" in machine.run_here("verify", "tiny")

    def test_safetensors_cast_elsewhere_are_imported(self, machine: Machine, tmp_path: Path) -> None:
        lock = machine.lock()
        path, cast = "unet/model.safetensors", b"half as long"
        how = Converted(size=len(cast), sha256=sha256(cast), dtype="bfloat16")
        lock.models["tiny"].files[path] = msgspec.structs.replace(lock.models["tiny"].files[path], converted=how)
        write_lock(lock, machine.lock_file)

        machine.run_here("import", str(write(tmp_path / "source", {**FILES, path: cast})))

        assert {**FILES, path: cast} == machine.files("tiny")
        assert "tiny: as locked" in machine.run_here("verify", "tiny")


class TestVerify:
    def test_every_difference_is_named(self, machine: Machine) -> None:
        write(machine.weights / "tiny", FILES | {"vae/model.safetensors": b"y" * 3000, "model_index.json": b"[]"})

        output = machine.run_here("verify", status=1)

        assert "tiny: vae/model.safetensors is not the file of weights.lock" in output
        assert "tiny: model_index.json is not the file of weights.lock" in output
        assert "unet" not in output

    def test_a_missing_model_is_a_difference_only_when_named(self, machine: Machine) -> None:
        assert "tiny: not fetched" in machine.run_here("verify")
        assert "tiny: model_index.json is missing" in machine.run_here("verify", "tiny", status=1)

    def test_a_partial_model_is_a_difference(self, machine: Machine) -> None:
        write(machine.weights / "tiny", {"model_index.json": b"{}"})

        assert "tiny: unet/model.safetensors is missing" in machine.run_here("verify", status=1)


class TestList:
    def test_each_model_has_a_row(self, machine: Machine) -> None:
        machine.add_model("other", SOURCE, licence="MIT")
        machine.add_model("half", SOURCE)
        machine.add_model("vague", SOURCE)
        machine.add_model("new", SOURCE)
        machine.add_model("more", SOURCE)
        for key in ("other", "half", "vague", "more"):
            machine.write_lock(key, REPO, COMMIT, FILES)
        lock = machine.lock()
        lock.models["vague"].files["model_index.json"] = LockedFile(size=None, sha256=None)
        write_lock(lock, machine.lock_file)
        write(machine.weights / "tiny", FILES)
        write(machine.weights / "half", {"model_index.json": b"{}"})
        write(machine.weights / "more", FILES | {".cache/huggingface/CACHEDIR.TAG": b"x"})

        output = machine.run_here("list", ATELIER_ALLOWED_LICENSES="apache-2.0, BSD-3-Clause")

        assert "tiny standard Apache-2.0 ready 6.0 kB" in output
        assert "other standard MIT licence refused 6.0 kB" in output
        assert "half standard Apache-2.0 partial: 1 of 3 files 6.0 kB" in output
        assert "more standard Apache-2.0 stray files 6.0 kB" in output
        assert "vague standard Apache-2.0 not fetched at least 6.0 kB" in output
        assert "new standard Apache-2.0 not fetched" in output
        assert "sha256" not in output
        said = machine.run_here("list", TTY_COMPATIBLE="1", COLUMNS="300", LINES="40", TERM="dumb", NO_COLOR="1")
        assert "weights.lock does not have the sha256 of every file of vague, new yet: `atelier weights fetch`" in said
        assert "more: .cache/huggingface/CACHEDIR.TAG is not in weights.lock; remove it" in said
        states = {one["id"]: one["state"] for one in json.loads(machine.run_here("list", "--json"))}
        assert ("unknown facts", "unknown facts") == (states["vague"], states["new"])

    def test_a_folder_that_is_here_only_says_how_it_is_locked(self, machine: Machine) -> None:
        machine.add_model("own", '{ path = "own" }')

        output = machine.run_here("list", TTY_COMPATIBLE="1", COLUMNS="300", LINES="40", TERM="dumb", NO_COLOR="1")

        assert "own standard Apache-2.0 not locked" in output
        assert "own is not in weights.lock; run `atelier weights lock`." in output

    def test_json_has_the_state_of_each_model(self, machine: Machine) -> None:
        (found,) = json.loads(machine.run_here("list", "--json"))

        assert ("tiny", "not fetched", 3, 0, 6002) == (
            found["id"],
            found["state"],
            found["files"],
            found["files_here"],
            found["size"],
        )
        assert "tiny: model_index.json is missing." == found["why"]
        assert ({"bfloat16": 6000, "float16": 6000, "float32": 12000}, 60.0, None, False) == tuple(
            found[name] for name in ("weights_bytes", "estimated_seconds", "estimated_on", "is_measured")
        )


def test_a_license_that_is_not_allowed_is_not_fetched(machine: Machine) -> None:
    output = machine.run_here("fetch", "tiny", status=1, ATELIER_ALLOWED_LICENSES="MIT")

    assert "tiny: its license Apache-2.0 is not in `ATELIER_ALLOWED_LICENSES`" in output


def test_an_unknown_model_is_a_usage_error(machine: Machine) -> None:
    assert "Unknown model 'nonsense'; `atelier weights list` lists the models." in machine.run_here(
        "fetch", "nonsense", status=2
    )
    assert "did you mean 'tiny'?" in machine.run_here("fetch", "tinny", status=2)


def test_a_local_folder_is_locked_as_it_is(machine: Machine, tmp_path: Path) -> None:
    machine.add_model("own", '{ path = "own" }')
    write(machine.weights / "own", FILES)

    machine.run_here("lock", "own")

    assert {path: sha256(data) for path, data in FILES.items()} == {
        path: facts.sha256 for path, facts in machine.lock().models["own"].files.items()
    }
    assert "there is nothing to fetch" in machine.run_here("fetch", "own", status=1)
