"""The demo model of sounds: what it reads of a prompt, its length, its seed, its loops."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors.fields import NotThisModel
from jobs.params.sound import SoundParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.sound.drawn import DrawnSound
from pipelines.sound.encode import encode
from pipelines.sound.synthesis import RATE
from tests.support.media.spectra import decoded_sound

SPEC = load_catalog().get("demo-sound")


def made(prompt: str = "rain", *, seed: int = 1, reports: list[float] | None = None, **fields: Any) -> RawOutput:
    seen: list[float] = [] if reports is None else reports
    context = RunContext(seed=seed, progress=lambda share, stage: seen.append(share), warn=lambda text: None)
    return DrawnSound(SPEC, Path(), "cpu").run(SoundParams(prompt=prompt, **fields), Inputs(), context)


def test_sounds_of_a_prompt_are_heard_together():
    reports: list[float] = []
    both = made("A siren in the rain.", duration_seconds=2, reports=reports)
    assert "siren, rain" == both.metadata["sounds"]
    assert () == both.warnings
    assert sorted(reports) == reports
    assert len(set(reports)) == 3
    parts = [made(prompt, duration_seconds=2).arrays["samples"] for prompt in ("siren", "rain")]
    alike = [np.corrcoef(part.ravel(), both.arrays["samples"].ravel())[0, 1] for part in parts]
    assert min(alike) > 0.1
    assert sum(one**2 for one in alike) > 0.9


def test_words_that_it_does_not_draw_are_said():
    (warning,) = made("heavy rain on a tin roof", duration_seconds=1).warnings
    assert 'did not look at "heavy", "tin", "roof"' in warning


def test_fields_that_it_does_not_use_are_said():
    warnings = made(duration_seconds=1, guidance_scale=3.0, negative_prompt="wind").warnings
    assert ["`negative_prompt`", "`guidance_scale`"] == [text.split()[4].rstrip(";") for text in warnings]


def test_a_prompt_without_a_sound_is_refused():
    with pytest.raises(NotThisModel) as refused:
        made("a purple idea")
    assert "$.prompt" == refused.value.field


@pytest.mark.parametrize("seconds", [0.2, 1.2345, 3.0])
def test_it_is_as_long_as_asked_and_not_too_loud(seconds):
    samples = made("door, birds and a heart", duration_seconds=seconds).arrays["samples"]
    assert (round(seconds * RATE), 2) == samples.shape
    assert 0.5 < np.abs(samples).max() <= 0.9
    assert np.abs(samples[-1]).max() < 1e-3


def test_a_seed_repeats_itself_and_another_one_differs():
    first, again, other = (made(seed=seed, duration_seconds=1).arrays["samples"] for seed in (5, 5, 6))
    assert (first == again).all()
    assert not np.allclose(first, other)


@pytest.mark.parametrize("prompt", ["sea", "siren"])
def test_a_loop_has_no_seam(prompt):
    """Where it begins again it moves no more than within: a plain cut of the same sound jumps."""
    loop = made(prompt, duration_seconds=3.3, loop=True).arrays["samples"].mean(axis=1)
    plain = made(prompt, duration_seconds=4.0).arrays["samples"].mean(axis=1)[: len(loop)]
    assert round(3.3 * RATE) == len(loop)
    usual = np.quantile(np.abs(np.diff(loop)), 0.999)
    assert abs(loop[0] - loop[-1]) <= usual
    level = [np.sqrt((part**2).mean()) for part in (loop[-4800:], loop[:4800])]
    apart = [np.sqrt((part**2).mean()) for part in (plain[-4800:], plain[:4800])]
    assert abs(level[0] - level[1]) <= abs(apart[0] - apart[1]) + 1e-6


def test_a_cancel_comes_between_two_sounds():
    heard = []

    def progress(share: float, stage: str) -> None:
        heard.append(stage)
        if stage == "step":
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        DrawnSound(SPEC, Path(), "cpu").run(SoundParams(prompt="rain and wind"), Inputs(), context)
    assert ["prepare", "step"] == heard


@pytest.mark.parametrize(
    ("name", "least"), [("wav", 0.9999), ("flac", 0.9999), ("mp3", 0.95), ("ogg", 0.95), ("aac", 0.9)]
)
def test_files_hold_both_channels(tmp_path, name, least):
    raw = made("siren and thunder", duration_seconds=1)
    sound, waveform = encode(raw, SoundParams(prompt="x", output_format=name), tmp_path).files
    samples, rate = decoded_sound((tmp_path / sound.path).read_bytes())
    wanted = raw.arrays["samples"]
    assert ((RATE, 2, 1.0), "image/png") == ((rate, samples.shape[1], sound.duration), waveform.media_type)
    delay = np.correlate(samples[:, 0], wanted[:24_000, 0], "valid").argmax()
    found = samples[delay : delay + 24_000]
    assert all(np.corrcoef(found[:, channel], wanted[:24_000, channel])[0, 1] > least for channel in (0, 1))


def test_a_format_of_images_gives_wav_and_a_warning(tmp_path):
    outputs = encode(made(duration_seconds=0.3), SoundParams(prompt="x", output_format="webp"), tmp_path)
    assert ("`output_format` webp is for images; this sound is wav",) == outputs.warnings
    assert "0.wav" == outputs.files[0].path
