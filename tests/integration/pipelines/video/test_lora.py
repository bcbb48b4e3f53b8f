"""LoRAs on Wan's films: the frames of diffusers with the same adapters, and not a bit of them afterwards."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import DiffusionPipeline

from core.errors.failures import ModelLoadFailed
from core.errors.inputs import LoraNotCompatible
from jobs.params.media import LoraChoice
from jobs.params.video import VideoParams
from pipelines.catalog.spec import ModelSpec
from pipelines.image.inputs import read_image
from pipelines.runtime.device import load
from pipelines.runtime.protocol import Inputs, Pipeline, RunContext
from pipelines.weights.lockfile import Lock
from pipelines.weights.verify import lock_directory
from tests.support.checkpoints import tiny_videos
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_loras import WAN_LAYERS, save_lora
from tests.support.media.videos import planes, scene

SIZE = {"width": 64, "height": 64}
STEPS = 2
LICENCE = {"name": "CC-BY-4.0", "url": "https://example.org"}
ABLE = {"wan22": "text-to-video", "vace": "text-to-video", "wan22a14b": "image-to-video"}
NAMES = ["wan22a14b", *(pytest.param(name, marks=pytest.mark.long) for name in ("wan22", "vace"))]
FILES = {"high": {}, "low": {"load_into_transformer_2": True}}


@pytest.fixture(scope="module")
def folder(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A weights directory with Wan's models, and LoRAs of the catalog and of callers."""
    made = tmp_path_factory.mktemp("weights")
    for name in ABLE:
        tiny_videos.save(name, made / name)
    save_lora(made / "style" / "style.safetensors", WAN_LAYERS, alpha=False, seed=1)
    save_lora(made / "style" / "low.safetensors", WAN_LAYERS, alpha=False, seed=2)
    for seed, name in enumerate(("own", "high", "low"), 3):
        save_lora(made / f"{name}.safetensors", WAN_LAYERS, alpha=True, seed=seed)
    return made


@pytest.fixture(scope="module")
def start(folder: Path) -> Path:
    file = folder / "start.png"
    scene((64, 64)).save(file)
    return file


def model(name: str, **changes: Any) -> ModelSpec:
    limits = {"frame_step": 4, "max_side": 1280, "max_seconds": 5, "side_multiple": 32}
    entry = {"id": name, "family": "diffusers-video", "modality": "video", "source": {"path": name}}
    return spec(**entry, capabilities=[ABLE[name]], limits=limits, defaults={"fps": 24}, **changes)


def loaded(name: str, folder: Path, **changes: Any) -> Pipeline:
    entry = model(name, **changes)
    lock = Lock({bundle.key: lock_directory(bundle, bundle.directory(folder)) for bundle in entry.bundles})
    return load(entry, folder, lock, "cpu")


def allowed(*files: tuple[Path, str | None]) -> dict[str, Any]:
    """What the entry says of these files, each for a transformer."""
    return {
        hashlib.sha256(file.read_bytes()).hexdigest(): {"licence": LICENCE, **({"noise": noise} if noise else {})}
        for file, noise in files
    }


def film(pipeline: Pipeline, start: Path, *files: Path, **loras: float) -> np.ndarray:
    """The frames with LoRAs by name, and with files at the weight 0.7."""
    stills = {"input_image": start} if "image-to-video" in pipeline.spec.capabilities else {}  # type: ignore[attr-defined]
    choices = [LoraChoice(lora=f"inp_{number}", weight=0.7) for number in range(len(files))]
    choices += [LoraChoice(lora=name, weight=weight) for name, weight in loras.items()]
    asked = VideoParams(prompt="a", **SIZE, duration_seconds=0.2, num_inference_steps=STEPS, loras=tuple(choices))
    inputs = Inputs({**stills, **{f"loras.{number}": file for number, file in enumerate(files)}})
    context = RunContext(seed=1, progress=lambda part, stage: None, warn=lambda text: None)
    return pipeline.run(asked, inputs, context).arrays["frames"]


