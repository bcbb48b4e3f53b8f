"""The family `espeak`: rule-based speech in more than a hundred languages, from a wheel; one core, no weights."""

from collections.abc import Iterator
from pathlib import Path

from jobs.params.speech import SpeechParams
from pipelines.catalog.requirements import check_media
from pipelines.catalog.spec import ModelSpec
from pipelines.runtime.protocol import Inputs, MetadataValue, RawOutput, RunContext
from pipelines.speech.espeak_library import Espeak, LibraryVoice, all_voices
from pipelines.speech.languages import voice_for
from pipelines.speech.samples import TOKENS_PER_SECOND, Samples, join_chunks, truncate, truncation_warning
from pipelines.speech.text import clean_text, split_text

_UNUSED = ("temperature", "cfg_weight")


class EspeakVoice:
    """Speech in the voice of `language_id`; `exaggeration` scales the pitch range. The seed has no effect."""

    def __init__(self, spec: ModelSpec, weights: Path, device: str) -> None:
        self.spec = spec
        self.voices = all_voices()

    def run(self, params: SpeechParams, inputs: Inputs, ctx: RunContext) -> RawOutput:
        """Make `samples` of `params.text`; report after every chunk. Raises `NotThisModel` for an unknown language."""
        check_media(self.spec, inputs.files)
        text, voice = clean_text(params.text), voice_for(params.language_id, self.voices, self.spec)
        warnings = list(_warnings(self.spec, params))
        ctx.progress(0.0, "prepare")
        samples, rate, is_cut = self._speak(text, voice, params, ctx)
        if is_cut:
            warnings.append(truncation_warning(params.max_new_tokens))
        for warning in warnings:
            ctx.warn(warning)
        ctx.progress(0.9, "decode")
        metadata: dict[str, MetadataValue] = {"seed": ctx.seed, "sample_rate": rate, "voice": voice.name}
        return RawOutput(arrays={"samples": samples}, warnings=tuple(warnings), metadata=metadata)

    def _speak(
        self, text: str, voice: LibraryVoice, params: SpeechParams, ctx: RunContext
    ) -> tuple[Samples, int, bool]:
        """Return the samples, the sample rate, and whether the text was cut off."""
        chunks, parts, pitch_range = split_text(text), [], round(100 * params.exaggeration)
        with Espeak() as library:
            max_samples = params.max_new_tokens * library.rate // TOKENS_PER_SECOND
            for number, chunk in enumerate(chunks):
                parts.append(library.synthesize(chunk, voice.identifier, pitch_range))
                ctx.progress(0.9 * (number + 1) / (len(chunks) + 1), "step")
                if sum(map(len, parts)) > max_samples:
                    break
            joined = join_chunks(parts, library.rate)
            return truncate(joined, max_samples, library.rate), library.rate, len(joined) > max_samples


def _warnings(spec: ModelSpec, params: SpeechParams) -> Iterator[str]:
    for field in _UNUSED:
        if getattr(params, field) != getattr(SpeechParams(text="."), field):
            yield f"{spec.id} does not use `{field}`; it was ignored"
