"""The folder of a worker, and those that dead workers left."""

import os
from pathlib import Path

import pytest

from core.settings import Settings
from workers.scratch import Scratch


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(scratch_dir=str(tmp_path), server_id="gpu/1")


def test_only_unlocked_folders_are_removed(settings: Settings, tmp_path: Path) -> None:
    living, mine = Scratch(settings), Scratch(settings)
    dead = tmp_path / "atelier-gpu_1-abcdefgh"
    other = tmp_path / "atelier-gpu_1-b-abcdefgh"
    for folder in (dead, other):
        folder.mkdir()
    mine.remove_leftovers()
    assert {living.path, mine.path, other} == set(tmp_path.iterdir())
    living.remove()
    mine.remove()
    assert [other] == list(tmp_path.iterdir())


def test_removing_twice_does_no_harm(settings: Settings) -> None:
    scratch = Scratch(settings)
    scratch.folder("job_1-1").mkdir()
    scratch.remove()
    scratch.remove()
    assert not scratch.path.exists()


def test_a_lock_ends_with_its_process(settings: Settings, tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:
        Scratch(settings)
        os._exit(0)
    os.waitpid(pid, 0)
    mine = Scratch(settings)
    mine.remove_leftovers()
    assert [mine.path] == list(tmp_path.iterdir())
