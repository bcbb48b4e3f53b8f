"""The generic family with real diffusers code: tiny random checkpoints in the published layout, no special case."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed, PipelineFailed, WeightsNotLocked
from jobs.params.image import ImageParams
from pipelines.catalog.spec import Stage
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, JobCancelled, RunContext, empty_array, load_raw, save_raw
from pipelines.runtime.registry import encoder
from pipelines.weights.lockfile import Lock, read_lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_checkpoints
from tests.support.checkpoints.image_runs import PROMPT, alone, asked, context, directly, loaded, model, run

MULTIPLES = {"qwenimage": 64, "qwenedit": 64}
"""What the tiny models' sides must be multiples of, where that is not 8."""


@pytest.mark.matrix
@pytest.mark.parametrize("name", tiny_checkpoints.BUILDERS)
class TestEveryFamily:
    @pytest.fixture
    def inputs(self, name: str, reference: Inputs) -> Inputs:
        """What the model cannot do without."""
        return reference if name == "qwenedit" else Inputs()

    @pytest.fixture
    def shown(self, inputs: Inputs) -> dict[str, Any]:
        """The same for diffusers."""
        return {"image": [Image.open(file) for file in inputs.files.values()]} if inputs.files else {}

    @pytest.mark.parametrize(("width", "height", "seed"), [(64, 64, 1), (128, 64, 2**53 - 1)])
    def test_pixels_are_those_of_diffusers_called_directly(
        self, weights_dir: Path, name: str, inputs: Inputs, shown: dict[str, Any], width: int, height: int, seed: int
    ) -> None:
        raw = run(loaded(name, weights_dir), seed, inputs, width=width, height=height)

        assert np.uint8 == raw.arrays["0"].dtype
        assert np.array_equal(directly(weights_dir / name, seed, width=width, height=height, **shown), raw.arrays["0"])
        assert () == raw.warnings

    @pytest.mark.long
    def test_in_bfloat16_too_as_on_a_gpu(
        self, weights_dir: Path, name: str, inputs: Inputs, shown: dict[str, Any]
    ) -> None:
        raw = run(loaded(name, weights_dir, dtype="bfloat16"), inputs=inputs)

        expected = directly(weights_dir / name, pipe=alone(weights_dir / name, torch.bfloat16), **shown)
        assert np.array_equal(expected, raw.arrays["0"])
        assert not np.array_equal(directly(weights_dir / name, **shown), raw.arrays["0"])

    def test_the_seed_decides(self, weights_dir: Path, name: str, inputs: Inputs) -> None:
        pipeline = loaded(name, weights_dir)
        first, again, other = (run(pipeline, seed, inputs).arrays["0"] for seed in (7, 7, 2**53 - 1))

        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_every_step_is_reported(self, weights_dir: Path, name: str, inputs: Inputs) -> None:
        log: list[tuple[float, Stage]] = []

        loaded(name, weights_dir).run(asked(), inputs, context(log=log))

        assert [(0.0, "prepare"), (0.25, "step"), (0.5, "step"), (0.75, "decode")] == log

    def test_after_a_cancel_in_mid_run_the_next_image_is_as_ever(
        self, weights_dir: Path, name: str, inputs: Inputs
    ) -> None:
        pipeline = loaded(name, weights_dir)
        before = run(pipeline, inputs=inputs).arrays["0"]
        log: list[float] = []

        def stop(part: float, stage: Stage) -> None:
            log.append(part)
            if len(log) == 3:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            pipeline.run(asked(num_inference_steps=10), inputs, RunContext(seed=1, progress=stop, warn=print))

        assert 3 == len(log)
        assert np.array_equal(before, run(pipeline, inputs=inputs).arrays["0"])

    def test_a_side_that_is_no_multiple_is_made_larger_and_cut(
        self, weights_dir: Path, name: str, inputs: Inputs, shown: dict[str, Any]
    ) -> None:
        raw = run(loaded(name, weights_dir), inputs=inputs, width=70)

        multiple = MULTIPLES.get(name, 8)
        made = 64 + multiple
        left = (made - 70) // 2
        assert (64, 70, 3) == raw.arrays["0"].shape
        assert (f"70x64 is not a multiple of {multiple}; made {made}x64 and cropped the edges",) == raw.warnings
        expected = directly(weights_dir / name, width=made, **shown)
        assert np.array_equal(expected[:, left : left + 70], raw.arrays["0"])


class TestLayout:
    """The tiny checkpoints consist of the files of the large ones."""

    @pytest.mark.parametrize(
        ("name", "large"),
        [
            ("sdxl", "sdxl"),
            ("zimage", "z-image-turbo"),
            ("flux2klein", "flux2-klein-4b"),
            ("qwenedit", "qwen-image-edit-2511"),
        ],
    )
    def test_names_are_those_of_weights_lock(self, weights_dir: Path, name: str, large: str) -> None:
        files = [file for file in (weights_dir / name).rglob("*") if file.is_file()]
        published = read_lock().models[large].files

        assert {self.plain(path) for path in published} - {"LICENSE.md", "README.md"} == {
            self.plain(str(file.relative_to(weights_dir / name))) for file in files
        }

    def plain(self, path: str) -> str:
        """Without the number of a shard, and without the variant."""
        return re.sub(r"-\d{5}-of-\d{5}|\.fp16", "", path)


