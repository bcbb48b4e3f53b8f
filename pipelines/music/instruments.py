"""The instruments of `demo-music`: a string, a pad and three drums, as waves of `pipelines.sound.synthesis`."""

import numpy as np

from pipelines.sound.synthesis import RATE, Rng, Wave, envelope, noise, tone

PARTIALS = 8
"""Of a string."""
DETUNED = 1.004
"""The second voice of a pad beats slowly against the first."""


def string(hertz: float, length: int) -> Wave:
    """Return a plucked string: partials, of which the higher ones fade sooner."""
    at = np.arange(length) / RATE
    numbers = [number for number in range(1, PARTIALS + 1) if number * hertz < RATE / 2]
    wave = sum(
        (np.sin(2 * np.pi * number * hertz * at) * np.exp(-(1.5 + number) * at) / number**1.3 for number in numbers),
        np.zeros(length),
    )
    return (
        wave
        * np.minimum(np.arange(length) / (0.003 * RATE), 1)
        * np.minimum((length - np.arange(length)) / (0.02 * RATE), 1)
    )


def pad(hertz: float, length: int) -> Wave:
    """Return a soft held note that swells and fades."""
    at = np.arange(length)
    swell = np.minimum(at / (0.4 * RATE), 1) * np.minimum((length - at) / (0.3 * RATE), 1)
    return swell * (tone(hertz, length) + 0.4 * tone(hertz * DETUNED, length))


def kick() -> Wave:
    """Return a bass drum."""
    length = 9000
    return tone(50 + 120 * np.exp(-45 * np.arange(length) / RATE), length) * envelope(length, 0.001, 0.09)


def snare(rng: Rng) -> Wave:
    """Return a snare drum."""
    return noise(rng, 7000, 900, 7000) * envelope(7000, 0.001, 0.05)


def hat(rng: Rng) -> Wave:
    """Return a closed hi-hat."""
    return noise(rng, 2500, 6000, 14_000) * envelope(2500, 0.0005, 0.02)
