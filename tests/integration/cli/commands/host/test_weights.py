"""`atelier weights list`, `verify` and `import`: all that asks no hub."""

import json
import os
from pathlib import Path

import pytest

from pipelines.weights.lockfile import Facts, LockedFile, write_lock
from tests.support.servers.hub import Hub, Machine, sha256

REPO, COMMIT = "maker/model", "c" * 40
SOURCE = f'{{ repo = "{REPO}", revision = "{COMMIT}" }}'
FILES = {"model_index.json": b"{}", "unet/model.safetensors": os.urandom(3000), "vae/model.safetensors": bytes(3000)}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine that knows one model and reaches no hub."""
    with Hub() as hub:
        made = Machine(tmp_path, hub)
    made.add_model("tiny", SOURCE)
    made.write_lock("tiny", REPO, COMMIT, FILES)
    return made


def write(folder: Path, files: dict[str, bytes]) -> Path:
    for path, data in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
    return folder


def hub_cache(folder: Path) -> Path:
    """The files as huggingface_hub keeps them: links below `snapshots` to blobs by sha256."""
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
        carried = layout(tmp_path / "carried")

        assert "tiny: ready" in machine.run_here("import", str(carried), *(["--link"] if link else []))

        assert FILES == machine.files("tiny")
        inode = (machine.weights / "tiny" / "unet" / "model.safetensors").stat().st_ino
        assert link == (inode in {file.stat().st_ino for file in carried.rglob("*")})
        assert "tiny: as locked" in machine.run_here("verify", "tiny")

    def test_only_what_is_right_is_taken_and_what_is_missing_is_named(self, machine: Machine, tmp_path: Path) -> None:
        carried = write(tmp_path / "carried", FILES | {"unet/model.safetensors": b"x" * 3000})
        (carried / "model_index.json").unlink()

        said = machine.run_here("import", str(carried), status=1)

        assert "tiny: unet/model.safetensors: only files with another sha256 are there" in said
        assert "tiny: model_index.json: it is not there" in said
        assert {"vae/model.safetensors"} == set(machine.files("tiny"))

    def test_a_model_of_which_there_is_nothing_matters_only_when_it_is_named(
        self, machine: Machine, tmp_path: Path
    ) -> None:
        (tmp_path / "empty").mkdir()

        assert "tiny: not fetched" in machine.run_here("import", str(tmp_path / "empty"))
        assert "it is not there" in machine.run_here("import", str(tmp_path / "empty"), "tiny", status=1)

    def test_safetensors_that_a_pickle_became_elsewhere(self, machine: Machine, tmp_path: Path) -> None:
        made = b"made of it"
        lock = machine.lock()
        lock.models["tiny"].files["ve.pt"] = LockedFile(
            size=5, sha256="0" * 64, converted=Facts(size=len(made), sha256=sha256(made))
        )
        write_lock(lock, machine.lock_file)

        machine.run_here("import", str(write(tmp_path / "carried", {**FILES, "ve.safetensors": made})))

        assert {**FILES, "ve.safetensors": made} == machine.files("tiny")
        assert "tiny: as locked" in machine.run_here("verify", "tiny")


class TestVerify:
    def test_every_difference_is_named(self, machine: Machine) -> None:
        write(machine.weights / "tiny", FILES | {"vae/model.safetensors": b"y" * 3000, "model_index.json": b"[]"})

        said = machine.run_here("verify", status=1)

        assert "tiny: vae/model.safetensors is not the file of weights.lock" in said
        assert "tiny: model_index.json is not the file of weights.lock" in said
        assert "unet" not in said

    def test_what_is_not_here_matters_only_when_it_is_named(self, machine: Machine) -> None:
        assert "tiny: not fetched" in machine.run_here("verify")
        assert "tiny: model_index.json is missing" in machine.run_here("verify", "tiny", status=1)

    def test_a_part_of_a_model_is_a_difference(self, machine: Machine) -> None:
        write(machine.weights / "tiny", {"model_index.json": b"{}"})

        assert "tiny: unet/model.safetensors is missing" in machine.run_here("verify", status=1)


class TestList:
    def test_a_row_for_each_model(self, machine: Machine) -> None:
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

        said = machine.run_here("list", ATELIER_ALLOWED_LICENSES="apache-2.0, BSD-3-Clause")

        assert "tiny standard Apache-2.0 6.0 kB ready" in said
        assert "other standard MIT 6.0 kB licence refused" in said
        assert "half standard Apache-2.0 6.0 kB partial: 1 of 3 files" in said
        assert "more standard Apache-2.0 6.0 kB stray files" in said
        assert "vague standard Apache-2.0 at least 6.0 kB unknown facts: 1 of 3 files" in said
        assert "new standard Apache-2.0 not locked" in said

    def test_json_for_a_program(self, machine: Machine) -> None:
        (found,) = json.loads(machine.run_here("list", "--json"))

        assert ("tiny", "not fetched", 3, 0, 6002) == (
            found["id"],
            found["state"],
            found["files"],
            found["files_here"],
            found["size"],
        )
        assert "tiny: model_index.json is missing." == found["why"]


def test_a_licence_that_is_not_allowed_is_not_fetched(machine: Machine) -> None:
    said = machine.run_here("fetch", "tiny", status=1, ATELIER_ALLOWED_LICENSES="MIT")

    assert "tiny: its license Apache-2.0 is not in `ATELIER_ALLOWED_LICENSES`" in said


def test_an_unknown_model_is_a_usage_error(machine: Machine) -> None:
    assert "there are tiny" in machine.run_here("fetch", "nonsense", status=2)


def test_a_folder_of_the_operators_own_is_locked_as_it_is(machine: Machine, tmp_path: Path) -> None:
    machine.add_model("own", '{ path = "own" }')
    write(machine.weights / "own", FILES)

    machine.run_here("lock", "own")

    assert {path: sha256(data) for path, data in FILES.items()} == {
        path: facts.sha256 for path, facts in machine.lock().models["own"].files.items()
    }
    assert "there is nothing to fetch" in machine.run_here("fetch", "own", status=1)
