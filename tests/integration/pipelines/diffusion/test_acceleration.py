"""Attention, compiled blocks, reused steps and the first run, with the code of the real families."""

import shutil
from itertools import product
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import ModelMixin
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import nn

from core.errors.failures import ModelLoadFailed
from pipelines.catalog.spec import Stage
from pipelines.diffusion import compilation
from pipelines.diffusion.acceleration import channels_last
from pipelines.memory.offload import Offload
from pipelines.runtime.protocol import Inputs, JobCancelled, RunContext
from tests.support.checkpoints.image_runs import asked, context, directly, image, loaded, run

RATIOS = (1.0, 0.8904, 1.1445, 0.9929, 0.9119, 1.1246, 0.9835, 0.9323, 0.9957, 0.9846)
RATIOS += (1.0357, 0.9277, 0.9133, 1.0166, 0.9915, 0.9897, 1.0521, 0.9638, 0.9707, 1.1395)
"""Of the tiny Qwen-Image in 20 steps, by `python -m benchmarks.magcache`."""
CACHES: dict[str, dict[str, Any]] = {
    "first-block": {"cache": "first-block", "cache_threshold": 0.9},
    "magcache": {"cache": "magcache", "cache_ratios": RATIOS, "cache_threshold": 0.06},
    "taylorseer": {"cache": "taylorseer", "cache_interval": 3},
}
REUSED = {"quality": {"fast": CACHES["first-block"]}}


class Evaluations:
    """How often the transformer ran, and its last block."""

    def __init__(self, pipeline: Any) -> None:
        self.whole = self.all = 0
        transformer = pipeline.pipe.transformer
        transformer.register_forward_hook(self._count_all)
        transformer.transformer_blocks[-1].attn.register_forward_hook(self._count_whole)

    def _count_all(self, *anything: object) -> None:
        self.all += 1

    def _count_whole(self, *anything: object) -> None:
        self.whole += 1


class TestReusedSteps:
    def test_a_preset_leaves_blocks_out_and_says_so(self, weights_dir: Path) -> None:
        pipeline = loaded("qwenimage", weights_dir, **REUSED)
        count = Evaluations(pipeline)

        raw = run(pipeline, quality="fast", num_inference_steps=6)

        assert 12 == count.all
        assert 2 <= count.whole < 12
        assert "first-block" == raw.metadata["cache"]

    @pytest.mark.long
    def test_every_other_job_has_the_pixels_of_diffusers(self, weights_dir: Path) -> None:
        pipeline = loaded("qwenimage", weights_dir, **REUSED)
        before, reused, after = (run(pipeline, quality=word) for word in ("standard", "fast", "standard"))

        for raw in (before, after):
            assert np.array_equal(directly(weights_dir / "qwenimage"), raw.arrays["0"])
            assert raw.metadata["cache"] is None
        assert not np.array_equal(before.arrays["0"], reused.arrays["0"])

    @pytest.mark.long
    def test_nothing_passes_from_one_image_to_the_next(self, weights_dir: Path) -> None:
        pipeline = loaded("qwenimage", weights_dir, **REUSED)
        both = run(pipeline, 1, quality="fast", num_images=2).arrays

        assert np.array_equal(image(pipeline, 2, quality="fast"), both["1"])
        assert np.array_equal(image(pipeline, 1, quality="fast"), both["0"])

    @pytest.mark.long
    def test_a_cancel_takes_it_off(self, weights_dir: Path) -> None:
        pipeline: Any = loaded("qwenimage", weights_dir, **REUSED)

        def stop(part: float, stage: Stage) -> None:
            if stage == "step":
                raise JobCancelled

        with pytest.raises(JobCancelled):
            pipeline.run(asked(quality="fast"), Inputs(), RunContext(seed=1, progress=stop, warn=print))

        assert not pipeline.pipe.transformer.is_cache_enabled
        assert np.array_equal(directly(weights_dir / "qwenimage"), image(pipeline))

    @pytest.mark.matrix
    @pytest.mark.parametrize(("name", "kind"), [*product(["zimage", "sdxl"], CACHES), ("flux2klein", "first-block")])
    def test_a_model_that_cannot_does_not_load(self, weights_dir: Path, name: str, kind: str) -> None:
        with pytest.raises(ModelLoadFailed, match="cannot reuse steps; remove `cache`"):
            loaded(name, weights_dir, quality={"fast": CACHES[kind]})

    @pytest.mark.matrix
    @pytest.mark.parametrize(
        ("name", "kind", "whole"),
        [("qwenimage", "magcache", 24), ("qwenimage", "taylorseer", 18), ("flux2klein", "taylorseer", 18)],
    )
    def test_a_cache_leaves_steps_out_and_stays_near(self, weights_dir: Path, name: str, kind: str, whole: int) -> None:
        """Of 20 steps with two evaluations each; a channel is off by a quarter of a level in the mean."""
        pipeline = loaded(name, weights_dir, quality={"fast": CACHES[kind]})
        count = Evaluations(pipeline)
        plain = image(pipeline, num_inference_steps=20).astype(int)
        before = count.whole
        raw = run(pipeline, quality="fast", num_inference_steps=20)

        assert (40, whole) == (before, count.whole - before)
        assert kind == raw.metadata["cache"]
        assert 0 < np.abs(raw.arrays["0"] - plain).mean() < 0.25
        assert np.array_equal(plain, image(pipeline, num_inference_steps=20))


