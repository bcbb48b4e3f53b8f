"""The probe files of a worker."""

import os
import time

from core.settings import Settings
from workers.probe_files import ProbeFiles


def test_both_files_have_the_present_time(tmp_path):
    files = ProbeFiles(Settings(scratch_dir=str(tmp_path / "new")), "gpu")
    files.touch(ready=True)
    assert tmp_path / "new" / "gpu-worker.alive" == files.alive
    assert {"gpu-worker.alive", "gpu-worker.ready"} == {path.name for path in (tmp_path / "new").iterdir()}
    assert abs(time.time() - files.ready.stat().st_mtime) < 10


def test_the_ready_file_of_a_worker_that_is_not_ready_ages(tmp_path):
    files = ProbeFiles(Settings(scratch_dir=str(tmp_path)), "gpu")
    files.touch(ready=True)
    for path in (files.alive, files.ready):
        os.utime(path, (1000, 1000))
    files.touch(ready=False)
    assert 1000 == files.ready.stat().st_mtime
    assert files.alive.stat().st_mtime > 1000


def test_the_files_may_be_removed_twice(tmp_path):
    files = ProbeFiles(Settings(scratch_dir=str(tmp_path)), "cpu")
    files.touch(ready=True)
    files.remove()
    files.remove()
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_written_to_is_ignored(tmp_path):
    (tmp_path / "in the way").write_text("")
    files = ProbeFiles(Settings(scratch_dir=str(tmp_path / "in the way")), "gpu")
    files.touch(ready=True)
    assert not files.alive.exists()
