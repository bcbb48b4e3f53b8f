"""Several images of one job, quality presets, and LoRAs that are switched per job."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from core.errors.failures import ModelLoadFailed, WeightsNotLocked
from pipelines.catalog.spec import Stage
from pipelines.runtime.protocol import Inputs, JobCancelled, RunContext
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.image_runs import alone, asked, context, directly, image, loaded, run
from tests.support.checkpoints.tiny_loras import ZIMAGE_LAYERS, save_lora

LAYERS = {
    "zimage": ZIMAGE_LAYERS,
    "qwenimage": {f"transformer_blocks.{n}.attn.to_{part}": (32, 32) for n in (0, 1) for part in "qkv"},
    "qwenedit": {f"transformer_blocks.{n}.attn.add_{part}_proj": (32, 32) for n in (0, 1) for part in "qkv"},
}


class TestSeveralImages:
    def test_each_is_the_one_of_its_own_seed(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir)

        raw = run(pipeline, 5, num_images=3)

        assert ["0", "1", "2"] == list(raw.arrays)
        for number, made in enumerate(raw.arrays.values()):
            assert np.array_equal(directly(weights_dir / "zimage", 5 + number), made)
        assert 5 == raw.metadata["seed"]

    def test_progress_spans_all_of_them_and_only_rises(self, weights_dir: Path) -> None:
        log: list[tuple[float, Stage]] = []

        loaded("zimage", weights_dir).run(asked(num_images=2), Inputs(), context(log=log))

        stages: list[Stage] = ["prepare", "step", "step", "decode"] * 2
        assert [(n / 8, stage) for n, stage in enumerate(stages)] == log

    @pytest.mark.matrix
    @pytest.mark.parametrize("reports", range(1, 9))
    def test_a_cancel_lands_within_and_between_them(self, weights_dir: Path, reports: int) -> None:
        pipeline = loaded("zimage", weights_dir)
        log: list[float] = []

        def stop(part: float, stage: Stage) -> None:
            log.append(part)
            if len(log) == reports:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            pipeline.run(asked(num_images=2), Inputs(), RunContext(seed=1, progress=stop, warn=print))

        assert reports == len(log)
        assert np.array_equal(directly(weights_dir / "zimage"), image(pipeline))


class TestPresets:
    @pytest.mark.long
    def test_a_preset_is_the_call_with_its_values(self, weights_dir: Path) -> None:
        presets = {"fast": {"num_inference_steps": 2}, "pro": {"num_inference_steps": 4, "guidance_scale": 7.0}}
        pipeline = loaded("sdxl", weights_dir, quality=presets)

        fast = image(pipeline, quality="fast", num_inference_steps=None)
        pro = image(pipeline, quality="pro", num_inference_steps=None)

        assert np.array_equal(directly(weights_dir / "sdxl", num_inference_steps=2), fast)
        assert np.array_equal(directly(weights_dir / "sdxl", num_inference_steps=4, guidance_scale=7.0), pro)

    def test_one_that_the_model_lacks_is_answered_with_a_warning(self, weights_dir: Path) -> None:
        raw = run(loaded("zimage", weights_dir), quality="ultra")

        assert ("zimage has no preset 'ultra'; its standard one was used",) == raw.warnings


class TestTrueGuidance:
    def test_the_scale_and_the_negative_prompt_reach_the_pipeline(self, weights_dir: Path) -> None:
        pipeline = loaded("qwenimage", weights_dir)

        made = image(pipeline, guidance_scale=6.0, negative_prompt="dogs")

        assert np.array_equal(directly(weights_dir / "qwenimage", true_cfg_scale=6.0, negative_prompt="dogs"), made)
        assert not np.array_equal(directly(weights_dir / "qwenimage"), made)

    def test_one_means_none(self, weights_dir: Path) -> None:
        made = image(loaded("qwenimage", weights_dir), guidance_scale=1.0)

        assert np.array_equal(directly(weights_dir / "qwenimage", true_cfg_scale=1.0, negative_prompt=None), made)

    @pytest.mark.long
    def test_a_distilled_model_says_that_it_ignores_a_scale(self, weights_dir: Path, tmp_path: Path) -> None:
        torch.manual_seed(0)
        pipe: Any = tiny_checkpoints.flux2klein()
        pipe.register_to_config(is_distilled=True)
        pipe.save_pretrained(tmp_path / "flux2klein")

        raw = run(loaded("flux2klein", tmp_path, defaults={"guidance_scale": 1.0}), guidance_scale=4.0)

        assert ("flux2klein does not use `guidance_scale`; it was ignored",) == raw.warnings


class TestLora:
    """`fast` puts a LoRA on; every other job has the model without it."""

    @pytest.fixture
    def folder(self, weights_dir: Path, tmp_path: Path, name: str) -> Path:
        """A weights directory with the model and its LoRA beside it."""
        shutil.copytree(weights_dir / name, tmp_path / name)
        save_lora(tmp_path / f"{name}+quick" / "quick.safetensors", LAYERS[name], alpha=name != "zimage")
        return tmp_path

    def catalog(self, name: str, file: str = "quick.safetensors", scale: float = 1.0, **schedule: float) -> Any:
        lora = {"source": {"path": f"{name}+quick"}, "file": file, "scale": scale, "scheduler": schedule}
        return {"loras": {"quick": lora}, "quality": {"fast": {"lora": "quick"}}}

    @pytest.mark.matrix
    @pytest.mark.parametrize("name", LAYERS)
    def test_on_and_off(self, folder: Path, reference: Inputs, name: str) -> None:
        inputs = reference if name == "qwenedit" else Inputs()
        bare = image(loaded(name, folder), inputs=inputs)
        pipeline = loaded(name, folder, **self.catalog(name))

        made = [image(pipeline, inputs=inputs, quality=quality) for quality in ("standard", "fast", "pro", "fast")]

        assert np.array_equal(bare, made[0])
        assert not np.array_equal(bare, made[1])
        assert np.array_equal(bare, made[2])
        assert np.array_equal(made[1], made[3])

    @pytest.mark.matrix
    @pytest.mark.parametrize("name", ["zimage", "qwenimage"])
    @pytest.mark.parametrize("scale", [1.0, 0.5])
    def test_pixels_are_those_of_diffusers_with_the_same_lora(self, folder: Path, name: str, scale: float) -> None:
        pipe = alone(folder / name)
        pipe.load_lora_weights(folder / f"{name}+quick", weight_name="quick.safetensors", adapter_name="quick")
        pipe.set_adapters(["quick"], [scale])

        made = image(loaded(name, folder, **self.catalog(name, scale=scale)), quality="fast")

        assert np.array_equal(directly(folder / name), made)

    @pytest.mark.long
    @pytest.mark.parametrize("name", ["qwenimage"])
    def test_with_the_schedule_it_was_distilled_on(self, folder: Path, name: str) -> None:
        schedule = {"base_shift": 1.0986123, "max_shift": 1.0986123, "shift_terminal": 0.0}
        published = {"use_dynamic_shifting": True, "shift_terminal": 0.02, "max_shift": 0.9}
        FlowMatchEulerDiscreteScheduler(**published).save_pretrained(folder / name / "scheduler")
        pipe = alone(folder / name)
        pipe.load_lora_weights(folder / f"{name}+quick", weight_name="quick.safetensors", adapter_name="quick")
        changed = published | schedule | {"shift_terminal": None}
        pipe.scheduler = FlowMatchEulerDiscreteScheduler(**changed)
        expected = directly(folder / name)
        pipe.scheduler = FlowMatchEulerDiscreteScheduler(**published)
        assert not np.array_equal(expected, directly(folder / name))
        pipe.disable_lora()
        pipeline = loaded(name, folder, **self.catalog(name, **schedule))

        assert np.array_equal(expected, image(pipeline, quality="fast"))
        assert np.array_equal(directly(folder / name), image(pipeline))

    @pytest.mark.parametrize("name", ["qwenimage"])
    def test_a_value_that_the_scheduler_does_not_have_does_not_load(self, folder: Path, name: str) -> None:
        with pytest.raises(ModelLoadFailed, match="sets shift_termnal, which FlowMatchEulerDiscreteScheduler"):
            loaded(name, folder, **self.catalog(name, shift_termnal=0.0))

    @pytest.mark.parametrize("name", ["zimage"])
    def test_it_changes_an_image_to_start_from_as_well(self, folder: Path, reference: Inputs, name: str) -> None:
        start = Inputs({"input_image": reference.files["reference_images.0"]})
        pipeline = loaded(name, folder, **self.catalog(name))

        plain, quick, again = (image(pipeline, 1, start, quality=word) for word in ("standard", "fast", "standard"))

        assert not np.array_equal(plain, quick)
        assert np.array_equal(plain, again)

    @pytest.mark.parametrize("name", ["zimage"])
    @pytest.mark.parametrize(
        "layers",
        [{"diffusion_model.layers.7.attention.to_q": (32, 32)}, {"diffusion_model.layers.0.attention.to_q": (7, 32)}],
    )
    def test_one_for_another_model_does_not_load(
        self, folder: Path, name: str, layers: dict[str, tuple[int, int]]
    ) -> None:
        save_lora(folder / f"{name}+quick" / "quick.safetensors", LAYERS[name] | layers, alpha=False)

        with pytest.raises(ModelLoadFailed):
            loaded(name, folder, **self.catalog(name))

    @pytest.mark.parametrize("name", ["zimage"])
    def test_a_missing_file_or_one_of_another_format_does_not_load(self, folder: Path, name: str) -> None:
        with pytest.raises(ModelLoadFailed, match=r"no file other\.safetensors"):
            loaded(name, folder, **self.catalog(name, "other.safetensors"))

        torch.save({}, folder / f"{name}+quick" / "quick.bin")
        with pytest.raises((ModelLoadFailed, WeightsNotLocked)):
            loaded(name, folder, **self.catalog(name, "quick.bin"))
