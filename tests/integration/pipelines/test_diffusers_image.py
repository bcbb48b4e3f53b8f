"""The generic family with real diffusers code: tiny random checkpoints in the published layout, no special case."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline
from PIL import Image
from safetensors.torch import load_file, save_file

from jobs.errors import ModelLoadFailed, PipelineFailed, WeightsNotLocked
from jobs.params import ImageParams
from pipelines.families import encoder
from pipelines.lockfile import Lock
from pipelines.pipeline import Inputs, JobCancelled, Pipeline, Raw, RunContext, load_raw, save_raw
from pipelines.runtime import load
from pipelines.spec import ModelSpec, Stage
from pipelines.weights import lock_directory
from tests.support import tiny_checkpoints
from tests.support.specs import spec

PROMPT = "a red apple"
SIZE = {"width": 64, "height": 64}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tiny matrices are slower on two threads, many times so while another process uses the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def weights_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights directory with one tiny checkpoint per family of `tiny_checkpoints`."""
    folder = tmp_path_factory.mktemp("weights")
    for name in tiny_checkpoints.BUILDERS:
        tiny_checkpoints.save(name, folder / name)
    return folder


def model(name: str, **changes: Any) -> ModelSpec:
    return spec(id=name, source={"path": name}, **changes)


def loaded(name: str, weights_dir: Path, **changes: Any) -> Pipeline:
    entry = model(name, **changes)
    return load(entry, weights_dir, Lock({name: lock_directory(entry, weights_dir / name)}), "cpu")


def context(seed: int = 1, log: list[tuple[float, Stage]] | None = None) -> RunContext:
    reports = [] if log is None else log
    return RunContext(seed=seed, progress=lambda part, stage: reports.append((part, stage)), warn=lambda text: None)


def run(pipeline: Pipeline, seed: int = 1, **params: Any) -> Raw:
    asked = ImageParams(prompt=PROMPT, **{"num_inference_steps": 3, **SIZE, **params})
    return pipeline.run(asked, Inputs(), context(seed))


def directly(folder: Path, seed: int = 1, options: dict[str, Any] | None = None, **arguments: Any) -> np.ndarray:
    """The picture as anybody would make it with diffusers alone; `options` are for loading."""
    pipe = DiffusionPipeline.from_pretrained(folder, **(options or {}))
    pipe.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(seed)
    call = {"num_inference_steps": 3, **SIZE, **arguments}
    return np.asarray(pipe(prompt=PROMPT, generator=generator, **call).images[0])


@pytest.mark.parametrize("name", tiny_checkpoints.BUILDERS)
class TestEveryFamily:
    def test_pixels_are_those_of_diffusers_called_directly(self, weights_dir: Path, name: str) -> None:
        raw = run(loaded(name, weights_dir))

        assert np.uint8 == raw.arrays["0"].dtype
        assert np.array_equal(directly(weights_dir / name), raw.arrays["0"])
        assert () == raw.warnings

    def test_in_bfloat16_too_as_on_a_gpu(self, weights_dir: Path, name: str) -> None:
        raw = run(loaded(name, weights_dir, dtype="bfloat16"))

        assert np.array_equal(directly(weights_dir / name, options={"dtype": torch.bfloat16}), raw.arrays["0"])
        assert not np.array_equal(directly(weights_dir / name), raw.arrays["0"])

    def test_the_seed_decides(self, weights_dir: Path, name: str) -> None:
        pipeline = loaded(name, weights_dir)
        first, again, other = (run(pipeline, seed).arrays["0"] for seed in (7, 7, 2**53 - 1))

        assert np.array_equal(first, again)
        assert not np.array_equal(first, other)

    def test_every_step_is_reported(self, weights_dir: Path, name: str) -> None:
        log: list[tuple[float, Stage]] = []

        loaded(name, weights_dir).run(
            ImageParams(prompt=PROMPT, num_inference_steps=3, **SIZE), Inputs(), context(log=log)
        )

        assert [(0.0, "prepare"), (0.25, "step"), (0.5, "step"), (0.75, "decode")] == log

    def test_after_a_cancel_in_mid_run_the_next_picture_is_as_ever(self, weights_dir: Path, name: str) -> None:
        pipeline = loaded(name, weights_dir)
        before = run(pipeline).arrays["0"]
        log: list[float] = []

        def stop(part: float, stage: Stage) -> None:
            log.append(part)
            if len(log) == 3:
                raise JobCancelled

        with pytest.raises(JobCancelled):
            pipeline.run(
                ImageParams(prompt=PROMPT, num_inference_steps=10, **SIZE),
                Inputs(),
                RunContext(seed=1, progress=stop, warn=print),
            )

        assert 3 == len(log)
        assert np.array_equal(before, run(pipeline).arrays["0"])

    def test_a_side_that_is_no_multiple_is_made_larger_and_cut(self, weights_dir: Path, name: str) -> None:
        raw = run(loaded(name, weights_dir), width=70)

        assert (64, 70, 3) == raw.arrays["0"].shape
        assert ("70x64 is no multiple of 8; made 72x64 and cut off the edges",) == raw.warnings
        assert np.array_equal(directly(weights_dir / name, width=72)[:, 1:71], raw.arrays["0"])