class TestAttention:
    @pytest.mark.matrix
    @pytest.mark.parametrize(
        ("wanted", "used"),
        [("native", "native"), ("auto", "native"), ("_native_math", "_native_math"), ("flash", "native")],
    )
    def test_a_backend_that_fails_falls_back_to_native(self, weights_dir: Path, wanted: str, used: str) -> None:
        pipeline: Any = loaded("zimage", weights_dir, attention=wanted)
        made = image(pipeline).astype(int)

        assert used == pipeline.acceleration.attention.name
        assert (wanted == "flash") == bool(pipeline.warnings)
        assert np.abs(directly(weights_dir / "zimage") - made).max() <= 1


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks are traced and guarded as ever, and no code is generated, which takes minutes on two cores."""
    monkeypatch.setattr(compilation, "BACKEND", "eager")
    torch._dynamo.reset()


class Compilations:
    """Graphs that were compiled since this was made."""

    def __init__(self) -> None:
        self._before = self._all()

    @property
    def number(self) -> int:
        return self._all() - self._before

    def _all(self) -> int:
        return int(torch._dynamo.utils.counters["stats"]["unique_graphs"])


@pytest.mark.usefixtures("traced")
class TestCompiled:
    @pytest.mark.long
    def test_the_first_run_says_so_and_later_ones_compile_nothing(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir, compile=True)
        compilations = Compilations()
        logs: list[list[tuple[float, Stage]]] = [[], []]
        for log in logs:
            pipeline.run(asked(), Inputs(), context(log=log))
            assert 0 < compilations.number < 5

        assert ["compile", "prepare"] == [log[0][1] for log in logs]
        assert np.array_equal(directly(weights_dir / "zimage"), image(pipeline))

    @pytest.mark.long
    def test_another_size_and_an_offload_compile_nothing_new(self, weights_dir: Path) -> None:
        pipeline: Any = loaded("zimage", weights_dir, compile=True)
        compilations = Compilations()
        before = image(pipeline, width=96)
        number = compilations.number
        offload = Offload(pipeline.modules, "cpu")
        offload.offload()
        offload.restore()

        assert np.array_equal(before, image(pipeline, width=96))
        image(pipeline, width=128, height=64)
        assert number == compilations.number > 0

    @pytest.mark.long
    def test_a_run_ahead_of_the_first_job_compiles_for_it(self, weights_dir: Path) -> None:
        pipeline: Any = loaded("zimage", weights_dir, compile=True, defaults={"width": 64, "height": 64})
        logs: list[list[tuple[float, Stage]]] = [[], []]
        pipeline.warm_up(context(log=logs[0]))
        pipeline.run(asked(), Inputs(), context(log=logs[1]))

        assert ["compile", "compile", "decode"] == [stage for _, stage in logs[0]]
        assert "prepare" == logs[1][0][1]

    @pytest.mark.long
    def test_each_preset_has_its_graphs_and_says_so_once(self, weights_dir: Path) -> None:
        pipeline: Any = loaded("qwenimage", weights_dir, compile=True, **REUSED)
        stages = list[list[Stage]]()
        for quality in ("standard", "fast", "standard", "fast"):
            log: list[tuple[float, Stage]] = []
            pipeline.run(asked(quality=quality, num_inference_steps=3), Inputs(), context(log=log))
            stages.append([stage for _, stage in log])

        first, later = ["compile", "compile", "compile", "decode"], ["prepare", "step", "step", "decode"]
        assert [first, first, later, later] == stages
        assert () == pipeline.warnings


class Block(nn.Module):
    """Something to compile."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.gelu(values) + 1


