"""`ATELIER_ALLOWED_LICENSES` in real processes: the worker offers nothing else, and its engine loads nothing else."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.catalog.spec import Deadlines
from tests.support.paths import CATALOG
from workers.ipc.child_process import ChildProcess
from workers.ipc.messages import Compute, Failed


def test_the_engine_refuses_another_license(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ATELIER_CATALOG", str(CATALOG))
    monkeypatch.setenv("ATELIER_ALLOWED_LICENSES", "OpenRAIL++-M")
    engine = ChildProcess("workers.engine.engine")
    try:
        answer = engine.request(
            Compute(
                ticket="job-1",
                model="chaos",
                modality="image",
                params={"modality": "image", "prompt": "x", "output_format": "png"},
                seed=1,
                folder=str(tmp_path),
            ),
            Deadlines(load=60.0),
        )
    finally:
        engine.stop()

    assert isinstance(answer, Failed)
    assert ("licence_refused", False) == (answer.error.code, answer.fatal)
    assert "chaos: its license" in answer.error.message


@pytest.mark.long
def test_a_worker_says_what_it_does_not_serve_and_why() -> None:
    environment = os.environ | {"ATELIER_CATALOG": str(CATALOG), "ATELIER_ALLOWED_LICENSES": "OpenRAIL++-M"}

    outcome = subprocess.run(
        [sys.executable, "-m", "workers.gpu.main"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert 1 == outcome.returncode
    assert "not served: chaos: its license" in outcome.stderr
    assert "no model of the catalog can be served" in outcome.stderr
