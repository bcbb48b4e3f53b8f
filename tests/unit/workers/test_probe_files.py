"""The files that probes look at."""

import os
import time

from core.settings import Settings
from workers.probe_files import ProbeFiles


def test_both_files_are_of_now(tmp_path):
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path / "new")), "gpu")
    signs.touch(ready=True)
    assert tmp_path / "new" / "gpu-worker.alive" == signs.alive
    assert {"gpu-worker.alive", "gpu-worker.ready"} == {path.name for path in (tmp_path / "new").iterdir()}
    assert abs(time.time() - signs.ready.stat().st_mtime) < 10


def test_what_is_not_ready_any_more_grows_old(tmp_path):
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path)), "gpu")
    signs.touch(ready=True)
    for path in (signs.alive, signs.ready):
        os.utime(path, (1000, 1000))
    signs.touch(ready=False)
    assert 1000 == signs.ready.stat().st_mtime
    assert signs.alive.stat().st_mtime > 1000


def test_nothing_is_left_at_the_end_and_that_may_be_said_twice(tmp_path):
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path)), "cpu")
    signs.touch(ready=True)
    signs.remove()
    signs.remove()
    assert [] == list(tmp_path.iterdir())


def test_a_folder_that_can_not_be_written_to_costs_no_more_than_the_probe(tmp_path):
    (tmp_path / "in the way").write_text("")
    signs = ProbeFiles(Settings(scratch_dir=str(tmp_path / "in the way")), "gpu")
    signs.touch(ready=True)
    assert not signs.alive.exists()
