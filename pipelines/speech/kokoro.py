"""The family `kokoro`: English in the voices of Kokoro-82M (Apache-2.0), about as fast as speech on one CPU core.

espeak-ng makes phonemes of the text, and one network makes sound of them: StyleTTS 2 without its diffusion, with the
vocoder iSTFTNet (https://huggingface.co/hexgrad/Kokoro-82M). Nothing in it is random, so the seed has no effect.
"""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from core.errors.failures import ModelLoadFailed, PipelineFailed
from core.errors.fields import NotThisModel
from jobs.params.speech import FIRST_PHONEMES, MOST_REPLACEMENTS, Pronunciation, SpeechParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.cutout.onnx_session import create_session
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.speech.espeak_library import Espeak
from pipelines.speech.languages import language_for
from pipelines.speech.phonemes import read_phonemes, read_text
from pipelines.speech.samples import TOKENS_PER_SECOND, Edge, JoinedSpeech, Samples, truncation_warning
from pipelines.speech.text import clean_text, edge_after, split_sentences, split_text

RATE = 24_000
MOST_PHONEMES = 510
"""What the network reads at once, and the number of a voice's styles: it has one for each length."""
MOST_CHARACTERS = 200
"""Of a text that is spoken at once; the less, the sooner a cancel takes effect."""
BRITISH = "en-gb"
LANGUAGES = {"en": "gmw/en-US", "en-us": "gmw/en-US", BRITISH: "gmw/en"}
"""Languages, and the voices of espeak-ng whose phonemes are theirs."""
_PHONEMES = re.compile(f"([{chr(FIRST_PHONEMES)}-{chr(FIRST_PHONEMES + MOST_REPLACEMENTS - 1)}])")
_PAD = 0
"""Before and after the phonemes."""
_UNUSED = ("exaggeration", "temperature", "cfg_weight")


class Kokoro:
    """Speech of any length up to `max_new_tokens`, in one of the voices of the entry; the first is the default one."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec
        self._session = create_session(weights / "model.onnx", "cpu")
        self._tokens: dict[str, int] = json.loads((weights / "vocab.json").read_text("utf-8"))["vocab"]
        with np.load(weights / "voices.npz", allow_pickle=False) as voices:
            self._styles = {name: voices[name].reshape(-1, 1, voices[name].shape[-1]) for name in voices.files}
        missing = sorted(set(spec.voices) - set(self._styles))
        if missing or not spec.voices:
            raise ModelLoadFailed(f"{spec.id}: the weights have no voice {', '.join(missing) or 'of the catalog'}.")

    def run(self, params: SpeechParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples` of `params.text`; report after every chunk.

        Raises `NotThisModel` for an unknown language, voice or phoneme, and `PipelineFailed` when nothing was made.
        """
        check_media(self.spec, inputs.files)
        text, language = clean_text(params.spelled), language_for(params.language_id, LANGUAGES, self.spec)
        voice = params.voice or next(iter(self.spec.voices))
        if voice not in self.spec.voices:
            raise NotThisModel(f"{self.spec.id} has no voice {voice!r}.", field="$.voice")
        self._check_phonemes(params.replacements, language)
        warnings = [
            f"{self.spec.id} does not use `{field}`; it was ignored"
            for field in _UNUSED
            if getattr(params, field) != getattr(SpeechParams(text="."), field)
        ]
        ctx.progress(0.0, "prepare")
        chunks = split_sentences(text) if params.stream else split_text(text, MOST_CHARACTERS)
        joined = self._speak(list(self.parts(chunks, language, params.replacements)), voice, params, ctx)
        if joined.is_empty:
            raise PipelineFailed(f"{self.spec.id} found nothing to say in this text; try another wording.")
        if joined.is_cut:
            warnings.append(truncation_warning(params.max_new_tokens))
        for warning in warnings:
            ctx.warn(warning)
        metadata: dict[str, MetadataValue] = {"seed": ctx.seed, "sample_rate": RATE, "voice": voice}
        return RawOutput(arrays=joined.arrays(), warnings=tuple(warnings), metadata=metadata)

    def _speak(self, parts: list[tuple[str, Edge]], voice: str, params: SpeechParams, ctx: RunContext) -> JoinedSpeech:
        most = params.max_new_tokens * RATE // TOKENS_PER_SECOND
        joined = JoinedSpeech(RATE, most, ctx.play if params.stream else None)
        after: Edge = "cut"
        for number, (phonemes, edge) in enumerate(parts, 1):
            before: Edge = "cut" if number == len(parts) else edge
            joined.add(self.synthesize(phonemes, voice), after=after, before=before)
            after = before
            ctx.progress(0.95 * number / len(parts), "step")
            if joined.is_cut:
                break
        return joined

    def parts(
        self, chunks: list[str], language: str, replacements: tuple[Pronunciation, ...]
    ) -> Iterator[tuple[str, Edge]]:
        """Yield phonemes that the network reads at once, and how they meet the next ones; long numbers have many."""
        for chunk in chunks:
            phonemes = self.read(chunk, language, replacements)
            pieces = textwrap.wrap(phonemes, MOST_PHONEMES, break_on_hyphens=False)
            yield from ((piece, "cross-fade") for piece in pieces[:-1])
            yield from ((piece, edge_after(chunk)) for piece in pieces[-1:])

    def read(self, chunk: str, language: str, replacements: tuple[Pronunciation, ...] = ()) -> str:
        """Return the phonemes of a chunk of `SpeechParams.spelled`, those of `replacements` in their places."""
        is_british, read = language == BRITISH, list[str]()
        with Espeak() as library:  # anew, since it keeps state
            for piece in _PHONEMES.split(chunk):
                if _PHONEMES.fullmatch(piece):
                    given = replacements[ord(piece) - FIRST_PHONEMES].phonemes or ""
                    read.append(read_phonemes(given, is_british=is_british))
                elif piece.strip():
                    read.append(read_text(library, piece, LANGUAGES[language], is_british=is_british))
        joined = re.sub(r" (?=[,.;:!?…])", "", " ".join(read))
        return "".join(letter for letter in joined if letter in self._tokens)

    def synthesize(self, phonemes: str, voice: str) -> Samples:
        """Return the samples of at most `MOST_PHONEMES` phonemes, which the network knows."""
        tokens = [_PAD, *(self._tokens[each] for each in phonemes), _PAD]
        styles = self._styles[voice]
        fed: dict[str, Any] = {
            "tokens": np.array([tokens], np.int64),
            "style": styles[min(len(phonemes), len(styles)) - 1].astype(np.float32),
            "speed": np.ones(1, np.float32),
        }
        (wave,) = self._session.run(None, fed)
        samples: Samples = np.clip(np.asarray(wave, np.float32).ravel(), -1, 1)
        return samples

    def _check_phonemes(self, replacements: tuple[Pronunciation, ...], language: str) -> None:
        """Raise `NotThisModel` for phonemes that the network does not know."""
        for number, replacement in enumerate(replacements):
            read = read_phonemes(replacement.phonemes or "", is_british=language == BRITISH)
            unknown = [letter for letter in read if letter not in self._tokens]
            if unknown:
                sentence = f"{self.spec.id} has no phoneme {unknown[0]!r}; use the IPA of English, or spell the word."
                raise NotThisModel(sentence, field=f"$.replacements[{number}].phonemes")