class TestArguments:
    @pytest.mark.long
    def test_guidance_and_negative_prompt_reach_the_model(self, weights_dir: Path) -> None:
        pipeline = loaded("sdxl", weights_dir, capabilities=["text-to-image", "negative-prompt"])
        asked = {"guidance_scale": 7.5, "negative_prompt": "dogs"}

        raw = run(pipeline, **asked)

        assert np.array_equal(directly(weights_dir / "sdxl", **asked), raw.arrays["0"])
        assert not np.array_equal(directly(weights_dir / "sdxl"), raw.arrays["0"])
        assert () == raw.warnings

    @pytest.mark.long
    def test_what_a_pipeline_does_not_take_is_said(self, weights_dir: Path) -> None:
        pipeline = loaded("flux2klein", weights_dir, capabilities=["text-to-image", "negative-prompt"])

        raw = run(pipeline, negative_prompt="dogs")

        assert ("flux2klein does not use `negative_prompt`; it was ignored",) == raw.warnings

    def test_defaults_of_the_catalogue(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir, defaults={"num_inference_steps": 2, "guidance_scale": 0})

        raw = run(pipeline, num_inference_steps=None)

        assert (2, 0) == (raw.metadata["num_inference_steps"], raw.metadata["guidance_scale"])
        expected = directly(weights_dir / "zimage", num_inference_steps=2, guidance_scale=0)
        assert np.array_equal(expected, raw.arrays["0"])

    @pytest.mark.long
    def test_a_size_that_is_not_native_is_resized_with_lanczos(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir, limits={"native_sizes": [[64, 64]]})
        warned: list[str] = []
        quiet = RunContext(seed=1, progress=lambda part, stage: None, warn=warned.append)

        raw = pipeline.run(ImageParams(prompt=PROMPT, num_inference_steps=3), Inputs(), quiet)

        native = Image.fromarray(directly(weights_dir / "zimage"))
        expected = np.asarray(native.resize((1024, 1024), Image.Resampling.LANCZOS))
        assert ["zimage draws 64x64; resized to 1024x1024"] == warned == list(raw.warnings)
        assert np.array_equal(expected, raw.arrays["0"])
        assert (64, 64) == (raw.metadata["made_width"], raw.metadata["made_height"])


@pytest.mark.long
def test_pixels_are_written_to_the_file_that_the_encoder_reads(weights_dir: Path, tmp_path: Path) -> None:
    into_files = msgspec.structs.replace(context(), empty=partial(empty_array, tmp_path))
    raw = loaded("sdxl", weights_dir).run(asked(num_images=2), Inputs(), into_files)

    files = [array.filename for array in raw.arrays.values() if isinstance(array, np.memmap)]
    assert [str(tmp_path / "0.npy"), str(tmp_path / "1.npy")] == [str(file) for file in files]
    save_raw(raw, tmp_path)
    assert np.array_equal(directly(weights_dir / "sdxl", 1), load_raw(tmp_path).arrays["0"])


@pytest.mark.long
def test_a_png_has_the_pixels_of_diffusers(weights_dir: Path, tmp_path: Path) -> None:
    save_raw(run(loaded("sdxl", weights_dir)), tmp_path / "raw")

    params = ImageParams(prompt=PROMPT, output_format="png")
    output = encoder(model("sdxl"))(load_raw(tmp_path / "raw"), params, tmp_path).files[0]

    with Image.open(tmp_path / output.path) as image:
        assert np.array_equal(directly(weights_dir / "sdxl"), np.asarray(image))


@pytest.mark.long
def test_the_variant_of_the_catalogue(tmp_path: Path) -> None:
    tiny_checkpoints.save("sdxl", tmp_path / "sdxl", variant="fp16")

    raw = run(loaded("sdxl", tmp_path, variant="fp16"))

    assert np.array_equal(directly(tmp_path / "sdxl", pipe=alone(tmp_path / "sdxl", variant="fp16")), raw.arrays["0"])


class TestRefused:
    """What must not load; each starts from a whole copy of a checkpoint."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tiny_checkpoints.save("zimage", tmp_path / "zimage")

    def test_one_changed_byte(self, folder: Path) -> None:
        entry = model("zimage")
        lock = Lock({"zimage": lock_directory(entry, folder)})
        file = folder / "vae" / "diffusion_pytorch_model.safetensors"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)

        with pytest.raises(WeightsNotLocked, match=r"vae/diffusion_pytorch_model\.safetensors"):
            load(entry, folder.parent, lock, "cpu")

    @pytest.mark.matrix
    @pytest.mark.parametrize("component", ["transformer", "text_encoder", "vae"])
    @pytest.mark.parametrize("fault", ["missing", "shape"])
    def test_tensors_that_do_not_fit_the_configuration(self, folder: Path, component: str, fault: str) -> None:
        file = next((folder / component).glob("*.safetensors"))
        tensors = load_file(file)
        name = next(name for name in sorted(tensors) if tensors[name].ndim > 1)
        if fault == "missing":
            del tensors[name]
        else:
            tensors[name] = torch.zeros(3, 3)
        save_file(tensors, file, metadata={"format": "pt"})

        with pytest.raises(ModelLoadFailed, match="zimage"):
            loaded("zimage", folder.parent)

    def test_a_pickle_under_a_safetensors_name(self, folder: Path) -> None:
        torch.save({"a": torch.zeros(1)}, folder / "vae" / "diffusion_pytorch_model.safetensors")

        with pytest.raises(ModelLoadFailed):
            loaded("zimage", folder.parent)

    def test_a_folder_without_a_model_index(self, folder: Path) -> None:
        (folder / "model_index.json").unlink()

        with pytest.raises(ModelLoadFailed):
            loaded("zimage", folder.parent)

    def test_nan_is_an_error_and_no_black_image(self, folder: Path) -> None:
        file = folder / "vae" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        tensors["decoder.conv_in.weight"] *= float("nan")
        save_file(tensors, file, metadata={"format": "pt"})

        with pytest.raises(PipelineFailed, match="not finite"):
            run(loaded("zimage", folder.parent))
