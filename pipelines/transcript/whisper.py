"""The family `whisper`: what is said in a recording, with times, by Whisper's class of transformers.

The tokens are those of `generate` of transformers, which hears window after window of 30 s, each from where the last
whole sentence of the one before it ended.
"""

import wave
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES, _combine_tokens_into_words

from core.errors.failures import ModelLoadFailed, NotFinite
from core.errors.fields import NotThisModel
from core.languages import find_language, not_spoken
from jobs.params.text import TranscriptParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.transcript.transcript import Sentence, Transcript, Word, as_array

RATE = 16_000
"""Samples a second that Whisper hears."""
WINDOW = 30 * RATE
ENGLISH = "en"
"""The language of a model that has no others."""
SHOWN_CHARACTERS = 100_000
"""The longest text that is in the answer, and not in the file alone."""


class Whisper:
    """Recordings of any length, in the languages of the checkpoint."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str, loader: WeightLoader | None = None) -> None:
        transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        self.spec, self.device = spec, device
        self.dtype = getattr(torch, spec.dtype or ("float32" if device == "cpu" else "float16"))
        self.features: Any = transformers.WhisperFeatureExtractor.from_pretrained(weights, local_files_only=True)
        self.tokenizer: Any = transformers.WhisperTokenizer.from_pretrained(weights, local_files_only=True)
        kind = WhisperForConditionalGeneration
        self.model: Any = load_component(weights, kind, self.dtype, loader or WeightLoader(device))
        settings = GenerationConfig.from_pretrained(weights, local_files_only=True)
        if getattr(settings, "no_timestamps_token_id", None) is None:
            raise ModelLoadFailed(f"{spec.id}: its generation_config.json names no `no_timestamps_token_id`.")
        if "word-times" in spec.capabilities and not getattr(settings, "alignment_heads", None):
            raise ModelLoadFailed(f"{spec.id}: its generation_config.json names no `alignment_heads` for `word-times`.")
        self.model.generation_config = settings
        languages = getattr(settings, "lang_to_id", None) if getattr(settings, "is_multilingual", True) else None
        self._first_mark: int = min(self.tokenizer.all_special_ids)
        self.tokens_of: dict[str, int] = {mark.strip("<|>"): token for mark, token in (languages or {}).items()}

    @property
    def modules(self) -> list[torch.nn.Module]:
        """See `pipelines.runtime.protocol.Pipeline`."""
        return [self.model]

    @torch.inference_mode()
    def run(self, params: TranscriptParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Return `transcript`, which `pipelines.transcript.encode` writes; report before each window and token.

        Raises `NotThisModel` for a language that the model does not know, and `NotFinite`.
        """
        ctx.progress(0.0, "prepare")
        samples = read_samples(inputs.files["input_audio"])
        heard = self._features(samples)
        language = self._language(params, heard)
        with_words = "word" in params.timestamp_granularities
        segments = self._hear(params, heard, language, ctx, with_words=with_words)
        sentences = self._sentences(segments)
        ctx.progress(1.0, "encode")
        transcript = Transcript(
            language=language,
            duration=round(len(samples) / RATE, 2),
            text=" ".join(sentence.text for sentence in sentences),
            segments=sentences,
            words=self._words(segments, language, len(samples) / RATE) if with_words else msgspec.UNSET,
        )
        facts: dict[str, MetadataValue] = {
            "seed": ctx.seed,
            "language": language,
            "text": transcript.text if len(transcript.text) <= SHOWN_CHARACTERS else None,
        }
        return RawOutput(arrays={"transcript": as_array(transcript)}, metadata=facts)

    def _features(self, samples: NDArray[np.float32]) -> Any:
        """Return `input_features`, 1 x bands x frames of 10 ms, and `attention_mask`; of a window at least."""
        is_long = len(samples) > WINDOW
        made = self.features(
            samples,
            sampling_rate=RATE,
            return_tensors="pt",
            return_attention_mask=True,
            truncation=False,
            padding="longest" if is_long else "max_length",
        )
        return {
            "input_features": made["input_features"].to(self.device, self.dtype),
            "attention_mask": made["attention_mask"].to(self.device),
        }

    def _language(self, params: TranscriptParams, heard: Any) -> str:
        """Return the code of the language: the one that is asked for, else the one that the first window is in."""
        known = self.tokens_of or {ENGLISH: 0}
        if params.language_id is not None:
            found = find_language(params.language_id, known)
            if found is None:
                sentence = not_spoken(self.spec.id, params.language_id, known)
                raise NotThisModel(f"{sentence}.", field="$.language_id")
            return found
        if not self.tokens_of:
            return ENGLISH
        token = int(self.model.detect_language(heard["input_features"])[0])
        return next(code for code, each in self.tokens_of.items() if each == token)

    def _hear(
        self, params: TranscriptParams, heard: Any, language: str, ctx: RunContext, *, with_words: bool
    ) -> list[dict[str, Any]]:
        """Return the segments of `generate`; a temperature above zero draws from torch's global state, restored."""
        chosen: dict[str, Any] = {"language": language, "task": "transcribe"} if self.tokens_of else {}
        if params.prompt is not None:
            chosen["prompt_ids"] = self._prompt(params.prompt)
        listener = _Listener(ctx)
        with (
            torch.random.fork_rng(devices=[self.device] if self.device != "cpu" else []),
            _attention_seen(self.model) if with_words else nullcontext(),
        ):
            torch.manual_seed(ctx.seed)
            made = self.model.generate(
                **heard,
                **chosen,
                temperature=params.temperature,
                return_timestamps=True,
                return_segments=True,
                return_token_timestamps=with_words,
                monitor_progress=listener.begin_window,
                logits_processor=LogitsProcessorList([_refuse_nan]),
                stopping_criteria=StoppingCriteriaList([listener]),
            )
        segments: list[dict[str, Any]] = made["segments"][0]
        return segments

    def _sentences(self, segments: list[dict[str, Any]]) -> tuple[Sentence, ...]:
        said = (
            Sentence(
                id=number,
                start=round(float(each["start"]), 2),
                end=round(float(each["end"]), 2),
                text=self._text(each["tokens"]),
                tokens=tuple(each["tokens"].tolist()),
            )
            for number, each in enumerate(segments)
        )
        return tuple(sentence for sentence in said if sentence.text)

    def _words(self, segments: list[dict[str, Any]], language: str, duration: float) -> tuple[Word, ...]:
        """Return the words of segments whose tokens have times: each lasts from the end of the token before it.

        The window of 30 s may be longer than the recording; no word is said after its `duration` in seconds.
        """
        words = list[Word]()
        for segment in segments:
            ends = segment["token_timestamps"].clamp(max=duration).tolist()
            begins = [min(float(segment["start"]), *ends[:1]), *ends]
            said = [
                (token, begin, end)
                for token, begin, end in zip(segment["tokens"].tolist(), begins, ends, strict=False)
                if token < self._first_mark
            ]
            texts, _, places = _combine_tokens_into_words(
                self.tokenizer, [token for token, _, _ in said], LANGUAGES.get(language)
            )
            words += [
                Word(_shown(text), round(said[place[0]][1], 2), round(said[place[-1]][2], 2))
                for text, place in zip(texts, places, strict=True)
                if text.strip()
            ]
        return tuple(words)

    def _prompt(self, text: str) -> torch.Tensor:
        """Return the tokens of a prompt, their mark before them: as many as leave half of the room to the answer."""
        tokens: torch.Tensor = self.tokenizer.get_prompt_ids(text, return_tensors="pt")
        most = self.model.config.max_target_positions // 2 - 2
        return torch.cat([tokens[:1], tokens[1:][-most:]]).to(self.device)

    def _text(self, tokens: torch.Tensor) -> str:
        """Return the words of tokens; U+0000, which PostgreSQL cannot store, is replaced."""
        return _shown(self.tokenizer.decode(tokens, skip_special_tokens=True))


