"""Tars whose bytes follow from their content."""

import io
import os
import tarfile

from scripts.release import archives


def test_order_and_day_do_not_change_an_archive(tmp_path):
    files = [("a/x", b"1", False), ("a/run", b"2", True)]
    first = archives.write_tar(tmp_path / "one.tgz", files, 1_700_000_000).read_bytes()
    second = archives.write_tar(tmp_path / "two.tgz", reversed(files), 1_700_000_000).read_bytes()
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        found = {one.name: (one.mode, one.mtime, one.uid, one.gid, one.uname) for one in archive}
    assert {
        "a/run": (0o755, 1_700_000_000, 0, 0, ""),
        "a/x": (0o644, 1_700_000_000, 0, 0, ""),
    } == found


def test_a_chart_is_packed_under_its_name(tmp_path):
    source = tmp_path / "helm"
    (source / "templates").mkdir(parents=True)
    (source / "Chart.yaml").write_text("name: atelier\n")
    (source / "templates" / "x.yaml").write_text("x: 1\n")
    first = archives.chart(source, tmp_path, "1.2.3", 1_700_000_000)
    assert "atelier-1.2.3.tgz" == first.name
    before = first.read_bytes()
    os.utime(source / "Chart.yaml", (1, 1))
    (source / "Chart.yaml").chmod(0o600)
    assert before == archives.chart(source, tmp_path, "1.2.3", 1_700_000_000).read_bytes()
    with tarfile.open(first) as archive:
        assert ["atelier/Chart.yaml", "atelier/templates/x.yaml"] == archive.getnames()
