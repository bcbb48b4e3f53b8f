"""Recordings of a voice as ingest leaves them: WAV of 16 bits, one channel."""

import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

RATE = 22_050


def syllables(seconds: float) -> NDArray[np.float32]:
    """A tone of a voice's pitch that swells three times a second, with pauses, and grows louder."""
    at = np.arange(round(seconds * RATE)) / RATE
    tone = sum(np.sin(2 * np.pi * 140 * part * at) / part for part in range(1, 12))
    swell = np.clip(np.sin(2 * np.pi * 3 * at), 0, 1) * (0.3 + 0.7 * at / seconds)
    return (0.3 * tone * swell).astype(np.float32)


def save_voice(file: Path, samples: NDArray[np.float32]) -> Path:
    """Write the samples, and return the file."""
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return file