class TestArguments:
    def test_guidance_and_negative_prompt_reach_a_model_that_uses_them(self, weights_dir: Path) -> None:
        pipeline = loaded("sdxl", weights_dir, capabilities=["text-to-image", "negative-prompt"])
        asked = {"guidance_scale": 7.5, "negative_prompt": "dogs"}

        raw = run(pipeline, **asked)

        assert np.array_equal(directly(weights_dir / "sdxl", **asked), raw.arrays["0"])
        assert not np.array_equal(directly(weights_dir / "sdxl"), raw.arrays["0"])
        assert () == raw.warnings

    def test_what_a_pipeline_does_not_take_is_said(self, weights_dir: Path) -> None:
        pipeline = loaded("flux2klein", weights_dir, capabilities=["text-to-image", "negative-prompt"])

        raw = run(pipeline, negative_prompt="dogs")

        assert ("flux2klein does not use negative_prompt; it was ignored",) == raw.warnings

    def test_defaults_of_the_catalogue(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir, defaults={"num_inference_steps": 2, "guidance_scale": 0})

        raw = run(pipeline, num_inference_steps=None)

        assert (2, 0) == (raw.facts["num_inference_steps"], raw.facts["guidance_scale"])
        expected = directly(weights_dir / "zimage", num_inference_steps=2, guidance_scale=0)
        assert np.array_equal(expected, raw.arrays["0"])

    def test_another_size_than_the_native_one_is_resized_with_lanczos(self, weights_dir: Path) -> None:
        pipeline = loaded("zimage", weights_dir, limits={"native_sizes": [[64, 64]]})
        warned: list[str] = []
        quiet = RunContext(seed=1, progress=lambda part, stage: None, warn=warned.append)

        raw = pipeline.run(ImageParams(prompt=PROMPT, num_inference_steps=3), Inputs(), quiet)

        native = Image.fromarray(directly(weights_dir / "zimage"))
        expected = np.asarray(native.resize((1024, 1024), Image.Resampling.LANCZOS))
        assert ["zimage draws 64x64; resized to 1024x1024"] == warned == list(raw.warnings)
        assert np.array_equal(expected, raw.arrays["0"])
        assert (64, 64) == (raw.facts["made_width"], raw.facts["made_height"])


def test_png_through_folder_and_encoder_has_the_pixels_of_diffusers(weights_dir: Path, tmp_path: Path) -> None:
    save_raw(run(loaded("sdxl", weights_dir)), tmp_path / "raw")

    params = ImageParams(prompt=PROMPT, output_format="png")
    output = encoder(model("sdxl"))(load_raw(tmp_path / "raw"), params, tmp_path).files[0]

    with Image.open(tmp_path / output.path) as picture:
        assert np.array_equal(directly(weights_dir / "sdxl"), np.asarray(picture))


def test_the_variant_of_the_catalogue(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiny_checkpoints.sdxl().save_pretrained(tmp_path / "sdxl", variant="fp16")

    raw = run(loaded("sdxl", tmp_path, variant="fp16"))

    assert np.array_equal(directly(tmp_path / "sdxl", options={"variant": "fp16"}), raw.arrays["0"])


class TestRefused:
    """What must not load; each starts from a whole copy of a checkpoint."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        return tiny_checkpoints.save("zimage", tmp_path / "zimage")

    def test_one_changed_byte(self, folder: Path) -> None:
        entry = model("zimage")
        lock = Lock({"zimage": lock_directory(entry, folder)})
        file = folder / "transformer" / "diffusion_pytorch_model.safetensors"
        data = bytearray(file.read_bytes())
        data[-1] ^= 1
        file.write_bytes(data)

        with pytest.raises(WeightsNotLocked, match=r"transformer/diffusion_pytorch_model\.safetensors"):
            load(entry, folder.parent, lock, "cpu")

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

    def test_nan_is_an_error_and_no_black_picture(self, folder: Path) -> None:
        file = folder / "vae" / "diffusion_pytorch_model.safetensors"
        tensors = load_file(file)
        tensors["decoder.conv_in.weight"] *= float("nan")
        save_file(tensors, file, metadata={"format": "pt"})

        with pytest.raises(PipelineFailed, match="not finite"):
            run(loaded("zimage", folder.parent))
