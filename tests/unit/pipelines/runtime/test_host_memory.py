"""Memory that a process may use: its machine's, its container's, or its slice's."""

from pathlib import Path

import pytest

from pipelines.runtime import control_groups as module
from pipelines.runtime.host_memory import available_memory, host_memory

GROUP_1 = "9:name=systemd:/\n4:memory:/kubepods/pod1/abc\n3:cpu,cpuacct:/\n0::/\n"
UNLIMITED = str(2**63 - 4096)


@pytest.fixture
def root(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(module, "_GROUPS", tmp_path / "self")
    monkeypatch.setattr(module, "_MOUNT", tmp_path / "mount")
    return tmp_path


def limit(root: Path, groups: str, **files: str) -> int:
    """Return what is found with these limits, by the path of their file below the mount."""
    (root / "self").write_text(groups)
    for name, text in files.items():
        file = root / "mount" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    return host_memory()


def test_without_a_limit_it_is_the_machines(root):
    everything = host_memory()
    assert 2**28 < everything
    assert everything == limit(root, "0::/", **{"memory.max": "max"})
    assert everything == limit(root, GROUP_1, **{"memory/memory.limit_in_bytes": UNLIMITED})


def test_a_containers_limit_of_version_2(root):
    assert 5000 == limit(root, "0::/\n", **{"memory.max": "5000"})


def test_the_limit_of_a_slice_above_it(root):
    files = {"system.slice/atelier.service/memory.max": "max", "system.slice/memory.max": "7000"}
    assert 7000 == limit(root, "0::/system.slice/atelier.service\n", **files)


def test_the_lowest_limit_counts(root):
    files = {"a.slice/b.service/memory.max": "3000", "a.slice/memory.max": "4000", "memory.max": "9000"}
    assert 3000 == limit(root, "0::/a.slice/b.service\n", **files)


def test_a_pods_limit_of_version_1(root):
    assert 6000 == limit(root, GROUP_1, **{"memory/kubepods/pod1/abc/memory.limit_in_bytes": "6000"})


def test_a_mount_that_shows_only_the_own_group(root):
    assert 8000 == limit(root, GROUP_1, **{"memory/memory.limit_in_bytes": "8000"})
    assert 8000 == limit(root, "0::/kubepods/pod1/abc\n", **{"memory.max": "8000"})


def test_without_control_groups_it_is_the_machines(root):
    assert 2**28 < host_memory()


class TestAvailable:
    """Memory that is free, or held by files that were read."""

    def test_without_a_limit_it_is_the_machines(self, root):
        (root / "self").write_text("0::/")
        assert 0 < available_memory() < host_memory()

    def test_a_container_has_what_its_limit_leaves(self, root):
        files = {"memory.max": "5000", "memory.current": "4000", "memory.stat": "anon 1\ninactive_file 700\nx 2"}
        limit(root, "0::/\n", **files)
        assert 1700 == available_memory()

    def test_a_container_of_version_1_too(self, root):
        names = {"limit_in_bytes": "5000", "usage_in_bytes": "4000", "stat": "cache 9\ntotal_inactive_file 500"}
        limit(root, GROUP_1, **{f"memory/memory.{name}": text for name, text in names.items()})
        assert 1500 == available_memory()
