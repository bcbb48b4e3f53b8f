"""MOSS-SoundEffect: a random checkpoint in the published layout, against the same facts written out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from core.errors.failures import ModelLoadFailed, NotFinite
from jobs.params.sound import SoundParams
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.sound.moss.family import MossSound
from tests.support.checkpoints import tiny_moss
from tests.support.checkpoints.specs import spec
from tests.support.checkpoints.tiny_moss import TinyMoss

MODEL = spec(
    id="moss", family="moss-sound", modality="sound", capabilities=["negative-prompt"], limits={"max_seconds": 30.0}
)
PROMPT = "a door creaks"
DENOISER = Path("transformer") / "diffusion_pytorch_model.safetensors"
DECODER = tiny_moss.PICKLE.with_suffix(".safetensors")


@pytest.fixture(scope="module")
def weights(one_thread: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_moss.fetch(tiny_moss.save(tmp_path_factory.mktemp("moss")))


@pytest.fixture(scope="module")
def moss(weights: Path) -> MossSound:
    return TinyMoss(MODEL, weights, "cpu")


def made(model: MossSound, *, seed: int = 3, reports: list[float] | None = None, **fields: Any) -> RawOutput:
    seen: list[float] = [] if reports is None else reports
    context = RunContext(seed=seed, progress=lambda share, stage: seen.append(share), warn=lambda text: None)
    params = SoundParams(**({"prompt": PROMPT, "num_inference_steps": 2, "duration_seconds": 1.5} | fields))
    return model.run(params, Inputs(), context)


@pytest.mark.parametrize(
    ("fields", "guidance", "unwanted"),
    [({}, 4.0, ""), ({"guidance_scale": 2.0, "negative_prompt": "wind"}, 2.0, "wind")],
)
def test_samples_are_those_of_the_facts_written_out(
    moss: MossSound, weights: Path, fields: dict[str, Any], guidance: float, unwanted: str
) -> None:
    reports: list[float] = []
    samples = made(moss, reports=reports, **fields).arrays["samples"]
    facts = tiny_moss.reference(weights, PROMPT, 1.5, steps=2, guidance=guidance, seed=3, unwanted=unwanted)
    assert (72_000,) == samples.shape == tuple(facts.shape)
    assert np.abs(samples - facts.numpy()).max() < 5e-4 * facts.abs().max()
    assert [0.0, 1 / 3, 2 / 3] == pytest.approx(reports)


def test_a_seed_repeats_itself_and_words_matter(moss: MossSound) -> None:
    first, again, seeded, other = (
        made(moss, **fields).arrays["samples"] for fields in ({}, {}, {"seed": 4}, {"prompt": "rain"})
    )
    assert (first == again).all()
    assert min(np.abs(first - another).max() for another in (seeded, other)) > 0.01


def test_guidance_of_one_is_one_evaluation(moss: MossSound, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    forward = moss.transformer.forward
    monkeypatch.setattr(moss.transformer, "forward", lambda *a, **k: (calls.append(1), forward(*a, **k))[1])
    made(moss, guidance_scale=1.0)
    assert 2 == len(calls)


def test_a_loop_is_as_long_and_one_of_everything_has_a_seam(moss: MossSound) -> None:
    plain, loop = (made(moss, loop=is_loop).arrays["samples"] for is_loop in (False, True))
    assert plain.shape == loop.shape
    assert (plain[-24_000:] == loop[-24_000:]).all()
    assert not (plain[:24_000] == loop[:24_000]).all()
    whole = made(moss, loop=True, duration_seconds=2)
    assert 2 * 48_000 == len(whole.arrays["samples"])
    assert "there is a seam" in whole.warnings[0]


def test_a_cancel_comes_between_two_steps(moss: MossSound) -> None:
    seen = []

    def progress(share: float, stage: str) -> None:
        seen.append(stage)
        if stage == "step":
            raise JobCancelled

    params = SoundParams(prompt=PROMPT, num_inference_steps=5)
    with pytest.raises(JobCancelled):
        moss.run(params, Inputs(), RunContext(seed=1, progress=progress, warn=lambda text: None))
    assert ["prepare", "step"] == seen


def test_a_gpu_would_hold_all_modules(moss: MossSound) -> None:
    counted = sum(parameter.numel() for module in moss.modules for parameter in module.parameters())
    assert counted > 30_000
    assert all(module.training is False for module in moss.modules)


def changed(weights: Path, folder: Path, file: Path, name: str, tensor: torch.Tensor | None) -> Path:
    """A copy of the checkpoint with one tensor replaced, or left out."""
    for found in weights.rglob("*"):
        if found.is_file():
            copy = folder / found.relative_to(weights)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.symlink_to(found)
    tensors = load_file(weights / file)
    del tensors[name]
    if tensor is not None:
        tensors[name] = tensor
    (folder / file).unlink()
    save_file(tensors, folder / file)
    return folder


@pytest.mark.matrix
@pytest.mark.parametrize(
    ("file", "name", "tensor", "said"),
    [
        (DENOISER, "blocks.1.attn2.to_k.bias", None, "missing, the first is blocks.1.attn2.to_k.bias"),
        (DENOISER, "proj_out.bias", torch.zeros(3), "of another shape, the first is proj_out.bias"),
        (DECODER, "state_dict.decoder.model.1.block.1.weight_g", None, "lacks state_dict.decoder.model.1.block.1"),
        (DECODER, "metadata.kwargs.sample_rate", None, "lacks metadata.kwargs.sample_rate"),
        (DECODER, "state_dict.decoder.model.0.bias", torch.zeros(3), "of another shape"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(
    weights: Path, tmp_path: Path, file: Path, name: str, tensor: torch.Tensor | None, said: str
) -> None:
    with pytest.raises(ModelLoadFailed, match=said):
        TinyMoss(MODEL, changed(weights, tmp_path, file, name, tensor), "cpu")


def test_nan_is_no_sound(weights: Path, tmp_path: Path) -> None:
    broken = changed(weights, tmp_path, DENOISER, "proj_out.bias", torch.full((tiny_moss.LATENT,), torch.nan))
    with pytest.raises(NotFinite):
        made(TinyMoss(MODEL, broken, "cpu"))
