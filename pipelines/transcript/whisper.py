"""The family `whisper`: what is said in a recording, with times, by Whisper's class of transformers.

The tokens are those of `generate` of transformers, which hears window after window of 30 s, each from where the last
whole sentence of the one before it ended.
"""

import wave
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import GenerationConfig, LogitsProcessorList, StoppingCriteriaList, WhisperForConditionalGeneration

from core.errors.failures import ModelLoadFailed, NotFinite
from core.errors.fields import NotThisModel
from core.languages import find_language, not_spoken
from jobs.params.text import TranscriptParams
from pipelines.catalog.spec import ModelSpec
from pipelines.diffusion.component import load_component
from pipelines.memory.weight_loader import WeightLoader
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.transcript.transcript import Sentence, Transcript, as_array

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
        self.model.generation_config = settings
        languages = getattr(settings, "lang_to_id", None) if getattr(settings, "is_multilingual", True) else None
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
        sentences = self._sentences(params, heard, language, ctx)
        ctx.progress(1.0, "encode")
        transcript = Transcript(
            language=language,
            duration=round(len(samples) / RATE, 2),
            text=" ".join(sentence.text for sentence in sentences),
            segments=sentences,
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

    def _sentences(self, params: TranscriptParams, heard: Any, language: str, ctx: RunContext) -> tuple[Sentence, ...]:
        """Return what is said; a temperature above zero draws from torch's global state, which is restored."""
        chosen: dict[str, Any] = {"language": language, "task": "transcribe"} if self.tokens_of else {}
        if params.prompt is not None:
            chosen["prompt_ids"] = self._prompt(params.prompt)
        listener = _Listener(ctx)
        with torch.random.fork_rng(devices=[self.device] if self.device != "cpu" else []):
            torch.manual_seed(ctx.seed)
            made = self.model.generate(
                **heard,
                **chosen,
                temperature=params.temperature,
                return_timestamps=True,
                return_segments=True,
                monitor_progress=listener.begin_window,
                logits_processor=LogitsProcessorList([_refuse_nan]),
                stopping_criteria=StoppingCriteriaList([listener]),
            )
        said = (
            Sentence(
                id=number,
                start=round(float(each["start"]), 2),
                end=round(float(each["end"]), 2),
                text=self._text(each["tokens"]),
                tokens=tuple(each["tokens"].tolist()),
            )
            for number, each in enumerate(made["segments"][0])
        )
        return tuple(sentence for sentence in said if sentence.text)

    def _prompt(self, text: str) -> torch.Tensor:
        """Return the tokens of a prompt, their mark before them: as many as leave half of the room to the answer."""
        tokens: torch.Tensor = self.tokenizer.get_prompt_ids(text, return_tensors="pt")
        most = self.model.config.max_target_positions // 2 - 2
        return torch.cat([tokens[:1], tokens[1:][-most:]]).to(self.device)

    def _text(self, tokens: torch.Tensor) -> str:
        """Return the words of tokens; U+0000, which PostgreSQL cannot store, is replaced."""
        text: str = self.tokenizer.decode(tokens, skip_special_tokens=True)
        return text.replace("\0", "\N{REPLACEMENT CHARACTER}").strip()


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
