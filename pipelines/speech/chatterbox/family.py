"""The family `chatterbox`: speech in the voice of a recording, by Resemble AI's Chatterbox (MIT).

English, multilingual and Turbo are distinguished by their files (`layouts.py`). The networks are those of
`chatterbox-tts`. This module calls them itself, since the package's own call has no limits, cannot be stopped, always
adds a watermark, and keeps the last caller's voice.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import torch

from core.errors.failures import PipelineFailed
from jobs.params.speech import SpeechParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.matmul_precision import tensor_float_matmuls
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.speech.chatterbox.nets import load_nets
from pipelines.speech.chatterbox.streaming import StreamedDecoder
from pipelines.speech.chatterbox.tokens import SamplingParams, TokenSampler
from pipelines.speech.chatterbox.voices import SAMPLE_RATE, ReferenceVoice, VoiceCache
from pipelines.speech.languages import language_for
from pipelines.speech.samples import PAUSE_TOKENS, Edge, JoinedSpeech, Samples, truncation_warning
from pipelines.speech.text import clean_text, edge_after, split_text

MAX_CHUNK_TOKENS = 1000
"""Tokens of one chunk, 40 s: a model that goes on longer has lost its way."""
REPORT_EVERY = 4
"""Tokens between two reports, and so between a cancel and its effect."""
TOKENS_PER_CHARACTER = 1.7
"""Estimate for progress reports."""
_SILENCE = 4299
"""The speech token of silence."""


class _Progress(msgspec.Struct):
    """Progress by the share of the text that is spoken."""

    ctx: RunContext
    total: int
    behind: int = 0

    def at(self, tokens: int, characters: int) -> None:
        """Report `tokens` of a chunk of so many characters."""
        if tokens % REPORT_EVERY == 0:
            done = min(0.9, tokens / (TOKENS_PER_CHARACTER * characters + 10)) * characters
            self.ctx.progress(0.95 * (self.behind + done) / self.total, "step")

    def end(self, characters: int) -> None:
        """Report that a chunk has its tokens and is being decoded."""
        self.behind += characters
        self.ctx.progress(0.95 * self.behind / self.total, "decode")


class _Chunk(msgspec.Struct, frozen=True):
    """A part of the text, in letters and in tokens (1 x n)."""

    text: str
    tokens: torch.Tensor


class _SpeechRun(msgspec.Struct, frozen=True):
    """What all chunks of a text have in common."""

    params: SpeechParams
    voice: ReferenceVoice
    sampler: TokenSampler
    progress: _Progress


class Chatterbox:
    """Speech of any length up to `max_new_tokens`, in the voice of a recording or in the built-in one."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        self.spec = spec
        self.dtype: torch.dtype = getattr(torch, spec.dtype or "float32")
        self.nets = load_nets(weights, loader or WeightLoader(device), self.dtype)
        self.voices = VoiceCache(self.nets, spec.id)
        self.warnings: tuple[str, ...] = ()
        """See `pipelines.runtime.protocol.Pipeline`."""

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.nets.t3, self.nets.s3gen, self.nets.speaker]

    def run(self, params: SpeechParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples` of `params.text`; report while tokens are sampled.

        Raises `NotThisModel` for an unknown language or an unsuitable recording, and `PipelineFailed` when the model
        made no audio.
        """
        check_media(self.spec, inputs.files)
        chunks = split_text(clean_text(params.spelled))
        language = language_for(params.language_id, self.nets.languages, self.spec)
        ctx.progress(0.0, "prepare")
        recording = inputs.files.get("target_voice_path")
        voice = self.voices.builtin() if recording is None else self.voices.of(recording)
        warnings = list(_warnings(self.spec, params, self.nets.layout.is_turbo, language))
        for warning in warnings:
            ctx.warn(warning)
        parts = [_Chunk(chunk, self.nets.tokenize(chunk, language)) for chunk in chunks]
        sampler = TokenSampler(
            self.nets,
            SamplingParams(
                max_tokens=min(params.max_new_tokens, MAX_CHUNK_TOKENS),
                temperature=params.temperature,
                cfg_weight=params.cfg_weight,
                max_text=max(part.tokens.size(1) for part in parts),
            ),
            torch.Generator(self.nets.device).manual_seed(ctx.seed),
        )
        progress = _Progress(ctx, sum(map(len, chunks)))
        joined, is_cut = self._speak(parts, _SpeechRun(params, voice, sampler, progress))
        self.warnings = (sampler.defect,) if sampler.defect else ()
        if is_cut:
            warnings.append(truncation_warning(params.max_new_tokens))
            ctx.warn(warnings[-1])
        metadata: dict[str, MetadataValue] = {"seed": ctx.seed, "sample_rate": SAMPLE_RATE, "language": language}
        return RawOutput(arrays=joined.arrays(), warnings=tuple(warnings), metadata=metadata)

    def _speak(self, chunks: list[_Chunk], run: _SpeechRun) -> tuple[JoinedSpeech, bool]:
        """Return the speech, and whether the text was cut off."""
        progress, params = run.progress, run.params
        joined = JoinedSpeech(SAMPLE_RATE, play=progress.ctx.play if params.stream else None)
        remaining, is_cut = params.max_new_tokens, False
        after: Edge = "cut"
        for chunk in chunks:
            remaining -= PAUSE_TOKENS if after == "pause" else 0
            if remaining < 1:
                is_cut = True
                break
            most, is_last = min(remaining, MAX_CHUNK_TOKENS), chunk is chunks[-1]
            decoder = self._streamed(joined, after, most, run) if params.stream else None
            tokens, is_ended = self._tokens(chunk, most, run, decoder)
            is_cut = not is_ended and remaining <= MAX_CHUNK_TOKENS
            remaining -= len(tokens)
            progress.end(len(chunk.text))
            before: Edge = "pause" if is_cut else "cut" if is_last else edge_after(chunk.text)
            if len(tokens) and decoder is not None:
                decoder.finish(tokens, before)
            elif len(tokens):
                joined.add(self._decode(tokens, run.voice, progress.ctx.seed), after=after, before=before)
            after = after if joined.is_empty else before
            if is_cut:
                break
        if joined.is_empty:
            raise PipelineFailed(f"{self.spec.id} made no audio of this text; try another wording or seed.")
        return joined, is_cut

    def _streamed(self, joined: JoinedSpeech, after: Edge, most: int, run: _SpeechRun) -> StreamedDecoder:
        """Return the decoder of a chunk of at most `most` tokens, whose pieces are joined to those before."""

        def add(samples: Samples, is_first: bool, before: Edge) -> None:
            joined.add(samples, after=after if is_first else "cut", before=before)

        return StreamedDecoder(self.nets, run.voice, run.progress.ctx.seed, most, add)

    def _tokens(
        self, chunk: _Chunk, max_tokens: int, run: _SpeechRun, decoder: StreamedDecoder | None
    ) -> tuple[torch.Tensor, bool]:
        """Return the speech tokens of a chunk with its closing silence, and whether the chunk is complete."""
        silence = self.nets.layout.closing_silence
        sampled = run.sampler.sample(
            run.voice.condition(run.params.exaggeration, self.dtype),
            chunk.tokens,
            max_tokens,
            lambda count: run.progress.at(count, len(chunk.text)),
            decoder.offer if decoder else lambda tokens: None,
        )
        closing = torch.full((min(silence, max_tokens - len(sampled.tokens)),), _SILENCE, device=self.nets.device)
        return (torch.cat([sampled.tokens, closing]) if len(sampled.tokens) else sampled.tokens), sampled.is_ended

    @torch.inference_mode()
    def _decode(self, tokens: torch.Tensor, voice: ReferenceVoice, seed: int) -> Samples:
        """Return 960 samples for each token.

        S3Gen uses torch's global random state, which is restored afterwards.
        """
        s3gen: Any = self.nets.s3gen
        devices = [self.nets.device] if self.nets.device != "cpu" else []
        with torch.random.fork_rng(devices=devices), tensor_float_matmuls(self.nets.device):
            torch.manual_seed(seed)
            # It writes into the dictionary that it gets.
            wave, _ = s3gen.inference(speech_tokens=tokens, ref_dict=dict(voice.leading))
        samples: Samples = wave[0].float().cpu().numpy()
        return samples


def _warnings(spec: ModelSpec, params: SpeechParams, is_turbo: bool, language: str) -> Iterator[str]:
    for field in ("exaggeration", "cfg_weight") if is_turbo else ():
        if getattr(params, field) != getattr(SpeechParams(text="."), field):
            yield f"{spec.id} does not use `{field}`; it was ignored"
    if language == "ja" and any("\u4e00" <= letter <= "\u9fff" for letter in params.text):
        yield f"{spec.id} does not read kanji well; write them in hiragana"
