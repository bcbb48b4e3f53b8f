"""The commanded family does what its prompt says; fault tests stand on it."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from jobs.params.image import ImageParams
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from tests.support.checkpoints.specs import spec
from tests.support.faults.chaos import EXIT_STATUS, Chaos, draw_image

CHAOS = Chaos(spec(), Path(), "cpu")


def run(prompt: str, reports: list[tuple[float, Stage]] | None = None, seed: int = 5) -> RawOutput:
    log = [] if reports is None else reports
    context = RunContext(seed=seed, progress=lambda part, stage: log.append((part, stage)), warn=lambda text: None)
    return CHAOS.run(ImageParams(prompt=prompt), Inputs(), context)


def test_a_picture_of_the_seed() -> None:
    assert np.array_equal(draw_image(5), run("anything").arrays["0"])
    assert not np.array_equal(draw_image(5), run("anything", seed=6).arrays["0"])
    assert (16, 16, 3) == run("side=16").arrays["0"].shape


def test_as_many_pictures_as_asked_for() -> None:
    context = RunContext(seed=5, progress=lambda part, stage: None, warn=lambda text: None)
    made = CHAOS.run(ImageParams(prompt="null=1", num_images=3), Inputs(), context)
    assert ["0", "1", "2"] == list(made.arrays)
    assert np.array_equal(draw_image(7), made.arrays["2"])


def test_an_echo_shows_the_inputs_it_saw(tmp_path: Path) -> None:
    for name, seed in (("b.png", 1), ("a.png", 2)):
        Image.fromarray(draw_image(seed)).save(tmp_path / name)
    inputs = Inputs({"reference_images.0": tmp_path / "b.png", "input_image": tmp_path / "a.png"})
    context = RunContext(seed=5, progress=lambda part, stage: None, warn=lambda text: None)
    made = CHAOS.run(ImageParams(prompt="echo=1"), inputs, context)
    assert [2, 1] == [next(n for n in (1, 2) if np.array_equal(draw_image(n), a)) for a in made.arrays.values()]


def test_steps_and_time() -> None:
    reports: list[tuple[float, Stage]] = []
    began = time.monotonic()

    run("a cat compute=0.1 steps=4", reports)

    assert 0.1 <= time.monotonic() - began < 0.5
    assert [(0.0, "prepare"), (0.2, "step"), (0.4, "step"), (0.6, "step"), (0.8, "decode")] == reports


def test_null_reports_nothing() -> None:
    reports: list[tuple[float, Stage]] = []
    run("null=1", reports)

    assert [] == reports


def test_orders_to_fail() -> None:
    with pytest.raises(RuntimeError, match="boo"):
        run("fail=boo")
    with pytest.raises(MemoryError):
        run("oom=1")
    assert ("hm",) == run("warn=hm").warnings


def test_cancel_at_a_step() -> None:
    def stop(part: float, stage: Stage) -> None:
        raise JobCancelled

    with pytest.raises(JobCancelled):
        CHAOS.run(ImageParams(prompt="steps=3"), Inputs(), RunContext(seed=1, progress=stop, warn=print))


def test_crash_ends_the_process_and_no_torch_is_imported() -> None:
    code = (
        "import sys; from pathlib import Path; from jobs.params.image import ImageParams;"
        "from pipelines.runtime.protocol import Inputs, RunContext; from tests.support.faults.chaos import Chaos;"
        "assert 'torch' not in sys.modules;"
        "Chaos.run(Chaos.__new__(Chaos), ImageParams(prompt='crash_at=1 steps=2'), Inputs(),"
        "RunContext(seed=1, progress=lambda *a: print(a), warn=print))"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)

    assert EXIT_STATUS == ended.returncode
