"""What a job needs of models beside its own, known from its request and the entry of its model. No torch."""

from typing import Any

import msgspec

from core.errors.fields import OutOfRange
from jobs.params.registry import Modality
from jobs.params.sound import SHORTEST_SOUND, SoundParams
from jobs.params.video import VideoParams
from pipelines.catalog.requirements import UnmetRequirement, unmet_requirements
from pipelines.catalog.spec import ModelSpec


class HelperNeed(msgspec.Struct, frozen=True, kw_only=True):
    """A model of `modality` that the same server must have, since `field` of the request asks for what it makes.

    Of a sound, `prompt` says what is heard, and `seconds` how long.
    """

    modality: Modality
    field: str
    prompt: str = ""
    seconds: float = 0.0

    def unmet(self, spec: ModelSpec) -> UnmetRequirement | None:
        """Return what a model of the modality does not do of it, the most specific first."""
        if self.modality != "sound":
            return None
        if not self.prompt.strip():
            sentence = "`prompt` must say in words what is heard"
            return UnmetRequirement(error=OutOfRange, field="$.prompt", sentence=sentence)
        asked = sound_request(spec, self.prompt, self.seconds)
        if asked.duration_seconds < self.seconds:
            sentence = f"`duration_seconds` must be at most {asked.duration_seconds:g} for {spec.id}"
            return UnmetRequirement(error=OutOfRange, field="$.duration_seconds", sentence=sentence)
        return next(unmet_requirements(spec, asked), None)


def may_need_helpers(params: object) -> bool:
    """Return whether there are models with which a request needs another one; `needs_of` knows it of each."""
    return bool(getattr(params, "enhance_prompt", False)) or (isinstance(params, VideoParams) and params.sound)


def needs_of(spec: ModelSpec, params: Any) -> tuple[HelperNeed, ...]:
    """Return what a job of this model needs beside it: a text model for its prompt, one of sounds for a silent film."""
    needs = []
    if getattr(params, "enhance_prompt", False):
        needs.append(HelperNeed(modality="text", field="enhance_prompt"))
    if isinstance(params, VideoParams) and params.sound and spec.has_sound_apart:
        seconds = spec.limits.nearest_seconds(params.duration_seconds)
        needs.append(HelperNeed(modality="sound", field="sound", prompt=params.prompt, seconds=seconds))
    return tuple(needs)


def sound_request(spec: ModelSpec, prompt: str, seconds: float) -> SoundParams:
    """Return what a model of sounds is asked for so many seconds: at least as many, where it makes that."""
    longer = [each for each in spec.limits.durations if each >= seconds]
    made = min(longer, default=spec.limits.nearest_seconds(max(seconds, SHORTEST_SOUND)))
    return SoundParams(prompt=prompt, duration_seconds=made)