def directly(
    folder: Path, name: str, start: Path, adapters: list[tuple[Path, str, str]], **weights: float
) -> np.ndarray:
    """The frames by diffusers alone, with adapters of a file, a name and a transformer."""
    pipe: Any = DiffusionPipeline.from_pretrained(folder / name, dtype=torch.float32)
    pipe.set_progress_bar_config(disable=True)
    for file, adapter, noise in adapters:
        pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name=adapter, **FILES[noise])
    if weights:
        pipe.set_adapters([*weights], [*weights.values()])
    stills = {"image": read_image(start)} if ABLE[name] == "image-to-video" else {}
    made = pipe(
        prompt="a", **SIZE, **stills, num_frames=5, num_inference_steps=STEPS, output_type="np",
        generator=torch.Generator().manual_seed(1),
    ).frames[0]  # fmt: skip
    return planes(made)


@pytest.mark.contract("F1")
@pytest.mark.parametrize("name", NAMES)
def test_frames_are_those_of_diffusers_with_loras(folder: Path, start: Path, name: str) -> None:
    style, own = folder / "style" / "style.safetensors", folder / "own.safetensors"
    styles = {"style": {"source": {"path": "style"}, "file": style.name, "scale": 0.5}}
    pipeline = loaded(name, folder, loras=styles, lora_files=allowed((own, None)))
    places = ["high", "low"] if name == "wan22a14b" else ["high"]
    adapters = [(file, adapter, noise) for file, adapter in ((style, "style"), (own, "own")) for noise in places]
    bare = film(pipeline, start)

    both = film(pipeline, start, own, style=0.8)

    assert np.array_equal(directly(folder, name, start, []), bare)
    assert np.array_equal(directly(folder, name, start, adapters, own=0.7, style=0.4), both)
    assert not np.array_equal(bare, both)
    assert np.array_equal(bare, film(pipeline, start))


@pytest.mark.long
@pytest.mark.parametrize("beside", [False, True])
def test_each_transformer_has_the_file_made_for_it(folder: Path, start: Path, beside: bool) -> None:
    high, low, style = (folder / name for name in ("high.safetensors", "low.safetensors", "style/style.safetensors"))
    styles = {"style": {"source": {"path": "style"}, "file": style.name, "low_noise_file": "low.safetensors"}}
    files = allowed((high, "high"), (low, "low"))
    pipeline = loaded("wan22a14b", folder, lora_files=files, **({"loras": styles} if beside else {}))
    bare = film(pipeline, start)

    made = film(pipeline, start, high, low)

    adapters = [(high, "a", "high"), (low, "b", "low")]
    assert np.array_equal(directly(folder, "wan22a14b", start, adapters, a=0.7, b=0.7), made)
    if beside:
        own = [(style, "style", "high"), (style.with_name("low.safetensors"), "style", "low")]
        assert np.array_equal(directly(folder, "wan22a14b", start, own, style=1.0), film(pipeline, start, style=1.0))
    assert np.array_equal(bare, film(pipeline, start))


@pytest.mark.long
def test_a_preset_has_a_lora_with_its_own_schedule(folder: Path, start: Path) -> None:
    styles = {"fast": {"source": {"path": "style"}, "file": "style.safetensors", "scheduler": {"flow_shift": 9.0}}}
    quality = {"fast": {"lora": "fast"}}
    pipeline: Any = loaded("wan22a14b", folder, loras=styles, quality=quality)
    asked = VideoParams(prompt="a", **SIZE, duration_seconds=0.2, num_inference_steps=STEPS, quality="fast")
    context = RunContext(seed=1, progress=lambda part, stage: None, warn=lambda text: None)

    pipeline.run(asked, Inputs({"input_image": start}), context)
    assert 9.0 == pipeline.pipes["image-to-video"].scheduler.config.flow_shift
    film(pipeline, start)
    assert 3.0 == pipeline.pipes["image-to-video"].scheduler.config.flow_shift


def test_one_for_another_model_is_refused(folder: Path, start: Path, tmp_path: Path) -> None:
    file = save_lora(tmp_path / "other.safetensors", {"diffusion_model.blocks.7.self_attn.q": (32, 32)}, alpha=True)
    pipeline = loaded("wan22a14b", folder, lora_files=allowed((file, None)))
    bare = film(pipeline, start)

    with pytest.raises(LoraNotCompatible):
        film(pipeline, start, file)

    assert np.array_equal(bare, film(pipeline, start))


def test_two_files_are_for_two_transformers(folder: Path) -> None:
    style = {"source": {"path": "style"}, "file": "style.safetensors", "low_noise_file": "low.safetensors"}
    with pytest.raises(ModelLoadFailed, match="WanPipeline has one transformer; remove `low_noise_file`"):
        loaded("wan22", folder, loras={"style": style})
