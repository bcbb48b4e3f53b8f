"""ACE-Step: a random checkpoint in the published layout, against diffusers' pipeline called directly."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AceStepPipeline
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.sound import MusicParams
from pipelines.music.diffusers_music import DiffusersMusic
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from tests.support.checkpoints import tiny_ace_step, tiny_checkpoints
from tests.support.checkpoints.specs import spec

MODEL = spec(
    id="ace", family="diffusers-music", modality="music", capabilities=["lyrics"], limits={"max_seconds": 600.0}
)
PROMPT = "a calm piano"


@pytest.fixture(scope="module")
def weights(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_ace_step.save(tmp_path_factory.mktemp("ace"))


@pytest.fixture(scope="module")
def ace(weights: Path) -> DiffusersMusic:
    return DiffusersMusic(MODEL, weights, "cpu")


def made(model: DiffusersMusic, *, seed: int = 3, reports: list[float] | None = None, **fields: Any) -> RawOutput:
    seen: list[float] = [] if reports is None else reports
    context = RunContext(seed=seed, progress=lambda share, stage: seen.append(share), warn=lambda text: None)
    params = MusicParams(**({"prompt": PROMPT, "num_inference_steps": 2, "duration_seconds": 2} | fields))
    return model.run(params, Inputs(), context)


def directly(weights: Path, **arguments: Any) -> np.ndarray:
    """What diffusers makes with these arguments of its own, n x 2."""
    pipe: Any = AceStepPipeline.from_pretrained(weights)  # type: ignore[no-untyped-call]
    pipe.set_progress_bar_config(disable=True)
    usual = {
        "prompt": PROMPT,
        "audio_duration": 2,
        "num_inference_steps": 2,
        "guidance_scale": 1.0,
        "output_type": "np",
    }
    made: np.ndarray = pipe(**usual | arguments, generator=torch.Generator().manual_seed(3)).audios[0].T
    return made


@pytest.mark.parametrize(
    ("fields", "arguments"),
    [
        ({}, {}),
        ({"instrumental": True}, {"lyrics": "[instrumental]"}),
        (
            {"lyrics": "la la", "language_id": "de", "bpm": 96, "key": "G major", "time_signature": "3/4"},
            {"lyrics": "la la", "vocal_language": "de", "bpm": 96, "keyscale": "G major", "timesignature": "3"},
        ),
    ],
    ids=["words", "instrumental", "song"],
)
def test_samples_are_those_of_the_pipeline_called_directly(
    ace: DiffusersMusic, weights: Path, fields: dict[str, Any], arguments: dict[str, Any]
) -> None:
    reports: list[float] = []
    samples = made(ace, reports=reports, **fields).arrays["samples"]
    assert ((96_000, 2), np.float32) == (samples.shape, samples.dtype)
    assert (directly(weights, **arguments) == samples).all()
    assert [0.0, 1 / 3, 2 / 3] == pytest.approx(reports)


@pytest.mark.long
def test_every_field_has_an_effect(ace: DiffusersMusic) -> None:
    usual = made(ace).arrays["samples"]
    others = [
        {"seed": 4},
        {"prompt": "loud drums"},
        {"lyrics": "la la la"},
        {"instrumental": True},
        {"bpm": 90},
        {"key": "A minor"},
        {"time_signature": "3/4"},
        {"lyrics": "la la la", "language_id": "fr"},
    ]
    for fields in others:
        assert np.abs(made(ace, **fields).arrays["samples"] - usual).max() > 1e-4, fields


def test_a_turbo_checkpoint_says_that_it_has_no_guidance(ace: DiffusersMusic) -> None:
    raw = made(ace, guidance_scale=5.0)
    assert ("ace does not use `guidance_scale`; it was ignored",) == raw.warnings
    assert (made(ace).arrays["samples"] == raw.arrays["samples"]).all()


@pytest.mark.long
def test_another_checkpoint_is_guided(tmp_path: Path) -> None:
    base = DiffusersMusic(MODEL, tiny_ace_step.save(tmp_path, is_turbo=False), "cpu")
    raw = made(base, guidance_scale=5.0)
    assert ((), 5.0) == (raw.warnings, raw.metadata["guidance_scale"])
    assert (directly(tmp_path, guidance_scale=5.0) == raw.arrays["samples"]).all()


def test_a_cancel_comes_between_two_steps(ace: DiffusersMusic) -> None:
    seen = []

    def progress(share: float, stage: str) -> None:
        seen.append(stage)
        if stage == "step":
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        ace.run(MusicParams(prompt=PROMPT, num_inference_steps=4, duration_seconds=2), Inputs(), context)
    assert ["prepare", "step"] == seen
    assert len(made(ace).arrays["samples"])


def changed(weights: Path, folder: Path, part: str, name: str, tensor: torch.Tensor | None) -> Path:
    """A copy of the checkpoint with one tensor of a part replaced, or left out."""
    for found in weights.rglob("*"):
        if found.is_file():
            copy = folder / found.relative_to(weights)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(found)
    (file,) = (folder / part).glob("*.safetensors")
    tensors = load_file(file)
    del tensors[name]
    if tensor is not None:
        tensors[name] = tensor
    file.unlink()
    save_file(tensors, file)
    return folder


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("condition_encoder", "silence_latent"),
        ("condition_encoder", "null_condition_emb"),
        ("transformer", "proj_out_conv.bias"),
    ],
)
def test_a_checkpoint_without_a_tensor_is_refused(weights: Path, tmp_path: Path, part: str, name: str) -> None:
    """Also of the part that diffusers keeps beside the pipeline: zeros in place of its silence would make a drone."""
    with pytest.raises(ModelLoadFailed, match=rf"{part} does not fit .* missing, the first is {name}"):
        DiffusersMusic(MODEL, changed(weights, tmp_path, part, name, None), "cpu")


def test_nan_is_no_music(weights: Path, tmp_path: Path) -> None:
    broken = changed(weights, tmp_path, "condition_encoder", "null_condition_emb", torch.zeros(1, 1, 32))
    model = DiffusersMusic(MODEL, broken, "cpu")
    for parameter in model.pipe.transformer.parameters():
        parameter.data.fill_(torch.nan)
    with pytest.raises(NotFinite):
        made(model)


def test_another_pipeline_is_refused(tmp_path: Path) -> None:
    tiny_checkpoints.save("zimage", tmp_path)
    with pytest.raises(ModelLoadFailed, match="ZImagePipeline is not a pipeline of this family"):
        DiffusersMusic(MODEL, tmp_path, "cpu")
