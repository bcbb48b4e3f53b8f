"""Voices: what Chatterbox's networks extract from a recording, cached by the recording's content."""

import hashlib
import math
from collections import OrderedDict
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import soundfile
import soxr
import torch
from chatterbox.models.t3.modules.cond_enc import T3Cond

from core.errors.fields import NotThisModel
from pipelines.catalog.requirements import check_voice_seconds
from pipelines.speech.chatterbox.nets import Nets
from pipelines.speech.samples import Samples

CAPACITY = 32
"""Voices kept on the device; the least recently used goes first. One is less than a megabyte."""
SAMPLE_RATE, TOKEN_RATE = 24_000, 16_000
REFERENCE_SECONDS = 10
"""Seconds of a recording that condition S3Gen."""
LOUDNESS = -27.0
"""Loudness in LUFS that Turbo expects of a recording."""
_SILENCE = 1e-3


class ReferenceVoice(msgspec.Struct, frozen=True):
    """Tensors of one voice, never changed: speaker (1 x 256) and first speech tokens for T3, conditions for S3Gen.

    Exaggeration is not a part of it: it is one number beside them, so one extraction serves all values.
    """

    speaker: torch.Tensor
    prompt: torch.Tensor | None
    leading: dict[str, Any]

    def condition(self, exaggeration: float, dtype: torch.dtype) -> Any:
        """Return a condition for one call of T3, which writes into it."""
        return T3Cond(
            speaker_emb=self.speaker.to(dtype),
            cond_prompt_speech_tokens=self.prompt,
            emotion_adv=torch.full((1, 1, 1), exaggeration, dtype=dtype, device=self.speaker.device),
        )


class VoiceCache:
    """The voices of one loaded model: the built-in one, and those of recordings by their sha256."""

    def __init__(self, nets: Nets, model: str, kept: int = CAPACITY) -> None:
        self._nets, self._model, self._kept = nets, model, kept
        self._cached: OrderedDict[str, ReferenceVoice] = OrderedDict()
        self._builtin = _builtin(nets.builtin) if nets.builtin else None

    def __len__(self) -> int:
        return len(self._cached)

    def builtin(self) -> ReferenceVoice:
        """Return the voice that came with the weights. Raises `NotThisModel` where there is none."""
        if self._builtin is None:
            raise NotThisModel(
                f"{self._model} has no voice of its own on this server; send a recording as `target_voice_path`.",
                field="$.target_voice_path",
            )
        return self._builtin

    def of(self, recording: Path) -> ReferenceVoice:
        """Return the voice of a WAV file. Raises `NotThisModel` for a recording that is too short or silent."""
        with recording.open("rb") as stream:
            key = hashlib.file_digest(stream, "sha256").hexdigest()
        if key not in self._cached:
            self._cached[key] = embed_voice(self._nets, self._read(recording))
        self._cached.move_to_end(key)
        while len(self._cached) > self._kept:
            self._cached.popitem(last=False)
        return self._cached[key]

    def _read(self, recording: Path) -> Samples:
        samples, rate = soundfile.read(recording, dtype="float32", always_2d=True)
        mono, least = samples.mean(axis=1), self._nets.layout.min_seconds
        check_voice_seconds(len(mono) / rate, least)
        if np.abs(mono).max() < _SILENCE:
            raise NotThisModel("The recording is silent; send one with a voice.", field="$.target_voice_path")
        resampled: Samples = soxr.resample(mono, rate, SAMPLE_RATE)
        return resampled


@torch.inference_mode()
def embed_voice(nets: Nets, samples: Samples) -> ReferenceVoice:
    """Return the voice that the networks extract from `samples` (float32 in -1 to 1, 24,000 a second)."""
    if nets.layout.is_turbo:
        samples = _normalize_loudness(samples)
    low = soxr.resample(samples, SAMPLE_RATE, TOKEN_RATE).astype(np.float32)
    leading = nets.s3gen.embed_ref(samples[: REFERENCE_SECONDS * SAMPLE_RATE], SAMPLE_RATE, device=nets.device)
    beginning = low[: nets.layout.prompt_seconds * TOKEN_RATE]
    prompt, _ = nets.s3gen.tokenizer([beginning], max_len=nets.t3.hp.speech_cond_prompt_len)
    speaker = torch.from_numpy(nets.speaker.embeds_from_wavs([low], sample_rate=TOKEN_RATE)).mean(0, keepdim=True)
    return ReferenceVoice(speaker.to(nets.device), prompt.to(nets.device), leading)


def _builtin(tensors: dict[str, torch.Tensor]) -> ReferenceVoice:
    leading = {name.removeprefix("gen."): tensor for name, tensor in tensors.items() if name.startswith("gen.")}
    # safetensors cannot hold `None`.
    return ReferenceVoice(
        tensors["t3.speaker_emb"],
        tensors.get("t3.cond_prompt_speech_tokens"),
        {"prompt_feat_len": None, **leading},
    )


def _normalize_loudness(samples: Samples) -> Samples:
    """Return the samples as loud as Turbo's authors make every recording, where the loudness can be measured."""
    import pyloudnorm

    gain = 10 ** ((LOUDNESS - pyloudnorm.Meter(SAMPLE_RATE).integrated_loudness(samples)) / 20)
    return (samples * gain).astype(np.float32) if math.isfinite(gain) and gain > 0 else samples
