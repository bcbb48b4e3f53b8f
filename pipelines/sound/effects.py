"""The sounds that `demo-sound` draws: each a function of random numbers and a length in samples, to a wave."""

from collections.abc import Callable, Mapping

import numpy as np

from pipelines.sound.synthesis import RATE, Rng, Wave, band, envelope, noise, put, ramp, repeat, scatter, summed, tone

Effect = Callable[[Rng, int], Wave]

STEP_SECONDS, BEAT_SECONDS, WAVE_SECONDS = 0.52, 0.86, 4.5
SIREN_HERTZ, SIREN_REACH, SIREN_SECONDS = 900.0, 350.0, 1 / 0.35
"""The middle of its sweep, how far it goes from there, and how long it takes to come back."""
BEEP_HERTZ = 880.0
_BELL = ((BEEP_HERTZ, 1.0, 0.6), (1760.0, 0.4, 0.4), (2637.0, 0.25, 0.25), (4435.0, 0.1, 0.12))
"""Frequency, loudness and decay of the partials of a small bell."""


def rain(rng: Rng, length: int) -> Wave:
    """Draw a hiss, and drops in it."""

    def drop(rng: Rng) -> Wave:
        return 0.3 * envelope(900, 0.0005, 0.003) * noise(rng, 900, 1500 * rng.uniform(1, 4), 12_000)

    return 0.15 * noise(rng, length, 800, 9000) + scatter(rng, length, 250, drop)


def wind(rng: Rng, length: int) -> Wave:
    """Draw three bands of noise, each of which swells and falls by itself."""
    seconds = length // RATE + 2
    return summed(
        [
            noise(rng, length, center * 0.7, center * 1.4)
            * np.interp(np.arange(length) / RATE, np.arange(seconds), gusts)
            for center in (180, 420, 900)
            for gusts in [0.5 + 0.5 * rng.uniform(size=seconds)]
        ]
    )


def thunder(rng: Rng, length: int) -> Wave:
    """Draw a crack, and what rolls on below it."""
    roll = 4 * envelope(length, 0.01, 0.9) * noise(rng, length, 25, 220)
    return roll + envelope(length, 0.001, 0.08) * noise(rng, length, 200, 5000)


def sea(rng: Rng, length: int) -> Wave:
    """Draw a wave that comes every few seconds."""
    swell = np.sin(np.pi * np.arange(length) / RATE / WAVE_SECONDS) ** 4
    return noise(rng, length, 120, 5000) * (0.2 + 0.8 * swell)


def fire(rng: Rng, length: int) -> Wave:
    """Draw a low rush, and crackles."""

    def crackle(rng: Rng) -> Wave:
        return rng.uniform(0.2, 1) * envelope(1500, 0.0003, 0.004) * noise(rng, 1500, 1000, 9000)

    return 0.2 * noise(rng, length, 60, 700) + scatter(rng, length, 18, crackle)


def steps(rng: Rng, length: int) -> Wave:
    """Draw the steps of a walk."""

    def step(rng: Rng) -> Wave:
        return rng.uniform(0.7, 1) * envelope(6000, 0.002, 0.03) * noise(rng, 6000, 90, 1400)

    return repeat(rng, length, STEP_SECONDS, step, first=0.1)


def door(rng: Rng, length: int) -> Wave:
    """Draw a hinge that creaks, and the door that falls shut."""
    creak = np.sign(tone(ramp(((0, 90), (0.5, 160), (1, 70)), length), length))
    rough = 0.3 * creak * (1 + 0.5 * rng.normal(size=length)) * ramp(((0, 1), (0.75, 1), (0.8, 0), (1, 0)), length)
    out = band(rough, 300, 2600)
    rest = length - int(length * 0.8)
    put(out, length - rest, 3 * envelope(rest, 0.001, 0.05) * noise(rng, rest, 60, 700))
    return out


def laser(rng: Rng, length: int) -> Wave:
    """Draw a tone that falls fast."""
    return tone(2400 * np.exp(-9 * np.arange(length) / RATE) + 120, length) * envelope(length, 0.002, 0.18)


def beep(rng: Rng, length: int) -> Wave:
    """Draw one stroke of a small bell."""
    return summed([loud * tone(hertz, length) * envelope(length, 0.002, decay) for hertz, loud, decay in _BELL])


def whoosh(rng: Rng, length: int) -> Wave:
    """Draw something that passes by: bands of noise, the higher the later."""
    at = np.linspace(0, 1, length)
    bands = ((500, 0.3), (1500, 0.45), (3500, 0.55))
    return summed(
        [noise(rng, length, hertz * 0.7, hertz * 1.5) * np.exp(-(((at - when) / 0.16) ** 2)) for hertz, when in bands]
    )


def engine(rng: Rng, length: int) -> Wave:
    """Draw strokes at 58 a second, which waver, and their noise."""
    wavering = 1 + 0.02 * np.sin(3 * np.arange(length) / RATE)
    strokes = summed([np.sign(tone(58 * part * wavering, length)) / part for part in (1, 2, 3)])
    return band(0.4 * strokes + 0.15 * rng.normal(size=length), 40, 1800)


def siren(rng: Rng, length: int) -> Wave:
    """Draw a tone that sweeps up and down."""
    sweep = np.sin(2 * np.pi * np.arange(length) / RATE / SIREN_SECONDS)
    return 0.7 * tone(SIREN_HERTZ + SIREN_REACH * sweep, length)


def applause(rng: Rng, length: int) -> Wave:
    """Draw many claps."""

    def clap(rng: Rng) -> Wave:
        return rng.uniform(0.3, 1) * envelope(2400, 0.0008, 0.008) * noise(rng, 2400, 700 * rng.uniform(0.8, 1.6), 4200)

    return scatter(rng, length, 120, clap)


def birds(rng: Rng, length: int) -> Wave:
    """Draw chirps."""

    def chirp(rng: Rng) -> Wave:
        bends = ((0.0, rng.uniform(2500, 5000)), (0.4, rng.uniform(3500, 6500)), (1.0, rng.uniform(2500, 4500)))
        return envelope(9000, 0.01, 0.05) * tone(ramp(bends, 9000), 9000)

    return scatter(rng, length, 2.2, chirp)


def heart(rng: Rng, length: int) -> Wave:
    """Draw two low beats, and a pause."""

    def beat(rng: Rng) -> Wave:
        return envelope(12_000, 0.01, 0.06) * tone(55 * np.exp(-4 * np.arange(12_000) / RATE), 12_000)

    return repeat(rng, length, BEAT_SECONDS, beat) + 0.7 * repeat(rng, length, BEAT_SECONDS, beat, first=0.28)


EFFECTS: Mapping[str, Effect] = {
    "rain": rain,
    "wind": wind,
    "thunder": thunder,
    "sea": sea,
    "fire": fire,
    "footsteps": steps,
    "door": door,
    "laser": laser,
    "beep": beep,
    "whoosh": whoosh,
    "engine": engine,
    "siren": siren,
    "applause": applause,
    "birds": birds,
    "heartbeat": heart,
}
"""By the words of the vocabulary of `demo-sound` in `models.toml`."""