def _shown(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").strip()


@contextmanager
def _attention_seen(model: Any) -> Iterator[None]:
    """Have attention computed so that its weights are there, by which tokens are aligned; other kernels keep none."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        yield
    finally:
        model.set_attn_implementation(before)


class _Listener:
    """Reports how much of the recording is heard: at each window, and between tokens, where a cancel ends the work."""

    def __init__(self, ctx: RunContext) -> None:
        self._ctx, self._share = ctx, 0.0

    def begin_window(self, places: torch.Tensor) -> None:
        """Take the frame (1 x 2) at which a window begins, and the count of all."""
        frame, frames = places[0].tolist()
        self._share = min(1.0, frame / frames)
        self._ctx.progress(self._share, "step")

    def __call__(self, tokens: torch.Tensor, scores: Any, **_: Any) -> torch.Tensor:
        """Return for each row of tokens that it does not end here. Raises what `RunContext.progress` raises."""
        self._ctx.progress(self._share, "step")
        return torch.zeros(tokens.size(0), dtype=torch.bool, device=tokens.device)


def read_samples(file: Path) -> NDArray[np.float32]:
    """Return the samples of a clean copy of a recording, in -1 to 1: 16 bits, one channel, 16,000 a second."""
    with wave.open(str(file)) as opened:
        content = opened.readframes(opened.getnframes())
    return np.frombuffer(content, "<i2").astype(np.float32) / np.float32(32768)


def _refuse_nan(tokens: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
    """Return the scores of the next token (rows x vocabulary). Raises `NotFinite`."""
    if torch.isnan(scores).any():
        raise NotFinite("The model computed values that are not finite; it wrote no transcript.")
    return scores
