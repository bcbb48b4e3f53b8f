"""The family `espeak`: rule-based speech in more than a hundred languages, from a wheel; one core, no weights."""

from collections.abc import Iterator
from pathlib import Path

from jobs.params.speech import SpeechParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.speech.espeak_library import Espeak, LibraryVoice, all_voices
from pipelines.speech.languages import voice_for
from pipelines.speech.samples import TOKENS_PER_SECOND, Edge, JoinedSpeech, truncation_warning
from pipelines.speech.text import clean_text, edge_after, split_sentences, split_text

_UNUSED = ("temperature", "cfg_weight")


class EspeakVoice:
    """Speech in the voice of `language_id`; `exaggeration` scales the pitch range. The seed has no effect."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec
        self.voices = all_voices()

    def run(self, params: SpeechParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples` of `params.text`; report after every chunk. Raises `NotThisModel` for an unknown language."""
        check_media(self.spec, inputs.files)
        text, voice = clean_text(params.spelled), voice_for(params.language_id, self.voices, self.spec)
        warnings = list(_warnings(self.spec, params))
        ctx.progress(0.0, "prepare")
        joined, rate = self._speak(text, voice, params, ctx)
        if joined.is_cut:
            warnings.append(truncation_warning(params.max_new_tokens))
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.9, "decode")
        metadata: dict[str, MetadataValue] = {"seed": ctx.seed, "sample_rate": rate, "voice": voice.name}
        return RawOutput(arrays=joined.arrays(), warnings=tuple(warnings), metadata=metadata)

    def _speak(self, text: str, voice: LibraryVoice, params: SpeechParams, ctx: RunContext) -> tuple[JoinedSpeech, int]:
        """Return the speech and its sample rate; sentence by sentence where it is streamed."""
        chunks = split_sentences(text) if params.stream else split_text(text)
        pitch_range = round(100 * params.exaggeration)
        edges: list[Edge] = ["cut", *map(edge_after, chunks[:-1]), "cut"]
        with Espeak() as library:
            max_samples = params.max_new_tokens * library.rate // TOKENS_PER_SECOND
            joined = JoinedSpeech(library.rate, max_samples, ctx.play if params.stream else None)
            for number, chunk in enumerate(chunks):
                samples = library.synthesize(chunk, voice.identifier, pitch_range)
                joined.add(samples, after=edges[number], before=edges[number + 1])
                ctx.progress(0.9 * (number + 1) / (len(chunks) + 1), "step")
                if joined.is_cut:
                    break
            return joined, library.rate


def _warnings(spec: ModelSpec, params: SpeechParams) -> Iterator[str]:
    for field in _UNUSED:
        if getattr(params, field) != getattr(SpeechParams(text="."), field):
            yield f"{spec.id} does not use `{field}`; it was ignored"
