"""The table of the results."""

from pathlib import Path

import pytest

from benchmarks import report as reports
from benchmarks.report import Figure, Report


def test_the_table_says_what_was_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "RESULTS", tmp_path)
    monkeypatch.setattr(reports, "TABLE", tmp_path / "README.md")
    notes = ["wan22, weights: skipped, it needs about 70 s and 20 s were left"]
    machine = "16 CPU cores, x86_64, NVIDIA H200 with 150 GB, driver 580.82.07, torch 2.11.0+cu130"
    Report(name="gpu", title="One GPU", figures=[Figure("a", 1.0, "s")], notes=notes, machine=machine).write()
    reports.write_table()
    table = (tmp_path / "README.md").read_text()
    assert machine in table
    assert f"| a | 1.000 s |  |\n\n- {notes[0]}\n" in table
