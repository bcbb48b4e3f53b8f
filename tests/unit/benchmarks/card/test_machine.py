"""The card and its driver, as the results name them."""

from pathlib import Path

import pytest

from benchmarks.card.machine import driver, probe


def test_the_driver_is_what_its_tool_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 580.82.07\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert "580.82.07" == driver()


def test_without_the_tool_the_driver_is_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "unknown" == driver()


@pytest.mark.long
def test_a_machine_without_a_gpu_names_its_torch() -> None:
    device, machine = probe()
    assert "cpu" == device
    assert ", no GPU, torch 2." in machine
