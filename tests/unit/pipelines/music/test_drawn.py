"""The demo model of music, by what is heard: tempo, key, bars and style, its seed and its length."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors.fields import NotThisModel
from jobs.params.sound import MusicParams
from pipelines.catalog.loader import load_catalog
from pipelines.music.drawn import DrawnMusic
from pipelines.music.encode import encode
from pipelines.music.harmony import METERS, STYLES, read_key
from pipelines.runtime.protocol import Inputs, JobCancelled, RawOutput, RunContext
from pipelines.sound.synthesis import RATE
from tests.support.media.music import NAMES, alike_after, key_of, onsets, tempo
from tests.support.media.spectra import decoded_sound, flatness

SPEC = load_catalog().get("demo-music")
QUICK = ("sad", "happy")


def made(prompt: str = "happy", *, seed: int = 1, reports: list[float] | None = None, **fields: Any) -> RawOutput:
    seen: list[float] = [] if reports is None else reports
    context = RunContext(seed=seed, progress=lambda share, stage: seen.append(share), warn=lambda text: None)
    return DrawnMusic(SPEC, Path(), "cpu").run(MusicParams(prompt=prompt, **fields), Inputs(), context)


def heard(prompt: str = "happy", **fields: Any) -> np.ndarray:
    samples: np.ndarray = made(prompt, **fields).arrays["samples"]
    return samples


@pytest.mark.parametrize(("bpm", "style"), [(80, "sad"), (133, "happy")])
def test_the_tempo_is_the_one_that_was_asked_for(bpm, style):
    samples = heard(style, bpm=bpm, duration_seconds=10)
    for near in (0.85 * bpm, bpm, 1.2 * bpm):  # whatever is expected, it is found
        assert bpm == pytest.approx(tempo(samples, RATE, near), rel=0.01)


@pytest.mark.matrix
@pytest.mark.parametrize("key", ["F# minor", "Bb major"])
def test_the_key_is_the_one_that_was_asked_for(key):
    raw = made(key=key, duration_seconds=10)
    assert raw.metadata["key"] == key_of(raw.arrays["samples"], RATE) == read_key(key).name


@pytest.mark.long
@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("seed", range(1, 7))
def test_every_key_is_heard_with_every_seed(mode, seed):
    keys = [f"{name} {mode}" for name in NAMES]
    assert keys == [key_of(heard(key=key, seed=seed, duration_seconds=12), RATE) for key in keys]


@pytest.mark.long
@pytest.mark.parametrize(
    "signature", ["3/4", "4/4", *(pytest.param(name, marks=pytest.mark.long) for name in ("2/4", "6/8"))]
)
def test_a_bar_is_as_long_as_its_meter_says(signature):
    """The low notes and the low drum repeat themselves after a bar, of all lengths up to it."""
    curve = onsets(heard(time_signature=signature, bpm=120, duration_seconds=12), RATE, 0, 120)
    eighths = METERS[signature].eighths
    strokes = 4 if signature == "4/4" else eighths  # two equal halves
    alike = {count: alike_after(curve, count * 0.25) for count in range(2, strokes + 1)}
    assert strokes == max(alike, key=lambda count: alike[count])
    assert alike[strokes] > 0.75


@pytest.mark.matrix
@pytest.mark.parametrize(
    "style", [style if style in QUICK else pytest.param(style, marks=pytest.mark.long) for style in STYLES]
)
def test_a_style_has_its_tempo_mode_and_drums(style):
    raw = made(style, duration_seconds=8)
    samples, usual = raw.arrays["samples"], STYLES[style]
    assert (style, usual.bpm) == (raw.metadata["style"], raw.metadata["bpm"])
    assert usual.mode == key_of(samples, RATE).split()[1]
    assert usual.bpm == pytest.approx(tempo(samples, RATE, usual.bpm), rel=0.01)
    assert usual.has_drums == (flatness(samples, RATE, 7000, 12_000) > 0.1)


def test_the_catalog_names_every_style():
    assert SPEC.vocabulary.keys() == STYLES.keys()
    words = [word for name, others in SPEC.vocabulary.items() for word in (name, *others)]
    assert len(set(words)) == len(words)


@pytest.mark.long
def test_a_seed_repeats_itself_and_another_one_differs():
    first, again, other = (heard(seed=seed, duration_seconds=3) for seed in (5, 5, 6))
    assert (first == again).all()
    assert not np.allclose(first, other)


def test_it_is_as_long_as_asked_not_too_loud_and_ends():
    reports: list[float] = []
    samples = heard(duration_seconds=7.5, reports=reports)
    assert (round(7.5 * RATE), 2) == samples.shape
    assert 0.8 < np.abs(samples).max() <= 0.86
    assert np.abs(samples[-10:]).max() < 1e-3
    assert sorted(reports) == reports
    assert len(reports) == 1 + 4  # bars of 2.03 s


def test_a_prompt_without_a_style_is_refused():
    with pytest.raises(NotThisModel) as refused:
        made("a purple idea")
    assert "$.prompt" == refused.value.field


def test_what_it_does_not_look_at_is_said():
    warnings = made("happy flutes", duration_seconds=1, guidance_scale=3.0).warnings
    assert 'did not look at "flutes"' in warnings[0]
    assert "demo-music does not use `guidance_scale`; it was ignored" == warnings[1]


def test_a_cancel_comes_between_two_bars():
    heard_stages = []

    def progress(share: float, stage: str) -> None:
        heard_stages.append(stage)
        if len(heard_stages) == 3:
            raise JobCancelled

    context = RunContext(seed=1, progress=progress, warn=lambda text: None)
    with pytest.raises(JobCancelled):
        DrawnMusic(SPEC, Path(), "cpu").run(MusicParams(prompt="calm"), Inputs(), context)
    assert ["prepare", "step", "step"] == heard_stages


def test_a_file_has_both_channels(tmp_path):
    raw = made(duration_seconds=2)
    music, _ = encode(raw, MusicParams(prompt="x", output_format="flac"), tmp_path).files
    samples, rate = decoded_sound((tmp_path / music.path).read_bytes())
    assert (RATE, raw.arrays["samples"].shape) == (rate, samples.shape)
    assert np.abs(samples - raw.arrays["samples"]).max() < 1e-4
