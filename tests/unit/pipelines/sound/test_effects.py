"""The drawn sounds, by what is heard: each has a measure that every other sound fails."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from jobs.params.sound import SoundParams
from pipelines.catalog.loader import load_catalog
from pipelines.runtime.protocol import Inputs, RunContext
from pipelines.sound.drawn import DrawnSound
from pipelines.sound.effects import BEAT_SECONDS, BEEP_HERTZ, EFFECTS, STEP_SECONDS, WAVE_SECONDS
from pipelines.sound.synthesis import RATE
from tests.support.media.spectra import flatness, loudest_hertz, loudness, period, share

SPEC = load_catalog().get("demo-sound")
SECONDS = 6.0
Samples = np.ndarray


@cache
def drawn(name: str, seed: int) -> Samples:
    context = RunContext(seed=seed, progress=lambda share, stage: None, warn=lambda text: None)
    params = SoundParams(prompt=name, duration_seconds=SECONDS)
    samples: Samples = DrawnSound(SPEC, Path(), "cpu").run(params, Inputs(), context).arrays["samples"]
    return samples


def crest(samples: Samples) -> float:
    return float(np.abs(samples).max() / np.sqrt((samples**2).mean()))


def energy(samples: Samples, begin: float, end: float) -> float:
    curve = loudness(samples, RATE) ** 2
    return float(curve[round(begin / 0.02) : round(end / 0.02)].sum() / curve.sum())


def is_sea(samples: Samples) -> bool:
    after, alike = period(samples, RATE, 3.5, 5.5)
    return abs(after - WAVE_SECONDS) < 0.15 and alike > 0.4 and share(samples, RATE, 1000, 5000) > 0.5


def is_siren(samples: Samples) -> bool:
    hertz = loudest_hertz(samples, RATE)
    return bool(hertz.min() < 600 and hertz.max() > 1200 and np.abs(np.diff(hertz)).max() < 130)


def is_laser(samples: Samples) -> bool:
    hertz = loudest_hertz(samples, RATE)
    return bool(hertz[0] > 1500 and hertz[10] < 200 and energy(samples, 0, 1) > 0.95)


def repeats(samples: Samples, seconds: float) -> bool:
    after, alike = period(samples, RATE, 0.6 * seconds, 1.4 * seconds)
    return abs(after - seconds) < 0.02 and alike > 0.8


def is_door(samples: Samples) -> bool:
    return share(samples, RATE, 250, 1000) > 0.7 and 300 < np.median(loudest_hertz(samples, RATE)) < 500


def is_applause(samples: Samples) -> bool:
    curve = loudness(samples, RATE, 0.1)
    is_noise = flatness(samples, RATE, 1000, 4000) > 0.25
    return is_noise and share(samples, RATE, 600, 5000) > 0.9 and np.quantile(curve, 0.1) > 0.5 * curve.mean()


def is_wind(samples: Samples) -> bool:
    return share(samples, RATE, 80, 1500) > 0.95 and flatness(samples, RATE, 100, 1000) > 0.3 and crest(samples) < 7


MEASURES: dict[str, Callable[[Samples], bool]] = {
    "rain": lambda one: share(one, RATE, 4000, 24_000) > 0.6 and flatness(one, RATE, 1000, 8000) > 0.4,
    "wind": is_wind,
    "thunder": lambda one: share(one, RATE, 0, 250) > 0.8 and energy(one, 0, 1) > 0.8,
    "sea": is_sea,
    "fire": lambda one: flatness(one, RATE, 1000, 8000) > 0.4 and crest(one) > 12,
    "footsteps": lambda one: repeats(one, STEP_SECONDS) and share(one, RATE, 90, 1500) > 0.9,
    "door": is_door,
    "laser": is_laser,
    "beep": lambda one: bool(np.abs(loudest_hertz(one, RATE)[:20] - BEEP_HERTZ).max() < 5),
    "whoosh": lambda one: energy(one, 0, 1) + energy(one, 4, 6) < 0.1,
    "engine": lambda one: bool(np.abs(loudest_hertz(one, RATE) - 58).max() < 5),
    "siren": is_siren,
    "applause": is_applause,
    "birds": lambda one: share(one, RATE, 2400, 6600) > 0.95,
    "heartbeat": lambda one: repeats(one, BEAT_SECONDS) and share(one, RATE, 0, 100) > 0.95,
}


@pytest.mark.parametrize("name", EFFECTS)
def test_each_sound_passes_its_measure_and_no_other(name):
    assert {name} == {other for other in EFFECTS if MEASURES[name](drawn(other, 1))}


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 10))
def test_other_seeds_are_the_same_sounds(seed):
    assert [] == [name for name in EFFECTS if not MEASURES[name](drawn(name, seed))]


def test_the_catalog_names_every_sound():
    assert SPEC.vocabulary.keys() == EFFECTS.keys()
    words = [word for name, others in SPEC.vocabulary.items() for word in (name, *others)]
    assert len(set(words)) == len(words)
