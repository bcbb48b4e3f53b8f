"""The files that probes look at."""

import os
import time

from core.settings import Settings
from workers.probe_files import ProbeFiles


def test_both_files_have_the_present_time(tmp_path):
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path / "new")), "gpu")
    signs.touch(ready=True)
    assert tmp_path / "new" / "gpu-worker.alive" == signs.alive
    assert {"gpu-worker.alive", "gpu-worker.ready"} == {path.name for path in (tmp_path / "new").iterdir()}
    assert abs(time.time() - signs.ready.stat().st_mtime) < 10


def test_the_ready_file_of_a_worker_that_is_not_ready_ages(tmp_path):
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path)), "gpu")
    signs.touch(ready=True)
    for path in (signs.alive, signs.ready):
        os.utime(path, (1000, 1000))
    signs.touch(ready=False)
    assert 1000 == signs.ready.stat().st_mtime
    assert signs.alive.stat().st_mtime > 1000


def test_the_files_may_be_removed_twice(tmp_path):
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path)), "cpu")
    signs.touch(ready=True)
    signs.remove()
    signs.remove()
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_ignored(tmp_path):
    (tmp_path / "in the way").write_text("")
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path / "in the way")), "gpu")
    signs.touch(ready=True)
    assert not signs.alive.exists()