class Tower(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """A model of two blocks."""

    _repeated_blocks = ["Block"]  # noqa: RUF012

    @register_to_config
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([Block(), Block()])

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            values = block(values)
        return values


class Tall:
    """A pipeline with a transformer."""

    def __init__(self) -> None:
        self.transformer = Tower()


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="without g++ no code for a CPU is made")
def test_code_is_kept_in_the_folder_of_the_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch._dynamo.reset()
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch._inductor.config, "compile_threads", 1)  # processes that import torch take longer
    monkeypatch.setattr(torch._inductor.config, "cpp_cache_precompile_headers", False)
    pipe, values = Tall(), torch.linspace(-2, 2, 34)
    expected = pipe.transformer(values)
    compilations = Compilations()

    assert compilation.compile_blocks(pipe)
    assert torch.allclose(expected, pipe.transformer(values))
    assert 1 == compilations.number
    assert list(tmp_path.rglob("*.so"))


@pytest.mark.long
def test_code_that_cannot_be_made_is_not_needed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    torch._dynamo.reset()
    monkeypatch.setenv("CXX", str(tmp_path / "no-compiler"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", (str(tmp_path / "no-compiler"),))
    pipe, values = Tall(), torch.linspace(-2, 2, 33)
    expected = pipe.transformer(values)

    assert compilation.compile_blocks(pipe)
    assert torch.allclose(expected, pipe.transformer(values))


@pytest.mark.usefixtures("traced")
def test_what_cannot_be_compiled_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(graph: object, inputs: object) -> None:
        raise ValueError("no compiler")

    monkeypatch.setattr(compilation, "BACKEND", broken)
    pipe, values = Tall(), torch.linspace(-2, 2, 33)
    expected = pipe.transformer(values)
    compiled = compilation.Compilation(pipe, wanted=True)
    assert () == compiled.warnings
    with compiled.run("any"):
        assert torch.equal(expected, pipe.transformer(values))

    (warning,) = compiled.warnings
    assert warning.startswith("compiled 0 graphs; what failed 1 times runs as it is: BackendCompilerFailed: ")
    assert "no compiler" in warning


@pytest.mark.usefixtures("traced")
def test_a_variant_is_compiled_once_its_run_has_ended() -> None:
    pipe, values = Tall(), torch.linspace(-2, 2, 34)
    compiled = compilation.Compilation(pipe, wanted=True)
    with pytest.raises(JobCancelled), compiled.run("one"):
        raise JobCancelled
    assert compiled.is_due("one")
    with compiled.run("one"):
        pipe.transformer(values)
    assert (False, True) == (compiled.is_due("one"), compiled.is_due("two"))
    assert () == compiled.warnings


def test_a_pipeline_without_known_blocks_is_reported() -> None:
    compiled = compilation.Compilation(SimpleNamespace(), wanted=True)
    assert ("is not compiled: its blocks are not known",) == compiled.warnings
    assert not compiled.is_due("any")
    assert () == compilation.Compilation(SimpleNamespace(), wanted=False).warnings


def test_a_model_that_needs_an_image_is_warmed_with_a_gray_one(weights_dir: Path) -> None:
    pipeline: Any = loaded("qwenedit", weights_dir, defaults={"width": 64, "height": 64, "guidance_scale": 1.0})
    log: list[tuple[float, Stage]] = []
    pipeline.warm_up(context(log=log))

    assert ["prepare", "step", "decode"] == [stage for _, stage in log]


@pytest.mark.long
def test_weights_of_an_images_autoencoder_may_lie_channels_last(weights_dir: Path) -> None:
    pipeline: Any = loaded("sdxl", weights_dir)
    channels_last(pipeline.pipe)
    offload = Offload(pipeline.modules, "cpu")
    offload.offload()
    offload.restore()

    assert pipeline.pipe.vae.decoder.conv_in.weight.is_contiguous(memory_format=torch.channels_last)
    assert np.abs(directly(weights_dir / "sdxl").astype(int) - image(pipeline)).max() <= 1


def test_a_films_autoencoder_stays_as_it_is(weights_dir: Path) -> None:
    pipeline: Any = loaded("qwenimage", weights_dir)
    channels_last(pipeline.pipe)

    assert np.array_equal(directly(weights_dir / "qwenimage"), image(pipeline))
