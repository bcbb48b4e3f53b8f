"""Measuring the ratios of MagCache."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.magcache import measure
from tests.support.checkpoints.image_runs import loaded, run
from tests.support.checkpoints.tiny_checkpoints import save


@pytest.fixture
def pipeline(tmp_path: Path) -> Any:
    save("qwenimage", tmp_path / "qwenimage")
    return loaded("qwenimage", tmp_path)


def test_a_run_gives_a_ratio_for_each_step(pipeline: Any) -> None:
    transformer = pipeline.pipe.transformer
    ratios = measure(transformer, 6, lambda: run(pipeline, num_inference_steps=6))
    assert (6, 1.0) == (len(ratios), ratios[0])
    assert all(0.3 < ratio < 3 for ratio in ratios)
    assert not transformer.is_cache_enabled


def test_a_run_of_other_steps_is_an_error(pipeline: Any) -> None:
    with pytest.raises(ValueError, match="did not have 9 steps"):
        measure(pipeline.pipe.transformer, 9, lambda: run(pipeline, num_inference_steps=6))
